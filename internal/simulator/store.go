package simulator

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
)

// snapshot is all the data at one moment. It is never changed: a writer builds the next
// one with the changed tables replaced and stores it in the server's pointer.
type snapshot struct {
	tables  map[string]*table   // by DocType
	singles map[string]object   // values of single DocTypes
	users   map[string]*account // by name
	keys    map[string]*account // by API key
	bearers map[string]*account // by bearer token
	files   map[string]*blob    // contents by file_url

	passwords map[string]string     // secrets by DocType and name
	webhooks  map[string][]*webhook // those that are enabled, by DocType; replaced as a whole
}

// table holds the rows of one DocType, child tables included, in the order of their
// names: the order of InnoDB's clustered index.
type table struct {
	meta    *docType
	rows    []*row
	indexes *indexes
}

// row is one row; vals stand in the order of meta.columns. Rows are never changed.
type row struct {
	vals []value
}

func (r *row) name() string { return r.vals[0].s }
func (r *row) key() string  { return r.vals[0].key }

// indexes are what a table builds when it is first asked for.
type indexes struct {
	mu     sync.Mutex
	sorted map[int][]*row
	// byParent is shared with the tables that are made of this one, and never changed; moved
	// are the parents whose rows are others here.
	byParent, moved map[string][]*row
}

func newTable(meta *docType, rows []*row) *table {
	return &table{meta: meta, rows: rows, indexes: &indexes{sorted: make(map[int][]*row)}}
}

// find returns the row of that name under the collation's notion of equality, or nil.
func (t *table) find(key string) *row {
	if i, ok := t.search(key); ok {
		return t.rows[i]
	}
	return nil
}

func (t *table) search(key string) (int, bool) {
	return sort.Find(len(t.rows), func(i int) int { return strings.Compare(key, t.rows[i].key()) })
}

// index returns the rows in the order of a column, then of the name.
func (t *table) index(col int) []*row {
	t.indexes.mu.Lock()
	defer t.indexes.mu.Unlock()
	rows, ok := t.indexes.sorted[col]
	if !ok {
		rows = slices.Clone(t.rows)
		slices.SortStableFunc(rows, func(a, b *row) int { return compareValues(a.vals[col], b.vals[col]) })
		t.indexes.sorted[col] = rows
	}
	return rows
}

// equal returns the rows whose column holds that value, in the order of their names.
func (t *table) equal(col int, v value) []*row {
	rows := t.index(col)
	lo := sort.Search(len(rows), func(i int) bool { return compareValues(rows[i].vals[col], v) >= 0 })
	hi := lo
	for hi < len(rows) && compareValues(rows[hi].vals[col], v) == 0 {
		hi++
	}
	return rows[lo:hi]
}

// holding yields the rows whose column holds that value, without building an index:
// writes make a new table each time, for which one would be used but once.
func (t *table) holding(col int, v value) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		for _, r := range t.rows {
			if compareValues(r.vals[col], v) == 0 && !yield(r) {
				return
			}
		}
	}
}

// children returns the rows of a child table that belong to a parent, in the order of
// their own names. Parents of two DocTypes may share a name.
func (t *table) children(parentKey string) []*row {
	t.indexes.mu.Lock()
	defer t.indexes.mu.Unlock()
	if t.indexes.byParent == nil {
		col := t.meta.column("parent")
		t.indexes.byParent = make(map[string][]*row)
		for _, r := range t.rows {
			k := r.vals[col].key
			t.indexes.byParent[k] = append(t.indexes.byParent[k], r)
		}
	}
	return t.indexes.children(parentKey)
}

func (x *indexes) children(parentKey string) []*row {
	if rows, ok := x.moved[parentKey]; ok {
		return rows
	}
	return x.byParent[parentKey]
}

// maxMoved bounds what a table may differ by from the index that it shares.
const maxMoved = 256

// rowChange is a row that went, or came, or took the place of one.
type rowChange struct{ gone, come *row }

