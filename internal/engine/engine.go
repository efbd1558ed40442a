// Package engine executes the generated fields of the graph. A root field's whole
// subtree is planned at once and read breadth first: all documents, child rows and
// reverse links of a level come in one call for each DocType, whatever the number of
// rows, and nothing depends on timers or on the order in which goroutines run. The fields
// of a mutation run one after the other, each with a loader set of its own (mutations.go);
// payload.go compiles their answers before the write and reads them after it. gqlgen
// parses, validates, runs hand-written resolvers and puts the finished parts together.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/write"
	"erpgraph/loaders"
)

// Config is what an Engine needs.
type Config struct {
	Registry *doctype.Registry
	Loaders  loaders.Config
	// Credential gives the caller's credential, or an UNAUTHENTICATED error.
	Credential func(context.Context) (frappe.Credential, error)
	// FileURL makes the absolute URL of an attached file ("/files/x", "/private/files/x").
	FileURL func(path string) string
	// Writers write for mutations; nil where there are none.
	Writers *write.Writers
	// IdempotencyKey gives the key that a request came with, "" for none. nil: none has one.
	IdempotencyKey func(context.Context) string
	// DefaultPage and MaxPage bound the pages of lists; 0 means 20 and 500.
	DefaultPage, MaxPage int
	Logger               *slog.Logger
	// Dangling gives links of local rows to documents that are gone, in a stable order after
	// one of them (the zero Dangling: from the first). nil: none are known.
	Dangling func(ctx context.Context, after Dangling, limit int) ([]Dangling, error)
	// Live runs subscriptions; nil: there are none.
	Live *LiveConfig
}

// CustomField runs a hand-written resolver of a generated type on one row; the
// generator writes it (graph.CustomField).
type CustomField func(ctx context.Context, typename string, f graphql.CollectedField, row *Row) (graphql.Marshaler, bool)

// Engine executes generated fields.
type Engine struct {
	cfg       Config
	registry  *doctype.Registry
	roots     map[string]root
	mutations map[string]mutation
	// payloads are the types by the names of their payloads.
	payloads map[string]*doctype.Type
	rowLinks map[*doctype.Field]*doctype.Reverse // of local @reverse lists
	custom   CustomField

	subscriptions map[string]subscription
	live          *live // nil: there are none
}

// New makes an Engine.
func New(cfg Config) *Engine {
	if cfg.DefaultPage <= 0 {
		cfg.DefaultPage = 20
	}
	if cfg.MaxPage <= 0 {
		cfg.MaxPage = 500
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Loaders.Registry = cfg.Registry
	e := &Engine{cfg: cfg, registry: cfg.Registry, roots: rootsOf(cfg.Registry), rowLinks: map[*doctype.Field]*doctype.Reverse{}}
	e.subscriptions = subscriptionsOf(cfg.Registry)
	if cfg.Live != nil {
		e.live = newLive(e, *cfg.Live)
	}
	e.mutations, e.payloads = e.mutationsOf(cfg.Registry), map[string]*doctype.Type{}
	for _, t := range cfg.Registry.Types() {
		e.payloads[t.Payload()] = t
		for _, f := range t.Fields {
			if f.Kind == doctype.ReverseList {
				target := cfg.Registry.ByKey(f.Target)
				e.rowLinks[f] = &doctype.Reverse{Name: f.Name, From: target.Key, Field: target.Field(f.Options).Column}
			}
		}
	}
	return e
}

// Bind tells the engine how to run hand-written resolvers. It is called once, before
// the first request: the resolvers need the engine, and the engine them.
func (e *Engine) Bind(custom CustomField) { e.custom = custom }

type executionKey struct{}

// AroundResponse gives each response, and so each event of a subscription, an
// execution of its own: loaders live no longer than that and serve one credential.
func (e *Engine) AroundResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	return next(context.WithValue(ctx, executionKey{}, &execution{engine: e}))
}

