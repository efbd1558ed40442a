package simulator

import (
	"slices"
	"strings"
	"time"
)

// condition is one filter, ready to be tried on rows.
type condition struct {
	ref reference
	op  string // =, !=, <, >, <=, >=, in, not in, like, not like, between
	val []value
	// set holds the values of a long "in", by their keys.
	set      map[string]bool
	pattern  string
	fallback *value // stands in for NULL; without it NULL matches nothing
}

// operators are the ones that Frappe knows, in the words of its complaint; the order
// there is that of a Python set, another one at each start.
var operators = []string{
	"between", "fiscal year", "=", "previous", "descendants of (inclusive)", "<=", ">=", "not descendants of",
	"descendants of", "<", "next", "not ancestors of", "!=", "like", "not in", "timespan", "ancestors of",
	"not like", ">", "in", "is",
}

var treeOperators = []string{
	"ancestors of", "descendants of", "not ancestors of", "not descendants of", "descendants of (inclusive)",
}

// conditions compiles filters in any of their forms.
func (qr *query) conditions(filters any) ([]*condition, error) {
	var out []*condition
	add := func(f []any) error {
		c, err := qr.condition(f)
		if err == nil {
			out = append(out, c)
		}
		return err
	}
	switch filters := filters.(type) {
	case object:
		for _, m := range filters {
			if err := add(filterTuple(qr.meta.Name, m.key, m.value)); err != nil {
				return nil, err
			}
		}
	case []any:
		for _, f := range filters {
			switch f := f.(type) {
			case object:
				if len(f) == 0 {
					return nil, python("StopIteration", "")
				}
				if err := add(filterTuple(qr.meta.Name, f[0].key, f[0].value)); err != nil {
					return nil, err
				}
			case []any:
				if err := add(f); err != nil {
					return nil, err
				}
			default:
				return nil, thrown("ValidationError", "Filter must be a tuple or list (in a list)")
			}
		}
	}
	return out, nil
}

func filterTuple(doctype, key string, v any) []any {
	if list, ok := v.([]any); ok && len(list) >= 2 {
		return []any{doctype, key, list[0], list[1]}
	}
	return []any{doctype, key, "=", v}
}

// condition compiles one filter: [field, operator, value] or [doctype, field, operator, value].
func (qr *query) condition(f []any) (*condition, error) {
	switch {
	case len(f) == 3:
		f = []any{qr.meta.Name, f[0], f[1], f[2]}
	case len(f) > 4:
		f = f[:4]
	case len(f) != 4:
		return nil, thrown("ValidationError", "Filter must have 4 values (doctype, fieldname, operator, value): "+pythonRepr(f))
	}
	doctype, fieldname, op, v := cstr(f[0]), cstr(f[1]), cstr(f[2]), f[3]
	if op == "" {
		op = "="
	}
	if op = strings.ToLower(op); !slices.Contains(operators, op) {
		return nil, thrown("ValidationError", "Operator must be one of "+strings.Join(operators, ", "))
	}
	meta := qr.call.snap.meta(doctype)
	if meta == nil {
		return nil, notFound("DocType", doctype)
	}
	if !isStandard(fieldname) && meta.field(fieldname) == nil {
		// A field of a child table may be named without it.
		for _, df := range meta.tables() {
			if child := qr.call.snap.meta(df.Options); child != nil && child.field(fieldname) != nil {
				meta = child
				break
			}
		}
	}
	src, err := qr.joinTable(meta.Name)
	if err != nil {
		return nil, err
	}
	col := meta.column(fieldname)
	if col < 0 {
		return nil, unknownColumn("tab"+meta.Name+"."+fieldname, "WHERE")
	}
	c := &condition{ref: reference{src, col}}
	return c, qr.fill(c, meta, &meta.columns[col], op, v)
}

