package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"erpgraph/internal/event"
)

// settled waits until all that has happened at the site is in the log, and was followed: what
// subscribes now hears of nothing that was before.
func (b *bundle) settled(tb testing.TB) {
	tb.Helper()
	if err := b.site.DeliveriesIdle(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	var head int64
	if err := b.db.Pool().QueryRow(tb.Context(), "select seq from event_head").Scan(&head); err != nil {
		tb.Fatal(err)
	}
	b.until(tb, "followed", func() bool {
		at, err := event.ParseCursor(b.eventCursor(tb, sales))
		return err == nil && at.Seq >= head
	})
}

// hook delivers a body as ERPNext does, signed with a secret.
func (b *bundle) hook(tb testing.TB, secret string, body []byte) int {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, b.url+"/webhooks/erpnext", bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Frappe-Webhook-Signature", base64.StdEncoding.EncodeToString(sum.Sum(nil)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// hint is the body of a webhook.
func hint(tb testing.TB, kind, doctype, name, modified string) []byte {
	tb.Helper()
	body, err := json.Marshal(map[string]any{
		"event": kind, "doctype": doctype, "name": name, "modified": modified, "creation": "2020-01-01 00:00:00.000000", "docstatus": 0,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// tell delivers a signed hint that is accepted.
func (b *bundle) tell(tb testing.TB, kind, doctype, name, modified string) {
	tb.Helper()
	if status := b.hook(tb, b.webhookSecret, hint(tb, kind, doctype, name, modified)); status != http.StatusNoContent {
		tb.Fatalf("a signed hint: %d", status)
	}
}

// logLength is how many events the log has.
func (b *bundle) logLength(tb testing.TB) (n int) {
	tb.Helper()
	if err := b.db.Pool().QueryRow(tb.Context(), "select count(*) from event_log").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

func (b *bundle) renameCustomer(tb testing.TB, from, to string) {
	tb.Helper()
	b.rest(tb, manager, "frappe.client.rename_doc", map[string]any{"doctype": "Customer", "old_name": from, "new_name": to}, new(any))
}

// hearing is a stream whose events are read as they come: to find it silent does not end it.
type hearing struct {
	*stream

	events chan change
}

func (b *bundle) hear(tb testing.TB, credential, query string, variables map[string]any) *hearing {
	tb.Helper()
	h := &hearing{b.subscribe(tb, credential, query, variables), make(chan change, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for c := (change{}); !c.Done; {
			c, _ = h.within(tb, time.Hour)
			h.events <- c
		}
	}()
	tb.Cleanup(func() { <-done })
	return h
}

func (h *hearing) next(tb testing.TB) change {
	tb.Helper()
	select {
	case c := <-h.events:
		return c
	case <-time.After(patience):
		tb.Fatalf("no event came:\n%s", h.b.log)
		return change{}
	}
}

func (h *hearing) silent(tb testing.TB) {
	tb.Helper()
	select {
	case c := <-h.events:
		tb.Errorf("an event came: %+v", c)
	case <-time.After(quiet):
	}
}

// quiet is for how long nothing comes where nothing is to come. A stream has joined those that
// follow the log by twice that.
const quiet = 700 * time.Millisecond
