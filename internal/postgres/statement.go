package postgres

import (
	"fmt"
	"slices"
	"strconv"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// selected are the fields that a read brings: the id, what was asked for, and the fields
// of the order.
func selected(t *doctype.Type, columns []*doctype.Field, order []criteria.Order) []*doctype.Field {
	out := []*doctype.Field{keyField(t)}
	add := func(f *doctype.Field) {
		if f != nil && !slices.ContainsFunc(out, func(have *doctype.Field) bool { return have.Column == f.Column }) {
			out = append(out, f)
		}
	}
	for _, f := range columns {
		add(f)
	}
	for _, o := range order {
		add(o.Field)
	}
	return out
}

func columnNames(fields []*doctype.Field, end []doctype.Hop) []string {
	out := make([]string, len(fields), len(fields)+1)
	for i, f := range fields {
		out[i] = f.Column
	}
	if len(end) > 0 {
		out = append(out, EndColumn)
	}
	return out
}

// list writes "fields from table", each field under its alias prefix and number when
// prefix is not "". The end of a chain comes last.
func (b *builder) list(s source, fields []*doctype.Field, end []doctype.Hop, prefix string) error {
	for i, f := range fields {
		ref, _, err := s.column(f)
		if err != nil {
			return err
		}
		if i > 0 {
			b.write(", ")
		}
		b.write(ref)
		if prefix != "" {
			b.write(" as ", prefix, strconv.Itoa(i+1))
		}
	}
	if len(end) > 0 {
		b.write(", ")
		if err := b.endOf(s, end); err != nil {
			return err
		}
	}
	b.write(" from ", s.from())
	return nil
}

// filter writes the where of a query and its cut; link, when given, is a condition that
// comes first.
func (b *builder) filter(s source, q Query, keys []sortKey, link string) error {
	b.write(" where ")
	if link != "" {
		b.write(link, " and ")
	}
	if err := b.where(s, q.Where); err != nil {
		return err
	}
	if q.After != nil {
		b.write(" and ")
		if err := b.cut(keys, q.After, false); err != nil {
			return err
		}
	}
	if q.Before != nil {
		b.write(" and ")
		if err := b.cut(keys, q.Before, true); err != nil {
			return err
		}
	}
	return nil
}

// page writes order and limit.
func (b *builder) page(keys []sortKey, q Query) {
	b.orderBy(keys, q.Backward)
	if q.Limit > 0 {
		b.write(" limit ", b.arg(strconv.Itoa(q.Limit), ""))
	}
}

// rowsStatement writes the statement of Rows and gives the fields of its columns.
func (b *builder) rowsStatement(q Query) ([]*doctype.Field, error) {
	s, err := b.source(q.Type)
	if err != nil {
		return nil, err
	}
	keys, err := sortKeys(s, q.Order)
	if err != nil {
		return nil, err
	}
	fields := selected(q.Type, q.Columns, q.Order)
	b.write("select ")
	if err := b.list(s, fields, q.End, ""); err != nil {
		return nil, err
	}
	if err := b.filter(s, q, keys, ""); err != nil {
		return nil, err
	}
	b.page(keys, q)
	return fields, nil
}

// parents writes the table of parent keys, each with its number: p(key, n).
func (b *builder) parents(s source, link *doctype.Field, keys []string) (ref string, err error) {
	ref, col, err := s.column(link)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		if _, err := text(link, key, link.Name); err != nil {
			return "", err
		}
	}
	// The type is the catalog's word for the link's column, so that its index serves.
	b.write("unnest(", b.arg(arrayText(keys), link.Name), "::", col.sqlType, "[]) with ordinality as p(key, n)")
	return ref, nil
}

// rowsByParentStatement reads each parent's rows in a lateral subquery, which stops at
// the limit parent by parent. The outer order puts them in list order also for a
// backward walk.
//
// Where the client orders by more than the id, "offset 0" keeps the planner from walking
// the whole table in the order's index in search of each parent's rows: a parent's rows
// are found by the link's index and sorted.
func (b *builder) rowsByParentStatement(q ReverseQuery) ([]*doctype.Field, error) {
	s, err := b.source(q.Type)
	if err != nil {
		return nil, err
	}
	keys, err := sortKeys(s, q.Order)
	if err != nil {
		return nil, err
	}
	fields := selected(q.Type, q.Columns, q.Order)
	b.write("select p.n")
	for i := range fields {
		b.write(", r.c", strconv.Itoa(i+1))
	}
	b.write(" from ")
	link, err := b.parents(s, q.ParentField, q.Parents)
	if err != nil {
		return nil, err
	}
	fenced := len(keys) > 1 && q.Limit > 0
	b.write(" cross join lateral (")
	if fenced {
		b.write("select * from (")
	}
	b.write("select ")
	if err := b.list(s, fields, nil, "c"); err != nil {
		return nil, err
	}
	if err := b.filter(s, q.Query, keys, link+" = p.key"); err != nil {
		return nil, err
	}
	if fenced {
		b.write(" offset 0) as f")
		b.page(aliased(keys, fields, "f"), q.Query)
	} else {
		b.page(keys, q.Query)
	}
	b.write(") as r")
	b.orderBy(append([]sortKey{{ref: "p.n"}}, aliased(keys, fields, "r")...), false)
	return fields, nil
}

