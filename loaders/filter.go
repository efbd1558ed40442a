package loaders

import (
	"context"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/frappe"
)

// naiveLayout is how ERPNext stores and compares a Datetime: in the site's zone,
// without offset, with microseconds.
const naiveLayout = "2006-01-02 15:04:05.000000"

// filters is a where tree as ERPNext's list calls can express it: conditions that all
// hold, and one group of which some holds.
type filters struct {
	and, or []frappe.Filter
	// joins tells that a child table is joined, so that parents come repeated.
	joins bool
}

// upstreamOps maps what has a direct counterpart.
var upstreamOps = map[criteria.Op]frappe.Op{
	criteria.Eq: frappe.OpEq, criteria.Ne: frappe.OpNe, criteria.Gt: frappe.OpGt, criteria.Gte: frappe.OpGte, criteria.Lt: frappe.OpLt, criteria.Lte: frappe.OpLte,
	criteria.In: frappe.OpIn, criteria.NotIn: frappe.OpNotIn, criteria.Like: frappe.OpLike, criteria.NotLike: frappe.OpNotLike,
	criteria.DescendantsOf: frappe.OpDescendantsOf, criteria.NotDescendantsOf: frappe.OpNotDescendantsOf,
	criteria.AncestorsOf: frappe.OpAncestorsOf, criteria.NotAncestorsOf: frappe.OpNotAncestorsOf, criteria.Timespan: frappe.OpTimespan,
}

// filters converts a where tree to ERPNext's filters.
func (s *Set) filters(ctx context.Context, e *criteria.Expr) (filters, error) {
	var out filters
	return out, s.flatten(ctx, e, &out)
}

func (s *Set) flatten(ctx context.Context, e *criteria.Expr, out *filters) error {
	switch {
	case e == nil:
		return nil
	case e.Cond != nil:
		f, err := s.filter(ctx, "", e.Cond)
		out.and = append(out.and, f)
		return err
	case e.Rows != nil:
		return s.flattenRows(ctx, e.Rows, out)
	case e.Not != nil:
		return apierror.New(apierror.BadUserInput, "ERPNext can't negate a group of conditions: use ne, notIn, notLike")
	case len(e.Or) > 0:
		return s.flattenOr(ctx, e.Or, out)
	default:
		for _, kid := range e.And {
			if err := s.flatten(ctx, kid, out); err != nil {
				return err
			}
		}
		return nil
	}
}

// flattenRows adds conditions on a child table's rows. ERPNext joins the table once, so
// they are about the same row.
func (s *Set) flattenRows(ctx context.Context, rows *criteria.RowsExpr, out *filters) error {
	conds, err := allOf(rows.Where, rows.Path)
	if err != nil {
		return err
	}
	out.joins = true
	for _, c := range conds {
		f, err := s.filter(ctx, rows.Of.Key, c)
		if err != nil {
			return err
		}
		out.and = append(out.and, f)
	}
	return nil
}

// allOf gives the conditions of a tree that knows nothing but and.
func allOf(e *criteria.Expr, path string) ([]*criteria.Cond, error) {
	switch {
	case e == nil:
		return nil, nil
	case e.Cond != nil:
		return []*criteria.Cond{e.Cond}, nil
	case len(e.Or) > 0 || e.Not != nil || e.Rows != nil:
		return nil, apierror.New(apierror.BadUserInput, "%s: conditions on child rows can only be combined by and", path).About("", "", path)
	}
	var out []*criteria.Cond
	for _, kid := range e.And {
		conds, err := allOf(kid, path)
		if err != nil {
			return nil, err
		}
		out = append(out, conds...)
	}
	return out, nil
}

// flattenOr adds the one or-group that ERPNext knows: a list of single conditions.
func (s *Set) flattenOr(ctx context.Context, alternatives []*criteria.Expr, out *filters) error {
	if len(out.or) > 0 {
		return apierror.New(apierror.BadUserInput, "ERPNext can evaluate one or-group for each list; this where has several").About("", "", "where.or")
	}
	for _, alt := range alternatives {
		one := filters{}
		if err := s.flatten(ctx, alt, &one); err != nil {
			return err
		}
		if len(one.or) > 0 || len(one.and) != 1 {
			return apierror.New(apierror.BadUserInput,
				"each alternative of or must hold exactly one condition here: ERPNext can't combine conditions inside an alternative").About("", "", "where.or")
		}
		out.or = append(out.or, one.and...)
		out.joins = out.joins || one.joins
	}
	return nil
}

func unknownTimespan(path string) error {
	return apierror.New(apierror.BadUserInput, "%s: is no timespan", path).About("", "", path)
}

// filter converts one condition; child is the child DocType it belongs to, "" for the
// list's own.
func (s *Set) filter(ctx context.Context, child string, c *criteria.Cond) (frappe.Filter, error) {
	f := frappe.Filter{DocType: child, Field: c.Field.Column}
	if c.Op == criteria.IsSet || (c.Value == nil && (c.Op == criteria.Eq || c.Op == criteria.Ne)) {
		f.Op, f.Value = frappe.OpIs, "not set"
		if c.Value == true || (c.Value == nil && c.Op == criteria.Ne) {
			f.Value = "set"
		}
		return f, nil
	}
	var ok bool
	if f.Op, ok = upstreamOps[c.Op]; !ok {
		return f, apierror.New(apierror.BadUserInput, "ERPNext does not know the comparison %s", c.Op).About("", "", c.Path)
	}
	if name, _ := c.Value.(string); c.Op == criteria.Timespan && !criteria.IsTimespan(name) {
		return f, unknownTimespan(c.Path)
	}
	var err error
	f.Value, err = s.upstreamValue(ctx, c.Value)
	return f, err
}

// upstreamValue converts a checked value to what ERPNext compares with.
func (s *Set) upstreamValue(ctx context.Context, v any) (any, error) {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = s.upstreamValue(ctx, v[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case time.Time:
		loc, err := s.cfg.Site.Location(ctx)
		if err != nil {
			return nil, err
		}
		return v.In(loc).Format(naiveLayout), nil
	default:
		return v, nil
	}
}
