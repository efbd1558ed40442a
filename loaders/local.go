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
}

// local gives the database, once ERPNext has vouched for the credential: local rows are
// for people whom ERPNext knows.
func (s *Set) local(ctx context.Context) (Local, error) {
	if s.cfg.Local == nil {
		return nil, apierror.New(apierror.UpstreamUnavailable, "the app has no database")
	}
	if err := s.Prove(ctx); err != nil {
		return nil, err
	}
	return s.cfg.Local, nil
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

func (s *Set) localByID(ctx context.Context, t *doctype.Type, ids []string, stamp int) {
	st := s.store(t)
	table, err := func() (*postgres.Table, error) {
		db, err := s.local(ctx)
		if err != nil {
			return nil, err
		}
		return db.RowsByKeys(ctx, postgres.KeysQuery{Type: t, Columns: s.localFields(t), Keys: ids})
	}()
	if err != nil {
		st.fail(ids, stamp, func(string) error { return err })
		return
	}
	st.add(localRows(t, table), stamp)
	st.fail(ids, stamp, func(id string) error {
		return apierror.New(apierror.NotFound, "%s %q does not exist", t.Name, id).About(t.Key, id, "")
	})
}

func (s *Set) localPage(ctx context.Context, q PageQuery) (*Page, error) {
	db, err := s.local(ctx)
	if err != nil {
		return nil, err
	}
	if q.Where, err = s.localWhere(ctx, q.Where); err != nil {
		return nil, err
	}
	stamp := s.stamp(q.Type)
	table, err := db.Rows(ctx, s.localQuery(q))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", q.Type.Name, err)
	}
	page := pageInOrder(localRows(q.Type, table), q.Limit, q.Backward)
	s.store(q.Type).add(page.Rows, stamp)
	return page, nil
}

// pageInOrder is NewPage for rows that already are in list order.
func pageInOrder(rows []*Row, limit int, backward bool) *Page {
	p := &Page{Rows: rows, backward: backward}
	switch {
	case len(rows) <= limit:
	case backward:
		p.Rows, p.peek, p.More = rows[1:], rows[0], true
	default:
		p.Rows, p.peek, p.More = rows[:limit], rows[limit], true
	}
	return p
}

func (s *Set) localQuery(q PageQuery) postgres.Query {
	out := postgres.Query{
		Type: q.Type, Columns: s.localFields(q.Type, orderColumns(q.Order)...),
		Where: q.Where, Order: q.Order, Limit: q.Limit + 1, Backward: q.Backward,
	}
	if q.After != nil {
		p := &postgres.Position{Values: q.After.Values, Key: q.After.Key}
		if q.Backward {
			out.Before = p
		} else {
			out.After = p
		}
	}
	return out
}

func (s *Set) localCount(ctx context.Context, t *doctype.Type, where *criteria.Expr) (int64, error) {
	db, err := s.local(ctx)
	if err != nil {
		return 0, err
	}
	if where, err = s.localWhere(ctx, where); err != nil {
		return 0, err
	}
	return db.Count(ctx, postgres.Query{Type: t, Where: where})
}

func (s *Set) localReverse(ctx context.Context, q ReverseQuery) (map[string]*Page, error) {
	db, query, err := s.localReverseQuery(ctx, q)
	if err != nil {
		return nil, err
	}
	stamp := s.stamp(q.From)
	table, err := db.RowsByParent(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", q.From.Name, err)
	}
	byParent := make([][]*Row, len(q.Parents))
	for i, row := range localRows(q.From, &table.Table) {
		byParent[table.Parent[i]] = append(byParent[table.Parent[i]], row)
	}
	out := make(map[string]*Page, len(q.Parents))
	for i, parent := range q.Parents {
		out[parent] = pageInOrder(byParent[i], q.Limit, q.Backward)
		s.store(q.From).add(out[parent].Rows, stamp)
	}
	return out, nil
}

func (s *Set) localReverseCounts(ctx context.Context, q ReverseQuery) (map[string]int64, error) {
	db, query, err := s.localReverseQuery(ctx, q)
	if err != nil {
		return nil, err
	}
	counts, err := db.CountByParent(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", q.From.Name, err)
	}
	out := make(map[string]int64, len(q.Parents))
	for i, parent := range q.Parents {
		out[parent] = counts[i]
	}
	return out, nil
}

func (s *Set) localReverseQuery(ctx context.Context, q ReverseQuery) (Local, postgres.ReverseQuery, error) {
	db, err := s.local(ctx)
	if err != nil {
		return nil, postgres.ReverseQuery{}, err
	}
	if q.Where, err = s.localWhere(ctx, q.Where); err != nil {
		return nil, postgres.ReverseQuery{}, err
	}
	query := s.localQuery(PageQuery{
		Type: q.From, Where: q.Where, Order: q.Order, Limit: q.Limit, After: q.After, Backward: q.Backward,
	})
	return db, postgres.ReverseQuery{Query: query, ParentField: q.From.ByColumn(q.Link.Field), Parents: q.Parents}, nil
}

func (s *Set) localAggregate(ctx context.Context, q criteria.Aggregate) ([]*Row, error) {
	db, err := s.local(ctx)
	if err != nil {
		return nil, err
	}
	if q.Where, err = s.localWhere(ctx, q.Where); err != nil {
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
