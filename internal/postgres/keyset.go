package postgres

import (
	"fmt"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// sortKey is one key of the full order: the client's keys and the id.
type sortKey struct {
	field    *doctype.Field
	ref      string // "t1.status"
	desc     bool
	nullable bool
}

// sortKeys resolves an order and ends it with the id, unless the id is in it already:
// nothing behind a unique key decides. The id goes the way of the key before it, so that
// an index on (start_date, id) serves both directions of an order by startDate.
func sortKeys(s source, order []criteria.Order) ([]sortKey, error) {
	id := keyField(s.typ)
	var keys []sortKey
	for _, o := range order {
		ref, col, err := s.column(o.Field)
		if err != nil {
			return nil, err
		}
		keys = append(keys, sortKey{o.Field, ref, o.Desc, col.nullable})
		if o.Field.Column == id.Column {
			return keys, nil
		}
	}
	ref, _, err := s.column(id)
	if err != nil {
		return nil, err
	}
	last := sortKey{field: id, ref: ref}
	if len(keys) > 0 {
		last.desc = keys[len(keys)-1].desc
	}
	return append(keys, last), nil
}

// orderBy writes the keys, turned round for a backward walk. NULLs are the smallest
// value: first when ascending. Only keys that can be NULL say so, because the words
// keep Postgres from using a plain index.
func (b *builder) orderBy(keys []sortKey, backward bool) {
	b.write(" order by ")
	for i, k := range keys {
		if i > 0 {
			b.write(", ")
		}
		b.write(k.ref)
		switch desc := k.desc != backward; {
		case desc && k.nullable:
			b.write(" desc nulls last")
		case desc:
			b.write(" desc")
		case k.nullable:
			b.write(" nulls first")
		}
	}
}

// cut writes that a row comes behind a position (or, with before, in front of it).
//
// Keys of one direction that hold no NULL compare as a tuple, which an index serves.
// Others are spelt out: a later first key; or the same first key and a later second; and
// so on, with NULL as the smallest value.
func (b *builder) cut(keys []sortKey, p *Position, before bool) error {
	argument := "after"
	if before {
		argument = "before"
	}
	values, err := positionValues(keys, p, argument)
	if err != nil {
		return err
	}
	if len(keys) > 1 && plainTuple(keys) {
		b.tuple(keys, values, before, argument)
		return nil
	}
	b.write("(")
	b.bound(keys[0], values[0], before, argument)
	b.write("(")
	written := false
	for i := range keys {
		if later(keys[i], values[i], before) == never {
			continue
		}
		if written {
			b.write(" or ")
		}
		written = true
		b.write("(")
		for j := range i {
			b.same(keys[j], values[j], argument)
			b.write(" and ")
		}
		b.writeLater(keys[i], values[i], before, argument)
		b.write(")")
	}
	if !written {
		b.write("false")
	}
	b.write("))")
	return nil
}

// bound says of the first key what all alternatives have in common: they are spelt out
// by or, and only with this does Postgres start in an index where the page starts.
func (b *builder) bound(k sortKey, v keyValue, before bool, path string) {
	switch later(k, v, before) {
	case larger:
		b.write(k.ref, " >= ", b.arg(v.text, path), " and ")
	case smaller:
		b.write(k.ref, " <= ", b.arg(v.text, path), " and ")
	}
}

// keyValue is one value of a position.
type keyValue struct {
	text string
	null bool
}

func positionValues(keys []sortKey, p *Position, argument string) ([]keyValue, error) {
	stale := func(cause error) error {
		return apierror.Wrap(apierror.BadUserInput, cause, "%s: is not a cursor of this list", argument).About("", "", argument)
	}
	n := len(keys)
	if last := keys[n-1]; last.field.Kind != doctype.ID || len(p.Values) < n-1 {
		return nil, stale(fmt.Errorf("%d values for %d keys", len(p.Values), n))
	}
	out := make([]keyValue, n)
	for i := range n - 1 {
		s, null, err := decode(p.Values[i])
		if err != nil {
			return nil, stale(err)
		}
		if out[i].null = null; null {
			continue
		}
		if out[i].text, err = text(keys[i].field, s, argument); err != nil {
			return nil, stale(err)
		}
	}
	var err error
	if out[n-1].text, err = text(keys[n-1].field, p.Key, argument); err != nil {
		return nil, stale(err)
	}
	return out, nil
}

func plainTuple(keys []sortKey) bool {
	for _, k := range keys {
		if k.nullable || k.desc != keys[0].desc {
			return false
		}
	}
	return true
}

func (b *builder) tuple(keys []sortKey, values []keyValue, before bool, path string) {
	operator := ") > ("
	if keys[0].desc != before {
		operator = ") < ("
	}
	b.write("(")
	for i, k := range keys {
		if i > 0 {
			b.write(", ")
		}
		b.write(k.ref)
	}
	b.write(operator)
	for i, v := range values {
		if i > 0 {
			b.write(", ")
		}
		b.write(b.arg(v.text, path))
	}
	b.write(")")
}

func (b *builder) same(k sortKey, v keyValue, path string) {
	if v.null {
		b.write(k.ref, " is null")
		return
	}
	b.write(k.ref, " = ", b.arg(v.text, path))
}

// comparison says how a key comes later than a value.
type comparison int

const (
	never         comparison = iota // nothing is smaller than NULL
	notNull                         // all that is larger than NULL
	larger                          // NULLs are not
	smaller                         // of a key that has no NULLs
	smallerOrNull                   // NULLs are smaller than any value
)

func later(k sortKey, v keyValue, before bool) comparison {
	switch down := k.desc != before; {
	case v.null && down:
		return never
	case v.null:
		return notNull
	case !down:
		return larger
	case k.nullable:
		return smallerOrNull
	default:
		return smaller
	}
}

func (b *builder) writeLater(k sortKey, v keyValue, before bool, path string) {
	switch later(k, v, before) {
	case never:
		b.write("false")
	case notNull:
		b.write(k.ref, " is not null")
	case larger:
		b.write(k.ref, " > ", b.arg(v.text, path))
	case smaller:
		b.write(k.ref, " < ", b.arg(v.text, path))
	case smallerOrNull:
		b.write("(", k.ref, " < ", b.arg(v.text, path), " or ", k.ref, " is null)")
	}
}
