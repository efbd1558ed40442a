package links_test

import (
	"strconv"
	"testing"

	"erpgraph/internal/event"
)

// Times of the site: deleted and renamed happen at stamp.
const (
	before = "2026-11-24 09:59:59.000000"
	after  = "2026-11-24 10:00:01.000000"
	later  = "2026-11-24 10:00:02.000000"
)

func seen(source event.Source, kind event.Kind, dt, name, modified string) event.Event {
	return event.Event{DocType: dt, Name: name, Kind: kind, Modified: modified, Source: source}
}

// A name that is taken again: the links that lead to it lead nowhere no more.
func TestRestored(t *testing.T) {
	t.Parallel()
	told := func(e ...event.Event) []event.Event { return e }
	gone := event.Event{DocType: "Customer", Name: "Grant", Kind: event.Deleted, Source: event.Catchup}
	created := func(modified string) event.Event {
		return seen(event.Webhook, event.Created, "Customer", "Grant", modified)
	}
	end := deleted("Customer", "Grant")
	vanished := gone
	vanished.Vanished = true
	tests := map[string]struct {
		batches [][]event.Event
		dangles bool
	}{
		"deleted":                         {[][]event.Event{told(end)}, true},
		"made anew":                       {[][]event.Event{told(end), told(created(after))}, false},
		"at once":                         {[][]event.Event{told(end, created(after))}, false},
		"and deleted at once":             {[][]event.Event{told(end, created(after), gone)}, true},
		"and deleted":                     {[][]event.Event{told(end), told(created(after)), told(gone)}, true},
		"and deleted, and made anew":      {[][]event.Event{told(end), told(created(after)), told(gone), told(created(later))}, false},
		"with others":                     {[][]event.Event{told(end), told(seen(event.Webhook, event.Updated, "Customer", "West", after), created(after))}, false},
		"gone without a trace, made anew": {[][]event.Event{told(vanished), told(created(after))}, false},
		// News that came late is of the document before.
		"a creation that comes late":           {[][]event.Event{told(end), told(created(before))}, true},
		"a creation that comes late, at once":  {[][]event.Event{told(end, created(before))}, true},
		"a creation that comes twice":          {[][]event.Event{told(created(before)), told(gone), told(created(before))}, true},
		"a change that a webhook tells":        {[][]event.Event{told(end), told(seen(event.Webhook, event.Updated, "Customer", "Grant", after))}, true},
		"a change that catch-up saw":           {[][]event.Event{told(end), told(seen(event.Catchup, event.Updated, "Customer", "Grant", after))}, false},
		"a change that both tell":              {[][]event.Event{told(end), told(seen(event.Webhook, event.Updated, "Customer", "Grant", after)), told(seen(event.Catchup, event.Updated, "Customer", "Grant", after))}, false},
		"an old change that catch-up saw":      {[][]event.Event{told(end), told(seen(event.Catchup, event.Updated, "Customer", "Grant", stamp))}, true},
		"another document":                     {[][]event.Event{told(end), told(seen(event.Webhook, event.Created, "Customer", "Grant 2", after))}, true},
		"another DocType":                      {[][]event.Event{told(end), told(seen(event.Webhook, event.Created, "Item", "Grant", after))}, true},
		"a DocType that nothing links to":      {[][]event.Event{told(end), told(seen(event.Webhook, event.Created, "Supplier", "Grant", after))}, true},
		"a merge that is refused":              {[][]event.Event{told(renamed("Customer", "Grant", "West"))}, true},
		"a merge that is refused, made anew":   {[][]event.Event{told(renamed("Customer", "Grant", "West")), told(created(after))}, false},
		"a merge that is refused, old news":    {[][]event.Event{told(created(before)), told(renamed("Customer", "Grant", "West")), told(created(before))}, true},
		"another gets the name by being named": {[][]event.Event{told(end), told(renamed("Customer", "East", "Grant"))}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sql(`insert into rating values (1, 'Grant'), (2, 'West')`)
			for _, batch := range test.batches {
				if _, err := w.log.Append(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{}
			if test.dangles {
				want = append(want, "Rating 1 customer → Customer Grant")
			}
			same(t, "dangling", w.dangling(), want...)
			if got := w.value(`select count(*)::text from link_dangling`); got != "0" && !test.dangles {
				t.Errorf("%s marks are left", got)
			}
		})
	}
}

// Many are made at once, and some of their names had been used before.
func TestManyRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into rating select n, 'c' || n from generate_series(1, 500) n`)
	w.sql(`insert into link_dangling select 'Rating', n::text, 'customer', 'Customer', 'c' || n from generate_series(1, 500) n`)
	events := make([]event.Event, 0, 400)
	for n := range 400 {
		events = append(events, seen(event.Webhook, event.Created, "Customer", "c"+strconv.Itoa(n+1), after))
	}
	if n, err := w.log.Append(t.Context(), events); err != nil || n != 400 {
		t.Fatal(n, err)
	}
	if got := w.value(`select count(*)::text from link_dangling`); got != "100" {
		t.Errorf("%s marks are left", got)
	}
}

// A mark that another transaction holds is neither waited for nor cleared.
func TestRestoredDoesNotWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into rating values (1, 'Grant')`)
	w.append(deleted("Customer", "Grant"))
	tx, err := w.db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `select from link_dangling for update`); err != nil {
		t.Fatal(err)
	}
	w.append(seen(event.Webhook, event.Created, "Customer", "Grant", after))
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, "dangling", w.dangling(), "Rating 1 customer → Customer Grant")
}
