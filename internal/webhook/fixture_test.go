package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"erpgraph/internal/event"
	"erpgraph/internal/webhook"
)

const (
	secret = "whsec_graft_test_0123456789"
	body   = `{"event": "on_update", "doctype": "Customer", "name": "ACME", "modified": "2026-11-24 22:40:02.467387", ` +
		`"creation": "2026-11-01 08:00:00.000001", "docstatus": 0}`
)

// acme is the event of body.
var acme = event.Event{
	DocType: "Customer", Name: "ACME", Kind: event.Updated, Modified: "2026-11-24 22:40:02.467387", Source: event.Webhook,
}

// log keeps events as the real one does: one row for what happened.
type log struct {
	mu     sync.Mutex
	events []event.Event
	groups []int
	// before runs first in each Append, and its error is that of Append.
	before func(ctx context.Context, events []event.Event) error
}

func (l *log) Append(ctx context.Context, events []event.Event) (int, error) {
	if l.before != nil {
		if err := l.before(ctx, events); err != nil {
			return 0, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	added := 0
	for _, e := range events {
		if !slices.Contains(l.events, e) {
			l.events = append(l.events, e)
			added++
		}
	}
	l.groups = append(l.groups, len(events))
	return added, nil
}

func (l *log) all() []event.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// config is that of a handler over a log.
func config(l *log) webhook.Config {
	return webhook.Config{
		Secrets: []string{secret}, Append: l.Append, Logger: slog.New(slog.DiscardHandler),
		Watched: func(doctype string) bool { return doctype != "Note" },
	}
}

func newHandler(t testing.TB, cfg webhook.Config) *webhook.Handler {
	t.Helper()
	h, err := webhook.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start runs a handler until the test ends.
func start(t testing.TB, h *webhook.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func sign(key, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// deliver sends a body with signatures, and gives the answer.
func deliver(t testing.TB, h http.Handler, body string, signatures ...string) *http.Response {
	t.Helper()
	return send(h, request(t.Context(), strings.NewReader(body), signatures...))
}

func request(ctx context.Context, body io.Reader, signatures ...string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/webhooks/erpnext", body)
	r.Header.Set("Content-Type", "application/json")
	for _, s := range signatures {
		r.Header.Add(webhook.SignatureHeader, s)
	}
	return r
}

func send(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
