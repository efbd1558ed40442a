package loaders_test

import (
	"slices"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// ERPNext's list of child rows looks at the roles on the parent DocType only. A table
// field above the caller's permlevel must have no rows all the same, and can't be
// filtered by. A stored field of the same permlevel tells whether the caller may read it.
func TestTablesAbovePermlevel(t *testing.T) {
	t.Parallel()
	line := &doctype.Type{Name: "Line", Key: "Line", Source: doctype.Child, Fields: []*doctype.Field{{Name: "item", Column: "item"}}}
	open := &doctype.Field{Name: "lines", Column: "lines", Kind: doctype.Table, Target: "Line"}
	guarded := &doctype.Field{Name: "costs", Column: "costs", Kind: doctype.Table, Target: "Line", PermLevel: 1}
	lonely := &doctype.Field{Name: "secrets", Column: "secrets", Kind: doctype.Table, Target: "Line", PermLevel: 2}
	cost := &doctype.Field{Name: "cost", Column: "cost", Kind: doctype.Decimal, PermLevel: 1}
	ticket := &doctype.Type{Name: "Ticket", Key: "Ticket", Source: doctype.Upstream, Fields: []*doctype.Field{open, guarded, lonely, cost}}
	types := doctype.NewRegistry([]*doctype.Type{ticket, line})

	for _, c := range []struct {
		name   string
		sees   bool // the fields of permlevel 1
		fields []string
		asked  []any // the table fields in the list of child rows, nil for no such call
		err    apierror.Code
		filter *doctype.Field
	}{
		{"an open table", false, []string{"lines"}, []any{"lines"}, "", open},
		{"a guarded table for one who may", true, []string{"lines", "costs"}, []any{"lines", "costs"}, "", guarded},
		{"a guarded table for one who may not", false, []string{"lines", "costs"}, []any{"lines"}, apierror.Forbidden, guarded},
		{"nothing but a guarded table", false, []string{"costs"}, nil, apierror.Forbidden, guarded},
		{"a table that no field stands in for", true, []string{"secrets"}, nil, apierror.Forbidden, lonely},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := &upstream{list: func(q frappe.ListQuery) ([]map[string]string, error) {
				if q.DocType == "Line" {
					return []map[string]string{{"name": `"r1"`, "parent": `"T1"`, "parentfield": `"lines"`}}, nil
				}
				row := map[string]string{"name": `"T1"`}
				if c.sees {
					row["cost"] = "0"
				}
				return []map[string]string{row}, nil
			}}
			set := newSet(t, u, func(cfg *loaders.Config) { cfg.Registry = types })
			if _, err := set.Children(t.Context(), ticket, line, c.fields, []string{"T1"}); err != nil {
				t.Fatal(err)
			}
			var asked []any
			for _, q := range u.lists {
				for _, f := range q.Filters {
					if q.DocType == "Line" && f.Field == "parentfield" {
						asked, _ = f.Value.([]any)
					}
				}
			}
			if !slices.Equal(asked, c.asked) {
				t.Errorf("asked for rows of %v, want %v", asked, c.asked)
			}
			err := set.CheckReadable(t.Context(), []loaders.Use{{Type: ticket, Field: c.filter}})
			if code := apierror.CodeOf(err); code != c.err {
				t.Errorf("a filter by %s: %v", c.filter.Name, err)
			}
		})
	}
}
