package simulator_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/simulator"
)

// contractBody is the template that erpgraph's setup installs.
func contractBody(event string) string {
	return `{"event": "` + event + `", "doctype": {{ doc.doctype | json }}, "name": {{ doc.name | json }}, "modified": {{ doc.modified | json }}, ` +
		`"creation": {{ doc.creation | json }}, "docstatus": {{ doc.docstatus | int }}}`
}

const afterSubmit = `doc.get("_action") == "update_after_submit"`

func contractHook(doctype, event, to string) doc {
	h := hook(doctype, event, to, doc{"request_structure": "JSON", "webhook_json": contractBody(event), "timeout": 5})
	if event == "on_change" {
		h["condition"] = afterSubmit
	}
	return h
}

// installContract installs all webhooks of a DocType.
func installContract(t *testing.T, w writer, to string, events []string, doctypes ...string) {
	t.Helper()
	for _, doctype := range doctypes {
		for _, event := range events {
			w.must(t, asAdmin, http.MethodPost, "/api/resource/Webhook", contractHook(doctype, event, to))
		}
	}
}

var (
	plainEvents     = []string{"after_insert", "on_update", "on_trash"}
	submittedEvents = []string{"after_insert", "on_update", "on_trash", "on_submit", "on_cancel", "on_change"}
)

// TestWebhookValidation follows webhook.py, and refuses what is not simulated.
func TestWebhookValidation(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	for _, c := range []struct {
		name   string
		change doc
		class  string
		text   string
	}{
		{"not submittable", doc{"webhook_doctype": "Item", "webhook_docevent": "on_submit"}, "ValidationError", "must be Submittable"},
		{"unknown DocType", doc{"webhook_doctype": "Nothing"}, "LinkValidationError", "Could not find DocType: Nothing"},
		{"no name", doc{"name": ""}, "ValidationError", "set the document name"},
		{"no URL", doc{"request_url": "somewhere"}, "ValidationError", "Check Request URL"},
		{"secret", doc{"webhook_secret": ""}, "ValidationError", "Invalid Webhook Secret"},
		{"event", doc{"webhook_docevent": "on_sale"}, "ValidationError", `Doc Event cannot be "on_sale"`},
		{"fields", doc{"webhook_data": dataRows("name name"), "request_structure": ""}, "ValidationError", "Same Field"},
		{"condition", doc{"condition": "doc.status == 'Open'"}, "ValidationError", "Invalid Condition: the simulator does not know"},
		{"statement", doc{"webhook_json": "{% if doc %}{% endif %}"}, "ValidationError", "Syntax error in template as line 1"},
		{"filter", doc{"webhook_json": "{\n{{ doc.name | nothing }}"}, "ValidationError", `template as line 2: no filter named "nothing"`},
		{"method", doc{"webhook_json": "{{ doc.as_json() }}"}, "ValidationError", "does not know the expression"},
		{"dictionary", doc{"webhook_json": "{{ doc.items }}"}, "ValidationError", "does not know the expression"},
		{"open", doc{"webhook_json": "{{ doc.name "}, "ValidationError", "unexpected end"},
		{"dynamic", doc{"is_dynamic_url": 1}, "ValidationError", "dynamic URLs"},
	} {
		h := contractHook("Customer", "on_update", "http://127.0.0.1:1/")
		maps.Copy(h, c.change)
		t.Log(c.name)
		w.refused(t, asAdmin, http.MethodPost, "/api/resource/Webhook", h, c.class, c.text)
	}
	good := contractHook("Sales Order", "on_change", "http://127.0.0.1:1/")
	w.refused(t, asManager, http.MethodPost, "/api/resource/Webhook", good, "PermissionError", "")
	made := w.must(t, asAdmin, http.MethodPost, "/api/resource/Webhook", good)
	if made["enabled"] != 1.0 || made["webhook_secret"] != strings.Repeat("*", len(hookSecret)) {
		t.Errorf("made %v", made)
	}
	path := at("Webhook", made["name"])
	w.refused(t, asAdmin, http.MethodPut, path, doc{"webhook_docevent": "on_update"}, "CannotChangeConstantError", "Doc Event")
	w.refused(t, asAdmin, http.MethodPost, "/api/resource/Webhook", good, "DuplicateEntryError", "")
	w.must(t, asAdmin, http.MethodPut, path, doc{"timeout": 3, "webhook_secret": made["webhook_secret"]})
	if !slices.Contains(w.s.Secrets(), hookSecret) {
		t.Error("the secret is not known as one")
	}
}

// events are what a receiver got, as event and name.
func events(got []delivered) []string {
	out := make([]string, len(got))
	for i, d := range got {
		_, rest, _ := strings.Cut(d.body, `"name": "`)
		name, _, _ := strings.Cut(rest, `"`)
		out[i] = d.header.Get("X-Graft-Event") + " " + name
	}
	return out
}