// aliased are the keys of an order as columns of a subquery that selected fields.
func aliased(keys []sortKey, fields []*doctype.Field, subquery string) []sortKey {
	out := make([]sortKey, len(keys))
	for i, k := range keys {
		at := slices.IndexFunc(fields, func(f *doctype.Field) bool { return f.Column == k.field.Column })
		out[i] = k
		out[i].ref = subquery + ".c" + strconv.Itoa(at+1)
	}
	return out
}

func (b *builder) rowsByKeysStatement(q KeysQuery) ([]*doctype.Field, error) {
	s, err := b.source(q.Type)
	if err != nil {
		return nil, err
	}
	key := q.KeyField
	if key == nil {
		key = keyField(q.Type)
	}
	ref, col, err := s.column(key)
	if err != nil {
		return nil, err
	}
	fields := selected(q.Type, append(slices.Clone(q.Columns), key), nil)
	b.write("select ")
	if err := b.list(s, fields, q.End, ""); err != nil {
		return nil, err
	}
	keys, err := sortKeys(s, nil)
	if err != nil {
		return nil, err
	}
	holds := slices.DeleteFunc(slices.Clone(q.Keys), func(k string) bool { return !holdsKey(col.sqlType, k) })
	link := ref + " = any(" + b.arg(arrayText(holds), key.Name) + ")"
	if err := b.filter(s, Query{Type: q.Type, Where: q.Where}, keys, link); err != nil {
		return nil, err
	}
	b.orderBy(keys, false)
	return fields, nil
}

func (b *builder) countStatement(q Query) error {
	s, err := b.source(q.Type)
	if err != nil {
		return err
	}
	b.write("select count(*) from ", s.from(), " where ")
	return b.where(s, q.Where)
}

func (b *builder) countByParentStatement(q ReverseQuery) error {
	s, err := b.source(q.Type)
	if err != nil {
		return err
	}
	b.write("select p.n, count(*) from ")
	link, err := b.parents(s, q.ParentField, q.Parents)
	if err != nil {
		return err
	}
	b.write(" join ", s.from(), " on ", link, " = p.key where ")
	if err := b.where(s, q.Where); err != nil {
		return err
	}
	b.write(" group by p.n")
	return nil
}

// aggregateStatement writes the statement of Aggregate and gives its column names.
func (b *builder) aggregateStatement(q criteria.Aggregate) ([]string, error) {
	s, err := b.source(q.Type)
	if err != nil {
		return nil, err
	}
	var names, refs []string
	for _, f := range q.GroupBy {
		ref, _, err := s.column(f)
		if err != nil {
			return nil, err
		}
		names, refs = append(names, f.Column), append(refs, ref)
	}
	b.write("select ")
	for i, ref := range refs {
		if i > 0 {
			b.write(", ")
		}
		b.write(ref)
	}
	for i, fig := range q.Figures {
		if i > 0 || len(refs) > 0 {
			b.write(", ")
		}
		if err := b.figure(s, fig); err != nil {
			return nil, err
		}
		names = append(names, fig.As)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("postgres: %s: an aggregate of nothing", q.Type.Name)
	}
	b.write(" from ", s.from(), " where ")
	if err := b.where(s, q.Where); err != nil {
		return nil, err
	}
	if len(refs) > 0 {
		b.write(" group by ")
		for i, ref := range refs {
			if i > 0 {
				b.write(", ")
			}
			b.write(ref)
		}
	}
	return names, b.groupOrder(q, names)
}

func (b *builder) figure(s source, fig criteria.Figure) error {
	switch fig.Func {
	case criteria.Count:
		b.write("count(*)")
		return nil
	case criteria.Sum, criteria.Avg, criteria.Min, criteria.Max:
		ref, _, err := s.column(fig.Field)
		if err != nil {
			return err
		}
		b.write(string(fig.Func), "(", ref, ")")
		return nil
	default:
		return fmt.Errorf("postgres: %s: unknown aggregate function %q", s.typ.Name, fig.Func)
	}
}

// groupOrder orders groups by the numbers of their columns.
func (b *builder) groupOrder(q criteria.Aggregate, names []string) error {
	var keys []sortKey
	add := func(i int, desc bool) {
		keys = append(keys, sortKey{ref: strconv.Itoa(i + 1), desc: desc, nullable: true})
	}
	for _, o := range q.Order {
		i := -1
		if o.Key != nil {
			i = slices.IndexFunc(q.GroupBy, func(f *doctype.Field) bool { return f.Column == o.Key.Column })
		} else if at := slices.Index(names[len(q.GroupBy):], o.As); at >= 0 {
			i = len(q.GroupBy) + at
		}
		if i < 0 {
			return fmt.Errorf("postgres: %s: groups are ordered by what is not among keys and figures", q.Type.Name)
		}
		add(i, o.Desc)
	}
	for i := range q.GroupBy {
		add(i, false)
	}
	if len(keys) > 0 {
		b.orderBy(keys, false)
	}
	if q.Limit > 0 {
		b.write(" limit ", b.arg(strconv.Itoa(q.Limit), ""))
	}
	return nil
}

// holdsKey tells whether a column of the type can hold the key at all. A key that it
// can't hold belongs to no row; asking would be an error for all the other keys too.
func holdsKey(sqlType, key string) bool {
	switch sqlType {
	case "uuid":
		return isUUID(key)
	case "bigint", "integer", "smallint":
		bits := map[string]int{"bigint": 64, "integer": 32, "smallint": 16}[sqlType]
		_, err := strconv.ParseInt(key, 10, bits)
		return err == nil
	default:
		_, err := text(&doctype.Field{}, key, "")
		return err == nil
	}
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}
