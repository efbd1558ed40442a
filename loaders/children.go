package loaders

import (
	"context"

	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// ChildKey says which table of which document child rows belong to.
type ChildKey struct{ Parent, Field string }

// Children reads the rows of child tables for all parents of a level: one call for
// each chunk of parents, whatever the number of table fields that hold the same child
// DocType. Rows come in idx order.
//
// ERPNext checks the caller's roles on the parent DocType here, but not his user
// permissions. So parents must be documents that this caller's own list or read has
// just returned; the engine only passes names of rows of this Set.
//
// A table field above the caller's permlevel has no rows, as other fields have no value.
func (s *Set) Children(ctx context.Context, parent, child *doctype.Type, fields, parents []string) (map[ChildKey][]*Row, error) {
	fields, err := s.readableTables(ctx, parent, fields)
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	parts := chunks(parents, s.cfg.ChunkNames/2+1)
	tables := make([][]*Row, len(parts))
	err = parallel(len(parts), func(i int) error {
		table, err := s.list(ctx, child, frappe.ListQuery{
			DocType: child.Key,
			Parent:  parent.Key,
			Columns: plain(s.selected(child, "parent", "parentfield")),
			Filters: []frappe.Filter{
				{Field: "parenttype", Op: frappe.OpEq, Value: parent.Key},
				{Field: "parentfield", Op: frappe.OpIn, Value: anys(fields)},
				{Field: "parent", Op: frappe.OpIn, Value: anys(parts[i])},
			},
			OrderBy: []frappe.Order{{Field: "idx"}, {Field: "name"}},
		})
		if err == nil {
			tables[i] = rowsOf(child, table)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make(map[ChildKey][]*Row, len(parents))
	for _, rows := range tables {
		for _, r := range rows {
			key := ChildKey{Parent: r.Text("parent"), Field: r.Text("parentfield")}
			out[key] = append(out[key], r)
		}
	}
	return out, nil
}

// readableTables leaves out the table fields that the caller may not read.
func (s *Set) readableTables(ctx context.Context, parent *doctype.Type, fields []string) ([]string, error) {
	var out []string
	for _, column := range fields {
		ok := true
		if f := parent.ByColumn(column); f != nil {
			var err error
			if ok, err = s.tableReadable(ctx, parent, f); err != nil {
				return nil, err
			}
		}
		if ok {
			out = append(out, column)
		}
	}
	return out, nil
}