func expectHooks(t *testing.T, w writer, r *receiver, what string, want ...string) []delivered {
	t.Helper()
	idle(t, w.s)
	got := r.take()
	if !slices.Equal(events(got), want) {
		t.Errorf("%s: %q, want %q", what, events(got), want)
	}
	return got
}

// TestWebhookEvents follows what the recording does not show.
func TestWebhookEvents(t *testing.T) {
	t.Parallel()
	w, r := newWriter(t), newReceiver(t)
	installContract(t, w, r.url, submittedEvents, "Sales Order", "Quotation")
	installContract(t, w, r.url, plainEvents, "Service Ticket", "Item")
	deliver(t, w.s, simulator.Delivery{})
	put := func(path string, body doc) doc { return w.must(t, asManager, http.MethodPut, path, body) }

	order := w.must(t, asManager, http.MethodPost, "/api/resource/Sales Order", doc{
		"customer": "Müller & Söhne GmbH", "delivery_date": "2026-12-24", "docstatus": 1, "items": []doc{{"item_code": "ITEM-00010", "qty": 1, "rate": 5}},
	})
	name, _ := order["name"].(string)
	got := expectHooks(t, w, r, "submitted at once", "after_insert "+name, "on_update "+name, "on_submit "+name)
	at := at("Sales Order", name)
	want := fmt.Sprintf(`{"event": "after_insert", "doctype": "Sales Order", "name": "%s", "modified": "%v", "creation": "%v", "docstatus": 1}`, name, order["modified"], order["creation"])
	if got[0].body != want {
		t.Errorf("body %s\nwant %s", got[0].body, want)
	}
	put(at, doc{"po_no": "P1"})
	expectHooks(t, w, r, "change after submit", "on_change "+name)
	w.refused(t, asManager, http.MethodPut, at, doc{"docstatus": 0}, "DocstatusTransitionError", "")
	expectHooks(t, w, r, "refused")
	put(at, doc{"docstatus": 2})
	expectHooks(t, w, r, "cancelled", "on_cancel "+name)

	// Twice the same document in one call: once, with the last state, in the last place.
	for _, n := range []string{"HOOK-1", "HOOK-2"} {
		w.must(t, asManager, http.MethodPost, "/api/resource/Item", doc{"item_code": n, "item_group": "Sensors", "stock_uom": "Nos"})
	}
	expectHooks(t, w, r, "items", "after_insert HOOK-1", "on_update HOOK-1", "after_insert HOOK-2", "on_update HOOK-2")
	w.must(t, asManager, http.MethodPost, method("frappe.client.bulk_update"), doc{
		"docs": `[{"doctype": "Item", "docname": "HOOK-1", "item_name": "a"}, {"doctype": "Item", "docname": "HOOK-2", "item_name": "b"},
			{"doctype": "Item", "docname": "HOOK-1", "item_name": "c"}]`,
	})
	expectHooks(t, w, r, "bulk update", "on_update HOOK-2", "on_update HOOK-1")

	// The document of a single DocType is called as that is.
	installContract(t, w, r.url, []string{"on_update"}, "Site Note Settings")
	w.must(t, asAdmin, http.MethodPut, "/api/resource/Site Note Settings/Site Note Settings", doc{})
	got = expectHooks(t, w, r, "single", "on_update Site Note Settings")
	if len(got) != 1 || !strings.Contains(got[0].body, `"modified": "2026-`) {
		t.Errorf("single: %v", got)
	}

	// What is disabled or gone does not fire.
	w.must(t, asAdmin, http.MethodPut, "/api/resource/Webhook/graft Item on_update", doc{"enabled": 0})
	w.must(t, asAdmin, http.MethodDelete, "/api/resource/Webhook/graft Item after_insert", nil)
	w.must(t, asManager, http.MethodPost, "/api/resource/Item", doc{"item_code": "HOOK-3", "item_group": "Sensors", "stock_uom": "Nos"})
	expectHooks(t, w, r, "without webhooks")
}

