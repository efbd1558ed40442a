package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// sortKey is one key of an order, by its GraphQL and its stored name.
type sortKey struct {
	enum, column string
	desc         bool
}

// pagedList is a list that the paging tests walk through.
type pagedList struct {
	b     *bundle
	field string // "customers"
	where string // "where: {…}", or ""
	key   string // "name" or "id"
	// credential reads it, the administrator's where there is none.
	credential string
	// parent is the root field that a nested list hangs on, with its arguments.
	parent string
}

// walkedPage is one page of a walk.
type walkedPage struct {
	keys       []string
	first, end string
	more, back bool
	total      int64
	calls      int
}

// orderArgument writes an order as GraphQL has it.
func orderArgument(order []sortKey) string {
	keys := make([]string, len(order))
	for i, k := range order {
		direction := "ASC"
		if k.desc {
			direction = "DESC"
		}
		keys[i] = "{field: " + k.enum + ", direction: " + direction + "}"
	}
	return "orderBy: [" + strings.Join(keys, ", ") + "]"
}

// orderSQL writes an order, with the key that ends it, as SQL and Frappe have it.
func orderSQL(order []sortKey, last string) string {
	var terms []string
	for _, k := range order {
		term := k.column
		if k.desc {
			term += " desc"
		}
		terms = append(terms, term)
		if k.column == last {
			return strings.Join(terms, ", ")
		}
	}
	return strings.Join(append(terms, last), ", ")
}

// page reads one page: first and after, or with backward last and before.
func (l pagedList) page(tb testing.TB, order []sortKey, size int, cursor string, backward bool) walkedPage {
	tb.Helper()
	size1, cursor1 := "first", "after"
	if backward {
		size1, cursor1 = "last", "before"
	}
	args := fmt.Sprintf("%s %s %s: %d", l.where, orderArgument(order), size1, size)
	if cursor != "" {
		quoted, err := json.Marshal(cursor)
		if err != nil {
			tb.Fatal(err)
		}
		args += fmt.Sprintf(" %s: %s", cursor1, quoted)
	}
	list := fmt.Sprintf("list: %s(%s) { edges { cursor node { key: %s } } nodes { key: %s } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }",
		l.field, args, l.key, l.key)
	query := "{ " + list + " }"
	if l.parent != "" {
		query = "{ list: " + l.parent + " { " + list + " } }"
	}
	got := l.b.query(tb, cmp.Or(l.credential, admin), query, nil)
	type connection struct {
		Edges []struct {
			Cursor string
			Node   struct{ Key string }
		}
		Nodes      []struct{ Key string }
		TotalCount int64
		PageInfo   struct {
			HasNextPage, HasPreviousPage bool
			StartCursor, EndCursor       string
		}
	}
	var c connection
	if l.parent == "" {
		data := struct{ List *connection }{&c}
		got.into(tb, &data)
	} else {
		data := struct{ List struct{ List *connection } }{}
		data.List.List = &c
		got.into(tb, &data)
	}
	out := walkedPage{
		first: c.PageInfo.StartCursor, end: c.PageInfo.EndCursor,
		more: c.PageInfo.HasNextPage, back: c.PageInfo.HasPreviousPage,
		total: c.TotalCount, calls: got.Extensions.Upstream.Calls,
	}
	for i, e := range c.Edges {
		out.keys = append(out.keys, e.Node.Key)
		if c.Nodes[i].Key != e.Node.Key {
			tb.Fatalf("node %d is %s, edge %s", i, c.Nodes[i].Key, e.Node.Key)
		}
	}
	if n := len(c.Edges); n > 0 && (c.Edges[0].Cursor != out.first || c.Edges[n-1].Cursor != out.end) {
		tb.Fatal("startCursor and endCursor are not those of the edges")
	}
	if len(out.keys) > size {
		tb.Fatalf("a page of %d rows, asked for %d", len(out.keys), size)
	}
	return out
}

