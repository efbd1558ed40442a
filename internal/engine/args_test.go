package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"erpgraph/internal/apierror"
	"erpgraph/loaders"
)

var errTest = errors.New("test")

const argumentsSchema = `
scalar Any
input In { a: Any = 7, b: [Int], c: In }
type Query { f(i: Int = 3, s: String, l: [Any], in: In, e: E): Int }
enum E { ONE TWO }`

// field parses a query of one field and gives its arguments as the engine reads them.
func argumentsIn(tb testing.TB, query string, vars map[string]any) arguments {
	tb.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: argumentsSchema})
	if err != nil {
		tb.Fatal(err)
	}
	doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
	if errs != nil {
		tb.Fatal(errs)
	}
	f, ok := doc.Operations[0].SelectionSet[0].(*ast.Field)
	if !ok {
		tb.Fatal("no field")
	}
	return argumentsOf(graphql.CollectedField{Field: f}, vars)
}

// Arguments keep absent apart from null, and every digit of a number.
func TestArguments(t *testing.T) {
	t.Parallel()
	n := func(s string) json.Number { return json.Number(s) }
	tests := []struct {
		name, query string
		vars        map[string]any
		want        arguments
	}{
		{"defaults", `{ f }`, nil, arguments{"i": n("3")}},
		{"null is not absent", `{ f(i: null, s: null) }`, nil, arguments{"i": nil, "s": nil}},
		{
			"digits", `{ f(l: [1.10, 100000000000000000000.250, -0, 1e3]) }`, nil,
			arguments{"i": n("3"), "l": []any{n("1.10"), n("100000000000000000000.250"), n("-0"), n("1e3")}},
		},
		{"texts", `{ f(s: "a\nb", l: ["x", true, null, ONE]) }`, nil, arguments{"i": n("3"), "s": "a\nb", "l": []any{"x", true, nil, "ONE"}}},
		{"block text", "{ f(s: \"\"\"\n  a\n  b\n\"\"\") }", nil, arguments{"i": n("3"), "s": "a\nb"}},
		{
			"an object", `{ f(in: {b: [1], c: {a: null}}) }`, nil,
			arguments{"i": n("3"), "in": map[string]any{"b": []any{n("1")}, "c": map[string]any{"a": nil}}},
		},
		{
			"a variable", `query($i: Int, $in: In) { f(i: $i, in: $in) }`,
			map[string]any{"i": int64(5), "in": map[string]any{"a": 1.5, "b": []any{2}}},
			arguments{"i": n("5"), "in": map[string]any{"a": n("1.5"), "b": []any{n("2")}}},
		},
		{"a variable not given", `query($i: Int) { f(i: $i) }`, nil, arguments{"i": n("3")}},
		{"a variable's default", `query($i: Int = 9) { f(i: $i) }`, nil, arguments{"i": n("9")}},
		{"a variable in an object", `query($a: Any, $b: [Int]) { f(in: {a: $a, b: $b}) }`, map[string]any{"a": "x"}, arguments{"i": n("3"), "in": map[string]any{"a": "x"}}},
		{"a variable in a list", `query($a: Any) { f(l: [1, $a]) }`, nil, arguments{"i": n("3"), "l": []any{n("1"), nil}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := argumentsIn(t, tt.query, tt.vars); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestConnectionArguments(t *testing.T) {
	t.Parallel()
	e := testEngine()
	typ := e.registry.ByName("SalesOrder")
	compile := func(args arguments) *connection {
		conn := &connection{typ: typ}
		conn.err = conn.arguments(e, args)
		return conn
	}
	plain := compile(arguments{})
	cursor := encodeCursor(plain.list, &loaders.Position{Key: "SO-1"})
	n := func(i int) json.Number { return json.Number(fmt.Sprint(i)) }
	for name, tt := range map[string]struct {
		args     arguments
		limit    int
		backward bool
		after    bool
	}{
		"nothing":       {arguments{}, 20, false, false},
		"nulls":         {arguments{"first": nil, "after": nil, "where": nil, "orderBy": nil, "last": nil, "before": nil}, 20, false, false},
		"none":          {arguments{"first": n(0)}, 0, false, false},
		"the most":      {arguments{"first": n(500)}, 500, false, false},
		"after":         {arguments{"first": n(5), "after": cursor}, 5, false, true},
		"after alone":   {arguments{"after": cursor}, 20, false, true},
		"last":          {arguments{"last": n(5)}, 5, true, false},
		"before":        {arguments{"last": n(5), "before": cursor}, 5, true, true},
		"before alone":  {arguments{"before": cursor}, 20, true, true},
		"an empty text": {arguments{"after": "", "before": ""}, 20, false, false},
	} {
		conn := compile(tt.args)
		if conn.err != nil || conn.limit != tt.limit || conn.backward != tt.backward || (conn.after != nil) != tt.after {
			t.Errorf("%s: %v, limit %d, backward %t, after %v", name, conn.err, conn.limit, conn.backward, conn.after)
		}
		if conn.list != plain.list {
			t.Errorf("%s: another list", name)
		}
	}
	by := func(fields ...string) []any {
		var out []any
		for _, f := range fields {
			out = append(out, map[string]any{"field": f, "direction": "ASC"})
		}
		return out
	}
	for name, tt := range map[string]struct {
		args  arguments
		field string
	}{
		"first and last":       {arguments{"first": n(1), "last": n(1)}, "last"},
		"after with last":      {arguments{"last": n(1), "after": cursor}, "after"},
		"after and before":     {arguments{"after": cursor, "before": cursor}, "after"},
		"before with first":    {arguments{"first": n(1), "before": cursor}, "before"},
		"too many":             {arguments{"first": n(501)}, "first"},
		"too many at the end":  {arguments{"last": n(501)}, "last"},
		"negative":             {arguments{"first": n(-1)}, "first"},
		"beyond an Int":        {arguments{"first": json.Number("99999999999")}, "first"},
		"ordered by no field":  {arguments{"orderBy": by("NOPE")}, "orderBy.0.field"},
		"ordered twice by one": {arguments{"orderBy": by("GRAND_TOTAL", "GRAND_TOTAL")}, "orderBy.1.field"},
		"another order":        {arguments{"after": cursor, "orderBy": by("GRAND_TOTAL")}, "after"},
		"another filter":       {arguments{"after": cursor, "where": map[string]any{"days": map[string]any{"eq": n(1)}}}, "after"},
		"a bad filter":         {arguments{"where": map[string]any{"days": map[string]any{"eq": "x"}}}, "where.days.eq"},
	} {
		err := compile(tt.args).err
		if coded, ok := apierror.As(err); !ok || coded.Code != apierror.BadUserInput || coded.Field != tt.field {
			t.Errorf("%s: %+v, want BAD_USER_INPUT about %s", name, err, tt.field)
		}
	}
}

func TestAggregateArguments(t *testing.T) {
	t.Parallel()
	e := testEngine()
	compile := func(args string) (*aggregateTask, error) {
		a := &aggregateTask{rootField: rootField{x: &execution{engine: e}}, typ: e.registry.ByName("SalesOrder")}
		v, _ := parseInput(t, args).(map[string]any)
		return a, a.arguments(v)
	}
	for args, want := range map[string]string{
		`{}`:                    `figure_count by - limit 500`,
		`{"groupBy": "STATUS"}`: `figure_count by status - limit 500`,
		`{"first": 7}`:          `figure_count by - limit 7`,
		`{"groupBy": ["STATUS", "CUSTOMER"], "orderBy": [{"by": "SUM", "field": "GRAND_TOTAL", "direction": "DESC"}, {"by": "KEY", "field": "STATUS"}]}`: `figure_sum_grand_total by status customer - figure_sum_grand_total desc status limit 500`,
		`{"orderBy": [{"by": "COUNT"}, {"by": "MAX", "field": "DUE"}, {"by": "COUNT", "direction": "DESC"}]}`:                                            `figure_count figure_max_due by - figure_count figure_max_due figure_count desc limit 500`,
	} {
		a, err := compile(args)
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		var parts []string
		for _, fig := range a.query.Figures {
			parts = append(parts, fig.As)
		}
		parts = append(parts, "by")
		for _, f := range a.query.GroupBy {
			parts = append(parts, f.Column)
		}
		parts = append(parts, "-")
		for _, o := range a.query.Order {
			if o.Key != nil {
				parts = append(parts, o.Key.Column)
			} else {
				parts = append(parts, o.As)
			}
			if o.Desc {
				parts = append(parts, "desc")
			}
		}
		if got := strings.Join(append(parts, fmt.Sprint("limit ", a.query.Limit)), " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", args, got, want)
		}
	}
	for args, field := range map[string]string{
		`{"groupBy": ["NOPE"]}`: "groupBy.0",
		`{"first": 0}`:          "first",
		`{"first": 501}`:        "first",
		`{"where": {"days": 1, "title": {"eq": 1.5e3, "gt": true}}}`: "where.title.gt",
		`{"orderBy": [{"by": "SUM"}]}`:                               "orderBy.0.field",
		`{"orderBy": [{"by": "SUM", "field": "STATUS"}]}`:            "orderBy.0.field",
		`{"orderBy": [{"by": "AVG", "field": "DUE"}]}`:               "orderBy.0.field",
		`{"orderBy": [{"by": "KEY", "field": "STATUS"}]}`:            "orderBy.0.field",
	} {
		_, err := compile(args)
		if coded, ok := apierror.As(err); !ok || coded.Code != apierror.BadUserInput || coded.Field != field {
			t.Errorf("%s: %+v, want BAD_USER_INPUT about %s", args, err, field)
		}
	}
}
