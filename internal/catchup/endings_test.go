package catchup_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/event"
)

// What is linked to a name may be meant for the document that had it before, and that nobody
// knows yet to be called otherwise. Then the end of the later one says nothing of the links.
func TestDeletionOfALaterDocument(t *testing.T) {
	t.Parallel()
	rename := func(w *world) { w.erp.Rename("Customer", "Grant", "B") }
	anew := func(w *world) {
		w.erp.Pass(11 * time.Minute)
		w.erp.Insert("Customer", "Grant")
	}
	for name, c := range map[string]struct {
		before func(*world)
		sure   bool
	}{
		"the only one":          {func(*world) {}, true},
		"renamed, made anew":    {func(w *world) { rename(w); anew(w) }, false},
		"renamed, read, anew":   {func(w *world) { rename(w); w.round(); anew(w) }, true},
		"a claim of somebody":   {func(w *world) { w.erp.Claim("Customer", "Grant", "West", "eve@example.com") }, false},
		"a claim about another": {func(w *world) { w.erp.Claim("Customer", "East", "West", "eve@example.com") }, true},
	} {
		for how, webhook := range map[string]bool{"by webhook": true, "by catch-up": false} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				var sure []bool
				w.log = event.NewLog(event.LogConfig{
					Pool: w.db.Pool(), Stage: func(event.Event) bool { return true },
					Upkeep: func(_ context.Context, _ pgx.Tx, e event.Event) ([]event.Event, error) {
						if e.Kind == event.Deleted && e.Name == "Grant" {
							sure = append(sure, !e.Vanished)
						}
						return nil, nil
					},
				})
				w.Catchup = w.replica(w.db, nil)
				w.erp.Insert("Customer", "Grant", "West")
				w.round()
				c.before(w)
				w.erp.Save("Customer", "Grant")
				modified := w.stamp()
				w.erp.Pass(time.Second)
				w.erp.Delete("Customer", "Grant", "someone@example.com")
				if webhook {
					w.hook(event.Deleted, "Customer", "Grant", modified)
				}
				w.round()
				if len(sure) != 1 || sure[0] != c.sure {
					t.Errorf("deletions of which it is sure what they end: %t, want one that is %t", sure, c.sure)
				}
			})
		}
	}
}
