package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// ordersByCustomer reads the nested connections of all paging customers.
func (b *bundle) ordersByCustomer(tb testing.TB, args string) (map[string][]string, map[string]int64, answer) {
	tb.Helper()
	got := b.query(tb, admin, `{ customers(where: {taxId: {eq: "nested"}}) { nodes { name salesOrders(`+args+`) { totalCount nodes { name } } } } }`, nil)
	var data struct {
		Customers struct {
			Nodes []struct {
				Name        string
				SalesOrders struct {
					TotalCount int64
					Nodes      []struct{ Name string }
				}
			}
		}
	}
	got.into(tb, &data)
	pages, totals := map[string][]string{}, map[string]int64{}
	for _, c := range data.Customers.Nodes {
		page := []string{}
		for _, n := range c.SalesOrders.Nodes {
			page = append(page, n.Name)
		}
		pages[c.Name], totals[c.Name] = page, c.SalesOrders.TotalCount
	}
	return pages, totals, got
}

// Each parent of a level gets its own first rows and its own count, also where one
// parent's rows fill the call that reads those of all.
func TestNestedPages(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := rand.New(rand.NewPCG(3, 5))
	// More rows than a call asks for, no rows, and names that differ in case and accents
	// from how the orders' links are written.
	sizes := map[string]int{"Big": 620, "Second": 530, "none": 0, "One": 1, "Müller": 7, "ZOË": 12}
	links := map[string]string{"Müller": "MULLER", "ZOË": "zoe"}
	for _, name := range []string{"Big", "Second", "none", "One", "Müller", "ZOË"} {
		insert(t, b, "Customer", map[string]any{"name": name, "customer_name": name, "tax_id": "nested"})
		link := name
		if links[name] != "" {
			link = links[name]
		}
		for i := range sizes[name] {
			insertSalesOrder(t, b, r, fmt.Sprintf("%s %04d", name, i), link)
		}
	}
	orders := [][]sortKey{nil, {{"CUSTOMER", "customer", false}}, {{"CUSTOMER", "customer", true}}, {{"NAME", "name", true}}}
	for range 6 {
		orders = append(orders, randomOrder(r, salesOrderOrder))
	}
	for _, order := range orders {
		want := map[string][]string{}
		for name := range sizes {
			want[name] = b.restOrder(t, "Sales Order", map[string]any{"customer": name}, orderSQL(order, "name"))
			if len(want[name]) != sizes[name] {
				t.Fatalf("%s has %d orders, want %d", name, len(want[name]), sizes[name])
			}
		}
		for _, limit := range []int{0, 1, 3, 25, 120} {
			for _, side := range []string{"first", "last"} {
				pages, totals, got := b.ordersByCustomer(t, fmt.Sprintf("%s, %s: %d", orderArgument(order), side, limit))
				for name := range sizes {
					page := want[name][:min(limit, len(want[name]))]
					if side == "last" {
						page = want[name][max(0, len(want[name])-limit):]
					}
					if !slices.Equal(pages[name], page) || totals[name] != int64(sizes[name]) {
						t.Errorf("%s of %v, %s %d: %d rows, total %d; want %d of %d\n got %v\nwant %v",
							name, order, side, limit, len(pages[name]), totals[name], len(page), sizes[name], pages[name], page)
					}
				}
				// A call for the parents, one for the counts, and one for each round: each
				// round settles a parent at least, and only two here have more than a page.
				if n := got.Extensions.Upstream.Calls; n > 2+3 {
					t.Errorf("%v, %s %d: %d calls", order, side, limit, n)
				}
			}
		}
	}
}

// Nested cursors go on where the page ended, for a parent at a time.
func TestNestedCursors(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := rand.New(rand.NewPCG(3, 9))
	insert(t, b, "Customer", map[string]any{"name": "Big", "customer_name": "Big"})
	for i := range 90 {
		insertSalesOrder(t, b, r, fmt.Sprintf("Big %04d", i), "Big")
	}
	list := pagedList{b: b, field: "salesOrders", where: `where: {docstatus: {lt: 2}}`, key: "name", parent: `customer(name: "Big")`}
	for range 15 {
		order := randomOrder(r, salesOrderOrder)
		want := b.restOrder(t, "Sales Order", map[string]any{"customer": "Big", "docstatus": []any{"<", 2}}, orderSQL(order, "name"))
		for _, backward := range []bool{false, true} {
			got := list.walk(t, order, func() int { return 5 + r.IntN(20) }, backward, nil, [2]int{3, 3 + len(order)})
			if !slices.Equal(got, want) {
				t.Fatalf("%v, backward %t:\n got %v\nwant %v", order, backward, got, want)
			}
		}
	}
}

