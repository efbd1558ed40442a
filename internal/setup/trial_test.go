package setup_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/event"
	"erpgraph/internal/setup"
	"erpgraph/internal/simulator"
	"erpgraph/internal/webhook"
)

// received is an event log that lasts as long as a test.
type received struct {
	mu     sync.Mutex
	events []event.Event
	more   chan struct{}
}

func (l *received) Append(_ context.Context, events []event.Event) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, events...)
	close(l.more)
	l.more = make(chan struct{})
	return len(events), nil
}

// await waits until there is an event of a document.
func (l *received) await(ctx context.Context, doctype, name string) (time.Time, error) {
	for {
		l.mu.Lock()
		found := slices.ContainsFunc(l.events, func(e event.Event) bool { return e.DocType == doctype && e.Name == name })
		more := l.more
		l.mu.Unlock()
		if found {
			return time.Now(), nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

// kinds are those of a document's events.
func (l *received) kinds(name string) []event.Kind {
	l.mu.Lock()
	defer l.mu.Unlock()
	var kinds []event.Kind
	for _, e := range l.events {
		if e.Name == name {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// deliver lets the site deliver to a receiver until the test ends.
func (b *bundle) deliver(t *testing.T) {
	t.Helper()
	b.site.SetDelivery(simulator.Delivery{RetryWaits: []time.Duration{0, 0}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.site.DeliverWebhooks(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// receiver is erpgraph's, with the secrets that setup has kept.
func receiver(t *testing.T, l *received, secrets ...string) string {
	t.Helper()
	h, err := webhook.New(webhook.Config{
		Secrets: secrets, Append: l.Append, Watched: func(string) bool { return true }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server.URL + hookPath
}

// What setup installs makes the site tell of every change, in words that the receiver
// understands; --check sees it, and leaves nothing behind.
func TestTheWholePath(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.deliver(t)
	l := &received{more: make(chan struct{})}
	o := b.watching(t)
	o.WebhookSecrets = "a-secret-that-is-in-use-0123456789"
	o.WebhookURL = receiver(t, l, o.WebhookSecrets)
	b.must(t, o)

	todos := len(b.site.Names("ToDo"))
	b.written()
	o.Check, o.Await = true, l.await
	r := b.must(t, o)
	if writes := b.written(); len(writes) != 2 || len(b.site.Names("ToDo")) != todos {
		t.Errorf("%d ToDos, %d before; writes %+v", len(b.site.Names("ToDo")), todos, writes)
	}
	for _, want := range []string{"ToDo \"", "made, to be deleted", "in the log after", "deleted"} {
		if !strings.Contains(r.messages, want) {
			t.Errorf("not told %q:\n%s", want, r.messages)
		}
	}

	boss := o.Credential
	ctx := t.Context()
	const name = `Quote " and \ ü 😀`
	if _, err := b.client.Insert(ctx, boss, "Customer", map[string]any{
		"customer_name": name, "customer_type": "Company", "customer_group": "Retail", "territory": "East",
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.Update(ctx, boss, "Customer", name, map[string]any{"customer_details": "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.Delete(ctx, boss, "Customer", name); err != nil {
		t.Fatal(err)
	}
	if err := b.site.DeliveriesIdle(ctx); err != nil {
		t.Fatal(err)
	}
	want := []event.Kind{event.Created, event.Created, event.Updated, event.Deleted}
	if got := l.kinds(name); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A trial that nobody hears of tells where it was lost.
func TestLostTrial(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  int // of what stands at the address; 0 for nothing
		prepare func(t *testing.T, b *bundle, o setup.Options)
		want    string
	}{
		"no Webhook": {http.StatusNoContent, func(t *testing.T, b *bundle, o setup.Options) {
			t.Helper()
			if _, err := b.client.Delete(t.Context(), o.Credential, "Webhook", "erpgraph ToDo after_insert"); err != nil {
				t.Fatal(err)
			}
		}, "has no Webhook"},
		"switched off": {http.StatusNoContent, func(t *testing.T, b *bundle, o setup.Options) {
			t.Helper()
			if _, err := b.client.Update(t.Context(), o.Credential, "Webhook", "erpgraph ToDo after_insert", map[string]any{"enabled": 0}); err != nil {
				t.Fatal(err)
			}
		}, "switched off"},
		"another database": {http.StatusNoContent, nil, "the same DATABASE_URL"},
		"another secret":   {http.StatusUnauthorized, nil, "did not accept the signature"},
		"another path":     {http.StatusNotFound, nil, "is not erpgraph's receiver"},
		"another body":     {http.StatusUnprocessableEntity, nil, "did not understand"},
		"no database":      {http.StatusServiceUnavailable, nil, "look at its log"},
		"nobody there":     {0, nil, "can't reach that address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			b.deliver(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.answer)
			}))
			t.Cleanup(server.Close)
			o := b.watching(t)
			o.WebhookURL = server.URL + hookPath
			b.must(t, o)
			if c.prepare != nil {
				c.prepare(t, b, o)
			}
			if c.answer == 0 {
				server.Close()
			}
			todos := len(b.site.Names("ToDo"))
			o.Check, o.CheckTime = true, time.Millisecond
			o.Await = func(ctx context.Context, _, _ string) (time.Time, error) {
				if err := b.site.DeliveriesIdle(t.Context()); err != nil { //nolint:contextcheck // of the test
					return time.Time{}, err
				}
				<-ctx.Done()
				return time.Time{}, ctx.Err()
			}
			r := b.run(t, o)
			if !errors.Is(r.err, setup.ErrNoEvent) || !strings.Contains(r.messages, c.want) {
				t.Errorf("%v\n%s", r.err, r.messages)
			}
			if len(b.site.Names("ToDo")) != todos {
				t.Error("the ToDo is left")
			}
		})
	}
}

// The trial needs somebody who sees the log, and a graph with ToDos.
func TestTrialRefused(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	o.Check = true
	if r := b.run(t, o); !isOption(r.err, "--check") {
		t.Errorf("%v", r.err)
	}
	o.Await = func(context.Context, string, string) (time.Time, error) {
		return time.Time{}, errors.New("no database")
	}
	o.DryRun = true
	if r := b.must(t, o); len(b.written()) != 0 || !strings.Contains(r.messages, "would be made") {
		t.Errorf("the dry run told:\n%s", r.messages)
	}
	o.DryRun = false
	todos := len(b.site.Names("ToDo"))
	if r := b.run(t, o); r.err == nil || !strings.Contains(r.err.Error(), "no database") || len(b.site.Names("ToDo")) != todos {
		t.Errorf("%v", r.err)
	}
	o.Watched = o.Watched[:1]
	if r := b.run(t, o); !isOption(r.err, "--check") {
		t.Errorf("%v", r.err)
	}
}
