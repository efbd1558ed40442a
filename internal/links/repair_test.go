package links_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/catchup/trail/trailtest"
	"erpgraph/internal/event"
)

func TestRepair(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	erp := trailtest.New(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC))
	erp.Insert("Customer", "There", "A", "Merged", "Deleted", "Traceless", "Back")
	erp.Put("Customer", map[string]string{"name": "Hidden", "hidden": "1"})
	erp.Insert("Item", "Pump")
	for i, name := range []string{"There", "A", "Merged", "Deleted", "Traceless", "Back", "Hidden"} {
		w.sql(`insert into deal (id, customer, agent) values ($1, $2, null), ($3, 'There', $2)`, id(i+1), name, id(i+11))
	}
	w.sql(`insert into deal (id, customer, item) values ($1, 'There', 'Gone')`, id(30))
	w.sql(`insert into link_dangling values ('Deal', $1, 'customer', 'Customer', 'Back'), ('Deal', $2, 'customer', 'Customer', 'Elsewhere')`, id(6), id(1))
	erp.Rename("Customer", "A", "B")
	erp.Rename("Customer", "B", "C")
	erp.Merge("Customer", "Merged", "There")
	erp.Delete("Customer", "Deleted", "x")
	erp.Vanish("Customer", "Traceless")
	erp.Deny("Item", apierror.Forbidden)

	before := w.head()
	repair := func() {
		t.Helper()
		if err := w.keeper.Repair(t.Context(), trail.Site{Upstream: erp}, w.db.Pool(), w.log); err != nil {
			t.Fatal(err)
		}
	}
	repair()
	same(t, "events", w.since(before),
		"DELETED Customer Deleted", "DELETED Deal "+id(4),
		"RENAMED Customer B", "RENAMED Customer C", "RENAMED Customer There",
		"UPDATED Deal "+id(2), "UPDATED Deal "+id(2), "UPDATED Deal "+id(3),
		"UPDATED Deal "+id(12), "UPDATED Deal "+id(12), "UPDATED Deal "+id(13), "UPDATED Deal "+id(14))
	same(t, "dangling", w.dangling(), "Deal "+id(5)+" customer → Customer Traceless", "Deal "+id(15)+" agent → Customer Traceless")
	got := w.value(`select string_agg(customer || coalesce('+' || agent, ''), ' ' order by id) from deal`)
	if want := "There C There Traceless Back Hidden There+There There+C There+There There There+Traceless There+Back There+Hidden There"; got != want {
		t.Errorf("deals:\n%s\nwant\n%s", got, want)
	}
	if n := w.value(`select count(*)::text from link_dangling`); n != "2" {
		t.Errorf("%s marks", n)
	}
	before = w.head()
	repair()
	same(t, "again", w.since(before))

	// A row that was written while its document was deleted.
	w.sql(`insert into deal (id, customer) values ($1, 'Deleted')`, id(40))
	repair()
	same(t, "late row", w.since(before), "DELETED Deal "+id(40))
}

// Without Comments a deletion can't be told from a merge.
func TestRepairWithoutComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	erp := trailtest.New(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC))
	erp.Insert("Customer", "There", "Merged")
	w.sql(`insert into deal (id, customer) values ($1, 'Merged')`, id(1))
	erp.Merge("Customer", "Merged", "There")
	erp.Deny(trail.Comment, apierror.Forbidden)
	if err := w.keeper.Repair(t.Context(), trail.Site{Upstream: erp}, w.db.Pool(), w.log); err != nil {
		t.Fatal(err)
	}
	same(t, "dangling", w.dangling(), "Deal "+id(1)+" customer → Customer Merged")
	erp.Down(apierror.New(apierror.UpstreamUnavailable, "down"))
	if err := w.keeper.Repair(t.Context(), trail.Site{Upstream: erp}, w.db.Pool(), w.log); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("an outage: %v", err)
	}
}

// Local events and those of other kinds change nothing.
func TestApplyOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into deal (id, customer) values ($1, 'Grant')`, id(1))
	for _, e := range []event.Event{
		{DocType: "Customer", Name: "Grant", Kind: event.Cancelled, Source: event.Webhook},
		{DocType: "Customer", Name: "Grant", Kind: event.Deleted, Source: event.Local},
		{DocType: "Customer", Name: "Grant", Previous: "Grant", Kind: event.Renamed, Source: event.Catchup},
		{DocType: "Deal", Name: id(1), Kind: event.Deleted, Source: event.Webhook},
	} {
		w.tx(func(tx pgx.Tx) error {
			follow, err := w.keeper.Apply(t.Context(), tx, e)
			if len(follow) > 0 {
				t.Errorf("%+v: %v", e, follow)
			}
			return err
		})
	}
	same(t, "dangling", w.dangling())
}
