package simulator

import (
	"slices"
	"strings"
)

// document is one document apart from its table: its columns and its child rows.
type document struct {
	meta     *docType
	row      *row
	children map[string][]*row // by table field, in the order of idx
	// stored are the values of a single document, which keep the types that they were
	// stored with.
	stored object
}

// document assembles the document of that name, nil if there is none.
func (s *snapshot) document(col *collation, doctype, name string) *document {
	t := s.tables[doctype]
	if t == nil {
		return nil
	}
	r := t.find(col.key(name))
	if r == nil {
		return nil
	}
	return s.assemble(t, r)
}

func (s *snapshot) assemble(t *table, r *row) *document {
	d := &document{meta: t.meta, row: r, children: make(map[string][]*row)}
	for _, f := range t.meta.tables() {
		if child := s.tables[f.Options]; child != nil {
			d.children[f.Name] = childRows(child, t.meta.Name, r.key(), f.Name)
		}
	}
	return d
}

// childRows are the rows of one table field of one document.
func childRows(child *table, parentType, parentKey, parentField string) []*row {
	field, typ, idx := child.meta.column("parentfield"), child.meta.column("parenttype"), child.meta.column("idx")
	var out []*row
	for _, r := range child.children(parentKey) {
		if r.vals[field].s == parentField && r.vals[typ].s == parentType {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b *row) int { return compareValues(a.vals[idx], b.vals[idx]) })
	return out
}

// get returns a column of the document, NULL for one that it lacks.
func (d *document) get(field string) value {
	if i := d.meta.column(field); i >= 0 {
		return d.row.vals[i]
	}
	return value{}
}

// object is the document as the endpoints answer it. With nulls false the members that
// hold NULL are left out, as /api/resource does; levels are the permission levels whose
// fields may be seen, nil for all of them.
func (d *document) object(snap *snapshot, levels map[int]bool, nulls bool) object {
	if d.stored != nil {
		return d.storedObject(levels, nulls)
	}
	out := make(object, 0, len(d.meta.columns)+4)
	out = appendColumns(out, d.meta, d.row, levels, nulls)
	out = append(out, member{"doctype", d.meta.Name})
	for _, f := range d.meta.tables() {
		child := snap.tables[f.Options]
		rows, visible := []object{}, d.children[f.Name]
		if levels != nil && !levels[f.PermLevel] {
			visible = nil
		}
		for _, r := range visible {
			o := appendColumns(make(object, 0, len(child.meta.columns)+1), child.meta, r, levels, nulls)
			rows = append(rows, append(o, member{"doctype", f.Options}))
		}
		out = append(out, member{f.Name, rows})
	}
	return out
}

func (d *document) storedObject(levels map[int]bool, nulls bool) object {
	out := object{}
	for _, m := range d.stored {
		if m.value == nil && !nulls {
			continue
		}
		if f := d.meta.field(m.key); f == nil || levels == nil || levels[f.PermLevel] {
			out = append(out, m)
		}
	}
	return out
}

func appendColumns(out object, meta *docType, r *row, levels map[int]bool, nulls bool) object {
	for i, c := range meta.columns {
		v := r.vals[i]
		if c.field != nil && levels != nil && !levels[c.field.PermLevel] {
			v = value{kind: c.kind} // a hidden number is answered as 0
			if c.kind == text {
				v = value{}
			}
		}
		if v.isNull() && (!nulls || strings.HasPrefix(c.name, "_")) {
			continue
		}
		out = append(out, member{c.name, v})
	}
	return out
}

// newRow makes a row from a JSON object, coercing each value to its column's type.
func (c *collation) newRow(meta *docType, doc object) *row {
	r := &row{vals: make([]value, len(meta.columns))}
	given := make(map[string]any, len(doc))
	for _, m := range doc {
		given[m.key] = m.value
	}
	for i := range meta.columns {
		r.vals[i] = c.coerce(&meta.columns[i], given[meta.columns[i].name])
	}
	return r
}

// coerce turns a JSON value into one of the column's type. Numbers are never NULL: text
// that is none counts as 0, without error.
func (c *collation) coerce(col *column, v any) value {
	switch col.kind {
	case integer:
		return intValue(cint(v))
	case float:
		if v == nil && col.typ == "Duration" {
			return value{} // the one type of number whose column may be NULL
		}
		return floatValue(flt(v))
	}
	switch v := v.(type) {
	case nil:
		return value{}
	case object, []any:
		return c.text(col, string(encodeJSON(v)))
	case bool:
		if v {
			return c.text(col, "1")
		}
		return c.text(col, "0")
	default:
		return c.text(col, cstr(v))
	}
}

// keyedLength bounds the texts that are folded when stored. Longer ones are no names or
// links; sorting them by their first part is what a database's prefix key does too.
const keyedLength = 300

func (c *collation) text(col *column, s string) value {
	v := textValue(s)
	switch {
	case col != nil && col.isTemporal():
		v.key = temporalKey(col.typ, s)
	case len(s) > keyedLength:
		v.key = c.key(strings.ToValidUTF8(s[:keyedLength], ""))
	default:
		v.key = c.key(s)
	}
	return v
}

// isTemporal reports whether the column holds points in time, which compare by time and
// not as text.
func (c *column) isTemporal() bool { return c.typ == "Date" || c.typ == "Datetime" || c.typ == "Time" }

// temporalKey orders points in time, which the wire has in forms of differing width: the
// fraction is left out where it is zero, and the parts of a time of day are not padded.
func temporalKey(typ, s string) string {
	switch typ {
	case "Time":
		return timeOfDayKey(s)
	case "Datetime":
		if t, ok := parseTime(s); ok {
			return t.Format(microLayout)
		}
	case "Date":
		if t, ok := parseTime(s); ok && len(s) > len(dateLayout) {
			return t.Format(microLayout)
		}
	}
	return s
}
