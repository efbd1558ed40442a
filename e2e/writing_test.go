package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// order is the input of an order as a person fills it in.
func order(customer string) map[string]any {
	return map[string]any{
		"customer": customer, "company": "Graft Test Ltd", "deliveryDate": "2026-12-30",
		"currency": "USD", "sellingPriceList": "Standard Selling",
		"items": []any{
			map[string]any{"itemCode": "ITEM-00010", "qty": 2, "rate": "10", "warehouse": "Stores - GTL"},
			map[string]any{"itemCode": "ITEM-00011", "qty": 1, "rate": 5.5, "warehouse": "Stores - GTL"},
		},
	}
}

// story sends the mutations of a test one after the other.
type story struct {
	*testing.T
	b *bundle
}

// do sends one mutation, which must succeed, and gives its payload.
func (s story) do(credential, mutation string, variables map[string]any) map[string]any {
	s.Helper()
	var data map[string]map[string]any
	s.b.query(s, credential, mutation, variables).into(s, &data)
	for _, payload := range data {
		return payload
	}
	return nil
}

// refused sends one mutation that must fail with a code about a field.
func (s story) refused(credential, mutation string, variables map[string]any, code, field string) answer {
	s.Helper()
	got := s.b.query(s, credential, mutation, variables)
	if !slices.Equal(got.codes(), []string{code}) {
		s.Fatalf("codes are %v, want %s: %s", got.codes(), code, got.raw)
	}
	if have, _ := got.Errors[0].Extensions["field"].(string); have != field {
		s.Errorf("the error is about %q, want %q: %s", have, field, got.raw)
	}
	if strings.ContainsAny(got.Errors[0].Message, "<>") {
		s.Errorf("the message has markup: %s", got.Errors[0].Message)
	}
	return got
}

func part(of map[string]any, name string) map[string]any {
	inner, _ := of[name].(map[string]any)
	return inner
}

func text(of map[string]any, name string) string {
	s, _ := of[name].(string)
	return s
}

const createOrder = `mutation($input: SalesOrderCreate!) { createSalesOrder(input: $input) {
	name messages salesOrder { name docstatus status modified total items { name idx itemCode { name } qty rate amount } } } }`

const createQuotation = `mutation($input: QuotationCreate!) { createQuotation(input: $input) { name quotation { docstatus status grandTotal } } }`

// quotation is the input of a quotation as a person fills it in.
func quotation(customer string) map[string]any {
	return map[string]any{
		"quotationTo": "Customer", "partyName": customer, "company": "Graft Test Ltd", "orderType": "SALES",
		"currency": "USD", "sellingPriceList": "Standard Selling", "items": []any{map[string]any{"itemCode": "ITEM-00010", "qty": 2, "rate": "10"}},
	}
}

// The whole life of an order, for those who sell: quoted, ordered, submitted, refused a change
// that comes too late, cancelled and amended.
func TestOrderStory(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]string{"manager": manager, "sales": sales} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			orderStory(t, who)
		})
	}
}

