package catchup_test

import (
	"fmt"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/event"
)

func TestForgedComments(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*world){
		"the old name is there": func(w *world) { w.erp.Claim("Customer", "Grant", "West", "eve@example.com") },
		"the new one is not":    func(w *world) { w.erp.Claim("Customer", "Gone", "Nowhere", "eve@example.com") },
		"a deletion by another": func(w *world) {
			w.erp.Claim("Customer", "Grant", "West", "eve@example.com")
			w.erp.Delete("Customer", "Grant", "ada@example.com")
		},
		"after a deletion": func(w *world) {
			w.erp.Delete("Customer", "Grant", "ada@example.com")
			w.erp.Claim("Customer", "Grant", "West", "ada@example.com")
		},
		"hidden from the service account": func(w *world) {
			w.erp.Put("Customer", map[string]string{"name": "Secret", "creation": "2020-01-01", "modified": "2020-01-01", "hidden": "1"})
			w.erp.Claim("Customer", "Secret", "West", "eve@example.com")
		},
	}
	for name, forge := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.erp.Insert("Customer", "Grant", "West")
			w.round()
			forge(w)
			for range 3 {
				for _, e := range w.round() {
					if e != "DELETED Customer Grant" {
						t.Errorf("believed: %s", e)
					}
				}
				w.erp.Pass(time.Minute)
			}
		})
	}
}

// What a document was renamed to next may be on another page of Comments.
func TestRenamesOverPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.erp.Insert("Customer", "Grant")
	w.round()
	now := trail.Shift(w.stamp(), time.Millisecond)
	for i := range trail.PageSize - 1 {
		w.erp.Put(trail.Comment, map[string]string{
			"name": fmt.Sprintf("c%d", i), "creation": now, "modified": now, "comment_type": "Edit",
			"reference_doctype": "Customer", "reference_name": "Grant", "content": "restored A as B",
		})
	}
	w.erp.Rename("Customer", "Grant", "B")
	w.erp.Rename("Customer", "B", "C")
	same(t, "renames", w.round(), "RENAMED Customer B was Grant", "RENAMED Customer C was B")
}

func TestPending(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do   func(*world)
		want []string
		left int64
	}{
		"deletion": {do: func(w *world) { w.erp.Delete("Customer", "Grant", "x") }, want: []string{"DELETED Customer Grant"}},
		"merge":    {do: func(w *world) { w.erp.Merge("Customer", "Grant", "West") }, want: []string{"RENAMED Customer West was Grant"}},
		"without a trace": {
			do:   func(w *world) { w.erp.Vanish("Customer", "Grant") },
			want: []string{"DELETED Customer Grant"},
		},
		"the name is in use again": {
			do:   func(w *world) { w.erp.Delete("Customer", "Grant", "x"); w.erp.Insert("Customer", "Grant") },
			want: []string{"CREATED Customer Grant"},
		},
		"it never was": {do: func(*world) {}, left: 1},
		"Deleted Document is out of reach": {
			do: func(w *world) {
				w.erp.Delete("Customer", "Grant", "x")
				w.erp.Deny(trail.DeletedDocument, apierror.Forbidden)
			},
			want: []string{"DELETED Customer Grant"},
		},
		"Comment is out of reach": {
			do: func(w *world) {
				w.erp.Merge("Customer", "Grant", "West")
				w.erp.Deny(trail.Comment, apierror.Forbidden)
			},
			want: []string{"DELETED Customer Grant"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.erp.Insert("Customer", "West", "Grant")
			modified := w.stamp()
			w.round()
			test.do(w)
			if w.hook(event.Deleted, "Customer", "Grant", modified); w.pending() != 1 {
				t.Fatal("it does not wait")
			}
			same(t, "settled", w.round(), test.want...)
			if n := w.pending(); n != test.left {
				t.Errorf("%d wait", n)
			}
			same(t, "again", w.round())
		})
	}
}

func (w *world) pending() int64 {
	w.tb.Helper()
	counts, err := w.log.Counts(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	return counts.Pending
}
