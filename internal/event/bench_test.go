package event_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/event"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/migrations"
)

// durable is a log in a server of its own that writes to the disk at each commit, as the
// tests' server does not.
func durable(b *testing.B) bundle {
	b.Helper()
	dir, err := os.MkdirTemp("", "erpgraph-event-") // b.TempDir is closed to the server's account
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		b.Fatal(err)
	}
	db, err := postgres.Open(b.Context(), postgres.Config{DataDir: filepath.Join(dir, "data")})
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
	return bundle{db, event.NewLog(event.LogConfig{Pool: db.Pool()})}
}

// BenchmarkAppend is what group commit gains: events a second of one appender, by the size
// of the group, and of single-row inserts on the same server, by one and by eight.
func BenchmarkAppend(b *testing.B) {
	d := durable(b)
	d.exec(b, "create table plain (id bigint generated always as identity primary key, doctype text, name text, kind text, modified text, at timestamptz default now())")
	const insert = "insert into plain (doctype, name, kind, modified) values ($1, $2, $3, $4)"
	for _, writers := range []int{1, 8} {
		b.Run(fmt.Sprintf("plain insert by %d", writers), func(b *testing.B) {
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						if _, err := d.db.Pool().Exec(b.Context(), insert, "Customer", fmt.Sprint("C-", i), "UPDATED", at(i)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
	run := 0
	for _, size := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprintf("group of %d", size), func(b *testing.B) {
			run++
			events := make([]event.Event, 0, size)
			for i := range b.N {
				events = append(events, webhook(event.Updated, fmt.Sprint("C-", run, "-", i), i))
				if len(events) == size || i == b.N-1 {
					d.append(b, events...)
					events = events[:0]
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkIdleStream is the memory of a stream that waits, without its listener's
// goroutine.
func BenchmarkIdleStream(b *testing.B) {
	const streams = 5000
	d := setup(b)
	h := d.hub(b, 0, time.Hour)
	d.attach(b, h, nil, nil).Close()
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		all := make([]*event.Stream, streams)
		for i := range all {
			s, err := h.Attach(b.Context(), []string{"Customer"}, nil)
			if err != nil {
				b.Fatal(err)
			}
			all[i] = s
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		for _, s := range all {
			s.Close()
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/streams, "B/stream")
}

// BenchmarkFanOut is one event from Append until each of 5,000 streams has it.
func BenchmarkFanOut(b *testing.B) {
	const streams = 5000
	d := bundle{db: postgrestest.New(b)}
	d.log = event.NewLog(event.LogConfig{Pool: d.db.Pool()})
	h := d.hub(b, 0, time.Hour)
	ctx, cancel := context.WithCancel(b.Context())
	var readers sync.WaitGroup
	got := make(chan struct{}, streams)
	for range streams {
		s := d.attach(b, h, []string{"Customer"}, nil)
		readers.Go(func() {
			for {
				events, err := s.Next(ctx)
				if err != nil {
					return
				}
				for range events {
					got <- struct{}{}
				}
			}
		})
	}
	b.ResetTimer()
	for i := range b.N {
		d.append(b, webhook(event.Updated, fmt.Sprint(i), i))
		for range streams {
			<-got
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/streams, "ns/stream")
	cancel()
	readers.Wait()
}
