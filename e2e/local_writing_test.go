package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/app"
)

const createContract = `mutation($input: ServiceContractCreate!) { createServiceContract(input: $input) {
	id messages serviceContract { id customer { name } item { name } manager { name } status startDate endDate monthlyFee notes createdAt updatedAt } } }`

func contract(customer string) map[string]any {
	return map[string]any{"customer": customer, "item": "ITEM-00010", "startDate": "2026-01-01", "monthlyFee": "99.95"}
}

// contracted makes a contract and gives its id.
func (s story) contracted(customer string) string {
	s.Helper()
	return text(s.do(manager, createContract, map[string]any{"input": contract(customer)}), "id")
}

const createVisit = `mutation($input: ServiceVisitCreate!) { createServiceVisit(input: $input) { id serviceVisit { id status contract { id } updatedAt } } }`

func (s story) visited(contract string) string {
	s.Helper()
	return text(s.do(sales, createVisit, map[string]any{"input": map[string]any{
		"contract": contract, "technician": "sales@example.com", "visitedAt": "2026-11-25T08:00:00+05:30", "status": "PLANNED",
	}}), "id")
}

// A local row is created, changed and deleted by those whose role may, like a document.
func TestLocalStory(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	created := part(s.do(manager, createContract, map[string]any{"input": contract("semi;colon ")}), "serviceContract")
	if text(part(created, "customer"), "name") != "Semi;Colon" || created["status"] != "DRAFT" || created["monthlyFee"] != "99.95" {
		t.Errorf("created %v", created)
	}
	update := `mutation($id: ID!, $input: ServiceContractUpdate!, $at: DateTime) { updateServiceContract(id: $id, input: $input, ifModified: $at) {
		serviceContract { status endDate notes monthlyFee updatedAt } } }`
	changed := part(s.do(manager, update, map[string]any{
		"id": created["id"], "at": created["updatedAt"], "input": map[string]any{"status": "ACTIVE", "endDate": "2027-01-01", "notes": "n"},
	}), "serviceContract")
	if changed["status"] != "ACTIVE" || changed["monthlyFee"] != "99.95" || changed["updatedAt"] == created["updatedAt"] {
		t.Errorf("changed %v", changed)
	}
	got := s.refused(manager, update, map[string]any{"id": created["id"], "at": created["updatedAt"], "input": map[string]any{"status": "ENDED"}}, "CONFLICT", "")
	if got.Errors[0].Extensions["modified"] != changed["updatedAt"] {
		t.Errorf("modified is %v, want %v", got.Errors[0].Extensions["modified"], changed["updatedAt"])
	}
	cleared := part(s.do(manager, update, map[string]any{"id": created["id"], "input": map[string]any{"endDate": nil, "notes": nil}}), "serviceContract")
	if cleared["endDate"] != nil || cleared["notes"] != nil || cleared["status"] != "ACTIVE" {
		t.Errorf("cleared %v", cleared)
	}

	remove := `mutation($id: ID!) { deleteServiceContract(id: $id) { id } }`
	visit := s.visited(text(created, "id"))
	s.refused(sales, remove, map[string]any{"id": created["id"]}, "FORBIDDEN", "")
	s.do(manager, remove, map[string]any{"id": created["id"]})
	s.refused(manager, remove, map[string]any{"id": created["id"]}, "NOT_FOUND", "")
	// The visits of a contract go with it: @link(onDelete: CASCADE).
	if got := s.b.query(t, manager, `query($id: ID!) { serviceVisit(id: $id) { id } }`, map[string]any{"id": visit}); !slices.Equal(got.codes(), []string{"NOT_FOUND"}) {
		t.Errorf("the visit is still there: %s", got.raw)
	}
}

// What a local write may not do.
func TestLocalRefusals(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	with := func(field string, value any) map[string]any {
		input := contract("Semi;Colon")
		input[field] = value
		return map[string]any{"input": input}
	}
	for name, tt := range map[string]struct {
		credential  string
		variables   map[string]any
		code, field string
	}{
		"without the role":        {sales, with("notes", "x"), "FORBIDDEN", ""},
		"nobody at all":           {"", with("notes", "x"), "UNAUTHENTICATED", ""},
		"a document that isn't":   {manager, with("customer", "No Such Customer"), "VALIDATION", "input.customer"},
		"an item that isn't":      {manager, with("item", "NO-ITEM"), "VALIDATION", "input.item"},
		"a check of the database": {manager, with("endDate", "2025-01-01"), "VALIDATION", "input.endDate"},
		"a negative fee":          {manager, with("monthlyFee", "-1"), "VALIDATION", "input.monthlyFee"},
		"digits that don't fit":   {manager, with("monthlyFee", "1.005"), "", "input.monthlyFee"},
	} {
		got := s.b.query(t, tt.credential, createContract, tt.variables)
		if codes := got.codes(); len(codes) != 1 || tt.code != "" && codes[0] != tt.code {
			t.Errorf("%s: %v, want %s: %s", name, codes, tt.code, got.raw)
		} else if field, _ := got.Errors[0].Extensions["field"].(string); tt.field != "" && field != tt.field && !strings.HasPrefix(field, "input.startDate") {
			t.Errorf("%s: about %q, want %q: %s", name, field, tt.field, got.raw)
		}
	}
	var data struct{ ServiceContracts struct{ TotalCount int } }
	s.b.query(t, manager, `{ serviceContracts { totalCount } }`, nil).into(t, &data)
	if data.ServiceContracts.TotalCount != 0 {
		t.Errorf("%d contracts were written", data.ServiceContracts.TotalCount)
	}
	// A row that a caller may not see is none that he can change, or hang something on.
	hidden := s.contracted("Bright Traders Ltd")
	for _, mutation := range []string{
		`mutation($id: ID!) { createServiceVisit(input: { contract: $id, technician: "sales@example.com", visitedAt: "2026-11-25T08:00:00Z" }) { id } }`,
	} {
		s.refused(north, mutation, map[string]any{"id": hidden}, "VALIDATION", "input.contract")
	}
	visit := s.visited(hidden)
	s.refused(north, `mutation($id: ID!) { updateServiceVisit(id: $id, input: { summary: "mine" }) { id } }`, map[string]any{"id": visit}, "NOT_FOUND", "")
	s.refused(north, `mutation($id: ID!) { completeServiceVisit(id: $id, report: "mine") { id } }`, map[string]any{"id": visit}, "NOT_FOUND", "")
}

