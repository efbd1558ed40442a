package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/app"
)

const customerChanges = `subscription($names: [String!], $where: CustomerWhere, $kinds: [ChangeKind!], $after: String) {
  customerChanged(names: $names, where: $where, kinds: $kinds, after: $after) { cursor kind name previousName document { name customerName territory { name } } }
}`

// newCustomer makes a customer at the site, past erpgraph.
func (b *bundle) newCustomer(tb testing.TB, name, territory string) string {
	tb.Helper()
	doc := b.erp(tb, manager, http.MethodPost, "/api/resource/Customer", map[string]any{
		"customer_name": name, "customer_type": "Company", "customer_group": "Retail", "territory": territory,
	})
	out, _ := doc["name"].(string)
	return out
}

func (b *bundle) changeCustomer(tb testing.TB, name string, values map[string]any) {
	tb.Helper()
	b.erp(tb, manager, http.MethodPut, "/api/resource/Customer/"+url.PathEscape(name), values)
}

// Each change is told once, as the subscriber sees the document, and only to those who may
// read it.
func TestChangesReachWhoMayRead(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	all, north := b.subscribe(t, sales, customerChanges, nil), b.subscribe(t, north, customerChanges, nil)

	south := b.newCustomer(t, "Live South", "South")
	c := all.next(t)
	equal(t, "created", [3]string{c.Kind, c.Name, text(c.Document, "customerName")}, [3]string{"CREATED", south, "Live South"})
	nord := b.newCustomer(t, "Live North", "North")
	for _, s := range []*stream{all, north} {
		c := s.next(t)
		equal(t, "created", [2]string{c.Kind, c.Name}, [2]string{"CREATED", nord})
	}
	b.changeCustomer(t, nord, map[string]any{"customer_name": "Live North 2"})
	for _, s := range []*stream{all, north} {
		c := s.next(t)
		equal(t, "updated", [3]string{c.Kind, c.Name, text(c.Document, "customerName")}, [3]string{"UPDATED", nord, "Live North 2"})
	}
	b.erp(t, admin, http.MethodDelete, "/api/resource/Customer/"+url.PathEscape(south), nil)
	c = all.next(t)
	equal(t, "deleted", [2]string{c.Kind, c.Name}, [2]string{"DELETED", south})
	if c.Document != nil {
		t.Errorf("a deleted document has %v", c.Document)
	}
	north.silent(t)
	all.silent(t)
}

// A submittable document's life, one event for each step.
func TestKindsOfAnOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.subscribe(t, manager, `subscription { salesOrderChanged { kind name document { docstatus status } } }`, nil)
	order := b.erp(t, manager, http.MethodPost, "/api/resource/Sales Order", newOrder())
	name, _ := order["name"].(string)
	path := "/api/resource/Sales Order/" + url.PathEscape(name)
	steps := []struct {
		do        func()
		kind      string
		docstatus float64
	}{
		{func() {}, "CREATED", 0},
		{func() { b.erp(t, manager, http.MethodPut, path, map[string]any{"po_no": "1"}) }, "UPDATED", 0},
		{func() { b.erp(t, manager, http.MethodPut, path, map[string]any{"docstatus": 1}) }, "SUBMITTED", 1},
		{func() { b.erp(t, manager, http.MethodPut, path, map[string]any{"docstatus": 2}) }, "CANCELLED", 2},
	}
	for _, step := range steps {
		step.do()
		c := s.next(t)
		equal(t, "event", [2]any{c.Kind, c.Name}, [2]any{step.kind, name})
		equal(t, "docstatus", c.Document["docstatus"], any(step.docstatus))
	}
	b.erp(t, admin, http.MethodDelete, path, nil)
	c := s.next(t)
	equal(t, "deleted", [2]any{c.Kind, c.Name}, [2]any{"DELETED", name})
	s.silent(t)
}

func newOrder() map[string]any {
	return map[string]any{
		"customer": "Semi;Colon", "company": "Graft Test Ltd", "delivery_date": "2027-01-31", "currency": "USD", "conversion_rate": 1,
		"selling_price_list": "Standard Selling",
		"items":              []map[string]any{{"item_code": "ITEM-00010", "qty": 1, "rate": 10, "warehouse": "Stores - GTL"}},
	}
}

// What ERPNext itself says of a where decides, in the read that checks access.
func TestChangesWithAWhere(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.subscribe(t, sales, customerChanges, map[string]any{
		"where": map[string]any{"territory": map[string]any{"descendantsOf": "North"}}, "kinds": []string{"CREATED", "DELETED"},
	})
	b.newCustomer(t, "Where South", "South")
	name := b.newCustomer(t, "Where North", "North West")
	c := s.next(t)
	equal(t, "created", [2]string{c.Kind, c.Name}, [2]string{"CREATED", name})
	b.changeCustomer(t, name, map[string]any{"customer_name": "other"})
	s.silent(t)
}

