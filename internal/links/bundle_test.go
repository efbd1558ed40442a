package links_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
	"erpgraph/internal/links"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
)

// sdl are the app's tables. A deal goes with its customer, with its steps and notes; a
// step's memo stays without it; a bill stops the deletion of its deal.
const sdl = `
type Deal implements Node @table(name: "deal") @access(public: true) {
  id: ID!
  customer: Customer! @link(onDelete: CASCADE)
  agent: Customer @link(onDelete: NULL)
  item: Item @link
  updatedAt: DateTime! @modified
}
type Step implements Node @table(name: "step") @access(public: true) {
  id: ID!
  deal: Deal! @link(onDelete: CASCADE)
  before: Step @link(onDelete: CASCADE)
}
type Memo implements Node @table(name: "memo") @access(public: true) {
  id: ID!
  step: Step @link(onDelete: NULL)
  customer: Customer @link(onDelete: RESTRICT)
}
type Bill implements Node @table(name: "bill") @access(public: true) {
  id: ID!
  deal: Deal! @link(onDelete: RESTRICT)
}
type Rating implements Node @table(name: "rating") @access(public: true) {
  id: ID!
  customer: Customer! @link
}
`

const tables = `
create table deal (id uuid primary key default gen_random_uuid(), customer text not null, agent text, item text, updated_at timestamptz not null default '2000-01-01Z');
create table step (id bigint primary key, deal uuid not null references deal on delete cascade, before bigint references step on delete cascade);
create table memo (id text primary key, step bigint references step on delete set null, customer text);
create table bill (id bigint primary key, deal uuid not null references deal on delete restrict);
create table rating (id bigint primary key, customer text not null unique);
create index on deal (customer);
create index on deal (agent);
create index on step (deal);
create index on step (before);
create index on memo (step);
create index on bill (deal);
`

type world struct {
	tb     testing.TB
	db     *postgres.DB
	reg    *doctype.Registry
	keeper *links.Keeper
	log    *event.Log
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	cfg, err := doctype.ParseConfig([]byte("doctypes: {Customer: {}, Item: {}}"))
	if err != nil {
		tb.Fatal(err)
	}
	var facts []*doctype.Facts
	for _, name := range []string{"Customer", "Item"} {
		f, err := doctype.ParseFacts([]byte(`{"name": "` + name + `", "fields": [{"fieldname": "title", "fieldtype": "Data"}]}`))
		if err != nil {
			tb.Fatal(err)
		}
		facts = append(facts, f)
	}
	w := &world{tb: tb, db: postgrestest.New(tb)}
	w.reg, _, err = doctype.Build(cfg, facts, []*ast.Source{{Name: "schema/app/app.graphqls", Input: sdl}})
	if err != nil {
		tb.Fatal(err)
	}
	w.sql(tables)
	w.keeper = links.New(w.reg, nil)
	w.log = event.NewLog(event.LogConfig{Pool: w.db.Pool(), Upkeep: w.keeper.Apply, Restored: w.keeper.Restored, Linked: w.keeper.Linked})
	return w
}

func (w *world) sql(text string, args ...any) {
	w.tb.Helper()
	if _, err := w.db.Pool().Exec(w.tb.Context(), text, args...); err != nil {
		w.tb.Fatal(err)
	}
}

// id is a readable uuid.
func id(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// value reads one value as text.
func (w *world) value(text string, args ...any) string {
	w.tb.Helper()
	var out *string
	if err := w.db.Pool().QueryRow(w.tb.Context(), text, args...).Scan(&out); err != nil {
		w.tb.Fatal(err)
	}
	if out == nil {
		return "null"
	}
	return *out
}

// append logs an event and gives what is new in the log.
func (w *world) append(e event.Event) []string {
	w.tb.Helper()
	before := w.head()
	if _, err := w.log.Append(w.tb.Context(), []event.Event{e}); err != nil {
		w.tb.Fatalf("append: %v", err)
	}
	return w.since(before)
}

func (w *world) head() event.Cursor {
	w.tb.Helper()
	head, err := w.log.Head(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	return head
}

func (w *world) since(after event.Cursor) []string {
	w.tb.Helper()
	events, _, err := w.log.Read(w.tb.Context(), after, 0, nil, 1000)
	if err != nil {
		w.tb.Fatal(err)
	}
	out := []string{}
	for _, e := range events {
		out = append(out, fmt.Sprintf("%s %s %s", e.Kind, e.DocType, e.Name))
	}
	slices.Sort(out)
	return out
}

// dangling lists all dangling links.
func (w *world) dangling() []string {
	w.tb.Helper()
	list, err := w.keeper.Dangling(w.tb.Context(), w.db.Pool(), []string{"Deal", "Step", "Memo", "Bill", "Rating"}, links.Dangling{}, 100)
	if err != nil {
		w.tb.Fatal(err)
	}
	out := []string{}
	for _, d := range list {
		out = append(out, fmt.Sprintf("%s %s %s → %s %s", d.Type, d.Row, d.Field, d.DocType, d.Name))
	}
	return out
}

// tx runs do in a transaction.
func (w *world) tx(do func(pgx.Tx) error) {
	w.tb.Helper()
	if err := pgx.BeginFunc(w.tb.Context(), w.db.Pool(), do); err != nil {
		w.tb.Fatal(err)
	}
}

func same(tb testing.TB, what string, got []string, want ...string) {
	tb.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

const stamp = "2026-11-24 10:00:00.000000"

func deleted(dt, name string) event.Event {
	return event.Event{DocType: dt, Name: name, Kind: event.Deleted, Modified: stamp, Source: event.Webhook}
}

func renamed(dt, from, to string) event.Event {
	return event.Event{DocType: dt, Name: to, Previous: from, Kind: event.Renamed, Modified: stamp, Source: event.Catchup}
}
