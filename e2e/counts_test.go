package e2e_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// mainJob is the query that the product is for, of N orders. It needs seven reads, and
// fewer are not possible, whatever N is:
//
//	level 1   Sales Order        the list itself
//	level 2   Sales Order Item   child rows come by a list of their own only, and their
//	                             parents must be known first
//	          Customer           the orders' customers, next to the rows
//	level 3   Territory          of the customers, for their parent's name
//	          Item               of the rows
//	          ServiceContract    of the customers: the one SQL statement
//	level 4   Item Group         of the items
//
// So six upstream calls, one for each DocType whose fields are shown; the frappe list
// joins nothing but names, and each level needs the names of the level above. The
// customer's group and the territory's parent are shown by name, which the link itself
// tells: no call.
const mainJob = `query MainJob($n: Int!) {
  salesOrders(first: $n) {
    nodes {
      name
      customer {
        name
        customerGroup { name }
        territory { parentTerritory { name } }
        serviceContracts { nodes { status } }
      }
      items { qty itemCode { itemName itemGroup { isGroup } } }
    }
  }
}`

// mainJobCalls are its upstream calls, by a caller whom erpgraph knows since less than
// half a minute. Who may see the contracts follows from the customers above them.
var mainJobCalls = []string{"Customer", "Item", "Item Group", "Sales Order", "Sales Order Item", "Territory"}

// Item groups shown by name only cost no call either.
func TestMainJobWithGroupNames(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	b.meet(t, sales)
	query := strings.Replace(mainJob, "itemGroup { isGroup }", "itemGroup { name }", 1)
	got := b.query(t, sales, query, map[string]any{"n": 50})
	equal(t, "calls", doctypes(got), []string{"Customer", "Item", "Sales Order", "Sales Order Item", "Territory"})
}

//nolint:paralleltest // it sets GOMAXPROCS for the whole process, and needs the site's call log for itself
func TestMainJobCalls(t *testing.T) {
	b := setup(t, options{between: afterLog})
	b.contracts(t, 40)
	b.meet(t, sales)
	for _, procs := range []int{1, 2} {
		before := runtime.GOMAXPROCS(procs)
		for _, n := range []int{1, 50, 500} {
			t.Run(fmt.Sprintf("GOMAXPROCS=%d/orders=%d", procs, n), func(t *testing.T) {
				var first []byte
				for range 100 {
					b.site.ResetCalls()
					got := b.query(t, sales, mainJob, map[string]any{"n": n})
					if len(got.Errors) > 0 {
						t.Fatalf("errors: %s", got.raw)
					}
					if calls := doctypes(got); !slices.Equal(calls, mainJobCalls) {
						t.Fatalf("traced calls %v, want %v", calls, mainJobCalls)
					}
					if calls := b.siteCalls(); !slices.Equal(calls, mainJobCalls) {
						t.Fatalf("calls at the site %v, want %v", calls, mainJobCalls)
					}
					if s := got.Extensions.Upstream.Statements; len(s) != 1 || s[0].Type != "ServiceContract" {
						t.Fatalf("statements %v, want one of ServiceContract", s)
					}
					if first == nil {
						first = got.Data
						checkMainJob(t, b, got, n)
					}
					if string(first) != string(got.Data) {
						t.Fatal("the same query answered differently")
					}
				}
			})
		}
		runtime.GOMAXPROCS(before)
	}
}

