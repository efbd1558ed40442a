package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"erpgraph/internal/event"
	"erpgraph/internal/webhook"
)

// named is the body of a document.
func named(name string) string { return strings.Replace(body, "ACME", name, 1) }

// sendAll delivers one body for each name, all at once, and gives the status of each.
func sendAll(t *testing.T, h http.Handler, names ...string) map[string]int {
	t.Helper()
	var mu sync.Mutex
	var senders sync.WaitGroup
	got := make(map[string]int)
	for _, name := range names {
		senders.Go(func() {
			status := deliver(t, h, named(name), sign(secret, named(name))).StatusCode
			mu.Lock()
			defer mu.Unlock()
			got[name] = status
		})
	}
	senders.Wait()
	return got
}

// run runs a handler inside of a bubble; stop ends it and waits.
func run(t *testing.T, h *webhook.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// What comes while commits are under way is committed together, once they are done.
func TestGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{before: func(context.Context, []event.Event) error {
			time.Sleep(time.Second) // the bubble's time
			return nil
		}}
		h := newHandler(t, config(l))
		defer run(t, h)()
		var names []string
		for i := range 1200 {
			names = append(names, fmt.Sprintf("C-%d", i))
		}
		for name, status := range sendAll(t, h, names...) {
			if status != http.StatusNoContent {
				t.Errorf("%s: %d", name, status)
			}
		}
		if len(l.all()) != 1200 || len(l.groups) > 8 {
			t.Errorf("%d events in the groups %v", len(l.all()), l.groups)
		}
		for _, n := range l.groups {
			if n > 500 {
				t.Errorf("a group of %d", n)
			}
		}
		if s := h.Stats(); s.Commits != uint64(len(l.groups)) || s.Accepted != 1200 {
			t.Errorf("%+v", s)
		}
	})
}

// One event that the log can't take does not refuse the others.
func TestOneBadEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{before: func(_ context.Context, events []event.Event) error {
			time.Sleep(time.Millisecond) // the bubble's time
			for _, e := range events {
				if e.Name == "bad" {
					return errors.New("no such thing")
				}
			}
			return nil
		}}
		h := newHandler(t, config(l))
		defer run(t, h)()
		got := sendAll(t, h, "a", "b", "c", "bad", "d", "e", "f")
		for name, status := range got {
			if want := http.StatusNoContent; name != "bad" && status != want || name == "bad" && status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d", name, status)
			}
		}
		if s := h.Stats(); s.Refused[webhook.Failed] != 1 || len(l.all()) != 6 {
			t.Errorf("%+v, logged %+v", s, l.all())
		}
	})
}

// ERPNext is told to come again before it gives up by itself, when the log hangs and when
// too many wait.
func TestNoCommitInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{before: func(ctx context.Context, _ []event.Event) error { <-ctx.Done(); return ctx.Err() }}
		cfg := config(l)
		cfg.Queue = 10
		h := newHandler(t, cfg)
		defer run(t, h)()
		began := time.Now()
		var names []string
		for i := range 40 {
			names = append(names, fmt.Sprintf("C-%d", i))
		}
		for name, status := range sendAll(t, h, names...) {
			if status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d", name, status)
			}
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it took %v", took)
		}
		s := h.Stats()
		if late := s.Refused[webhook.Late] + s.Refused[webhook.Failed]; s.Refused[webhook.Busy] == 0 || s.Refused[webhook.Busy]+late != 40 {
			t.Errorf("%+v", s)
		}
		r := deliver(t, h, body, sign(secret, body))
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

// When the service ends, what is being committed is committed, and what waits is refused.
func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{before: func(ctx context.Context, _ []event.Event) error {
			select {
			case <-time.After(2 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		h := newHandler(t, config(l))
		stop := run(t, h)
		ended := make(chan map[string]int)
		go func() { ended <- sendAll(t, h, "a", "b", "c", "d") }()
		synctest.Wait() // some are in a commit, some wait
		stop()
		got := <-ended
		taken := 0
		for _, status := range got {
			if status == http.StatusNoContent {
				taken++
			}
		}
		if taken == 0 || taken != len(l.all()) {
			t.Errorf("%v, logged %+v", got, l.all())
		}
		if err := h.Run(t.Context()); err == nil {
			t.Error("it runs twice")
		}
		if r := deliver(t, h, body, sign(secret, body)); r.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("after the end: %d", r.StatusCode)
		}
	})
}

// A sender who leaves is no reason to forget what it said.
func TestSenderLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{before: func(context.Context, []event.Event) error {
			time.Sleep(time.Second) // the bubble's time
			return nil
		}}
		h := newHandler(t, config(l))
		stop := run(t, h)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan struct{})
		go func() {
			defer close(left)
			send(h, request(ctx, strings.NewReader(body), sign(secret, body)))
		}()
		synctest.Wait()
		cancel()
		<-left
		stop()
		if len(l.all()) != 1 {
			t.Errorf("logged %+v", l.all())
		}
	})
}
