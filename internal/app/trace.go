package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/frappe"
	"erpgraph/internal/httpapi"
	"erpgraph/internal/postgres"
)

// trace gathers what one response cost upstream, for the log line and for clients that
// ask by X-Erpgraph-Trace. It holds no values and no credentials.
type trace struct {
	started time.Time

	mu         sync.Mutex
	requests   []traceRequest
	statements []traceStatement
	rows       int
	bytes      int64
}

type traceRequest struct {
	Method  string   `json:"method"`
	DocType string   `json:"doctype"`
	Fields  []string `json:"fields"`
	Rows    int      `json:"rows"`
	MS      float64  `json:"ms"`
	Status  int      `json:"status"`
	Retry   bool     `json:"retry,omitempty"`
}

// traceStatement has no number of rows: among those that a statement reads are some that
// the caller may not see.
type traceStatement struct {
	Type string  `json:"type"`
	MS   float64 `json:"ms"`
}

// traceReport is extensions.upstream.
type traceReport struct {
	Calls      int              `json:"calls"`
	Rows       int              `json:"rows"`
	Bytes      int64            `json:"bytes"`
	MS         float64          `json:"ms"`
	Requests   []traceRequest   `json:"requests"`
	Statements []traceStatement `json:"statements"`
}

type traceKey struct{}

// traceResponse starts a trace for each response.
func traceResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	t := &trace{started: time.Now()}
	ctx = frappe.WithObserver(ctx, t.call)
	ctx = postgres.WithObserver(ctx, t.statement)
	return next(context.WithValue(ctx, traceKey{}, t))
}

func traceOf(ctx context.Context) *trace {
	t, _ := ctx.Value(traceKey{}).(*trace)
	return t
}

func (t *trace) call(c frappe.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests = append(t.requests, traceRequest{
		Method: c.Method, DocType: c.DocType, Fields: c.Fields, Rows: c.Rows, MS: ms(c.Duration), Status: c.Status, Retry: c.Retry,
	})
	t.rows += c.Rows
	t.bytes += c.Bytes
}

func (t *trace) statement(s postgres.Statement) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.statements = append(t.statements, traceStatement{Type: s.Type, MS: ms(s.Duration)})
}

func (t *trace) report() traceReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	return traceReport{
		Calls: len(t.requests), Rows: t.rows, Bytes: t.bytes, MS: ms(time.Since(t.started)),
		Requests: append([]traceRequest{}, t.requests...), Statements: append([]traceStatement{}, t.statements...),
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// logTrace puts the counts on the operation's log line.
func logTrace(ctx context.Context) {
	r := traceOf(ctx).report()
	httpapi.LogAttrs(ctx,
		slog.Int("upstreamCalls", r.Calls), slog.Int("upstreamRows", r.Rows),
		slog.Int64("upstreamBytes", r.Bytes), slog.Int("sqlStatements", len(r.Statements)))
}
