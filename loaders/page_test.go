package loaders_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"erpgraph/internal/criteria"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// ranges are the calls of a page as text: filters, then the order.
func ranges(lists []frappe.ListQuery) []string {
	var out []string
	for _, q := range lists {
		var parts []string
		for _, f := range q.Filters {
			parts = append(parts, fmt.Sprintf("%s %s %v", f.Field, f.Op, f.Value))
		}
		text := strings.Join(parts, " & ") + " by"
		for _, o := range q.OrderBy {
			if o.Desc {
				text += " -" + o.Field
			} else {
				text += " " + o.Field
			}
		}
		out = append(out, text)
	}
	return out
}

// What comes after a row is cut into ranges that ERPNext's filters can express.
func TestPageRanges(t *testing.T) {
	t.Parallel()
	at := func(next int, key string, v ...string) *loaders.Position {
		return &loaders.Position{Values: values(v...), Key: key, TiesNext: next, TiesPrev: next}
	}
	tests := []struct {
		name     string
		order    []criteria.Order
		after    *loaders.Position
		backward bool
		want     []string
	}{
		{"the first page", orderedBy("total", "-due"), nil, false, []string{" by total -due name"}},
		{"the last page", orderedBy("total", "-due"), nil, true, []string{" by -total due -name"}},
		{"by name", nil, at(0, "X"), false, []string{"name > X by name"}},
		{"by name, backward", nil, at(0, "X"), true, []string{"name < X by -name"}},
		{"nothing orders behind the name", orderedBy("name", "total"), at(1, "X", `"X"`, `1`), false, []string{"name > X by name"}},
		{"no tie", orderedBy("total"), at(0, "X", `10.50`), false, []string{"total > 10.50 by total name"}},
		{"a tie", orderedBy("total"), at(1, "X", `10.50`), false, []string{"total = 10.50 & name > X by total name", "total > 10.50 by total name"}},
		{"a tie in the first of two", orderedBy("total", "-at"), at(1, "X", `1`, `"2026-01-01 00:00:00.000001"`), false, []string{
			"total = 1 & at < 2026-01-01 00:00:00.000001 by total -at name", "total > 1 by total -at name",
		}},
		{"neighbour unknown", orderedBy("total", "title"), at(-1, "X", `1`, `"t"`), false, []string{
			"total = 1 & title = t & name > X by total title name", "total = 1 & title > t by total title name", "total > 1 by total title name",
		}},
		{"more ties than keys", orderedBy("total"), at(9, "X", `1`), false, []string{"total = 1 & name > X by total name", "total > 1 by total name"}},
		{"NULL text, ascending", orderedBy("po_no"), at(1, "X", `null`), false, []string{
			"po_no is not set & name > X by po_no name", "po_no like % by po_no name",
		}},
		{"NULL text, descending: NULLs first, to drop the rest", orderedBy("-po_no"), at(1, "X", `null`), false, []string{
			"po_no is not set & name > X by po_no name",
		}},
		{"empty text, ascending", orderedBy("po_no"), at(1, "X", `""`), false, []string{
			"po_no is not set & po_no like % & name > X by po_no name", "po_no is set by po_no name",
		}},
		{"empty text, descending: NULLs come after", orderedBy("-po_no"), at(1, "X", `""`), false, []string{
			"po_no is not set & po_no like % & name > X by -po_no name", "po_no is not set by po_no name",
		}},
		{"empty text that can't be NULL, descending", orderedBy("-title"), at(0, "X", `""`), false, nil},
		{"NULL date, ascending", orderedBy("due"), at(1, "X", `null`), false, []string{"due is not set & name > X by due name", "due is set by due name"}},
		{"NULL date, descending", orderedBy("-due"), at(1, "X", `null`), false, []string{"due is not set & name > X by -due name"}},
		{"a link is text", orderedBy("-customer"), at(0, "X", `"C"`), false, []string{"customer < C by -customer name"}},
		{"a forged number for text", orderedBy("title"), at(0, "X", `5`), false, []string{"title > 5 by title name"}},
		{"values missing", orderedBy("total"), at(0, "X"), false, []string{"total is set by total name"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := &upstream{}
			page, err := newSet(t, u, nil).Page(t.Context(), loaders.PageQuery{Type: order, Order: tt.order, Limit: 3, After: tt.after, Backward: tt.backward})
			if err != nil || len(page.Rows) != 0 || page.More {
				t.Fatalf("%v, %v", page, err)
			}
			if got := ranges(u.lists); !slices.Equal(got, tt.want) {
				t.Errorf("ranges:\n got %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Ranges are read until the page is full and one row beyond is known, no further.
func TestPageReadsNoFurtherThanFull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		first        int // rows of the first range
		limits       []int
		rows         int
		more, filled bool
	}{
		{"full", 4, []int{4}, 3, true, true},
		{"just full", 3, []int{4, 1}, 3, true, false},
		{"half", 1, []int{4, 3}, 3, true, false},
		{"empty", 0, []int{4, 4}, 3, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			u := &upstream{}
			u.list = func(q frappe.ListQuery) ([]map[string]string, error) {
				n := q.Limit
				if calls++; calls == 1 {
					n = tt.first
				}
				var rows []map[string]string
				for i := range n {
					rows = append(rows, map[string]string{"name": fmt.Sprintf("%q", fmt.Sprint(calls, "-", i)), "total": "1"})
				}
				return rows, nil
			}
			page, err := newSet(t, u, nil).Page(t.Context(), loaders.PageQuery{
				Type: order, Order: orderedBy("total"), Limit: 3, After: &loaders.Position{Values: values("1"), Key: "X", TiesNext: 1},
			})
			if err != nil {
				t.Fatal(err)
			}
			var limits []int
			for _, q := range u.lists {
				limits = append(limits, q.Limit)
			}
			if !slices.Equal(limits, tt.limits) || len(page.Rows) != tt.rows || page.More != tt.more {
				t.Errorf("limits %v, want %v; %d rows, more %t", limits, tt.limits, len(page.Rows), page.More)
			}
		})
	}
}

// A position counts the keys in which MariaDB may take the neighbours as equal.
func TestPositionTies(t *testing.T) {
	t.Parallel()
	by := orderedBy("title", "total")
	tests := []struct {
		name        string
		title, next string
		total       string // of the next row; the row's own is 1
		want        int
	}{
		{"different", `"a"`, `"b"`, `1`, 0},
		{"equal in all", `"a"`, `"a"`, `1`, 2},
		{"equal in the first", `"a"`, `"a"`, `2`, 1},
		{"case", `"a"`, `"A"`, `2`, 1},
		{"blanks at the end", `"a"`, `"a  "`, `2`, 1},
		{"blanks at the start differ", `"a"`, `" a"`, `2`, 0},
		{"accents", `"a"`, `"ä"`, `2`, 1},
		{"beyond ASCII may be equal", `"日"`, `"本"`, `2`, 1},
		{"control characters do not count", `"ab"`, `"a\u0001b"`, `2`, 1},
		{"NULL and empty may be", `null`, `""`, `2`, 1},
		{"NULL and a text", `null`, `"a"`, `1`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			row := func(key, title, total string) *loaders.Row {
				return loaders.NewRow(order, key, jsonOf(map[string]string{"title": title, "total": total}))
			}
			rows := []*loaders.Row{row("1", tt.title, `1`), row("2", tt.next, tt.total)}
			page := loaders.NewPage(rows, 1, false)
			if p := page.Position(by, 0); p.TiesNext != tt.want || p.TiesPrev != -1 || p.Key != "1" || len(p.Values) != 2 {
				t.Errorf("forward: %+v, want ties %d", p, tt.want)
			}
			back := loaders.NewPage([]*loaders.Row{rows[1], rows[0]}, 1, true)
			if p := back.Position(by, 0); p.TiesPrev != tt.want || p.TiesNext != -1 || p.Key != "2" || !back.More {
				t.Errorf("backward: %+v, want ties %d", p, tt.want)
			}
			both := loaders.NewPage(rows, 2, false)
			if p := both.Position(by, 1); p.TiesPrev != tt.want || p.TiesNext != -1 || both.More {
				t.Errorf("last row: %+v, want ties %d", p, tt.want)
			}
		})
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, equal := range [][]string{
		{"", " ", "   "},
		{"Müller", "MULLER", "müller ", "Mu\u0308ller"},
		{"Straße", "STRASSE", "strasse"},
		{"ÉCLAIR", "eclair"},
		{"Ａ", "a"},
		{"日本", "日本 "},
		{"パパ", "ハハ"},
		{"שָׁלוֹם", "שלום"},
		{"مُحَمَّد", "محمد"},
		{"ά", "α"},
	} {
		for _, s := range equal {
			if loaders.Fold(s) != loaders.Fold(equal[0]) {
				t.Errorf("%q and %q fold to %q and %q", s, equal[0], loaders.Fold(s), loaders.Fold(equal[0]))
			}
		}
	}
	for _, pair := range [][2]string{{"a", " a"}, {"a", "b"}, {"a-b", "ab"}, {"日", "本"}, {"कु", "कि"}, {"कु", "क"}, {"ที่", "ท"}} {
		if loaders.Fold(pair[0]) == loaders.Fold(pair[1]) {
			t.Errorf("%q and %q fold to the same", pair[0], pair[1])
		}
	}
}
