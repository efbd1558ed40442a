package trail

import (
	"context"
	"fmt"

	"erpgraph/internal/frappe"
)

// Deletion is a Deleted Document: who deleted what, and when. Never its data.
type Deletion struct {
	// Row is the docname of the Deleted Document itself.
	Row           string
	DocType, Name string
	Owner         string
	Creation      string // in Layout
}

// deletedColumns are read of a Deleted Document, besides creation and name.
var deletedColumns = [...]string{"deleted_doctype", "deleted_name", "owner"}

// DeletionWalk is the walk through the deletions of the DocTypes; [DeletionOf] reads its
// rows.
func DeletionWalk(doctypes []string) Walk {
	return Walk{
		DocType: DeletedDocument, Key: "creation", Columns: deletedColumns[:],
		Filters: []frappe.Filter{{Field: "deleted_doctype", Op: frappe.OpIn, Value: doctypes}},
	}
}

// DeletionOf reads a row of a DeletionWalk.
func DeletionOf(row Row) (d Deletion, ok bool) {
	if len(row.Values) != len(deletedColumns) {
		return Deletion{}, false
	}
	d = Deletion{Row: row.Name, DocType: row.Values[0], Name: row.Values[1], Owner: row.Values[2], Creation: row.Time}
	return d, d.DocType != "" && d.Name != ""
}

// Deletions gives the newest deletion of each of the names that was deleted once.
func (s Site) Deletions(ctx context.Context, doctype string, names []string) (map[string]Deletion, error) {
	out := map[string]Deletion{}
	err := chunked(names, func(part []string) error {
		w := DeletionWalk([]string{doctype})
		w.Filters = append(w.Filters, frappe.Filter{Field: "deleted_name", Op: frappe.OpIn, Value: part})
		return s.Rows(ctx, w, func(rows []Row) error {
			for _, row := range rows { // oldest first: the newest stays
				if d, ok := DeletionOf(row); ok {
					out[d.Name] = d
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("deletions of %s: %w", doctype, err)
	}
	return out, nil
}

// Present gives the creation of each of the names that the account sees now, in Layout.
// Names are compared exactly: ERPNext itself finds "ABC" under "abc".
func (s Site) Present(ctx context.Context, doctype string, names []string) (map[string]string, error) {
	out := map[string]string{}
	err := chunked(names, func(part []string) error {
		table, err := s.Upstream.List(ctx, s.Credential, frappe.ListQuery{
			DocType: doctype, Columns: []frappe.Column{{Field: "creation"}, {Field: "name"}},
			Filters: []frappe.Filter{{Field: "name", Op: frappe.OpIn, Value: part}},
		})
		if err != nil {
			return err
		}
		rows, err := rowsOf(doctype, table)
		for _, row := range rows {
			out[row.Name] = row.Time
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", doctype, err)
	}
	return out, nil
}

// Gone tells whether there is no document of exactly this name, for nobody: a document
// that the account may not see is not gone.
func (s Site) Gone(ctx context.Context, doctype, name string) (bool, error) {
	doc, err := s.Upstream.Document(ctx, s.Credential, doctype, name)
	switch {
	case err == nil:
		return Text(doc["name"]) != name, nil
	case isNotFound(err):
		return true, nil
	case Unreadable(err):
		return false, nil
	default:
		return false, fmt.Errorf("read %s: %w", doctype, err)
	}
}

func chunked(names []string, each func([]string) error) error {
	for len(names) > 0 {
		n := min(PageSize, len(names))
		if err := each(names[:n]); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}