// walk reads the list to its end, page by page, in list order; between is called after
// each page. maxCalls bounds the upstream calls of the first and of a later page.
func (l pagedList) walk(tb testing.TB, order []sortKey, size func() int, backward bool, between func(page int), maxCalls [2]int) []string {
	tb.Helper()
	var all []string
	cursor, limit := "", maxCalls[0]
	for n := 0; ; n++ {
		if n > 2000 {
			tb.Fatal("the walk does not end")
		}
		p := l.page(tb, order, size(), cursor, backward)
		if p.calls > limit {
			tb.Fatalf("page %d of %v took %d calls, want at most %d", n, order, p.calls, limit)
		}
		limit = maxCalls[1]
		more := p.more
		cursor = p.end
		if backward {
			more, cursor = p.back, p.first
			all = append(slices.Clone(p.keys), all...)
		} else {
			all = append(all, p.keys...)
		}
		if !more {
			return all
		}
		if len(p.keys) == 0 {
			tb.Fatal("an empty page that says there are more")
		}
		if between != nil {
			between(n)
		}
	}
}

// randomOrder picks up to three keys.
func randomOrder(r *rand.Rand, fields []sortKey) []sortKey {
	order := make([]sortKey, 0, 3)
	for _, i := range r.Perm(len(fields))[:r.IntN(4)] {
		k := fields[i]
		k.desc = r.IntN(2) == 1
		order = append(order, k)
	}
	return order
}

// customerOrder and the others are the fields that the tests order by: ties, NULL and
// empty text among their values.
var (
	customerOrder = []sortKey{
		{enum: "CUSTOMER_NAME", column: "customer_name"},
		{enum: "CUSTOMER_TYPE", column: "customer_type"},
		{enum: "MOBILE_NO", column: "mobile_no"},
		{enum: "WEBSITE", column: "website"},
		{enum: "LANGUAGE", column: "language"},
		{enum: "IS_INTERNAL_CUSTOMER", column: "is_internal_customer"},
		{enum: "DEFAULT_COMMISSION_RATE", column: "default_commission_rate"},
		{enum: "CREATION", column: "creation"},
		{enum: "NAME", column: "name"},
	}
	salesOrderOrder = []sortKey{
		{enum: "GRAND_TOTAL", column: "grand_total"},
		{enum: "DELIVERY_DATE", column: "delivery_date"},
		{enum: "PO_NO", column: "po_no"},
		{enum: "STATUS", column: "status"},
		{enum: "TRANSACTION_DATE", column: "transaction_date"},
		{enum: "TERRITORY", column: "territory"},
		{enum: "PER_DELIVERED", column: "per_delivered"},
		{enum: "DOCSTATUS", column: "docstatus"},
		{enum: "NAME", column: "name"},
	}
	itemOrder = []sortKey{
		{enum: "ITEM_NAME", column: "item_name"},
		{enum: "ITEM_GROUP", column: "item_group"},
		{enum: "BRAND", column: "brand"},
		{enum: "STANDARD_RATE", column: "standard_rate"},
		{enum: "END_OF_LIFE", column: "end_of_life"},
		{enum: "IS_STOCK_ITEM", column: "is_stock_item"},
		{enum: "SHELF_LIFE_IN_DAYS", column: "shelf_life_in_days"},
		{enum: "NAME", column: "name"},
	}
)

var issueOrder = []sortKey{
	{enum: "RESOLUTION_TIME", column: "resolution_time"},
	{enum: "TOTAL_HOLD_TIME", column: "total_hold_time"},
	{enum: "FIRST_RESPONDED_ON", column: "first_responded_on"},
	{enum: "OPENING_TIME", column: "opening_time"},
	{enum: "OPENING_DATE", column: "opening_date"},
	{enum: "PRIORITY", column: "priority"},
	{enum: "VIA_CUSTOMER_PORTAL", column: "via_customer_portal"},
}

func insertIssue(tb testing.TB, b *bundle, r *rand.Rand, name string) {
	tb.Helper()
	insert(tb, b, "Issue", map[string]any{
		"name": name, "subject": "paging", "resolution_time": pick(r, nil, 0, 90, 90.5, 3600), "total_hold_time": pick(r, nil, nil, 0),
		"first_responded_on": pick(r, nil, "2026-01-01 00:00:00.000000", "2026-01-01 00:00:00.000001"), "opening_time": pick(r, nil, "09:05:00", "10:00:00", "09:05:00.5"),
		"opening_date": pick(r, nil, "2026-01-01", "2026-01-02"), "priority": pick(r, nil, "", "High"), "via_customer_portal": pick(r, 0, 1),
	})
}

// pick gives one of the values.
func pick(r *rand.Rand, values ...any) any { return values[r.IntN(len(values))] }

