package frappe

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"erpgraph/internal/apierror"
)

// The methods that this package calls (client.py, desk/…), whitelisted in every
// Frappe since 13.
const (
	methodList   = "frappe.client.get_list"
	methodCount  = "frappe.desk.reportview.get_count"
	methodGet    = "frappe.client.get"
	methodSet    = "frappe.client.set_value"
	methodDelete = "frappe.client.delete"
	methodRename = "frappe.client.rename_doc"
	methodMayDo  = "frappe.client.has_permission"
	methodUpload = "upload_file"
	methodSteps  = "frappe.model.workflow.get_transitions"
	methodStep   = "frappe.model.workflow.apply_workflow"
	methodMeta   = "frappe.desk.form.load.getdoctype"
	methodLinks  = "frappe.desk.search.search_link"
	methodUser   = "frappe.auth.get_logged_user"
	methodRoles  = "frappe.core.doctype.user.user.get_roles"
	methodVer    = "frappe.utils.change_log.get_versions"
	methodZone   = "frappe.client.get_time_zone"
	methodPrefix = "/api/method/"
)

func postJSON(method string, cred Credential, body []byte) request {
	return request{
		name: method, cred: cred,
		verb: http.MethodPost, path: methodPrefix + method, body: body, contentType: contentJSON,
	}
}

func postForm(method string, cred Credential, form url.Values) request {
	r := postJSON(method, cred, []byte(form.Encode()))
	r.contentType = contentForm
	return r
}

func getMethod(method string, cred Credential, query url.Values) request {
	return request{name: method, cred: cred, verb: http.MethodGet, path: methodPrefix + method, query: query}
}

// List reads rows. What the caller may not see is not among them; fields above
// their permlevel are nil cells. A DocType that they may not read at all is
// FORBIDDEN, one that does not exist NOT_FOUND, a field that does not exist
// VALIDATION, see [UnknownField].
//
// Filters, orders and groups on a field above the caller's permlevel are obeyed by
// Frappe 15, which gives its values away: the caller of List must refuse them.
func (c *Client) List(ctx context.Context, cred Credential, q ListQuery) (*Table, error) {
	body, err := encodeList(dialect(c.dialect.Load()), &q)
	if err != nil {
		return nil, err
	}
	columns := make([]string, len(q.Columns))
	for i, column := range q.Columns {
		columns[i] = column.Key()
	}
	r := postJSON(methodList, cred, body)
	r.doctype, r.fields = q.DocType, columns
	var table *Table
	err = c.call(ctx, r, func(body []byte) (int, error) {
		var err error
		if table, err = decodeRows(body, columns); err != nil {
			return 0, err
		}
		return len(table.Rows), nil
	})
	if err != nil {
		return nil, err
	}
	return table, nil
}

// Count counts the rows that the caller may read; distinct counts documents once
// where a filter on a child table fits several of their rows. It is not
// frappe.client.get_count, which checks no permission at all: see [Client.CountUnchecked].
func (c *Client) Count(
	ctx context.Context, cred Credential, doctype string, filters, orFilters []Filter, distinct bool,
) (int64, error) {
	if len(orFilters) > 0 && !distinct {
		return c.countRows(ctx, cred, doctype, filters, orFilters)
	}
	if err := checkDocType(doctype); err != nil {
		return 0, err
	}
	form := url.Values{
		"doctype":  {doctype},
		"distinct": {strconv.FormatBool(distinct)},
		// Without this Frappe stores the request as the user's last view of the list.
		"save_user_settings": {"false"},
	}
	text, err := encodeFilters(doctype, filters)
	if err != nil {
		return 0, err
	}
	form.Set("filters", text)
	if len(orFilters) > 0 {
		if text, err = encodeFilters(doctype, orFilters); err != nil {
			return 0, err
		}
		form.Set("or_filters", text)
	}
	r := postForm(methodCount, cred, form)
	r.doctype = doctype
	var n int64
	err = c.call(ctx, r, message(&n, 1))
	return n, err
}

// countRows counts by a list of one row.
func (c *Client) countRows(
	ctx context.Context, cred Credential, doctype string, filters, orFilters []Filter,
) (int64, error) {
	table, err := c.List(ctx, cred, ListQuery{
		DocType:   doctype,
		Columns:   []Column{{Func: FuncCount, Field: "name", As: "n"}},
		Filters:   filters,
		OrFilters: orFilters,
	})
	if err != nil {
		return 0, err
	}
	if len(table.Rows) != 1 {
		return 0, malformed(methodList, doctype, "a count of several rows")
	}
	n, err := strconv.ParseInt(string(table.Rows[0][0]), 10, 64)
	if err != nil {
		return 0, malformed(methodList, doctype, "a count that is no number")
	}
	return n, nil
}

func malformed(method, doctype, why string) *Error {
	return &Error{
		Code: apierror.UpstreamUnavailable, Status: http.StatusOK, Method: method, DocType: doctype,
		Err: &malformedError{why},
	}
}

// malformedError is an ErrMalformed that says why.
type malformedError struct{ why string }

func (e *malformedError) Error() string { return ErrMalformed.Error() + ": " + e.why }
func (e *malformedError) Unwrap() error { return ErrMalformed }

// encodeFilters writes filters for a form field.
func encodeFilters(doctype string, filters []Filter) (string, error) {
	w := newJSONWriter()
	if err := writeFilterList(w, doctype, filters); err != nil {
		return "", err
	}
	text, err := w.bytes()
	return string(text), err
}