// A condition on further child rows repeats the documents in ERPNext's join. The rounds
// must neither take repeats for a full page nor go on for ever.
func TestNestedPagesWithRepeatedRows(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	insert(t, b, "Customer", map[string]any{"name": "Ada", "customer_name": "Ada", "tax_id": "nested"})
	insert(t, b, "Customer", map[string]any{"name": "Bob", "customer_name": "Bob", "tax_id": "nested"})
	for i := range 150 {
		emails := []any{}
		for j := range 10 {
			emails = append(emails, map[string]any{"email_id": fmt.Sprintf("c%d-%d@example.com", i, j)})
		}
		name := "Ada"
		if i%50 == 49 {
			name = "Bob"
		}
		insert(t, b, "Contact", map[string]any{
			"name": fmt.Sprintf("C%03d", i), "first_name": "paging", "email_ids": emails,
			"links": []any{map[string]any{"link_doctype": "Customer", "link_name": name}, map[string]any{"link_doctype": "Customer", "link_name": name}},
		})
	}
	got := b.query(t, admin, `{ customers(where: {taxId: {eq: "nested"}}) { nodes { name contacts(first: 120, where: {emailIds: {emailId: {like: "%example.com"}}}) { totalCount nodes { name } } } } }`, nil)
	var data struct {
		Customers struct {
			Nodes []struct {
				Name     string
				Contacts struct {
					TotalCount int
					Nodes      []struct{ Name string }
				}
			}
		}
	}
	got.into(t, &data)
	if n := got.Extensions.Upstream.Calls; n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
	for _, c := range data.Customers.Nodes {
		total := map[string]int{"Ada": 147, "Bob": 3}[c.Name]
		seen := map[string]bool{}
		for _, n := range c.Contacts.Nodes {
			seen[n.Name] = true
		}
		if c.Contacts.TotalCount != total || len(c.Contacts.Nodes) != min(total, 120) || len(seen) != min(total, 120) {
			t.Errorf("%s: %d rows, %d different, total %d; want %d", c.Name, len(c.Contacts.Nodes), len(seen), c.Contacts.TotalCount, total)
		}
	}
}

// A list through a dynamic link's child table: Customer.addresses.
func TestNestedPagesThroughChildTable(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for _, c := range []string{"Ada", "Bob", "Nil"} {
		insert(t, b, "Customer", map[string]any{"name": c, "customer_name": c, "tax_id": "nested"})
	}
	link := func(name string) map[string]any {
		return map[string]any{"link_doctype": "Customer", "link_name": name}
	}
	for i := range 12 {
		links := []any{link("Ada")}
		if i%3 == 0 { // of both, and twice of one
			links = append(links, link("Bob"), link("Ada"))
		}
		insert(t, b, "Address", map[string]any{
			"name": fmt.Sprintf("A%02d", i), "address_title": fmt.Sprint(i % 4), "city": "Paging", "links": links,
		})
	}
	insert(t, b, "Address", map[string]any{
		"name": "A99", "address_title": "", "city": "Paging", "links": []any{map[string]any{"link_doctype": "Supplier", "link_name": "Ada"}},
	})
	type connection struct {
		TotalCount int64
		Nodes      []struct{ Name string }
		PageInfo   struct {
			HasNextPage bool
			EndCursor   string
		}
	}
	read := func(name, args string) ([]string, connection) {
		var data struct {
			Customer struct{ Addresses connection }
		}
		b.query(t, admin, `query($c: String!) { customer(name: $c) { addresses(`+args+`) { totalCount nodes { name } pageInfo { hasNextPage endCursor } } } }`,
			map[string]any{"c": name}).into(t, &data)
		var names []string
		for _, n := range data.Customer.Addresses.Nodes {
			names = append(names, n.Name)
		}
		return names, data.Customer.Addresses
	}
	const order = `orderBy: [{field: ADDRESS_TITLE, direction: DESC}]`
	for name, want := range map[string][]string{
		"Ada": {"A03", "A07", "A11", "A02", "A06", "A10", "A01", "A05", "A09", "A00", "A04", "A08"},
		"Bob": {"A03", "A06", "A09", "A00"}, "Nil": nil,
	} {
		whole, conn := read(name, order)
		if !slices.Equal(whole, want) || conn.TotalCount != int64(len(want)) {
			t.Errorf("%s: %v of %d, want %v", name, whole, conn.TotalCount, want)
		}
		var all []string
		after := ""
		for range 20 {
			page, conn := read(name, order+` first: 2`+after)
			all = append(all, page...)
			if !conn.PageInfo.HasNextPage {
				break
			}
			after = fmt.Sprintf(` after: %q`, conn.PageInfo.EndCursor)
		}
		if !slices.Equal(all, want) {
			t.Errorf("%s by pages: %v, want %v", name, all, want)
		}
	}
	// All parents at once, and with a condition on the very table that links.
	var data struct {
		Customers struct {
			Nodes []struct {
				Name      string
				Addresses connection
			}
		}
	}
	for _, where := range []string{"", `where: {links: {linkTitle: {isSet: false}}}`} {
		b.query(t, admin, `{ customers(where: {taxId: {eq: "nested"}}) { nodes { name addresses(first: 3 `+where+`) { totalCount nodes { name } pageInfo { hasNextPage endCursor } } } } }`, nil).into(t, &data)
		got, err := json.Marshal(data.Customers.Nodes)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(data.Customers.Nodes); n != 3 {
			t.Fatalf("%d customers: %s", n, got)
		}
		for _, c := range data.Customers.Nodes {
			var have []string
			for _, a := range c.Addresses.Nodes {
				have = append(have, a.Name)
			}
			want := map[string][]string{"Ada": {"A00", "A01", "A02"}, "Bob": {"A00", "A03", "A06"}, "Nil": nil}[c.Name]
			total := map[string]int64{"Ada": 12, "Bob": 4}[c.Name]
			if !slices.Equal(have, want) || c.Addresses.TotalCount != total || c.Addresses.PageInfo.HasNextPage != (total > 3) {
				t.Errorf("%s with %q: %v of %d, more %t", c.Name, where, have, c.Addresses.TotalCount, c.Addresses.PageInfo.HasNextPage)
			}
		}
	}
}