func orderStory(t *testing.T, who string) {
	t.Helper()
	s := story{t, setup(t, options{})}
	customer := "東京商事 株式会社"

	quoted := s.do(who, createQuotation, map[string]any{"input": quotation(customer)})
	offer := part(quoted, "quotation")
	if !strings.HasPrefix(text(quoted, "name"), "SAL-QTN-") || text(offer, "status") != "DRAFT" || text(offer, "grandTotal") != "20.0" {
		t.Errorf("the quotation is %v", quoted)
	}
	submitted := s.do(who, `mutation($name: String!) { submitQuotation(name: $name) { quotation { docstatus status } } }`, map[string]any{"name": quoted["name"]})
	if diff := cmp.Diff(map[string]any{"docstatus": 1.0, "status": "OPEN"}, part(submitted, "quotation")); diff != "" {
		t.Error(diff)
	}

	created := s.do(who, createOrder, map[string]any{"input": order(customer)})
	name, draft := text(created, "name"), part(created, "salesOrder")
	if text(draft, "total") != "25.5" || draft["docstatus"] != 0.0 || text(draft, "status") != "DRAFT" {
		t.Errorf("the order is %v", draft)
	}
	submitted = s.do(who, `mutation($name: String!, $at: DateTime) { submitSalesOrder(name: $name, ifModified: $at) { salesOrder { docstatus status modified } } }`,
		map[string]any{"name": name, "at": draft["modified"]})
	if after := part(submitted, "salesOrder"); after["docstatus"] != 1.0 || text(after, "status") != "TO_DELIVER_AND_BILL" || after["modified"] == draft["modified"] {
		t.Errorf("the submitted order is %v", after)
	}

	update := `mutation($name: String!, $input: SalesOrderUpdate!) { updateSalesOrder(name: $name, input: $input) { salesOrder { poNo customer { name } } } }`
	got := s.refused(who, update, map[string]any{"name": name, "input": map[string]any{"customer": "Semi;Colon"}}, "VALIDATION", "input.customer")
	if e := got.Errors[0].Extensions; e["doctype"] != "Sales Order" || e["name"] != name {
		t.Errorf("the error is about %v", e)
	}
	changed := s.do(who, update, map[string]any{"name": name, "input": map[string]any{"poNo": "PO-1"}})
	if diff := cmp.Diff(map[string]any{"poNo": "PO-1", "customer": map[string]any{"name": customer}}, part(changed, "salesOrder")); diff != "" {
		t.Error(diff)
	}

	cancelled := s.do(who, `mutation($name: String!) { cancelSalesOrder(name: $name) { salesOrder { docstatus status } } }`, map[string]any{"name": name})
	if diff := cmp.Diff(map[string]any{"docstatus": 2.0, "status": "CANCELLED"}, part(cancelled, "salesOrder")); diff != "" {
		t.Error(diff)
	}
	s.refused(who, update, map[string]any{"name": name, "input": map[string]any{"poNo": "PO-2"}}, "VALIDATION", "")

	amended := s.do(who, `mutation($name: String!, $input: SalesOrderUpdate) { amendSalesOrder(name: $name, input: $input) {
		name salesOrder { docstatus poNo customer { name } amendedFrom { name } items { itemCode { name } qty rate } } } }`,
		map[string]any{"name": name, "input": map[string]any{"poNo": "PO-3"}})
	want := map[string]any{
		"name": name + "-1", "salesOrder": map[string]any{
			"docstatus": 0.0, "poNo": "PO-3", "customer": named(customer), "amendedFrom": named(name),
			"items": []any{
				map[string]any{"itemCode": named("ITEM-00010"), "qty": 2.0, "rate": "10.0"}, map[string]any{"itemCode": named("ITEM-00011"), "qty": 1.0, "rate": "5.5"},
			},
		},
	}
	if diff := cmp.Diff(want, amended); diff != "" {
		t.Error(diff)
	}
}

// A sales user orders and changes rows by their names; a price above his rights and a
// customer that he may not see stay out of reach.
func TestSalesStory(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	created := s.do(sales, createOrder, map[string]any{"input": order("Semi;Colon")})
	rows, _ := part(created, "salesOrder")["items"].([]any)
	if len(rows) != 2 {
		t.Fatalf("the order has %d rows: %v", len(rows), created)
	}
	first, _ := rows[0].(map[string]any)
	changed := s.do(sales, `mutation($name: String!, $input: SalesOrderUpdate!) { updateSalesOrder(name: $name, input: $input) {
		salesOrder { items { name itemCode { name } qty rate warehouse { name } } } } }`,
		map[string]any{"name": created["name"], "input": map[string]any{"items": []any{
			map[string]any{"name": first["name"], "qty": 7},
			map[string]any{"itemCode": "ITEM-00012", "qty": 1, "rate": "3", "deliveryDate": "2026-12-30"},
		}}})
	after, _ := part(changed, "salesOrder")["items"].([]any)
	if len(after) != 2 {
		t.Fatalf("the order has %d rows: %v", len(after), changed)
	}
	kept, _ := after[0].(map[string]any)
	if diff := cmp.Diff(map[string]any{"name": first["name"], "itemCode": named("ITEM-00010"), "qty": 7.0, "rate": "10.0", "warehouse": named("Stores - GTL")}, kept); diff != "" {
		t.Errorf("the kept row: %s", diff)
	}
	if added, _ := after[1].(map[string]any); text(part(added, "itemCode"), "name") != "ITEM-00012" || text(added, "name") == "" || added["name"] == first["name"] {
		t.Errorf("the new row is %v", added)
	}

	// A row of another order can't be taken over by its name.
	other := s.do(sales, createOrder, map[string]any{"input": order("Semi;Colon")})
	foreign, _ := part(other, "salesOrder")["items"].([]any)
	theirs, _ := foreign[0].(map[string]any)
	s.refused(sales, `mutation($name: String!, $input: SalesOrderUpdate!) { updateSalesOrder(name: $name, input: $input) { name } }`,
		map[string]any{"name": created["name"], "input": map[string]any{"items": []any{map[string]any{"name": theirs["name"], "qty": 1}}}},
		"BAD_USER_INPUT", "input.items.0.name")

	// North sells in the north only.
	north0 := s.b.query(t, north, createOrder, map[string]any{"input": order("Bright Traders Ltd")})
	if codes := north0.codes(); len(codes) != 1 || codes[0] != "FORBIDDEN" {
		t.Errorf("north orders for a customer elsewhere: %s", north0.raw)
	}
	// A sales user may not make items.
	s.refused(sales, `mutation { createItem(input: { itemCode: "NEW", itemGroup: "Sensors", stockUom: "Nos" }) { name } }`, nil, "FORBIDDEN", "")
}

