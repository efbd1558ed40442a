package e2e_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"erpgraph/internal/app"
)

// Upstream figures are those of the rows that the caller may read.
func TestAggregatesAgainstRows(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	for _, who := range []struct{ name, credential string }{{"sales", sales}, {"north", north}, {"two", two}} {
		t.Run(who.name, func(t *testing.T) {
			t.Parallel()
			type figures struct {
				count         int
				sum, min, max float64
				first, last   string
			}
			want := map[string]figures{}
			for _, r := range b.restList(t, who.credential, "Sales Order", []string{"customer", "grand_total", "transaction_date"}, map[string]any{"docstatus": 1}) {
				f, seen := want[r.text("customer")]
				total, _ := r["grand_total"].(float64)
				day := r.text("transaction_date")
				if !seen {
					f = figures{min: total, max: total, first: day, last: day}
				}
				f.count, f.sum = f.count+1, f.sum+total
				f.min, f.max, f.first, f.last = min(f.min, total), max(f.max, total), min(f.first, day), max(f.last, day)
				want[r.text("customer")] = f
			}
			var data struct {
				SalesOrdersAggregate []struct {
					Keys     struct{ Customer struct{ Name string } }
					Count    int
					Sum, Avg struct{ GrandTotal string }
					Min, Max struct{ GrandTotal, TransactionDate string }
				}
			}
			b.query(t, who.credential, `{ salesOrdersAggregate(where: {docstatus: {eq: 1}}, groupBy: [CUSTOMER], first: 500) {
				keys { customer { name } } count sum { grandTotal } avg { grandTotal } min { grandTotal transactionDate } max { grandTotal transactionDate } } }`, nil).into(t, &data)
			if len(data.SalesOrdersAggregate) != len(want) || len(want) == 0 {
				t.Fatalf("%d groups, want %d", len(data.SalesOrdersAggregate), len(want))
			}
			for _, g := range data.SalesOrdersAggregate {
				w := want[g.Keys.Customer.Name]
				if g.Count != w.count || g.Min.TransactionDate != w.first || g.Max.TransactionDate != w.last ||
					!near(t, g.Sum.GrandTotal, w.sum) || !near(t, g.Avg.GrandTotal, w.sum/float64(w.count)) ||
					!near(t, g.Min.GrandTotal, w.min) || !near(t, g.Max.GrandTotal, w.max) {
					t.Errorf("%s: %+v, want %+v", g.Keys.Customer.Name, g, w)
				}
			}
		})
	}
}

func near(t *testing.T, text string, want float64) bool {
	t.Helper()
	got, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return math.Abs(got-want) < 1e-6
}

// A filter on child rows finds each document once, in lists, counts and reverse links.
func TestChildRowFilters(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	// One order with the item three times.
	rows := []map[string]any{{"idx": 1, "item_code": "NUT#8", "qty": 1}, {"idx": 2, "item_code": "NUT#8", "qty": 2}, {"idx": 3, "item_code": "NUT#8", "qty": 3}}
	if err := b.site.Insert("Sales Order", map[string]any{"name": "SO-THRICE", "customer": "C# Services", "company": "Graft Test Ltd", "status": "Draft", "items": rows}); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, r := range b.restList(t, admin, "Sales Order", []string{"name"}, [][]any{{"Sales Order Item", "item_code", "=", "NUT#8"}}) {
		want[r.text("name")] = true
	}
	got := b.list(t, sales, "salesOrders", `where: {items: {itemCode: {eq: "NUT#8"}}},`, "name")
	var data struct {
		SalesOrders struct{ TotalCount int }
		Customer    struct {
			SalesOrders struct {
				TotalCount int
				Nodes      []row
			}
		}
	}
	b.query(t, sales, `{ salesOrders(where: {items: {itemCode: {eq: "NUT#8"}}}) { totalCount }
		customer(name: "C# Services") { salesOrders(where: {items: {itemCode: {eq: "NUT#8"}, qty: {gte: 1}}}) { totalCount nodes { name } } } }`, nil).into(t, &data)
	if len(got) != len(want) || data.SalesOrders.TotalCount != len(want) || !want["SO-THRICE"] {
		t.Errorf("%d rows, counted %d, want %d", len(got), data.SalesOrders.TotalCount, len(want))
	}
	reverse := data.Customer.SalesOrders
	if reverse.TotalCount != len(reverse.Nodes) || !slices.Contains(names(reverse.Nodes), "SO-THRICE") || len(slices.Compact(names(reverse.Nodes))) != len(reverse.Nodes) {
		t.Errorf("reverse: %d counted, %v", reverse.TotalCount, names(reverse.Nodes))
	}
}

