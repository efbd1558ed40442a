package httpapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"erpgraph/internal/apierror"
)

// One credential has a quarter of the slots at most, and all that send none have an
// eighth together, so that no caller alone keeps the others out.
const (
	callerShare    = 4
	anonymousShare = 8
)

// slots bounds the operations, or uploads, that run at once, in all and of one caller. A request
// beyond a bound waits a little, then is told to come back.
type slots struct {
	what string // in errors: "operations"
	free chan struct{}
	wait time.Duration

	mu     sync.Mutex
	shares map[string]*share // of callers that run or wait
}

// share is the slots of one caller.
type share struct {
	free  chan struct{}
	users int // that run or wait; guarded by slots.mu
}

func newSlots(what string, n int, wait time.Duration) *slots {
	return &slots{what: what, free: make(chan struct{}, n), wait: wait, shares: make(map[string]*share)}
}

// take returns the function that gives the slot back; caller is auth.Identity.Key. The
// error is a *requestError, with status 429 when the caller's share is in use and 503
// when all slots are, or the end of ctx.
func (s *slots) take(ctx context.Context, caller string) (release func(), err error) {
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	own := s.join(caller)
	// The share comes first: who waits for it must not hold what others could use.
	if !acquire(ctx, own.free, timer.C) {
		s.leave(caller, own)
		text := "too many " + s.what + " of this caller run at once; try again in a second"
		if caller == "" {
			text = "too many " + s.what + " without a credential run at once; try again in a second"
		}
		return nil, busy(ctx, http.StatusTooManyRequests, text)
	}
	if !acquire(ctx, s.free, timer.C) {
		<-own.free
		s.leave(caller, own)
		return nil, busy(ctx, http.StatusServiceUnavailable, "too many "+s.what+" run at once; try again in a second")
	}
	return func() {
		<-s.free
		<-own.free
		s.leave(caller, own)
	}, nil
}

// acquire reports whether there was room before ctx or the time to wait ended.
func acquire(ctx context.Context, room chan<- struct{}, late <-chan time.Time) bool {
	select {
	case room <- struct{}{}:
		return true
	default:
	}
	select {
	case room <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-late:
	}
	return false
}

// join finds the share of a caller, or opens it.
func (s *slots) join(caller string) *share {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.shares[caller]
	if own == nil {
		part := callerShare
		if caller == "" {
			part = anonymousShare
		}
		own = &share{free: make(chan struct{}, max(1, cap(s.free)/part))}
		s.shares[caller] = own
	}
	own.users++
	return own
}

// leave closes the share that nobody uses any more: callers come and go.
func (s *slots) leave(caller string, own *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(s.shares, caller)
	}
}

// busy is the refusal, unless the client has left: then it is the end of ctx.
func busy(ctx context.Context, status int, text string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := apierror.New(apierror.RateLimited, "%s", text)
	err.Extensions = map[string]any{"retryAfter": 1}
	return &requestError{status: status, err: err}
}
