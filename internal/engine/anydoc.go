package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// documentsRoot lists any DocType's documents as JSON rows.
func documentsRoot(x *execution, f graphql.CollectedField) (task, error) {
	args := argumentsOf(f, x.op.Variables)
	t := &rawTask{rootField: rootField{x, f}, calls: 1, empty: `null`}
	d := &anyList{key: args.text("doctype")}
	if t.err = d.arguments(x, args); t.err != nil {
		t.err = fmt.Errorf("documents: %w", t.err)
	}
	t.read = func(ctx context.Context) (err error) {
		d.page, err = x.set.AnyPage(ctx, d.key, d.columns, d.filters, d.query)
		return err
	}
	fields := graphql.CollectFields(x.op, f.Selections, []string{"DocumentRows"})
	pageInfo := map[string][]graphql.CollectedField{}
	for _, pf := range fields {
		if pf.Name == "pageInfo" {
			pageInfo[pf.Alias] = graphql.CollectFields(x.op, pf.Selections, []string{"PageInfo"})
		}
	}
	t.show = func(w *writer) { d.show(w, fields, pageInfo) }
	return &documentsTask{rawTask: t, fields: fields, pageInfo: pageInfo}, nil
}

// documentsTask shows a failed list as an object without nodes, as connections do.
type documentsTask struct {
	*rawTask
	fields   []graphql.CollectedField
	pageInfo map[string][]graphql.CollectedField
}

func (t *documentsTask) write(w *writer) *Result {
	if t.err != nil {
		(&anyList{}).show(w, t.fields, t.pageInfo)
		return t.finish(w, true)
	}
	return t.rawTask.write(w)
}

// maxAnyFields and maxAnyOrder bound what a list of any DocType asks for.
const (
	maxAnyFields = 100
	maxAnyOrder  = 5
)

type anyList struct {
	key     string
	list    string // digest, for cursors
	columns []string
	filters []frappe.Filter
	query   loaders.PageQuery
	page    *loaders.Page
}

func (d *anyList) arguments(x *execution, args arguments) (err error) {
	if d.key == "" {
		return badInput("doctype", "must not be empty")
	}
	if d.columns, err = args.texts("fields"); err != nil {
		return err
	}
	if len(d.columns) > maxAnyFields {
		return badInput("fields", "has %d fields; %d are allowed", len(d.columns), maxAnyFields)
	}
	if len(args.list("orderBy")) > maxAnyOrder {
		return badInput("orderBy", "has more than %d terms", maxAnyOrder)
	}
	for i, c := range d.columns {
		if slices.Contains(d.columns[:i], c) {
			return badInput(fmt.Sprintf("fields.%d", i), "%s is there already", c)
		}
		if err := loaders.CheckFieldname(fmt.Sprintf("fields.%d", i), c); err != nil {
			return err
		}
	}
	if d.filters, err = plainFilters(args["filters"]); err != nil {
		return err
	}
	var order []string
	for i, item := range args.list("orderBy") {
		object, _ := item.(map[string]any)
		name, _ := object["field"].(string)
		if err := loaders.CheckFieldname(fmt.Sprintf("orderBy.%d.field", i), name); err != nil {
			return err
		}
		desc, err := descending(fmt.Sprintf("orderBy.%d", i), object)
		if err != nil {
			return err
		}
		o := criteria.Order{Field: &doctype.Field{Column: name, Nullable: name != "name"}, Desc: desc}
		d.query.Order = append(d.query.Order, o)
		order = append(order, fmt.Sprintf("%s %t", name, o.Desc))
	}
	if d.query.Limit, err = x.pageSize(args); err != nil {
		return err
	}
	if d.list, err = digest("any", d.key, args["filters"], order); err != nil {
		return badInput("filters", "can't be read")
	}
	if after := args.text("after"); after != "" {
		d.query.After, err = decodeCursor("after", after, d.list, len(d.query.Order))
	}
	return err
}

func (d *anyList) show(w *writer, fields []graphql.CollectedField, pageInfo map[string][]graphql.CollectedField) {
	conn := &connection{list: d.list, order: d.query.Order, after: d.query.After}
	result := &connectionResult{conn: conn, page: d.page}
	w.b = append(w.b, '{')
	first := true
	for _, f := range fields {
		w.key(&first, f.Alias)
		switch f.Name {
		case "__typename":
			w.b = appendQuoted(w.b, "DocumentRows")
		case "pageInfo":
			w.pageInfo(result, pageInfo[f.Alias])
		case "nodes":
			d.nodes(w)
		}
	}
	w.b = append(w.b, '}')
}

