package catchup_test

import (
	"testing"
	"time"

	"erpgraph/internal/catchup/trail"
)

// A name with a NUL byte can only have come by SQL. The log can't hold it, and it holds up
// nothing.
func TestNamesThatTheLogCantHold(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(w *world, bad string){
		"a change": func(w *world, bad string) { w.erp.Insert("Customer", bad) },
		"a submit": func(w *world, bad string) { w.erp.Insert("Sales Order", bad); w.erp.Submit("Sales Order", bad) },
		"a deletion": func(w *world, bad string) {
			w.erp.Insert("Customer", bad)
			w.erp.Delete("Customer", bad, "x")
		},
		"a rename from it": func(w *world, bad string) { w.erp.Insert("Item", bad); w.erp.Rename("Item", bad, "B") },
		"a rename to it":   func(w *world, bad string) { w.erp.Rename("Customer", "Grant", bad) },
		"a Comment":        func(w *world, bad string) { w.erp.Claim("Customer", bad, "West", "eve@example.com") },
		"a page of them": func(w *world, bad string) {
			for i := range trail.PageSize {
				w.erp.Insert("Customer", bad+string(rune('!'+i)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.erp.Insert("Customer", "Grant", "West")
			w.round()
			put(w, "A\x00B")
			w.round()
			w.erp.Insert("Customer", "New")
			same(t, "what comes after", w.round(), "CREATED Customer New")
			w.erp.Pass(11 * time.Minute)
			w.round()
			w.Catchup = w.replica(w.db, nil)
			w.erp.Insert("Customer", "Newer")
			same(t, "a new leader", w.round(), "CREATED Customer Newer")
		})
	}
}
