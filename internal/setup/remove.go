package setup

import (
	"context"
	"errors"
	"fmt"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// Removal is a document to take back, and the rows that go with it.
type Removal struct {
	Document Document
	// Name is the document's on the site, "" when it is not there.
	Name string
	// Rows are the numbers of dependent rows, in the order of Document.Dependents.
	Rows []int
}

// ErrStillLinked is a document that can't be deleted because others link to it, which
// are not among its dependents or come faster than they go.
var ErrStillLinked = errors.New("other documents link to it; its form in the desk shows which")

// Removal finds a document and counts what goes with it. Errors are *AmbiguousError or
// the site's.
func (s Site) Removal(ctx context.Context, d Document) (Removal, error) {
	names, err := s.find(ctx, d)
	if err != nil {
		return Removal{}, err
	}
	r := Removal{Document: d}
	switch len(names) {
	case 0:
		return r, nil
	case 1:
		r.Name = names[0]
	default:
		return Removal{}, &AmbiguousError{Document: d, Names: names}
	}
	for _, dependent := range d.Dependents {
		rows, err := s.dependents(ctx, dependent, r.Name)
		if err != nil {
			return Removal{}, err
		}
		r.Rows = append(r.Rows, len(rows))
	}
	return r, nil
}

// Remove deletes the dependent rows and then the document, and gives the removal with
// the numbers of rows that it deleted. Frappe refuses to delete what other documents
// link to (LinkExistsError), so users who sign in meanwhile make it begin again, a few
// times.
func (s Site) Remove(ctx context.Context, r Removal) (Removal, error) {
	const tries = 3
	done := Removal{Document: r.Document, Name: r.Name, Rows: make([]int, len(r.Document.Dependents))}
	for try := 1; ; try++ {
		for i, dependent := range r.Document.Dependents {
			n, err := s.removeDependents(ctx, dependent, r.Name)
			done.Rows[i] += n
			if err != nil {
				return done, err
			}
		}
		err := s.Upstream.Delete(ctx, s.Credential, r.Document.DocType, r.Name)
		switch {
		case err == nil, apierror.CodeOf(err) == apierror.NotFound:
			return done, nil
		case !isLinked(err):
			return done, fmt.Errorf("delete the %s: %w", r.Document, err)
		case try == tries:
			// The site's message is left out: it names the row, see removeDependents.
			return done, fmt.Errorf("delete the %s: %w", r.Document, ErrStillLinked)
		}
	}
}

func (s Site) removeDependents(ctx context.Context, d Dependent, name string) (int, error) {
	rows, err := s.dependents(ctx, d, name)
	if err != nil {
		return 0, err
	}
	for n, row := range rows {
		err := s.Upstream.Delete(ctx, s.Credential, d.DocType, row)
		if err != nil && apierror.CodeOf(err) != apierror.NotFound {
			return n, rowError(ctx, d, err)
		}
	}
	return len(rows), nil
}

// rowError drops the error's text: the name of an OAuth Bearer Token is the access token
// itself, and Frappe's messages name the document.
func rowError(ctx context.Context, d Dependent, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("delete the rows of %s: %w", d.DocType, context.Cause(ctx))
	}
	e, ok := errors.AsType[*frappe.Error](err)
	if !ok {
		return apierror.New(apierror.CodeOf(err), "can't delete a row of %s", d.DocType)
	}
	return apierror.New(e.Code, "can't delete a row of %s (HTTP %d %s)", d.DocType, e.Status, e.ExcType)
}

// dependents are the names of the rows that link to the document. A DocType that the
// site does not have holds none.
func (s Site) dependents(ctx context.Context, d Dependent, name string) ([]string, error) {
	table, err := s.Upstream.List(ctx, s.Credential, frappe.ListQuery{
		DocType: d.DocType,
		Columns: []frappe.Column{{Field: "name"}},
		Filters: []frappe.Filter{{Field: d.Field, Op: frappe.OpEq, Value: name}},
		OrderBy: []frappe.Order{{Field: "name"}},
	})
	if apierror.CodeOf(err) == apierror.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the rows of %s: %w", d.DocType, err)
	}
	names := make([]string, 0, len(table.Rows))
	for _, row := range table.Rows {
		if name := text(row[0]); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

func isLinked(err error) bool {
	e, ok := errors.AsType[*frappe.Error](err)
	return ok && e.ExcType == "LinkExistsError"
}
