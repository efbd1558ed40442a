package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/httpapi"
)

// sdl is a small graph of the shapes that the real one has.
const sdl = `
directive @idempotent(key: String!) on FIELD
directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
scalar JSON
type Query {
  a: String  b: String  c: String
  echo(text: String, n: Int, limit: Limit, ratio: Float, any: JSON): String
  needsLimit(limit: Limit!): String
  customer(name: String!): Customer
  customers(first: Int, last: Int, after: String): CustomerConnection!
  plain(first: Int = 7): [Customer!]!
  nodes(ids: [ID!]!): [Customer]!
  documents(first: Int, fields: [String!]): DocumentConnection!
  search(doctypes: [String!]!, first: Int): [Customer!]
  groups(first: Int = 500): [Customer!]
}
scalar Upload
type Mutation {
  change(name: String): String
  must(name: String): String!
  store(file: Upload, files: [Upload!], input: FileInput, any: JSON): String
  createCustomers(inputs: [CustomerInput!]!, tags: [String!]): CustomersPayload
}
input FileInput { file: Upload, files: [Upload], name: String }
input CustomerInput { name: String }
type CustomersPayload { results: [CustomerResult!]! messages: [String!]! }
type CustomerResult { name: String customer: Customer }
type Subscription { changed(name: String): String }
input Limit { max: Int! }
type Customer { name: String! tags: [String!]! rows: [Row!]! group: Customer orders(first: Int): CustomerConnection! }
type Row { idx: Int item: Customer }
type CustomerConnection { nodes: [Customer!]! edges: [Edge!]! pageInfo: Info! totalCount: Int! }
type Edge { cursor: String node: Customer }
type Info { hasNextPage: Boolean! }
type DocumentConnection { nodes: [JSON!]! }
`

// resolver answers one root field.
type resolver func(ctx context.Context, args map[string]any) (any, error)

// testBundle is a server over the small graph, and what it logged.
type testBundle struct {
	url     string
	handler http.Handler
	log     *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// setup starts a server; resolvers replace the stock ones, change bends the options.
func setup(t testing.TB, resolvers map[string]resolver, change func(*httpapi.Options)) *testBundle {
	t.Helper()
	log := &logBuffer{}
	o := httpapi.Options{
		Schema:        executable(t, resolvers),
		Introspection: true,
		Logger:        slog.New(slog.NewJSONHandler(log, nil)),
	}
	if change != nil {
		change(&o)
	}
	handler, err := httpapi.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return &testBundle{url: server.URL, handler: handler, log: log}
}

// executable is a schema with a small interpreter: root fields by resolvers,
// their values as the resolvers give them.
func executable(t testing.TB, resolvers map[string]resolver) graphql.ExecutableSchema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "test.graphqls", Input: sdl})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]resolver{
		"__typename": func(context.Context, map[string]any) (any, error) { return "Query", nil },
		"echo":       func(_ context.Context, args map[string]any) (any, error) { return args["text"], nil },
	}
	maps.Copy(all, resolvers)
	return &graphql.ExecutableSchemaMock{
		SchemaFunc:     func() *ast.Schema { return schema },
		ComplexityFunc: func(context.Context, string, string, int, map[string]any) (int, bool) { return 0, false },
		ExecFunc: func(ctx context.Context) graphql.ResponseHandler {
			if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
				return subscribe(ctx, all)
			}
			return func(ctx context.Context) *graphql.Response { return &graphql.Response{Data: execute(ctx, all)} }
		},
	}
}

// events is what the resolver of a subscription's field gives; each is made in the
// context of its own response, as a generated schema resolves what is below the field.
type events <-chan func(ctx context.Context) any

