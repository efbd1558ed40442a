package catchup_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/catchup/trail/trailtest"
	"erpgraph/internal/event"
	"erpgraph/internal/frappe"
)

// interrupted is a site where something happens right before it answers a list.
type interrupted struct {
	*trailtest.ERP

	before func(frappe.ListQuery) error
}

func (b interrupted) List(ctx context.Context, cred frappe.Credential, q frappe.ListQuery) (*frappe.Table, error) {
	if err := b.before(q); err != nil {
		return nil, err
	}
	return b.ERP.List(ctx, cred, q)
}

// interrupt lets do run before each list of the rounds to come.
func (w *world) interrupt(do func(frappe.ListQuery) error) {
	w.Catchup = w.replica(w.db, func(c *catchup.Config) { c.Upstream = interrupted{w.erp, do} })
}

// once runs do before the first list that fits.
func once(fits func(frappe.ListQuery) bool, do func()) func(frappe.ListQuery) error {
	done := false
	return func(q frappe.ListQuery) error {
		if !done && fits(q) {
			done = true
			do()
		}
		return nil
	}
}

// changes is the list of the Customers that changed.
func changes(q frappe.ListQuery) bool { return q.DocType == "Customer" && len(q.OrderBy) > 0 }

// names is a list of Customers by their names.
func names(q frappe.ListQuery) bool {
	return q.DocType == "Customer" && slices.ContainsFunc(q.Filters, func(f frappe.Filter) bool { return f.Op == frappe.OpIn })
}

// A document is renamed and changed after the round has read the Comments of renames: its
// new name comes before the news of it all the same, and news alone costs one call more.
func TestRenamedDuringTheRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Before")
	w.round()
	w.erp.Save("Customer", "Before")
	same(t, "known", w.round(), "UPDATED Customer Before")
	w.interrupt(once(changes, func() {
		w.erp.Rename("Customer", "Before", "After")
		w.erp.Save("Customer", "After")
	}))
	same(t, "renamed", w.round(), "RENAMED Customer After was Before", "UPDATED Customer After")
	before := w.erp.Lists("Comment")
	same(t, "again", w.round())
	quiet := w.erp.Lists("Comment") - before
	w.erp.Save("Customer", "After")
	before = w.erp.Lists("Comment")
	same(t, "news", w.round(), "UPDATED Customer After")
	if n := w.erp.Lists("Comment") - before; n != quiet+1 {
		t.Errorf("Comments were listed %d times with news, %d times without", n, quiet)
	}
	w.erp.Deny("Comment", apierror.Forbidden)
	w.erp.Save("Customer", "After")
	same(t, "without Comments", w.round(), "UPDATED Customer After")
}

// A document is renamed after the round has read all rows, before it looks what is gone: it
// has another name, and is not deleted.
func TestRenamedBeforeTheSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.round()
	w.erp.Insert("Customer", "Before")
	orders := func(q frappe.ListQuery) bool { return q.DocType == "Sales Order" } // after customers
	w.interrupt(once(orders, func() { w.erp.Rename("Customer", "Before", "After") }))
	same(t, "a round", w.round(), "CREATED Customer Before", "RENAMED Customer After was Before")
	same(t, "again", w.round())
}

// A document gets another name after the Comments were read and before the changes are.
func TestRenameWithinARound(t *testing.T) {
	t.Parallel()
	rename := func(w *world) { w.erp.Rename("Customer", "Grant", "B"); w.erp.Save("Customer", "B") }
	tests := map[string]struct {
		do   func(*world)
		want []string
	}{
		"rename": {do: rename, want: []string{"RENAMED Customer B was Grant", "UPDATED Customer B"}},
		"that does not touch modified": {
			do:   func(w *world) { w.erp.Rename("Customer", "Grant", "B"); w.erp.Save("Customer", "West") },
			want: []string{"RENAMED Customer B was Grant", "UPDATED Customer West"},
		},
		"twice": {
			do:   func(w *world) { rename(w); w.erp.Rename("Customer", "B", "C"); w.erp.Save("Customer", "C") },
			want: []string{"RENAMED Customer B was Grant", "RENAMED Customer C was B", "UPDATED Customer C"},
		},
		"the name is taken again": {
			do:   func(w *world) { rename(w); w.erp.Insert("Customer", "Grant") },
			want: []string{"RENAMED Customer B was Grant", "UPDATED Customer B", "CREATED Customer Grant"},
		},
		"of a site whose clock is ahead": {
			do:   func(w *world) { w.erp.Pass(time.Hour); w.skew = -time.Hour; rename(w) },
			want: []string{"RENAMED Customer B was Grant", "UPDATED Customer B"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.erp.Insert("Customer", "Grant", "West")
			w.round()
			w.hook(event.Updated, "Customer", "Grant", w.stamp()) // the log tells of it
			w.interrupt(once(changes, func() { test.do(w) }))
			same(t, "the round", w.round(), test.want...)
			for range 3 {
				same(t, "again", w.round())
				w.erp.Pass(time.Minute)
			}
			w.Catchup = w.replica(w.db, nil)
			same(t, "a new leader", w.round())
		})
	}
}

