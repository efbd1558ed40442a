package catchup_test

import (
	"net/http/httptest"
	"testing"

	"erpgraph/internal/catchup"
	"erpgraph/internal/event"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/simulator"
)

// TestSimulator catches up with the simulated ERPNext over its REST API, as the service
// account.
func TestSimulator(t *testing.T) {
	t.Parallel()
	options, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	site, err := simulator.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	client, err := frappe.New(frappe.Config{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	service, err := frappe.ParseAuthorization("token service:demo")
	if err != nil {
		t.Fatal(err)
	}
	db := postgrestest.New(t)
	w := &world{tb: t, db: db, log: event.NewLog(event.LogConfig{Pool: db.Pool()})}
	w.Catchup = catchup.New(catchup.Config{
		Upstream: client, Credential: service, Log: w.log, Pool: db.Pool(), Location: client.TimeZone,
		Watched: []catchup.Watched{{DocType: "Customer"}, {DocType: "ToDo"}, {DocType: "Sales Order", Submittable: true}, {DocType: "Selling Settings", Single: true}},
	})
	same(t, "the first round", w.round())
	if got := w.Status().Unreadable; len(got) > 0 {
		t.Errorf("unreadable: %v", got)
	}

	insert := func(doctype string, input map[string]any) string {
		t.Helper()
		written, err := client.Insert(t.Context(), service, doctype, input)
		if err != nil {
			t.Fatal(err)
		}
		return written.Name
	}
	customer := func(name string) map[string]any {
		return map[string]any{"customer_name": name, "customer_type": "Company"}
	}
	a, b := insert("Customer", customer("Catch & Co")), insert("Customer", customer("Other"))
	todo := insert("ToDo", map[string]any{"description": "Call"})
	same(t, "inserts", w.round(), "CREATED Customer "+a, "CREATED Customer "+b, "CREATED ToDo "+todo)

	if _, err := client.Rename(t.Context(), service, "Customer", a, "Catch & Son", false); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Delete(t.Context(), service, "ToDo", todo); err != nil {
		t.Fatal(err)
	}
	// ERPNext also sets the customer_name of a Customer that it renames.
	same(t, "a rename, a deletion", w.round(),
		"DELETED ToDo "+todo, "RENAMED Customer Catch & Son was "+a, "UPDATED Customer Catch & Son")
	if _, err := client.Rename(t.Context(), service, "Customer", "Catch & Son", b, true); err != nil {
		t.Fatal(err)
	}
	got := w.round()
	if len(got) == 0 || got[0] != "RENAMED Customer "+b+" was Catch & Son" {
		t.Errorf("a merge: %q", got)
	}
	same(t, "again", w.round())
}
