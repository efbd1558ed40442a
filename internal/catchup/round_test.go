package catchup_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/event"
)

func TestMissed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before, miss func(*world)
		want         []string
	}{
		"nothing": {miss: func(*world) {}},
		"insert":  {miss: func(w *world) { w.erp.Insert("Customer", "New") }, want: []string{"CREATED Customer New"}},
		"update":  {miss: func(w *world) { w.erp.Save("Customer", "Grant") }, want: []string{"UPDATED Customer Grant"}},
		"insert and update": {
			miss: func(w *world) { w.erp.Insert("Customer", "New"); w.erp.Save("Customer", "New") },
			want: []string{"UPDATED Customer New"},
		},
		"submit": {
			before: func(w *world) { w.erp.Insert("Sales Order", "SO-1") },
			miss:   func(w *world) { w.erp.Submit("Sales Order", "SO-1") },
			want:   []string{"SUBMITTED Sales Order SO-1"},
		},
		"change after submit": {
			before: func(w *world) {
				w.erp.Insert("Sales Order", "SO-1")
				w.round()
				w.erp.Submit("Sales Order", "SO-1")
				w.round()
				w.erp.Save("Sales Order", "SO-1")
				w.round()
			},
			miss: func(w *world) { w.erp.Save("Sales Order", "SO-1") },
			want: []string{"UPDATED Sales Order SO-1"},
		},
		"change of one submitted before the log": {
			miss: func(w *world) { w.erp.Save("Sales Order", "SO-0") },
			want: []string{"UPDATED Sales Order SO-0"},
		},
		"cancel": {
			miss: func(w *world) { w.erp.Cancel("Sales Order", "SO-0") },
			want: []string{"CANCELLED Sales Order SO-0"},
		},
		"delete": {miss: func(w *world) { w.erp.Delete("Customer", "Grant", "x") }, want: []string{"DELETED Customer Grant"}},
		"delete and insert": {
			miss: func(w *world) { w.erp.Delete("Customer", "Grant", "x"); w.erp.Insert("Customer", "Grant") },
			want: []string{"CREATED Customer Grant"},
		},
		"rename": {miss: func(w *world) { w.erp.Rename("Customer", "Grant", "A & B") }, want: []string{"RENAMED Customer A & B was Grant"}},
		"rename to another case": {
			miss: func(w *world) { w.erp.Rename("Customer", "Grant", "GRANT") },
			want: []string{"RENAMED Customer GRANT was Grant"},
		},
		"rename twice": {
			miss: func(w *world) { w.erp.Rename("Customer", "Grant", "B"); w.erp.Rename("Customer", "B", "C") },
			want: []string{"RENAMED Customer B was Grant", "RENAMED Customer C was B"},
		},
		"rename, and the name is taken again": {
			miss: func(w *world) { w.erp.Rename("Customer", "Grant", "B"); w.erp.Insert("Customer", "Grant") },
			want: []string{"RENAMED Customer B was Grant", "CREATED Customer Grant"},
		},
		"a name that was used before": {
			before: func(w *world) {
				w.erp.Delete("Customer", "Grant", "x")
				w.round()
				w.erp.Insert("Customer", "Grant")
				w.round()
			},
			miss: func(w *world) { w.erp.Rename("Customer", "Grant", "B") },
			want: []string{"RENAMED Customer B was Grant"},
		},
		"merge": {miss: func(w *world) { w.erp.Merge("Customer", "Grant", "West") }, want: []string{"RENAMED Customer West was Grant"}},
		"merge, and the survivor is renamed": {
			miss: func(w *world) { w.erp.Merge("Customer", "Grant", "West"); w.erp.Rename("Customer", "West", "East") },
			want: []string{"RENAMED Customer West was Grant", "RENAMED Customer East was West"},
		},
		"DocTypes that are not watched": {
			miss: func(w *world) {
				w.erp.Insert("Item", "A", "B")
				w.erp.Delete("Item", "A", "x")
				w.erp.Rename("Item", "B", "C")
			},
		},
		"a Single": {miss: func(w *world) { w.erp.Save("Selling Settings", "Selling Settings") }, want: []string{"UPDATED Selling Settings Selling Settings"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.erp.Insert("Customer", "Grant", "West")
			w.erp.Insert("Sales Order", "SO-0")
			w.erp.Submit("Sales Order", "SO-0")
			w.erp.Insert("Selling Settings", "Selling Settings")
			same(t, "the first round", w.round())
			if test.before != nil {
				test.before(w)
				w.round()
			}
			test.miss(w)
			same(t, "missed", w.round(), test.want...)
			for range 3 {
				w.erp.Pass(time.Minute)
				same(t, "again", w.round())
			}
			w.Catchup = w.replica(w.db, nil)
			same(t, "a new leader", w.round())
			w.erp.Pass(time.Hour)
			same(t, "much later", w.round())
		})
	}
}

func TestWebhookAfterCatchup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.round()
	w.erp.Insert("Customer", "Grant")
	same(t, "catch-up", w.round(), "CREATED Customer Grant")
	if n := w.hook(event.Created, "Customer", "Grant", w.stamp()); n != 0 {
		t.Errorf("the webhook is %d new events", n)
	}
	counts, err := w.log.Counts(t.Context())
	if err != nil || counts.OnlyCatchup != 0 {
		t.Errorf("%+v %v: the webhook came, late", counts, err)
	}
	w.erp.Save("Customer", "Grant")
	w.hook(event.Updated, "Customer", "Grant", w.stamp())
	same(t, "catch-up after the webhook", w.round())
}

