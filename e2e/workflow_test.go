package e2e_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/simulator"
)

// doc is a document, or an input.
type doc = map[string]any

// contractDocTypes is a graph with a workflow and methods of each shape.
const contractDocTypes = `
include: {hidden: false}
exclude_fields: [custom_*, deposit_balance]
optional: [conversion_rate, plc_conversion_rate]
doctypes:
  Sales Order: { optional: [company, currency, selling_price_list] }
  Sales Order Item: { optional: [item_name, uom] }
  Customer: {}
  Comment: {}
methods:
  addComment:
    method: frappe.desk.form.utils.add_comment
    arguments:
      doctype: { type: String!, as: reference_doctype }
      name: { type: String!, as: reference_name }
      content: { type: String! }
    fill: { comment_email: user, comment_by: fullName }
    result: Comment
  count: { method: frappe.client.get_count, arguments: { doctype: { type: String! } }, result: Int, repeatable: true }
  countOnce: { method: frappe.client.get_count, arguments: { doctype: { type: String! } }, result: Int }
  nothing: { method: frappe.client.get_count, arguments: { doctype: { type: String! } } }
  notCustomers: { method: frappe.client.get_count, arguments: { doctype: { type: String! } }, result: "[Customer]", repeatable: true }
  one: { method: frappe.client.get, arguments: { doctype: { type: String! }, name: { type: String! } }, result: Customer }
  some:
    method: frappe.client.get_list
    arguments: { doctype: { type: String! }, limitPageLength: { type: Int }, at: { type: DateTime }, amounts: { type: "[Decimal!]" } }
    result: "[Customer]"
  noSuch: { method: nowhere.at.all, arguments: {}, result: JSON }
`

// withWorkflow puts orders under a workflow: who approves must not be who made them.
func withWorkflow(t *testing.T, site *simulator.Server) {
	t.Helper()
	for _, s := range []string{"Pending", "Approved", "Rejected", "Withdrawn"} {
		if err := site.Insert("Workflow State", doc{"name": s, "workflow_state_name": s}); err != nil {
			t.Fatal(err)
		}
	}
	step := func(state, action, next, role string, own int) doc {
		return doc{"state": state, "action": action, "next_state": next, "allowed": role, "allow_self_approval": own}
	}
	if err := site.Insert("Workflow", doc{
		"name": "Orders", "workflow_name": "Orders", "document_type": "Sales Order", "is_active": 1, "workflow_state_field": "workflow_state",
		"states": []doc{
			{"state": "Pending", "doc_status": "0"},
			{"state": "Approved", "doc_status": "1"},
			{"state": "Rejected", "doc_status": "0", "update_field": "po_no", "update_value": "REJECTED"},
			{"state": "Withdrawn", "doc_status": "2"},
		},
		"transitions": []doc{
			step("Pending", "Approve", "Approved", "Sales Manager", 0), step("Pending", "Reject", "Rejected", "Sales User", 1),
			step("Pending", "Reject", "Rejected", "Sales Manager", 1), step("Approved", "Withdraw", "Withdrawn", "Sales Manager", 1),
		},
	}); err != nil {
		t.Fatal(err)
	}
}

// contractBundle is the graph of contractDocTypes.
func contractBundle(t *testing.T) story {
	t.Helper()
	site, err := newSite()
	if err != nil {
		t.Fatal(err)
	}
	withWorkflow(t, site)
	return story{t, setup(t, options{site: site, doctypes: contractDocTypes})}
}

const pending = `mutation { createSalesOrder(input: { customer: "Semi;Colon", deliveryDate: "2026-12-30", items: [{ itemCode: "ITEM-00010", qty: 1, warehouse: "Stores - GTL" }] }) {
	name salesOrder { modified workflowActions { action nextState __typename } } } }`

