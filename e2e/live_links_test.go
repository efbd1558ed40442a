package e2e_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/app"
	"erpgraph/internal/simulator"
)

// catchUpOften has catch-up look so often that a test can wait for what only it finds.
func catchUpOften(cfg *app.Config) { cfg.CatchupEvery = 200 * time.Millisecond }

// withoutKey leaves the service account out.
func withoutKey(cfg *app.Config) { cfg.ServiceKey = "" }

// contractChanges leaves out CREATED: a subscription may get what happened just before it.
const contractChanges = `subscription { serviceContractChanged(kinds: [UPDATED, DELETED]) { kind id document { id customer { name } item { name } manager { name } } } }`

// newItem makes an item at the site, past erpgraph.
func (b *bundle) newItem(tb testing.TB, code string) string {
	tb.Helper()
	b.erp(tb, admin, http.MethodPost, "/api/resource/Item", map[string]any{"item_code": code, "item_group": "Products", "stock_uom": "Nos"})
	return code
}

// newContract makes a contract through the graph.
func (b *bundle) newContract(tb testing.TB, values map[string]any) string {
	tb.Helper()
	input := map[string]any{"item": "ITEM-00010", "startDate": "2026-11-25"}
	maps.Copy(input, values)
	var made struct{ CreateServiceContract struct{ ID string } }
	b.query(tb, manager, `mutation($c: ServiceContractCreate!) { createServiceContract(input: $c) { id } }`, map[string]any{"c": input}).into(tb, &made)
	return made.CreateServiceContract.ID
}

// newVisit makes a visit through the graph.
func (b *bundle) newVisit(tb testing.TB, contract string) string {
	tb.Helper()
	var made struct{ CreateServiceVisit struct{ ID string } }
	b.query(tb, sales, createVisit, map[string]any{"input": map[string]any{
		"contract": contract, "technician": "sales@example.com", "visitedAt": "2026-11-25T08:00:00+05:30", "status": "PLANNED",
	}}).into(tb, &made)
	return made.CreateServiceVisit.ID
}

// gone deletes a document at the site, past erpgraph.
func (b *bundle) gone(tb testing.TB, doctype, name string) {
	tb.Helper()
	b.erp(tb, admin, http.MethodDelete, "/api/resource/"+url.PathEscape(doctype)+"/"+url.PathEscape(name), nil)
}

// renamed gives a document another name at the site, past erpgraph, or merges it.
func (b *bundle) renamed(tb testing.TB, doctype, from, to string, merge bool) {
	tb.Helper()
	args := map[string]any{"doctype": doctype, "old_name": from, "new_name": to}
	if merge {
		args["merge"] = 1
	}
	if status := b.rest(tb, admin, "frappe.client.rename_doc", args, new(any)); status != http.StatusOK {
		tb.Fatalf("rename %s to %s: %d", from, to, status)
	}
}

// danglingLink is one of danglingLinks.
type danglingLink struct{ Type, ID, Field, Doctype, Name string }

func (b *bundle) danglingLinks(tb testing.TB, credential string) []danglingLink {
	tb.Helper()
	var data struct{ DanglingLinks []danglingLink }
	b.query(tb, credential, `{ danglingLinks { type id field doctype name } }`, nil).into(tb, &data)
	return data.DanglingLinks
}

// column is what a row of the custom app holds; "" for null, and where there is no row.
func (b *bundle) column(tb testing.TB, table, column, id string) (value string) {
	tb.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		tb.Fatal(err)
	}
	_, row, _ := strings.Cut(string(raw), "\x00")
	err = b.db.Pool().QueryRow(tb.Context(), "select coalesce("+column+"::text, '') from "+table+" where id = $1", row).Scan(&value)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		tb.Fatal(err)
	}
	return value
}

// A link stays when its document is deleted. Who sees the row sees where it leads nowhere,
// and nobody else.
func TestLinksDangle(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	item := b.newItem(t, "Dangling item")
	south := b.newContract(t, map[string]any{"customer": b.newCustomer(t, "Dangle South", "South"), "item": item})
	kept := b.newContract(t, map[string]any{"customer": b.newCustomer(t, "Dangle kept", "South")})
	if got := b.danglingLinks(t, sales); len(got) > 0 {
		t.Errorf("before: %v", got)
	}
	b.gone(t, "Item", item)
	b.until(t, "marked", func() bool { return len(b.danglingLinks(t, sales)) > 0 })
	equal(t, "of the item", b.danglingLinks(t, sales), []danglingLink{{"ServiceContract", south, "item", "Item", item}})
	for who, credential := range map[string]string{"another territory": north, "nobody": nobody, "no role": stock} {
		if got := b.danglingLinks(t, credential); len(got) > 0 {
			t.Errorf("%s sees %v", who, got)
		}
	}
	equal(t, "the link", b.column(t, "service_contract", "item", south), item)
	equal(t, "another row", b.column(t, "service_contract", "item", kept), "ITEM-00010")
}

