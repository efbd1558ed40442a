package frappe

import (
	"context"
	"encoding/json"
	"net/url"

	"erpgraph/internal/apierror"
)

// MayDo asks whether the caller has a right on one document, by role, user permission,
// share and ownership (TX 254–256). right is one of Frappe's: read, write, create,
// delete, submit, cancel, amend, print, email, report, import, export, share, select.
//
// A document that does not exist is NOT_FOUND; the answer for one that the caller may
// not even read is false.
func (c *Client) MayDo(ctx context.Context, cred Credential, doctype, name, right string) (bool, error) {
	if err := checkDocument(doctype, name); err != nil {
		return false, err
	}
	if !isRight(right) { // to Frappe an unknown right is one that nobody has
		return false, apierror.New(apierror.BadUserInput, "not a right: %.50q", right)
	}
	r := getMethod(methodMayDo, cred, url.Values{"doctype": {doctype}, "docname": {name}, "perm_type": {right}})
	r.doctype, r.docname = doctype, name
	var answer struct {
		HasPermission json.RawMessage `json:"has_permission"`
	}
	if err := c.call(ctx, r, message(&answer, 1)); err != nil {
		return false, err
	}
	switch string(answer.HasPermission) {
	case "true", "1":
		return true, nil
	case "false", "0", "null":
		return false, nil
	default:
		return false, malformed(methodMayDo, doctype, "neither yes nor no")
	}
}

func isRight(right string) bool {
	switch right {
	case "read", "write", "create", "delete", "submit", "cancel", "amend",
		"print", "email", "report", "import", "export", "share", "select":
		return true
	default:
		return false
	}
}