// The steps of a workflow are those that the caller may take now; a step may submit and
// cancel, and is refused to whom the workflow refuses it.
func TestWorkflowSteps(t *testing.T) {
	t.Parallel()
	s := contractBundle(t)
	created := s.do(sales, pending, nil)
	first := part(created, "salesOrder")
	reject := doc{"action": "Reject", "nextState": "Rejected", "__typename": "WorkflowAction"}
	if diff := cmp.Diff([]any{reject}, first["workflowActions"]); diff != "" {
		t.Errorf("who made it: %s", diff)
	}
	name := doc{"name": created["name"]}
	steps := func(credential string) []string {
		var data struct {
			SalesOrders struct {
				Nodes []struct {
					Name            string
					WorkflowActions []struct{ Action string }
				}
			}
		}
		got := s.b.query(t, credential, `query($name: String!) { salesOrders(where: { name: { eq: $name } }) { nodes { name workflowActions { action } } } }`, name)
		got.into(t, &data)
		var out []string
		for _, action := range data.SalesOrders.Nodes[0].WorkflowActions {
			out = append(out, action.Action)
		}
		return out
	}
	for credential, want := range map[string][]string{sales: {"Reject"}, manager: {"Approve", "Reject"}, stock: nil} {
		if got := steps(credential); !slices.Equal(got, want) {
			t.Errorf("%s may %v, want %v", credential, got, want)
		}
	}

	apply := `mutation($name: String!, $action: String!, $at: DateTime) { applySalesOrderWorkflow(name: $name, action: $action, ifModified: $at) {
		name salesOrder { docstatus status poNo workflowActions { action } } } }`
	with := func(action string, at any) doc { return doc{"name": created["name"], "action": action, "at": at} }
	s.refused(nobody, apply, with("Reject", nil), "FORBIDDEN", "")
	s.refused(sales, apply, with("Approve", nil), "VALIDATION", "")
	s.refused(manager, apply, with("", nil), "BAD_USER_INPUT", "action")
	s.refused(manager, apply, doc{"name": "No such order", "action": "Approve"}, "NOT_FOUND", "")
	s.do(sales, `mutation($name: String!) { updateSalesOrder(name: $name, input: { poNo: "1" }) { name } }`, name)
	if got := s.refused(manager, apply, with("Approve", first["modified"]), "CONFLICT", ""); got.Errors[0].Extensions["modified"] == nil {
		t.Errorf("a conflict without the time: %s", got.raw)
	}
	approved := part(s.do(manager, apply, with("Approve", nil)), "salesOrder")
	if diff := cmp.Diff(doc{"docstatus": 1.0, "status": "TO_DELIVER_AND_BILL", "poNo": "1", "workflowActions": []any{doc{"action": "Withdraw"}}}, approved); diff != "" {
		t.Error(diff)
	}
	s.refused(manager, apply, with("Approve", nil), "VALIDATION", "")
	if withdrawn := part(s.do(manager, apply, with("Withdraw", nil)), "salesOrder"); withdrawn["docstatus"] != 2.0 {
		t.Errorf("withdrawn: %v", withdrawn)
	}
	// The amendment begins at the workflow's first state.
	amended := part(s.do(manager, `mutation($name: String!) { amendSalesOrder(name: $name) { salesOrder { docstatus workflowActions { action } } } }`, name), "salesOrder")
	if diff := cmp.Diff(doc{"docstatus": 0.0, "workflowActions": []any{doc{"action": "Approve"}, doc{"action": "Reject"}}}, amended); diff != "" {
		t.Error(diff)
	}
	own := s.do(manager, pending, nil)
	got := s.refused(manager, apply, doc{"name": own["name"], "action": "Approve"}, "VALIDATION", "")
	if got.Errors[0].Message != "Self approval is not allowed" {
		t.Errorf("the message is %q", got.Errors[0].Message)
	}
	if rejected := part(s.do(manager, apply, doc{"name": own["name"], "action": "Reject"}), "salesOrder"); rejected["poNo"] != "REJECTED" {
		t.Errorf("rejected: %v", rejected)
	}
}

// Declared methods take the arguments that they declare, and give scalars, documents,
// lists of them, or nothing.
func TestDeclaredMethods(t *testing.T) {
	t.Parallel()
	s := contractBundle(t)
	comment := `mutation($name: String!) { addComment(doctype: "Customer", name: $name, content: "hello <b>x</b>") { messages comment { content commentBy commentEmail referenceName { name doctype } } } }`
	want := doc{"content": "hello <b>x</b>", "commentEmail": "Administrator", "commentBy": "Administrator", "referenceName": doc{"name": "Semi;Colon", "doctype": "Customer"}}
	if diff := cmp.Diff(want, part(s.do(admin, comment, doc{"name": "Semi;Colon"}), "comment")); diff != "" {
		t.Error(diff)
	}
	s.refused(nobody, comment, doc{"name": "Semi;Colon"}, "FORBIDDEN", "")
	s.refused(admin, comment, doc{"name": "Nobody At All"}, "NOT_FOUND", "")
	for query, want := range map[string]doc{
		`count(doctype: "Customer") { result messages __typename }`:                                               {"result": 500.0, "messages": []any{}, "__typename": "CountPayload"},
		`nothing(doctype: "Customer") { messages }`:                                                               {"messages": []any{}},
		`one(doctype: "Customer", name: "Semi;Colon") { customer { name salesOrders(first: 1) { totalCount } } }`: {"customer": doc{"name": "Semi;Colon", "salesOrders": doc{"totalCount": 4.0}}},
		`some(doctype: "Customer", limitPageLength: 2, at: "2026-11-25T00:00:00Z", amounts: ["1.50", 2]) { customers { name territory } }`: {
			"customers": []any{doc{"name": "Müller & Söhne GmbH", "territory": "North"}, doc{"name": "東京商事 株式会社", "territory": "North"}},
		},
	} {
		if diff := cmp.Diff(want, s.do(sales, "mutation { "+query+" }", nil)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	for query, want := range map[string][2]string{
		`some(doctype: "Customer", at: "2026-11-25T00:00:00") { messages }`: {"BAD_USER_INPUT", "at"},
		`some(doctype: "Customer", amounts: ["1", "x"]) { messages }`:       {"BAD_USER_INPUT", "amounts.1"},
		`some(doctype: "Customer", limitPageLength: "2") { messages }`:      {"BAD_USER_INPUT", ""},
		`count { result }`: {"BAD_USER_INPUT", ""},
		`count(doctype: "Customer", more: 1) { result }`:    {"BAD_USER_INPUT", ""},
		`count(doctype: "Nothing Of This Name") { result }`: {"NOT_FOUND", ""},
		`noSuch { result }`: {"UPSTREAM_UNAVAILABLE", ""},
	} {
		s.refused(sales, "mutation { "+query+" }", nil, want[0], want[1])
	}
	// What can't be shown was called all the same, and the answer says so.
	got := s.refused(sales, `mutation { notCustomers(doctype: "Customer") { customers { name } } }`, nil, "UPSTREAM_UNAVAILABLE", "")
	if got.Errors[0].Extensions["uncertain"] != true || got.outcomes()["notCustomers"] != "UNKNOWN" {
		t.Errorf("an answer of another kind: %s", got.raw)
	}
	// Under a key, the value of a method that may run again is fetched anew; of another it is
	// not kept.
	for method, again := range map[string]any{"count": 500.0, "countOnce": nil} {
		for try, want := range []any{500.0, again} {
			if got := s.do(sales, `mutation { `+method+`(doctype: "Customer") @idempotent(key: "`+method+`") { result } }`, nil); got["result"] != want {
				t.Errorf("%s, try %d: %v, want %v", method, try+1, got["result"], want)
			}
		}
	}
}
