package frappe

import (
	"context"
	"errors"
	"slices"
)

// methodCountAll counts what is there, methodCount what the caller may read.
const methodCountAll = "frappe.client.get_count"

// errAnyOwner is the refusal to count the documents of all the world.
var errAnyOwner = errors.New("frappe: an unchecked count is one of the documents of one owner")

// CountUnchecked counts rows whether or not the caller may read them: frappe.client.get_count
// asks for no permission at all (TX 188–191). It is there to find out whether a list hides
// some of one owner's documents, so it wants a filter on the owner. The number is for the
// app's own decision, and must never reach a client.
//
// A site that does not offer it answers FORBIDDEN, or with [ErrNoMethod] behind the error.
func (c *Client) CountUnchecked(ctx context.Context, cred Credential, doctype string, filters []Filter) (int64, error) {
	if !slices.ContainsFunc(filters, func(f Filter) bool { return f.Field == "owner" && f.Op == OpEq && f.Value != "" }) {
		return 0, errAnyOwner
	}
	if err := checkDocType(doctype); err != nil {
		return 0, err
	}
	w := newJSONWriter()
	w.beginObject()
	w.key("doctype")
	w.str(doctype)
	if err := writeFilters(w, "filters", doctype, filters); err != nil {
		return 0, err
	}
	w.endObject()
	body, err := w.bytes()
	if err != nil {
		return 0, err
	}
	r := postJSON(methodCountAll, cred, body)
	r.doctype, r.declared = doctype, true
	var n int64
	err = c.call(ctx, r, message(&n, 1))
	return n, err
}
