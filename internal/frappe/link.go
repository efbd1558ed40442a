package frappe

import (
	"context"
	"net/url"
	"strconv"

	"erpgraph/internal/apierror"
)

// LinkQuery searches the documents that a Link field may lead to.
type LinkQuery struct {
	DocType string // the target
	Text    string // what the user typed; "" finds the first ones
	// ReferenceDocType is the DocType that holds the Link: user permissions may apply
	// to that one only.
	ReferenceDocType string
	Filters          []Filter
	Limit            int // 0 means Frappe's default of 10
}

// LinkOption is one document found.
type LinkOption struct {
	Name        string `json:"value"`
	Label       string `json:"label"`
	Description string `json:"description"`
}

// LinkSearch finds link targets as ERPNext's own forms do, by its search fields and
// rules. Frappe lets a request ask it to ignore user permissions; this one never does.
func (c *Client) LinkSearch(ctx context.Context, cred Credential, q LinkQuery) ([]LinkOption, error) {
	if err := checkDocType(q.DocType); err != nil {
		return nil, err
	}
	if err := checkOptional(q.ReferenceDocType); err != nil {
		return nil, err
	}
	if q.Limit < 0 {
		return nil, apierror.New(apierror.BadUserInput, "limit can't be negative")
	}
	form := url.Values{"doctype": {q.DocType}, "txt": {q.Text}}
	if q.ReferenceDocType != "" {
		form.Set("reference_doctype", q.ReferenceDocType)
	}
	if q.Limit > 0 {
		form.Set("page_length", strconv.Itoa(q.Limit))
	}
	if len(q.Filters) > 0 {
		filters, err := encodeFilters(q.DocType, q.Filters)
		if err != nil {
			return nil, err
		}
		form.Set("filters", filters)
	}
	r := postForm(methodLinks, cred, form)
	r.doctype = q.DocType
	var options []LinkOption
	decode := message(&options, 0)
	err := c.call(ctx, r, func(body []byte) (int, error) {
		_, err := decode(body)
		return len(options), err
	})
	if err != nil {
		return nil, err
	}
	return options, nil
}
