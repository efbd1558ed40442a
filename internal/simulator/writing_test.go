package simulator_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"erpgraph/internal/simulator"
)

// Keys of the recorded site's users.
const (
	asAdmin   = "4a1c0f5be2d1100:admin00secret00a"
	asSales   = "4a1c0f5be2d1101:sales00secret01a"
	asStock   = "4a1c0f5be2d1104:stock00secret04a"
	asManager = "4a1c0f5be2d1107:manager0secret7a"
	asService = "4a1c0f5be2d1109:svcfull0secret9a"
)

type doc = map[string]any

// writer calls the recorded site in memory.
type writer struct {
	s *simulator.Server
}

func newWriter(t *testing.T) writer { t.Helper(); return writer{siteServer(t)} }

// call sends a request, and answers its status and what stands under data or message.
func (w writer) call(t *testing.T, key, method, path string, body any) (int, doc) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		raw = nil
	}
	req := httptest.NewRequestWithContext(t.Context(), method, strings.ReplaceAll(path, " ", "%20"), strings.NewReader(string(raw)))
	req.Header.Set("Authorization", "token "+key)
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.s.ServeHTTP(rec, req)
	var answer doc
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v", rec.Body, err)
	}
	for _, k := range []string{"data", "message"} {
		switch v := answer[k].(type) {
		case doc:
			return rec.Code, v
		case []any:
			return rec.Code, doc{"list": v}
		}
	}
	return rec.Code, answer
}

// must is call for what has to succeed.
func (w writer) must(t *testing.T, key, method, path string, body any) doc {
	t.Helper()
	status, d := w.call(t, key, method, path, body)
	if status >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %v", method, path, status, d)
	}
	return d
}

// refused expects an exception of a class with a text in it.
func (w writer) refused(t *testing.T, key, method, path string, body any, class, text string) {
	t.Helper()
	status, d := w.call(t, key, method, path, body)
	exception, _ := d["exception"].(string)
	if status < http.StatusBadRequest || d["exc_type"] != class || !strings.Contains(exception, text) {
		t.Errorf("%s %s: %d %v, want %s with %q", method, path, status, d, class, text)
	}
}

func method(name string) string { return "/api/method/" + name }

func at(doctype string, name any) string {
	s, _ := name.(string)
	return "/api/resource/" + url.PathEscape(doctype) + "/" + url.PathEscape(s)
}

func rowsOf(d doc, field string) []doc {
	list, _ := d[field].([]any)
	out := make([]doc, len(list))
	for i, e := range list {
		out[i], _ = e.(doc)
	}
	return out
}

// TestRows follows base_document.py and Document.update_child_table: a row is known by its
// name alone.
func TestRows(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	ticket := func(rows ...doc) doc {
		return w.must(t, asManager, http.MethodPost, "/api/resource/Service Ticket", doc{"subject": "x", "customer": "Semi;Colon", "lines": rows})
	}
	a := ticket(doc{"item": "ITEM-00010", "qty": 1.0000000004}, doc{"item": "ITEM-00011", "qty": 2})
	one := rowsOf(a, "lines")[0]["name"]
	b := ticket(doc{"item": "ITEM-00012", "name": one})
	if rowsOf(b, "lines")[0]["name"] == one || len(rowsOf(w.must(t, asManager, http.MethodGet, at("Service Ticket", a["name"]), nil), "lines")) != 2 {
		t.Error("a new document took a row by its name")
	}
	if got := rowsOf(w.must(t, asManager, http.MethodGet, at("Service Ticket", a["name"]), nil), "lines")[0]["qty"]; got != 1.0 {
		t.Errorf("qty %v: a column has nine places", got)
	}
	w.must(t, asManager, http.MethodPut, at("Service Ticket", b["name"]), doc{"lines": []doc{{"name": one, "item": "ITEM-00010"}, {"name": "phantom", "item": "ITEM-00010"}, {"item": "ITEM-00013"}}})
	if got := rowsOf(w.must(t, asManager, http.MethodGet, at("Service Ticket", b["name"]), nil), "lines"); len(got) != 2 || got[0]["name"] != one || got[1]["item"] != "ITEM-00013" {
		t.Errorf("rows %v: want the row of the other document and the new one", got)
	}
	if got := rowsOf(w.must(t, asManager, http.MethodGet, at("Service Ticket", a["name"]), nil), "lines"); len(got) != 1 {
		t.Errorf("the other document has %d rows, want 1", len(got))
	}
}