// Twenty subscriptions of one credential cost what one does.
func TestOneReadForAllOfACredential(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	var streams []*stream
	for range 20 {
		streams = append(streams, b.subscribe(t, sales, customerChanges, nil))
	}
	b.until(t, "idle", func() bool { return b.site.DeliveriesIdle(t.Context()) == nil })
	before := b.listsOf("Customer")
	b.newCustomer(t, "Twenty", "South")
	for _, s := range streams {
		equal(t, "kind", s.next(t).Kind, "CREATED")
	}
	if n := b.listsOf("Customer") - before; n != 1 {
		t.Errorf("%d list calls for one event", n)
	}
}

// listsOf counts the list calls of a DocType with a credential other than the service's.
func (b *bundle) listsOf(doctype string) int {
	n := 0
	for _, c := range b.site.Calls() {
		if c.DocType == doctype && strings.HasSuffix(c.Path, "frappe.client.get_list") && c.User == "sales@example.com" {
			n++
		}
	}
	return n
}

// A cursor goes on where a stream stopped: nothing is lost, nothing comes twice, and what was
// deleted meanwhile is told to whom it had been shown.
func TestResume(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.subscribe(t, sales, customerChanges, nil)
	kept := b.newCustomer(t, "Resume kept", "South")
	first := s.next(t)
	gone := b.newCustomer(t, "Resume gone", "South")
	second := s.next(t)
	equal(t, "names", [2]string{first.Name, second.Name}, [2]string{kept, gone})
	_ = s.socket.conn.CloseNow()

	b.changeCustomer(t, kept, map[string]any{"customer_name": "Resume changed"})
	b.erp(t, admin, http.MethodDelete, "/api/resource/Customer/"+url.PathEscape(gone), nil)
	if err := b.site.DeliveriesIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = b.subscribe(t, sales, customerChanges, map[string]any{"after": second.Cursor})
	got := map[string]string{}
	var last change
	for range 2 {
		last = s.next(t)
		got[last.Name] = last.Kind
	}
	equal(t, "what happened meanwhile", got, map[string]string{kept: "UPDATED", gone: "DELETED"})
	b.newCustomer(t, "Resume live", "South")
	c := s.next(t)
	equal(t, "after it", c.Kind, "CREATED")
	_ = s.socket.conn.CloseNow()

	s = b.subscribe(t, sales, customerChanges, map[string]any{"after": c.Cursor})
	s.silent(t)
	s = b.subscribe(t, stock, customerChanges, map[string]any{"after": "nonsense"})
	equal(t, "a cursor of nobody", s.next(t).Code, "BAD_USER_INPUT")
}

// A cursor of a log that has gone on for too long is refused.
func TestExpiredCursor(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.subscribe(t, sales, customerChanges, nil)
	b.newCustomer(t, "Expired 1", "South")
	cursor := s.next(t).Cursor
	b.newCustomer(t, "Expired 2", "South")
	s.next(t)
	if _, err := b.db.Pool().Exec(t.Context(), "update event_head set epoch = gen_random_uuid()"); err != nil {
		t.Fatal(err)
	}
	s = b.subscribe(t, sales, customerChanges, map[string]any{"after": cursor})
	equal(t, "a cursor of another log", s.next(t).Code, "CURSOR_EXPIRED")
}

// Access is what it is when the event comes.
func TestRevokedAccess(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.subscribe(t, sales, customerChanges, nil)
	b.newCustomer(t, "Revoked 1", "South")
	equal(t, "before", s.next(t).Kind, "CREATED")
	b.erp(t, admin, http.MethodPost, "/api/resource/User Permission", map[string]any{"user": "sales@example.com", "allow": "Territory", "for_value": "North"})
	b.newCustomer(t, "Revoked 2", "South")
	north := b.newCustomer(t, "Revoked 3", "North")
	equal(t, "only what may still be read", s.next(t).Name, north)
	s.silent(t)
}

