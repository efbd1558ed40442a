package simulator

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// listArgs are the arguments of a list, decoded and checked.
type listArgs struct {
	doctype    string
	parent     string
	fields     []string
	filters    any // list, object or string, as it came
	orFilters  any
	groupBy    string
	orderBy    string
	start      int64
	limit      int64 // 0: none
	asList     bool
	distinct   bool
	metaOrder  bool   // order by the DocType's own order when none is given
	reference  string // DocType whose field the list is for; picks user permissions
	unfiltered bool   // ignore permissions
}

// parseListArgs decodes what may be JSON in text and makes Frappe's first check of
// fields and filters: before permissions, so that anyone may probe field names.
func (q *call) parseListArgs(form object) (*listArgs, error) {
	a := &listArgs{doctype: cstr(form.get("doctype")), parent: cstr(form.get("parent"))}
	var err error
	if a.filters, err = maybeJSON(form.get("filters")); err != nil {
		return nil, jsonFailure(err)
	}
	if a.orFilters, err = maybeJSON(form.get("or_filters")); err != nil {
		return nil, jsonFailure(err)
	}
	fields := form.get("fields")
	if fields == "*" {
		fields = []any{"*"}
	}
	if fields, err = maybeJSON(fields); err != nil {
		return nil, jsonFailure(err)
	}
	for _, f := range asList(fields) {
		s, ok := f.(string)
		if !ok {
			return nil, python("TypeError", "expected string or bytes-like object, got '"+pythonType(f)+"'")
		}
		a.fields = append(a.fields, s)
	}
	a.groupBy = cstr(form.get("group_by"))
	if err := a.aggregate(form); err != nil {
		return nil, err
	}
	a.orderBy = cstr(form.get("order_by"))
	a.start = cint(form.get("limit_start"))
	a.limit = cint(form.get("limit_page_length"))
	if err := q.checkFields(a); err != nil {
		return nil, err
	}
	for _, f := range []any{a.filters, a.orFilters} {
		if err := q.checkFilters(a, f); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// aggregate is the desk's way of asking for a count, sum or average by group.
func (a *listArgs) aggregate(form object) error {
	function := cstr(form.get("aggregate_function"))
	if a.groupBy == "" || function == "" {
		return nil
	}
	if !slices.Contains([]string{"count", "sum", "avg"}, strings.ToLower(function)) {
		return thrown("ValidationError", "Invalid aggregate function")
	}
	a.fields = append(a.fields, fmt.Sprintf("%s(`tab%s`.`%s`) AS _aggregate_column", function,
		cstr(form.get("aggregate_on_doctype")), cstr(form.get("aggregate_on_field"))))
	return nil
}

func maybeJSON(v any) (any, error) {
	if s, ok := v.(string); ok && s != "" {
		return decodeJSON(s)
	}
	return v, nil
}

// asList is Python's iteration: a text yields its characters, an object its keys.
func asList(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case string:
		var out []any
		for _, r := range v {
			out = append(out, string(r))
		}
		return out
	case object:
		var out []any
		for _, m := range v {
			out = append(out, m.key)
		}
		return out
	default:
		return nil
	}
}

func pythonType(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	default:
		return "dict"
	}
}

// checkFields refuses fields that the DocType lacks and drops those above the caller's
// permission level; a single * becomes the permitted fields.
func (q *call) checkFields(a *listArgs) error {
	meta := q.snap.meta(a.doctype)
	if meta == nil {
		return notFound("DocType", a.doctype)
	}
	wildcard := len(a.fields) == 1 && a.fields[0] == "*"
	if wildcard {
		a.fields = q.access().permittedFields(meta, a.parent, "")
		return nil
	}
	var kept []string
	for _, field := range a.fields {
		names := fieldNames(field)
		if len(names) == 0 {
			return python("IndexError", "list index out of range")
		}
		name := names[0]
		if name == "" {
			return fieldNotPermitted(name)
		}
		if isStandard(name) || name == "*" {
			kept = append(kept, field)
			continue
		}
		owner, df, err := q.lookupField(meta, name)
		if err != nil {
			return err
		}
		if df == nil {
			return fieldNotPermitted(name)
		}
		levels := q.access().levels(owner, a.doctype)
		if df.PermLevel > 0 && levels != nil && !levels[df.PermLevel] {
			continue
		}
		kept = append(kept, field)
	}
	a.fields = kept
	return nil
}

