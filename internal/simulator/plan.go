package simulator

import (
	"math"
	"slices"
)

// A list without order_by comes in whatever order the database finds the rows, and
// clients that forget to order see just that. So the scan chooses its path as MariaDB
// would: an index that holds all columns of the query beats the clustered index, and
// among those the shortest wins.

// keyIndex is an index of a table.
type keyIndex struct {
	columns []int
	bytes   int
}

// compositeIndexes are those that some DocTypes make in code, by DocType.
var compositeIndexes = map[string][][]string{
	"Bin":                 {{"item_code", "warehouse"}},
	"Comment":             {{"reference_doctype", "reference_name"}},
	"DocShare":            {{"user", "share_doctype"}, {"share_doctype", "share_name"}},
	"Dynamic Link":        {{"link_doctype", "link_name"}},
	"File":                {{"attached_to_doctype", "attached_to_name"}},
	"Purchase Order Item": {{"item_code", "warehouse"}},
	"Sales Order Item":    {{"item_code", "warehouse"}},
	"ToDo":                {{"reference_type", "reference_name"}},
}

// keyIndexes are the indexes of a DocType's table, in the order of their making.
func (d *docType) keyIndexes() []keyIndex {
	var out []keyIndex
	add := func(names ...string) {
		k := keyIndex{}
		for _, name := range names {
			i := d.column(name)
			if i < 0 {
				return
			}
			k.columns = append(k.columns, i)
			k.bytes += d.columns[i].keyBytes()
		}
		out = append(out, k)
	}
	for i := range d.Fields {
		if f := &d.Fields[i]; bool(f.Unique) && f.hasColumn() {
			add(f.Name)
		}
	}
	for i := range d.Fields {
		if f := &d.Fields[i]; bool(f.Index) && !bool(f.Unique) && f.hasColumn() {
			add(f.Name)
		}
	}
	if d.IsTable {
		add("parent")
	} else {
		add("modified")
	}
	for _, names := range compositeIndexes[d.Name] {
		add(names...)
	}
	return out
}

// keyBytes is the column's length in an index.
func (c *column) keyBytes() int {
	switch {
	case c.typ == "Check":
		return 1
	case c.typ == "Date":
		return 4
	case c.typ == "Datetime":
		return 9
	case c.kind == integer:
		return 4
	case c.kind == float:
		return 10
	case c.field != nil && c.field.Length > 0:
		return 4*c.field.Length + 3
	default:
		return 4*140 + 3
	}
}

// used notes that the permission filter looks at a column.
func (qr *query) used(ref reference) { qr.permissionColumns = append(qr.permissionColumns, ref.column) }

// columnsUsed are the columns of the first table that the query touches.
func (qr *query) columnsUsed() []int {
	out := slices.Clone(qr.permissionColumns)
	add := func(ref reference) {
		if ref.source == 0 {
			out = append(out, ref.column)
		}
	}
	for _, it := range qr.items {
		if !it.star {
			add(it.ref)
		}
	}
	for _, c := range qr.where {
		add(c.ref)
	}
	for _, c := range qr.anyOf {
		add(c.ref)
	}
	for _, ref := range qr.group {
		add(ref)
	}
	for _, o := range qr.order {
		add(o.ref)
	}
	for _, s := range qr.sources[1:] {
		if !s.child {
			out = append(out, s.link)
		}
	}
	return out
}

// covering is the shortest index that holds all columns of the query, -1 for none. An
// index on which a condition can be looked up is taken first.
func (qr *query) covering() int {
	used := qr.columnsUsed()
	best, bytes := -1, math.MaxInt
	for _, k := range qr.meta.keyIndexes() {
		if slices.ContainsFunc(used, func(c int) bool { return c != 0 && !slices.Contains(k.columns, c) }) {
			continue
		}
		size := k.bytes
		if slices.ContainsFunc(qr.where, func(c *condition) bool {
			return c.ref.source == 0 && c.ref.column == k.columns[0] && c.fallback == nil
		}) {
			size -= 1 << 16
		}
		if size < bytes {
			best, bytes = k.columns[0], size
		}
	}
	return best
}

