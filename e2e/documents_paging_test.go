package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// documents pages as lists do, although it knows no types of fields.
func TestPagingDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := rand.New(rand.NewPCG(31, 1))
	for i := range 40 {
		insertSalesOrder(t, b, r, rowName(i), "Paging Customer")
		insertCustomer(t, b, r, rowName(i))
		insertIssue(t, b, r, rowName(i))
	}
	for _, tt := range []struct {
		doctype string
		fields  []sortKey
		filters map[string]any
	}{
		{"Sales Order", salesOrderOrder, map[string]any{"company": "Paging"}},
		{"Customer", customerOrder, map[string]any{"tax_id": "paging"}},
		{"Issue", issueOrder, map[string]any{"subject": "paging"}},
	} {
		for range 40 {
			order := randomOrder(r, tt.fields)
			want := b.restOrder(t, tt.doctype, tt.filters, orderSQL(order, "name"))
			terms := []map[string]any{}
			for _, k := range order {
				direction := "ASC"
				if k.desc {
					direction = "DESC"
				}
				terms = append(terms, map[string]any{"field": k.column, "direction": direction})
			}
			var all []string
			after := ""
			for n := 0; ; n++ {
				var data struct {
					Documents struct {
						Nodes    []row
						PageInfo struct {
							HasNextPage bool
							EndCursor   string
						}
					}
				}
				got := b.query(t, admin, `query($d: String!, $f: JSON, $o: [DocumentsOrder!], $n: Int, $a: String) {
					documents(doctype: $d, fields: ["name"], filters: $f, orderBy: $o, first: $n, after: $a) { nodes pageInfo { hasNextPage endCursor } } }`,
					map[string]any{"d": tt.doctype, "f": tt.filters, "o": terms, "n": 1 + r.IntN(9), "a": after})
				got.into(t, &data)
				// Fields above the caller's permlevel are looked for by a call; and of a key of
				// unknown type NULL and empty text are told apart by one more.
				if calls := got.Extensions.Upstream.Calls; calls > 2+2*min(n, 1)*len(order) {
					t.Fatalf("page %d of %v: %d calls", n, order, calls)
				}
				for _, node := range data.Documents.Nodes {
					all = append(all, node.text("name"))
				}
				if after = data.Documents.PageInfo.EndCursor; !data.Documents.PageInfo.HasNextPage {
					break
				}
			}
			if !slices.Equal(all, want) {
				t.Fatalf("%s by %v:\n got %v\nwant %v", tt.doctype, order, all, want)
			}
		}
	}
}

// Pages of an operation's lists do not mix, and a list that is asked for twice is one.
func TestPagingSeveralListsAtOnce(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	want := b.restOrder(t, "Customer", nil, "name")
	reversed := slices.Clone(want)
	slices.Reverse(reversed)
	got := b.query(t, admin, `{
		a: customers(first: 3) { nodes { name } pageInfo { hasNextPage hasPreviousPage } }
		b: customers(last: 3) { nodes { name } pageInfo { hasNextPage hasPreviousPage } }
		c: customers(first: 3, orderBy: [{field: NAME, direction: DESC}]) { nodes { name } pageInfo { hasNextPage hasPreviousPage } }
		d: customers(first: 0) { nodes { name } totalCount pageInfo { hasNextPage hasPreviousPage } }
		e: customers(first: 3) { nodes { customerName } totalCount edges { cursor } }
		f: customers(where: {name: {in: []}}) { nodes { name } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
	}`, nil)
	type list struct {
		Nodes      []struct{ Name string }
		TotalCount int
		PageInfo   struct {
			HasNextPage, HasPreviousPage bool
			StartCursor, EndCursor       *string
		}
	}
	var data map[string]list
	got.into(t, &data)
	names := func(alias string) string {
		var out []string
		for _, n := range data[alias].Nodes {
			out = append(out, n.Name)
		}
		return fmt.Sprint(out, data[alias].PageInfo.HasNextPage, data[alias].PageInfo.HasPreviousPage)
	}
	for alias, expected := range map[string]string{
		"a": fmt.Sprint(want[:3], true, false), "b": fmt.Sprint(want[len(want)-3:], false, true),
		"c": fmt.Sprint(reversed[:3], true, false), "d": fmt.Sprint([]string{}, true, false), "f": fmt.Sprint([]string{}, false, false),
	} {
		if names(alias) != expected {
			t.Errorf("%s: got %s, want %s", alias, names(alias), expected)
		}
	}
	if data["e"].TotalCount != len(want) || data["d"].TotalCount != len(want) || data["f"].TotalCount != 0 {
		t.Errorf("totals %d, %d, %d; want %d", data["e"].TotalCount, data["d"].TotalCount, data["f"].TotalCount, len(want))
	}
	if data["f"].PageInfo.StartCursor != nil || data["f"].PageInfo.EndCursor != nil {
		t.Error("an empty page has cursors")
	}
}

