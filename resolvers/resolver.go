// Package resolvers answers the graph's fields. Root fields are generated one-liners
// over the engine (*.gen.go); hand-written fields live in *.resolvers.go, one file for
// each SDL file of the custom app.
package resolvers

import (
	"context"
	"time"

	"erpgraph/internal/engine"
	"erpgraph/internal/write"
)

// Resolver is what resolvers need. It is made once and shared by all requests.
type Resolver struct {
	// Engine answers a root field with all of its selection.
	Engine Engine
	// Now is the clock; time.Now in production.
	Now func() time.Time
}

// Engine answers the root field or subscription that is being resolved in ctx.
type Engine interface {
	// Resolve gives the finished answer; nil stands for null. The error is already
	// coded (package apierror).
	Resolve(ctx context.Context) (*engine.Result, error)
	// Subscribe begins a subscription. Its events come on the channel until it is closed:
	// when ctx ends, or after an error that the engine has told the transport.
	Subscribe(ctx context.Context) (<-chan *engine.Result, error)
	// Writer gives a hand-written mutation the Writer of its caller.
	Writer(ctx context.Context) (*write.Writer, error)
	// Written is the answer of a hand-written mutation that shows what was written.
	Written(ctx context.Context, r *write.Result) (*engine.Result, error)
}
