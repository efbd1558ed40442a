package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// lostly sends a mutation under a key, of which ERPNext's answer to the creation at path
// gets lost.
func (b *bundle) lostly(t *testing.T, site *atERPNext, path, mutation string, vars doc, key string) answer {
	t.Helper()
	site.lose.Store(&path)
	defer site.lose.Store(nil)
	got := b.send(t, manager, mutation, vars, map[string]string{keyHeader: key})
	if len(got.Errors) == 0 || got.Errors[0].Extensions["uncertain"] != true {
		t.Fatalf("the answer was not lost: %s", got.raw)
	}
	return got
}

// A document of which nobody knew that it was made is found by a retry also where the
// client has seen it, and written to it under another key, meanwhile.
func TestRetryAfterAnotherKeyHasChangedIt(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{between: site.between})
	vars := doc{"name": "Touched"}
	b.lostly(t, site, "/Customer", createNamed, vars, "first")
	b.send(t, manager, `mutation { updateCustomer(name: "Touched", input: { website: "https://example.com/" }) { name } }`, nil,
		map[string]string{keyHeader: "second"}).into(t, new(any))
	again := b.send(t, manager, createNamed, vars, map[string]string{keyHeader: "first"})
	if n := b.customersNamed(t, "Touched"); n != 1 {
		t.Errorf("%d customers, want 1; the retry gave %s", n, again.raw)
	}
}

// The same within one request: its second field works on what its first one has made.
func TestRetryOfFieldsThatFollowEachOther(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{between: site.between})
	mutation := `mutation {
		a: createCustomer(input: { customerName: "Followed", customerGroup: "Retail", territory: "East" }) { name }
		b: updateCustomer(name: "Followed", input: { website: "https://example.com/" }) { name }
	}`
	one := b.lostly(t, site, "/Customer", mutation, nil, "both")
	two := b.send(t, manager, mutation, nil, map[string]string{keyHeader: "both"})
	if n := b.customersNamed(t, "Followed"); n != 1 {
		t.Errorf("%d customers, want 1: %s then %s", n, one.raw, two.raw)
	}
}

// A name that was free again is that of another document: that an earlier key has made one
// of that name says nothing about this one.
func TestRetryOfANameThatWasFreeAgain(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{between: site.between})
	vars := doc{"name": "Phoenix"}
	b.send(t, manager, createNamed, vars, map[string]string{keyHeader: "first-life"}).into(t, new(any))
	b.query(t, admin, `mutation { deleteCustomer(name: "Phoenix") { name } }`, nil).into(t, new(any))
	b.lostly(t, site, "/Customer", createNamed, vars, "second-life")
	again := b.send(t, manager, createNamed, vars, map[string]string{keyHeader: "second-life"})
	if n := b.customersNamed(t, "Phoenix"); n != 1 {
		t.Errorf("%d customers, want 1; the retry gave %s", n, again.raw)
	}
}

// Of two keys that have made a document of one name, one after the other, both count: what
// the later one has made is not what a third key has lost on the way.
func TestTwinOfANameThatWasFreeAgain(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	b := setup(t, options{between: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Path == "/api/resource/Customer" && away.CompareAndSwap(true, false) {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}})
	vars := doc{"name": "Triplet"}
	send := func(key string) answer {
		return b.send(t, manager, createNamed, vars, map[string]string{keyHeader: key})
	}
	away.Store(true)
	send("lost")
	send("made-1").into(t, new(any))
	b.query(t, admin, `mutation { deleteCustomer(name: "Triplet") { name } }`, nil).into(t, new(any))
	send("made-2").into(t, new(any))
	b.query(t, admin, `mutation { deleteCustomer(name: "Triplet") { name } }`, nil).into(t, new(any))
	send("made-3").into(t, new(any))
	send("lost").into(t, new(any))
	if n := b.customersNamed(t, "Triplet"); n != 2 {
		t.Errorf("%d customers, want 2: one of two keys, and none of a third's", n)
	}
}

// A document that was changed by somebody since it was made may still be the one that an
// uncertain attempt has made.
func TestRetryAfterSomebodyHasChangedIt(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{between: site.between})
	vars := doc{"name": "Moved"}
	b.lostly(t, site, "/Customer", createNamed, vars, "moved")
	b.query(t, admin, `mutation { updateCustomer(name: "Moved", input: { territory: "North" }) { name } }`, nil).into(t, new(any))
	again := b.send(t, manager, createNamed, vars, map[string]string{keyHeader: "moved"})
	if n := b.customersNamed(t, "Moved"); n != 1 {
		t.Errorf("%d customers, want 1; the retry gave %s", n, again.raw)
	}
}

