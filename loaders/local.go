package loaders

import (
	"context"
	"fmt"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// Local is what a Set needs of the app's database. Each method is one SQL statement.
type Local interface {
	Rows(ctx context.Context, q postgres.Query) (*postgres.Table, error)
	RowsByKeys(ctx context.Context, q postgres.KeysQuery) (*postgres.Table, error)
	RowsByParent(ctx context.Context, q postgres.ReverseQuery) (*postgres.ParentTable, error)
	Count(ctx context.Context, q postgres.Query) (int64, error)
	CountByParent(ctx context.Context, q postgres.ReverseQuery) ([]int64, error)
	Aggregate(ctx context.Context, q criteria.Aggregate) (*postgres.Table, error)
	Ends(ctx context.Context, q postgres.EndsQuery) ([]string, error)
}

// local gives the database, to those who have the roles to read rows of a type. It is
// the only way to them, and what it gives has still to be seen through @access(through).
func (s *Set) local(ctx context.Context, t *doctype.Type) (Local, error) {
	if s.cfg.Local == nil {
		return nil, apierror.New(apierror.UpstreamUnavailable, "the app has no database")
	}
	if err := s.mayRead(ctx, t); err != nil {
		return nil, err
	}
	return metered{s.cfg.Local, s}, nil
}

// localFields are the fields to read of a local type; the id comes by itself.
func (s *Set) localFields(t *doctype.Type, extra ...string) []*doctype.Field {
	var out []*doctype.Field
	for _, c := range s.selected(t, extra...) {
		if f := t.ByColumn(c); f != nil && f.Kind != doctype.ID {
			out = append(out, f)
		}
	}
	return out
}

// localRows turns a table, whose first column is the id, into rows.
func localRows(t *doctype.Type, table *postgres.Table) []*Row {
	h := newHeader(table.Columns)
	rows := make([]Row, len(table.Rows))
	out := make([]*Row, len(table.Rows))
	for i, values := range table.Rows {
		rows[i] = Row{Type: t, header: h, values: values}
		if len(values) > 0 {
			rows[i].Key = textOf(values[0])
		}
		out[i] = &rows[i]
	}
	return out
}

// localByID reads rows by their ids. One that the caller may not see is none, in the
// same words: who asks does not learn that there is such a row.
func (s *Set) localByID(ctx context.Context, t *doctype.Type, ids []string, stamp int) {
	st := s.store(t)
	rows, err := s.localKeys(ctx, t, s.localFields(t), ids)
	if err != nil {
		st.fail(ids, stamp, func(string) error { return err })
		return
	}
	st.add(rows, stamp)
	st.fail(ids, stamp, func(id string) error { return notThere(t, id) })
}

func notThere(t *doctype.Type, id string) error {
	return apierror.New(apierror.NotFound, "%s %q does not exist", t.Name, id).About(t.Key, id, "")
}

// localKeys gives those of the rows with these ids that the caller may see. Unless he sees
// rows that lead to all of them, ERPNext is asked whatever the ids are: one that is
// hidden and one that nobody has cost the same.
func (s *Set) localKeys(ctx context.Context, t *doctype.Type, columns []*doctype.Field, ids []string) ([]*Row, error) {
	db, err := s.local(ctx, t)
	if err != nil {
		return nil, err
	}
	q := postgres.KeysQuery{Type: t, Columns: columns, Keys: ids, End: endOf(t)}
	if !guarded(t) {
		if q.Where, err = s.narrow(ctx, t, nil, reachKey{}); err != nil {
			return nil, err
		}
	}
	table, err := db.RowsByKeys(ctx, q)
	if err != nil {
		return nil, err
	}
	rows := localRows(t, table)
	if guarded(t) {
		if rows, err = s.visible(ctx, t, rows, question{whole: true, always: !s.allVouched(t, ids)}); err != nil {
			return nil, err
		}
		s.shown(t, rows)
	}
	return rows, nil
}

// localWhereOf is the condition on the rows that the caller may see, of those that a
// client's where matches.
func (s *Set) localWhereOf(ctx context.Context, t *doctype.Type, where *criteria.Expr) (*criteria.Expr, error) {
	fit, err := s.localWhere(ctx, where)
	if err != nil {
		return nil, err
	}
	return s.narrow(ctx, t, fit, reachKey{typ: t, where: where})
}

func (s *Set) localCount(ctx context.Context, t *doctype.Type, where *criteria.Expr) (int64, error) {
	db, err := s.local(ctx, t)
	if err != nil {
		return 0, err
	}
	if where, err = s.localWhereOf(ctx, t, where); err != nil {
		return 0, err
	}
	return db.Count(ctx, postgres.Query{Type: t, Where: where})
}

func (s *Set) localAggregate(ctx context.Context, q criteria.Aggregate) ([]*Row, error) {
	db, err := s.local(ctx, q.Type)
	if err != nil {
		return nil, err
	}
	if q.Where, err = s.localWhereOf(ctx, q.Type, q.Where); err != nil {
		return nil, err
	}
	table, err := db.Aggregate(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("aggregate %s: %w", q.Type.Name, err)
	}
	rows := localRows(q.Type, table)
	for _, r := range rows {
		r.Key = r.Text("id") // "" unless grouped by it
	}
	return rows, nil
}