// subscribe is the source of a subscription, as gqlgen generates it: errors of the
// resolver go to ctx, a closed channel ends it.
func subscribe(ctx context.Context, resolvers map[string]resolver) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	f := graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Subscription"})[0]
	ctx = graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: "Subscription", Field: f, Args: f.ArgumentMap(op.Variables)})
	value, err := resolvers[f.Name](ctx, f.ArgumentMap(op.Variables))
	source, ok := value.(events)
	if err != nil || !ok {
		graphql.AddError(ctx, err)
		return nil
	}
	return func(ctx context.Context) *graphql.Response {
		select {
		case event, ok := <-source:
			if !ok {
				return nil
			}
			data, err := json.Marshal(map[string]any{f.Alias: event(ctx)})
			if err != nil {
				panic(err)
			}
			return &graphql.Response{Data: data}
		case <-ctx.Done():
			return nil
		}
	}
}

func execute(ctx context.Context, resolvers map[string]resolver) json.RawMessage {
	op := graphql.GetOperationContext(ctx)
	object := "Query"
	if op.Operation.Operation == ast.Mutation {
		object = "Mutation"
	}
	data, invalid := make(map[string]any), false
	for _, f := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{object}) {
		field := graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: object, Field: f, Args: f.ArgumentMap(op.Variables)})
		value := resolveOne(field, op, f, resolvers[f.Name])
		data[f.Alias] = value
		invalid = invalid || value == nil && object == "Mutation" && f.Definition.Type.NonNull
	}
	if invalid {
		return json.RawMessage("null")
	}
	out, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return out
}

func resolveOne(ctx context.Context, op *graphql.OperationContext, f graphql.CollectedField, resolve resolver) (value any) {
	if resolve == nil {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			op.Error(ctx, op.Recover(ctx, r))
			value = nil
		}
	}()
	value, err := resolve(ctx, f.ArgumentMap(op.Variables))
	if err != nil {
		op.Error(ctx, graphql.AddFieldLocationToError(ctx, err))
		return nil
	}
	return value
}

// reply is a response read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	// has and errors are of the body, when it is a JSON object.
	has    map[string]json.RawMessage
	errors []replyError
}

type replyError struct {
	Message    string           `json:"message"`
	Path       []any            `json:"path"`
	Locations  []map[string]int `json:"locations"`
	Extensions map[string]any   `json:"extensions"`
}

// call is one request; the zero fields are a POST of JSON to /graphql.
type call struct {
	method, path, body string
	header             map[string]string
	headers            http.Header
	noContentType      bool
}

func (b *testBundle) do(t testing.TB, c call) reply {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = "/graphql"
	}
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	r, err := http.NewRequestWithContext(t.Context(), c.method, b.url+c.path, body)
	if err != nil {
		t.Fatal(err)
	}
	if c.method == http.MethodPost && !c.noContentType {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	maps.Copy(r.Header, c.headers)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := reply{status: response.StatusCode, header: response.Header, body: string(text)}
	if json.Unmarshal(text, &out.has) == nil {
		if raw, ok := out.has["errors"]; ok {
			if err := json.Unmarshal(raw, &out.errors); err != nil {
				t.Fatalf("errors: %v in %s", err, text)
			}
		}
	}
	return out
}

// query posts a document with variables, accepting the GraphQL media type.
func (b *testBundle) query(t testing.TB, document string, variables map[string]any) reply {
	t.Helper()
	return b.do(t, call{body: params(t, document, variables), header: map[string]string{"Accept": graphqlJSON}})
}

func params(t testing.TB, document string, variables map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

const (
	graphqlJSON = "application/graphql-response+json"
	plainJSON   = "application/json"
)

// wantError checks the first error's code and a part of its message, and what
// holds for every error: a request id, equal to the header's.
func (r reply) wantError(t testing.TB, code, part string) {
	t.Helper()
	if len(r.errors) == 0 {
		t.Fatalf("no error, want %s: %d %s", code, r.status, r.body)
	}
	for _, e := range r.errors {
		if id := e.Extensions["requestId"]; id == nil || id != r.header.Get("X-Request-Id") {
			t.Errorf("requestId %v, header %q", id, r.header.Get("X-Request-Id"))
		}
	}
	if e := r.errors[0]; e.Extensions["code"] != code || !strings.Contains(e.Message, part) {
		t.Errorf("error %v %q, want %s with %q", e.Extensions["code"], e.Message, code, part)
	}
}