// The draft that an uncertain attempt has made is found by the retry also where its user
// has found it at ERPNext, and gone on with it: under a key, or there.
func TestRetriedInvoiceThatWentOn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"submitted": `mutation($name: String!) { submitSalesInvoice(name: $name) @idempotent(key: "went-on") { name } }`,
		"edited":    `mutation($name: String!) { updateSalesInvoice(name: $name, input: { remarks: "visit of Monday" }) { name } }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := &atERPNext{}
			b := setup(t, options{between: site.between})
			s := story{t, b}
			visit := s.visited(s.contracted("Semi;Colon"))
			drafts := `{ salesInvoices(where: { customer: { eq: "Semi;Colon" } }) { totalCount } }`
			before := s.count(drafts)
			invoice := "/Sales Invoice"
			site.lose.Store(&invoice)
			b.query(t, manager, complete, doc{"id": visit, "invoice": true})
			site.lose.Store(nil)
			var data struct {
				SalesInvoices struct{ Nodes []struct{ Name string } }
			}
			b.query(t, manager, `{ salesInvoices(first: 1, where: { remarks: { like: "Service visit %" } }) { nodes { name } } }`, nil).into(t, &data)
			if len(data.SalesInvoices.Nodes) != 1 {
				t.Fatal("the first attempt made no draft")
			}
			s.do(manager, change, doc{"name": data.SalesInvoices.Nodes[0].Name})
			got := b.query(t, manager, `mutation($id: ID!) { retryServiceVisitInvoice(id: $id) { serviceVisit { invoiceState invoice { name } } } }`, doc{"id": visit})
			if n := s.count(drafts); n != before+1 {
				t.Errorf("%d new invoices, want 1; the retry gave %s", n-before, got.raw)
			}
		})
	}
}

// ERPNext gives the last name of a series again once its document is deleted: the draft of
// another visit that had it before is not this one.
func TestRetriedInvoiceOfANameThatWasFreeAgain(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{between: site.between})
	s := story{t, b}
	contract := s.contracted("Semi;Colon")
	drafts := `{ salesInvoices(where: { customer: { eq: "Semi;Colon" } }) { totalCount } }`
	before := s.count(drafts)
	first := part(s.do(manager, complete, doc{"id": s.visited(contract), "invoice": true}), "serviceVisit")
	if first["invoiceState"] != "DONE" {
		t.Fatalf("the first draft: %v", first)
	}
	var data struct {
		SalesInvoices struct{ Nodes []struct{ Name string } }
	}
	b.query(t, admin, `{ salesInvoices(first: 1, where: { remarks: { like: "Service visit %" } }) { nodes { name } } }`, nil).into(t, &data)
	s.do(admin, `mutation($name: String!) { deleteSalesInvoice(name: $name) { name } }`, doc{"name": data.SalesInvoices.Nodes[0].Name})
	visit, invoice := s.visited(contract), "/Sales Invoice"
	site.lose.Store(&invoice)
	b.query(t, manager, complete, doc{"id": visit, "invoice": true})
	site.lose.Store(nil)
	got := b.query(t, manager, `mutation($id: ID!) { retryServiceVisitInvoice(id: $id) { serviceVisit { invoiceState invoice { name } } } }`, doc{"id": visit})
	if n := s.count(drafts); n != before+1 {
		t.Errorf("%d new invoices, want 1; the retry gave %s", n-before, got.raw)
	}
}

// ERPNext's own code stores another date than was sent (a posting date without
// set_posting_time, a due date by the payment terms): the document is still the one that
// was written.
func TestRetryWhereTheSiteSetsADate(t *testing.T) {
	t.Parallel()
	var once atomic.Bool
	b := setup(t, options{between: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.URL.Path != "/api/resource/Sales Invoice" || !once.CompareAndSwap(false, true) {
				next.ServeHTTP(w, r)
				return
			}
			body, _ := io.ReadAll(r.Body)
			body = bytes.ReplaceAll(body, []byte("2026-12-30"), []byte("2026-12-31"))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	}})
	s := story{t, b}
	invoices := `{ salesInvoices(where: { remarks: { eq: "by its terms" } }) { totalCount } }`
	mutation := `mutation { createSalesInvoice(input: { customer: "Semi;Colon", remarks: "by its terms", dueDate: "2026-12-30", items: [{ itemCode: "ITEM-00010", qty: 1, rate: "1" }] }) { name } }`
	key := map[string]string{keyHeader: "terms"}
	one := b.send(t, manager, mutation, nil, key)
	again := b.send(t, manager, mutation, nil, key)
	if n := s.count(invoices); n != 1 {
		t.Errorf("%d invoices, want 1: %s then %s", n, one.raw, again.raw)
	}
}

// A step of a workflow that never arrived was not taken because its user has taken another
// one since.
func TestRetryOfAStepAfterAnother(t *testing.T) {
	t.Parallel()
	site, err := newSite()
	if err != nil {
		t.Fatal(err)
	}
	withWorkflow(t, site)
	var away atomic.Bool
	s := story{t, setup(t, options{site: site, doctypes: contractDocTypes, between: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "apply_workflow") && away.Load() {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}})}
	step := `mutation($name: String!, $action: String!) { applySalesOrderWorkflow(name: $name, action: $action) { salesOrder { docstatus workflowState: poNo } } }`
	name := s.do(sales, pending, nil)["name"]
	away.Store(true)
	s.b.send(t, manager, step, doc{"name": name, "action": "Approve"}, map[string]string{keyHeader: "approve"})
	away.Store(false)
	s.b.send(t, manager, step, doc{"name": name, "action": "Reject"}, map[string]string{keyHeader: "reject"}).into(t, new(any))
	if got := s.b.send(t, manager, step, doc{"name": name, "action": "Approve"}, map[string]string{keyHeader: "approve"}); len(got.Errors) == 0 {
		t.Errorf("a rejected order is said to be approved: %s", got.raw)
	}
}

// What an uncertain amendment has made is its result also after its user went on with it.
func TestRetryOfAnAmendmentThatWentOn(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{between: site.between})
	s := story{t, b}
	name := s.do(manager, createOrder, doc{"input": order("Semi;Colon")})["name"]
	s.do(manager, `mutation($name: String!) { submitSalesOrder(name: $name) { name } }`, doc{"name": name})
	s.do(manager, `mutation($name: String!) { cancelSalesOrder(name: $name) { name } }`, doc{"name": name})
	amend := `mutation($name: String!) { amendSalesOrder(name: $name) { name } }`
	b.lostly(t, site, "/Sales Order", amend, doc{"name": name}, "amend")
	made := text(doc{"name": name}, "name") + "-1"
	b.send(t, manager, `mutation($name: String!) { submitSalesOrder(name: $name) { name } }`, doc{"name": made}, map[string]string{keyHeader: "submit"}).into(t, new(any))
	again := b.send(t, manager, amend, doc{"name": name}, map[string]string{keyHeader: "amend"})
	if !strings.Contains(string(again.Data), made) {
		t.Errorf("%s was made, the retry gave %s", made, again.raw)
	}
}

// What a field is refused because the one before it did not get through is not kept as its
// outcome: sent again, both go well.
func TestFieldAfterOneThatGotLost(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]func(http.ResponseWriter){
		"unknown": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"not made": func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var once atomic.Bool
			b := setup(t, options{between: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost && r.URL.Path == "/api/resource/Customer" && once.CompareAndSwap(false, true) {
						lost(w)
						return
					}
					next.ServeHTTP(w, r)
				})
			}})
			mutation := `mutation {
				a: createCustomer(input: { customerName: "Before", customerGroup: "Retail", territory: "East" }) { name }
				b: createServiceContract(input: { customer: "Before", item: "ITEM-00010", startDate: "2026-01-01" }) { messages }
			}`
			one := b.send(t, manager, mutation, nil, map[string]string{keyHeader: "both"})
			two := retryWhileRunning(t, b, manager, mutation, "both")
			if len(one.Errors) == 0 || len(two.Errors) > 0 {
				t.Errorf("%s\nthen %s", one.raw, two.raw)
			}
		})
	}
}

// A null that is no value of an argument is refused by hand-written mutations too, and not
// taken for false or for an empty text.
func TestNullIsNoArgument(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	visit := s.visited(s.contracted("Semi;Colon"))
	for name, mutation := range map[string]string{
		"invoice": `mutation($id: ID!, $v: Boolean = true) { completeServiceVisit(id: $id, report: "r", invoice: $v) { serviceVisit { status invoiceState report } } }`,
		"report":  `mutation($id: ID!, $v: String = "All fine") { completeServiceVisit(id: $id, report: $v, invoice: true) { serviceVisit { status invoiceState report } } }`,
		"id":      `mutation($v: ID = "x") { retryServiceVisitInvoice(id: $v) { id } }`,
		"input":   `mutation($v: String = "x") { createCustomer(input: { customerName: $v, customerGroup: "Retail", territory: "East" }) { name } }`,
	} {
		vars := doc{"v": nil}
		if strings.Contains(mutation, "$id") {
			vars["id"] = visit
		}
		if got := s.b.query(t, manager, mutation, vars); len(got.codes()) != 1 || got.codes()[0] != "BAD_USER_INPUT" {
			t.Errorf("%s: %s", name, got.raw)
		}
	}
}

// That two transactions got into each other's way, or that a job had the document, is not
// the request's fault: its key does not keep that.
func TestKeyForgetsAChance(t *testing.T) {
	t.Parallel()
	for _, class := range []string{"QueryDeadlockError", "DocumentLockedError"} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			var once atomic.Bool
			b := setup(t, options{between: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost && r.URL.Path == "/api/resource/Customer" && once.CompareAndSwap(false, true) {
						w.Header().Set("Content-Type", "application/json")
						w.WriteHeader(http.StatusInternalServerError)
						_, _ = io.WriteString(w, `{"exc_type": "`+class+`", "exception": "frappe.exceptions.`+class+`: try again"}`)
						return
					}
					next.ServeHTTP(w, r)
				})
			}})
			vars, key := doc{"name": "By Chance"}, map[string]string{keyHeader: "chance"}
			one := b.send(t, manager, createNamed, vars, key)
			two := b.send(t, manager, createNamed, vars, key)
			if len(one.Errors) != 1 || len(two.Errors) > 0 {
				t.Errorf("%s\nthen %s", one.raw, two.raw)
			}
		})
	}
}
