package httpapi

import (
	"context"
	"net/http"
	"time"

	"erpgraph/internal/apierror"
)

// slots bounds the operations that run at once. A request beyond the bound
// waits a little, then is told to come back.
type slots struct {
	free chan struct{}
	wait time.Duration
}

func newSlots(n int, wait time.Duration) *slots {
	return &slots{free: make(chan struct{}, n), wait: wait}
}

// take returns the function that gives the slot back. The error is a
// *requestError with status 503, or the end of ctx.
func (s *slots) take(ctx context.Context) (release func(), err error) {
	release = func() { <-s.free }
	select {
	case s.free <- struct{}{}:
		return release, nil
	default:
	}
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	select {
	case s.free <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		busy := apierror.New(apierror.RateLimited, "too many operations run at once; try again in a second")
		busy.Extensions = map[string]any{"retryAfter": 1}
		return nil, &requestError{status: http.StatusServiceUnavailable, err: busy}
	}
}
