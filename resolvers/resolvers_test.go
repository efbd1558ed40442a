package resolvers_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/graph"
	"erpgraph/internal/doctype"
	"erpgraph/internal/engine"
	"erpgraph/loaders"
	"erpgraph/resolvers"
	"erpgraph/schema"
)

// nothing answers every root field with null and notes which it was.
type nothing struct {
	resolvers.Engine // what reading needs not

	mu    sync.Mutex
	asked []string
}

func (n *nothing) Resolve(ctx context.Context) (*engine.Result, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, graphql.GetFieldContext(ctx).Field.Name)
	return nil, nil
}

// Subscribe begins a subscription that ends at once, and notes which it was.
func (n *nothing) Subscribe(ctx context.Context) (<-chan *engine.Result, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, graphql.GetFieldContext(ctx).Field.Name)
	events := make(chan *engine.Result)
	close(events)
	return events, nil
}

// execute runs a query through gqlgen, as the server does.
func execute(t *testing.T, es graphql.ExecutableSchema, query string) (string, gqlerror.List) {
	t.Helper()
	exec := executor.New(es)
	exec.Use(introspected{})
	ctx := graphql.StartOperationTrace(t.Context())
	op, errs := exec.CreateOperationContext(ctx, &graphql.RawParams{Query: query})
	if errs != nil {
		return "", errs
	}
	run, ctx := exec.DispatchOperation(ctx, op)
	response := run(ctx)
	return string(response.Data), response.Errors
}

// introspected switches introspection on.
type introspected struct{}

func (introspected) ExtensionName() string                   { return "introspected" }
func (introspected) Validate(graphql.ExecutableSchema) error { return nil }
func (introspected) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	op.DisableIntrospection = false
	return nil
}

func newSchema(t *testing.T, r *resolvers.Resolver) graphql.ExecutableSchema {
	t.Helper()
	sdl, err := schema.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return graph.New(sdl, r)
}

// gqlgen knows only a pruned schema, but clients see the whole one.
func TestExecutableSchema(t *testing.T) {
	t.Parallel()
	stub := &nothing{}
	es := newSchema(t, &resolvers.Resolver{Engine: stub, Now: time.Now})
	for name, c := range map[string]struct{ query, data, err string }{
		"roots with arguments": {
			query: `{ me { user } so: salesOrder(name: "x") { items { itemCode { name } } customer { ... on Document { name } } } }`,
			data:  `{"me":null,"so":null}`,
		},
		"typename": {query: `{ __typename }`, data: `{"__typename":"Query"}`},
		"introspection": {
			query: `{ __type(name: "ServiceVisitStatus") { enumValues { name } } }`,
			data:  `{"__type":{"enumValues":[{"name":"PLANNED"},{"name":"DONE"},{"name":"CANCELLED"}]}}`,
		},
		"no stand-in shows": {query: `{ __type(name: "_Result") { name } }`, data: `{"__type":null}`},
		"unknown field":     {query: `{ salesOrder(name: "x") { nope } }`, err: `Cannot query field "nope"`},
		"defer":             {query: `{ ... @defer { me { user } } }`, err: "defer"},
		"wrong argument":    {query: `{ salesOrder(name: 1) { name } }`, err: "String cannot represent"},
	} {
		t.Run(name, func(t *testing.T) {
			data, errs := execute(t, es, c.query)
			if c.err != "" {
				if !strings.Contains(errs.Error(), c.err) {
					t.Errorf("errors %v, want %q", errs, c.err)
				}
				return
			}
			if len(errs) > 0 || data != c.data {
				t.Errorf("got %s, %v; want %s", data, errs, c.data)
			}
		})
	}
	if len(stub.asked) != 2 {
		t.Errorf("the engine was asked for %v", stub.asked)
	}
}

// Every generated subscription is begun by the engine.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	sdl, err := schema.Parse()
	if err != nil {
		t.Fatal(err)
	}
	stub := &nothing{}
	exec := executor.New(graph.New(sdl, &resolvers.Resolver{Engine: stub, Now: time.Now}))
	var want []string
	for _, f := range sdl.Subscription.Fields {
		want = append(want, f.Name)
		ctx := graphql.StartOperationTrace(t.Context())
		op, errs := exec.CreateOperationContext(ctx, &graphql.RawParams{Query: "subscription { " + f.Name + " { cursor } }"})
		if errs != nil {
			t.Fatal(errs)
		}
		run, ctx := exec.DispatchOperation(ctx, op)
		if response := run(ctx); response != nil {
			t.Errorf("%s: %s, %v after its end", f.Name, response.Data, response.Errors)
		}
	}
	if diff := cmp.Diff(want, stub.asked); diff != "" {
		t.Errorf("-SDL +engine:\n%s", diff)
	}
}

func TestDaysLeft(t *testing.T) {
	t.Parallel()
	reg, _, err := doctype.Load(schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", 5*3600+1800))
	r := &resolvers.Resolver{Now: func() time.Time { return now }}
	for end, want := range map[string]int{`"2026-03-01"`: 0, `"2026-03-02"`: 1, `"2026-02-27"`: -2, `"2027-03-01"`: 365} {
		row := loaders.NewRow(reg.ByName("ServiceContract"), "1", map[string]jsontext.Value{"end_date": jsontext.Value(end)})
		got, err := r.ServiceContract().DaysLeft(t.Context(), row)
		if err != nil || got == nil || *got != want {
			t.Errorf("until %s: %v, %v; want %d", end, got, err, want)
		}
	}
	open := loaders.NewRow(reg.ByName("ServiceContract"), "1", map[string]jsontext.Value{"end_date": jsontext.Value("null")})
	if got, err := r.ServiceContract().DaysLeft(t.Context(), open); err != nil || got != nil {
		t.Errorf("open-ended: %v, %v", got, err)
	}
}