// insertCustomer stores a customer with many chances to tie with others.
func insertCustomer(tb testing.TB, b *bundle, r *rand.Rand, name string) {
	tb.Helper()
	insert(tb, b, "Customer", map[string]any{
		"name": name, "customer_name": pick(r, "Ada", "ada", "ADA ", "Ädä", "Zoë", "zoe", "Straße", "Strasse", "ß", "", "日本", "1", "%", "_"),
		"customer_type": pick(r, "Company", "Individual"), "customer_group": "All Customer Groups", "territory": "All Territories",
		"mobile_no": pick(r, nil, "", "1", "+1", "É", "e"), "website": pick(r, nil, nil, "", ""), "language": pick(r, nil, "en"),
		"is_internal_customer": pick(r, 0, 1), "default_commission_rate": pick(r, 0, 0.1, 1.5, -1, 10, 2),
		"creation": pick(r, "2026-01-01 00:00:00.000000", "2026-01-01 00:00:00.000001", "2026-02-01 10:00:00.500000"), "tax_id": "paging",
	})
}

func insertItem(tb testing.TB, b *bundle, r *rand.Rand, name string) {
	tb.Helper()
	insert(tb, b, "Item", map[string]any{
		"name": name, "item_code": name, "item_name": pick(r, "Bolt", "bolt", "Bölt", "Bolt ", "Nut", "", "Ñut"),
		"item_group": "All Item Groups", "brand": pick(r, nil, "", "B"), "standard_rate": pick(r, 0, 1.25, 1.5, 1000000.99),
		"end_of_life": pick(r, nil, "2026-01-01", "2099-12-31"), "is_stock_item": pick(r, 0, 1), "shelf_life_in_days": pick(r, 0, 1, 30),
		"customs_tariff_number": "paging",
	})
}

func insertSalesOrder(tb testing.TB, b *bundle, r *rand.Rand, name, customer string) {
	tb.Helper()
	insert(tb, b, "Sales Order", map[string]any{
		"name": name, "customer": customer, "company": "Paging", "grand_total": pick(r, 0, 10, 10.5, 10.05, 99999999.99, -3),
		"delivery_date": pick(r, nil, "2026-01-01", "2026-01-02"), "po_no": pick(r, nil, "", "A", "a", "á", "B"),
		"status": pick(r, "Draft", "To Bill", "Closed"), "transaction_date": pick(r, "2026-01-01", "2026-03-01"),
		"territory": pick(r, nil, "", "All Territories"), "per_delivered": pick(r, 0, 33.333333, 100), "docstatus": pick(r, 0, 1, 2),
	})
}

func insert(tb testing.TB, b *bundle, doctype string, doc map[string]any) {
	tb.Helper()
	if err := b.site.Insert(doctype, doc); err != nil {
		tb.Fatal(err)
	}
}

// upstreamCase is an upstream list of the paging tests.
type upstreamCase struct {
	doctype string
	list    pagedList
	fields  []sortKey
	insert  func(name string)
	filter  map[string]any
}

func upstreamCases(tb testing.TB, b *bundle, r *rand.Rand) []upstreamCase {
	tb.Helper()
	insert(tb, b, "Customer", map[string]any{"name": "Paging Customer", "customer_name": "Paging"})
	return []upstreamCase{
		{
			"Customer",
			pagedList{b: b, field: "customers", where: `where: {taxId: {eq: "paging"}}`, key: "name"},
			customerOrder,
			func(name string) { insertCustomer(tb, b, r, name) },
			map[string]any{"tax_id": "paging"},
		},
		{
			"Item",
			pagedList{b: b, field: "items", where: `where: {customsTariffNumber: {eq: "paging"}}`, key: "name"},
			itemOrder,
			func(name string) { insertItem(tb, b, r, name) },
			map[string]any{"customs_tariff_number": "paging"},
		},
		{
			"Sales Order",
			pagedList{b: b, field: "salesOrders", where: `where: {company: {eq: "Paging"}}`, key: "name"},
			salesOrderOrder,
			func(name string) { insertSalesOrder(tb, b, r, name, "Somebody") },
			map[string]any{"company": "Paging"},
		},
		{
			"Issue",
			pagedList{b: b, field: "issues", where: `where: {subject: {eq: "paging"}}`, key: "name"},
			issueOrder,
			func(name string) { insertIssue(tb, b, r, name) },
			map[string]any{"subject": "paging"},
		},
		{
			"Sales Order",
			pagedList{b: b, field: "salesOrders", key: "name", parent: `customer(name: "Paging Customer")`},
			salesOrderOrder,
			func(name string) { insertSalesOrder(tb, b, r, name+" nested", "Paging Customer") },
			map[string]any{"customer": "Paging Customer"},
		},
	}
}

