package e2e_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/app"
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
			{"state": "Pending", "doc_status": "0"}, {"state": "Approved", "doc_status": "1"},
			{"state": "Rejected", "doc_status": "0", "update_field": "po_no", "update_value": "REJECTED"}, {"state": "Withdrawn", "doc_status": "2"},
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

// outcomes tells what became of each field.
func (a answer) outcomes() map[string]string {
	out := map[string]string{}
	for _, o := range a.Extensions.Outcomes {
		out[o.Field] = o.Outcome
	}
	return out
}

// created are inputs with what a person must know and no more, by type.
var created = map[string]string{
	"Address":       `addressTitle: "T", addressLine1: "1 Way", city: "Pune", country: "India"`,
	"Brand":         `brand: "New"`,
	"Company":       `companyName: "New", abbr: "N", defaultCurrency: "USD", country: "India"`,
	"Contact":       `firstName: "New"`,
	"Currency":      `currencyName: "NEW"`,
	"Customer":      `customerName: "New"`,
	"CustomerGroup": `customerGroupName: "New"`,
	"DeliveryNote":  `customer: "Semi;Colon", items: [{ itemCode: "ITEM-00010", qty: 1 }]`,
	"Issue":         `subject: "New"`,
	"Item":          `itemCode: "NEW", itemGroup: "Sensors", stockUom: "Nos"`,
	"ItemGroup":     `itemGroupName: "New"`,
	"ItemPrice":     `itemCode: "ITEM-00010", priceList: "Standard Selling", priceListRate: "3.5"`,
	"Lead":          `firstName: "New"`,
	"Opportunity":   `opportunityFrom: "Customer", partyName: "Semi;Colon"`,
	"PriceList":     `priceListName: "New", currency: "USD", selling: true`,
	"Project":       `projectName: "New"`,
	"PurchaseOrder": `supplier: "Acme Supply 00", items: [{ itemCode: "ITEM-00010", qty: 1, scheduleDate: "2026-12-30" }]`,
	"Quotation":     `partyName: "Semi;Colon", items: [{ itemCode: "ITEM-00010", qty: 1 }]`,
	"SalesInvoice":  `customer: "Semi;Colon", items: [{ itemCode: "ITEM-00010", qty: 1 }]`,
	"SalesOrder":    `customer: "Semi;Colon", deliveryDate: "2026-12-30", items: [{ itemCode: "ITEM-00010", qty: 1, warehouse: "Stores - GTL" }]`,
	"Supplier":      `supplierName: "New"`,
	"SupplierGroup": `supplierGroupName: "New"`,
	"Task":          `subject: "New"`,
	"Territory":     `territoryName: "New"`,
	"ToDo":          `description: "New"`,
	"UOM":           `uomName: "New"`,
	"User":          `email: "new@example.com", firstName: "New"`,
	"Warehouse":     `warehouseName: "New", company: "Graft Test Ltd"`,
}

const introspection = `{ __schema {
	queryType { fields { name args { name } type { ...T } } }
	mutationType { fields { name description args { name type { ...T } } type { ...T } } }
	types { name inputFields { name type { ...T } } enumValues { name } fields { name type { ...T } } }
} } fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`

type typeRef struct {
	Kind, Name string
	OfType     *typeRef
}

// named is the type without its wrappers.
func (t *typeRef) named() string {
	for t.OfType != nil {
		t = t.OfType
	}
	return t.Name
}

type member struct {
	Name, Description string
	Args              []member
	Type              *typeRef
}

// introspected is the graph as GraphiQL sees it.
type introspected struct {
	Schema struct {
		QueryType, MutationType struct{ Fields []member }
		Types                   []struct {
			Name                string
			Fields, InputFields []member
			EnumValues          []member
		}
	} `json:"__schema"`
}

func (b *bundle) introspect(t *testing.T) *introspected {
	t.Helper()
	out := new(introspected)
	b.query(t, manager, introspection, nil).into(t, out)
	return out
}

// single is the field that gives a type by its name.
func (s *introspected) single(name string) string {
	for _, f := range s.Schema.QueryType.Fields {
		if f.Type.named() == name && len(f.Args) == 1 {
			return f.Name
		}
	}
	return ""
}

