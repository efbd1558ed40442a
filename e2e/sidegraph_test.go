package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/app"
	"erpgraph/internal/engine"
	"erpgraph/internal/schemagen"
	"erpgraph/schema"
)

// sideGraph makes the graph of a doctypes.yml of its own, as an author does it: pull the
// facts from the site, print the SDL. Only the generated Go is missing; the engine needs
// none but for hand-written fields.
func sideGraph(tb testing.TB, siteURL, doctypes string) *app.Graph {
	tb.Helper()
	dir := tb.TempDir()
	for _, name := range []string{"core.graphqls", "directives.graphqls", "filters.graphqls", "events.graphqls"} {
		text, err := os.ReadFile(filepath.Join("..", "schema", name))
		if err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "doctypes.yml"), []byte(doctypes), 0o600); err != nil {
		tb.Fatal(err)
	}
	site, err := schemagen.NewSite(siteURL, admin)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := schemagen.Pull(tb.Context(), dir, site); err != nil {
		tb.Fatal(err)
	}
	return graphOf(tb, dir)
}

// graphOf generates the graph of a schema folder, without Go code.
func graphOf(tb testing.TB, dir string) *app.Graph {
	tb.Helper()
	registry, _, err := schemagen.GenerateSDL(dir)
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := schema.ParseFS(os.DirFS(dir))
	if err != nil {
		tb.Fatal(err)
	}
	return &app.Graph{Registry: registry, Executable: func(e *engine.Engine, _ app.Options) (graphql.ExecutableSchema, error) {
		return &sideSchema{engine: e, parsed: parsed}, nil
	}}
}

// sideSchema executes a graph of generated root fields alone, in the way of gqlgen's
// generated code.
type sideSchema struct {
	engine *engine.Engine
	parsed *ast.Schema
}

func (s *sideSchema) Schema() *ast.Schema { return s.parsed }

func (s *sideSchema) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

func (s *sideSchema) Exec(context.Context) graphql.ResponseHandler {
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		op := graphql.GetOperationContext(ctx)
		root := map[ast.Operation]string{ast.Query: "Query", ast.Mutation: "Mutation"}[op.Operation.Operation]
		data := []byte{'{'}
		for i, f := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{root}) {
			if i > 0 {
				data = append(data, ',')
			}
			data = append(strconv.AppendQuote(data, f.Alias), ':')
			ctx := graphql.WithRootFieldContext(ctx, &graphql.RootFieldContext{Object: root, Field: f})
			w := new(jsonWriter)
			op.RootResolverMiddleware(ctx, func(ctx context.Context) graphql.Marshaler {
				answer := s.field(ctx, root, f)
				return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(answer) })
			}).MarshalGQL(w)
			data = append(data, w.b...)
		}
		return &graphql.Response{Data: append(data, '}')}
	}
}

func (s *sideSchema) field(ctx context.Context, root string, f graphql.CollectedField) (out json.RawMessage) {
	op := graphql.GetOperationContext(ctx)
	ctx = graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: root, Field: f})
	defer func() {
		if p := recover(); p != nil {
			graphql.AddError(ctx, op.Recover(ctx, p))
			out = json.RawMessage("null")
		}
	}()
	result, err := s.engine.Resolve(ctx)
	switch {
	case err != nil:
		graphql.AddError(ctx, err)
		return json.RawMessage("null")
	case result == nil:
		return json.RawMessage("null")
	default:
		w := new(jsonWriter)
		if err := result.MarshalGQLContext(ctx, w); err != nil {
			panic(err)
		}
		return w.b
	}
}

type jsonWriter struct{ b []byte }

func (w *jsonWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// ticketDocTypes is a graph with the DocType that has a field of each kind.
const ticketDocTypes = `
include: {hidden: false}
exclude_fields: [internal_token]
doctypes:
  Service Ticket: {}
  Service Tag: {}
  Service Report: {}
  Customer: {}
  Item: {}
  Currency: {}
  File: {}
`
