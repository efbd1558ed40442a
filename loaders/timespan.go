package loaders

import (
	"context"
	"time"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// localWhere makes a where tree fit for the database. A timespan, which ERPNext evaluates
// for its own lists, becomes the days from its first to its last in the site's calendar,
// so that it means the same on both sides. Conditions on rows of another type see only
// the rows that the caller may see.
func (s *Set) localWhere(ctx context.Context, e *criteria.Expr) (*criteria.Expr, error) {
	if e == nil {
		return nil, nil
	}
	out := *e
	var err error
	if out.And, err = s.localWheres(ctx, e.And); err != nil {
		return nil, err
	}
	if out.Or, err = s.localWheres(ctx, e.Or); err != nil {
		return nil, err
	}
	if out.Not, err = s.localWhere(ctx, e.Not); err != nil {
		return nil, err
	}
	if e.Rows != nil {
		rows := *e.Rows
		if rows.Where, err = s.localWhere(ctx, rows.Where); err != nil {
			return nil, err
		}
		if rows.Where, err = s.rowsWhere(ctx, e.Rows, rows.Where); err != nil {
			return nil, err
		}
		out.Rows = &rows
	}
	if e.Cond != nil && e.Cond.Op == criteria.Timespan {
		return s.span(ctx, e.Cond)
	}
	return &out, nil
}

func (s *Set) localWheres(ctx context.Context, list []*criteria.Expr) ([]*criteria.Expr, error) {
	var out []*criteria.Expr
	for _, e := range list {
		kid, err := s.localWhere(ctx, e)
		if err != nil {
			return nil, err
		}
		out = append(out, kid)
	}
	return out, nil
}

// span is a timespan as two comparisons.
func (s *Set) span(ctx context.Context, c *criteria.Cond) (*criteria.Expr, error) {
	loc, err := s.cfg.Site.Location(ctx)
	if err != nil {
		return nil, err
	}
	name, _ := c.Value.(string)
	first, last, ok := criteria.SpanOf(name, s.cfg.Now().In(loc))
	if !ok {
		return nil, unknownTimespan(c.Path)
	}
	bound := func(op criteria.Op, v any) *criteria.Expr {
		return &criteria.Expr{Cond: &criteria.Cond{Field: c.Field, Op: op, Value: v, Path: c.Path}}
	}
	if c.Field.Kind != doctype.DateTime {
		return &criteria.Expr{And: []*criteria.Expr{
			bound(criteria.Gte, first.Format(time.DateOnly)), bound(criteria.Lte, last.Format(time.DateOnly)),
		}}, nil
	}
	midnight := func(day time.Time) time.Time {
		return time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, loc)
	}
	return &criteria.Expr{And: []*criteria.Expr{
		bound(criteria.Gte, midnight(first)), bound(criteria.Lt, midnight(last.AddDate(0, 0, 1))),
	}}, nil
}
