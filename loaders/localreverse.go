package loaders

import (
	"context"
	"fmt"
	"strings"

	"erpgraph/internal/criteria"
	"erpgraph/internal/postgres"
)

// localReverse reads the pages of all parents in one statement.
func (s *Set) localReverse(ctx context.Context, q ReverseQuery) (map[string]*Page, error) {
	out := make(map[string]*Page, len(q.Parents))
	for _, parent := range q.Parents {
		out[parent] = &Page{}
	}
	db, query, err := s.localReverseQuery(ctx, q)
	if err != nil {
		return nil, err
	}
	stamp := s.stamp(q.From)
	table, err := db.RowsByParent(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", q.From.Name, err)
	}
	byParent := make([][]*Row, len(query.Parents))
	for i, row := range localRows(q.From, &table.Table) {
		byParent[table.Parent[i]] = append(byParent[table.Parent[i]], row)
	}
	for i, parent := range query.Parents {
		out[parent] = pageInOrder(byParent[i], q.Limit, q.Backward)
		s.store(q.From).add(out[parent].Rows, stamp)
		s.shown(q.From, out[parent].Rows)
	}
	return out, nil
}

// localReverseCounts counts the rows of all parents in one statement.
func (s *Set) localReverseCounts(ctx context.Context, q ReverseQuery) (map[string]int64, error) {
	out := make(map[string]int64, len(q.Parents))
	for _, parent := range q.Parents {
		out[parent] = 0
	}
	db, query, err := s.localReverseQuery(ctx, q)
	if err != nil {
		return nil, err
	}
	counts, err := db.CountByParent(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", q.From.Name, err)
	}
	for i, parent := range query.Parents {
		out[parent] = counts[i]
	}
	return out, nil
}

// localReverseQuery asks for the rows that the caller may see. Where they are read
// through the link itself, those are the rows of the parents that he may read; else the
// rows within his reach.
func (s *Set) localReverseQuery(ctx context.Context, q ReverseQuery) (Local, postgres.ReverseQuery, error) {
	db, err := s.local(ctx, q.From)
	if err != nil {
		return nil, postgres.ReverseQuery{}, err
	}
	where, err := s.localWhere(ctx, q.Where)
	if err == nil {
		if q.throughLink() {
			q.Parents, err = s.visibleParents(ctx, q.To, q.Parents)
		} else {
			where, err = s.narrowReverse(ctx, q, where)
		}
	}
	if err != nil {
		return nil, postgres.ReverseQuery{}, err
	}
	query := s.localQuery(PageQuery{
		Type: q.From, Where: where, Order: q.Order, Limit: q.Limit, After: q.After, Backward: q.Backward,
	})
	return db, postgres.ReverseQuery{Query: query, ParentField: q.From.ByColumn(q.Link.Field), Parents: q.Parents}, nil
}

// narrowReverse is narrow for the rows of the parents: no more documents are asked about
// than theirs lead to.
func (s *Set) narrowReverse(ctx context.Context, q ReverseQuery, where *criteria.Expr) (*criteria.Expr, error) {
	if !guarded(q.From) {
		return s.narrow(ctx, q.From, where, reachKey{})
	}
	theirs := &criteria.Expr{And: append(whereOf(where), &criteria.Expr{Cond: &criteria.Cond{
		Field: q.From.ByColumn(q.Link.Field), Op: criteria.In, Value: anys(q.Parents), Path: q.Link.Name,
	}})}
	return s.narrow(ctx, q.From, theirs, reachKey{
		typ: q.From, where: q.Where, link: q.Link, parents: strings.Join(q.Parents, "\x00"),
	})
}
