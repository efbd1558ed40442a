package frappe

import (
	"context"
	"time"

	"erpgraph/internal/apierror"
)

// Call tells of one HTTP call that was made: what was asked, what came back, how
// long it took. It holds no credential, and no values of documents but in Err.
type Call struct {
	Method   string   // "frappe.client.get_list", "resource", "file", …
	DocType  string   // "" where a call concerns none
	Fields   []string // keys of the columns asked; nil means all
	Rows     int
	Bytes    int64 // of the answer, decompressed
	Duration time.Duration
	Status   int // 0 when no answer came
	Retry    bool
	Code     apierror.Code // "" for a success
	// Err is nil or why the call failed. Unlike all else here it may quote values that
	// Frappe put into its message: it is for logs.
	Err error
}

type observerKey struct{}

// WithObserver returns a context whose upstream calls are told to observe, once for
// each HTTP call, retries included. Observers of outer contexts are told as well.
// Calls run in parallel, so observe must be safe for that, and quick.
func WithObserver(ctx context.Context, observe func(Call)) context.Context {
	outer := observerOf(ctx)
	return context.WithValue(ctx, observerKey{}, func(call Call) {
		outer(call)
		observe(call)
	})
}

func observerOf(ctx context.Context) func(Call) {
	if observe, ok := ctx.Value(observerKey{}).(func(Call)); ok {
		return observe
	}
	return func(Call) {}
}