// fill sets operator and values of a condition. It follows Frappe's decisions on which
// columns are wrapped in ifnull and with what.
func (qr *query) fill(c *condition, meta *docType, col *column, op string, v any) error {
	nullable := !slices.Contains([]string{"name", "modified", "creation"}, col.name)
	switch op {
	case "in", "not in":
		qr.fillList(c, col, op, v, nullable)
		return nil
	case "is":
		return qr.fillIs(c, col, v, nullable)
	case "fiscal year":
		v, op = qr.call.snap.fiscalYear(qr.call.s.collation.key(cstr(v))), "between"
	case "previous", "next", "timespan":
		var err error
		if v, err = qr.call.dateRange(op, cstr(v)); err != nil {
			return err
		}
		op = "between"
	}
	if slices.Contains(treeOperators, op) {
		return qr.fillTree(c, meta, col, op, cstr(v), nullable)
	}
	c.op = op
	isDate := col.typ == "Date" || col.typ == "Datetime"
	if op == "between" {
		if !isDate {
			// Frappe writes one value here, whatever it was given, and no database takes that.
			return syntaxError(qr.tail(), 6)
		}
		return qr.fillBetween(c, col, v)
	}
	comparison := op == "<" || op == ">" || op == "<=" || op == ">="
	switch {
	case col.field != nil && col.field.isNumeric(), isDate && (op == ">" || op == ">="):
		nullable = false // such a column holds no NULL, or its NULLs can't be greater
	case comparison && (col.name == "creation" || col.name == "modified"):
		c.val = []value{qr.call.s.collation.text(col, cstr(v))}
		return nil
	}
	fallback, err := qr.fillValue(c, col, v)
	if err != nil {
		return err
	}
	plain := op == "=" || op == "like"
	if nullable && (!plain || !truthy(v)) {
		c.fallback = &fallback
	}
	return nil
}

// fiscalYear is the range of dates of a year of the books; nil for an unknown one.
func (s *snapshot) fiscalYear(key string) any {
	t := s.tables["Fiscal Year"]
	if t == nil {
		return nil
	}
	r := t.find(key)
	from, to := t.meta.column("year_start_date"), t.meta.column("year_end_date")
	if r == nil || from < 0 || to < 0 {
		return nil
	}
	return []any{r.vals[from].s, r.vals[to].s}
}

