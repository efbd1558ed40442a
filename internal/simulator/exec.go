package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// tuple is one row of a query's joined tables, in the order of its sources; nil stands
// for the row that an outer join did not find.
type tuple []*row

func (t tuple) value(ref reference) value {
	if r := t[ref.source]; r != nil {
		return r.vals[ref.column]
	}
	return value{}
}

// result is what a query answers.
type result struct {
	labels []string
	rows   [][]value
}

// run executes the query: scan and join, filter, group, order, limit, project.
func (qr *query) run() *result {
	out := &result{}
	if len(qr.items) == 0 {
		return out
	}
	tuples := qr.matching()
	var rows [][]value
	if len(qr.group) > 0 || slices.ContainsFunc(qr.items, func(it item) bool { return it.isAggregate() }) {
		rows = qr.aggregate(tuples)
	} else {
		qr.sortTuples(tuples)
		if !qr.distinct {
			tuples = page(tuples, qr.args.start, qr.args.limit)
		}
		rows = make([][]value, len(tuples))
		for i, t := range tuples {
			row := make([]value, len(qr.items))
			for j, it := range qr.items {
				row[j] = t.value(it.ref)
			}
			rows[i] = row
		}
		if qr.distinct {
			rows = page(distinctRows(rows), qr.args.start, qr.args.limit)
		}
	}
	for _, it := range qr.items {
		if it.label != "" {
			out.labels = append(out.labels, it.label)
		}
	}
	for _, r := range rows {
		out.rows = append(out.rows, r[:len(out.labels)])
	}
	return out
}

// page cuts the asked rows out; without limit all of them, whatever the start.
func page[T any](rows []T, start, limit int64) []T {
	if limit <= 0 {
		return rows
	}
	from := min(max(start, 0), int64(len(rows)))
	return rows[from:min(from+limit, int64(len(rows)))]
}

// matching yields the joined rows that satisfy filters and permissions, in the order in
// which the database would come upon them.
func (qr *query) matching() []tuple {
	perSource := make([][]*condition, len(qr.sources))
	for _, c := range qr.where {
		perSource[c.ref.source] = append(perSource[c.ref.source], c)
	}
	var out []tuple
	accept := func(t tuple) {
		if len(qr.anyOf) > 0 && !slices.ContainsFunc(qr.anyOf, func(c *condition) bool { return c.match(t.value(c.ref)) }) {
			return
		}
		out = append(out, t)
	}
	visit := func(t tuple) {
		for src := 1; src < len(qr.sources); src++ {
			if !matches(perSource[src], t, src) {
				return
			}
		}
		accept(t)
	}
	for _, first := range qr.scan() {
		if !matches(perSource[0], first, 0) || qr.allowed != nil && !qr.allowed(first[0]) {
			continue
		}
		qr.join(first, 1, visit)
	}
	return out
}

func matches(conditions []*condition, t tuple, src int) bool {
	for _, c := range conditions {
		v := value{}
		if t[src] != nil {
			v = t[src].vals[c.ref.column]
		}
		if !c.match(v) {
			return false
		}
	}
	return true
}

// join completes a tuple with the rows of the sources from src on.
func (qr *query) join(t tuple, src int, visit func(tuple)) {
	if src == len(qr.sources) {
		visit(t)
		return
	}
	if t[src] != nil { // the scan began with this table
		qr.join(t, src+1, visit)
		return
	}
	s := qr.sources[src]
	with := func(r *row) {
		next := slices.Clone(t)
		next[src] = r
		qr.join(next, src+1, visit)
	}
	if !s.child {
		link := t[0].vals[s.link]
		if link.kind == null {
			with(nil)
			return
		}
		with(s.table.find(link.key))
		return
	}
	typ, found := s.table.meta.column("parenttype"), false
	for _, r := range s.table.children(t[0].key()) {
		if r.vals[typ].s == qr.meta.Name {
			found = true
			with(r)
		}
	}
	if !found {
		with(nil)
	}
}

func (qr *query) sortTuples(tuples []tuple) {
	if len(qr.order) == 0 {
		return
	}
	slices.SortStableFunc(tuples, func(a, b tuple) int {
		for _, o := range qr.order {
			if c := compareValues(a.value(o.ref), b.value(o.ref)); c != 0 {
				if o.desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
}

// distinctRows keeps the first of rows that are equal under the collation.
func distinctRows(rows [][]value) [][]value {
	seen := make(map[string]bool, len(rows))
	out := rows[:0]
	for _, r := range rows {
		if k := rowKey(r); !seen[k] {
			seen[k] = true
			out = append(out, r)
		}
	}
	return out
}

func rowKey(row []value) string {
	var b strings.Builder
	for _, v := range row {
		writeKey(&b, v)
	}
	return b.String()
}

func writeKey(b *strings.Builder, v value) {
	switch v.kind {
	case null:
		b.WriteString("\x00n")
	case text:
		fmt.Fprintf(b, "\x00t%d:%s", len(v.key), v.key)
	default:
		fmt.Fprintf(b, "\x00%v", v.number())
	}
}

// objects are the rows as members by label; of labels that occur twice the last counts.
func (r *result) objects() []object {
	out := make([]object, len(r.rows))
	for i, vals := range r.rows {
		o := make(object, 0, len(vals))
		for j, v := range vals {
			if k := slices.Index(r.labels, r.labels[j]); k < j {
				o[k].value = v
				continue
			}
			o = append(o, member{r.labels[j], v})
		}
		out[i] = o
	}
	return out
}

// lists are the rows as arrays.
func (r *result) lists() []any {
	out := make([]any, len(r.rows))
	for i, vals := range r.rows {
		l := make([]any, len(vals))
		for j, v := range vals {
			l[j] = v
		}
		out[i] = l
	}
	return out
}

// limitClause and tail are the ends of the SQL statement, for complaints of the database.
func (qr *query) limitClause() string {
	if qr.args.limit == 0 {
		return ""
	}
	return fmt.Sprintf("limit %d offset %d", qr.args.limit, qr.args.start)
}

func (qr *query) tail() string {
	if qr.args.orderBy != "" {
		return "order by " + qr.args.orderBy + "\n\t\t\t" + qr.limitClause()
	}
	return qr.limitClause()
}
