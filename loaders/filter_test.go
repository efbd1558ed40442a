package loaders_test

import (
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// What ERPNext's lists can't express is refused before any call, never half done.
func TestWhereThatERPNextCantEvaluate(t *testing.T) {
	t.Parallel()
	line := &doctype.Type{Name: "Line", Key: "Line", Source: doctype.Child}
	item := &doctype.Field{Name: "item", Column: "item"}
	is := func(f *doctype.Field) *criteria.Expr {
		return &criteria.Expr{Cond: &criteria.Cond{Field: f, Op: criteria.Eq, Value: "x"}}
	}
	rows := func(where *criteria.Expr) *criteria.Expr {
		return &criteria.Expr{Rows: &criteria.RowsExpr{Of: line, Where: where, Path: "where.lines"}}
	}
	poNo := order.ByColumn("po_no")
	for name, where := range map[string]*criteria.Expr{
		"a negated group":          {Not: is(poNo)},
		"two or-groups":            {And: []*criteria.Expr{{Or: []*criteria.Expr{is(poNo)}}, {Or: []*criteria.Expr{is(poNo)}}}},
		"two in an alternative":    {Or: []*criteria.Expr{{And: []*criteria.Expr{is(poNo), is(poNo)}}}},
		"an or within or":          {Or: []*criteria.Expr{{Or: []*criteria.Expr{is(poNo)}}}},
		"alternatives of one row":  rows(&criteria.Expr{Or: []*criteria.Expr{is(item)}}),
		"a row that does not":      rows(&criteria.Expr{And: []*criteria.Expr{{Not: is(item)}}}),
		"rows of rows":             rows(rows(is(item))),
		"an unknown comparison":    {Cond: &criteria.Cond{Field: poNo, Op: "sounds", Value: "x"}},
		"rows, alternative of two": {Or: []*criteria.Expr{rows(&criteria.Expr{And: []*criteria.Expr{is(item), is(item)}})}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := &upstream{}
			_, err := newSet(t, u, nil).Page(t.Context(), loaders.PageQuery{Type: order, Where: where, Limit: 1})
			if code := apierror.CodeOf(err); code != apierror.BadUserInput || len(u.lists) > 0 {
				t.Errorf("%v after %d calls, want BAD_USER_INPUT before the first", err, len(u.lists))
			}
		})
	}
}
