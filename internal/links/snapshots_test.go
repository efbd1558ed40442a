package links_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/catchup/trail/trailtest"
	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
	"erpgraph/internal/links"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/snapshot"
)

// snapshotSDL are tables whose links to customers keep snapshots, all but one; those to items
// have no title to keep.
const snapshotSDL = `
type Deal implements Node @table(name: "deal") @access(public: true) {
  id: ID!
  customer: Customer! @link(snapshot: true)
  agent: Customer @link(onDelete: NULL)
  item: Item @link(snapshot: true)
}
type Rating implements Node @table(name: "rating") @access(public: true) {
  id: ID!
  customer: Customer! @link(snapshot: true)
}
`

// snapshotWorld is a world with such tables, and an ERPNext.
type snapshotWorld struct {
	*world

	erp       *trailtest.ERP
	hub       *event.Hub
	snapshots *links.Snapshots
}

func newSnapshotWorld(tb testing.TB) *snapshotWorld {
	tb.Helper()
	cfg, err := doctype.ParseConfig([]byte("doctypes: {Customer: {}, Item: {}}"))
	if err != nil {
		tb.Fatal(err)
	}
	var facts []*doctype.Facts
	for _, text := range []string{
		`{"name": "Customer", "title_field": "title", "fields": [{"fieldname": "title", "fieldtype": "Data"}]}`,
		`{"name": "Item", "fields": []}`,
	} {
		f, err := doctype.ParseFacts([]byte(text))
		if err != nil {
			tb.Fatal(err)
		}
		facts = append(facts, f)
	}
	w := &snapshotWorld{world: &world{tb: tb, db: postgrestest.New(tb)}, erp: trailtest.New(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC))}
	w.reg, _, err = doctype.Build(cfg, facts, []*ast.Source{{Name: "schema/app/app.graphqls", Input: snapshotSDL}})
	if err != nil {
		tb.Fatal(err)
	}
	w.sql(tables)
	w.keeper = links.New(w.reg, nil)
	w.log = event.NewLog(event.LogConfig{Pool: w.db.Pool(), Upkeep: w.keeper.Apply})
	w.hub = event.NewHub(event.HubConfig{Log: w.log})
	w.snapshots = links.NewSnapshots(w.config(&trail.Site{Upstream: w.erp}))
	return w
}

func (w *snapshotWorld) config(site *trail.Site) links.SnapshotsConfig {
	return links.SnapshotsConfig{Registry: w.reg, Pool: w.db.Pool(), Hub: w.hub, Site: site}
}

// title gives a customer a title.
func (w *snapshotWorld) title(name, title string) {
	w.erp.Vanish("Customer", name)
	w.erp.Put("Customer", map[string]string{"name": name, "title": title})
}

// save keeps a title that was read some time ago.
func (w *snapshotWorld) save(name, title string, ago time.Duration) {
	w.tb.Helper()
	w.tx(func(tx pgx.Tx) error {
		return snapshot.Save(w.tb.Context(), tx, []snapshot.Seen{{Document: snapshot.Document{DocType: "Customer", Name: name}, Title: &title, Began: time.Now().Add(-ago)}})
	})
}

// kept lists all snapshots.
func (w *snapshotWorld) kept() []string {
	w.tb.Helper()
	rows, err := w.db.Pool().Query(w.tb.Context(), `select doctype || ' ' || name || ': ' || coalesce(title, '-') from link_snapshot order by doctype, name`)
	if err != nil {
		w.tb.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.tb.Fatal(err)
	}
	return out
}

// refresh reads what is due until nothing is.
func (w *snapshotWorld) refresh(after int64) int64 {
	w.tb.Helper()
	for {
		next, done, err := w.snapshots.Refresh(w.tb.Context(), after)
		if err != nil {
			w.tb.Fatal(err)
		}
		if after = next; done {
			return next
		}
	}
}

// updated tells the log of a change.
func (w *snapshotWorld) updated(names ...string) {
	w.tb.Helper()
	var events []event.Event
	for _, name := range names {
		events = append(events, event.Event{
			DocType: "Customer", Name: name, Kind: event.Updated, Source: event.Webhook,
			Modified: time.Now().UTC().Format(event.ModifiedLayout),
		})
	}
	if _, err := w.log.Append(w.tb.Context(), events); err != nil {
		w.tb.Fatal(err)
	}
}