// TestOrder follows an order through its states, with the statuses of ERPNext 15 and the
// refusals of document.py and delete_doc.py.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	rows := []doc{{"item_code": "ITEM-00010", "qty": 2, "rate": 10, "warehouse": "Stores - GTL"}}
	order := func(more doc) doc {
		d := doc{
			"customer": "Semi;Colon", "company": "Graft Test Ltd", "delivery_date": "2026-12-30", "currency": "USD", "conversion_rate": 1,
			"selling_price_list": "Standard Selling", "items": rows,
		}
		maps.Copy(d, more)
		return w.must(t, asSales, http.MethodPost, "/api/resource/Sales Order", d)
	}
	quotation := w.must(t, asSales, http.MethodPost, "/api/resource/Quotation", doc{"quotation_to": "Customer", "party_name": "Semi;Colon", "items": rows})
	w.refused(t, asStock, http.MethodPost, "/api/resource/Quotation", doc{"party_name": "Semi;Colon", "items": rows}, "PermissionError", "")
	quotation = w.must(t, asSales, http.MethodPut, at("Quotation", quotation["name"]), doc{"docstatus": 1})
	if quotation["status"] != "Open" {
		t.Errorf("quotation %v", quotation["status"])
	}
	rows[0]["prevdoc_docname"] = quotation["name"]
	so := order(nil)
	so = w.must(t, asSales, http.MethodPut, at("Sales Order", so["name"]), doc{"docstatus": 1, "modified": so["modified"]})
	if so["status"] != "To Deliver and Bill" || w.must(t, asSales, http.MethodGet, at("Quotation", quotation["name"]), nil)["status"] != "Ordered" {
		t.Errorf("order %v", so["status"])
	}
	line := rowsOf(so, "items")[0]
	line["qty"] = 3
	w.refused(t, asSales, http.MethodPut, at("Sales Order", so["name"]), doc{"items": []doc{line}}, "UpdateAfterSubmitError", "Row #1: Not allowed to change <strong>Quantity</strong>")
	w.refused(t, asSales, http.MethodPut, at("Sales Order", so["name"]), doc{"items": []doc{line, line}}, "UpdateAfterSubmitError", "from <strong>1</strong> to <strong>2</strong>")
	w.refused(t, asSales, http.MethodPost, method("frappe.client.cancel"), doc{"doctype": "Quotation", "name": quotation["name"]}, "LinkExistsError", "Sales Order")
	so = w.must(t, asSales, http.MethodPost, method("frappe.client.cancel"), doc{"doctype": "Sales Order", "name": so["name"]})
	if so["status"] != "Cancelled" || w.must(t, asSales, http.MethodGet, at("Quotation", quotation["name"]), nil)["status"] != "Open" {
		t.Errorf("order %v", so["status"])
	}
	name, _ := so["name"].(string)
	for _, suffix := range []string{"-1", "-2"} { // naming.py, _get_amended_name
		so = order(doc{"amended_from": so["name"], "docstatus": 1})
		if so["name"] != name+suffix {
			t.Errorf("amended as %v", so["name"])
		}
		so = w.must(t, asSales, http.MethodPost, method("frappe.client.cancel"), doc{"doctype": "Sales Order", "name": so["name"]})
	}
	w.refused(t, asSales, http.MethodDelete, at("Sales Order", name), nil, "LinkExistsError", "is linked with Sales Order")
	w.refused(t, asSales, http.MethodPost, "/api/resource/Sales Order", doc{"customer": "Semi;Colon", "docstatus": 2}, "DocstatusTransitionError", "from 0 (Draft) to 2 (Cancelled)")
}

