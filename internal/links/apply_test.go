package links_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/event"
	"erpgraph/internal/links"
)

func TestRename(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into deal (id, customer, agent, item) values ($1, 'Grant', 'West', 'Pump'), ($2, 'West', 'Grant', null), ($3, 'West', null, 'Grant')`, id(1), id(2), id(3))
	w.sql(`insert into memo values ('m', null, 'Grant')`)
	same(t, "events", w.append(renamed("Customer", "Grant", "Gra'nt & \"Co\"")),
		"RENAMED Customer Gra'nt & \"Co\"", "UPDATED Deal "+id(1), "UPDATED Deal "+id(2), "UPDATED Memo m")
	for sql, want := range map[string]string{
		`select customer from deal where id = $1`:                           "Gra'nt & \"Co\"",
		`select agent from deal where id = $1`:                              "West",
		`select (updated_at > '2001-01-01Z')::text from deal where id = $1`: "true",
	} {
		if got := w.value(sql, id(1)); got != want {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if got := w.value(`select item from deal where id = $1`, id(3)); got != "Grant" {
		t.Errorf("a link to another DocType follows: %s", got)
	}
	same(t, "again", w.append(renamed("Customer", "Grant", "Gra'nt & \"Co\"")))
	w.tx(func(tx pgx.Tx) error {
		follow, err := w.keeper.Apply(t.Context(), tx, renamed("Customer", "Grant", "Gra'nt & \"Co\""))
		if len(follow) > 0 {
			t.Errorf("done twice: %v", follow)
		}
		return err
	})
	same(t, "no such DocType", w.append(renamed("Supplier", "Grant", "West")), "RENAMED Supplier West")
}

// A table may have one row for each customer: a merge can't give the survivor two.
func TestMergeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into rating values (1, 'Grant'), (2, 'West')`)
	w.sql(`insert into deal (id, customer) values ($1, 'Grant')`, id(1))
	same(t, "events", w.append(renamed("Customer", "Grant", "West")), "RENAMED Customer West", "UPDATED Deal "+id(1))
	same(t, "dangling", w.dangling(), "Rating 1 customer → Customer Grant")
}

func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into deal (id, customer, agent, item) values ($1, 'Grant', 'Grant', 'Pump'), ($2, 'West', 'Grant', 'Pump'), ($3, 'West', 'West', null)`, id(1), id(2), id(3))
	w.sql(`insert into step values (11, $1, null), (12, $1, 11), (21, $2, 12), (22, $2, null)`, id(1), id(2))
	w.sql(`insert into memo values ('a', 11, 'West'), ('b', 21, 'Grant'), ('c', 22, null)`)
	w.sql(`insert into rating values (1, 'Grant')`)
	same(t, "events", w.append(deleted("Customer", "Grant")),
		"DELETED Customer Grant", "DELETED Deal "+id(1), "DELETED Step 11", "DELETED Step 12", "DELETED Step 21",
		"UPDATED Deal "+id(2), "UPDATED Memo a", "UPDATED Memo b")
	same(t, "dangling", w.dangling(), "Memo b customer → Customer Grant", "Rating 1 customer → Customer Grant")
	if got := w.value(`select string_agg(id::text || coalesce(agent, ''), ',' order by id) from deal`); got != id(2)+","+id(3)+"West" {
		t.Errorf("deals: %s", got)
	}
	if got := w.value(`select string_agg(id::text, ',' order by id) from step`); got != "22" {
		t.Errorf("steps: %s", got)
	}
	same(t, "an item", w.append(deleted("Item", "Pump")), "DELETED Item Pump")
	same(t, "dangling", w.dangling(), "Deal "+id(2)+" item → Item Pump", "Memo b customer → Customer Grant", "Rating 1 customer → Customer Grant")

	// A mark goes with the link, with the row, and with the document's return.
	w.sql(`update memo set customer = 'West' where id = 'b'`)
	w.sql(`delete from rating`)
	same(t, "dangling", w.dangling(), "Deal "+id(2)+" item → Item Pump")
	w.append(seen(event.Webhook, event.Created, "Item", "Pump", "2026-11-24 10:00:01.000000"))
	same(t, "dangling", w.dangling())
}

// What a foreign key holds stays, and all that would have gone with it.
func TestCascadeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into deal (id, customer) values ($1, 'Grant'), ($2, 'Grant')`, id(1), id(2))
	w.sql(`insert into step values (11, $1, null)`, id(1))
	w.sql(`insert into memo values ('a', 11, null)`)
	w.sql(`insert into bill values (1, $1)`, id(2))
	same(t, "events", w.append(deleted("Customer", "Grant")), "DELETED Customer Grant")
	same(t, "dangling", w.dangling(), "Deal "+id(1)+" customer → Customer Grant", "Deal "+id(2)+" customer → Customer Grant")
	if got := w.value(`select step::text from memo`); got != "11" {
		t.Errorf("the memo's step: %s", got)
	}
}

func TestManyRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into deal (customer, agent) select 'Grant', 'West' from generate_series(1, 20000)`)
	w.sql(`insert into step select row_number() over (), id from deal`)
	before := w.head()
	w.append(renamed("Customer", "West", "East"))
	w.append(deleted("Customer", "Grant"))
	if n := w.head().Seq - before.Seq; n != 2+20000+40000 {
		t.Errorf("%d events", n)
	}
	if got := w.value(`select count(*)::text from step`); got != "0" {
		t.Errorf("%s steps are left", got)
	}
}

func TestNeedsMergeCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for dt, want := range map[string]bool{"Customer": true, "Item": false, "Supplier": false, "Deal": false} {
		if got := w.keeper.NeedsMergeCheck(dt); got != want {
			t.Errorf("%s: %v", dt, got)
		}
	}
}

func TestDanglingPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`insert into rating select n, 'c' || n from generate_series(1, 1200) n`)
	w.sql(`insert into link_dangling select 'Rating', n::text, 'customer', 'Customer', 'c' || n from generate_series(1, 1200) n`)
	w.sql(`delete from rating where id between 300 and 1000`)
	w.sql(`insert into link_dangling values ('Rating', '1', 'gone', 'Customer', 'c1'), ('Lost', '1', 'x', 'Customer', 'c1')`)
	seen := map[string]bool{}
	for after := (links.Dangling{}); ; {
		page, err := w.keeper.Dangling(t.Context(), w.db.Pool(), []string{"Rating", "Lost"}, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			if seen[d.Row] {
				t.Errorf("%s comes twice", d.Row)
			}
			seen[d.Row] = true
		}
		if len(page) < 100 {
			break
		}
		after = page[len(page)-1]
	}
	if len(seen) != 499 {
		t.Errorf("%d rows, want 499", len(seen))
	}
}
