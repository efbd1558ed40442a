package e2e_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/app"
	"erpgraph/internal/simulator"
)

// What a field of a mutation shows is read after its write, and before the next one: as
// deep as a query goes, the calls and statements told by the trace, the values not logged.
func TestReadAfterEachWrite(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	order := s.do(manager, createOrder, doc{"input": order("Semi;Colon")})
	got := s.b.query(t, manager, `mutation($name: String!) {
		a: updateCustomer(name: "Semi;Colon", input: { website: "https://first.example.com" }) { customer { ...C } }
		b: updateSalesOrder(name: $name, input: { poNo: "B" }) { salesOrder { poNo customer { ...C } } }
		c: updateCustomer(name: "Semi;Colon", input: { website: "https://second.example.com", territory: "North" }) { customer { ...C } }
		d: updateSalesOrder(name: $name, input: { poNo: "D" }) { salesOrder { poNo customer { ...C } } }
		e: createServiceContract(input: { customer: "Semi;Colon", item: "ITEM-00010", startDate: "2026-01-01", notes: "unlogged" }) {
			serviceContract { customer { ...C serviceContracts { totalCount nodes { notes } } } } }
	} fragment C on Customer { website territory { name parentTerritory { name } } salesOrders(first: 1) { totalCount } }`, doc{"name": order["name"]})
	var data struct {
		A, C struct{ Customer doc }
		B, D struct{ SalesOrder doc }
		E    struct{ ServiceContract doc }
	}
	got.into(t, &data)
	first, second := data.A.Customer, data.C.Customer
	if first["website"] != "https://first.example.com" || second["website"] != "https://second.example.com" || text(part(second, "territory"), "name") != "North" {
		t.Errorf("the customer is %v, then %v", first, second)
	}
	for _, pair := range [][2]any{{doc{"poNo": "B", "customer": first}, data.B.SalesOrder}, {doc{"poNo": "D", "customer": second}, data.D.SalesOrder}} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Error(diff)
		}
	}
	list := part(part(data.E.ServiceContract, "customer"), "serviceContracts")
	if diff := cmp.Diff(doc{"totalCount": 1.0, "nodes": []any{doc{"notes": "unlogged"}}}, list); diff != "" {
		t.Error(diff)
	}
	if n := len(writes(s.b.site)); n == 0 || got.Extensions.Upstream.Calls != len(got.Extensions.Upstream.Requests) || len(got.Extensions.Upstream.Statements) == 0 {
		t.Errorf("%d writes; traced: %+v", n, got.Extensions.Upstream)
	}
	for _, value := range []string{"first.example.com", "unlogged", "Semi;Colon", text(order, "name")} {
		if strings.Contains(s.b.log.String(), value) {
			t.Errorf("the log has %q", value)
		}
	}
	if !strings.Contains(s.b.log.String(), `"outcomes":{"done":5,"failed":0,"unknown":0}`) {
		t.Errorf("the log does not tell the outcomes: %s", s.b.log)
	}
}

// A moment is written in any offset and read back the same, at a site whose clocks change:
// not in the first of the two hours that they show twice, which ERPNext could not tell apart.
func TestMomentsWhereClocksChange(t *testing.T) {
	t.Parallel()
	berlin := recordedSite()
	berlin.TimeZone = "Europe/Berlin"
	site, err := simulator.New(berlin)
	if err != nil {
		t.Fatal(err)
	}
	s := story{t, setup(t, options{site: site, doctypes: ticketDocTypes})}
	create := `mutation($at: DateTime) { createServiceTicket(input: { subject: "s", customer: "Semi;Colon", openedAt: $at }) { name serviceTicket { openedAt modified } } }`
	for at, want := range map[string]string{
		"2026-07-01T12:00:00Z":             "2026-07-01T14:00:00.000000+02:00",
		"2026-01-01T00:30:00.5+05:30":      "2025-12-31T20:00:00.500000+01:00",
		"2026-03-29T00:59:59Z":             "2026-03-29T01:59:59.000000+01:00", // the last second of winter
		"2026-03-29T01:00:00Z":             "2026-03-29T03:00:00.000000+02:00",
		"2026-03-29T02:30:00+01:00":        "2026-03-29T03:30:00.000000+02:00", // a time that no clock shows
		"2026-10-25T01:59:59.999999+02:00": "2026-10-25T01:59:59.999999+02:00",
		"2026-10-25T00:00:00Z":             "",
		"2026-10-25T00:59:59.999999Z":      "",
		"2026-10-25T01:00:00Z":             "2026-10-25T02:00:00.000000+01:00",
		"2026-10-25T03:00:00+01:00":        "2026-10-25T03:00:00.000000+01:00",
		"2026-10-25T12:00:00":              "",
		"2026-10-25t12:00:00z":             "",
		"2026-10-25T12:00:00+5:30":         "",
		"2026-10-25T23:59:60Z":             "",
	} {
		if want == "" {
			s.refused(manager, create, doc{"at": at}, "BAD_USER_INPUT", "input.openedAt")
			continue
		}
		made := part(s.do(manager, create, doc{"at": at}), "serviceTicket")
		if made["openedAt"] != want {
			t.Errorf("%s: read back %v, want %s", at, made["openedAt"], want)
		}
	}
	made := s.do(manager, create, doc{"at": nil})
	s.do(manager, `mutation($name: String!, $at: DateTime) { updateServiceTicket(name: $name, input: { summary: "x" }, ifModified: $at) { name } }`,
		doc{"name": made["name"], "at": part(made, "serviceTicket")["modified"]})
}