// Each option of each Select of each DocType is written and read back, in a document that
// was made of nothing but what must be given.
func TestEveryOption(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	graph := b.introspect(t)
	enums, inputs := map[string][]member{}, map[string][]member{}
	for _, typ := range graph.Schema.Types {
		enums[typ.Name], inputs[typ.Name] = typ.EnumValues, typ.InputFields
	}
	values := 0
	for _, typ := range slices.Sorted(maps.Keys(created)) {
		single := graph.single(typ)
		made := story{t, b}.do(admin, `mutation { create`+typ+`(input: { `+created[typ]+` }) { name messages `+single+` { name docstatus } } }`, nil)
		if part(made, single)["name"] != made["name"] || made["name"] == "" || part(made, single)["docstatus"] != 0.0 {
			t.Errorf("%s: %v", typ, made)
		}
		for _, f := range inputs[typ+"Update"] {
			for _, v := range enums[f.Type.named()] {
				values++
				got := story{t, b}.do(admin, `mutation($name: String!) { update`+typ+`(name: $name, input: { `+f.Name+`: `+v.Name+` }) { doc: `+single+` { value: `+f.Name+` } } }`, doc{"name": made["name"]})
				if part(got, "doc")["value"] != v.Name {
					t.Errorf("%s.%s: wrote %s, read %v", typ, f.Name, v.Name, got)
				}
			}
		}
	}
	if values < 150 {
		t.Errorf("only %d options were tried", values)
	}
}

// The mutations are told to clients as they are: each described, each with a payload that
// may be null, so that one that fails hides no other.
func TestMutationsInTheSchema(t *testing.T) {
	t.Parallel()
	graph := reading(t, options{}).introspect(t)
	types := map[string][]member{}
	for _, typ := range graph.Schema.Types {
		types[typ.Name] = typ.Fields
	}
	for _, f := range graph.Schema.MutationType.Fields {
		payload := f.Type.named()
		if f.Description == "" || f.Type.Kind != "OBJECT" || !strings.HasSuffix(payload, "Payload") {
			t.Errorf("%s: %s of kind %s, described by %q", f.Name, payload, f.Type.Kind, f.Description)
		}
		for _, part := range types[payload] {
			must := slices.Contains([]string{"messages", "results", "id", "name"}, part.Name)
			if is := part.Type.Kind == "NON_NULL"; must && !is || part.Type.Kind == "NON_NULL" && part.Type.OfType.Kind == "OBJECT" {
				t.Errorf("%s.%s is of kind %s", payload, part.Name, part.Type.Kind)
			}
		}
		optional := []string{"ifModified", "attachTo"}
		if strings.HasPrefix(f.Name, "amend") {
			optional = append(optional, "input")
		}
		for _, arg := range f.Args {
			if is := arg.Type.Kind == "NON_NULL"; is == slices.Contains(optional, arg.Name) {
				t.Errorf("%s(%s:) is of kind %s", f.Name, arg.Name, arg.Type.Kind)
			}
		}
	}
}

// afterwards carries requests out and then cuts the connection, while armed.
func afterwards(armed *atomic.Bool, paths ...string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			write := slices.ContainsFunc(paths, func(p string) bool { return strings.Contains(r.URL.Path, p) })
			if !armed.Load() || r.Method == http.MethodGet || !write {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}
}