// Every comparison gives what ERPNext's own filter gives.
func TestComparisonsAsERPNexts(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	tests := []struct {
		field, doctype, where string
		filter                []any
	}{
		{"salesOrders", "Sales Order", `grandTotal: {gt: "5000.5"}`, []any{"grand_total", ">", 5000.5}},
		{"salesOrders", "Sales Order", `grandTotal: {lte: 1000}`, []any{"grand_total", "<=", 1000}},
		{"salesOrders", "Sales Order", `transactionDate: {between: ["2026-02-01", "2026-02-28"]}`, []any{"transaction_date", "between", []string{"2026-02-01", "2026-02-28"}}},
		{"salesOrders", "Sales Order", `transactionDate: {timespan: LAST_YEAR}`, []any{"transaction_date", "timespan", "last year"}},
		{"salesOrders", "Sales Order", `transactionDate: {timespan: THIS_YEAR}`, []any{"transaction_date", "timespan", "this year"}},
		{"salesOrders", "Sales Order", `status: {in: [CANCELLED, TO_DELIVER_AND_BILL]}`, []any{"status", "in", []string{"Cancelled", "To Deliver and Bill"}}},
		{"salesOrders", "Sales Order", `status: {ne: DRAFT}`, []any{"status", "!=", "Draft"}},
		{"customers", "Customer", `territory: {descendantsOf: "North"}`, []any{"territory", "descendants of", "North"}},
		{"customers", "Customer", `territory: {notDescendantsOf: "North"}`, []any{"territory", "not descendants of", "North"}},
		{"customers", "Customer", `name: {like: "%acme%"}`, []any{"name", "like", "%acme%"}},
		{"customers", "Customer", `name: {notLike: "A%"}`, []any{"name", "not like", "A%"}},
		{"customers", "Customer", `taxId: {isSet: true}`, []any{"tax_id", "is", "set"}},
		{"customers", "Customer", `taxId: {isSet: false}`, []any{"tax_id", "is", "not set"}},
		{"customers", "Customer", `name: {notIn: ["C# Services", "Semi;Colon"]}`, []any{"name", "not in", []string{"C# Services", "Semi;Colon"}}},
		{"customers", "Customer", `disabled: {eq: false}`, []any{"disabled", "=", 0}},
		{"items", "Item", `name: {gte: "ITEM-00990"}`, []any{"name", ">=", "ITEM-00990"}},
	}
	for _, tt := range tests {
		t.Run(tt.where, func(t *testing.T) {
			t.Parallel()
			want := names(b.restList(t, sales, tt.doctype, []string{"name"}, [][]any{tt.filter}))
			got := names(b.list(t, sales, tt.field, `where: {`+tt.where+`},`, "name"))
			if !slices.Equal(got, want) {
				t.Errorf("%d rows, ERPNext has %d", len(got), len(want))
			}
		})
	}
}