// With the document that rows are read through nobody sees them any more. Who may know of the
// deletion may know that the link is left, and of no other row.
func TestLinksOfRowsThatNobodySees(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	item := b.newItem(t, "Orphan item")
	lost, alive := b.newCustomer(t, "Orphan South", "South"), b.newCustomer(t, "Orphan alive", "South")
	contract := b.newContract(t, map[string]any{"customer": lost})
	other := b.newContract(t, map[string]any{"customer": alive, "item": item})
	b.gone(t, "Item", item)
	b.until(t, "marked", func() bool { return len(b.danglingLinks(t, sales)) > 0 })
	b.gone(t, "Customer", lost)
	b.until(t, "marked", func() bool { return len(b.danglingLinks(t, admin)) > 1 })
	ofItem := danglingLink{"ServiceContract", other, "item", "Item", item}
	ofCustomer := danglingLink{"ServiceContract", contract, "customer", "Customer", lost}
	for who, c := range map[string]struct {
		credential string
		want       []danglingLink
	}{
		"who may read Deleted Documents": {admin, []danglingLink{ofItem, ofCustomer}},
		"who sees customers":             {sales, []danglingLink{ofItem}},
		"another territory":              {north, nil},
	} {
		got := b.danglingLinks(t, c.credential)
		slices.SortFunc(got, func(a, b danglingLink) int { return strings.Compare(b.Field, a.Field) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", who, got, c.want)
		}
	}
	got := b.query(t, admin, `query($id: ID!) { serviceContract(id: $id) { id } }`, map[string]any{"id": contract})
	equal(t, "the row itself", got.codes(), []string{"NOT_FOUND"})
}

// What the site deletes under a link with NULL is nulled, and told as a change of the row;
// rows of the custom app go with theirs.
func TestLinksAreNulled(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	b.erp(t, admin, http.MethodPost, "/api/resource/User", map[string]any{"email": "leaver@example.com", "first_name": "Leaver", "send_welcome_email": 0})
	contract := b.newContract(t, map[string]any{"customer": b.newCustomer(t, "Null South", "South"), "manager": "leaver@example.com"})
	other := b.newContract(t, map[string]any{"customer": b.newCustomer(t, "Null other", "South"), "manager": "sales@example.com"})
	visit := b.newVisit(t, contract)
	rows := b.subscribe(t, sales, contractChanges, nil)
	visits := b.subscribe(t, sales, `subscription($v: [ID!]) { serviceVisitChanged(ids: $v) { kind id document { id } } }`, map[string]any{"v": []string{visit}})

	b.gone(t, "User", "leaver@example.com")
	c := rows.next(t)
	equal(t, "nulled", [3]any{c.Kind, c.ID, c.Document["manager"]}, [3]any{"UPDATED", contract, nil})
	equal(t, "another row", b.column(t, "service_contract", "manager", other), "sales@example.com")
	if got := b.danglingLinks(t, sales); len(got) > 0 {
		t.Errorf("dangling: %v", got)
	}

	b.query(t, manager, `mutation($id: ID!) { deleteServiceContract(id: $id) { id } }`, map[string]any{"id": contract}).into(t, new(any))
	c = visits.next(t)
	equal(t, "the visit", [2]string{c.Kind, c.ID}, [2]string{"DELETED", visit})
	equal(t, "is no more", b.column(t, "service_visit", "status", visit), "")
}

// Links follow a rename and a merge, which only catch-up tells of. That it may notice before
// that the old name is gone is left out of the events here.
func TestLinksFollow(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, config: catchUpOften})
	before, target := b.newCustomer(t, "Follow before", "South"), b.newCustomer(t, "Follow target", "South")
	contract := b.newContract(t, map[string]any{"customer": before})
	b.newContract(t, map[string]any{"customer": target})
	rows := b.subscribe(t, sales, contractChanges, nil)
	customers := b.subscribe(t, sales, customerChanges, map[string]any{"names": []string{before}, "kinds": []string{"RENAMED"}})

	for _, step := range []struct {
		from, to string
		merge    bool
	}{{before, "Follow after", false}, {"Follow after", target, true}} {
		b.renamed(t, "Customer", step.from, step.to, step.merge)
		c := rows.next(t)
		equal(t, "the row", [3]string{c.Kind, c.ID, text(part(c.Document, "customer"), "name")}, [3]string{"UPDATED", contract, step.to})
		c = customers.next(t)
		equal(t, "the customer", [3]string{c.Kind, c.Name, c.PreviousName}, [3]string{"RENAMED", step.to, step.from})
		equal(t, "the link", b.column(t, "service_contract", "customer", contract), step.to)
	}
	rows.silent(t)
	customers.silent(t)
	if got := b.danglingLinks(t, sales); len(got) > 0 {
		t.Errorf("dangling: %v", got)
	}
}