// A Single DocType is changed without a name, by those who may.
func TestSingleDocument(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	const update = `mutation($input: SellingSettingsUpdate!) { updateSellingSettings(input: $input) {
		name messages sellingSettings { customerGroup { name } soRequired blanketOrderAllowance hideTaxId territory { name } } } }`
	want := doc{"customerGroup": named("Retail"), "soRequired": "YES", "blanketOrderAllowance": 2.5, "hideTaxId": true, "territory": nil}
	got := s.do(admin, update, doc{"input": doc{"customerGroup": "Retail", "soRequired": "YES", "blanketOrderAllowance": 2.5, "hideTaxId": true}})
	if diff := cmp.Diff(doc{"name": "Selling Settings", "messages": []any{}, "sellingSettings": want}, got); diff != "" {
		t.Error(diff)
	}
	want["customerGroup"], want["territory"] = nil, named("North")
	got = s.do(admin, update, doc{"input": doc{"customerGroup": nil, "territory": "North"}})
	if diff := cmp.Diff(want, part(got, "sellingSettings")); diff != "" {
		t.Errorf("cleared and left: %s", diff)
	}
	s.refused(sales, update, doc{"input": doc{"hideTaxId": false}}, "FORBIDDEN", "")
	s.refused(admin, update, doc{"input": doc{"blanketOrderAllowance": "1"}}, "BAD_USER_INPUT", "input.blanketOrderAllowance")
}

// A mutation over a socket is one over HTTP: the fields in order, what became of each, and
// the key of a field.
func TestMutationOverASocket(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	s := b.open(t, map[string]string{"Authorization": admin}, `{}`)
	query := `mutation {
		made: createBrand(input: { brand: "By socket" }) @idempotent(key: "socket-1") { name brand { name } }
		refused: deleteBrand(name: "No such brand") { name }
	}`
	payload, err := json.Marshal(doc{"id": "1", "type": "subscribe", "payload": doc{"query": query}})
	if err != nil {
		t.Fatal(err)
	}
	want := doc{
		"data":     doc{"made": doc{"name": "By socket", "brand": doc{"name": "By socket"}}, "refused": nil},
		"outcomes": []any{doc{"field": "made", "outcome": "DONE"}, doc{"field": "refused", "outcome": "FAILED"}},
	}
	for range 2 {
		s.send(t, string(payload))
		message, _ := s.next(t)
		got := part(message, "payload")
		if diff := cmp.Diff(want, doc{"data": got["data"], "outcomes": part(got, "extensions")["outcomes"]}); diff != "" {
			t.Errorf("%s in %v", diff, message)
		}
		if done, _ := s.next(t); done["type"] != "complete" {
			t.Errorf("then came %v", done)
		}
	}
}

// A write that the operation's budget does not cover is not begun; what is too much to read
// after one is told below it, and the write is DONE.
func TestWritesAndBudgets(t *testing.T) {
	t.Parallel()
	b := setup(t, options{config: func(c *app.Config) { c.MaxUpstreamCalls = 2 }})
	got := b.query(t, admin, `mutation {
		a: createBrand(input: { brand: "A" }) { name brand { items(first: 1) { totalCount } } }
		b: createBrand(input: { brand: "B" }) { name brand { items(first: 1) { totalCount } } }
		c: createBrand(input: { brand: "C" }) { name brand { name items(first: 1) { nodes { defaultSupplier: itemGroup { name parentItemGroup { name } } } } } }
		d: createBrand(input: { brand: "D" }) { name }
	}`, nil)
	if diff := cmp.Diff(map[string]string{"a": "DONE", "b": "DONE", "c": "FAILED", "d": "DONE"}, got.outcomes()); diff != "" {
		t.Errorf("outcomes: %s\n%s", diff, got.raw)
	}
	if !slices.Equal(got.codes(), []string{"COST_LIMIT", "COST_LIMIT"}) || len(got.Errors[0].Path) != 2 || len(got.Errors[1].Path) != 1 {
		t.Errorf("errors: %s", got.raw)
	}
	if want := `{"a":{"name":"A","brand":{"items":{"totalCount":0}}},"b":{"name":"B","brand":null},"c":null,"d":{"name":"D"}}`; string(got.Data) != want {
		t.Errorf("data is %s", got.Data)
	}
	if brands := b.site.Names("Brand"); slices.Contains(brands, "C") || !slices.Contains(brands, "B") {
		t.Errorf("the site has %v", brands)
	}
}
