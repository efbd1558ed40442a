package setup

import (
	"context"
	"errors"
	"fmt"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// removal is a document to take back, and the rows that go with it.
type removal struct {
	document document
	// name is the document's on the site, "" when it is not there.
	name string
	// rows are the numbers of dependent rows, in the order of document.dependents.
	rows []int
}

// errStillLinked is a document that can't be deleted because others link to it, which
// are not among its dependents or come faster than they go.
var errStillLinked = errors.New("other documents link to it; its form in the desk shows which")

// removal finds a document and counts what goes with it. Errors are *AmbiguousError or
// the site's.
func (s site) removal(ctx context.Context, d document) (removal, error) {
	names, err := s.find(ctx, d)
	if err != nil {
		return removal{}, err
	}
	r := removal{document: d}
	switch len(names) {
	case 0:
		return r, nil
	case 1:
		r.name = names[0]
	default:
		return removal{}, &AmbiguousError{document: d, Names: names}
	}
	for _, dependent := range d.dependents {
		rows, err := s.dependents(ctx, dependent, r.name)
		if err != nil {
			return removal{}, err
		}
		r.rows = append(r.rows, len(rows))
	}
	return r, nil
}

// remove deletes the dependent rows and then the document, and gives the removal with
// the numbers of rows that it deleted. Frappe refuses to delete what other documents
// link to (LinkExistsError), so users who sign in meanwhile make it begin again, a few
// times.
func (s site) remove(ctx context.Context, r removal) (removal, error) {
	const tries = 3
	done := removal{document: r.document, name: r.name, rows: make([]int, len(r.document.dependents))}
	for try := 1; ; try++ {
		for i, dependent := range r.document.dependents {
			n, err := s.removeDependents(ctx, dependent, r.name)
			done.rows[i] += n
			if err != nil {
				return done, err
			}
		}
		_, err := s.upstream.Delete(ctx, s.credential, r.document.docType, r.name)
		switch {
		case err == nil, apierror.CodeOf(err) == apierror.NotFound:
			return done, nil
		case !isLinked(err):
			return done, fmt.Errorf("delete the %s: %w", r.document, err)
		case try == tries:
			// The site's message is left out: it names the row, see removeDependents.
			return done, fmt.Errorf("delete the %s: %w", r.document, errStillLinked)
		}
	}
}

func (s site) removeDependents(ctx context.Context, d dependent, name string) (int, error) {
	rows, err := s.dependents(ctx, d, name)
	if err != nil {
		return 0, err
	}
	for n, row := range rows {
		_, err := s.upstream.Delete(ctx, s.credential, d.docType, row)
		if err != nil && apierror.CodeOf(err) != apierror.NotFound {
			return n, rowError(ctx, d, err)
		}
	}
	return len(rows), nil
}

// rowError drops the error's text: the name of an OAuth Bearer Token is the access token
// itself, and Frappe's messages name the document.
func rowError(ctx context.Context, d dependent, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("delete the rows of %s: %w", d.docType, context.Cause(ctx))
	}
	e, ok := errors.AsType[*frappe.Error](err)
	if !ok {
		return apierror.New(apierror.CodeOf(err), "can't delete a row of %s", d.docType)
	}
	return apierror.New(e.Code, "can't delete a row of %s (HTTP %d %s)", d.docType, e.Status, e.ExcType)
}

// dependents are the names of the rows that link to the document. A DocType that the
// site does not have holds none.
func (s site) dependents(ctx context.Context, d dependent, name string) ([]string, error) {
	table, err := s.upstream.List(ctx, s.credential, frappe.ListQuery{
		DocType: d.docType,
		Columns: []frappe.Column{{Field: "name"}},
		Filters: []frappe.Filter{{Field: d.field, Op: frappe.OpEq, Value: name}},
		OrderBy: []frappe.Order{{Field: "name"}},
	})
	if apierror.CodeOf(err) == apierror.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the rows of %s: %w", d.docType, err)
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
