package loaders_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/snapshot"
	"erpgraph/loaders"
)

// snapshotTypes are a local type whose link to a DocType with a title keeps a snapshot.
func snapshotTypes(tb testing.TB) *doctype.Registry {
	tb.Helper()
	cfg, err := doctype.ParseConfig([]byte("doctypes: {Customer: {}, Item: {}}"))
	if err != nil {
		tb.Fatal(err)
	}
	var facts []*doctype.Facts
	for _, name := range []string{"Customer", "Item"} {
		f, err := doctype.ParseFacts([]byte(`{"name": "` + name + `", "title_field": "title", "fields": [{"fieldname": "title", "fieldtype": "Data"}]}`))
		if err != nil {
			tb.Fatal(err)
		}
		facts = append(facts, f)
	}
	reg, _, err := doctype.Build(cfg, facts, []*ast.Source{{Name: "schema/app/deal.graphqls", Input: `
type Deal implements Node @table @access(public: true) { id: ID! customer: Customer @link(snapshot: true) item: Item @link }`}})
	if err != nil {
		tb.Fatal(err)
	}
	return reg
}

// Titles come along with what a link's check reads, where a snapshot is kept of them.
func TestSeenTitle(t *testing.T) {
	t.Parallel()
	reg := snapshotTypes(t)
	up := &upstream{list: func(frappe.ListQuery) ([]map[string]string, error) {
		return []map[string]string{
			{"name": `"Grant"`, "owner": `"x"`, "title": `"Grant & \"Co\""`},
			{"name": `"West"`, "owner": `"x"`, "title": `null`},
			{"name": `"Hidden"`, "owner": `"x"`},
			{"name": `"Select only"`, "title": `"told"`},
		}, nil
	}}
	set := newSet(t, up, func(cfg *loaders.Config) { cfg.Registry = reg })
	before := time.Now()
	for _, key := range []string{"Customer", "Item"} {
		if _, err := set.Readable(t.Context(), reg.ByKey(key), []string{"grant", "West", "Hidden", "Select only"}); err != nil {
			t.Fatal(err)
		}
	}
	var asked [][]string
	for _, q := range up.lists {
		var columns []string
		for _, c := range q.Columns {
			columns = append(columns, c.Field)
		}
		asked = append(asked, columns)
	}
	if !slices.Equal(asked[0], []string{"name", "owner", "title"}) || !slices.Equal(asked[1], []string{"name", "owner"}) || len(asked) != 2 {
		t.Errorf("asked for %v", asked)
	}
	for name, want := range map[string]string{"Grant": `Grant & "Co"`, "West": "none", "Hidden": "unknown", "Select only": "unknown", "grant": "unknown"} {
		seen, ok := set.SeenTitle(snapshot.Document{DocType: "Customer", Name: name})
		got := "unknown"
		if ok && seen.Title != nil {
			got = *seen.Title
		} else if ok {
			got = "none"
		}
		if got != want || ok && seen.Began.Before(before) {
			t.Errorf("%s: %s (%+v), want %s", name, got, seen, want)
		}
	}
	if _, ok := set.SeenTitle(snapshot.Document{DocType: "Item", Name: "Grant"}); ok {
		t.Error("a title that no link keeps")
	}
}

// A refusal is an answer; what did not come is none.
func TestUnasked(t *testing.T) {
	t.Parallel()
	reg := snapshotTypes(t)
	for code, want := range map[apierror.Code]bool{"": false, apierror.Forbidden: false, apierror.UpstreamUnavailable: true, apierror.UpstreamTimeout: true, apierror.RateLimited: true} {
		up := &upstream{list: func(frappe.ListQuery) ([]map[string]string, error) {
			if code == "" {
				return nil, nil
			}
			return nil, apierror.New(code, "no")
		}}
		set := newSet(t, up, func(cfg *loaders.Config) { cfg.Registry = reg })
		set.Documents(t.Context(), reg.ByKey("Customer"), []string{"Grant"})
		if got := set.Unasked("Customer"); got != want {
			t.Errorf("after %q: %v", code, got)
		}
		if set.Unasked("Item") {
			t.Error("another DocType")
		}
	}
	set := newSet(t, &upstream{}, func(cfg *loaders.Config) { cfg.Registry, cfg.MaxCalls = reg, 1 })
	set.Documents(t.Context(), reg.ByKey("Customer"), []string{"Grant"})
	set.Documents(t.Context(), reg.ByKey("Item"), []string{"Pump"})
	if set.Unasked("Customer") || !set.Unasked("Item") {
		t.Error("what no call was left for counts as asked")
	}
}

func TestSnapshots(t *testing.T) {
	t.Parallel()
	grant, reads := snapshot.Document{DocType: "Customer", Name: "Grant"}, 0
	failure := errors.New("no database")
	read := func(_ context.Context, documents []snapshot.Document) (map[snapshot.Document]snapshot.Snapshot, error) {
		reads++
		if !slices.Equal(documents, []snapshot.Document{grant}) {
			return nil, failure
		}
		return map[snapshot.Document]snapshot.Snapshot{grant: {Document: grant}}, nil
	}
	if got, err := newSet(t, &upstream{}, nil).Snapshots(t.Context(), []snapshot.Document{grant}); len(got) > 0 || err != nil {
		t.Errorf("where none are kept: %v, %v", got, err)
	}
	set := newSet(t, &upstream{}, func(cfg *loaders.Config) { cfg.Snapshots = read })
	if got, err := set.Snapshots(t.Context(), []snapshot.Document{grant}); len(got) != 1 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := set.Snapshots(t.Context(), nil); err != nil || reads != 1 {
		t.Errorf("of nothing: %v, %d reads", err, reads)
	}
	if _, err := set.Snapshots(t.Context(), []snapshot.Document{{}}); !errors.Is(err, failure) {
		t.Errorf("a failure: %v", err)
	}
	var err error
	for range 300 {
		if _, err = set.Snapshots(t.Context(), []snapshot.Document{grant}); err != nil {
			break
		}
	}
	if apierror.CodeOf(err) != apierror.CostLimit {
		t.Errorf("without end: %v", err)
	}
}