// TestNamingSeries checks names by the series of the DocTypes (naming.py), of which a
// number that was given last comes back with its deletion.
func TestNamingSeries(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	for doctype, c := range map[string]struct {
		prefix string
		values doc
	}{
		"Task":           {"TASK-2026-", doc{"subject": "x"}},
		"Project":        {"PROJ-", doc{"project_name": "p"}},
		"Issue":          {"ISS-2026-", doc{"subject": "x"}},
		"Lead":           {"CRM-LEAD-2026-", doc{"first_name": "x"}},
		"Service Report": {"SR-2026-", doc{}},
		"Address":        {"T-Billing", doc{"address_title": "T", "address_type": "Billing", "address_line1": "x", "city": "y", "country": "India"}},
		"Contact":        {"A B-Semi;Colon", doc{"first_name": "A", "last_name": "B", "links": []doc{{"link_doctype": "Customer", "link_name": "Semi;Colon"}}}},
	} {
		first := w.must(t, asAdmin, http.MethodPost, "/api/resource/"+doctype, c.values)
		name, _ := first["name"].(string)
		if !strings.HasPrefix(name, c.prefix) {
			t.Errorf("%s %q, want %s…", doctype, name, c.prefix)
		}
		w.must(t, asAdmin, http.MethodDelete, at(doctype, name), nil)
		if again := w.must(t, asAdmin, http.MethodPost, "/api/resource/"+doctype, c.values)["name"]; again != name {
			t.Errorf("%s: %v after the deletion of %q", doctype, again, name)
		}
	}
}

// TestRenameAndMerge follows rename_doc.py: links and dynamic links move without a change
// of time, a comment of type Edit tells, and a merge deletes with the caller's own right.
func TestRenameAndMerge(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	create := func(name string) {
		w.must(t, asService, http.MethodPost, "/api/resource/Customer", doc{"customer_name": name, "customer_group": "Retail", "territory": "North"})
	}
	create("Old Ltd")
	create("Target Ltd")
	ticket := w.must(t, asManager, http.MethodPost, "/api/resource/Service Ticket", doc{"subject": "x", "customer": "Old Ltd", "reference_doctype": "Customer", "reference_name": "Old Ltd"})
	rename := func(key, from, to string, merge bool) (int, doc) {
		return w.call(t, key, http.MethodPost, method("frappe.client.rename_doc"), doc{"doctype": "Customer", "old_name": from, "new_name": to, "merge": merge})
	}
	check := func(customer, comment string) {
		t.Helper()
		got := w.must(t, asManager, http.MethodGet, at("Service Ticket", ticket["name"]), nil)
		if got["customer"] != customer || got["reference_name"] != customer || got["modified"] != ticket["modified"] {
			t.Errorf("ticket %v", got)
		}
		list := w.must(t, asAdmin, http.MethodPost, method("frappe.client.get_list"), doc{
			"doctype": "Comment", "fields": []string{"content"}, "filters": doc{"reference_name": customer, "comment_type": "Edit"}, "order_by": "creation desc",
		})
		if rows := rowsOf(list, "list"); len(rows) == 0 || rows[0]["content"] != comment {
			t.Errorf("comments %v, want %q", list, comment)
		}
	}
	if status, d := rename(asSales, "Old Ltd", "New Ltd", false); status != http.StatusOK {
		t.Fatalf("%d %v", status, d)
	}
	check("New Ltd", "renamed from <strong>Old Ltd</strong> to <strong>New Ltd</strong>")
	if status, d := rename(asSales, "New Ltd", "Target Ltd", true); status != http.StatusForbidden {
		t.Errorf("a merge without the right to delete: %d %v", status, d)
	}
	if status, d := rename(asService, "New Ltd", "Nobody Ltd", true); status != http.StatusExpectationFailed {
		t.Errorf("a merge into nothing: %d %v", status, d)
	}
	if status, d := rename(asService, "New Ltd", "Target Ltd", true); status != http.StatusOK {
		t.Fatalf("%d %v", status, d)
	}
	check("Target Ltd", "merged <strong>New Ltd</strong> into <strong>Target Ltd</strong>")
	gone := w.must(t, asAdmin, http.MethodPost, method("frappe.client.get_list"), doc{"doctype": "Deleted Document", "fields": []string{"deleted_name"}, "filters": doc{"deleted_doctype": "Customer"}})
	if rows := rowsOf(gone, "list"); len(rows) != 1 || rows[0]["deleted_name"] != "New Ltd" {
		t.Errorf("deleted documents %v", gone)
	}
}

