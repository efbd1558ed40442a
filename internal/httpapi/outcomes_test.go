package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/httpapi"
)

// uncertain is how the client of ERPNext says that nobody knows.
func uncertain() error {
	err := apierror.New(apierror.UpstreamTimeout, "ERPNext did not answer in time; it may have made the change")
	err.Extensions = map[string]any{"uncertain": true, "retryAfter": 3}
	return err
}

// changing is the resolver of the fields change and must, which do as their name says.
func changing(ctx context.Context, args map[string]any) (any, error) {
	switch args["name"] {
	case "null":
		return nil, nil
	case "refused":
		return nil, apierror.New(apierror.Validation, "refused")
	case "broken":
		return nil, errors.New("broken")
	case "panic":
		panic("of a resolver")
	case "uncertain":
		return nil, uncertain()
	case "running":
		err := apierror.New(apierror.Conflict, "a request with this key is running")
		err.Extensions = map[string]any{"retryAfter": 3}
		return nil, err
	case "changed":
		return nil, apierror.New(apierror.Conflict, "changed meanwhile")
	case "busy":
		err := apierror.New(apierror.RateLimited, "slow down")
		err.Extensions = map[string]any{"retryAfter": 3}
		return nil, err
	case "bulk": // one of its rows is lost on the way
		graphql.AddError(ctx, &gqlerror.Error{
			Err: uncertain(), Path: append(graphql.GetPath(ctx), ast.PathName("results"), ast.PathIndex(1)),
		})
	case "unread": // the write was done, what was asked of it is hidden
		graphql.AddError(ctx, &gqlerror.Error{
			Err: apierror.New(apierror.Forbidden, "hidden"), Path: append(graphql.GetPath(ctx), ast.PathName("customer")),
		})
		return nil, nil
	case "wait":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return args["name"], ctx.Err()
}

type testOutcome struct{ Field, Outcome string }

// outcomesOf are extensions.outcomes of a reply, as "key:OUTCOME …".
func outcomesOf(t *testing.T, extensions json.RawMessage) string {
	t.Helper()
	if extensions == nil {
		return ""
	}
	var e struct{ Outcomes []testOutcome }
	if err := json.Unmarshal(extensions, &e); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, o := range e.Outcomes {
		out = append(out, o.Field+":"+o.Outcome)
	}
	return strings.Join(out, " ")
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"change": changing, "must": changing}, func(o *httpapi.Options) { o.Limits.ResponseBytes = 1000 })
	large := `"` + strings.Repeat("x", 1000) + `"`
	for name, c := range map[string]struct{ query, want string }{
		"one":            {`mutation { change(name: "x") }`, ""},
		"one failed":     {`mutation { change(name: "refused") }`, ""},
		"one unknown":    {`mutation { change(name: "uncertain") }`, "change:UNKNOWN"},
		"in order":       {`mutation { z: change(name: "x") a: change(name: "refused") m: change(name: "y") }`, "z:DONE a:FAILED m:DONE"},
		"unknown":        {`mutation { a: change(name: "x") b: change(name: "uncertain") }`, "a:DONE b:UNKNOWN"},
		"null":           {`mutation { a: change(name: "null") b: change(name: "broken") c: change(name: "panic") }`, "a:DONE b:FAILED c:FAILED"},
		"done, unread":   {`mutation { a: change(name: "unread") b: change(name: "x") }`, "a:DONE b:DONE"},
		"fragments":      {`mutation { ...A ... { c: change(name: "refused") } } fragment A on Mutation { b: change(name: "x") a: change(name: "x") }`, "b:DONE a:DONE c:FAILED"},
		"skipped":        {`mutation { a: change(name: "x") b: change(name: "y") @skip(if: true) ... @include(if: false) { c: change } }`, ""},
		"merged":         {`mutation { change(name: "x") ... { change(name: "x") } }`, ""},
		"typename":       {`mutation { __typename change(name: "x") }`, ""},
		"data is null":   {`mutation { a: change(name: "x") b: must(name: "refused") c: change(name: "null") }`, "a:DONE b:FAILED c:DONE"},
		"null, unknown":  {`mutation { a: must(name: "uncertain") b: change(name: "uncertain") }`, "a:UNKNOWN b:UNKNOWN"},
		"running":        {`mutation { change(name: "running") }`, "change:UNKNOWN"},
		"conflict, busy": {`mutation { a: change(name: "changed") b: change(name: "busy") }`, "a:FAILED b:FAILED"},
		"bulk":           {`mutation { a: change(name: "bulk") }`, "a:UNKNOWN"},
		"bulk, null":     {`mutation { a: must(name: "bulk") b: must(name: "refused") }`, "a:UNKNOWN b:FAILED"},
		"too large":      {`mutation { a: change(name: ` + large + `) b: change(name: "refused") }`, "a:DONE b:FAILED"},
		"one, too large": {`mutation { a: change(name: ` + large + `) }`, ""},
		"a query":        {`{ a b }`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, c.query, nil)
			if out := outcomesOf(t, got.has["extensions"]); out != c.want {
				t.Errorf("%q, want %q: %s", out, c.want, got.body)
			}
		})
	}
}

// TestOutcomesAfterTheDeadline: what had no time to run has failed, and may be sent again.
func TestOutcomesAfterTheDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"change": changing}, func(o *httpapi.Options) { o.Limits.Time = 20 * time.Millisecond })
	got := b.query(t, `mutation { a: change(name: "x") b: change(name: "wait") c: change(name: "y") }`, nil)
	if out := outcomesOf(t, got.has["extensions"]); out != "a:DONE b:FAILED c:FAILED" {
		t.Errorf("%s: %s", out, got.body)
	}
	if log := b.log.String(); !strings.Contains(log, `"outcomes":{"done":1,"failed":2,"unknown":0}`) {
		t.Errorf("log: %s", log)
	}
}