// inherit hands the index by parent on to the table that was made of this one, so that a
// write need not look at all rows.
func (t *table) inherit(next *table, changes []rowChange) *table {
	t.indexes.mu.Lock()
	defer t.indexes.mu.Unlock()
	if t.indexes.byParent == nil || len(t.indexes.moved)+len(changes) > maxMoved {
		return next
	}
	x := &indexes{byParent: t.indexes.byParent, moved: maps.Clone(t.indexes.moved), sorted: make(map[int][]*row)}
	if x.moved == nil {
		x.moved = make(map[string][]*row)
	}
	col := t.meta.column("parent")
	for _, c := range changes {
		if r := c.gone; r != nil {
			k := r.vals[col].key
			x.moved[k] = slices.DeleteFunc(slices.Clone(x.children(k)), func(o *row) bool { return o == r })
		}
		if r := c.come; r != nil {
			k := r.vals[col].key
			list := x.children(k)
			i := sort.Search(len(list), func(i int) bool { return list[i].key() >= r.key() })
			x.moved[k] = slices.Insert(slices.Clone(list), i, r)
		}
	}
	next.indexes = x
	return next
}

// with returns the table with rows put in, replacing those of the same name.
func (t *table) with(rows ...*row) *table {
	out := slices.Clone(t.rows)
	if len(rows) > 64 {
		out = append(out, rows...)
		sortRows(out)
		return newTable(t.meta, compactRows(out))
	}
	changes := make([]rowChange, 0, len(rows))
	for _, r := range rows {
		i, ok := sort.Find(len(out), func(i int) int { return strings.Compare(r.key(), out[i].key()) })
		if ok {
			changes = append(changes, rowChange{out[i], r})
			out[i] = r
		} else {
			changes = append(changes, rowChange{come: r})
			out = slices.Insert(out, i, r)
		}
	}
	return t.inherit(newTable(t.meta, out), changes)
}

// without returns the table less the rows that match.
func (t *table) without(match func(*row) bool) *table {
	var gone []rowChange
	kept := make([]*row, 0, len(t.rows))
	for _, r := range t.rows {
		if match(r) {
			gone = append(gone, rowChange{gone: r})
		} else {
			kept = append(kept, r)
		}
	}
	return t.inherit(newTable(t.meta, kept), gone)
}

func sortRows(rows []*row) {
	slices.SortStableFunc(rows, func(a, b *row) int { return cmp.Compare(a.key(), b.key()) })
}

// compactRows keeps the last of rows with the same name.
func compactRows(rows []*row) []*row {
	out := rows[:0]
	for i, r := range rows {
		if i+1 < len(rows) && rows[i+1].key() == r.key() {
			continue
		}
		out = append(out, r)
	}
	return out
}

// clone is a snapshot whose maps may be changed; the tables are shared.
func (s *snapshot) clone() *snapshot {
	return &snapshot{
		tables:  maps.Clone(s.tables),
		singles: maps.Clone(s.singles),
		users:   maps.Clone(s.users),
		keys:    maps.Clone(s.keys),
		bearers: maps.Clone(s.bearers),
		files:   maps.Clone(s.files),

		passwords: maps.Clone(s.passwords),
		webhooks:  s.webhooks,
	}
}

// meta returns a DocType's metadata, nil for an unknown one. The names of DocTypes
// compare as all names do.
func (s *snapshot) meta(doctype string) *docType {
	if t := s.tables[doctype]; t != nil {
		return t.meta
	}
	for name, t := range s.tables {
		if strings.EqualFold(name, doctype) {
			return t.meta
		}
	}
	return nil
}

// compareValues orders two values as the database does: NULL first, text with text by the
// folded form, anything else as numbers.
func compareValues(a, b value) int {
	if a.kind == null || b.kind == null {
		return cmp.Compare(min(a.kind, 1), min(b.kind, 1))
	}
	if a.kind == text && b.kind == text {
		return cmp.Compare(a.key, b.key)
	}
	return cmp.Compare(a.number(), b.number())
}
