package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/app"
)

// linkSnapshot is the answer's.
type linkSnapshot struct {
	Name   string
	Title  *string
	SeenAt time.Time
	Stale  bool
}

func (s *linkSnapshot) String() string {
	switch {
	case s == nil:
		return "none"
	case s.Title == nil:
		return s.Name + " untitled"
	case s.Stale:
		return s.Name + " " + *s.Title + " (stale)"
	default:
		return s.Name + " " + *s.Title
	}
}

// outage stands between erpgraph and the site, and answers 503 to requests with a text in their
// body or path; "" lets all pass, "*" none.
type outage struct{ of atomic.Value }

func (o *outage) between(site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		of, _ := o.of.Load().(string)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if of == "*" || of != "" && (bytes.Contains(body, []byte(of)) || strings.Contains(r.URL.Path, of)) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		site.ServeHTTP(w, r)
	})
}

// ofItems is in the body of every list of items.
const ofItems = `"doctype":"Item"`

const createWithSnapshot = `mutation($c: ServiceContractCreate!) { createServiceContract(input: $c) { id serviceContract { item { itemName } itemSnapshot { name title seenAt stale } } } }`

const contractSnapshots = `{ serviceContracts(first: 50, orderBy: [{field: CREATED_AT}]) { nodes { id item { name itemName } itemSnapshot { name title seenAt stale } } } }`

type snapshotRow struct {
	ID           string
	Item         struct{ Name, ItemName string }
	ItemSnapshot *linkSnapshot
}

// snapshots are the contracts of an answer, whatever else it lacks.
func (a answer) snapshots(tb testing.TB) []snapshotRow {
	tb.Helper()
	var data struct {
		ServiceContracts struct{ Nodes []snapshotRow }
	}
	a.Errors = slices.DeleteFunc(a.Errors, func(e struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	},
	) bool {
		return e.Extensions["code"] == "UPSTREAM_UNAVAILABLE"
	})
	a.into(tb, &data)
	return data.ServiceContracts.Nodes
}

// A list shows the titles of what it links to also while these can't be read.
func TestLinkSnapshotWhileItemsCantBeRead(t *testing.T) {
	t.Parallel()
	var site outage
	b := setup(t, options{between: site.between})
	b.meet(t, manager)
	var made struct {
		CreateServiceContract struct {
			ServiceContract snapshotRow
		}
	}
	before := time.Now().Add(-time.Minute)
	b.query(t, manager, createWithSnapshot, map[string]any{"c": map[string]any{
		"customer": "Semi;Colon", "item": "ITEM-00010", "startDate": "2026-11-25",
	}}).into(t, &made)
	row := made.CreateServiceContract.ServiceContract
	title := row.Item.ItemName
	equal(t, "after the write", row.ItemSnapshot.String(), "ITEM-00010 "+title)
	if row.ItemSnapshot == nil {
		t.Fatal("nothing is kept")
	}
	if at := row.ItemSnapshot.SeenAt; at.Before(before) || at.After(time.Now().Add(time.Minute)) {
		t.Errorf("seen at %v", at)
	}

	got := b.query(t, manager, contractSnapshots, nil)
	equal(t, "statements", len(got.Extensions.Upstream.Statements), 1)
	equal(t, "calls", doctypes(got), []string{"Customer", "Item"})
	equal(t, "while all is well", got.snapshots(t)[0].ItemSnapshot.String(), "ITEM-00010 "+title)

	site.of.Store(ofItems)
	got = b.query(t, manager, contractSnapshots, nil)
	equal(t, "codes", got.codes(), []string{"UPSTREAM_UNAVAILABLE"})
	rows := got.snapshots(t)
	equal(t, "rows", len(rows), 1)
	equal(t, "the link itself", rows[0].Item.Name, "ITEM-00010")
	equal(t, "without items", rows[0].ItemSnapshot.String(), "ITEM-00010 "+title+" (stale)")

	// Nothing tells that it is stale where nothing was asked.
	got = b.query(t, manager, `{ serviceContracts { nodes { itemSnapshot { __typename name title stale } } } }`, nil)
	equal(t, "calls", doctypes(got), []string{"Customer"})
	equal(t, "alone", got.snapshots(t)[0].ItemSnapshot.String(), "ITEM-00010 "+title)

	// Who does not see the row does not see what is kept.
	equal(t, "another caller's rows", len(b.query(t, two, contractSnapshots, nil).snapshots(t)), 0)
}