// TestRenameTraces follows rename_doc.py: a rename fires nothing, a merge the deletion of
// the old name; a comment tells of both.
func TestRenameTraces(t *testing.T) {
	t.Parallel()
	w, r := newWriter(t), newReceiver(t)
	installContract(t, w, r.url, plainEvents, "Customer", "Item")
	deliver(t, w.s, simulator.Delivery{})
	rename := func(doctype, from, to string, merge int) {
		w.must(t, asService, http.MethodPost, method("frappe.client.rename_doc"), doc{"doctype": doctype, "old_name": from, "new_name": to, "merge": merge})
	}
	for _, n := range []string{`A "&" B`, "C"} {
		w.must(t, asManager, http.MethodPost, "/api/resource/Customer", doc{"customer_name": n, "customer_type": "Company", "customer_group": "Retail", "territory": "East"})
	}
	idle(t, w.s)
	r.take()
	modified := func(doctype, name string) any {
		return w.must(t, asService, http.MethodGet, at(doctype, name), nil)["modified"]
	}
	was, item := modified("Customer", `A "&" B`), modified("Item", "ITEM-00010")
	rename("Customer", `A "&" B`, "R&D &copy; Co", 0)
	rename("Item", "ITEM-00010", "ITEM-X", 0)
	expectHooks(t, w, r, "rename")
	if modified("Customer", "R&D &copy; Co") == was || modified("Item", "ITEM-X") != item {
		t.Error("a customer is named by db_set, which changes its time; an item is not")
	}
	target := modified("Customer", "C")
	rename("Customer", "R&D &copy; Co", "C", 1)
	expectHooks(t, w, r, "merge", "on_trash R&D &copy; Co")
	if modified("Customer", "C") == target {
		t.Error("the target of a merge is named anew too")
	}
	list := w.must(t, asService, http.MethodPost, method("frappe.client.get_list"), doc{
		"doctype": "Comment", "fields": []string{"reference_doctype", "reference_name", "content", "comment_email"},
		"filters": []any{[]any{"comment_type", "=", "Edit"}}, "order_by": "creation desc", "limit_page_length": 3,
	})
	want := []doc{
		{"reference_doctype": "Customer", "reference_name": "C", "content": "merged <strong>R&amp;D &copy; Co</strong> into <strong>C</strong>"},
		{"reference_doctype": "Item", "reference_name": "ITEM-X", "content": "renamed from <strong>ITEM-00010</strong> to <strong>ITEM-X</strong>"},
		{"reference_doctype": "Customer", "reference_name": "C", "content": `renamed from <strong>A "&amp;" B</strong> to <strong>R&amp;D &copy; Co</strong>`},
	}
	got := rowsOf(list, "list")
	for i, c := range want {
		for k, v := range c {
			if len(got) != len(want) || got[i][k] != v {
				t.Fatalf("comments %v", got)
			}
		}
	}
	gone := rowsOf(w.must(t, asService, http.MethodPost, method("frappe.client.get_list"), doc{
		"doctype": "Deleted Document", "fields": []string{"deleted_doctype", "deleted_name", "creation", "owner"}, "order_by": "creation desc", "limit_page_length": 1,
	}), "list")
	if len(gone) != 1 || gone[0]["deleted_name"] != "R&D &copy; Co" || gone[0]["deleted_doctype"] != "Customer" {
		t.Errorf("deleted %v", gone)
	}
}

// TestDeliveryFaults checks the switches for tests, and that nothing is left waiting.
func TestDeliveryFaults(t *testing.T) {
	t.Parallel()
	w, r := newWriter(t), newReceiver(t)
	installContract(t, w, r.url, []string{"on_update"}, "Item")
	const writes = 300
	write := func() {
		for range writes {
			w.must(t, asManager, http.MethodPut, "/api/resource/Item/ITEM-00010", doc{"item_name": "x"})
		}
	}
	run := func(how simulator.Delivery) (simulator.DeliveryCounts, []delivered) {
		fork := writer{w.s.Fork()}
		deliver(t, fork.s, how)
		for range writes {
			fork.must(t, asManager, http.MethodPut, "/api/resource/Item/ITEM-00010", doc{"item_name": "x"})
		}
		idle(t, fork.s)
		return fork.s.DeliveryCounts(), r.take()
	}
	counts, got := run(simulator.Delivery{Workers: 4, Drop: .3, Duplicate: .3, Seed: 1})
	if counts.Queued != writes || counts.Dropped < writes/5 || counts.Dropped > writes/2 || counts.Duplicated < writes/10 ||
		counts.Sent != writes-counts.Dropped+counts.Duplicated || counts.Sent != len(got) {
		t.Errorf("%+v, %d received", counts, len(got))
	}
	again, _ := run(simulator.Delivery{Workers: 4, Drop: .3, Duplicate: .3, Seed: 1})
	if again != counts {
		t.Errorf("%+v and %+v of one seed", again, counts)
	}
	counts, got = run(simulator.Delivery{Reorder: .2, HoldBack: 20 * time.Millisecond, Delay: time.Millisecond})
	if sorted := slices.IsSortedFunc(got, func(a, b delivered) int { return strings.Compare(a.body, b.body) }); sorted || counts.Reordered < writes/10 || len(got) != writes {
		t.Errorf("in order: %v, %+v", sorted, counts)
	}
	counts, got = run(simulator.Delivery{})
	if sorted := slices.IsSortedFunc(got, func(a, b delivered) int { return strings.Compare(a.body, b.body) }); !sorted || counts.Sent != writes {
		t.Errorf("in order: %v, %+v", sorted, counts)
	}

	// What fired while nobody delivered is there for the one who does.
	write()
	deliver(t, w.s, simulator.Delivery{Workers: 8, RetryWaits: []time.Duration{}})
	r.answer(http.StatusInternalServerError)
	idle(t, w.s)
	if counts := w.s.DeliveryCounts(); counts.Sent != writes-1 || counts.GivenUp != 1 || counts.Failed != 1 {
		t.Errorf("%+v", counts)
	}
	logged := rowsOf(w.must(t, asService, http.MethodPost, method("frappe.client.get_list"), doc{
		"doctype": "Webhook Request Log", "fields": []string{"webhook", "reference_document", "response", "error", "headers", "data"}, "limit_page_length": 0,
	}), "list")
	failed := slices.DeleteFunc(slices.Clone(logged), func(l doc) bool { return l["error"] == nil || l["error"] == "" })
	if len(logged) != writes || len(failed) != 1 || failed[0]["response"] != "ok" || failed[0]["reference_document"] != "ITEM-00010" {
		t.Errorf("%d logged, failed %v", len(logged), failed)
	}
	if status, _ := w.call(t, asManager, http.MethodGet, "/api/resource/Webhook Request Log", nil); status != http.StatusForbidden {
		t.Errorf("a manager reads the log: %d", status)
	}
}