// fillValue sets the value to compare with, in the form that the column's type asks for,
// and returns what stands in for NULL.
func (qr *query) fillValue(c *condition, col *column, v any) (fallback value, err error) {
	literal := func(s string) value { return qr.call.s.collation.text(col, s) }
	typ := ""
	if col.field != nil {
		typ = col.field.Type
	}
	s, isText := v.(string)
	switch {
	case typ == "Date", typ == "Datetime":
		t, err := qr.call.getDate(v, typ == "Datetime")
		if err != nil {
			return fallback, err
		}
		if typ == "Date" {
			c.val = []value{literal(t.Format(dateLayout))}
			return literal("0001-01-01"), nil
		}
		c.val = []value{literal(t.Format(microLayout))}
		return literal("0001-01-01 00:00:00.000000"), nil
	case typ == "Time":
		c.val = []value{literal(cstr(v))}
		return literal("00:00:00"), nil
	case c.op == "like" || c.op == "not like":
		c.pattern = likeFold(strings.ReplaceAll(cstr(v), `\`, `\\`))
		return literal(""), nil
	case isText && (col.field == nil || !col.field.isNumeric()):
		c.val = []value{literal(s)}
		return literal(""), nil
	case c.op == "=" && (typ == "Link" || typ == "Data"), col.name == "name":
		c.val = []value{nativeValue(v)}
		if !truthy(v) {
			// Frappe writes a quoted pair of quotes here: it equals no name.
			c.val = []value{literal("''")}
		}
		return literal(""), nil
	default:
		c.val = []value{floatValue(flt(v))}
		return floatValue(0), nil
	}
}

// fillList is "in" and "not in": NULL counts as the empty text where the list has it, and
// for "not in" always.
func (qr *query) fillList(c *condition, col *column, op string, v any, nullable bool) {
	list := listValues(v)
	if op == "in" {
		nullable = nullable && (len(list) == 0 || slices.Contains(list, ""))
	}
	if len(list) == 0 {
		list = []string{""}
	}
	collation := qr.call.s.collation
	c.setList(op, list, func(s string) value { return collation.text(col, s) })
	if nullable {
		empty := collation.text(col, "")
		c.fallback = &empty
	}
}

// fillIs is "is set" and "is not set". An empty text is not set.
func (qr *query) fillIs(c *condition, col *column, v any, nullable bool) error {
	empty := qr.call.s.collation.text(col, "")
	c.val = []value{empty}
	switch v {
	case "set":
		c.op, nullable = "!=", false
	case "not set":
		c.op = "="
	default:
		return syntaxError("'' "+qr.tail(), 5)
	}
	if nullable || col.field != nil && col.field.isNumeric() {
		c.fallback = &empty
	}
	return nil
}

func (qr *query) fillTree(c *condition, meta *docType, col *column, op, node string, nullable bool) error {
	ref := meta.Name
	if col.field != nil {
		ref = col.field.Options
	}
	collation := qr.call.s.collation
	var names []string
	if key := collation.text(nil, node); strings.Contains(op, "ancestors") {
		names = qr.call.snap.ancestors(ref, key)
	} else {
		names = qr.call.snap.descendants(ref, key)
	}
	if op == "descendants of (inclusive)" {
		names = append(names, node)
	}
	if len(names) == 0 {
		names = []string{""}
	}
	c.op = "in"
	if strings.HasPrefix(op, "not ") {
		c.op = "not in"
	}
	c.setList(c.op, names, func(s string) value { return collation.text(col, s) })
	if nullable && (c.op == "not in" || node == "") {
		empty := collation.text(col, "")
		c.fallback = &empty
	}
	return nil
}

func (qr *query) fillBetween(c *condition, col *column, v any) error {
	today := qr.call.s.today().Format(dateLayout)
	bounds := [2]any{today, today}
	if list, ok := v.([]any); ok {
		copy(bounds[:], list)
	}
	c.val = nil
	for i, b := range bounds {
		t, err := qr.call.getDate(b, true)
		if err != nil {
			return err
		}
		layout := dateLayout
		if col.typ == "Datetime" {
			layout = microLayout
			if s, ok := b.(string); ok && !strings.Contains(strings.TrimSpace(s), " ") {
				t = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
				if i == 1 {
					t = t.Add(24*time.Hour - time.Microsecond)
				}
			}
		}
		c.val = append(c.val, qr.call.s.collation.text(col, t.Format(layout)))
	}
	return nil
}

// setList sets the values of "in" and "not in".
func (c *condition) setList(op string, list []string, literal func(string) value) {
	c.op = op
	c.set = make(map[string]bool, len(list))
	for _, s := range list {
		v := literal(strings.TrimSpace(s))
		c.val = append(c.val, v)
		c.set[v.key] = true
	}
}

// listValues are the values of "in": a list, or a text with commas.
func listValues(v any) []string {
	switch v := v.(type) {
	case []any:
		out := make([]string, len(v))
		for i, e := range v {
			out[i] = cstr(e)
		}
		return out
	case string:
		if v != "" {
			return strings.Split(v, ",")
		}
	case int64, float64:
		if truthy(v) {
			return []string{cstr(v)}
		}
	}
	return nil
}

// match tries the condition on a value. Comparisons with NULL are never true.
func (c *condition) match(v value) bool {
	if v.isNull() {
		if c.fallback == nil {
			return false
		}
		v = *c.fallback
	}
	switch c.op {
	case "=":
		return compareValues(v, c.val[0]) == 0
	case "!=":
		return compareValues(v, c.val[0]) != 0
	case "<":
		return compareValues(v, c.val[0]) < 0
	case "<=":
		return compareValues(v, c.val[0]) <= 0
	case ">":
		return compareValues(v, c.val[0]) > 0
	case ">=":
		return compareValues(v, c.val[0]) >= 0
	case "between":
		return compareValues(v, c.val[0]) >= 0 && compareValues(v, c.val[1]) <= 0
	case "in", "not in":
		return c.contains(v) == (c.op == "in")
	case "like", "not like":
		return like(likeFold(v.String()), c.pattern) == (c.op == "like")
	default:
		return false
	}
}

func (c *condition) contains(v value) bool {
	if v.kind == text {
		return c.set[v.key]
	}
	return slices.ContainsFunc(c.val, func(o value) bool { return compareValues(v, o) == 0 })
}
