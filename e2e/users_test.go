package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// callers are the people whose answers must differ as ERPNext's own lists do.
var callers = []struct{ name, credential string }{
	{"sales", sales}, {"north", north}, {"two", two}, {"stock", stock}, {"nobody", nobody}, {"manager", manager}, {"admin", admin},
}

// documentLists are root fields, their DocTypes and a field to compare beside the name.
var documentLists = []struct{ field, doctype, graph, column string }{
	{"customers", "Customer", "customerName", "customer_name"},
	{"salesOrders", "Sales Order", "baseInWords", "base_in_words"},
	{"salesInvoices", "Sales Invoice", "customerName", "customer_name"},
	{"quotations", "Quotation", "baseInWords", "base_in_words"},
	{"deliveryNotes", "Delivery Note", "customerName", "customer_name"},
	{"purchaseOrders", "Purchase Order", "supplierName", "supplier_name"},
	{"suppliers", "Supplier", "supplierName", "supplier_name"},
	{"items", "Item", "itemName", "item_name"},
	{"itemGroups", "Item Group", "itemGroupName", "item_group_name"},
	{"territories", "Territory", "territoryName", "territory_name"},
	{"customerGroups", "Customer Group", "customerGroupName", "customer_group_name"},
	{"warehouses", "Warehouse", "warehouseName", "warehouse_name"},
	{"addresses", "Address", "city", "city"},
	{"contacts", "Contact", "firstName", "first_name"},
	{"users", "User", "fullName", "full_name"},
	{"companies", "Company", "abbr", "abbr"},
	{"bins", "Bin", "modifiedBy", "modified_by"},
	{"toDos", "ToDo", "description", "description"},
}

// Each caller sees through the graph just what ERPNext's own list gives him: the same
// documents, the same count, the same values, or the same refusal.
func TestListsDifferAsERPNextsOwn(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	counts := map[string]map[string]int{}
	for _, who := range callers {
		counts[who.name] = map[string]int{}
		for _, l := range documentLists {
			t.Run(who.name+"/"+l.field, func(t *testing.T) {
				want := b.restList(t, who.credential, l.doctype, []string{"name", l.column}, nil)
				if want == nil {
					got := b.query(t, who.credential, `{ `+l.field+` { totalCount nodes { name `+l.graph+` } } }`, nil)
					equal(t, "codes", got.codes(), []string{"FORBIDDEN"})
					equal(t, "data", got.Data, map[string]any{l.field: map[string]any{"totalCount": nil, "nodes": nil}})
					return
				}
				counts[who.name][l.field] = len(want)
				got := b.list(t, who.credential, l.field, "orderBy: [{field: NAME}],", `name value: `+l.graph)
				if len(got) != len(want) {
					t.Fatalf("%d rows, ERPNext lists %d", len(got), len(want))
				}
				values := byName(want)
				for _, r := range got {
					if w, ok := values[r.text("name")]; !ok || w.text(l.column) != r.text("value") {
						t.Fatalf("row %v, ERPNext has %v", r, w)
					}
				}
				var total map[string]struct{ TotalCount int }
				b.query(t, who.credential, `{ `+l.field+` { totalCount } }`, nil).into(t, &total)
				if total[l.field].TotalCount != len(want) {
					t.Errorf("totalCount %d, ERPNext lists %d", total[l.field].TotalCount, len(want))
				}
			})
		}
	}
	// The recorded site's own facts, so that the table above can't be empty by mistake.
	for who, want := range map[string]int{"sales": 500, "north": 252, "two": 2, "nobody": 0, "manager": 500} {
		if got := counts[who]["customers"]; got != want {
			t.Errorf("%s sees %d customers, the recorded site shows %d", who, got, want)
		}
	}
}

