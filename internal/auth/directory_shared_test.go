package auth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"erpgraph/internal/apierror"
)

// An answer on its way when the credential was refused is old news.
func TestForgetWhileAsking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, false)
		release := make(chan struct{})
		b.site.before = func(context.Context) error {
			<-release
			return nil
		}
		var wg sync.WaitGroup
		wg.Go(func() { b.who(t, "") })
		synctest.Wait()
		b.Forget(b.cred)
		b.site.set(func(e *erpnext) { e.user.Roles, e.before = []string{"All"}, nil })
		if got := b.who(t, ""); len(got.Roles) != 1 || b.site.count() != 2 {
			t.Errorf("got %+v after %d questions", got, b.site.count())
		}
		close(release)
		wg.Wait()
		b.Close()
		if got := b.who(t, ""); len(got.Roles) != 1 || b.site.count() != 2 {
			t.Errorf("the old answer was kept: %+v after %d questions", got, b.site.count())
		}
	})
}

func TestManyAskOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, true)
		b.site.before = func(context.Context) error {
			time.Sleep(time.Second) // the bubble's time
			return nil
		}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got := b.who(t, ""); got.Name != "sales@example.com" {
					t.Errorf("got %+v", got)
				}
			})
		}
		wg.Wait()
		if b.site.count() != 1 || len(b.site.checked) != 1 {
			t.Errorf("asked %d times, checked %d times", b.site.count(), len(b.site.checked))
		}
	})
}

// wait is an answer that takes ten seconds of a bubble's time.
func wait(ctx context.Context) error {
	select {
	case <-time.After(10 * time.Second):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("asking: %w", ctx.Err())
	}
}

type valueKey struct{}

// The first one's cancellation is not the second one's; both end when they want to.
func TestFirstAskerGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, false)
		var seen any
		b.site.before = func(ctx context.Context) error {
			seen = ctx.Value(valueKey{})
			return wait(ctx)
		}
		first, cancel := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "observer"))
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := b.Who(first, b.cred)
			if apierror.CodeOf(err) != apierror.UpstreamTimeout || !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
				t.Errorf("the first: %v after %s", err, time.Since(start))
			}
		})
		synctest.Wait()
		wg.Go(func() { b.who(t, "") })
		time.Sleep(time.Second) // the bubble's time
		cancel()
		wg.Wait()
		if took := time.Since(start); took != 10*time.Second || b.site.count() != 1 || seen != "observer" {
			t.Errorf("took %s and %d questions, under %v", took, b.site.count(), seen)
		}
	})
}

// A question for nobody ends, and the next one begins anew.
func TestAllAskersGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, false)
		b.site.before = wait
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := b.Who(ctx, b.cred); apierror.CodeOf(err) != apierror.UpstreamTimeout {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		b.Close()
		if time.Since(start) != time.Second {
			t.Errorf("it went on for %s", time.Since(start))
		}
		if b.who(t, ""); b.site.count() != 2 {
			t.Errorf("asked %d times", b.site.count())
		}
	})
}

// However long ERPNext takes: a question ends.
func TestQuestionsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, false)
		b.site.before = func(ctx context.Context) error {
			<-ctx.Done()
			return apierror.Wrap(apierror.UpstreamTimeout, ctx.Err(), "too late")
		}
		start := time.Now()
		b.who(t, apierror.UpstreamTimeout)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %s", took)
		}
	})
}