func (d *anyList) nodes(w *writer) {
	if d.page == nil {
		w.null()
		return
	}
	columns := d.columns
	if len(columns) == 0 {
		columns = []string{"name"}
	}
	w.b = append(w.b, '[')
	for i, row := range d.page.Rows {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '{')
		for j, c := range columns {
			if j > 0 {
				w.b = append(w.b, ',')
			}
			w.b = append(appendQuoted(w.b, c), ':')
			if v := row.Raw(c); v != nil {
				w.b = append(w.b, v...)
			} else {
				w.null()
			}
		}
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

// plainOps are the comparisons of ERPNext's own filter lists that are passed on.
var plainOps = map[string]frappe.Op{
	"=": frappe.OpEq, "!=": frappe.OpNe, ">": frappe.OpGt, ">=": frappe.OpGte, "<": frappe.OpLt, "<=": frappe.OpLte,
	"in": frappe.OpIn, "not in": frappe.OpNotIn, "like": frappe.OpLike, "not like": frappe.OpNotLike, "is": frappe.OpIs,
	"descendants of": frappe.OpDescendantsOf, "not descendants of": frappe.OpNotDescendantsOf,
	"ancestors of": frappe.OpAncestorsOf, "not ancestors of": frappe.OpNotAncestorsOf, "timespan": frappe.OpTimespan,
}

// plainFilters reads the JSON filters of any DocType: {field: value}, or a list of
// [field, operator, value]. Everything in a value stays a value.
func plainFilters(v any) ([]frappe.Filter, error) {
	if err := (&inputSize{}).check("filters", v, 0); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string: // JSON given as text
		var parsed any
		dec := json.NewDecoder(strings.NewReader(v))
		dec.UseNumber()
		if err := dec.Decode(&parsed); err != nil {
			return nil, badInput("filters", "is no JSON")
		}
		if _, again := parsed.(string); again {
			return nil, badInput("filters", "must be an object or a list")
		}
		return plainFilters(parsed)
	case map[string]any:
		var out []frappe.Filter
		for _, field := range sortedKeys(v) {
			if _, list := v[field].([]any); list {
				return nil, badInput("filters."+field, "an object only tells equal values; write other comparisons as a list of [field, operator, value]")
			}
			f, err := plainFilter("filters."+field, []any{field, "=", v[field]})
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
		return out, nil
	case []any:
		var out []frappe.Filter
		for i, item := range v {
			triple, _ := item.([]any)
			f, err := plainFilter(fmt.Sprintf("filters.%d", i), triple)
			if err != nil {
				return nil, err
			}
			out = append(out, f)
		}
		return out, nil
	default:
		return nil, badInput("filters", "must be an object {field: value} or a list of [field, operator, value]")
	}
}

func plainFilter(path string, triple []any) (frappe.Filter, error) {
	if len(triple) != 3 {
		return frappe.Filter{}, badInput(path, "must be [field, operator, value]")
	}
	field, _ := triple[0].(string)
	if err := loaders.CheckFieldname(path+".0", field); err != nil {
		return frappe.Filter{}, err
	}
	word, _ := triple[1].(string)
	op, ok := plainOps[strings.ToLower(word)]
	if !ok {
		return frappe.Filter{}, badInput(path+".1", "%q is no comparison", shorten(word))
	}
	f := frappe.Filter{Field: field, Op: op, Value: triple[2]}
	list, isList := triple[2].([]any)
	switch {
	case isList != (op == frappe.OpIn || op == frappe.OpNotIn):
		return f, badInput(path+".2", "in and not in take a list, other comparisons one value")
	case op == frappe.OpIs && triple[2] != "set" && triple[2] != "not set":
		return f, badInput(path+".2", `must be "set" or "not set"`)
	case op == frappe.OpTimespan && !isTimespan(triple[2]):
		return f, badInput(path+".2", "is no timespan; one is, for example, \"last month\"")
	case triple[2] == nil:
		f.Op, f.Value = frappe.OpIs, "not set"
		return f, nil
	}
	if !isList {
		list = []any{triple[2]}
	}
	for _, item := range list {
		switch item.(type) {
		case string, json.Number, bool:
		default:
			return f, badInput(path+".2", "must be text, a number or true/false")
		}
	}
	if b, ok := f.Value.(bool); ok {
		f.Value = 0
		if b {
			f.Value = 1
		}
	}
	return f, nil
}

func isTimespan(v any) bool {
	name, ok := v.(string)
	return ok && criteria.IsTimespan(name)
}

func filterFields(filters []frappe.Filter) []string {
	out := make([]string, len(filters))
	for i, f := range filters {
		out[i] = f.Field
	}
	return out
}
