package postgres

import (
	"context"
	"time"
)

// Statement tells what one SQL statement did: no values, no credentials.
type Statement struct {
	// Name is the kind of read: "rows", "rowsByParent", "rowsByKeys", "count",
	// "countByParent", "aggregate", "ends"; or of write: "insert", "update", "delete".
	Name string
	// Type is the Key of the local type.
	Type     string
	Rows     int
	Duration time.Duration
	// Err is why the statement failed, nil if it did not.
	Err error
}

type observerKey struct{}

// WithObserver returns a context under which each statement of a read or of a row's write is told to observe
// once it is done. They may run at the same time, so observe must be safe for that.
func WithObserver(ctx context.Context, observe func(Statement)) context.Context {
	return context.WithValue(ctx, observerKey{}, observe)
}

func observed(ctx context.Context, s Statement) {
	if observe, ok := ctx.Value(observerKey{}).(func(Statement)); ok {
		observe(s)
	}
}
