package httpapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/httpapi"
)

// served is a server by Serve, which owns its sockets.
func served(t *testing.T, drain time.Duration, resolvers map[string]resolver) (b *testBundle, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	handler, err := httpapi.New(httpapi.Options{Schema: executable(t, resolvers), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	url, stop, done := serving(t, drain, handler.ServeHTTP)
	return &testBundle{url: url}, stop, done
}

// TestServeDrainsSockets: when the server stops, subscriptions end and queries are
// answered; then the client is told, and Serve returns.
func TestServeDrainsSockets(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	b, stop, done := served(t, patience, map[string]resolver{
		"changed": func(context.Context, map[string]any) (any, error) { return events(nil), nil },
		"a": func(ctx context.Context, _ map[string]any) (any, error) {
			close(entered)
			<-leave
			return "done", ctx.Err()
		},
	})
	idle, busy := b.connect(t, ""), b.connect(t, "")
	idle.subscribe("s", "subscription { changed }")
	busy.subscribe("1", "{ a }")
	await(t, entered)
	stop()
	idle.wantClosed(1001, "the server is stopping; connect again")
	close(leave)
	busy.want(`{"id":"1","type":"next","payload":{"data":{"a":"done"}}}`)
	busy.want(`{"id":"1","type":"complete"}`)
	busy.wantClosed(1001, "the server is stopping; connect again")
	if err := await(t, done); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestServeDrainsStreams: the same for streams of events, which end without a complete, so
// that their clients connect again.
func TestServeDrainsStreams(t *testing.T) {
	t.Parallel()
	from, entered, leave := newSource(), make(chan struct{}), make(chan struct{})
	b, stop, done := served(t, patience, map[string]resolver{
		"changed": from.resolve,
		"a": func(ctx context.Context, _ map[string]any) (any, error) {
			close(entered)
			<-leave
			return "done", ctx.Err()
		},
	})
	one, many := b.subscribe(t, "subscription { changed }", nil), b.reserve(t, nil)
	await(t, from.begun)
	all := many.open()
	many.begin("s", "subscription { changed }")
	await(t, from.begun)
	many.begin("q", "{ a }")
	await(t, entered)
	stop()
	one.wantEnd()
	close(leave)
	all.want("next", `{"id":"q","payload":{"data":{"a":"done"}}}`)
	all.want("complete", `{"id":"q"}`)
	all.wantEnd()
	if err := await(t, done); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestServeCutsStreams: what does not end while the server drains is cut.
func TestServeCutsStreams(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan struct{})
	b, stop, done := served(t, 20*time.Millisecond, map[string]resolver{"a": func(ctx context.Context, _ map[string]any) (any, error) {
		close(entered)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}})
	b.subscribe(t, "{ a }", nil)
	await(t, entered)
	stop()
	if err := await(t, done); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve: %v, want the drain's deadline", err)
	}
	select {
	case <-ended:
	default:
		t.Error("Serve returned before the stream's operation")
	}
}

// TestServeCutsSockets: what does not end while the server drains is cut, and Serve waits
// until it has ended.
func TestServeCutsSockets(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan struct{})
	b, stop, done := served(t, 20*time.Millisecond, map[string]resolver{
		"a": func(ctx context.Context, _ map[string]any) (any, error) {
			close(entered)
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		},
	})
	client := b.connect(t, "")
	client.subscribe("1", "{ a }")
	await(t, entered)
	b.rawSocket(t) // answers no close frame either
	stop()
	if err := await(t, done); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve: %v, want the drain's deadline", err)
	}
	select {
	case <-ended:
	default:
		t.Error("Serve returned before the socket's operation")
	}
	if _, err := client.read(); err == nil {
		t.Error("the socket is still open")
	}
}

// TestServeBoundsHeaders: a header beyond all measure is refused before it is kept.
func TestServeBoundsHeaders(t *testing.T) {
	t.Parallel()
	b, stop, done := served(t, patience, nil)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for size, status := range map[int]int{20 << 10: http.StatusUnauthorized, 200 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/graphql", strings.NewReader(`{"query":"{ a }"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+strings.Repeat("x", size))
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("%d bytes: %d, want %d", size, response.StatusCode, status)
		}
	}
	stop()
	if err := await(t, done); err != nil {
		t.Errorf("Serve: %v", err)
	}
}