// A write whose answer never came may have been made: the error says so, and so does the
// field's outcome. A retry under its key finds it, and writes nothing twice; what can't be
// found out about stays unknown.
func TestAnswersThatNeverCame(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	b := setup(t, options{between: afterwards(&armed, "/api/resource/", "frappe.client.delete", "rename_doc", "add_comment")})
	mutation := `mutation {
		create: createCustomer(input: { customerName: "Cut One" }) @idempotent(key: "k1") { name }
		noKey: createCustomer(input: { customerName: "Cut Two" }) { name }
		comment: addComment(doctype: "Customer", name: "Semi;Colon", content: "x") @idempotent(key: "k2") { messages }
		update: updateCustomer(name: "Semi;Colon", input: { website: "https://cut.example.com" }) @idempotent(key: "k3") { customer { website } }
		delete: deleteBrand(name: "Cut Brand") @idempotent(key: "k4") { name }
		local: createServiceContract(input: { customer: "Semi;Colon", item: "ITEM-00010", startDate: "2026-01-01" }) @idempotent(key: "k5") { id }
		bulk: createCustomers(inputs: [{ customerName: "Cut Three" }, { customerName: "Cut Four" }]) @idempotent(key: "k6") { results { name error { code uncertain } } }
		rename: renameCustomer(name: "C# Services", to: "C Services") @idempotent(key: "k7") { name }
	}`
	if err := b.site.Insert("Brand", doc{"name": "Cut Brand", "brand": "Cut Brand"}); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	got := b.query(t, admin, mutation, nil)
	outcomes := got.outcomes()
	delete(outcomes, "bulk") // its rows have outcomes of their own
	want := map[string]string{
		"create": "UNKNOWN", "noKey": "UNKNOWN", "comment": "UNKNOWN", "update": "UNKNOWN", "delete": "UNKNOWN", "local": "DONE", "rename": "UNKNOWN",
	}
	if diff := cmp.Diff(want, outcomes); diff != "" {
		t.Errorf("outcomes: %s\n%s", diff, got.raw)
	}
	for _, e := range got.Errors {
		if e.Extensions["code"] != "UPSTREAM_UNAVAILABLE" || e.Extensions["uncertain"] != true {
			t.Errorf("%v: %v", e.Path, e.Extensions)
		}
	}
	armed.Store(false)
	for range 2 {
		b.site.ResetCalls()
		got = b.query(t, admin, mutation, nil)
		var data struct {
			Create, Update, Delete, Local, Rename doc
			Bulk                                  struct{ Results []doc }
		}
		if err := json.Unmarshal(got.Data, &data); err != nil {
			t.Fatal(err)
		}
		if data.Create["name"] != "Cut One" || data.Delete["name"] != "Cut Brand" || data.Rename["name"] != "C Services" ||
			part(data.Update, "customer")["website"] != "https://cut.example.com" || data.Local["id"] == nil {
			t.Errorf("found: %s", got.raw)
		}
		for i, name := range []string{"Cut Three", "Cut Four"} {
			if r := data.Bulk.Results[i]; r["name"] != name || r["error"] != nil {
				t.Errorf("row %d: %v", i, r)
			}
		}
		if got.Errors[0].Path[0] != "comment" || got.codes()[0] != "CONFLICT" || got.Errors[0].Extensions["uncertain"] != true || len(got.Errors) != 1 {
			t.Errorf("errors: %s", got.raw)
		}
	}
	// The one without a key is a new one each time.
	if n := b.customersNamed(t, "Cut "); n != 6 {
		t.Errorf("%d customers, want 6", n)
	}
}

// writes are the calls of the site that change it.
func writes(site *simulator.Server) (out []string) {
	for _, call := range site.Calls() {
		if call.Method != http.MethodGet && !slices.ContainsFunc([]string{"get_list", "has_permission", "get_transitions"}, func(read string) bool { return strings.Contains(call.Path, read) }) {
			out = append(out, call.Method+" "+call.Path)
		}
	}
	return out
}

// Each kind of mutation is made once under a key, and answers a retry alike.
func TestKeyOfEachKind(t *testing.T) {
	t.Parallel()
	s := contractBundle(t)
	name := func() any { return s.do(sales, pending, nil)["name"] }
	submitted := func() any {
		n := name()
		s.do(manager, `mutation($name: String!) { submitSalesOrder(name: $name) { name } }`, doc{"name": n})
		return n
	}
	cancelled := func() any {
		n := submitted()
		s.do(manager, `mutation($name: String!) { cancelSalesOrder(name: $name) { name } }`, doc{"name": n})
		return n
	}
	for kind, tt := range map[string]struct {
		on     func() any
		writes int
		field  string
	}{
		"create":   {nil, 1, `createCustomer(input: { customerName: "Keyed" }) { name messages customer { name creation } }`},
		"bulk":     {nil, 2, `createCustomers(inputs: [{ customerName: "Keyed" }, { customerName: "No", territory: "Nowhere" }]) { results { index name customer { creation } error { code message field } } }`},
		"update":   {name, 1, `updateSalesOrder(name: $name, input: { poNo: "K" }) { salesOrder { poNo modified } }`},
		"submit":   {name, 1, `submitSalesOrder(name: $name) { salesOrder { docstatus modified } }`},
		"cancel":   {submitted, 1, `cancelSalesOrder(name: $name) { salesOrder { docstatus modified } }`},
		"amend":    {cancelled, 1, `amendSalesOrder(name: $name, input: { poNo: "A" }) { name salesOrder { poNo creation } }`},
		"delete":   {name, 1, `deleteSalesOrder(name: $name) { id doctype name messages }`},
		"workflow": {name, 1, `applySalesOrderWorkflow(name: $name, action: "Approve") { salesOrder { docstatus modified } }`},
		"method":   {nil, 1, `addComment(doctype: "Customer", name: "Semi;Colon", content: "once") { comment { name creation } }`},
	} {
		variables := doc{}
		query := "mutation { " + tt.field + " }"
		if tt.on != nil {
			variables["name"] = tt.on()
			query = "mutation($name: String!) { " + tt.field + " }"
		}
		first := ""
		for try, want := range []int{tt.writes, 0} {
			s.b.site.ResetCalls()
			got := s.b.send(t, admin, query, variables, map[string]string{keyHeader: kind})
			got.into(t, new(any))
			if try == 0 {
				first = string(got.Data)
			} else if string(got.Data) != first {
				t.Errorf("%s: first %s, then %s", kind, first, got.Data)
			}
			if made := writes(s.b.site); len(made) != want {
				t.Errorf("%s, try %d: wrote %v, want %d", kind, try+1, made, want)
			}
		}
		if got := s.b.send(t, admin, strings.Replace(query, "mutation", "mutation Other", 1), variables, map[string]string{keyHeader: kind}); len(got.Errors) > 0 {
			t.Errorf("%s: another text of the same request: %s", kind, got.raw)
		}
	}
}

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