// TestWorkflow follows frappe/model/workflow.py.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	for _, s := range []string{"Open", "Approved", "Rejected"} {
		if err := w.s.Insert("Workflow State", doc{"name": s, "workflow_state_name": s}); err != nil {
			t.Fatal(err)
		}
	}
	err := w.s.Insert("Workflow", doc{
		"name": "Tickets", "workflow_name": "Tickets", "document_type": "Service Ticket", "is_active": 1, "workflow_state_field": "workflow_state",
		"states": []doc{{"state": "Open", "doc_status": "0"}, {"state": "Approved", "doc_status": "0", "update_field": "status", "update_value": "Closed"}, {"state": "Rejected", "doc_status": "0"}},
		"transitions": []doc{
			{"state": "Open", "action": "Approve", "next_state": "Approved", "allowed": "Sales Manager", "allow_self_approval": 0, "condition": `doc.amount > 5 and doc.subject == "x"`},
			{"state": "Open", "action": "Reject", "next_state": "Rejected", "allowed": "Sales User", "allow_self_approval": 1},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket := w.must(t, asSales, http.MethodPost, "/api/resource/Service Ticket", doc{"subject": "x", "customer": "Semi;Colon", "amount": 9})
	ref := doc{"doctype": "Service Ticket", "name": ticket["name"]}
	actions := func(key string) []string {
		var out []string
		for _, r := range rowsOf(w.must(t, key, http.MethodPost, method("frappe.model.workflow.get_transitions"), doc{"doc": ref}), "list") {
			a, _ := r["action"].(string)
			out = append(out, a)
		}
		return out
	}
	if got := actions(asSales); ticket["workflow_state"] != "Open" || !slices.Equal(got, []string{"Reject"}) {
		t.Errorf("%v, actions %v", ticket["workflow_state"], got)
	}
	apply := method("frappe.model.workflow.apply_workflow")
	w.refused(t, asSales, http.MethodPost, apply, doc{"doc": ref, "action": "Approve"}, "WorkflowTransitionError", "Not a valid Workflow Action")
	w.refused(t, asSales, http.MethodPut, at("Service Ticket", ticket["name"]), doc{"workflow_state": "Approved"}, "WorkflowPermissionError", "not allowed from <strong>Open</strong> to <strong>Approved</strong>")
	w.refused(t, asSales, http.MethodPost, apply, doc{"doc": doc{"doctype": "Customer", "name": "Semi;Colon"}, "action": "x"}, "DoesNotExistError", "")
	done := w.must(t, asManager, http.MethodPost, apply, doc{"doc": ref, "action": "Approve"})
	if done["workflow_state"] != "Approved" || done["status"] != "Closed" || len(actions(asManager)) != 0 {
		t.Errorf("%v", done)
	}
	own := w.must(t, asManager, http.MethodPost, "/api/resource/Service Ticket", doc{"subject": "x", "customer": "Semi;Colon", "amount": 9})
	w.refused(t, asManager, http.MethodPost, apply, doc{"doc": doc{"doctype": "Service Ticket", "name": own["name"]}, "action": "Approve"}, "ValidationError", "Self approval is not allowed")
	_, meta := w.call(t, asSales, http.MethodGet, method("frappe.desk.form.load.getdoctype?doctype=Service%20Ticket"), nil)
	if docs := rowsOf(rowsOf(meta, "docs")[0], "__workflow_docs"); len(docs) != 4 || docs[0]["workflow_state_field"] != "workflow_state" {
		t.Errorf("__workflow_docs %v", docs)
	}
}

// TestTwoWriters has two saves with the same modified: one wins (transcripts 590, 591).
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	ticket := w.must(t, asManager, http.MethodGet, at("Service Ticket", "TKT-2026-00052"), nil)
	var statuses [8]int
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() {
			statuses[i], _ = w.call(t, asManager, http.MethodPut, at("Service Ticket", "TKT-2026-00052"), doc{"summary": "w", "modified": ticket["modified"]})
		})
	}
	group.Wait()
	slices.Sort(statuses[:])
	if statuses[0] != http.StatusOK || statuses[1] != http.StatusExpectationFailed {
		t.Errorf("statuses %v", statuses)
	}
}