// What costs too much is refused before the first call.
func TestLimits(t *testing.T) {
	t.Parallel()
	b := reading(t, options{config: func(c *app.Config) { c.MaxUpstreamCalls = 6 }})
	var aliases strings.Builder
	for i := range 60 {
		fmt.Fprintf(&aliases, "a%d: name ", i)
	}
	var types []string
	for _, l := range documentLists[:7] {
		types = append(types, l.field+`(first: 1) { nodes { name } }`)
	}
	tests := map[string]string{
		"depth":                  `{ territories(first: 1) { nodes { ` + strings.Repeat(`parentTerritory { `, 20) + `name` + strings.Repeat(` }`, 20) + ` } } }`,
		"aliases":                `{ customer(name: "x") { ` + aliases.String() + ` } }`,
		"cost":                   `{ customers(first: 500) { nodes { salesOrders(first: 500) { nodes { name } } } } }`,
		"cost by a variable":     `query($n: Int = 500) { customers(first: $n) { nodes { salesOrders(first: $n) { nodes { name } } } } }`,
		"upstream calls":         `{ ` + strings.Join(types, " ") + ` }`,
		"calls of levels":        `{ salesOrders(first: 1) { nodes { customer { territory { isGroup } } items { itemCode { itemGroup { isGroup } brand { description } } } taxes { rate } } } }`,
		"calls of aliases":       `{ a: customers(first: 1) { nodes { name } } b: customers(first: 2) { nodes { name } } c: customers(first: 3) { nodes { name } } d: customers(first: 4) { nodes { name } totalCount } e: customers(first: 5) { nodes { name } totalCount } }`,
		"calls of dynamic links": `{ quotations(first: 1) { nodes { partyName { ... on Customer { territory { isGroup } } ... on Lead { leadName } } company { abbr } items { qty } taxes { rate } } } }`,
	}
	for name, query := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, sales, query, nil)
			if codes := slices.Compact(got.codes()); !slices.Equal(codes, []string{"COST_LIMIT"}) {
				t.Fatalf("codes %v: %s", got.codes(), shorten(got.raw))
			}
			if n := got.Extensions.Upstream.Calls; n != 0 {
				t.Errorf("%d calls were made", n)
			}
		})
	}
	t.Run("just within", func(t *testing.T) {
		t.Parallel()
		b.meet(t, sales)
		got := b.query(t, sales, mainJob, map[string]any{"n": 5})
		if len(got.Errors) > 0 || got.Extensions.Upstream.Calls != 6 {
			t.Errorf("%d calls: %s", got.Extensions.Upstream.Calls, shorten(got.raw))
		}
	})
}

// Introspection is off unless set; queries answer all the same.
func TestIntrospectionOff(t *testing.T) {
	t.Parallel()
	b := reading(t, options{config: func(c *app.Config) { c.Introspection = false }})
	for _, query := range []string{`{ __schema { queryType { name } } }`, `{ __type(name: "Customer") { name } }`, `{ customers { nodes { name } } ...F } fragment F on Query { __schema { types { name } } }`} {
		got := b.query(t, sales, query, nil)
		if len(got.Errors) != 1 || strings.Contains(string(got.Data), "Query") {
			t.Errorf("%s: %s", query, shorten(got.raw))
		}
	}
	b.query(t, sales, `{ __typename customers { __typename } }`, nil).into(t, new(any))
}

// Private files come with the caller's own rights, for download only; nothing but files
// can be reached that way.
func TestPrivateFiles(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	const file = "/private/files/päper 1.html"
	if err := b.site.Insert("File", map[string]any{"name": "f1", "file_name": "päper 1.html", "file_url": file, "is_private": 1, "owner": "sales@example.com"}); err != nil {
		t.Fatal(err)
	}
	if err := b.site.SetFile(file, []byte("<script>alert(1)</script>")); err != nil {
		t.Fatal(err)
	}
	const path = "/private/files/p%C3%A4per%201.html"
	tests := []struct {
		name, path, credential string
		status                 int
	}{
		{"the owner", path, sales, http.StatusOK},
		{"another", path, nobody, http.StatusForbidden},
		{"nobody", path, "", http.StatusUnauthorized},
		{"unknown credential", path, "token a:b", http.StatusUnauthorized},
		{"missing", "/private/files/none.txt", sales, http.StatusForbidden},
		{"out of the folder", "/private/files/..%2f..%2fapi/method/frappe.auth.get_logged_user", sales, 0},
		{"out of the folder, encoded twice", "/private/files/%252e%252e/%252e%252e/api/method/frappe.auth.get_logged_user", sales, 0},
		{"with a query", "/private/files/none.txt?cmd=frappe.auth.get_logged_user", sales, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.credential != "" {
				req.Header.Set("Authorization", tt.credential)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if tt.status != 0 && res.StatusCode != tt.status || tt.status == 0 && res.StatusCode < 400 {
				t.Errorf("status %d: %s", res.StatusCode, shorten(body))
			}
			if strings.Contains(string(body), "sales@example.com") {
				t.Errorf("reached a method: %s", shorten(body))
			}
			if tt.status == http.StatusOK {
				h := res.Header
				if !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("X-Content-Type-Options") != "nosniff" || string(body) != "<script>alert(1)</script>" {
					t.Errorf("headers %v, body %s", h, body)
				}
			}
		})
	}
}
