package frappe

import (
	"strconv"
	"strings"

	"erpgraph/internal/apierror"
)

// dialect is a major version of Frappe, as far as requests differ by it: 15 takes
// SQL functions in `fields` as text, "sum(grand_total) as s", and refuses objects;
// 16 takes objects, {"SUM": "grand_total", "as": "s"}, and refuses the text. This
// file is the only place that knows.
type dialect int32

const (
	dialect15 dialect = 15
	dialect16 dialect = 16
)

// dialectOf is the dialect of a Frappe version such as "15.44.2" or
// "16.0.0-beta.1". What can't be read counts as 15, what is newer than 16 as 16.
func dialectOf(version string) dialect {
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(strings.TrimPrefix(major, "v")); err == nil && n >= int(dialect16) {
		return dialect16
	}
	return dialect15
}

// writeColumn writes one element of `fields`.
func (d dialect) writeColumn(w *jsonWriter, q *ListQuery, c Column, joined bool) error {
	if c.Func == "" {
		w.str(plainColumn(q, c))
		return nil
	}
	if d >= dialect16 {
		return writeFunction16(w, q, c)
	}
	return writeFunction15(w, q, c, joined)
}

// plainColumn is a field. Fields of the list's own DocType go without their table:
// Frappe qualifies them itself when it joins, and that form is the one for which it
// checks the permlevel against the parent in child lists.
func plainColumn(q *ListQuery, c Column) string {
	field := c.Field
	if c.DocType != "" && c.DocType != q.DocType {
		field = qualified(c.DocType, c.Field)
	}
	if c.As != "" && c.As != c.Field {
		field += " as " + c.As
	}
	return field
}

func writeFunction15(w *jsonWriter, q *ListQuery, c Column, joined bool) error {
	argument := c.Field
	if joined {
		// Frappe 15 never qualifies inside functions, and takes the table of min and
		// max for part of the name (model/db_query.py extract_tables).
		if c.Func == FuncMin || c.Func == FuncMax {
			return apierror.New(apierror.BadUserInput,
				"this version of ERPNext can't combine %s with a child table", c.Func)
		}
		argument = qualified(ownTable(q, c.DocType), c.Field)
	}
	w.str(c.Func + "(" + argument + ") as " + c.As)
	return nil
}

func writeFunction16(w *jsonWriter, q *ListQuery, c Column) error {
	argument := c.Field
	switch {
	case c.DocType != "" && c.DocType != q.DocType:
		argument = qualified(c.DocType, c.Field)
	case c.Func == FuncCount && c.Field == "name":
		argument = "*" // every row has a name
	}
	w.beginObject()
	w.str(strings.ToUpper(c.Func))
	w.str(argument)
	w.str("as")
	w.str(c.As)
	w.endObject()
	return nil
}

// orderBy writes order_by. Every field carries its table: "creation" alone is
// ambiguous as soon as a child table is joined. Both dialects read this form.
func orderBy(q *ListQuery) string {
	var b strings.Builder
	for i, order := range q.OrderBy {
		if i > 0 {
			b.WriteString(", ")
		}
		if order.Alias {
			b.WriteString(order.Field)
		} else {
			b.WriteString(tableField(q, order.DocType, order.Field))
		}
		if order.Desc {
			b.WriteString(" desc")
		} else {
			b.WriteString(" asc")
		}
	}
	return b.String()
}

func groupBy(q *ListQuery) string {
	parts := make([]string, len(q.GroupBy))
	for i, column := range q.GroupBy {
		parts[i] = tableField(q, column.DocType, column.Field)
	}
	return strings.Join(parts, ", ")
}

// tableField is a field in order_by or group_by. Frappe 15 refuses letters outside
// ASCII there, so a table of such a name goes unnamed where nothing is joined.
func tableField(q *ListQuery, doctype, field string) string {
	table := ownTable(q, doctype)
	if !visibleASCII(strings.ReplaceAll(table, " ", "")) && !q.joins() {
		return field
	}
	return qualified(table, field)
}

func ownTable(q *ListQuery, doctype string) string {
	if doctype == "" {
		return q.DocType
	}
	return doctype
}

// qualified is `tabDocType`.`field`. Both names must have been checked.
func qualified(doctype, field string) string {
	return "`tab" + doctype + "`.`" + field + "`"
}
