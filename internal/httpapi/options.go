package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// Options is what the composition root gives. Only Schema is required.
type Options struct {
	Schema graphql.ExecutableSchema
	// Limits bounds every operation; fields that are zero take DefaultLimits.
	Limits Limits
	// Introspection lets clients ask for __schema and __type, without a credential too.
	Introspection bool
	// Hooks connects the engine.
	Hooks Hooks
	// Playground serves GET / and GET /playground/*, its files; nil leaves both out.
	// It may replace the Content-Security-Policy header.
	Playground http.Handler
	// Files serves GET /private/files/*; nil leaves it out. It finds the caller
	// by auth.FromContext.
	Files http.Handler
	// Ready is what /readyz asks.
	Ready []ReadyCheck
	// Logger takes the operation lines and internal errors; nil is slog.Default().
	Logger *slog.Logger
}

// Hooks is how the engine takes part without being known here. Each may be nil.
type Hooks struct {
	// BeforeExecute runs once for each operation, after all limits of this package
	// and before any resolver. ctx carries the identity and the operation context.
	// An error refuses the operation: nothing is executed.
	BeforeExecute func(ctx context.Context, op *graphql.OperationContext) error
	// AroundResponses wraps the making of each single response (one for a query,
	// one for each event of a stream): the place of a fresh loader set.
	AroundResponses graphql.ResponseMiddleware
	// Trace gives extensions.upstream for a request that carries
	// X-Erpgraph-Trace: 1. It runs inside AroundResponses, after the resolvers.
	// Its value is encoded as JSON; nil leaves the extension out.
	Trace func(ctx context.Context) any
}

// Limits bounds one request. A zero field takes the value of DefaultLimits.
type Limits struct {
	// BodyBytes bounds the body of a POST.
	BodyBytes int64
	// DocumentTokens bounds the GraphQL document in lexical tokens, comments included.
	DocumentTokens int
	// Depth bounds how deep fields nest; introspection is not counted.
	Depth int
	// Aliases bounds the aliased fields of an operation, fragments expanded.
	Aliases int
	// RootFields bounds the fields at the root of an operation.
	RootFields int
	// Cost bounds the work of an operation; see cost.go for how it is counted.
	Cost int
	// DefaultPage is the page size that a connection has without first or last, for the cost.
	DefaultPage int
	// ListSize is the length that a list without a page size is taken to have, for the cost.
	ListSize int
	// ResponseBytes bounds the data of one response, as JSON.
	ResponseBytes int
	// Time is the deadline of an operation, from the body's arrival to the last resolver.
	Time time.Duration
	// Concurrent bounds the operations that run at once in this process. One
	// credential has a quarter of them at most, requests without one an eighth.
	Concurrent int
	// QueueTime is how long a request waits for one of those slots.
	QueueTime time.Duration
	// CacheBytes bounds the parsed documents kept, by the length of their text.
	CacheBytes int
}

// DefaultLimits returns the limits that hold when nothing is set. Cost leaves
// room for what the product is for, 500 orders with their rows and what those
// link to (about 65,000), and is reached by nesting two such lists.
func DefaultLimits() Limits {
	return Limits{
		BodyBytes:      1 << 20,
		DocumentTokens: 5000,
		Depth:          15,
		Aliases:        50,
		RootFields:     30,
		Cost:           100_000,
		DefaultPage:    20,
		ListSize:       10,
		ResponseBytes:  64 << 20,
		Time:           30 * time.Second,
		Concurrent:     256,
		QueueTime:      2 * time.Second,
		CacheBytes:     4 << 20,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	setDefault(&l.BodyBytes, d.BodyBytes)
	setDefault(&l.DocumentTokens, d.DocumentTokens)
	setDefault(&l.Depth, d.Depth)
	setDefault(&l.Aliases, d.Aliases)
	setDefault(&l.RootFields, d.RootFields)
	setDefault(&l.Cost, d.Cost)
	setDefault(&l.DefaultPage, d.DefaultPage)
	setDefault(&l.ListSize, d.ListSize)
	setDefault(&l.ResponseBytes, d.ResponseBytes)
	setDefault(&l.Time, d.Time)
	setDefault(&l.Concurrent, d.Concurrent)
	setDefault(&l.QueueTime, d.QueueTime)
	setDefault(&l.CacheBytes, d.CacheBytes)
	return l
}

// setDefault replaces what is zero, and what is negative: no value switches a limit off.
func setDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// New makes the handler of the whole public surface. The error names the option
// that is missing.
func New(o Options) (http.Handler, error) {
	if o.Schema == nil {
		return nil, errors.New("httpapi: Options.Schema is required")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Limits = o.Limits.withDefaults()
	return newRouter(o), nil
}
