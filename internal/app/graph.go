package app

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/graph"
	"erpgraph/internal/doctype"
	"erpgraph/internal/engine"
	"erpgraph/resolvers"
	"erpgraph/schema"
)

// Graph is what clients see: the types, and what answers queries of them.
type Graph struct {
	Registry *doctype.Registry
	// Executable makes the schema that the engine answers, and binds hand-written fields.
	Executable func(e *engine.Engine, opts Options) (graphql.ExecutableSchema, error)
}

// builtIn is the graph that this program was built with.
func builtIn() (*Graph, error) {
	registry, _, err := doctype.Load(schema.FS)
	if err != nil {
		return nil, fmt.Errorf("load the schema: %w", err)
	}
	return &Graph{Registry: registry, Executable: generated}, nil
}

// generated is the schema of generated and hand-written code.
func generated(e *engine.Engine, opts Options) (graphql.ExecutableSchema, error) {
	parsed, err := schema.Parse()
	if err != nil {
		return nil, err
	}
	executable := graph.New(parsed, &resolvers.Resolver{Engine: e, Now: opts.Now})
	e.Bind(func(ctx context.Context, typename string, f graphql.CollectedField, row *engine.Row) (graphql.Marshaler, bool) {
		return graph.CustomField(ctx, executable, typename, f, row)
	})
	return executable, nil
}