// scan yields the tuples to begin with: candidates of the first table, or of a child
// table that a condition narrows down better.
func (qr *query) scan() []tuple {
	if rows, ok := qr.lookup(); ok {
		return qr.tuples(rows)
	}
	if t, ok := qr.scanChild(); ok {
		return t
	}
	t := qr.sources[0].table
	if col := qr.covering(); col >= 0 {
		return qr.tuples(t.index(col))
	}
	return qr.tuples(t.rows)
}

func (qr *query) tuples(rows []*row) []tuple {
	out := make([]tuple, len(rows))
	n := len(qr.sources)
	backing := make([]*row, n*len(rows))
	for i, r := range rows {
		out[i] = backing[i*n : (i+1)*n : (i+1)*n]
		out[i][0] = r
	}
	return out
}

// lookup narrows the first table down by a condition on its name, or on any column by
// value: those need no scan.
func (qr *query) lookup() ([]*row, bool) {
	t := qr.sources[0].table
	var best []*row
	found := false
	for _, c := range qr.where {
		if c.ref.source != 0 || c.fallback != nil || c.op != "=" && c.op != "in" ||
			t.meta.columns[c.ref.column].kind != text || slices.ContainsFunc(c.val, func(v value) bool { return v.kind != text || v.key == "" }) {
			continue
		}
		rows := qr.rowsOf(t, c)
		if !found || len(rows) < len(best) {
			best, found = rows, true
		}
	}
	return best, found
}

// rowsOf are the rows that satisfy an equality or a list, in the order of names, or in
// the order of the index that covers the query.
func (qr *query) rowsOf(t *table, c *condition) []*row {
	var out []*row
	keys := make([]string, 0, len(c.set))
	for k := range c.set {
		keys = append(keys, k)
	}
	if c.op == "=" {
		keys = []string{c.val[0].key}
	}
	slices.Sort(keys)
	for _, k := range keys {
		switch {
		case c.ref.column == 0:
			if r := t.find(k); r != nil {
				out = append(out, r)
			}
		case bool(t.meta.IsTable) && t.meta.columns[c.ref.column].name == "parent":
			out = append(out, t.children(k)...)
		default:
			out = append(out, t.equal(c.ref.column, value{kind: text, key: k})...)
		}
	}
	if c.ref.column != 0 && len(keys) > 1 && qr.covering() != c.ref.column {
		sortRows(out)
	}
	return out
}

// scanChild begins with a child table when an indexed column of it must hold one value.
func (qr *query) scanChild() ([]tuple, bool) {
	for src := 1; src < len(qr.sources); src++ {
		s := qr.sources[src]
		if !s.child {
			continue
		}
		for _, c := range qr.where {
			if c.ref.source != src || c.op != "=" || c.fallback != nil || c.val[0].kind != text || c.val[0].key == "" ||
				!slices.ContainsFunc(s.table.meta.keyIndexes(), func(k keyIndex) bool { return k.columns[0] == c.ref.column }) {
				continue
			}
			return qr.fromChild(src, s.table.equal(c.ref.column, c.val[0])), true
		}
	}
	return nil, false
}

func (qr *query) fromChild(src int, rows []*row) []tuple {
	m := qr.sources[src].table.meta
	parent, typ := m.column("parent"), m.column("parenttype")
	out := make([]tuple, 0, len(rows))
	for _, r := range rows {
		if r.vals[typ].s != qr.meta.Name {
			continue
		}
		if p := qr.sources[0].table.find(r.vals[parent].key); p != nil {
			t := make(tuple, len(qr.sources))
			t[0], t[src] = p, r
			out = append(out, t)
		}
	}
	return out
}
