package webhook_test

import (
	"fmt"
	"net/http"
	"testing"

	"erpgraph/internal/event"
	"erpgraph/internal/postgres/postgrestest"
)

// In the real log what happened stands once, whatever the order in which it is told, and
// however often; that of a group too.
func TestRealLog(t *testing.T) {
	t.Parallel()
	l := event.NewLog(event.LogConfig{Pool: postgrestest.New(t).Pool()})
	cfg := config(&log{})
	cfg.Append = l.Append
	h := newHandler(t, cfg)
	start(t, h)
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("C-%d", i))
	}
	for range 3 {
		for name, status := range sendAll(t, h, append(names, names...)...) {
			if status != http.StatusNoContent {
				t.Errorf("%s: %d", name, status)
			}
		}
	}
	events, _, err := l.Read(t.Context(), beginning(t, l), 0, nil, 500)
	if err != nil || len(events) != 40 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) || e.Kind != event.Updated || e.Source != event.Webhook || e.Modified != acme.Modified {
			t.Errorf("%+v", e)
		}
	}
	if s := h.Stats(); s.Accepted != 240 || s.Duplicates != 200 {
		t.Errorf("%+v", s)
	}
}

// beginning is the place before the first event.
func beginning(t *testing.T, l *event.Log) event.Cursor {
	t.Helper()
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head.Seq = 0
	return head
}