// TestOutcomesOnSockets: a mutation there runs its fields in order too, and has one
// answer. No Idempotency-Key holds for it: the handshake's would be that of all.
func TestOutcomesOnSockets(t *testing.T) {
	t.Parallel()
	order := make(chan any, 10)
	b := setup(t, map[string]resolver{"change": func(ctx context.Context, args map[string]any) (any, error) {
		order <- args["name"]
		if key := httpapi.IdempotencyKey(ctx); key != "" {
			t.Errorf("key %q", key)
		}
		return changing(ctx, args)
	}}, nil)
	client := b.dial(t, map[string]string{"Idempotency-Key": "abc"})
	client.init("")
	client.subscribe("1", `mutation { b: change(name: "x") a: change(name: "null") }`)
	client.want(`{"id":"1","type":"next","payload":{"data":{"a":null,"b":"x"},"extensions":{"outcomes":[{"field":"b","outcome":"DONE"},{"field":"a","outcome":"DONE"}]}}}`)
	client.want(`{"id":"1","type":"complete"}`)
	if first, second := await(t, order), await(t, order); first != "x" || second != "null" {
		t.Errorf("ran %v, %v", first, second)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	keys := make(chan string, 10)
	note := func(ctx context.Context, _ map[string]any) (any, error) {
		keys <- httpapi.IdempotencyKey(ctx)
		return "x", nil
	}
	b := setup(t, map[string]resolver{"change": note, "a": note}, nil)
	every := make([]byte, 0, 94)
	for c := byte('!'); c <= '~'; c++ {
		every = append(every, c)
	}
	for name, c := range map[string]struct {
		sent []string
		ok   bool
	}{
		"none":      {nil, true},
		"uuid":      {[]string{"8e03978e-40d5-43dd-bc93-6894a57f9324"}, true},
		"quoted":    {[]string{`"abc"`}, true},
		"all":       {[]string{string(every)}, true},
		"longest":   {[]string{long(255)}, true},
		"longer":    {[]string{long(256)}, false},
		"empty":     {[]string{""}, false},
		"space":     {[]string{"a b"}, false},
		"tab":       {[]string{"a\tb"}, false},
		"not ASCII": {[]string{"schlüssel"}, false},
		"twice":     {[]string{"a", "b"}, false},
		"the same":  {[]string{"a", "a"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.do(t, call{body: `{"query":"mutation { change }"}`, headers: map[string][]string{"Idempotency-Key": c.sent}})
			if !c.ok {
				got.wantError(t, "BAD_USER_INPUT", "Idempotency-Key")
				if got.status != 400 || len(keys) > 0 {
					t.Errorf("%d, %d ran", got.status, len(keys))
				}
				return
			}
			if key := await(t, keys); got.status != 200 || key != strings.Join(c.sent, "") {
				t.Errorf("%d key %q, want %q", got.status, key, c.sent)
			}
			got = b.do(t, call{body: `{"query":"{ a }"}`, headers: map[string][]string{"Idempotency-Key": c.sent}})
			if key := await(t, keys); got.status != 200 || key != "" {
				t.Errorf("a query: %d, key %q", got.status, key)
			}
		})
	}
	if key := httpapi.IdempotencyKey(t.Context()); key != "" {
		t.Errorf("outside of a request: %q", key)
	}
}

func TestCostOfMutations(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.Limits.Cost = 1000 })
	inputs := func(n int) map[string]any {
		list := make([]any, n)
		for i := range list {
			list[i] = map[string]any{"name": "x"}
		}
		return map[string]any{"inputs": list}
	}
	const create = `mutation($inputs: [CustomerInput!]!) { createCustomers(inputs: $inputs) { results { name customer { name } } messages } }`
	fields := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(" f" + strings.Repeat("x", i) + ": change")
		}
		return "mutation { __typename" + b.String() + " }"
	}
	for name, c := range map[string]struct {
		query     string
		variables map[string]any
		cost      float64 // 0 where it is within the limit
	}{
		"nine fields":        {fields(9), nil, 0},
		"eleven":             {fields(11), nil, 1101},
		"skipped":            {`mutation { a: change ` + strings.Repeat("b: change @skip(if: true) ", 20) + `}`, nil, 0},
		"inputs":             {create, inputs(8), 0},     // 100 + 8·100 + results 1 + 8·3, messages 1 + 8
		"more inputs":        {create, inputs(10), 1142}, // … + 31 + 11
		"one, not in a list": {create, map[string]any{"inputs": map[string]any{}}, 0},
		"literal":            {`mutation { createCustomers(inputs: [` + strings.Repeat("{},", 10) + `]) { messages } }`, nil, 1111},
		"of strings too":     {`mutation { createCustomers(inputs: [{},{},{},{},{}], tags: ["a","b","c","d","e"]) { messages } }`, nil, 1111},
		"a query of a list":  {`query($ids: [ID!]!) { nodes(ids: $ids) { name } }`, map[string]any{"ids": many(500)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, c.query, c.variables)
			if c.cost == 0 {
				if got.status != 200 {
					t.Errorf("%d %s", got.status, got.body)
				}
				return
			}
			got.wantError(t, "COST_LIMIT", "")
			if got.errors[0].Extensions["actual"] != c.cost {
				t.Errorf("%v, want %v", got.errors[0].Extensions, c.cost)
			}
		})
	}
}