// Of a merge a webhook tells that the document was deleted. Where that would null links, it
// is not believed before catch-up has looked: they follow, and are null at no time.
func TestAMergeIsNoDeletion(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	for _, name := range []string{"merged", "survivor"} {
		b.erp(t, admin, http.MethodPost, "/api/resource/User", map[string]any{"email": name + "@example.com", "first_name": name, "send_welcome_email": 0})
	}
	contract := b.newContract(t, map[string]any{"customer": b.newCustomer(t, "Merge South", "South"), "manager": "merged@example.com"})
	rows := b.subscribe(t, sales, contractChanges, nil)
	b.renamed(t, "User", "merged@example.com", "survivor@example.com", true)
	c := rows.next(t)
	equal(t, "the row", [3]string{c.Kind, c.ID, text(part(c.Document, "manager"), "name")}, [3]string{"UPDATED", contract, "survivor@example.com"})
	rows.silent(t)
}

// Without a service account a deletion can't be told from a merge: nothing is nulled.
func TestLinksWithoutAServiceKey(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, config: withoutKey})
	b.erp(t, admin, http.MethodPost, "/api/resource/User", map[string]any{"email": "kept@example.com", "first_name": "Kept", "send_welcome_email": 0})
	contract := b.newContract(t, map[string]any{"customer": b.newCustomer(t, "Without South", "South"), "manager": "kept@example.com"})
	rows := b.subscribe(t, sales, contractChanges, nil)
	b.gone(t, "User", "kept@example.com")
	b.until(t, "marked", func() bool { return len(b.danglingLinks(t, sales)) > 0 })
	equal(t, "marked", b.danglingLinks(t, sales), []danglingLink{{"ServiceContract", contract, "manager", "User", "kept@example.com"}})
	equal(t, "the link", b.column(t, "service_contract", "manager", contract), "kept@example.com")
	rows.silent(t)
}

// Every webhook is lost: catch-up tells of each step of an order's life.
func TestCatchUpFindsWhatWasDropped(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, config: catchUpOften})
	b.site.SetDelivery(simulator.Delivery{Workers: 1, Drop: 1})
	s := b.subscribe(t, manager, `subscription { salesOrderChanged { kind name document { docstatus poNo } } }`, nil)
	order := text(b.erp(t, manager, http.MethodPost, "/api/resource/Sales Order", newOrder()), "name")
	path := "/api/resource/Sales Order/" + url.PathEscape(order)
	put := func(values map[string]any) func() {
		return func() { b.erp(t, manager, http.MethodPut, path, values) }
	}
	for _, step := range []struct {
		do       func()
		kind     string
		document any
	}{
		{func() {}, "CREATED", map[string]any{"docstatus": 0, "poNo": nil}},
		{put(map[string]any{"po_no": "1"}), "UPDATED", map[string]any{"docstatus": 0, "poNo": "1"}},
		{put(map[string]any{"docstatus": 1}), "SUBMITTED", map[string]any{"docstatus": 1, "poNo": "1"}},
		{put(map[string]any{"docstatus": 2}), "CANCELLED", map[string]any{"docstatus": 2, "poNo": "1"}},
		{func() { b.gone(t, "Sales Order", order) }, "DELETED", nil},
	} {
		step.do()
		c := s.next(t)
		equal(t, "event", [2]string{c.Kind, c.Name}, [2]string{step.kind, order})
		if step.document != nil {
			equal(t, "document", c.Document, step.document)
		}
	}
	s.silent(t)
	if counts := b.site.DeliveryCounts(); counts.Sent > 0 {
		t.Errorf("webhooks came: %+v", counts)
	}
}

// The where of rows of the custom app is evaluated by its own database.
func TestLocalChangesWithAWhere(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	customer := b.newCustomer(t, "Where local", "South")
	first := b.newContract(t, map[string]any{"customer": customer, "monthlyFee": "10"})
	second := b.newContract(t, map[string]any{"customer": customer, "monthlyFee": "20"})
	s := b.subscribe(t, sales, `subscription($w: ServiceContractWhere) { serviceContractChanged(where: $w, kinds: [UPDATED]) { kind id document { monthlyFee } } }`,
		map[string]any{"w": map[string]any{"monthlyFee": map[string]any{"gt": "15"}}})
	const update = `mutation($id: ID!, $i: ServiceContractUpdate!) { updateServiceContract(id: $id, input: $i) { id } }`
	for _, step := range []struct {
		id, fee string
	}{{first, "11"}, {second, "21"}, {first, "16"}, {second, "12"}, {first, "17"}} {
		b.query(t, manager, update, map[string]any{"id": step.id, "i": map[string]any{"monthlyFee": step.fee}}).into(t, new(any))
	}
	for last := 0.0; last != 17; { // those in one window are one event
		c := s.next(t)
		var err error
		if last, err = strconv.ParseFloat(text(c.Document, "monthlyFee"), 64); err != nil || last <= 15 {
			t.Errorf("told of %+v", c)
		}
	}
}