// afterLog holds an answer of the site back until the site has logged it.
func afterLog(site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		site.ServeHTTP(rec, r)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// checkMainJob compares the answer with what the site says itself.
func checkMainJob(t *testing.T, b *bundle, got answer, n int) {
	t.Helper()
	var data struct {
		SalesOrders struct {
			Nodes []struct {
				Name     string
				Customer struct {
					Name             string
					CustomerGroup    struct{ Name string }
					Territory        struct{ ParentTerritory struct{ Name string } }
					ServiceContracts struct{ Nodes []struct{ Status string } }
				}
				Items []struct {
					Qty      float64
					ItemCode struct {
						ItemName  string
						ItemGroup struct{ IsGroup bool }
					}
				}
			}
		}
	}
	got.into(t, &data)
	if len(data.SalesOrders.Nodes) != n {
		t.Fatalf("%d orders, want %d", len(data.SalesOrders.Nodes), n)
	}
	customers := byName(b.restList(t, admin, "Customer", []string{"name", "customer_group", "territory"}, nil))
	territories := byName(b.restList(t, admin, "Territory", []string{"name", "parent_territory"}, nil))
	items := byName(b.restList(t, admin, "Item", []string{"name", "item_name"}, nil))
	for _, order := range data.SalesOrders.Nodes {
		var doc struct {
			Customer string
			Items    []row
		}
		b.rest(t, admin, "frappe.client.get", map[string]any{"doctype": "Sales Order", "name": order.Name}, &doc)
		c := customers[doc.Customer]
		want := []string{doc.Customer, c.text("customer_group"), territories[c.text("territory")].text("parent_territory")}
		have := []string{order.Customer.Name, order.Customer.CustomerGroup.Name, order.Customer.Territory.ParentTerritory.Name}
		if !slices.Equal(have, want) {
			t.Fatalf("order %s: customer %v, want %v", order.Name, have, want)
		}
		if len(order.Items) != len(doc.Items) {
			t.Fatalf("order %s: %d rows, want %d", order.Name, len(order.Items), len(doc.Items))
		}
		for i, item := range order.Items {
			if item.Qty != doc.Items[i]["qty"] || item.ItemCode.ItemName != items[doc.Items[i].text("item_code")].text("item_name") {
				t.Fatalf("order %s: row %d is %+v, want %v", order.Name, i, item, doc.Items[i])
			}
		}
	}
}

// Calls that a query's shape saves.
func TestCallsOfShapes(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	tests := []struct {
		name, query string
		variables   map[string]any
		calls       []string
	}{
		{
			"a link of which only the name is shown costs no call",
			`{ salesOrders { nodes { customer { name id doctype __typename } } } }`, nil,
			[]string{"Sales Order"},
		},
		{
			"a document that two links of a level point at is read once",
			`{ salesOrders { nodes { currency { currencyName } priceListCurrency { symbol } } } }`, nil,
			[]string{"Currency", "Sales Order"},
		},
		{
			"a document that several levels show is read once, with all fields selected anywhere",
			`{ customers(first: 5) { nodes { customerName salesOrders(first: 2) { nodes { customer { customerType } } } } } }`, nil,
			[]string{"Customer", "Sales Order"},
		},
		{
			"root fields of one DocType by name share a call",
			`{ a: customer(name: "C# Services") { customerName } b: customer(name: "Semi;Colon") { customerGroup { name } } }`, nil,
			[]string{"Customer"},
		},
		{
			"node, nodes and a field by name share a call",
			`query($id: ID!, $ids: [ID!]!) { node(id: $id) { ... on Customer { customerName } } nodes(ids: $ids) { ... on Customer { customerType } } customer(name: "C# Services") { taxId } }`,
			map[string]any{"id": globalID("Customer", "Semi;Colon"), "ids": []string{globalID("Customer", "Plus+Minus Co"), globalID("Customer", "C# Services")}},
			[]string{"Customer"},
		},
		{
			"equal lists under two aliases are one call",
			`{ a: customers(first: 3) { nodes { name } } b: customers(first: 3) { nodes { customerType } } }`, nil,
			[]string{"Customer"},
		},
		{
			"different lists are not",
			`{ a: customers(first: 3) { nodes { name } } b: customers(first: 4) { nodes { name } } }`, nil,
			[]string{"Customer", "Customer"},
		},
		{
			"aliases and fragments of one link share a call",
			`{ salesOrders { nodes { ...A a: customer { customerName } ... on SalesOrder { customer { territory { name } } } } } } fragment A on SalesOrder { b: customer { customerType } }`, nil,
			[]string{"Customer", "Sales Order"},
		},
		{
			"what @skip and @include leave out costs nothing",
			`query($no: Boolean!, $yes: Boolean!) { salesOrders { nodes { name customer @include(if: $no) { customerName } items @skip(if: $yes) { qty } ... @include(if: $no) { company { country } } } } }`,
			map[string]any{"no": false, "yes": true},
			[]string{"Sales Order"},
		},
		{
			"two tables of the same child DocType",
			`{ salesOrders { nodes { items { qty } taxes { rate } paymentSchedule { dueDate } } } }`, nil,
			[]string{"Payment Schedule", "Sales Order", "Sales Order Item", "Sales Taxes and Charges"},
		},
		{
			"totalCount costs a call only when selected",
			`{ customers(first: 1) { totalCount nodes { name } } }`, nil,
			[]string{"Customer", "Customer"},
		},
		{
			"totalCount alone reads no row",
			`{ customers { totalCount } }`, nil,
			[]string{"Customer"},
		},
		{
			"a reverse link is one call over all parents of a level, and one for their counts",
			`{ customers { nodes { name salesOrders(first: 2) { totalCount nodes { name } } } } }`, nil,
			[]string{"Customer", "Sales Order", "Sales Order"},
		},
		{
			"nothing but __typename",
			`{ __typename }`, nil,
			nil,
		},
		{
			"an introspection needs no call",
			`{ __type(name: "Customer") { name } }`, nil,
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, sales, tt.query, tt.variables)
			if len(got.Errors) > 0 {
				t.Fatalf("errors: %s", got.raw)
			}
			equal(t, "calls", doctypes(got), tt.calls)
		})
	}
}