// TestFieldChecks has values that base_document.py refuses or bends.
func TestFieldChecks(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	ticket := func(more doc) doc {
		d := doc{"subject": "x", "customer": "Semi;Colon"}
		maps.Copy(d, more)
		return d
	}
	for name, c := range map[string]struct {
		values      doc
		class, text string
	}{
		"a whole number beyond its column": {ticket(doc{"visits": 3_000_000_000}), "CharacterLengthExceededError", "max characters allowed is 2147483647"},
		"blanks for a mandatory text":      {ticket(doc{"subject": " <b> </b>"}), "MandatoryError", "subject"},
		"a row without its mandatory link": {ticket(doc{"lines": []doc{{"qty": 1}}}), "MandatoryError", "item"},
		"a row with a link to nothing":     {ticket(doc{"lines": []doc{{"item": "NOPE"}}}), "LinkValidationError", "Row #1: Item: NOPE"},
		"a dynamic link to nothing":        {ticket(doc{"reference_doctype": "Customer", "reference_name": "NOPE"}), "LinkValidationError", "NOPE"},
		"a decimal beyond its column":      {ticket(doc{"amount": 1e13}), "DataError", "Out of range value for column 'amount'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.refused(t, asManager, http.MethodPost, "/api/resource/Service Ticket", c.values, c.class, c.text)
		})
	}
	made := w.must(t, asManager, http.MethodPost, "/api/resource/Service Ticket", ticket(doc{"customer": "semi;colon", "rating": 7, "amount": 0.1234567894999}))
	if made["customer"] != "Semi;Colon" || made["rating"] != 1.0 || made["amount"] != 0.1234567894999 {
		t.Errorf("answered %v %v %v", made["customer"], made["rating"], made["amount"])
	}
	if read := w.must(t, asManager, http.MethodGet, at("Service Ticket", made["name"]), nil); read["amount"] != 0.123456789 {
		t.Errorf("stored %v", read["amount"])
	}
	report := w.must(t, asAdmin, http.MethodPost, "/api/resource/Service Report", doc{"docstatus": 1})
	w.must(t, asAdmin, http.MethodPut, at("Service Report", report["name"]), doc{"docstatus": 2})
	for right, want := range map[string]bool{"read": true, "write": true, "submit": false, "amend": false, "cancel": false, "delete": false} {
		got := w.must(t, asSales, http.MethodPost, method("frappe.client.has_permission"), doc{"doctype": "Service Report", "docname": report["name"], "perm_type": right})
		if got["has_permission"] != want {
			t.Errorf("%s of sales: %v", right, got)
		}
	}
}

// TestInvoices drafts an invoice from an order (transcript 399) and keeps it, and makes
// documents of the stock DocTypes with as little as ERPNext asks for.
func TestInvoices(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	mapping := method("erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice")
	w.refused(t, asStock, http.MethodPost, mapping, doc{"source_name": "SAL-ORD-2026-00105"}, "PermissionError", "")
	draft := w.must(t, asService, http.MethodPost, mapping, doc{"source_name": "SAL-ORD-2026-00105"})
	rows := []doc{{"item_code": "ITEM-00010", "qty": 2, "rate": 10, "warehouse": "Stores - GTL"}}
	for _, c := range []struct {
		doctype, submitted string
		values             doc
	}{
		{"Sales Invoice", "Unpaid", draft},
		{"Sales Invoice", "Unpaid", doc{"customer": "Semi;Colon", "items": rows}},
		{"Delivery Note", "To Bill", doc{"customer": "Semi;Colon", "items": rows}},
		{"Purchase Order", "To Receive and Bill", doc{"supplier": w.s.Names("Supplier")[0], "schedule_date": "2026-12-30", "items": rows}},
	} {
		made := w.must(t, asService, http.MethodPost, "/api/resource/"+c.doctype, c.values)
		kept := w.must(t, asService, http.MethodPut, at(c.doctype, made["name"]), doc{"docstatus": 1})
		gone := w.must(t, asService, http.MethodPut, at(c.doctype, made["name"]), doc{"docstatus": 2})
		if made["status"] != "Draft" || kept["status"] != c.submitted || gone["status"] != "Cancelled" {
			t.Errorf("%s: %v, %v, %v", c.doctype, made["status"], kept["status"], gone["status"])
		}
	}
}