// A stock user sees orders but may not touch them.
func TestStockStory(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	created := s.do(manager, createOrder, map[string]any{"input": order("Semi;Colon")})
	name := map[string]any{"name": created["name"]}
	for _, mutation := range []string{
		`mutation($name: String!) { submitSalesOrder(name: $name) { name } }`,
		`mutation($name: String!) { deleteSalesOrder(name: $name) { name } }`,
		`mutation($name: String!) { updateSalesOrder(name: $name, input: { poNo: "X" }) { name } }`,
	} {
		s.refused(stock, mutation, name, "FORBIDDEN", "")
	}
	submitted := map[string]any{"name": s.do(manager, createOrder, map[string]any{"input": order("Semi;Colon")})["name"]}
	cancel := `mutation($name: String!) { cancelSalesOrder(name: $name) { name } }`
	amend := `mutation($name: String!) { amendSalesOrder(name: $name) { name } }`
	s.do(manager, `mutation($name: String!) { submitSalesOrder(name: $name) { name } }`, submitted)
	s.refused(stock, cancel, submitted, "FORBIDDEN", "")
	s.do(manager, cancel, submitted)
	s.refused(stock, amend, submitted, "FORBIDDEN", "")
	s.refused(stock, createOrder, map[string]any{"input": order("Semi;Colon")}, "FORBIDDEN", "")
	s.refused(stock, createQuotation, map[string]any{"input": quotation("Semi;Colon")}, "FORBIDDEN", "")
	quoted := map[string]any{"name": s.do(manager, createQuotation, map[string]any{"input": quotation("Semi;Colon")})["name"]}
	s.refused(stock, `mutation($name: String!) { submitQuotation(name: $name) { name } }`, quoted, "FORBIDDEN", "")
	var data struct {
		SalesOrder struct {
			Docstatus int
			PoNo      *string
		}
	}
	s.b.query(t, manager, `query($name: String!) { salesOrder(name: $name) { docstatus poNo } }`, name).into(t, &data)
	if data.SalesOrder.Docstatus != 0 || data.SalesOrder.PoNo != nil {
		t.Errorf("the order has changed: %+v", data.SalesOrder)
	}
}

// Two people change one document: the second, who has not seen the first one's change, is
// told so, with what he needs to look again; nothing of his is written.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	read := func() map[string]any {
		var data struct{ Customer map[string]any }
		s.b.query(t, sales, `{ customer(name: "Semi;Colon") { website modified } }`, nil).into(t, &data)
		return data.Customer
	}
	seen := read()["modified"]
	update := `mutation($at: DateTime, $site: String) { updateCustomer(name: "Semi;Colon", input: { website: $site }, ifModified: $at) { customer { website modified } } }`
	first := part(s.do(manager, update, map[string]any{"at": seen, "site": "https://first.example.com"}), "customer")
	got := s.refused(sales, update, map[string]any{"at": seen, "site": "https://second.example.com"}, "CONFLICT", "")
	if got.Errors[0].Extensions["modified"] != first["modified"] {
		t.Errorf("modified is %v, want %v", got.Errors[0].Extensions["modified"], first["modified"])
	}
	if now := read(); now["website"] != "https://first.example.com" || now["modified"] != first["modified"] {
		t.Errorf("the customer is %v", now)
	}
	s.do(sales, update, map[string]any{"at": got.Errors[0].Extensions["modified"], "site": "https://second.example.com"})
	if now := read(); now["website"] != "https://second.example.com" {
		t.Errorf("the customer is %v", now)
	}
}

