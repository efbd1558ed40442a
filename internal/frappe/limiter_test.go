package frappe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// waitInLine starts a call that waits, and returns once it does.
func waitInLine(ctx context.Context, l *limiter, key string, served func(error)) {
	go func() { served(l.acquire(ctx, key)) }()
	synctest.Wait()
}

func mustAcquire(t *testing.T, l *limiter, key string) {
	t.Helper()
	if err := l.acquire(t.Context(), key); err != nil {
		t.Fatal(err)
	}
}

func (l *limiter) idle() bool {
	return len(l.queues) == 0 && l.turns.Len() == 0
}

func TestLimiterTakesTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 100)
		mustAcquire(t, l, "heavy")
		var order []string
		var mu sync.Mutex
		enqueue := func(key string, n int) {
			waitInLine(t.Context(), l, key, func(err error) {
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, fmt.Sprint(key, n))
			})
		}
		for n := range 4 {
			enqueue("heavy", n)
		}
		enqueue("light", 0)
		enqueue("third", 0)
		enqueue("light", 1)
		for range 8 {
			l.release()
			synctest.Wait()
		}
		want := []string{"heavy0", "light0", "third0", "heavy1", "light1", "heavy2", "heavy3"}
		if !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
		if l.free != 1 || !l.idle() {
			t.Errorf("left: %d free, %d queues", l.free, len(l.queues))
		}
	})
}

func TestLimiterBoundsCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const places, calls = 3, 50
		l := newLimiter(places, calls)
		var inFlight, most int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for n := range calls {
			wg.Go(func() {
				mustAcquire(t, l, fmt.Sprint("key", n%4))
				defer l.release()
				mu.Lock()
				inFlight++
				most = max(most, inFlight)
				mu.Unlock()
				time.Sleep(time.Duration(n%5+1) * time.Millisecond) // the bubble's time
				mu.Lock()
				inFlight--
				mu.Unlock()
			})
		}
		wg.Wait()
		if most != places || l.free != places || !l.idle() {
			t.Errorf("%d at once, %d free, %d queues", most, l.free, len(l.queues))
		}
	})
}

func TestLimiterCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 100)
		mustAcquire(t, l, "a")
		ctx, cancel := context.WithCancel(t.Context())
		var cancelled, served error = nil, errors.New("not served")
		waitInLine(ctx, l, "b", func(err error) { cancelled = err })
		waitInLine(t.Context(), l, "c", func(err error) { served = err })
		cancel()
		synctest.Wait()
		if !errors.Is(cancelled, context.Canceled) {
			t.Errorf("cancelled: %v", cancelled)
		}
		l.release()
		synctest.Wait()
		if served != nil {
			t.Errorf("served: %v", served)
		}
		l.release()
		if l.free != 1 || !l.idle() {
			t.Errorf("left: %d free, %d queues", l.free, len(l.queues))
		}
		if err := l.acquire(ctx, "d"); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled context got a place: %v", err)
		}
	})
}

// A place that is granted at the moment of the cancellation must not be lost,
// whichever the waiter sees first.
func TestLimiterCancelRace(t *testing.T) {
	t.Parallel()
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(1, 100)
			mustAcquire(t, l, "a")
			ctx, cancel := context.WithCancel(t.Context())
			waitInLine(ctx, l, "b", func(err error) {
				if err == nil {
					l.release()
				}
			})
			go cancel()
			l.release()
			synctest.Wait()
			if l.free != 1 || !l.idle() {
				t.Fatalf("left: %d free, %d queues", l.free, len(l.queues))
			}
		})
	}
}

func TestLimiterQueueFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 1)
		mustAcquire(t, l, "a")
		waitInLine(t.Context(), l, "a", func(error) {})
		if err := l.acquire(t.Context(), "a"); !errors.Is(err, errQueueFull) {
			t.Errorf("got %v", err)
		}
		waitInLine(t.Context(), l, "b", func(error) {}) // others have a queue of their own
		for range 3 {
			l.release()
		}
		if l.free != 1 || !l.idle() {
			t.Errorf("left: %d free, %d queues", l.free, len(l.queues))
		}
	})
}