func TestSaveSnapshots(t *testing.T) {
	t.Parallel()
	w := newSnapshotWorld(t)
	w.save("Grant", "read before", time.Minute)
	w.save("Grant", "read later", time.Second)
	w.save("Grant", "read before, stored later", 30*time.Second)
	long := strings.Repeat("ü", 2000)
	zero, grant := "a\x00b", snapshot.Document{DocType: "Customer", Name: "Grant"}
	w.tx(func(tx pgx.Tx) error {
		return snapshot.Save(t.Context(), tx, []snapshot.Seen{
			{Document: snapshot.Document{DocType: "Customer", Name: "Zero"}, Title: &zero, Began: time.Now()},
			{Document: snapshot.Document{DocType: "Customer", Name: "Long"}, Title: &long, Began: time.Now()},
			{Document: snapshot.Document{DocType: "Customer", Name: "None"}, Began: time.Now()},
			{Document: snapshot.Document{DocType: "Customer", Name: "None"}, Began: time.Now()},
		})
	})
	same(t, "kept", w.kept(), "Customer Grant: read later", "Customer Long: "+strings.Repeat("ü", 1024), "Customer None: -", "Customer Zero: ab")
	w.sql(`insert into link_dangling values ('Deal', 'x', 'customer', 'Customer', 'None')`)
	got, err := snapshot.Read(t.Context(), w.db.Pool(), []snapshot.Document{grant, {DocType: "Item", Name: "Grant"}, {DocType: "Customer", Name: "None"}, {DocType: "Customer", Name: "grant"}})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if s := got[grant]; s.Title == nil || *s.Title != "read later" || s.Dangling || time.Since(s.SeenAt).Abs() > time.Hour {
		t.Errorf("%+v", s)
	}
	if s := got[snapshot.Document{DocType: "Customer", Name: "None"}]; s.Title != nil || !s.Dangling {
		t.Errorf("%+v", s)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newSnapshotWorld(t)
	for _, name := range []string{"Grant", "West", "Hidden", "Deleted"} {
		w.save(name, "old", time.Second)
		w.title(name, "new")
	}
	w.title("Stranger", "new")
	w.title("ÜNAL", "new")
	w.save("Ünal", "old", time.Second)
	w.erp.Vanish("Customer", "Hidden")
	at := w.refresh(0)
	if n := w.erp.Lists("Customer"); n != 0 {
		t.Errorf("%d calls without an event", n)
	}
	w.updated("Grant", "Hidden", "Stranger", "Ünal")
	w.append(deleted("Customer", "Deleted"))
	at = w.refresh(at)
	old := []string{"Customer Deleted: old", "Customer Grant: new", "Customer Hidden: old", "Customer West: old", "Customer Ünal: old"}
	same(t, "after events", w.kept(), old...)
	if n := w.erp.Lists("Customer"); n != 1 {
		t.Errorf("%d calls", n)
	}
	w.refresh(0) // as a process that begins
	if n := w.erp.Lists("Customer"); n != 1 {
		t.Errorf("%d calls for what was done", n)
	}

	// While ERPNext is down all stays due.
	w.title("Grant", "newer")
	w.updated("Grant")
	w.erp.Down(apierror.New(apierror.UpstreamUnavailable, "down"))
	if next, done, err := w.snapshots.Refresh(t.Context(), at); apierror.CodeOf(err) != apierror.UpstreamUnavailable || done || next != at {
		t.Errorf("while it is down: %d, %v, %v", next, done, err)
	}
	w.erp.Down(nil)
	at = w.refresh(at)
	old[1] = "Customer Grant: newer"
	same(t, "later", w.kept(), old...)

	// What the account may not read at all is not tried again and again.
	w.erp.Deny("Customer", apierror.Forbidden)
	w.updated("Grant")
	before := w.erp.Lists("Customer")
	w.refresh(at)
	w.refresh(at)
	if n := w.erp.Lists("Customer") - before; n != 1 {
		t.Errorf("%d calls for what is forbidden", n)
	}
	same(t, "forbidden", w.kept(), old...)
}

// Another process that is at it leaves the work due.
func TestRefreshInTurn(t *testing.T) {
	t.Parallel()
	w := newSnapshotWorld(t)
	w.save("Grant", "old", time.Second)
	w.title("Grant", "new")
	w.updated("Grant")
	w.tx(func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `select pg_advisory_xact_lock(hashtextextended('erpgraph link snapshots ' || current_schema(), 0))`); err != nil {
			return err
		}
		next, done, err := w.snapshots.Refresh(t.Context(), 0)
		if next != 0 || done || err != nil {
			t.Errorf("%d, %v, %v", next, done, err)
		}
		return nil
	})
	w.refresh(0)
	same(t, "then", w.kept(), "Customer Grant: new")
}

