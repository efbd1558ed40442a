package event_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/event"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
)

// bundle is a log in a schema of its own.
type bundle struct {
	db  *postgres.DB
	log *event.Log
}

func setup(tb testing.TB) bundle {
	tb.Helper()
	db := postgrestest.New(tb)
	return bundle{db, event.NewLog(event.LogConfig{Pool: db.Pool()})}
}

// hub runs a hub over the log until the test ends.
func (b bundle) hub(tb testing.TB, queue int, poll time.Duration) *event.Hub {
	tb.Helper()
	h, _ := runHub(tb, event.HubConfig{Log: b.log, Queue: queue}, poll)
	return h
}

func runHub(tb testing.TB, cfg event.HubConfig, poll time.Duration) (h *event.Hub, stop func()) {
	tb.Helper()
	h = event.NewHub(cfg)
	h.SetPoll(poll)
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx); close(done) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("run: %v", err)
		}
	}
	tb.Cleanup(stop)
	return h, stop
}

func (b bundle) append(tb testing.TB, events ...event.Event) int {
	tb.Helper()
	n, err := b.log.Append(tb.Context(), events)
	if err != nil {
		tb.Errorf("append: %v", err) // also from other goroutines
	}
	return n
}

func (b bundle) head(tb testing.TB) event.Cursor {
	tb.Helper()
	c, err := b.log.Head(tb.Context())
	if err != nil {
		tb.Fatalf("head: %v", err)
	}
	return c
}

// all are the logged events after a place, page by page.
func (b bundle) all(tb testing.TB, after int64) []event.Event {
	tb.Helper()
	at := b.head(tb)
	end := at.Seq
	var out []event.Event
	for at.Seq = after; at.Seq < end; {
		events, next, err := b.log.Read(tb.Context(), at, end, nil, 1000)
		if err != nil {
			tb.Fatalf("read: %v", err)
		}
		out, at = append(out, events...), next
	}
	return out
}

func (b bundle) exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := b.db.Pool().Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatal(err)
	}
}

func (b bundle) attach(tb testing.TB, h *event.Hub, doctypes []string, after *event.Cursor) *event.Stream {
	tb.Helper()
	s, err := h.Attach(tb.Context(), doctypes, after)
	if err != nil {
		tb.Fatalf("attach: %v", err)
	}
	tb.Cleanup(s.Close)
	return s
}

// at is a timestamp of the site.
func at(second int) string {
	return time.Date(2026, 11, 25, 0, 0, second, 123_000, time.UTC).Format(event.ModifiedLayout)
}

func webhook(kind event.Kind, name string, second int) event.Event {
	return event.Event{DocType: "Customer", Name: name, Kind: kind, Modified: at(second), Source: event.Webhook}
}

func catchup(kind event.Kind, name string, second int) event.Event {
	e := webhook(kind, name, second)
	e.Source = event.Catchup
	return e
}

// gone is a deletion as catch-up finds it.
func gone(name string) event.Event {
	return event.Event{DocType: "Customer", Name: name, Kind: event.Deleted, Source: event.Catchup}
}

func renamed(from, to string, second int) event.Event {
	e := catchup(event.Renamed, to, second)
	e.Previous = from
	return e
}

func local(kind event.Kind, id string) event.Event {
	return event.Event{DocType: "ServiceContract", Name: id, Kind: kind, Source: event.Local}
}

// brief writes events such that tests can compare them: "UPDATED A@3 WEBHOOK".
func brief(events []event.Event) []string {
	out := []string{}
	for _, e := range events {
		second := "-"
		if t, err := time.Parse(event.ModifiedLayout, e.Modified); err == nil {
			second = fmt.Sprint(t.Minute()*60 + t.Second())
		}
		from := ""
		if e.Previous != "" {
			from = e.Previous + ">"
		}
		out = append(out, fmt.Sprintf("%s %s%s@%s %s", e.Kind, from, e.Name, second, e.Source))
	}
	return out
}

// next reads a stream until it has given n events.
func next(tb testing.TB, s *event.Stream, n int) []event.Event {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	var out []event.Event
	for len(out) < n {
		events, err := s.Next(ctx)
		if err != nil {
			tb.Fatalf("next after %d of %d: %v", len(out), n, err)
		}
		out = append(out, events...)
	}
	return out
}

// inTx runs fn in a transaction that is committed, or rolled back.
func (b bundle) inTx(ctx context.Context, commit bool, fn func(tx pgx.Tx) error) error {
	tx, err := b.db.Pool().Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if err := fn(tx); err != nil || !commit {
		return err
	}
	return tx.Commit(ctx)
}