// What hangs below a list obeys the same rights: links, child rows, reverse links.
func TestNestedFieldsDifferAsERPNextsOwn(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	for _, who := range callers {
		t.Run(who.name, func(t *testing.T) {
			t.Parallel()
			customers := byName(b.restList(t, who.credential, "Customer", []string{"name", "customer_name"}, nil))
			orders := byName(b.restList(t, who.credential, "Sales Order", []string{"name", "customer"}, nil))
			if len(orders) == 0 {
				return // refused or empty: the table above is about that
			}
			var data struct {
				SalesOrders struct {
					Nodes []struct {
						Name     string
						Customer *struct {
							CustomerName string
							SalesOrders  struct {
								TotalCount int
								Nodes      []struct{ Name string }
							}
						}
						Items []struct{ Idx int }
					}
				}
			}
			b.query(t, who.credential, `{ salesOrders(first: 30, orderBy: [{field: GRAND_TOTAL}]) { nodes {
				name customer { customerName salesOrders(first: 10) { totalCount nodes { name } } } items { idx } } } }`, nil).into(t, &data)
			for _, o := range data.SalesOrders.Nodes {
				have, ok := orders[o.Name]
				if !ok {
					t.Fatalf("order %s is not in ERPNext's list", o.Name)
				}
				want := b.restList(t, who.credential, "Sales Order", []string{"name"}, map[string]any{"customer": have.text("customer")})
				if o.Customer == nil || o.Customer.CustomerName != customers[have.text("customer")].text("customer_name") {
					t.Errorf("order %s: customer %v, ERPNext has %q", o.Name, o.Customer, have.text("customer"))
					continue
				}
				var got []string
				for _, n := range o.Customer.SalesOrders.Nodes {
					got = append(got, n.Name)
				}
				slices.Sort(got)
				equal(t, "orders of "+have.text("customer"), got, names(want))
				if o.Customer.SalesOrders.TotalCount != len(want) {
					t.Errorf("orders of %s: totalCount %d, want %d", have.text("customer"), o.Customer.SalesOrders.TotalCount, len(want))
				}
				if len(o.Items) == 0 {
					t.Errorf("order %s has no rows", o.Name)
				}
			}
		})
	}
}

// A link to a document that the caller may not read is null with one FORBIDDEN error,
// however many rows link to it; the row itself and the rest of the answer stand.
func TestUnreadableLinks(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	mine := b.restList(t, two, "Customer", []string{"name"}, nil)[0].text("name")
	b.sql(t, `insert into service_contract (customer, item, manager, status, start_date)
		select $1, 'BOLT M6/20', name, 'ACTIVE', '2026-01-01' from unnest($2::text[]) name`,
		mine, []string{"gone@example.com", "gone@example.com", "sales-two@example.com", "lost@example.com"})

	t.Run("from local rows", func(t *testing.T) {
		t.Parallel()
		// Two of the users can't be read.
		got := b.query(t, two, `{ serviceContracts { nodes { manager { name fullName } } } }`, nil)
		equal(t, "codes", got.codes(), []string{"FORBIDDEN", "FORBIDDEN"})
		for _, e := range got.Errors {
			if e.Extensions["doctype"] != "User" || e.Extensions["name"] == nil {
				t.Errorf("the error does not say which document: %v", e.Extensions)
			}
		}
	})
}

// A document that was shared shows links to documents that were not.
func TestUnreadableLinksUpstream(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	var shared []string
	for _, r := range b.restList(t, admin, "Sales Order", []string{"name", "customer"}, map[string]any{"customer": outsideNorth}) {
		shared = append(shared, r.text("name"))
		if err := b.site.Share("Sales Order", r.text("name"), "sales-north@example.com", false); err != nil {
			t.Fatal(err)
		}
	}
	var data struct {
		SalesOrders struct {
			Nodes []struct {
				Name     string
				Customer *struct{ CustomerName string }
				Items    []struct{ Qty float64 }
			}
		}
	}
	got := b.query(t, north, `query($names: [String!]) { salesOrders(where: {name: {in: $names}}) { nodes { name customer { customerName } items { qty } } } }`,
		map[string]any{"names": shared})
	equal(t, "codes", got.codes(), []string{"FORBIDDEN"})
	equal(t, "path", got.Errors[0].Path, []any{"salesOrders", "nodes", 0, "customer"})
	got.Errors = nil
	got.into(t, &data)
	if len(data.SalesOrders.Nodes) != len(shared) || len(shared) < 2 {
		t.Fatalf("%d orders, %d were shared", len(data.SalesOrders.Nodes), len(shared))
	}
	for _, n := range data.SalesOrders.Nodes {
		if n.Customer != nil || len(n.Items) == 0 {
			t.Errorf("order %+v", n)
		}
	}
}