const complete = `mutation($id: ID!, $invoice: Boolean!) { completeServiceVisit(id: $id, report: "All fine", invoice: $invoice) {
	serviceVisit { status report invoiceState invoiceProblem invoice { docstatus customer { name } items { itemCode { name } qty rate } } } } }`

// A visit is completed and its invoice drafted upstream, with the caller's own credential.
func TestCompleteServiceVisit(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	visit := s.visited(s.contracted("Semi;Colon"))
	done := part(s.do(manager, complete, map[string]any{"id": visit, "invoice": true}), "serviceVisit")
	want := map[string]any{
		"status": "DONE", "report": "All fine", "invoiceState": "DONE", "invoiceProblem": nil,
		"invoice": map[string]any{"docstatus": 0.0, "customer": named("Semi;Colon"), "items": []any{
			map[string]any{"itemCode": named("ITEM-00010"), "qty": 1.0, "rate": "99.95"},
		}},
	}
	if diff := cmp.Diff(want, done); diff != "" {
		t.Error(diff)
	}
	s.refused(manager, complete, map[string]any{"id": visit, "invoice": true}, "VALIDATION", "id")

	// ERPNext's refusal of the invoice is told on the visit; the visit itself is done. Who
	// has the right tries again.
	visit = s.visited(s.contracted("Semi;Colon"))
	done = part(s.do(sales, complete, map[string]any{"id": visit, "invoice": true}), "serviceVisit")
	if done["status"] != "DONE" || done["invoiceState"] != "FAILED" || done["invoiceProblem"] == nil || done["invoice"] != nil {
		t.Errorf("completed without the right to make invoices: %v", done)
	}
	retry := `mutation($id: ID!) { retryServiceVisitInvoice(id: $id) { serviceVisit { invoiceState invoiceProblem invoice { customer { name } } } } }`
	s.refused(north, retry, map[string]any{"id": s.visited(s.contracted("Bright Traders Ltd"))}, "NOT_FOUND", "")
	again := part(s.do(manager, retry, map[string]any{"id": visit}), "serviceVisit")
	if again["invoiceState"] != "DONE" || again["invoiceProblem"] != nil || text(part(part(again, "invoice"), "customer"), "name") != "Semi;Colon" {
		t.Errorf("tried again: %v", again)
	}
	if n := s.count(`{ salesInvoices(where: { customer: { eq: "Semi;Colon" }, docstatus: { eq: 0 } }) { totalCount } }`); n < 2 {
		t.Errorf("%d drafts", n)
	}
}

// count is the total of the one list that a query asks for.
func (s story) count(query string) int {
	s.Helper()
	var data map[string]struct{ TotalCount int }
	s.b.query(s, manager, query, nil).into(s, &data)
	for _, list := range data {
		return list.TotalCount
	}
	return 0
}

// What can't be answered is refused before a hand-written mutation writes, as it is of
// generated ones.
func TestHandWrittenIsCheckedFirst(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{config: func(c *app.Config) { c.MaxUpstreamCalls = 12 }})}
	visit := s.visited(s.contracted("Semi;Colon"))
	var lists strings.Builder
	for i := range 20 {
		fmt.Fprintf(&lists, "l%d: salesOrders(first: 1, where: { poNo: { eq: \"%d\" } }) { nodes { name } } ", i, i)
	}
	query := `mutation($id: ID!) { completeServiceVisit(id: $id, report: "r") { serviceVisit { contract { customer { ` + lists.String() + ` } } } } }`
	s.refused(manager, query, map[string]any{"id": visit}, "COST_LIMIT", "")
	var data struct{ ServiceVisit struct{ Status string } }
	s.b.query(t, manager, `query($id: ID!) { serviceVisit(id: $id) { status } }`, map[string]any{"id": visit}).into(t, &data)
	if data.ServiceVisit.Status != "PLANNED" {
		t.Errorf("the visit is %s", data.ServiceVisit.Status)
	}
}
