package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/event"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/embedded"
	"erpgraph/internal/webhook"
	"erpgraph/migrations"
)

// benchSenders are those of BenchmarkIntake: more than ERPNext has workers.
const benchSenders = 64

// BenchmarkIntake takes deliveries over HTTP from 64 senders into a Postgres that writes to
// the disk (DATABASE_URL, or one of its own), and tells events a second and how long the
// slowest hundredth took. Beside it stand commits of single events, from as many
// connections: into a table that nothing is asked of, and into the log.
func BenchmarkIntake(b *testing.B) {
	db := durable(b)
	b.Run("single-row-commits-1-connection", func(b *testing.B) { benchSingleRows(b, db.Pool(), 1) })
	b.Run("single-row-commits", func(b *testing.B) { benchSingleRows(b, db.Pool(), benchSenders) })
	b.Run("log-of-single-events", func(b *testing.B) { benchSingleEvents(b, db.Pool()) })
	full := 0.0
	b.Run("webhooks", func(b *testing.B) { full = benchWebhooks(b, db.Pool(), 0) })
	b.Run("webhooks-at-half-of-that", func(b *testing.B) { benchWebhooks(b, db.Pool(), int(max(2, full))/2) })
}

// durable is a migrated database that does not forget.
func durable(b *testing.B) *postgres.DB {
	b.Helper()
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		server, err := embedded.Start(b.Context(), embedded.Config{Dir: b.TempDir(), Settings: map[string]string{"max_connections": "200"}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := server.Stop(); err != nil {
				b.Error(err)
			}
		})
		url = server.URL()
	}
	db, err := postgres.Open(b.Context(), postgres.Config{URL: url, MaxConns: benchSenders})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := postgres.Migrate(b.Context(), db, migrations.FS); err != nil {
		b.Fatal(err)
	}
	return db
}

// benchSingleRows inserts b.N rows, each with a commit of its own.
func benchSingleRows(b *testing.B, pool *pgxpool.Pool, connections int) {
	b.Helper()
	const table = `create table if not exists intake_bench (seq bigint generated always as identity primary key,
		doctype text not null, name text not null, kind text not null, modified text not null, at timestamptz not null default now(),
		unique (doctype, name, kind, modified))`
	if _, err := pool.Exec(b.Context(), table); err != nil {
		b.Fatal(err)
	}
	run := benchRun()
	fromAll(b, connections, 0, func(ctx context.Context, n int64) error {
		_, err := pool.Exec(ctx, `insert into intake_bench (doctype, name, kind, modified) values ('Customer', $1, 'UPDATED', '2026-11-24 22:40:02.467387')`,
			fmt.Sprintf("%s-%d", run, n))
		return err
	})
	if _, err := pool.Exec(b.Context(), `drop table intake_bench`); err != nil {
		b.Fatal(err)
	}
}

// benchSingleEvents logs b.N events, each with a commit of its own: what the receiver would
// do without groups, since the log gives numbers without gaps.
func benchSingleEvents(b *testing.B, pool *pgxpool.Pool) {
	b.Helper()
	l := event.NewLog(event.LogConfig{Pool: pool})
	run := benchRun()
	fromAll(b, benchSenders, 0, func(ctx context.Context, n int64) error {
		e := acme
		e.Name = fmt.Sprintf("%s-%d", run, n)
		_, err := l.Append(ctx, []event.Event{e})
		return err
	})
}

// benchWebhooks delivers b.N webhooks, at a rate or, with 0, as fast as they go. It gives the
// rate that was reached.
func benchWebhooks(b *testing.B, pool *pgxpool.Pool, rate int) (reached float64) {
	b.Helper()
	l := event.NewLog(event.LogConfig{Pool: pool})
	cfg := config(&log{})
	cfg.Append, cfg.Logger = l.Append, slog.New(slog.DiscardHandler)
	h := newHandler(b, cfg)
	start(b, h)
	server := httptest.NewServer(h)
	b.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchSenders}}
	b.Cleanup(client.CloseIdleConnections)
	run := benchRun()
	reached = fromAll(b, benchSenders, rate, func(ctx context.Context, n int64) error {
		body := named(fmt.Sprintf("%s-%d", run, n))
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set(webhook.SignatureHeader, sign(secret, body))
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if answer.StatusCode != http.StatusNoContent {
			err = errors.Join(err, fmt.Errorf("%s", answer.Status))
		}
		return errors.Join(err, answer.Body.Close())
	})
	s := h.Stats()
	b.ReportMetric(float64(s.Accepted)/float64(s.Commits), "events/commit")
	if s.Duplicates > 0 {
		b.Errorf("%d duplicates", s.Duplicates)
	}
	return reached
}

// benchRun names the events of one run, so that none was there before.
func benchRun() string { return fmt.Sprintf("B%d", time.Now().UnixNano()) }

// fromAll calls do b.N times from so many senders at once, and reports the rate and the latency. With
// a rate each call has a time at which it is due, and its latency counts from then.
func fromAll(b *testing.B, senders, rate int, do func(ctx context.Context, n int64) error) (reached float64) {
	b.Helper()
	var next atomic.Int64
	latencies := make([]time.Duration, b.N)
	var group sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for range senders {
		group.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= int64(b.N) {
					return
				}
				due := time.Now()
				if rate > 0 {
					due = began.Add(time.Duration(n) * time.Second / time.Duration(rate))
					select {
					case <-b.Context().Done():
						return
					case <-time.After(time.Until(due)):
					}
				}
				if err := do(b.Context(), n); err != nil {
					b.Error(err)
					return
				}
				latencies[n] = time.Since(due)
			}
		})
	}
	group.Wait()
	reached = float64(b.N) / time.Since(began).Seconds()
	b.StopTimer()
	slices.Sort(latencies)
	b.ReportMetric(reached, "events/s")
	b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(latencies[len(latencies)/2].Microseconds())/1000, "p50-ms")
	return reached
}