// outsideNorth is a customer whose territory north's user permission leaves out.
const outsideNorth = "Acme Foods LLC"

// By name ERPNext tells apart what is missing and what is forbidden, so the graph does.
func TestMissingAndForbidden(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	tests := []struct{ name, credential, query, code, doctype, docname string }{
		{"missing", sales, `{ customer(name: "No Such Ltd") { customerName } }`, "NOT_FOUND", "Customer", "No Such Ltd"},
		{"missing, name only", sales, `{ customer(name: "No Such Ltd") { name } }`, "NOT_FOUND", "Customer", "No Such Ltd"},
		{"outside the user permissions", north, `{ customer(name: "` + outsideNorth + `") { customerName } }`, "FORBIDDEN", "Customer", outsideNorth},
		{"no role", nobody, `{ customer(name: "C# Services") { customerName } }`, "FORBIDDEN", "", ""},
		{"no role, a single DocType", nobody, `{ sellingSettings { custMasterName } }`, "FORBIDDEN", "", ""},
		{"document, missing", sales, `{ document(doctype: "Customer", name: "No Such Ltd") }`, "NOT_FOUND", "", ""},
		{"document, forbidden", north, `{ document(doctype: "Customer", name: "` + outsideNorth + `") }`, "FORBIDDEN", "", ""},
		{"documents, forbidden", nobody, `{ documents(doctype: "Customer") { nodes } }`, "FORBIDDEN", "", ""},
		{"aggregate, forbidden", nobody, `{ customersAggregate { count } }`, "FORBIDDEN", "", ""},
		{"linkOptions, forbidden", nobody, `{ linkOptions(doctype: "Customer") { name } }`, "FORBIDDEN", "", ""},
		{"search, forbidden", nobody, `{ search(text: "a", doctypes: ["Customer"]) { name } }`, "FORBIDDEN", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, tt.credential, tt.query, nil)
			equal(t, "codes", got.codes(), []string{tt.code})
			if len(got.Errors) == 1 && tt.docname != "" &&
				(got.Errors[0].Extensions["doctype"] != tt.doctype || got.Errors[0].Extensions["name"] != tt.docname) {
				t.Errorf("extensions %v, want doctype %q and name %q", got.Errors[0].Extensions, tt.doctype, tt.docname)
			}
		})
	}
}

// Fields above the caller's permlevel are null without an error, also where ERPNext
// sends 0; whoever may read them gets the value.
func TestPermlevels(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	order := b.site.Names("Sales Order")[0]
	if err := b.site.Update("Sales Order", map[string]any{"name": order, "ignore_pricing_rule": 1}); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{
		"by name":  `query($n: String!) { salesOrder(name: $n) { name ignorePricingRule } }`,
		"in lists": `query($n: String!) { salesOrders(where: {name: {eq: $n}}) { nodes { name ignorePricingRule } } }`,
		"alone":    `query($n: String!) { salesOrder(name: $n) { ignorePricingRule } }`,
		"document": `query($n: String!) { document(doctype: "Sales Order", name: $n) }`,
		"documents": `query($n: String!) { documents(doctype: "Sales Order", fields: ["name", "ignore_pricing_rule"],
			filters: {name: $n}) { nodes } }`,
	}
	for name, query := range queries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for who, want := range map[string]string{sales: "null", manager: "shown"} {
				got := b.query(t, who, query, map[string]any{"n": order})
				if len(got.Errors) > 0 {
					t.Fatalf("errors: %s", got.raw)
				}
				value := find(t, got.Data, "ignorePricingRule", "ignore_pricing_rule")
				if (want == "null") != (value == nil) || value == false || value == 0.0 {
					t.Errorf("%s: %v in %s", want, value, shorten(got.Data))
				}
			}
		})
	}
}

