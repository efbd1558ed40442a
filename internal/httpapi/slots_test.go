package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/httpapi"
)

// crowd is a server whose operation { a } runs until it is told to end.
type crowd struct {
	*testBundle
	entered, leave chan struct{}
}

func newCrowd(t *testing.T, concurrent int) *crowd {
	t.Helper()
	c := &crowd{entered: make(chan struct{}), leave: make(chan struct{})}
	c.testBundle = setup(t, map[string]resolver{"a": func(context.Context, map[string]any) (any, error) {
		c.entered <- struct{}{}
		<-c.leave
		return "done", nil
	}}, func(o *httpapi.Options) { o.Limits.Concurrent, o.Limits.QueueTime = concurrent, 50*time.Millisecond })
	return c
}

// as sends { a } with a credential, or none.
func (c *crowd) as(t *testing.T, key string) reply {
	t.Helper()
	header := map[string]string{}
	if key != "" {
		header["Authorization"] = "token " + key + ":secret"
	}
	return c.do(t, call{body: `{"query":"{ a }"}`, header: header})
}

// enter starts n operations and waits until they run.
func (c *crowd) enter(t *testing.T, key string, n int) <-chan reply {
	t.Helper()
	replies := make(chan reply, n)
	for range n {
		go func() { replies <- c.as(t, key) }()
		<-c.entered
	}
	return replies
}

func TestConcurrentBound(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 1)
	first := c.enter(t, "sales", 1)
	second := c.as(t, "")
	if second.status != 503 || second.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", second.status, second.body)
	}
	second.wantError(t, "RATE_LIMITED", "try again")
	if got := gone(t, c.testBundle); got.Code != 503 {
		t.Errorf("a client that left while it waited: %d", got.Code)
	}
	close(c.leave)
	if got := <-first; strings.TrimSpace(got.body) != `{"data":{"a":"done"}}` {
		t.Errorf("first: %s", got.body)
	}
	go func() { <-c.entered }()
	if got := c.as(t, ""); got.status != 200 {
		t.Errorf("the slot was not given back: %d %s", got.status, got.body)
	}
}

// TestShareOfOneCaller: of 8 slots a credential has 2, and all without one have 1.
func TestShareOfOneCaller(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 8)
	running := []<-chan reply{c.enter(t, "greedy", 2), c.enter(t, "", 1)}
	for key, part := range map[string]string{"greedy": "of this caller", "": "without a credential"} {
		got := c.as(t, key)
		got.wantError(t, "RATE_LIMITED", part)
		if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "1" {
			t.Errorf("%q: %d %s", key, got.status, got.body)
		}
	}
	running = append(running, c.enter(t, "other", 2))
	close(c.leave)
	for _, replies := range running {
		for range cap(replies) {
			if got := <-replies; got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
		}
	}
	go func() { <-c.entered }()
	if got := c.as(t, "greedy"); got.status != 200 {
		t.Errorf("the share was not given back: %d %s", got.status, got.body)
	}
}