// lookupField finds the field that a name in a query means: of the DocType, of a child
// table by its field or its table, of a linked document by the link.
func (q *call) lookupField(meta *docType, name string) (*docType, *docField, error) {
	table, field, ok := strings.Cut(name, ".")
	if !ok {
		return meta, meta.field(strings.Trim(name, "`")), nil
	}
	field, _, _ = strings.Cut(field, ".")
	var owner string
	if df := meta.field(table); df != nil {
		owner = df.Options
	} else if owner, ok = strings.CutPrefix(table, "tab"); !ok {
		return nil, nil, python("AttributeError", "'NoneType' object has no attribute 'options'")
	}
	m := q.snap.meta(owner)
	if m == nil {
		return nil, nil, notFound("DocType", owner)
	}
	return m, m.field(strings.Trim(field, "`")), nil
}

func (q *call) checkFilters(a *listArgs, filters any) error {
	meta := q.snap.meta(a.doctype)
	names := func(field any) error {
		name := cstr(field)
		if isStandard(name) {
			return nil
		}
		_, df, err := q.lookupField(meta, name)
		if err == nil && df == nil {
			err = fieldNotPermitted(name)
		}
		return err
	}
	list, isArray := filters.([]any)
	if !isArray {
		for _, key := range asList(filters) {
			if err := names(key); err != nil {
				return err
			}
		}
		return nil
	}
	for _, condition := range list {
		c := asList(condition)
		switch {
		case condition == nil:
			return python("TypeError", "object of type 'NoneType' has no len()")
		case len(c) == 3:
			if err := names(c[0]); err != nil {
				return err
			}
		case len(c) < 2:
			return python("IndexError", "list index out of range")
		default:
			field := cstr(c[1])
			if isStandard(field) {
				continue
			}
			owner := q.snap.meta(cstr(c[0]))
			if owner == nil {
				return notFound("DocType", cstr(c[0]))
			}
			if owner.field(field) == nil {
				return fieldNotPermitted(field)
			}
		}
	}
	return nil
}

var (
	plainField  = regexp.MustCompile(`^[\w]+$`)
	aliasSuffix = regexp.MustCompile(`(?i)\s+as\s+[\w\x60'"]+\s*$`)
	columnToken = regexp.MustCompile("(?:`[^`]+`|\\w+)(?:\\.(?:`[^`]+`|\\w+|\\*))?")
	stringToken = regexp.MustCompile(`'[^']*'|"[^"]*"`)
)

// sqlWords are no columns wherever they stand in a field.
var sqlWords = []string{
	"distinct", "as", "case", "when", "then", "else", "end", "null", "and", "or", "not", "in", "is", "like", "between",
	"select", "from", "where", "group", "order", "by", "having", "limit", "union", "join", "on", "asc", "desc",
}

// fieldNames are the columns that a field of a query mentions, unquoted: what Frappe
// gets from the SQL parser that it asks.
func fieldNames(field string) []string {
	if plainField.MatchString(field) || field == "*" {
		return []string{field}
	}
	body := stringToken.ReplaceAllString(aliasSuffix.ReplaceAllString(field, ""), " ")
	var out []string
	for _, at := range columnToken.FindAllStringIndex(body, -1) {
		token := body[at[0]:at[1]]
		after := strings.TrimLeft(body[at[1]:], " ")
		if strings.HasPrefix(after, "(") || slices.Contains(sqlWords, strings.ToLower(token)) {
			continue // a function or a word of the language
		}
		before := strings.Fields(strings.ToLower(body[:at[0]]))
		isTable := len(before) > 0 && slices.Contains([]string{"from", "join"}, before[len(before)-1])
		if token[0] >= '0' && token[0] <= '9' || isTable {
			continue
		}
		out = append(out, strings.ReplaceAll(token, "`", ""))
	}
	if len(out) == 0 {
		lower := strings.ToLower(field)
		if strings.Contains(lower, "*") &&
			(strings.Contains(lower, "count(") || strings.Contains(lower, "sum(") || strings.Contains(lower, "avg(")) {
			return []string{"*"}
		}
	}
	return out
}

// permittedFields are the columns that * stands for.
func (a *access) permittedFields(meta *docType, parentType, right string) []string {
	levels := a.levels(meta, parentType)
	if right == "" {
		right = a.readRight(meta)
	}
	if right == "select" && !bool(meta.IsTable) && !slices.Contains(coreDocTypes, meta.Name) {
		names := meta.searchFields()
		if !slices.Contains(names, "name") {
			names = append(names, "name")
		}
		return names
	}
	var out []string
	for _, c := range meta.columns {
		switch {
		case isOptional(c.name):
		case c.field != nil && levels != nil && !levels[c.field.PermLevel]:
		default:
			out = append(out, c.name)
		}
	}
	return out
}