// A local query costs three calls at first, which tell who the caller is, and then one,
// which tells whose rows he may see.
func TestCallsOfLocalQueries(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	b.contracts(t, 5)
	const query = `{ serviceContracts { nodes { id status visits { id } } } }`
	for _, credential := range []string{sales, north} {
		first := b.query(t, credential, query, nil)
		equal(t, "the first one's calls", doctypes(first), []string{"", "", "Customer", "User"})
		again := b.query(t, credential, query, nil)
		equal(t, "later ones'", doctypes(again), []string{"Customer"})
	}
}

// Filters that only look alike are read apart, on both sides.
func TestFiltersThatLookAlike(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	b.contracts(t, 40)
	b.sql(t, `update service_contract set notes = '<nil>' where id = (select min(id::text)::uuid from service_contract)`)
	total := func(list string) (n int) {
		t.Helper()
		var data struct{ List struct{ TotalCount int } }
		b.query(t, sales, `{ list: `+list+` { totalCount } }`, nil).into(t, &data)
		return data.List.TotalCount
	}
	for _, lists := range [][2]string{
		{`customers(where: {name: {in: ["C# Services", "Semi;Colon"]}})`, `customers(where: {name: {in: ["C# Services Semi;Colon"]}})`},
		{`customers(where: {taxId: {eq: null}})`, `customers(where: {taxId: {eq: "<nil>"}})`},
		{`serviceContracts(where: {item: {in: ["NUT#8", "BOLT M6/20"]}})`, `serviceContracts(where: {item: {in: ["NUT#8 BOLT M6/20"]}})`},
		{`serviceContracts(where: {notes: {eq: null}})`, `serviceContracts(where: {notes: {eq: "<nil>"}})`},
	} {
		one, other := total(lists[0]), total(lists[1])
		if one == other {
			t.Errorf("%s and %s have %d rows each: they show nothing", lists[0], lists[1], one)
		}
		var data struct{ A, B struct{ TotalCount int } }
		b.query(t, sales, `{ a: `+lists[0]+` { totalCount } b: `+lists[1]+` { totalCount } }`, nil).into(t, &data)
		equal(t, lists[0]+" and "+lists[1], []int{data.A.TotalCount, data.B.TotalCount}, []int{one, other})
	}
}

// doctypes are the DocTypes of an answer's upstream calls, sorted.
func doctypes(a answer) []string {
	var out []string
	for _, r := range a.Extensions.Upstream.Requests {
		out = append(out, r.DocType)
	}
	slices.Sort(out)
	return out
}

// siteCalls are the DocTypes of the calls that reached the site, sorted.
func (b *bundle) siteCalls() []string {
	var out []string
	for _, c := range b.site.Calls() {
		out = append(out, c.DocType)
	}
	slices.Sort(out)
	return out
}

func byName(rows []row) map[string]row {
	out := make(map[string]row, len(rows))
	for _, r := range rows {
		out[r.text("name")] = r
	}
	return out
}

// contracts stores service contracts of the first customers, i of them with fee i.25,
// each with two visits.
func (b *bundle) contracts(tb testing.TB, n int) {
	tb.Helper()
	customers := b.restList(tb, admin, "Customer", []string{"name"}, nil)
	items := b.restList(tb, admin, "Item", []string{"name"}, nil)
	statuses := []string{"DRAFT", "ACTIVE", "SUSPENDED", "ENDED"}
	for i := range n {
		b.sql(tb, `with c as (
			insert into service_contract (customer, item, manager, status, start_date, end_date, monthly_fee)
			values ($1, $2, 'sales@example.com', $3, date '2026-01-01' + $4::int, date '2027-01-01' + $4::int, $4::int + 0.25) returning id)
			insert into service_visit (contract, technician, visited_at, duration_minutes)
			select c.id, 'stock@example.com', timestamptz '2026-05-01 10:00:00+00' + make_interval(days => v), 30 * v from c, generate_series(1, 2) v`,
			customers[i%len(customers)].text("name"), items[i%len(items)].text("name"), statuses[i%4], i)
	}
}

// globalID is what the graph gives as a document's id. Clients take it as opaque; tests
// make it where asking for it first would hide what they are about.
func globalID(doctype, name string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(doctype + "\x00" + name))
}
