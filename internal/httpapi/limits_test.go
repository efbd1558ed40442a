package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
	"erpgraph/internal/httpapi"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) {
		o.Limits = httpapi.Limits{DocumentTokens: 300, Depth: 6, Aliases: 5, RootFields: 4, Cost: 1000}
	})
	for name, c := range map[string]struct {
		query     string
		variables map[string]any
		limit     string // "" for an operation that is allowed
		actual    any
		part      string
	}{
		"depth":               {`{ customer(name: "x") { group { group { group { group { group { name } } } } } } }`, nil, "depth", 7.0, "7 levels"},
		"depth fragments":     {`{ customer(name: "x") { ...A } } fragment A on Customer { group { group { ...B } } } fragment B on Customer { group { group { group { name } } } }`, nil, "depth", 7.0, "7 levels"},
		"depth ok":            {`{ customer(name: "x") { group { group { group { group { name } } } } } }`, nil, "", nil, ""},
		"aliases":             {`{ customer(name: "x") { a: name b: name c: name d: name e: name f: name } }`, nil, "aliases", 6.0, "6 aliases"},
		"aliases by spread":   {`{ customer(name: "x") { ...A group { ...A } } } fragment A on Customer { a: name b: name c: name }`, nil, "aliases", 6.0, ""},
		"aliases ok":          {`{ customer(name: "x") { name: name a: name b: name c: name d: name e: name } }`, nil, "", nil, ""},
		"aliases doubling":    {doubling(24, "n: name"), nil, "aliases", 16777216.0, ""},
		"root fields":         {`{ a b c echo customer(name: "x") { name } }`, nil, "rootFields", 5.0, ""},
		"root in fragment":    {`{ ...A ... { b c } } fragment A on Query { a echo __typename }`, nil, "rootFields", 5.0, ""},
		"other operation":     {`query A { a } query B { a b c echo __typename }`, nil, "rootFields", 5.0, ""},
		"repeats":             {`{ customer(name: "x") {` + strings.Repeat(" name", 101) + `} }`, nil, "repeatedFields", 101.0, "write each field once"},
		"repeats ok":          {`{ customer(name: "x") {` + strings.Repeat(" name", 100) + `} }`, nil, "", nil, ""},
		"tokens":              {"{ " + strings.Repeat("a ", 300) + "}", nil, "documentTokens", nil, "300 tokens"},
		"comments":            {"{ a }" + strings.Repeat("#x\n", 300), nil, "documentTokens", nil, "300 tokens"},
		"cost":                {`{ customers(first: 1000) { nodes { name } } }`, nil, "cost", 1002.0, "1002"},
		"cost variable":       {`query($n: Int) { customers(first: $n) { nodes { name } } }`, map[string]any{"n": 1000}, "cost", 1002.0, ""},
		"cost default":        {`query($n: Int = 1000) { customers(first: $n) { nodes { name } } }`, nil, "cost", 1002.0, ""},
		"cost last":           {`{ customers(last: 1000) { edges { node { name } } } }`, nil, "cost", 2002.0, ""},
		"cost nested":         {`{ customers(first: 30) { nodes { orders(first: 30) { nodes { name } } } } }`, nil, "", nil, ""},
		"cost nested more":    {`{ customers(first: 40) { nodes { orders(first: 40) { nodes { name } } } } }`, nil, "cost", 1682.0, ""},
		"cost huge":           {`{ customers(first: 2147483647) { nodes { orders(first: 2147483647) { nodes { name } } } } }`, nil, "cost", nil, "more than 1000"},
		"cost huger":          {`query($n: Int) { customers(first: $n) { nodes { name } } }`, map[string]any{"n": int64(1) << 62}, "cost", nil, "more than 1000"},
		"cost by fragment":    {doublingNested(12), nil, "depth", nil, ""},
		"cost of ids":         {`query($ids: [ID!]!) { nodes(ids: $ids) { name } }`, map[string]any{"ids": many(1000)}, "cost", 1001.0, ""},
		"cost of json":        {`{ documents(first: 999) { nodes } }`, nil, "cost", 1001.0, ""},
		"cost of doctypes":    {`query($d: [String!]!) { search(doctypes: $d, first: 100) { name } }`, map[string]any{"d": many(10)}, "cost", 1001.0, ""},
		"cost of one doctype": {`{ search(doctypes: "Item", first: 100) { name } }`, nil, "", nil, ""},
		"cost of fields":      {`{ documents(first: 500, fields: ["name", "title", "status"]) { nodes } }`, nil, "cost", 1502.0, ""},
		"cost of no fields":   {`{ documents(first: 500, fields: []) { nodes } }`, nil, "", nil, ""},
		"cost of groups":      {`query($n: Int) { groups(first: $n) { name group { name } } }`, nil, "cost", 1501.0, ""},
		"cost of groups null": {`{ groups(first: null) { name group { name } } }`, nil, "cost", 1501.0, ""},
		"cost of few groups":  {`{ groups(first: 5) { name group { name } } }`, nil, "", nil, ""},
		"cost of arg default": {`{ plain { name } }`, nil, "", nil, ""},
		"cost default page":   {`{ customers { nodes { orders { nodes { name group { name } } } } } }`, nil, "cost", 1242.0, ""},
		"cost negative":       {`{ customers(first: -5) { nodes { name } } }`, nil, "", nil, ""},
		"cost merged":         {`{ customers(first: 900) { nodes { name } ... { nodes { name } } } }`, nil, "", nil, ""},
		"cost skipped":        {`query($no: Boolean = false) { customers(first: 1000) @include(if: $no) { nodes { name } } a }`, nil, "", nil, ""},
		"cost page info":      {`{ customers(first: 900) { pageInfo { hasNextPage } totalCount nodes { name } } }`, nil, "", nil, ""},
		"cost rows":           {`{ plain(first: 50) { rows { item { name } } tags } }`, nil, "cost", 1101.0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, c.query, c.variables)
			if c.limit == "" {
				if got.status != 200 || got.errors != nil {
					t.Errorf("%d %s, want no error", got.status, got.body)
				}
				return
			}
			if got.status != 400 {
				t.Errorf("status %d", got.status)
			}
			got.wantError(t, "COST_LIMIT", c.part)
			if e := got.errors[0].Extensions; e["limit"] != c.limit || c.actual != nil && e["actual"] != c.actual {
				t.Errorf("extensions %v, want %s with %v", e, c.limit, c.actual)
			}
		})
	}
}

