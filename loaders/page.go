package loaders

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

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
	Where *Expr
	Order []Order // the client's order; the docname (or id) is the last key always
	Limit int
	// After is exclusive. Backward walks from the end (or from After) to the start.
	After    *Position
	Backward bool
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
	s.store(q.Type).add(page.Rows)
	return page, nil
}

func orderColumns(order []Order) []string {
	out := make([]string, len(order))
	for i, o := range order {
		out[i] = o.Field.Column
	}
	return out
}

// key is one order key of a walk.
type key struct {
	column string
	kind   doctype.Kind
	desc   bool
	null   bool // may hold NULL
}

func (k key) text() bool {
	switch k.kind {
	case doctype.Int, doctype.Float, doctype.Decimal, doctype.Boolean, doctype.Duration, doctype.Rating,
		doctype.Date, doctype.DateTime, doctype.Time:
		return false
	default:
		return true
	}
}

// segment is one range of a list, in the walk's order.
type segment struct {
	filters []frappe.Filter
	order   []frappe.Order
	// keep drops rows that ERPNext's filters can't tell apart from those wanted.
	keep func(*Row) bool
}

func walkKeys(q PageQuery) []key {
	var keys []key
	for _, o := range q.Order {
		keys = append(keys, key{o.Field.Column, o.Field.Kind, o.Desc != q.Backward, o.Field.Nullable})
		if o.Field.Column == "name" {
			return keys // unique: nothing after it decides
		}
	}
	return append(keys, key{"name", doctype.String, q.Backward, false})
}

// segments cuts what comes after a position into ranges. Without a position it is the
// whole list. For keys a, b, name it is: same a and b, later name; same a, later b;
// later a.
func segments(q PageQuery) []segment {
	keys := walkKeys(q)
	if q.After == nil {
		return []segment{{order: orderBy(keys)}}
	}
	values := append(slices.Clone(q.After.Values[:min(len(keys)-1, len(q.After.Values))]), quote(q.After.Key))
	for len(values) < len(keys) {
		values = append(values, jsontext.Value("null"))
	}
	ties := q.After.TiesNext
	if q.Backward {
		ties = q.After.TiesPrev
	}
	if ties < 0 || ties > len(keys)-1 {
		ties = len(keys) - 1
	}
	var out []segment
	for at := ties; at >= 0; at-- {
		var same []frappe.Filter
		var keep func(*Row) bool
		walk := slices.Clone(keys)
		for i := range at {
			f, k := equal(keys[i], values[i])
			same, keep = append(same, f...), both(keep, k)
			if k != nil {
				// The rows to keep have NULL here, where this key does not order. Ascending
				// brings them before those to drop, which else would fill the page.
				walk[i].desc = false
			}
		}
		for _, later := range after(walk, at, values[at]) {
			later.filters = append(slices.Clone(same), later.filters...)
			later.keep = both(keep, later.keep)
			out = append(out, later)
		}
	}
	return out
}

func both(a, b func(*Row) bool) func(*Row) bool {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	default:
		return func(r *Row) bool { return a(r) && b(r) }
	}
}

// equal is the condition that a key has the value v.
//
// MariaDB orders NULL before the empty text, while ERPNext's filters take both as not
// set; only its like leaves NULL out. That is enough to tell them apart.
func equal(k key, v jsontext.Value) ([]frappe.Filter, func(*Row) bool) {
	switch {
	case isNull(v) && k.text():
		return []frappe.Filter{notSet(k)}, func(r *Row) bool { return isNull(r.Raw(k.column)) }
	case isNull(v):
		return []frappe.Filter{notSet(k)}, nil
	case k.text() && textOf(v) == "":
		return []frappe.Filter{notSet(k), notNull(k)}, nil
	default:
		return []frappe.Filter{{Field: k.column, Op: frappe.OpEq, Value: filterValue(k, v)}}, nil
	}
}

// after are the ranges in which keys[at] comes later than v, in order.
func after(keys []key, at int, v jsontext.Value) []segment {
	k, order := keys[at], orderBy(keys)
	one := func(f ...frappe.Filter) []segment { return []segment{{filters: f, order: order}} }
	empty := k.text() && !isNull(v) && textOf(v) == ""
	switch {
	case !k.desc && isNull(v) && k.text():
		return one(notNull(k))
	case !k.desc && (isNull(v) || empty):
		return one(frappe.Filter{Field: k.column, Op: frappe.OpIs, Value: "set"})
	case !k.desc:
		return one(frappe.Filter{Field: k.column, Op: frappe.OpGt, Value: filterValue(k, v)})
	case isNull(v):
		return nil // NULL is the last of a descending order
	case empty:
		if !k.null {
			return nil
		}
		// Ascending brings the NULLs first; among them this key does not order.
		asc := slices.Clone(keys)
		asc[at].desc = false
		return []segment{{
			filters: []frappe.Filter{notSet(k)},
			order:   orderBy(asc),
			keep:    func(r *Row) bool { return isNull(r.Raw(k.column)) },
		}}
	default:
		// On text and dates ERPNext's < takes NULL for the smallest value: wanted here.
		return one(frappe.Filter{Field: k.column, Op: frappe.OpLt, Value: filterValue(k, v)})
	}
}

func notSet(k key) frappe.Filter {
	return frappe.Filter{Field: k.column, Op: frappe.OpIs, Value: "not set"}
}

func notNull(k key) frappe.Filter {
	return frappe.Filter{Field: k.column, Op: frappe.OpLike, Value: "%"}
}

func isNull(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

func quote(s string) jsontext.Value {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return jsontext.Value(strconv.Quote(s))
	}
	return b
}

// filterValue is a raw value as a filter takes it.
func filterValue(k key, v jsontext.Value) any {
	if k.text() || v.Kind() == '"' {
		return textOf(v)
	}
	return json.Number(v)
}

func orderBy(keys []key) []frappe.Order {
	out := make([]frappe.Order, len(keys))
	for i, k := range keys {
		out[i] = frappe.Order{Field: k.column, Desc: k.desc}
	}
	return out
}

// Position is the position of row i of the page in an order.
func (p *Page) Position(order []Order, i int) *Position {
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
// beyond ASCII always may: its collation knows more equal pairs than we do.
func ties(order []Order, a, b *Row) int {
	for i, o := range order {
		x, y := textOf(a.Raw(o.Field.Column)), textOf(b.Raw(o.Field.Column))
		if x != y && Fold(x) != Fold(y) && isASCII(x) && isASCII(y) {
			return i
		}
	}
	return len(order)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Count counts what a where matches among the rows that the caller may read.
func (s *Set) Count(ctx context.Context, t *doctype.Type, where *Expr) (int64, error) {
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
	if err == nil {
		s.vouched()
	}
	return n, err
}