// openContracts is a graph whose contracts whoever is known may read.
func openContracts(tb testing.TB) *app.Graph {
	tb.Helper()
	dir := tb.TempDir()
	for _, pattern := range []string{"*.graphqls", "doctypes.yml", "erpnext/*.json"} {
		names, err := filepath.Glob(filepath.Join("..", "schema", pattern))
		if err != nil {
			tb.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				tb.Fatal(err)
			}
			to, err := filepath.Rel(filepath.Join("..", "schema"), name)
			if err != nil {
				tb.Fatal(err)
			}
			place(tb, filepath.Join(dir, to), string(text))
		}
	}
	place(tb, filepath.Join(dir, "app", "open_contract.graphqls"), `
type OpenContract implements Node @table(name: "service_contract") @access(public: true) {
  id: ID!
  customer: Customer! @link
  item: Item! @link(snapshot: true)
}
`)
	return graphOf(tb, dir)
}

func place(tb testing.TB, name, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// ERPNext is down altogether. Rows that are not read through a document are shown, with the
// titles of what they link to, and the bare names of links that keep none. The caller is known
// from before: the test's clock stands still, where a real one gives that half a minute.
func TestLinkSnapshotWhileERPNextIsDown(t *testing.T) {
	t.Parallel()
	var site outage
	b := setup(t, options{between: site.between, app: app.Options{Graph: openContracts(t)}})
	for _, item := range []string{"ITEM-00010", "NUT#8"} {
		b.exec(t, `insert into service_contract (customer, item, status, start_date, monthly_fee) values ('Semi;Colon', $1, 'ACTIVE', '2026-01-01', 1)`, item)
	}
	b.exec(t, `insert into link_snapshot values ('Item', 'ITEM-00010', 'Ten', now(), now()), ('Customer', 'Semi;Colon', 'not shown', now(), now())`)
	b.meet(t, sales)
	site.of.Store("*")
	got := b.query(t, sales, `{ openContracts(orderBy: [{field: ITEM}]) { nodes { customer { name } item { name itemName } itemSnapshot { name title seenAt stale } } } }`, nil)
	equal(t, "codes", got.codes(), []string{"UPSTREAM_UNAVAILABLE"})
	var data struct {
		OpenContracts struct {
			Nodes []struct {
				Customer, Item struct{ Name string }
				ItemSnapshot   *linkSnapshot
			}
		}
	}
	got.Errors = nil
	got.into(t, &data)
	var lines []string
	for _, n := range data.OpenContracts.Nodes {
		lines = append(lines, n.Customer.Name+" | "+n.Item.Name+" | "+n.ItemSnapshot.String())
	}
	equal(t, "rows", lines, []string{"Semi;Colon | ITEM-00010 | ITEM-00010 Ten (stale)", "Semi;Colon | NUT#8 | none"})
	for _, field := range []string{"customerSnapshot { title }", "itemSnapshot { modified }"} {
		if got := b.query(t, sales, `{ openContracts { nodes { `+field+` } } }`, nil); len(got.Errors) == 0 || string(got.Data) != "" && string(got.Data) != "null" {
			t.Errorf("%s: %s", field, got.raw)
		}
	}
}

// exec runs SQL on the app's database.
func (b *bundle) exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := b.db.Pool().Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatal(err)
	}
}

// What changes in ERPNext changes the title; what is deleted there keeps it, and is stale.
func TestLinkSnapshotFollowsEvents(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	item := b.erp(t, admin, http.MethodPost, "/api/resource/Item", map[string]any{
		"item_code": "SNAP-1", "item_name": "First", "item_group": "Products", "stock_uom": "Nos",
	})
	equal(t, "item", item["name"], any("SNAP-1"))
	b.query(t, manager, createWithSnapshot, map[string]any{"c": map[string]any{
		"customer": "Semi;Colon", "item": "SNAP-1", "startDate": "2026-11-25",
	}}).into(t, new(any))
	is := func(want string) func() bool {
		return func() bool {
			return b.query(t, manager, contractSnapshots, nil).snapshots(t)[0].ItemSnapshot.String() == want
		}
	}
	b.until(t, "kept", is("SNAP-1 First"))
	b.erp(t, admin, http.MethodPut, "/api/resource/Item/SNAP-1", map[string]any{"item_name": "Second"})
	b.until(t, "refreshed", is("SNAP-1 Second"))
	b.erp(t, admin, http.MethodDelete, "/api/resource/Item/SNAP-1", nil)
	deleted := func() bool {
		got := b.query(t, manager, `{ serviceContracts { nodes { itemSnapshot { name title stale } } } }`, nil)
		return got.snapshots(t)[0].ItemSnapshot.String() == "SNAP-1 Second (stale)"
	}
	b.until(t, "stale", deleted)
}
