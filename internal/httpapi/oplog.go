package httpapi

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/auth"
)

// operationLog gathers the one wide line of an operation. It never holds a
// document, a variable, a credential or an error's text: internal errors have
// lines of their own, with the same request id.
type operationLog struct {
	start time.Time

	mu         sync.Mutex
	name, kind string
	user       string
	cost       int
	codes      []string
	attrs      []slog.Attr
}

type operationLogKey struct{}

// LogAttrs adds attributes to the log line of the operation that ctx belongs
// to; outside of one it does nothing. It is safe for concurrent use. Only
// counts, names of DocTypes and the like may go in, never values or credentials.
func LogAttrs(ctx context.Context, attrs ...slog.Attr) {
	l := logOf(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attrs = append(l.attrs, attrs...)
}

func withOperationLog(ctx context.Context) (context.Context, *operationLog) {
	l := &operationLog{start: time.Now()}
	return context.WithValue(ctx, operationLogKey{}, l), l
}

func logOf(ctx context.Context) *operationLog {
	if l, ok := ctx.Value(operationLogKey{}).(*operationLog); ok && l != nil {
		return l
	}
	return &operationLog{}
}

func noteUser(ctx context.Context, id auth.Identity) {
	l := logOf(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.user = id.LogID()
}

// maxLoggedName bounds an operation's name in the log; the caller chose it.
const maxLoggedName = 100

func noteOperation(ctx context.Context, op *ast.OperationDefinition) {
	l := logOf(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name, l.kind = op.Name[:min(len(op.Name), maxLoggedName)], string(op.Operation)
}

func noteCost(ctx context.Context, cost int) {
	l := logOf(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cost = cost
}

func noteErrors(ctx context.Context, errs gqlerror.List) {
	l := logOf(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range errs {
		if code, ok := err.Extensions["code"].(string); ok && !slices.Contains(l.codes, code) {
			l.codes = append(l.codes, code)
		}
	}
}

func (l *operationLog) write(ctx context.Context, log *slog.Logger, status int) {
	id, _ := RequestID(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.codes)
	attrs := append([]slog.Attr{
		slog.String("requestId", id),
		slog.String("operation", l.name),
		slog.String("type", l.kind),
		slog.String("caller", l.user),
		slog.Int("cost", l.cost),
		slog.Float64("ms", float64(time.Since(l.start).Microseconds())/1000),
		slog.Int("status", status),
		slog.String("code", strings.Join(l.codes, ",")),
	}, l.attrs...)
	// The request may have ended by its context; the line is written all the same.
	log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "operation", attrs...)
}