// TestTracesOfOthers checks what the deletion of a customer does to its contact, which has
// another link, and to a file; and what of it the demo's service account sees.
func TestTracesOfOthers(t *testing.T) {
	t.Parallel()
	w, r := newWriter(t), newReceiver(t)
	installContract(t, w, r.url, plainEvents, "Customer", "Contact", "File", "Comment")
	deliver(t, w.s, simulator.Delivery{})
	for _, n := range []string{"One", "Two"} {
		w.must(t, asService, http.MethodPost, "/api/resource/Customer", doc{"customer_name": n, "customer_type": "Company", "customer_group": "Retail", "territory": "East"})
	}
	w.must(t, asService, http.MethodPost, "/api/resource/Contact", doc{
		"first_name": "Ann", "links": []doc{{"link_doctype": "Customer", "link_name": "One"}, {"link_doctype": "Customer", "link_name": "Two"}},
	})
	file := w.must(t, asService, http.MethodPost, "/api/resource/File", doc{"file_name": "a.txt", "content": "a", "attached_to_doctype": "Customer", "attached_to_name": "One"})
	idle(t, w.s)
	r.take()
	w.must(t, asService, http.MethodDelete, "/api/resource/Customer/One", nil)
	name, _ := file["name"].(string)
	expectHooks(t, w, r, "deletion", "on_update Ann-One", "on_trash One", "on_trash "+name)
	w.must(t, asService, http.MethodPost, method("frappe.desk.form.utils.add_comment"), doc{
		"reference_doctype": "Customer", "reference_name": "Two", "content": "x", "comment_email": "a@example.com", "comment_by": "A",
	})
	if got := r.waitFor(t, w); len(got) != 2 {
		t.Errorf("comment: %q", events(got))
	}
}

func (r *receiver) waitFor(t *testing.T, w writer) []delivered {
	t.Helper()
	idle(t, w.s)
	return r.take()
}

// TestDemoTraces checks that the demo's service account sees what catch-up needs.
func TestDemoTraces(t *testing.T) {
	t.Parallel()
	_, c := demoServer(t)
	watched := []string{
		"Address", "Bin", "Brand", "Company", "Contact", "Currency", "Customer", "Customer Group", "Delivery Note", "File", "Issue", "Item", "Item Group",
		"Item Price", "Lead", "Opportunity", "Payment Entry", "Price List", "Project", "Purchase Order", "Quotation", "Sales Invoice", "Sales Order",
		"Selling Settings", "Supplier", "Supplier Group", "Task", "Territory", "ToDo", "UOM", "User", "Warehouse",
	}
	for _, doctype := range append(watched, "Deleted Document", "Comment", "Webhook", "Webhook Request Log") {
		if doctype == "Selling Settings" { // a single, which has no list
			doctype += "/" + doctype
		}
		for _, user := range []string{"service", "admin"} {
			if status, out := c.do(t, http.MethodGet, user, "/api/resource/"+strings.ReplaceAll(doctype, " ", "%20"), nil); status != http.StatusOK {
				t.Errorf("%s lists %s: %d %v", user, doctype, status, out)
			}
		}
	}
	if status, _ := c.do(t, http.MethodGet, "manager", "/api/resource/Deleted%20Document", nil); status != http.StatusForbidden {
		t.Errorf("a manager lists deletions: %d", status)
	}
}
