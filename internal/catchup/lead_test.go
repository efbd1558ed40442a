package catchup_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup"
	"erpgraph/internal/event"
	"erpgraph/internal/postgres/postgrestest"
)

func fast(c *catchup.Config) { c.Every = 20 * time.Millisecond }

// Of two processes one leads. When Postgres ends its connection, it stops, and one leads
// again; each change is found once.
func TestLeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Old")
	a, b := w.replica(w.db, fast), w.replica(postgrestest.Again(t, w.db), fast)
	stopA := run(t, a)
	stopB := run(t, b)
	leads := func() (n int) {
		for _, c := range []*catchup.Catchup{a, b} {
			if c.Status().Leader {
				n++
			}
		}
		return n
	}
	until(t, "a leader", func() bool { return leads() == 1 && (!a.Status().LastRound.IsZero() || !b.Status().LastRound.IsZero()) })
	w.erp.Insert("Customer", "One")
	until(t, "the first", func() bool { return w.head().Seq == 1 })

	first := a
	if b.Status().Leader {
		first = b
	}
	for range 3 {
		w.killLeader()
		until(t, "the leader noticed", func() bool { return !first.Status().Leader || leads() == 1 })
		until(t, "a leader again", func() bool { return leads() == 1 })
	}
	w.erp.Insert("Customer", "Two")
	until(t, "the second", func() bool { return w.head().Seq == 2 })

	// One of them ends; the other goes on.
	stopA()
	until(t, "the other one", func() bool { return b.Status().Leader && !a.Status().Leader })
	w.erp.Insert("Customer", "Three")
	until(t, "the third", func() bool { return w.head().Seq == 3 })
	stopB()
	if leads() != 0 {
		t.Error("a leader after the end")
	}
}

// killLeader ends the connection that holds the lock of this schema.
func (w *world) killLeader() {
	w.tb.Helper()
	_, err := w.db.Pool().Exec(w.tb.Context(), `select pg_terminate_backend(l.pid) from pg_locks l,
		lateral (select hashtextextended('erpgraph catch-up ' || current_schema(), 0) as key) k
		where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
			and (l.classid::bigint << 32) | l.objid::bigint = k.key`)
	if err != nil {
		w.tb.Fatal(err)
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Old")
	w.erp.Down(apierror.New(apierror.UpstreamUnavailable, "down"))
	c := w.replica(w.db, fast)
	run(t, c)
	until(t, "trouble", func() bool { return c.Status().Err != nil })
	if !c.Status().LastRound.IsZero() {
		t.Error("a round without ERPNext")
	}
	w.erp.Down(nil)
	until(t, "a round", func() bool { return c.Status().Err == nil && !c.Status().LastRound.IsZero() })
	w.erp.Down(apierror.New(apierror.UpstreamTimeout, "slow"))
	w.erp.Insert("Customer", "Meanwhile")
	w.hook(event.Deleted, "Customer", "Old", "2026-11-24 10:00:01.000000")
	until(t, "trouble again", func() bool { return c.Status().Err != nil })
	w.erp.Delete("Customer", "Old", "x")
	if w.pending() != 1 {
		t.Error("settled without ERPNext")
	}
	w.erp.Down(nil)
	until(t, "all is found", func() bool { return w.head().Seq == 2 && w.pending() == 0 })
	same(t, "found", w.since(event.Cursor{Epoch: w.head().Epoch}), "DELETED Customer Old", "CREATED Customer Meanwhile")
}

// A deletion that waits is settled soon, not with the next round.
func TestWake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Grant", "West")
	modified := w.stamp()
	c := w.replica(w.db, func(c *catchup.Config) { c.Every = time.Hour })
	run(t, c)
	until(t, "a round", func() bool { return !c.Status().LastRound.IsZero() })
	w.erp.Merge("Customer", "West", "Grant")
	w.hook(event.Deleted, "Customer", "West", modified)
	c.Wake()
	c.Wake()
	until(t, "settled", func() bool { return w.pending() == 0 })
	same(t, "settled", w.since(event.Cursor{Epoch: w.head().Epoch}), "RENAMED Customer Grant was West")
}

// The nightly check runs beside the rounds and ends with them.
func TestNightlyRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var running atomic.Bool
	c := w.replica(w.db, func(c *catchup.Config) {
		fast(c)
		c.Nightly = func(ctx context.Context) error {
			running.Store(true)
			<-ctx.Done()
			running.Store(false)
			return context.Cause(ctx)
		}
	})
	if err := c.Nightly(t.Context()); err != nil { // the first day
		t.Fatal(err)
	}
	w.erp.Pass(24 * time.Hour)
	stop := run(t, c)
	until(t, "the check runs", running.Load)
	w.erp.Insert("Customer", "Grant")
	until(t, "a round meanwhile", func() bool { return w.head().Seq == 1 })
	stop()
	if running.Load() {
		t.Error("the check goes on")
	}
}