// What can't be read in between: the changes are told all the same, now or later.
func TestCommentsFailWithinARound(t *testing.T) {
	t.Parallel()
	update := []string{"UPDATED Customer B"}
	both := []string{"RENAMED Customer B was Grant", "UPDATED Customer B"}
	tests := map[string]struct {
		first       apierror.Code // of the round's first list of Comments
		again       apierror.Code // of the second
		want, later []string
		fails       bool
	}{
		"no right":           {first: apierror.Forbidden, want: update},
		"the right is taken": {again: apierror.Forbidden, want: update, later: both[:1]},
		"an outage":          {again: apierror.UpstreamUnavailable, fails: true, later: both},
		"trouble":            {again: apierror.Internal, fails: true, later: both},
		// It would else hold up what there is of news for as long as it lasts.
		"trouble that lasts": {first: apierror.Internal, again: apierror.Internal, fails: true, want: update},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.erp.Insert("Customer", "Grant")
			w.round()
			lists, renamed := 0, false
			w.interrupt(func(q frappe.ListQuery) error {
				if changes(q) && !renamed {
					renamed = true
					w.erp.Rename("Customer", "Grant", "B")
					w.erp.Save("Customer", "B")
				}
				if q.DocType != trail.Comment {
					return nil
				}
				lists++
				code := test.again
				if lists == 1 {
					code = test.first
				}
				if code != "" {
					return apierror.New(code, "no")
				}
				return nil
			})
			before := w.head()
			if err := w.Round(t.Context()); (err != nil) != test.fails {
				t.Errorf("round: %v", err)
			}
			same(t, "the round", w.since(before), test.want...)
			if test.first == "" {
				w.Catchup = w.replica(w.db, nil)
				same(t, "later", w.round(), test.later...)
			}
		})
	}
}

// Where there is nothing new, the Comments are read once in a round.
func TestCommentsAreReadAgainForNewsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Grant")
	w.erp.Insert("Sales Order", "SO-1")
	w.round()
	round := func(what string, lists int) {
		t.Helper()
		before := w.erp.Lists(trail.Comment)
		w.round()
		if n := w.erp.Lists(trail.Comment) - before; n != lists {
			t.Errorf("%s: the Comments are listed %d times, want %d", what, n, lists)
		}
	}
	round("nothing", 1)
	w.erp.Save("Customer", "Grant")
	w.hook(event.Updated, "Customer", "Grant", w.stamp())
	round("what a webhook told", 1)
	w.erp.Save("Customer", "Grant")
	round("news", 2)
	round("the same once more", 1)
	w.Catchup = w.replica(w.db, nil)
	round("a new leader", 1)
}

