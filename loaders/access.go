package loaders

import (
	"context"
	"slices"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// Use is a field that a where, an order or a group looks at.
type Use struct {
	Type   *doctype.Type
	Parent *doctype.Type // of a child table's field, nil else
	Field  *doctype.Field
}

// CheckReadable refuses fields above the caller's permlevel in filters, orders and
// groups. ERPNext drops such fields from rows but filters and sorts by them all the
// same, so their values could be probed.
//
// ERPNext itself is asked, in one call for each type that has such fields: a list of
// one row with these fields. A key that the row lacks may not be read. Where the
// caller sees no row at all there is nothing to probe.
func (s *Set) CheckReadable(ctx context.Context, uses []Use) error {
	type group struct {
		use     Use
		columns []string
	}
	var groups []*group
	for _, u := range uses {
		if u.Field.PermLevel == 0 || u.Type.Source == doctype.Local {
			continue
		}
		if u.Field.Kind == doctype.Table {
			ok, err := s.tableReadable(ctx, u.Type, u.Field)
			if err != nil {
				return err
			}
			if !ok {
				return notUsable(u.Type, u.Field)
			}
			continue
		}
		at := slices.IndexFunc(groups, func(g *group) bool { return g.use.Type == u.Type && g.use.Parent == u.Parent })
		if at < 0 {
			groups = append(groups, &group{use: u})
			at = len(groups) - 1
		}
		if !slices.Contains(groups[at].columns, u.Field.Column) {
			groups[at].columns = append(groups[at].columns, u.Field.Column)
		}
	}
	return parallel(len(groups), func(i int) error {
		g := groups[i]
		refused, err := s.unreadable(ctx, g.use.Type.Key, g.use.Parent, g.columns)
		if err != nil || refused == "" {
			return err
		}
		return notUsable(g.use.Type, g.use.Type.ByColumn(refused))
	})
}

func notUsable(t *doctype.Type, f *doctype.Field) error {
	return apierror.New(apierror.Forbidden, "%s.%s can't be used in a filter, order or group: you may not read it", t.Name, f.Name).
		About(t.Key, "", f.Name)
}

// tableReadable tells whether the caller may read a child table field of t. ERPNext's
// list of child rows checks the parent's roles only, not the permlevel of the table
// field, so it would show what the document itself hides. No list shows a table field
// either; a stored field of the same permlevel stands in for it, and where there is
// none the answer is no.
func (s *Set) tableReadable(ctx context.Context, t *doctype.Type, table *doctype.Field) (bool, error) {
	if table.PermLevel == 0 {
		return true, nil
	}
	for _, f := range t.Fields {
		if f.PermLevel == table.PermLevel && f.Column != "" && f.Kind != doctype.Table && f.Kind != doctype.Custom {
			refused, err := s.unreadable(ctx, t.Key, nil, []string{f.Column})
			return refused == "" && err == nil, err
		}
	}
	return false, nil
}

// unreadable gives the first of the columns that ERPNext does not show this caller.
func (s *Set) unreadable(ctx context.Context, doctypeName string, parent *doctype.Type, columns []string) (string, error) {
	if err := s.spend(); err != nil {
		return "", err
	}
	q := frappe.ListQuery{DocType: doctypeName, Columns: plain(append([]string{"name"}, columns...)), Limit: 1}
	if parent != nil {
		q.Parent = parent.Key
	}
	table, err := s.cfg.Upstream.List(ctx, s.cred, q)
	s.heard(err)
	if err != nil {
		return "", err
	}
	if len(table.Rows) == 0 {
		return "", nil
	}
	for _, column := range columns {
		at := slices.Index(table.Columns, column)
		if at < 0 || table.Rows[0][at] == nil {
			return column, nil
		}
	}
	return "", nil
}
