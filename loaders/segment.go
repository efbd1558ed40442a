package loaders

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// key is one order key of a walk.
type key struct {
	column string
	kind   doctype.Kind
	desc   bool
	null   bool // may hold NULL
	// untyped keys may be of any kind: only filters that fit all of them are used.
	untyped bool
}

// text tells whether NULL and an empty value are two things that ERPNext's filters take
// for one: texts, and of the numbers Duration and Rating, whose columns may be NULL.
func (k key) text() bool {
	switch k.kind {
	case doctype.Int, doctype.Float, doctype.Decimal, doctype.Boolean, doctype.Date, doctype.DateTime, doctype.Time:
		return false
	default:
		return true
	}
}

// empty tells whether v is the value that ERPNext's "not set" takes with NULL.
func (k key) empty(v jsontext.Value) bool {
	if !k.text() || isNull(v) {
		return false
	}
	if k.kind == doctype.Duration || k.kind == doctype.Rating {
		return number(v) == 0
	}
	return textOf(v) == ""
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
		keys = append(keys, key{
			column: o.Field.Column, kind: o.Field.Kind, desc: o.Desc != q.Backward, null: o.Field.Nullable, untyped: q.Untyped,
		})
		if o.Field.Column == "name" {
			return keys // unique: nothing after it decides
		}
	}
	return append(keys, key{column: "name", kind: doctype.String, desc: q.Backward})
}

// segments cuts what comes after a position into ranges. Without a position it is the
// whole list. For keys a, b, name it is: same a and b, later name; same a, later b;
// later a.
func segments(q PageQuery) []segment {
	keys := walkKeys(q)
	if q.After == nil {
		return []segment{{order: orderBy(keys)}}
	}
	values := slices.Clone(q.After.Values[:min(len(keys)-1, len(q.After.Values))])
	for len(values) < len(keys)-1 {
		values = append(values, jsontext.Value("null"))
	}
	values = append(values, quote(q.After.Key))
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
				// The rows to keep are equal here, so this key is free to bring them before
				// those to drop, which else would fill the page: NULL is the smallest.
				walk[i].desc = !isNull(values[i])
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
	case k.untyped && v.Kind() == '0':
		return []frappe.Filter{{Field: k.column, Op: frappe.OpEq, Value: filterValue(k, v)}}, func(r *Row) bool { return !isNull(r.Raw(k.column)) }
	case k.empty(v) && k.untyped: // dates refuse like
		return []frappe.Filter{notSet(k)}, func(r *Row) bool { return !isNull(r.Raw(k.column)) }
	case k.empty(v):
		return []frappe.Filter{notSet(k), notNull(k)}, nil
	default:
		return []frappe.Filter{{Field: k.column, Op: frappe.OpEq, Value: filterValue(k, v)}}, nil
	}
}

// after are the ranges in which keys[at] comes later than v, in order.
func after(keys []key, at int, v jsontext.Value) []segment {
	k, order := keys[at], orderBy(keys)
	one := func(f ...frappe.Filter) []segment { return []segment{{filters: f, order: order}} }
	empty := k.empty(v)
	if k.untyped && (isNull(v) || v.Kind() == '0') {
		return afterUntyped(keys, at, v)
	}
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

// afterUntyped is after for NULL and numbers of a key of any kind. Its NULLs, and the
// empty texts or zeros that ERPNext's filters take for the same, are ranges of their own.
func afterUntyped(keys []key, at int, v jsontext.Value) []segment {
	k := keys[at]
	notSets := func(null bool) segment {
		walk := slices.Clone(keys)
		walk[at].desc = !null
		return segment{
			filters: []frappe.Filter{notSet(k)}, order: orderBy(walk),
			keep: func(r *Row) bool { return isNull(r.Raw(k.column)) == null },
		}
	}
	others := segment{order: orderBy(keys), keep: func(r *Row) bool { return !isNull(r.Raw(k.column)) }}
	switch {
	case isNull(v) && k.desc:
		return nil
	case isNull(v):
		others.filters = []frappe.Filter{{Field: k.column, Op: frappe.OpIs, Value: frappe.IsSet}}
		return []segment{notSets(false), others}
	case k.desc:
		others.filters = []frappe.Filter{{Field: k.column, Op: frappe.OpLt, Value: filterValue(k, v)}}
		return []segment{others, notSets(true)}
	default:
		others.filters = []frappe.Filter{{Field: k.column, Op: frappe.OpGt, Value: filterValue(k, v)}}
		return []segment{others}
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
	if v.Kind() == '"' || k.text() && !k.untyped {
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
