package loaders

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// Position is a place in an ordered list: the order keys and the docname (or id) of a
// row, and how many leading keys the neighbours share with it. Cursors carry it.
type Position struct {
	// Values are the raw JSON values of the order keys, in their order.
	Values []jsontext.Value
	// Key is the docname or id: the last key of every order.
	Key string
	// TiesNext and TiesPrev count the leading keys that the next and the previous row
	// had in common with this one; -1 when there was none to compare with. Rows that
	// tie are only looked for where there were any.
	TiesNext, TiesPrev int
}

// PageQuery asks for one page of a list.
type PageQuery struct {
	Type  *doctype.Type
	Where *criteria.Expr
	Order []criteria.Order // the client's order; the docname (or id) is the last key always
	Limit int
	// After is exclusive. Backward walks from the end (or from After) to the start.
	After    *Position
	Backward bool
	// Untyped tells that nothing is known of the fields of Order but their names.
	Untyped bool
}

// Page is a page of a list, always in list order.
type Page struct {
	Rows []*Row
	// More tells that there are rows beyond, in the walk's direction.
	More bool

	peek     *Row // the first row beyond
	backward bool
}

// NewPage makes a page of the rows that a walk came upon, one more than limit where
// there are more.
func NewPage(walked []*Row, limit int, backward bool) *Page {
	p := &Page{Rows: walked, backward: backward}
	if len(walked) > limit {
		p.Rows, p.peek, p.More = walked[:limit:limit], walked[limit], true
	}
	if backward {
		slices.Reverse(p.Rows)
	}
	return p
}

// Page reads one page.
//
// Upstream it is one call, or where the cursor's row ties with its neighbour in some
// order keys, one more for each such key: ERPNext can't compare tuples, so "after
// this row" is cut into ranges that it can express ("same date, later name"; "later
// date"), read in order until the page is full.
func (s *Set) Page(ctx context.Context, q PageQuery) (*Page, error) {
	if q.Type.Source == doctype.Local {
		return s.localPage(ctx, q)
	}
	base, err := s.filters(ctx, q.Where)
	if err != nil {
		return nil, err
	}
	var rows []*Row
	stamp := s.stamp(q.Type)
	for _, seg := range segments(q) {
		list := frappe.ListQuery{
			DocType: q.Type.Key,
			Columns: plain(s.selected(q.Type, orderColumns(q.Order)...)),
			Filters: append(slices.Clone(base.and), seg.filters...), OrFilters: base.or,
			OrderBy: seg.order,
			Limit:   q.Limit + 1 - len(rows),
		}
		if base.joins {
			list.GroupBy = []frappe.Column{{Field: "name"}}
		}
		table, err := s.list(ctx, q.Type, list)
		if err != nil {
			return nil, err
		}
		for _, row := range rowsOf(q.Type, table) {
			if seg.keep == nil || seg.keep(row) {
				rows = append(rows, row)
			}
		}
		if len(rows) > q.Limit {
			break
		}
	}
	page := NewPage(rows, q.Limit, q.Backward)
	s.store(q.Type).add(page.Rows, stamp)
	return page, nil
}

func orderColumns(order []criteria.Order) []string {
	out := make([]string, len(order))
	for i, o := range order {
		out[i] = o.Field.Column
	}
	return out
}

// Position is the position of row i of the page in an order.
func (p *Page) Position(order []criteria.Order, i int) *Position {
	row := p.Rows[i]
	out := &Position{Key: row.Key, TiesNext: -1, TiesPrev: -1}
	for _, o := range order {
		v := row.Raw(o.Field.Column)
		if v == nil {
			v = jsontext.Value("null")
		}
		out.Values = append(out.Values, v)
	}
	prev, next := p.neighbours(i)
	if next != nil {
		out.TiesNext = ties(order, row, next)
	}
	if prev != nil {
		out.TiesPrev = ties(order, row, prev)
	}
	return out
}

func (p *Page) neighbours(i int) (prev, next *Row) {
	switch {
	case i > 0:
		prev = p.Rows[i-1]
	case p.backward:
		prev = p.peek
	}
	switch {
	case i+1 < len(p.Rows):
		next = p.Rows[i+1]
	case !p.backward:
		next = p.peek
	}
	return prev, next
}

// ties counts the leading order keys in which two rows may be equal for MariaDB. Texts
// beyond printable ASCII always may: its collation knows more equal pairs than we do, and
// passes over control characters.
func ties(order []criteria.Order, a, b *Row) int {
	for i, o := range order {
		x, y := textOf(a.Raw(o.Field.Column)), textOf(b.Raw(o.Field.Column))
		if x != y && Fold(x) != Fold(y) && isPrintable(x) && isPrintable(y) {
			return i
		}
	}
	return len(order)
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Count counts what a where matches among the rows that the caller may read.
func (s *Set) Count(ctx context.Context, t *doctype.Type, where *criteria.Expr) (int64, error) {
	if t.Source == doctype.Local {
		return s.localCount(ctx, t, where)
	}
	f, err := s.filters(ctx, where)
	if err != nil {
		return 0, err
	}
	if err := s.spend(); err != nil {
		return 0, err
	}
	n, err := s.cfg.Upstream.Count(ctx, s.cred, t.Key, f.and, f.or, f.joins)
	s.heard(err)
	return n, err
}