// A change whose transaction took long is older than what was read already.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Old")
	w.erp.Pass(10 * time.Minute)
	w.round()
	began := w.stamp()
	w.erp.Insert("Customer", "A")
	w.erp.Pass(2 * time.Minute)
	w.erp.Insert("Customer", "B")
	same(t, "others", w.round(), "CREATED Customer A", "CREATED Customer B")
	w.erp.Pass(time.Minute)
	w.erp.Put("Customer", map[string]string{"name": "Late", "creation": began, "modified": began})
	same(t, "late", w.round(), "CREATED Customer Late")
	late := trail.Shift(began, time.Second/2)
	w.erp.Put("Customer", map[string]string{"name": "Late 2", "creation": late, "modified": late})
	same(t, "late", w.round(), "CREATED Customer Late 2")
	same(t, "again", w.round())
}

// Thousands of rows have one time after a bulk update in SQL, which calls no webhook.
func TestBulk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Old")
	w.round()
	w.erp.Pass(time.Second)
	const many = 1234
	for i := range many {
		w.erp.Put("Customer", map[string]string{"name": fmt.Sprintf("c%04d", i), "creation": "2020-01-01 00:00:00", "modified": w.stamp()})
	}
	w.erp.Insert("Customer", "After")
	got := w.round()
	if len(got) != many+1 || got[0] != "UPDATED Customer c0000" || got[many-1] != "UPDATED Customer c1233" || got[many] != "CREATED Customer After" {
		t.Errorf("%d events: %.3q", len(got), got)
	}
	same(t, "again", w.round())
	w.erp.Pass(6 * time.Minute)
	w.round()
	w.erp.Pass(time.Minute)
	before := w.erp.Lists("Customer")
	same(t, "much later", w.round())
	if n := w.erp.Lists("Customer") - before; n > 2 {
		t.Errorf("%d calls to find nothing new", n)
	}
}

func TestFuture(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.round()
	w.erp.Put("Customer", map[string]string{"name": "Future", "creation": "2030-01-01 00:00:00", "modified": "2030-01-01 00:00:00"})
	same(t, "the future", w.round(), "CREATED Customer Future")
	w.erp.Insert("Customer", "Now")
	same(t, "now", w.round(), "CREATED Customer Now")
	w.erp.Pass(time.Hour)
	w.erp.Save("Customer", "Now")
	same(t, "later", w.round(), "UPDATED Customer Now")
}

// In the night when clocks are set back an hour comes twice.
func TestClocksSetBack(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.zone = berlin
	now := time.Date(2026, 10, 24, 22, 28, 0, 0, time.UTC).In(berlin) // 00:28
	w.Catchup = w.replica(w.db, func(c *catchup.Config) { c.Now = func() time.Time { return now } })
	put := func(name string) {
		at := now.Format(event.ModifiedLayout)
		w.erp.Put("Customer", map[string]string{"name": name, "creation": at, "modified": at})
	}
	put("Before")
	now = now.Add(2 * time.Hour)
	w.round()
	now = now.Add(time.Minute)
	put("A")
	same(t, "02:59", w.round(), "CREATED Customer A")
	for i := range 10 {
		now = now.Add(7 * time.Minute)
		name := fmt.Sprintf("B%d", i)
		put(name)
		same(t, now.Format(time.TimeOnly), w.round(), "CREATED Customer "+name)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Selling Settings", "Selling Settings")
	w.erp.Deny("Sales Order", apierror.Forbidden)
	w.erp.Deny(trail.DeletedDocument, apierror.Forbidden)
	w.round()
	w.erp.Insert("Customer", "Grant")
	same(t, "the rest", w.round(), "CREATED Customer Grant")
	same(t, "unreadable", w.Status().Unreadable, trail.DeletedDocument, "Sales Order")
	w.erp.Deny("Sales Order", "")
	w.erp.Deny(trail.DeletedDocument, "")
	w.round()
	if got := w.Status().Unreadable; len(got) != 0 {
		t.Errorf("still unreadable: %v", got)
	}
}

// An outage ends the round; a single DocType's trouble does not.
func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.round()
	w.erp.Insert("Customer", "Grant")
	w.erp.Insert("Sales Order", "SO-1")
	w.erp.Deny("Customer", apierror.Internal)
	before := w.head()
	if err := w.Round(t.Context()); apierror.CodeOf(err) != apierror.Internal {
		t.Errorf("round: %v", err)
	}
	same(t, "the others", w.since(before), "CREATED Sales Order SO-1")
	w.erp.Down(apierror.New(apierror.UpstreamUnavailable, "down"))
	if err := w.Round(t.Context()); !errors.Is(err, w.Status().Err) || err == nil {
		t.Errorf("round: %v, status: %v", err, w.Status().Err)
	}
	w.erp.Down(nil)
	w.erp.Deny("Customer", "")
	same(t, "after", w.round(), "CREATED Customer Grant")
}

func TestNightly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var calls int
	var fails error
	w.Catchup = w.replica(w.db, func(c *catchup.Config) {
		c.Nightly = func(context.Context) error { calls++; return fails }
	})
	night := func(want int) {
		t.Helper()
		if err := w.Nightly(t.Context()); !errors.Is(err, fails) {
			t.Fatal(err)
		}
		if calls != want {
			t.Errorf("%s: %d calls, want %d", w.stamp(), calls, want)
		}
	}
	night(0) // 10:00 of the first day
	w.erp.Pass(16*time.Hour + 59*time.Minute)
	night(0) // 02:59
	w.erp.Pass(time.Minute)
	fails = errors.New("no")
	night(1) // 03:00
	fails = nil
	night(2)
	night(2)
	w.erp.Pass(24 * time.Hour)
	night(3)
}