// What others link to stays; a rename takes the links along, and so does a merge.
func TestDeleteRenameMerge(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	remove := `mutation($name: String!) { deleteCustomer(name: $name) { id doctype name } }`
	s.refused(manager, remove, map[string]any{"name": "Müller & Söhne GmbH"}, "FORBIDDEN", "")
	s.refused(admin, remove, map[string]any{"name": "Müller & Söhne GmbH"}, "VALIDATION", "")

	create := `mutation($name: String!) { createCustomer(input: { customerName: $name, customerGroup: "Retail", territory: "East" }) { name messages } }`
	one := s.do(manager, create, map[string]any{"name": "First Try"})
	two := s.do(manager, create, map[string]any{"name": "First Try"})
	if told, _ := two["messages"].([]any); two["name"] != "First Try - 1" || len(told) == 0 {
		t.Errorf("the second customer of one name is %v", two)
	}
	ordered := s.do(manager, createOrder, map[string]any{"input": order("First Try")})
	customerOf := func() string {
		var data struct {
			SalesOrder struct{ Customer struct{ Name string } }
		}
		s.b.query(t, manager, `query($name: String!) { salesOrder(name: $name) { customer { name } } }`, map[string]any{"name": ordered["name"]}).into(t, &data)
		return data.SalesOrder.Customer.Name
	}
	rename := `mutation($name: String!, $to: String!, $merge: Boolean!) { renameCustomer(name: $name, to: $to, merge: $merge) { name customer { name } } }`
	if got := s.do(manager, rename, map[string]any{"name": one["name"], "to": "Second Try", "merge": false}); got["name"] != "Second Try" {
		t.Errorf("renamed to %v", got)
	}
	if customerOf() != "Second Try" {
		t.Errorf("the order is of %s", customerOf())
	}
	s.refused(manager, rename, map[string]any{"name": "Second Try", "to": "First Try - 1", "merge": false}, "VALIDATION", "")
	// Merging deletes one of the two, which takes that right.
	s.refused(manager, rename, map[string]any{"name": "Second Try", "to": "First Try - 1", "merge": true}, "FORBIDDEN", "")
	s.do(admin, rename, map[string]any{"name": "Second Try", "to": "First Try - 1", "merge": true})
	if customerOf() != "First Try - 1" {
		t.Errorf("the order is of %s", customerOf())
	}
	s.refused(admin, remove, map[string]any{"name": "Second Try"}, "NOT_FOUND", "")

	lone := s.do(manager, create, map[string]any{"name": "Lone"})
	gone := s.do(admin, remove, map[string]any{"name": lone["name"]})
	if gone["name"] != "Lone" || gone["doctype"] != "Customer" {
		t.Errorf("deleted %v", gone)
	}
}

// Fields of one mutation run in order; one that fails hides neither those before nor those
// after it, and the answer says what became of each.
func TestSeveralFields(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	got := b.query(t, manager, `mutation {
		a: createCustomer(input: { customerName: "A", customerGroup: "Retail", territory: "East" }) { name customer { name territory { name } } }
		b: createCustomer(input: { customerName: "B", customerGroup: "No such group", territory: "East" }) { name }
		c: updateCustomer(name: "A", input: { territory: "North" }) { customer { name territory { name } } }
	}`, nil)
	if !slices.Equal(got.codes(), []string{"VALIDATION"}) || got.Errors[0].Path[0] != "b" || got.Errors[0].Extensions["field"] != "input.customerGroup" {
		t.Errorf("errors: %s", got.raw)
	}
	want := `{"a":{"name":"A","customer":{"name":"A","territory":{"name":"East"}}},"b":null,"c":{"customer":{"name":"A","territory":{"name":"North"}}}}`
	if string(got.Data) != want {
		t.Errorf("data is %s, want %s", got.Data, want)
	}
	outcomes := map[string]string{}
	for _, o := range got.Extensions.Outcomes {
		outcomes[o.Field] = o.Outcome
	}
	if want := map[string]string{"a": "DONE", "b": "FAILED", "c": "DONE"}; !maps.Equal(outcomes, want) {
		t.Errorf("outcomes are %v, want %v", outcomes, want)
	}
}

// Rows of a bulk succeed and fail each for itself.
func TestBulk(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	var inputs []any
	for i := range 5 {
		group := "Retail"
		if i == 2 {
			group = "No such group"
		}
		inputs = append(inputs, map[string]any{"customerName": fmt.Sprintf("Bulk %d", i), "customerGroup": group, "territory": "East"})
	}
	var data struct {
		CreateCustomers struct {
			Results []struct {
				Index    int
				Name     *string
				Customer *struct{ Name, Owner string }
				Error    *struct{ Code, Field, Message string }
			}
		}
	}
	b.query(t, manager, `mutation($inputs: [CustomerCreate!]!) { createCustomers(inputs: $inputs) {
		results { index name customer { name owner } error { code field message } } } }`, map[string]any{"inputs": inputs}).into(t, &data)
	if len(data.CreateCustomers.Results) != 5 {
		t.Fatalf("%d results", len(data.CreateCustomers.Results))
	}
	for i, r := range data.CreateCustomers.Results {
		switch {
		case r.Index != i:
			t.Errorf("result %d has index %d", i, r.Index)
		case i == 2 && (r.Error == nil || r.Error.Code != "VALIDATION" || r.Error.Field != "inputs.2.customerGroup" || r.Customer != nil || r.Name != nil):
			t.Errorf("row 2: %+v", r)
		case i != 2 && (r.Error != nil || r.Customer == nil || r.Customer.Owner != "manager@example.com"):
			t.Errorf("row %d: %+v", i, r)
		}
	}
}
