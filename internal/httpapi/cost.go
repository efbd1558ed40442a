package httpapi

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// How the cost of an operation is counted, with this request's variables and
// after @skip and @include:
//
//   - each field costs 1, and what is selected below it costs once for each
//     object that the field gives;
//   - a field with first or last gives that many (Limits.DefaultPage without a
//     value): the list itself, or the lists (edges, nodes) of the connection
//     that it returns; pageInfo and totalCount are there once;
//   - where that field is also asked for in doctypes or fields, lists of names, each
//     name costs as much: a search of each DocType, a value of each row;
//   - a list asked for by ids or names gives as many as are named;
//   - any other list gives Limits.ListSize;
//   - each field at the root of a mutation costs mutationCost, and as much again for
//     each element of its arguments that are lists (the inputs of createXs); lists
//     directly below it give as many as those have, if that is known;
//   - below __schema and __type nothing multiplies, but each list costs
//     introspectionList: introspection.go bounds how often the answer says a thing.
//
// Fields of the same response key are merged first, as execution does, so that
// fragments that repeat each other's fields are not charged twice.
const (
	introspectionList = 50
	mutationCost      = 100
)

// cost returns the cost of the operation, capped.
func (l Limits) cost(op *graphql.OperationContext) int {
	c := costing{op: op, limits: l}
	if op.Operation.Operation == ast.Mutation {
		return c.mutation()
	}
	return c.selections(op.Operation.SelectionSet, 0, false)
}

type costing struct {
	op     *graphql.OperationContext
	limits Limits
	// visits counts merged fields. Each costs at least 1, so counting can stop at
	// the limit: nested fragments can name exponentially many.
	visits int
}

// mutation costs the writes of an operation, and what is read of them.
func (c *costing) mutation() int {
	total := 0
	for _, f := range graphql.CollectFields(c.op, c.op.Operation.SelectionSet, nil) {
		if c.visits++; c.visits > c.limits.Cost {
			return capped
		}
		if f.Definition == nil || f.Name == "__typename" {
			total = addCapped(total, 1)
			continue
		}
		elements := 0
		for _, arg := range f.Definition.Arguments {
			elements = addCapped(elements, length(c.argument(f.Field, arg.Name), arg.Type))
		}
		total = addCapped(total, mulCapped(mutationCost, addCapped(1, elements)))
		total = addCapped(total, c.selections(f.Selections, elements, false))
	}
	return total
}

// length is how many elements the value of an argument has; 0 where it is no list. One
// value is a list of one.
func length(value any, t *ast.Type) int {
	if value == nil || !isList(t) {
		return 0
	}
	if list := reflect.ValueOf(value); list.Kind() == reflect.Slice {
		return min(list.Len(), capped)
	}
	return 1
}

// selections costs one object's fields; page is the size of the connection that
// the object is, 0 when it is none.
func (c *costing) selections(set ast.SelectionSet, page int, introspection bool) int {
	total := 0
	for _, f := range graphql.CollectFields(c.op, set, nil) {
		if c.visits++; c.visits > c.limits.Cost {
			return capped
		}
		if introspection || f.Name == "__schema" || f.Name == "__type" {
			total = addCapped(total, c.introspection(f))
		} else {
			total = addCapped(total, c.field(f, page))
		}
	}
	return total
}

func (c *costing) field(f graphql.CollectedField, page int) int {
	if f.Definition == nil || len(f.Selections) == 0 && page == 0 {
		return 1
	}
	own, paged := c.pageSize(f.Field)
	own = mulCapped(own, c.factor(f.Field))
	if !isList(f.Definition.Type) {
		return addCapped(1, c.selections(f.Selections, own, false))
	}
	size := page
	switch named, ok := c.named(f.Field); {
	case paged:
		size = own
	case size > 0:
	case ok:
		size = named
	default:
		size = c.limits.ListSize
	}
	each := 1 // a list of scalars
	if len(f.Selections) > 0 {
		each = c.selections(f.Selections, 0, false)
	}
	return addCapped(1, mulCapped(size, each))
}

func (c *costing) introspection(f graphql.CollectedField) int {
	own := 1
	if f.Definition != nil && isList(f.Definition.Type) {
		own = introspectionList
	}
	return addCapped(own, c.selections(f.Selections, 0, true))
}

// pageSize reads first or last; paged is false for a field that has neither.
func (c *costing) pageSize(f *ast.Field) (size int, paged bool) {
	for _, name := range []string{"first", "last"} {
		def := f.Definition.Arguments.ForName(name)
		if def == nil {
			continue
		}
		paged = true
		if n, ok := count(c.argument(f, name)); ok {
			return n, true
		}
		if n, ok := count(value(def.DefaultValue, nil)); ok {
			size = n
		}
	}
	if paged && size == 0 {
		size = c.limits.DefaultPage
	}
	return size, paged
}

// factor is how many things each row of a page is made of or looked for in: the
// lengths of the lists doctypes and fields.
func (c *costing) factor(f *ast.Field) int {
	factor := 1
	for _, name := range []string{"doctypes", "fields"} {
		if values, ok := c.argument(f, name).([]any); ok && len(values) > 1 {
			factor = mulCapped(factor, len(values))
		}
	}
	return factor
}

// named reads how many things a list is asked for by name.
func (c *costing) named(f *ast.Field) (int, bool) {
	for _, name := range []string{"ids", "names"} {
		if values, ok := c.argument(f, name).([]any); ok {
			return min(len(values), capped), true
		}
	}
	return 0, false
}

func (c *costing) argument(f *ast.Field, name string) any {
	if arg := f.Arguments.ForName(name); arg != nil {
		return value(arg.Value, c.op.Variables)
	}
	return nil
}

// value reads a literal or variable; one that can't be read is no value here,
// and an error of its own in execution.
func value(v *ast.Value, vars map[string]any) any {
	out, err := v.Value(vars)
	if err != nil {
		return nil
	}
	return out
}

// count reads a page size in each form that a JSON variable or a literal has.
// A negative one is no page size; the engine refuses it.
func count(v any) (int, bool) {
	var n float64
	switch v := v.(type) {
	case int64:
		n = float64(v)
	case int:
		n = float64(v)
	case float64:
		n = v
	case json.Number:
		n = parseNumber(string(v))
	case string:
		n = parseNumber(v)
	default:
		return 0, false
	}
	if !(n >= 0) {
		return 0, false
	}
	return int(min(n, capped)), true
}

func parseNumber(s string) float64 {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 1) {
		return math.NaN()
	}
	return n
}

func isList(t *ast.Type) bool { return t != nil && t.Elem != nil }