// rowName is a docname; case and accents vary, as people type them.
func rowName(i int) string {
	return []string{"Row", "row", "Röw", "ROW-", "zé"}[i%5] + fmt.Sprint(1000+i)
}

// Pages put together are the list, whichever way they are read.
func TestPagingUpstream(t *testing.T) {
	t.Parallel()
	b, r := setup(t, options{}), rand.New(rand.NewPCG(7, 1))
	for _, tt := range upstreamCases(t, b, r) {
		for i := range 40 {
			tt.insert(rowName(i))
		}
		t.Run(tt.list.parent+tt.list.field, func(t *testing.T) {
			for range 25 {
				order := randomOrder(r, tt.fields)
				want := b.restOrder(t, tt.doctype, tt.filter, orderSQL(order, "name"))
				extra := 1 // the count
				if tt.list.parent != "" {
					extra++ // and the parent
				}
				first, later := extra+1, extra+1+len(order)
				if whole := tt.list.page(t, order, 500, "", false); !slices.Equal(whole.keys, want) || whole.total != int64(len(want)) {
					t.Fatalf("%v: whole list\n got %v (%d)\nwant %v", order, whole.keys, whole.total, want)
				}
				size := func() int { return 1 + r.IntN(9) }
				for _, backward := range []bool{false, true} {
					if got := tt.list.walk(t, order, size, backward, nil, [2]int{first, later}); !slices.Equal(got, want) {
						t.Fatalf("%v, backward %t:\n got %v\nwant %v", order, backward, got, want)
					}
				}
			}
		})
	}
}

// restOrder lists names at the site in an order.
func (b *bundle) restOrder(tb testing.TB, doctype string, filters map[string]any, order string) []string {
	tb.Helper()
	var rows []row
	args := map[string]any{"doctype": doctype, "fields": []string{"name"}, "limit_page_length": 0, "order_by": order, "filters": filters}
	if status := b.rest(tb, admin, "frappe.client.get_list", args, &rows); status != 200 {
		tb.Fatalf("status %d", status)
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.text("name")
	}
	return out
}

// A row that exists throughout a walk comes exactly once, whatever is inserted, changed
// and deleted around it meanwhile.
func TestPagingWhileRowsChange(t *testing.T) {
	t.Parallel()
	b, r := setup(t, options{}), rand.New(rand.NewPCG(11, 1))
	for _, tt := range upstreamCases(t, b, r) {
		next := 0
		add := func() {
			tt.insert(rowName(next))
			next++
		}
		t.Run(tt.list.parent+tt.list.field, func(t *testing.T) {
			for round := range 20 {
				for len(b.restOrder(t, tt.doctype, tt.filter, "name")) < 40 {
					add()
				}
				order := randomOrder(r, tt.fields)
				start := b.restOrder(t, tt.doctype, tt.filter, orderSQL(order, "name"))
				touched := map[string]bool{}
				between := func(int) {
					for range r.IntN(3) {
						add()
					}
					name := start[r.IntN(len(start))]
					if len(touched) > 10 || touched[name] {
						return
					}
					touched[name] = true
					if r.IntN(2) == 0 {
						if err := b.site.Delete(tt.doctype, name); err != nil {
							t.Fatal(err)
						}
						return
					}
					// Insert replaces: the row gets other values.
					if err := b.site.Delete(tt.doctype, name); err != nil {
						t.Fatal(err)
					}
					tt.insert(strings.TrimSuffix(name, " nested"))
				}
				got := tt.list.walk(t, order, func() int { return 1 + r.IntN(9) }, round%2 == 1, between, [2]int{9, 9})
				kept := func(names []string) []string {
					return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return touched[n] || !slices.Contains(start, n) })
				}
				if have, want := kept(got), kept(start); !slices.Equal(have, want) {
					t.Fatalf("%v, backward %t:\n got %v\nwant %v", order, round%2 == 1, have, want)
				}
			}
		})
	}
}