// The count is that of the list, whatever the filter is made of.
func TestPagingTotals(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	for _, where := range []string{
		`{}`, `{status: {in: [DRAFT, CLOSED]}}`, `{or: [{docstatus: {eq: 1}}, {grandTotal: {gt: "1000"}}]}`,
		`{items: {qty: {gt: 1}}}`, `{items: {qty: {gt: 1}}, or: [{docstatus: {eq: 1}}, {status: {eq: DRAFT}}]}`,
		`{or: [{items: {qty: {gt: 5}}}, {docstatus: {eq: 0}}]}`, `{customer: {isSet: false}}`,
	} {
		names := b.list(t, admin, "salesOrders", "where: "+where, "name")
		var data struct{ SalesOrders struct{ TotalCount int } }
		b.query(t, admin, `{ salesOrders(where: `+where+`) { totalCount } }`, nil).into(t, &data)
		seen := map[string]bool{}
		for _, n := range names {
			seen[n.text("name")] = true
		}
		if len(seen) != len(names) || data.SalesOrders.TotalCount != len(names) {
			t.Errorf("%s: %d rows, %d different, totalCount %d", where, len(names), len(seen), data.SalesOrders.TotalCount)
		}
		// The same nested: the parents' counts add up.
		var buyers []string
		for _, o := range b.restList(t, admin, "Sales Order", []string{"name", "customer"}, nil) {
			if q := fmt.Sprintf("%q", o.text("customer")); !slices.Contains(buyers, q) {
				buyers = append(buyers, q)
			}
		}
		var nested struct {
			Customers struct {
				Nodes []struct{ SalesOrders struct{ TotalCount int } }
			}
		}
		b.query(t, admin, `{ customers(first: 500, where: {name: {in: [`+strings.Join(buyers, ", ")+`]}}) { nodes { salesOrders(first: 0, where: `+where+`) { totalCount } } } }`, nil).into(t, &nested)
		sum := 0
		for _, c := range nested.Customers.Nodes {
			sum += c.SalesOrders.TotalCount
		}
		if sum != len(names) {
			t.Errorf("%s: nested counts add up to %d, want %d", where, sum, len(names))
		}
	}
}

// Both ways from the middle: what lies before a cursor and what lies after it are the list.
func TestPagingFromTheMiddle(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := rand.New(rand.NewPCG(41, 1))
	tt := upstreamCases(t, b, r)[0]
	for i := range 30 {
		tt.insert(rowName(i))
	}
	for range 15 {
		order := randomOrder(r, tt.fields)
		want := tt.list.page(t, order, 500, "", false).keys
		args := strings.Join([]string{tt.list.where, orderArgument(order), "first: 500"}, " ")
		var data struct {
			Customers struct {
				Edges []struct{ Cursor string }
			}
		}
		b.query(t, admin, `{ customers(`+args+`) { edges { cursor } } }`, nil).into(t, &data)
		for _, i := range []int{0, 1, len(want) / 2, len(want) - 2, len(want) - 1} {
			cursor := data.Customers.Edges[i].Cursor
			before := tt.list.page(t, order, 500, cursor, true)
			after := tt.list.page(t, order, 500, cursor, false)
			if !slices.Equal(before.keys, append([]string(nil), want[:i]...)) || !slices.Equal(after.keys, append([]string(nil), want[i+1:]...)) {
				t.Fatalf("%v at %d:\nbefore %v\nafter %v\nlist %v", order, i, before.keys, after.keys, want)
			}
			if !before.more || before.back || after.more || !after.back {
				t.Errorf("%v at %d: before %t %t, after %t %t", order, i, before.more, before.back, after.more, after.back)
			}
			// A step forward and a step back leads to the same row.
			if next := tt.list.page(t, order, 1, cursor, false); len(next.keys) == 1 {
				if back := tt.list.page(t, order, 1, next.end, true); len(back.keys) != 1 || back.keys[0] != want[i] {
					raw, _ := json.Marshal(back.keys)
					t.Errorf("%v: forth and back from %s is %s", order, want[i], raw)
				}
			}
		}
	}
}
