package catchup_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/catchup"
	"erpgraph/internal/catchup/trail/trailtest"
	"erpgraph/internal/event"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
)

// kolkata is the zone of the site.
var kolkata = time.FixedZone("IST", 5*3600+1800)

// start is when the tests begin, by the site's clock.
var start = time.Date(2026, 11, 24, 10, 0, 0, 0, kolkata)

// world is a site, a log, and a catch-up between them. Its clock is the site's.
type world struct {
	tb   testing.TB
	db   *postgres.DB
	erp  *trailtest.ERP
	log  *event.Log
	skew time.Duration
	zone *time.Location
	*catchup.Catchup
}

var watched = []catchup.Watched{
	{DocType: "Customer"},
	{DocType: "Sales Order", Submittable: true},
	{DocType: "Selling Settings", Single: true},
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb: tb, db: postgrestest.New(tb), erp: trailtest.New(start), zone: kolkata}
	w.log = event.NewLog(event.LogConfig{Pool: w.db.Pool(), Stage: func(e event.Event) bool { return e.DocType == "Customer" }})
	w.Catchup = w.replica(w.db, nil)
	return w
}

// replica makes another catch-up on the same log.
func (w *world) replica(db *postgres.DB, change func(*catchup.Config)) *catchup.Catchup {
	cfg := catchup.Config{
		Upstream: w.erp, Log: w.log, Pool: db.Pool(), Watched: watched,
		Location: func(context.Context) (*time.Location, error) { return w.zone, nil },
		Now:      w.now,
	}
	if change != nil {
		change(&cfg)
	}
	return catchup.New(cfg)
}

func (w *world) now() time.Time { return w.erp.Now().Add(w.skew) }

// round does a round, and gives what is new in the log.
func (w *world) round() []string {
	w.tb.Helper()
	before := w.head()
	if err := w.Round(w.tb.Context()); err != nil {
		w.tb.Fatalf("round: %v", err)
	}
	return w.since(before)
}

func (w *world) head() event.Cursor {
	w.tb.Helper()
	head, err := w.log.Head(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	return head
}

func (w *world) since(after event.Cursor) []string {
	w.tb.Helper()
	all := []string{}
	for {
		events, next, err := w.log.Read(w.tb.Context(), after, 0, nil, 1000)
		if err != nil {
			w.tb.Fatal(err)
		}
		for _, e := range events {
			text := fmt.Sprintf("%s %s %s", e.Kind, e.DocType, e.Name)
			if e.Previous != "" {
				text += " was " + e.Previous
			}
			all = append(all, text)
		}
		if len(events) == 0 || next == after {
			return all
		}
		after = next
	}
}

// hook logs what a webhook told.
func (w *world) hook(kind event.Kind, doctype, name, modified string) int {
	w.tb.Helper()
	n, err := w.log.Append(w.tb.Context(), []event.Event{{DocType: doctype, Name: name, Kind: kind, Modified: modified, Source: event.Webhook}})
	if err != nil {
		w.tb.Fatal(err)
	}
	return n
}

// stamp is the site's time as documents have it.
func (w *world) stamp() string { return w.erp.Now().Format(event.ModifiedLayout) }

func same(tb testing.TB, what string, got []string, want ...string) {
	tb.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// run runs a catch-up until the test ends or stop is called.
func run(tb testing.TB, c *catchup.Catchup) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("run: %v", err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

// until waits for something to become true.
func until(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if holds() {
			return
		}
		<-tick.C
	}
	tb.Fatalf("never: %s", what)
}