func TestRefreshMany(t *testing.T) {
	t.Parallel()
	w := newSnapshotWorld(t)
	var names []string
	for i := range 1100 {
		names = append(names, fmt.Sprintf("c%04d", i))
		w.title(names[i], "new")
	}
	w.sql(`insert into link_snapshot select 'Customer', n, 'old', now() - interval '1 second', now() - interval '1 second' from unnest($1::text[]) n`, names)
	w.updated(names...)
	w.refresh(0)
	if n := w.value(`select count(*)::text from link_snapshot where title = 'new'`); n != "1100" {
		t.Errorf("%s are new", n)
	}
	if n := w.erp.Lists("Customer"); n != 3 {
		t.Errorf("%d calls", n)
	}
}

func TestSnapshotOfRenamed(t *testing.T) {
	t.Parallel()
	w := newSnapshotWorld(t)
	w.sql(`insert into deal (id, customer) values ($1, 'Grant'), ($2, 'Merged')`, id(1), id(2))
	w.save("Grant", "grant", time.Second)
	w.save("Merged", "merged", time.Second)
	w.save("West", "west", time.Second)
	w.append(renamed("Customer", "Grant", "G2"))
	w.append(renamed("Customer", "Merged", "West"))
	same(t, "moved", w.kept(), "Customer G2: grant", "Customer West: west")
	w.tx(func(tx pgx.Tx) error {
		_, err := w.keeper.Apply(t.Context(), tx, renamed("Customer", "Grant", "G2"))
		return err
	})
	w.title("G2", "another title")
	w.refresh(0)
	same(t, "and read again", w.kept(), "Customer G2: another title", "Customer West: west")

	// What can't follow still shows what it links to.
	w.sql(`insert into rating values (1, 'G2'), (2, 'West')`)
	w.append(renamed("Customer", "G2", "West"))
	same(t, "refused", w.kept(), "Customer G2: another title", "Customer West: west")
}

func TestSweep(t *testing.T) {
	t.Parallel()
	w := newSnapshotWorld(t)
	w.sql(`insert into deal (id, customer, agent, item) values ($1, 'Grant', 'Agent', 'Pump'), ($2, 'Old', null, 'Lost')`, id(1), id(2))
	w.sql(`insert into rating values (1, 'Rated')`)
	for _, name := range []string{"Grant", "Rated", "Agent", "Old"} {
		w.title(name, "title of "+name)
	}
	w.erp.Insert("Item", "Pump")
	for _, name := range []string{"Unlinked", "Old", "Agent"} {
		w.save(name, "kept", 2*time.Hour)
	}
	w.save("Young", "kept", time.Minute) // its row may not be committed
	w.sql(`insert into link_snapshot values ('Supplier', 'x', 'of a link that keeps none any more', now(), now())`)
	if err := links.NewSnapshots(w.config(nil)).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, "without an account", w.kept(), "Customer Old: kept", "Customer Young: kept")
	if err := w.snapshots.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, "with one", w.kept(), "Customer Grant: title of Grant", "Customer Old: kept", "Customer Rated: title of Rated", "Customer Young: kept", "Item Pump: -")
	w.erp.Deny("Item", apierror.NotFound)
	if err := w.snapshots.Sweep(t.Context()); err != nil {
		t.Errorf("a DocType that is gone: %v", err)
	}
	w.erp.Down(apierror.New(apierror.UpstreamUnavailable, "down"))
	if err := w.snapshots.Sweep(t.Context()); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("an outage: %v", err)
	}
}

// Two processes follow the log; a title is read by one of them.
func TestSnapshotsRun(t *testing.T) {
	t.Parallel()
	w := newSnapshotWorld(t)
	w.sql(`insert into deal (id, customer) values ($1, 'Grant')`, id(1))
	w.title("Grant", "first")
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for _, run := range []func(context.Context) error{w.hub.Run, w.snapshots.Run, links.NewSnapshots(w.config(&trail.Site{Upstream: w.erp})).Run, links.NewSnapshots(w.config(nil)).Run} {
		group.Go(func() {
			if err := run(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	w.becomes("Customer Grant: first")
	calls := w.erp.Lists("Customer")
	for _, title := range []string{"second", "third"} {
		w.title("Grant", title)
		w.updated("Grant")
		w.becomes("Customer Grant: " + title)
	}
	if n := w.erp.Lists("Customer") - calls; n != 2 {
		t.Errorf("%d calls for two changes", n)
	}
}

func (w *snapshotWorld) becomes(want ...string) {
	w.tb.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(20 * time.Second)
	for !slices.Equal(w.kept(), want) {
		select {
		case <-ticker.C:
		case <-late:
			w.tb.Fatalf("%v, want %v", cmp.Or(strings.Join(w.kept(), ", "), "nothing"), want)
		}
	}
}
