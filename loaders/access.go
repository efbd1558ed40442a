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
		field := g.use.Type.ByColumn(refused)
		return apierror.New(apierror.Forbidden, "%s.%s can't be used in a filter, order or group: you may not read it", g.use.Type.Name, field.Name).
			About(g.use.Type.Key, "", field.Name)
	})
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
	if err != nil {
		return "", err
	}
	s.vouched()
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