// Rows of the custom app, by their @access.
func TestLocalChanges(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	const query = `subscription { serviceContractChanged { kind id document { id notes customer { name } visits { id } } } }`
	all, none := b.subscribe(t, sales, query, nil), b.subscribe(t, north, query, nil)
	created := b.query(t, manager, `mutation($c: ServiceContractCreate!) { createServiceContract(input: $c) { id } }`, map[string]any{"c": map[string]any{
		"customer": b.newCustomer(t, "Contract South", "South"), "item": "ITEM-00010", "startDate": "2026-11-25",
	}})
	var made struct{ CreateServiceContract struct{ ID string } }
	created.into(t, &made)
	c := all.next(t)
	equal(t, "created", [2]string{c.Kind, c.ID}, [2]string{"CREATED", made.CreateServiceContract.ID})
	b.query(t, manager, `mutation($id: ID!) { deleteServiceContract(id: $id) { id } }`, map[string]any{"id": made.CreateServiceContract.ID}).into(t, new(any))
	c = all.next(t)
	equal(t, "deleted", [2]string{c.Kind, c.ID}, [2]string{"DELETED", made.CreateServiceContract.ID})
	none.silent(t)
}

// A live list is the list first, and then how it changes.
func TestLiveList(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.subscribe(t, sales, `subscription($w: CustomerWhere) {
	  customersLive(where: $w, orderBy: [{field: CUSTOMER_NAME, direction: ASC}], first: 3) { snapshot order added { id name } changed { name customerName } removed }
	}`, map[string]any{"w": map[string]any{"customerName": map[string]any{"like": "LiveList%"}}})
	c := s.next(t)
	equal(t, "empty at first", [2]int{len(c.Added), len(c.Order)}, [2]int{0, 0})
	if !c.Snapshot {
		t.Error("no snapshot")
	}
	names := map[string]string{}
	for _, n := range []string{"LiveList d", "LiveList b", "LiveList c"} {
		names[n] = b.newCustomer(t, n, "South")
		c = s.next(t)
		equal(t, "added", c.Added[0]["name"], any(names[n]))
	}
	equal(t, "length", len(c.Order), 3)
	first := b.newCustomer(t, "LiveList a", "South")
	c = s.next(t)
	equal(t, "added in front", [3]any{c.Added[0]["name"], c.Order[0], len(c.Removed)}, [3]any{any(first), c.Added[0]["id"], 1})
	b.changeCustomer(t, first, map[string]any{"customer_name": "LiveList aa"})
	c = s.next(t)
	equal(t, "changed", c.Changed[0]["customerName"], any("LiveList aa"))
	b.changeCustomer(t, first, map[string]any{"customer_name": "other"})
	c = s.next(t)
	equal(t, "left and came in", [2]int{len(c.Removed), len(c.Added)}, [2]int{1, 1})
}

// Nobody listens without a right.
func TestSubscriptionsAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	for name, c := range map[string]struct{ credential, query, code string }{
		"no right":        {nobody, `subscription { customerChanged { name } }`, "FORBIDDEN"},
		"no role":         {stock, `subscription { serviceContractChanged { id } }`, "FORBIDDEN"},
		"unknown doctype": {sales, `subscription { documentChanged(doctypes: ["Nonsense"]) { name } }`, "BAD_USER_INPUT"},
		"child table":     {sales, `subscription { documentChanged(doctypes: ["Sales Order Item"]) { name } }`, "BAD_USER_INPUT"},
		"no names":        {sales, `subscription { customerChanged(names: []) { name } }`, "BAD_USER_INPUT"},
		"too long":        {sales, `subscription { customersLive(first: 5000) { order } }`, "BAD_USER_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			s := b.subscribe(t, c.credential, c.query, nil)
			equal(t, "code", s.next(t).Code, c.code)
		})
	}
}

// Two processes on one database: what one receives reaches the subscribers of both.
func TestEventsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, signIn: true})
	other := setup(t, options{live: true, beside: b})
	mine, theirs := b.subscribe(t, sales, customerChanges, nil), other.subscribe(t, sales, customerChanges, nil)
	name := b.newCustomer(t, "Both", "South")
	for _, s := range []*stream{mine, theirs} {
		equal(t, "name", s.next(t).Name, name)
	}
}

// What no webhook tells of is found by catch-up: a rename, and a change that was dropped.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, config: func(cfg *app.Config) { cfg.CatchupEvery = 200 * time.Millisecond }})
	s := b.subscribe(t, sales, customerChanges, nil)
	name := b.newCustomer(t, "Before", "South")
	equal(t, "created", s.next(t).Kind, "CREATED")
	var out any
	b.rest(t, manager, "frappe.client.rename_doc", map[string]any{"doctype": "Customer", "old_name": name, "new_name": "After"}, &out)
	c := s.next(t)
	equal(t, "renamed", [3]string{c.Kind, c.Name, c.PreviousName}, [3]string{"RENAMED", "After", name})
}
