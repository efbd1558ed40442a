// Package trail reads what ERPNext leaves behind when documents change: the times on its
// rows, its Deleted Documents, and the Comments that tell of renames and merges. It
// decides what of that is believed: people can write Comments too.
//
// The facts are Frappe 15's (model/rename_doc.py, model/delete_doc.py,
// core/doctype/comment, core/doctype/deleted_document).
package trail

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// Upstream is the part of *frappe.Client that is needed.
type Upstream interface {
	List(ctx context.Context, cred frappe.Credential, q frappe.ListQuery) (*frappe.Table, error)
	Document(ctx context.Context, cred frappe.Credential, doctype, name string) (map[string]jsontext.Value, error)
}

// Site is an ERPNext as one account sees it. The account should see everything: what it
// can't see does not count as gone, but it is not found either.
type Site struct {
	Upstream   Upstream
	Credential frappe.Credential
}

// The DocTypes that tell of the past.
const (
	DeletedDocument = "Deleted Document"
	Comment         = "Comment"
)

// Unreadable tells whether the account may not read the DocType, or the site has none.
func Unreadable(err error) bool {
	e, ok := errors.AsType[*apierror.Error](err)
	return ok && (e.Code == apierror.Forbidden || e.Code == apierror.NotFound)
}

// PageSize is how many rows a call brings, and how many names it asks for.
const PageSize = 500