// A document gets another name after the changes were read, and before it is looked whether
// the documents of the log are there.
func TestRenameIsNoEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do          func(*world)
		want, later []string
	}{
		"rename": {
			do:   func(w *world) { w.erp.Rename("Customer", "Grant", "B") },
			want: []string{"RENAMED Customer B was Grant"},
		},
		"twice": {
			do:    func(w *world) { w.erp.Rename("Customer", "Grant", "B"); w.erp.Rename("Customer", "B", "C") },
			want:  []string{"RENAMED Customer B was Grant"},
			later: []string{"RENAMED Customer C was B"},
		},
		"merge": {
			do:   func(w *world) { w.erp.Merge("Customer", "Grant", "West") },
			want: []string{"RENAMED Customer West was Grant"},
		},
		"gone without a trace": {
			do:   func(w *world) { w.erp.Vanish("Customer", "Grant") },
			want: []string{"DELETED Customer Grant"},
		},
		"Comment is out of reach": {
			do: func(w *world) {
				w.erp.Rename("Customer", "Grant", "B")
				w.erp.Deny(trail.Comment, apierror.Forbidden)
			},
			want: []string{"DELETED Customer Grant"},
		},
		// The rename is of the document that had the name before.
		"an earlier rename": {
			do: func(w *world) {
				w.erp.Rename("Customer", "Grant", "B")
				w.erp.Insert("Customer", "Grant")
				w.hook(event.Created, "Customer", "Grant", w.stamp())
				w.erp.Vanish("Customer", "Grant")
			},
			want:  []string{"CREATED Customer Grant", "DELETED Customer Grant"},
			later: []string{"RENAMED Customer B was Grant"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.round()
			w.erp.Insert("Customer", "Grant", "West")
			w.round()
			w.erp.Pass(11 * time.Minute)
			w.interrupt(once(names, func() { test.do(w) }))
			same(t, "the round", w.round(), test.want...)
			w.erp.Pass(time.Minute)
			same(t, "later", w.round(), test.later...)
			w.erp.Pass(11 * time.Minute)
			same(t, "much later", w.round())
		})
	}
}

// Comments of renames from before catch-up read any are asked for by name.
func TestRenameBeforeTheComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Grant")
	w.hook(event.Created, "Customer", "Grant", w.stamp())
	w.erp.Rename("Customer", "Grant", "B")
	same(t, "the first round", w.round(), "RENAMED Customer B was Grant")
	w.erp.Pass(11 * time.Minute)
	same(t, "later", w.round())
}

// A document gets a second name between the reading of the first one's Comment and the look
// whether it is true.
func TestRenamedWhileItIsLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Grant")
	w.round()
	w.erp.Rename("Customer", "Grant", "B")
	w.interrupt(once(names, func() { w.erp.Rename("Customer", "B", "C") }))
	same(t, "the round", w.round(), "RENAMED Customer B was Grant", "RENAMED Customer C was B")
	same(t, "again", w.round())
	w.erp.Pass(11 * time.Minute)
	same(t, "later", w.round())
}

// What changed after its deletion was made anew.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Grant")
	w.erp.Insert("Sales Order", "SO-1")
	w.round()
	w.erp.Delete("Customer", "Grant", "x")
	same(t, "deleted", w.round(), "DELETED Customer Grant")
	w.erp.Insert("Customer", "Grant")
	w.erp.Save("Customer", "Grant")
	same(t, "made anew, and changed", w.round(), "CREATED Customer Grant")
	w.erp.Pass(11 * time.Minute)
	w.erp.Vanish("Customer", "Grant")
	same(t, "gone", w.round(), "DELETED Customer Grant")

	// It was read right before it was deleted.
	w.erp.Save("Sales Order", "SO-1")
	w.hook(event.Deleted, "Sales Order", "SO-1", w.stamp())
	same(t, "old news", w.round(), "UPDATED Sales Order SO-1")
}

// The survivor of a merge gets another name between two looks at what became of it.
func TestMergeWhoseSurvivorIsRenamed(t *testing.T) {
	t.Parallel()
	for _, pending := range []bool{false, true} {
		w := newWorld(t)
		w.erp.Insert("Customer", "West", "Grant")
		modified := w.stamp()
		w.round()
		w.erp.Merge("Customer", "Grant", "West")
		if pending {
			w.hook(event.Deleted, "Customer", "Grant", modified)
		}
		asked := false // for Comments of the merge
		w.interrupt(func(q frappe.ListQuery) error {
			if asked && names(q) {
				asked = false
				w.erp.Rename("Customer", "West", "East")
			}
			asked = asked || q.DocType == trail.Comment && w.erp.Lists(trail.Comment) == 1
			return nil
		})
		same(t, "merged", w.round(), "RENAMED Customer West was Grant", "RENAMED Customer East was West")
		same(t, "again", w.round())
	}
}
