package frappe

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"erpgraph/internal/apierror"
)

// Waiting between tries: 100 ms, then twice as long each time, less up to half by
// chance so that callers who failed together do not come back together. A longer
// wait that the site asks for is the caller's to decide.
const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 2 * time.Second
)

// repeat makes a call by once, until it succeeds, fails for good, or can't succeed
// before ctx ends. once is told the header to send, and whether this is not the first
// try. Errors are *Error, or coded ones of the credential's source.
//
// A token that ERPNext refuses is renewed at most once for each call, and the call is
// repeated at once; for writes too, as Frappe checks the credential before all else.
// This goes on between the tries, when the call holds no place of the limiter: to renew
// may itself need a call to ERPNext, and all places may belong to calls that wait for it.
func (c *Client) repeat(ctx context.Context, r request, once func(auth authorization, again bool) *Error) error {
	if err := r.checkCredential(); err != nil {
		return err
	}
	auth, err := r.cred.authorize(ctx)
	if err != nil {
		return c.sourceError(ctx, r, err)
	}
	renewable := auth.token != ""
	for tries, again := 0, false; ; again = true {
		e := once(auth, again)
		if e == nil {
			return nil
		}
		if renewable && e.refused() {
			renewable = false
			if auth, err = r.cred.renew(ctx, auth); err != nil {
				return c.sourceError(ctx, r, err)
			}
			continue
		}
		wait, worth := c.retryIn(r, e, tries)
		if !worth || !sleep(ctx, wait) {
			c.logFailure(ctx, e, tries)
			return e
		}
		tries++
	}
}

// refused tells whether ERPNext does not know the credential. Guest's 403 is another
// thing: it means that no credential was understood.
func (e *Error) refused() bool {
	return e.Code == apierror.Unauthenticated && e.Status == http.StatusUnauthorized
}

// sourceError is the error of a call whose credential gave no token. What the source
// has given a code passes, the rest is an outage.
func (c *Client) sourceError(ctx context.Context, r request, err error) error {
	if _, coded := apierror.As(err); coded {
		return err
	}
	e := r.about(transportError(ctx, err))
	c.logFailure(ctx, e, 0)
	return e
}

// retryIn tells whether and when to try again, after so many tries that failed.
func (c *Client) retryIn(r request, e *Error, tries int) (time.Duration, bool) {
	switch {
	case tries >= c.retries:
		return 0, false
	case r.write:
		return backoff(tries), e.transient() && neverConnected(e.Err)
	case e.RetryAfter > 0:
		asked := e.Code == apierror.RateLimited || e.transient()
		return e.RetryAfter, asked && e.RetryAfter <= maxBackoff
	default:
		return backoff(tries), e.transient()
	}
}

func backoff(tries int) time.Duration {
	wait := min(firstBackoff<<min(tries, 8), maxBackoff)
	return wait - rand.N(wait/2+1) //nolint:gosec // jitter needs no secret
}

// sleep waits, unless ctx would end before.
func sleep(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