func many(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return out
}

// doubling spreads each fragment twice in the one before: 2^n times the leaf.
func doubling(n int, leaf string) string {
	var b strings.Builder
	b.WriteString(`{ customer(name: "x") { ...F0 } }`)
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Customer { ...F%d ...F%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Customer { %s }", n, leaf)
	return b.String()
}

// doublingNested does so below fields of different keys, which merge to nothing less.
func doublingNested(n int) string {
	var b strings.Builder
	b.WriteString(`{ customer(name: "x") { ...F0 } }`)
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Customer { group { ...F%d } rows { item { ...F%d } } }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Customer { name }", n)
	return b.String()
}

func TestDocumentsThatAttack(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.Limits.Depth = 60 })
	for name, document := range map[string]string{
		"cycle":            `{ customer(name: "x") { ...A } } fragment A on Customer { ...B } fragment B on Customer { ...A }`,
		"self":             `{ customer(name: "x") { ...A } } fragment A on Customer { group { ...A } }`,
		"nested":           strings.Repeat("{a", 2000),
		"nested values":    `{ echo(text: ` + strings.Repeat("[", 2000) + `) }`,
		"missing fragment": `{ ...A }`,
		"exponential":      doublingNested(20),
		"big number":       `{ echo(n: 99999999999999999999) }`,
		"big float":        `{ echo(ratio: 1e999) }`,
		"big scalar":       `{ ...A } fragment A on Query { ... { echo(any: [{ n: 99999999999999999999 }]) } }`,
		"big directive":    `query @skip(if: 99999999999999999999) { a }`,
		"big in list":      `{ customer(name: "x") @include(if: true) { ... @skip(if: false) { name } } echo(limit: { max: 99999999999999999999 }) }`,
		"big default":      `query($n: Int = 99999999999999999999) { echo(n: $n) }`,
		"defer":            `{ ... @defer { a } }`,
		"lone surrogate":   "{ echo(text: \"\\uD800\") ",
		"same field":       "{ customer(name: \"x\") {" + strings.Repeat(" name", 4000) + "} }",
		"nul":              "{ a \x00 }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, document, nil)
			if got.status != 400 || len(got.errors) == 0 {
				t.Errorf("%d %.300s", got.status, got.body)
			}
			for _, e := range got.errors {
				if code := e.Extensions["code"]; code != "BAD_USER_INPUT" && code != "COST_LIMIT" {
					t.Errorf("code %v %s", code, e.Message)
				}
			}
		})
	}
}

func TestBeforeExecute(t *testing.T) {
	t.Parallel()
	executed := false
	b := setup(t, map[string]resolver{"a": func(context.Context, map[string]any) (any, error) {
		executed = true
		return nil, nil
	}}, func(o *httpapi.Options) {
		o.Hooks.BeforeExecute = func(ctx context.Context, op *graphql.OperationContext) error {
			if graphql.GetOperationContext(ctx) != op || op.Variables["n"] == nil {
				t.Error("the hook does not see the operation")
			}
			err := apierror.New(apierror.CostLimit, "the plan needs 7 upstream calls, the limit is 5")
			err.Extensions = map[string]any{"limit": "upstreamCalls"}
			return err
		}
	})
	got := b.query(t, `query($n: Int) { a echo(n: $n) }`, map[string]any{"n": 1})
	got.wantError(t, "COST_LIMIT", "7 upstream calls")
	if got.status != 400 || executed || got.has["data"] != nil || got.errors[0].Extensions["limit"] != "upstreamCalls" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestRefusedByTheEngine: under the newer media type the status tells the code.
func TestRefusedByTheEngine(t *testing.T) {
	t.Parallel()
	for code, status := range map[apierror.Code]int{
		apierror.Unauthenticated: 401, apierror.Forbidden: 403, apierror.RateLimited: 429, apierror.UpstreamUnavailable: 503,
		apierror.UpstreamTimeout: 504, apierror.Internal: 500, apierror.BadUserInput: 400, apierror.NotFound: 400,
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, func(o *httpapi.Options) {
				o.Hooks.BeforeExecute = func(context.Context, *graphql.OperationContext) error {
					if code == apierror.Internal {
						return errors.New("hidden")
					}
					return apierror.New(code, "refused")
				}
			})
			message := "refused"
			if code == apierror.Internal {
				message = "internal error"
			}
			got := b.query(t, "{ a }", nil)
			got.wantError(t, string(code), message)
			if got.status != status || strings.Contains(got.body, "hidden") {
				t.Errorf("status %d, want %d: %s", got.status, status, got.body)
			}
			if (got.header.Get("WWW-Authenticate") != "") != (status == 401) {
				t.Errorf("WWW-Authenticate %q", got.header.Get("WWW-Authenticate"))
			}
			if old := b.do(t, call{body: `{"query":"{ a }"}`}); old.status != 200 {
				t.Errorf("application/json: %d", old.status)
			}
		})
	}
}