// Resolve gives the finished answer of the root field at hand. The first root field of
// a query runs all of them, so that they share levels, documents and calls. Those of a
// mutation run one after the other.
func (e *Engine) Resolve(ctx context.Context) (*Result, error) {
	x, fc, err := current(ctx)
	if err != nil {
		return nil, err
	}
	if fc.Args == nil {
		// The engine reads the arguments itself. Without this the error presenter takes
		// every failure for one of reading them, and shows its text to the client.
		fc.Args = map[string]any{}
	}
	if fc.Object == "Mutation" {
		return x.mutate(ctx, fc.Field)
	}
	x.once.Do(func() { x.run(ctx) })
	if x.fatal != nil {
		return nil, x.fatal
	}
	return x.results[fc.Field.Alias], nil
}

// execution is one response.
type execution struct {
	engine *Engine

	once    sync.Once
	fatal   error
	results map[string]*Result

	// first is the set of which the others of the response are made; see newSet.
	first *loaders.Set
	// open is why the further fields of a mutation don't run; see noteOpen.
	open *apierror.Error

	ctx  context.Context //nolint:containedctx // of the response, and an execution is one
	op   *graphql.OperationContext
	set  *loaders.Set
	comp *compiler
	next *level
	budget
	loc func() *time.Location // asked when the first DateTime is written
	// page is the list that a live list's window has read.
	page *loaders.Page

	mu     sync.Mutex
	errs   []*located
	failed map[failure]bool
}

// run plans, reads and writes every generated root field of the operation.
func (x *execution) run(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			x.fatal = x.recovered(ctx, p)
		}
	}()
	var err error
	if x.set, err = x.newSet(ctx); err != nil {
		x.fatal = err
		return
	}
	x.prepare(ctx)

	tasks, err := x.compileRoots()
	if err == nil {
		err = x.checkPlan(tasks)
	}
	if err != nil {
		x.fatal = err
		return
	}
	for _, t := range tasks {
		t.start()
	}
	if err := x.levels(); err != nil {
		x.fatal = err
		return
	}
	for _, t := range tasks {
		x.results[t.field().Alias] = t.write(&writer{x: x})
	}
	if x.over != nil {
		x.fatal = x.over
		return
	}
	x.reportErrors(ctx)
}

// prepare readies an execution that has its set.
func (x *execution) prepare(ctx context.Context) {
	x.ctx, x.op = loaders.WithSet(ctx, x.set), graphql.GetOperationContext(ctx)
	x.comp = &compiler{engine: x.engine, op: x.op, sink: x.set, foreign: map[string]*doctype.Type{}}
	x.loc = sync.OnceValue(x.askLocation)
	x.results, x.failed, x.next = map[string]*Result{}, map[failure]bool{}, newLevel()
}

// levels reads level after level until nothing more is asked for.
func (x *execution) levels() error {
	for !x.next.empty() {
		if err := context.Cause(x.ctx); err != nil {
			return deadline(err)
		}
		now := x.next
		x.next = newLevel()
		calls := now.calls(x)
		if slices.ContainsFunc(calls, func(c call) bool { return c.local }) {
			// First, and not next to the level's upstream calls: who is refused is refused
			// before anything is read, and the refusal is known to the reads.
			_, _ = x.set.Caller(x.ctx)
		}
		if err := x.runAll(calls); err != nil {
			return err
		}
		for _, c := range calls {
			c.deliver()
		}
		if x.over != nil {
			return x.over
		}
	}
	return nil
}

// runAll makes the reads of a level: at the same time, and then those that go by what the
// others have read, one after another.
func (x *execution) runAll(calls []call) error {
	panics := make([]error, len(calls))
	safely := func(i int) {
		defer func() {
			if p := recover(); p != nil {
				panics[i] = x.recovered(x.ctx, p)
			}
		}()
		calls[i].run(x.ctx)
	}
	var wg sync.WaitGroup
	for i, c := range calls {
		if !c.late {
			wg.Go(func() { safely(i) })
		}
	}
	wg.Wait()
	for i, c := range calls {
		if c.late {
			safely(i)
		}
	}
	return errors.Join(panics...)
}

// recovered turns a panic into the operation's INTERNAL error by gqlgen's recover
// function, which logs it with its stack.
func (x *execution) recovered(ctx context.Context, p any) error {
	if op := graphql.GetOperationContext(ctx); op != nil && op.RecoverFunc != nil {
		return op.Recover(ctx, p)
	}
	return fmt.Errorf("panic: %v", p)
}

func deadline(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return apierror.Wrap(apierror.UpstreamTimeout, err, "the operation did not finish within its time limit")
	}
	return err
}