// Rows of a bulk of local rows are each a transaction of their own; what the database or
// ERPNext refuses names the row's field.
func TestLocalBulk(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	good := contract("Semi;Colon")
	bad := func(field string, value any) doc {
		input := contract("Semi;Colon")
		input[field] = value
		return input
	}
	var data struct {
		CreateServiceContracts struct {
			Results []struct {
				Index           int
				ID              *string
				ServiceContract doc
				Error           *struct{ Code, Field, Doctype, Name string }
			}
		}
	}
	b.query(t, manager, `mutation($inputs: [ServiceContractCreate!]!) { createServiceContracts(inputs: $inputs) {
		results { index id serviceContract { customer { name } } error { code field doctype name } } } }`, doc{"inputs": []any{
		good, bad("customer", "Nobody At All"), bad("endDate", "2025-01-01"), bad("monthlyFee", "-1"), good,
	}}).into(t, &data)
	type failure struct{ Code, Field, Doctype, Name string }
	for i, want := range []*failure{
		nil, {"VALIDATION", "inputs.1.customer", "Customer", "Nobody At All"}, {"VALIDATION", "inputs.2.endDate", "ServiceContract", ""},
		{"VALIDATION", "inputs.3.monthlyFee", "ServiceContract", ""}, nil,
	} {
		r := data.CreateServiceContracts.Results[i]
		switch {
		case r.Index != i || (r.ID == nil) != (want != nil) || (r.ServiceContract == nil) != (want != nil) || (r.Error == nil) != (want == nil):
			t.Errorf("row %d: %+v", i, r)
		case want != nil && failure(*r.Error) != *want:
			t.Errorf("row %d: %+v, want %+v", i, *r.Error, *want)
		}
	}
	if n := (story{t, b}).count(`{ serviceContracts { totalCount } }`); n != 2 {
		t.Errorf("%d contracts, want 2", n)
	}
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

// What the database refuses is VALIDATION with the field, by rules of the app's own
// migrations, which the SDL does not tell of.
func TestLocalConstraints(t *testing.T) {
	t.Parallel()
	migrated := setup(t, options{signIn: true})
	migrated.sql(t, `create unique index one_contract on service_contract (customer, item)`)
	s := story{t, setup(t, options{beside: migrated})} // which reads the table's rules
	first := s.contracted("Semi;Colon")
	s.visited(first)
	migrated.sql(t, `alter table service_visit drop constraint service_visit_contract_fkey,
		add constraint visits_stay foreign key (contract) references service_contract (id) on delete restrict`)
	twice := s.refused(manager, createContract, doc{"input": contract("Semi;Colon")}, "VALIDATION", "input.customer")
	if diff := cmp.Diff([]any{"input.customer", "input.item"}, twice.Errors[0].Extensions["fields"]); diff != "" || twice.Errors[0].Extensions["constraint"] != "one_contract" {
		t.Errorf("%s%s", diff, twice.raw)
	}
	linked := s.refused(manager, `mutation($id: ID!) { deleteServiceContract(id: $id) { id } }`, doc{"id": first}, "VALIDATION", "")
	if e := linked.Errors[0].Extensions; e["constraint"] != "visits_stay" {
		t.Errorf("the linked row: %s", linked.raw)
	}
	other := s.contracted("Bright Traders Ltd")
	s.refused(manager, `mutation($id: ID!) { updateServiceContract(id: $id, input: { customer: "Semi;Colon" }) { id } }`, doc{"id": other}, "VALIDATION", "input.customer")
	if contracts, visits := s.count(`{ serviceContracts { totalCount } }`), s.count(`{ serviceVisits { totalCount } }`); contracts != 2 || visits != 1 {
		t.Errorf("%d contracts and %d visits, want 2 and 1", contracts, visits)
	}
}
