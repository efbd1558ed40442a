package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"erpgraph/internal/frappe"
	"erpgraph/internal/simulator"
)

// lifeSite is the demo's site with a client for it; answered is told of each call.
func lifeSite(t *testing.T, answered func()) (*simulator.Server, *frappe.Client, frappe.Credential) {
	t.Helper()
	options, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	site, err := simulator.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site.ServeHTTP(w, r)
		answered()
	}))
	t.Cleanup(server.Close)
	client, err := frappe.New(frappe.Config{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	cred, err := frappe.ParseAuthorization("token service:demo")
	if err != nil {
		t.Fatal(err)
	}
	return site, client, cred
}

// The life of a demo goes on without a refusal, does each of its things, and does not
// grow, however long it lasts.
func TestLifeIsBounded(t *testing.T) {
	t.Parallel()
	site, client, cred := lifeSite(t, func() {})
	l := newLife(client, cred)
	if err := l.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	orders, todos := len(site.Names("Sales Order")), len(site.Names("ToDo"))
	const steps = 450
	for range steps {
		if err := l.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// One or two may be there that tidy has not seen yet.
	if got := len(site.Names("Sales Order")) - orders; got < lifeOrders || got > lifeOrders+2 {
		t.Errorf("%d orders more", got)
	}
	if got := len(site.Names("ToDo")) - todos; got < lifeToDos || got > lifeToDos+1 {
		t.Errorf("%d tasks more", got)
	}
	if len(l.drafts)+len(l.submitted) > lifeOrders+2 {
		t.Errorf("%d drafts, %d submitted", len(l.drafts), len(l.submitted))
	}
}

// Two runs do the same, and end with their context.
func TestLifeIsTheSame(t *testing.T) {
	t.Parallel()
	run := func() []string {
		const calls = 20
		left, enough := calls, make(chan struct{})
		site, client, cred := lifeSite(t, func() { // its calls come one after the other
			if left--; left == 0 {
				close(enough)
			}
		})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		done := make(chan error, 1)
		go func() { done <- runLife(ctx, client, cred, time.Millisecond, slog.New(slog.DiscardHandler)) }()
		<-enough
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		var out []string
		for _, c := range site.Calls()[:calls] {
			out = append(out, c.Method+" "+c.Path)
		}
		return out
	}
	if a, b := run(), run(); !slices.Equal(a, b) {
		t.Errorf("%q\n%q", a, b)
	}
}

// What the caller may not do is left out.
func TestLifeOfOthers(t *testing.T) {
	t.Parallel()
	_, client, _ := lifeSite(t, func() {})
	cred, err := frappe.ParseAuthorization("token nobody:demo")
	if err != nil {
		t.Fatal(err)
	}
	if err := runLife(t.Context(), client, cred, time.Hour, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a life without rights")
	}
}