// Without a credential that ERPNext knows nothing that reads data answers, and nothing
// is asked of ERPNext as Guest.
func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	if err := b.site.Update("User", map[string]any{"name": "Guest", "enabled": 1}); err != nil {
		t.Fatal(err)
	}
	fields := []string{
		`{ node(id: "` + globalID("Currency", "EUR") + `") { id } }`, `{ nodes(ids: ["` + globalID("Currency", "EUR") + `"]) { id } }`,
		`{ document(doctype: "Currency", name: "EUR") }`, `{ documents(doctype: "Currency") { nodes } }`,
		`{ linkOptions(doctype: "Currency") { name } }`, `{ search(text: "x", doctypes: ["Currency"]) { name } }`,
		`{ me { user } }`, `{ customer(name: "x") { name } }`, `{ customers { nodes { name } } }`,
		`{ customersAggregate { count } }`, `{ sellingSettings { name } }`,
		`{ serviceContract(id: "x") { id } }`, `{ serviceContracts { totalCount } }`, `{ serviceContractsAggregate { count } }`,
		`{ __typename currencies { nodes { name } } }`,
	}
	credentials := map[string]string{
		"none":                "",
		"unknown key":         "token 4a1c0f5be2d1101:wrong",
		"unknown bearer":      "Bearer nobody-gave-this",
		"one word":            "token",
		"three words":         "token a:b c",
		"empty bearer":        "Bearer ",
		"another scheme":      "Digest abc",
		"key without secret":  "token 4a1c0f5be2d1101:",
		"key without colon":   "token 4a1c0f5be2d1101",
		"secret with a colon": "token 4a1c0f5be2d1101:sales00secret01a:x",
	}
	for name, credential := range credentials {
		for i, query := range fields {
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
				t.Parallel()
				got := b.query(t, credential, query, nil)
				if len(got.codes()) == 0 {
					t.Fatalf("answered: %s", got.raw)
				}
				for _, code := range got.codes() {
					if code != "UNAUTHENTICATED" {
						t.Errorf("%s gives %s", query, got.raw)
					}
				}
			})
		}
	}
	t.Run("what reads no data answers", func(t *testing.T) {
		t.Parallel()
		var data struct{ Typename string }
		b.query(t, "", `{ typename: __typename }`, nil).into(t, &data)
		if data.Typename != "Query" {
			t.Errorf("__typename %q", data.Typename)
		}
		if got := b.query(t, "", `{ __schema { queryType { name } } }`, nil); len(got.Errors) > 0 {
			t.Errorf("introspection: %s", got.raw)
		}
	})
	t.Cleanup(func() {
		for _, c := range b.site.Calls() {
			if c.User == "Guest" && c.Status == http.StatusOK {
				t.Errorf("ERPNext was asked as Guest: %+v", c)
			}
		}
	})
}

// Bearer and Basic reach ERPNext as they should.
func TestSchemes(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	user := accounts[1]
	user.Bearer = []string{"an.access-token"}
	if err := b.site.AddUser(user); err != nil {
		t.Fatal(err)
	}
	for _, credential := range []string{
		sales, "Bearer an.access-token", "bearer an.access-token", "Token 4a1c0f5be2d1101:sales00secret01a",
		"Basic NGExYzBmNWJlMmQxMTAxOnNhbGVzMDBzZWNyZXQwMWE=",
	} {
		var data struct{ Me struct{ User string } }
		b.query(t, credential, `{ me { user } }`, nil).into(t, &data)
		if data.Me.User != "sales@example.com" {
			t.Errorf("%s is %q", credential[:6], data.Me.User)
		}
	}
}
