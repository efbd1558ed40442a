package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// searched are the types of field that a link's search looks into.
var searched = []string{"Data", "Text", "Small Text", "Long Text", "Link", "Select", "Read Only", "Text Editor"}

// searchLink is what a Link field's input asks.
func (q *call) searchLink() (any, error) {
	rows, meta, err := q.search(strings.TrimSpace(q.arg("txt")))
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, r := range rows {
		var parts []string
		for _, v := range r[1:] {
			if s := v.String(); v.truthy() && !slices.Contains(parts, s) {
				parts = append(parts, s)
			}
		}
		o := object{{"value", r[0]}, {"description", strings.Join(parts, ", ")}}
		if meta.ShowTitle && meta.TitleField != "" {
			label := r[1]
			rest := append([]string{r[0].String()}, parts...)
			rest = slices.DeleteFunc(rest, func(s string) bool { return s == label.String() && s != r[0].String() })
			o.set("description", strings.Join(slices.Compact(rest), ", "))
			if label.truthy() {
				o.set("label", label)
			}
		}
		out = append(out, o)
	}
	q.log.Rows = len(out)
	return out, nil
}

func (q *call) searchWidget() (any, error) {
	rows, _, err := q.search(q.arg("txt"))
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, r := range rows {
		l := make([]any, len(r))
		for i, v := range r {
			l[i] = v
		}
		out = append(out, l)
	}
	q.log.Rows = len(out)
	return out, nil
}

// search finds documents by name, title and search fields. The best match comes first:
// names in which the text stands early, then the DocType's own order, and in the end
// names that begin with the text before others.
func (q *call) search(txt string) ([][]value, *docType, error) {
	if query := q.arg("query"); query != "" {
		return nil, nil, htmlFailure(404, "<!DOCTYPE html>\n<html><body>Method not found</body></html>\n")
	}
	meta := q.snap.meta(q.arg("doctype"))
	if meta == nil {
		return nil, nil, notFound("DocType", q.arg("doctype"))
	}
	filters, err := maybeJSON(q.form.get("filters"))
	if err != nil {
		return nil, nil, jsonFailure(err)
	}
	var list []any
	switch f := filters.(type) {
	case object:
		for _, m := range f {
			list = append(list, filterTuple(meta.Name, m.key, m.value))
		}
	case []any:
		list = slices.Clone(f)
	}
	var or []any
	if txt != "" {
		for _, name := range append([]string{"name", meta.TitleField}, meta.searchFields()...) {
			df := meta.field(name)
			if name == "name" || df != nil && slices.Contains(searched, df.Type) {
				or = append(or, []any{meta.Name, name, "like", "%" + txt + "%"})
			}
		}
	}
	if df := meta.field("enabled"); df != nil && df.Type == "Check" {
		list = append(list, []any{meta.Name, "enabled", "=", int64(1)})
	}
	if df := meta.field("disabled"); df != nil && df.Type == "Check" {
		list = append(list, []any{meta.Name, "disabled", "!=", int64(1)})
	}
	args := &listArgs{doctype: meta.Name, filters: list, orFilters: or, reference: q.arg("reference_doctype")}
	for _, name := range searchColumns(meta, q.arg("searchfield")) {
		args.fields = append(args.fields, fmt.Sprintf("`tab%s`.`%s`", meta.Name, name))
	}
	// The original takes the caller's word for this one: a hole.
	if cint(q.form.get("ignore_user_permissions")) != 0 && q.access().docType(meta, "read", "") {
		args.unfiltered = true
	}
	args.orderBy = fmt.Sprintf("`tab%s`.`idx` desc, %s", meta.Name, meta.defaultOrder())
	qr, err := q.compile(args)
	if err != nil {
		return nil, nil, err
	}
	rows := qr.run().rows
	return bestMatches(rows, txt, q.form), meta, nil
}

func bestMatches(rows [][]value, txt string, form object) [][]value {
	needle := likeFold(strings.NewReplacer("%", "", "@", "").Replace(txt))
	relevance := func(r []value) int {
		if i := strings.Index(likeFold(r[0].s), needle); i >= 0 {
			return len([]rune(likeFold(r[0].s)[:i]))
		}
		return 1 << 20
	}
	slices.SortStableFunc(rows, func(a, b []value) int { return relevance(a) - relevance(b) })
	length := int64(10)
	if v, ok := form.lookup("page_length"); ok {
		length = cint(v)
	}
	rows = page(rows, cint(form.get("start")), length)
	prefix := func(r []value) bool { return strings.HasPrefix(strings.ToLower(r[0].s), strings.ToLower(txt)) }
	slices.SortStableFunc(rows, func(a, b []value) int {
		if prefix(a) != prefix(b) {
			if prefix(a) {
				return -1
			}
			return 1
		}
		return strings.Compare(a[0].s, b[0].s)
	})
	return rows
}

// searchColumns are the columns of a search's answer.
func searchColumns(meta *docType, key string) []string {
	out := []string{"name"}
	add := func(name string) {
		if name != "" && !slices.Contains(out, name) && meta.column(name) >= 0 {
			out = append(out, name)
		}
	}
	add(meta.TitleField)
	add(key)
	for _, f := range meta.searchFields() {
		add(f)
	}
	return out
}
