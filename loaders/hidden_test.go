package loaders_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres"
	"erpgraph/loaders"
)

// cost is all that a caller can tell of what a read did, but its rows.
func cost(ctx context.Context, set *loaders.Set, read func(context.Context, *loaders.Set) error) string {
	var statements atomic.Int64
	before := set.Calls()
	err := read(postgres.WithObserver(ctx, func(postgres.Statement) { statements.Add(1) }), set)
	text := ""
	if err != nil {
		text = err.Error()
	}
	return fmt.Sprintf("%d calls, %d statements, %s %s", set.Calls()-before, statements.Load(), apierror.CodeOf(err), text)
}

func cond(t *doctype.Type, field string, op criteria.Op, v any) *criteria.Expr {
	return &criteria.Expr{Cond: &criteria.Cond{Field: t.Field(field), Op: op, Value: v, Path: "where." + field}}
}

// before are what a response may have read already.
func (w *world) before() map[string]func(context.Context, *loaders.Set) {
	customer := w.typ("Customer")
	return map[string]func(context.Context, *loaders.Set){
		"nothing": func(context.Context, *loaders.Set) {},
		"all the documents that he may read": func(ctx context.Context, s *loaders.Set) {
			_, _ = s.Page(ctx, loaders.PageQuery{Type: customer, Limit: 500})
		},
		"documents, of which one was left out": func(ctx context.Context, s *loaders.Set) {
			s.Documents(ctx, customer, []string{"Grant", "West"})
		},
		"a count": func(ctx context.Context, s *loaders.Set) { _, _ = s.Count(ctx, w.typ("Contract"), nil) },
		"rows, one of them hidden": func(ctx context.Context, s *loaders.Set) {
			s.Documents(ctx, w.typ("Contract"), []string{uuid(1), uuid(3)})
		},
	}
}

// Whatever a caller asks for, a row that is hidden from him costs what one costs that does
// not exist, and fails in the same words, also while ERPNext is down.
func TestHiddenRowsCostWhatMissingOnesDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant").may("Item", "A", "B").may("Employee", "eve")
	w.sql(`update service_contract set item = 'SECRET-7' where customer = 'West'`)
	w.sql(`update service_visit set status = 'CANCELLED' where technician = 'tom'`)
	contract, open := w.typ("Contract"), w.typ("OpenContract")
	item := func(like string) *criteria.Expr { return cond(contract, "item", criteria.Like, like) }
	reverse := func(to, parent, like string) loaders.ReverseQuery {
		q := w.reverse(to, "Contract", parent)
		q.Where = item(like)
		return q
	}
	lists := map[string]func(ctx context.Context, s *loaders.Set, like string) error{
		"list": func(ctx context.Context, s *loaders.Set, like string) error {
			_, err := s.Page(ctx, loaders.PageQuery{Type: contract, Where: item(like), Limit: 1})
			return err
		},
		"list from the end": func(ctx context.Context, s *loaders.Set, like string) error {
			_, err := s.Page(ctx, loaders.PageQuery{Type: contract, Where: &criteria.Expr{And: []*criteria.Expr{item(like)}}, Limit: 5, Backward: true})
			return err
		},
		"count": func(ctx context.Context, s *loaders.Set, like string) error {
			_, err := s.Count(ctx, contract, item(like))
			return err
		},
		"aggregate": func(ctx context.Context, s *loaders.Set, like string) error {
			_, err := s.Aggregate(ctx, criteria.Aggregate{Type: contract, Where: item(like), Figures: []criteria.Figure{{Func: criteria.Count, As: "n"}}})
			return err
		},
		"reverse": func(ctx context.Context, s *loaders.Set, like string) error {
			_, err := s.Reverse(ctx, reverse("Item", "A", like))
			return err
		},
		"reverse counts": func(ctx context.Context, s *loaders.Set, like string) error {
			_, err := s.ReverseCounts(ctx, reverse("Item", "A", like))
			return err
		},
		"reverse, of the hidden item": func(ctx context.Context, s *loaders.Set, like string) error {
			_, err := s.Reverse(ctx, w.reverse("Item", "Contract", strings.TrimSuffix(like, "%")))
			return err
		},
		"reverse, through the link itself": func(ctx context.Context, s *loaders.Set, like string) error {
			_, err := s.Reverse(ctx, reverse("Customer", "Grant", like))
			return err
		},
		"a condition on hidden rows": func(ctx context.Context, s *loaders.Set, like string) error {
			status := map[string]string{"SECRET-6%": "PLANNED ", "SECRET-7%": "CANCELLED"}[like]
			_, err := s.Count(ctx, open, w.some(open, "visits", eq(w.typ("TechVisit"), "status", status)))
			return err
		},
	}
	ids := map[string]func(ctx context.Context, s *loaders.Set, id string) error{
		"by id": func(ctx context.Context, s *loaders.Set, id string) error {
			s.Documents(ctx, contract, []string{id})
			_, err := s.Document(contract, id)
			return err
		},
		"lookup": func(ctx context.Context, s *loaders.Set, id string) error {
			_, err := s.Lookup(ctx, "Contract", id, "status")
			return err
		},
		"where id": func(ctx context.Context, s *loaders.Set, id string) error {
			_, err := s.Page(ctx, loaders.PageQuery{Type: contract, Where: eq(contract, "id", id), Limit: 1})
			return err
		},
	}
	for state, before := range w.before() {
		for _, down := range []bool{false, true} {
			w := w.with(t)
			costs := func(read func(context.Context, *loaders.Set) error) string {
				w.fail = nil
				set := w.set()
				set.Select(contract, "item")
				before(t.Context(), set)
				if down {
					w.fail = apierror.New(apierror.UpstreamUnavailable, "down")
				}
				return cost(t.Context(), set, read)
			}
			for name, read := range lists {
				of := func(like string) string {
					return costs(func(ctx context.Context, s *loaders.Set) error { return read(ctx, s, like) })
				}
				if hidden, missing := of("SECRET-7%"), of("SECRET-6%"); hidden != missing {
					t.Errorf("%s after %s, down %t:\nhidden  %s\nmissing %s", name, state, down, hidden, missing)
				}
			}
			for name, read := range ids {
				of := func(id string) string {
					return strings.ReplaceAll(costs(func(ctx context.Context, s *loaders.Set) error { return read(ctx, s, id) }), id, "ID")
				}
				if state == "rows, one of them hidden" && name == "by id" {
					continue // asked for once, it is known
				}
				if hidden, missing := of(uuid(3)), of(uuid(99)); hidden != missing {
					t.Errorf("%s after %s, down %t:\nhidden  %s\nmissing %s", name, state, down, hidden, missing)
				}
			}
		}
	}
}

// How many hidden rows a where matches, or there are behind a position, does not tell in
// the number of calls or statements.
func TestManyHiddenRowsCostWhatNoneDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fill(400, 60).may("Customer", "C0")
	contract := w.typ("Contract")
	w.sql(`update service_contract set monthly_fee = 1000 + right(id::text, 3)::int where customer <> 'C0'`)
	w.sql(`update service_contract set monthly_fee = 5000 where customer = 'C0'`)
	fee := []criteria.Order{{Field: contract.Field("monthlyFee")}}
	seen := map[string][]int{}
	for _, n := range []int{0, 1, 5, 10, 30, 100, 400} {
		hidden := &criteria.Expr{And: []*criteria.Expr{cond(contract, "id", criteria.Lte, uuid(n)), cond(contract, "customer", criteria.Ne, "C0")}}
		from := &loaders.Position{Values: []jsontext.Value{jsontext.Value(fmt.Sprint(1400 - n))}, Key: uuid(400)}
		for name, q := range map[string]loaders.PageQuery{
			"where":                 {Type: contract, Where: hidden, Limit: 5},
			"position":              {Type: contract, Order: fee, Limit: 1, After: from},
			"position from the end": {Type: contract, Order: fee, Limit: 1, After: from, Backward: true},
			"position, and where":   {Type: contract, Order: fee, Where: hidden, Limit: 1, After: from},
			"where, and an order":   {Type: contract, Order: fee, Where: hidden, Limit: 1},
		} {
			key := name + ": " + cost(t.Context(), w.set(), func(ctx context.Context, s *loaders.Set) error { _, err := s.Page(ctx, q); return err })
			seen[key] = append(seen[key], n)
		}
	}
	if len(seen) != 5 {
		t.Errorf("costs by the number of hidden rows: %v", seen)
	}
}

// Rows that the caller sees lead to rows that he sees: that costs no call.
func TestLinksOfVisibleRowsAreFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant")
	part, visit, contract := w.typ("Part"), w.typ("Visit"), w.typ("Contract")
	set := w.set()
	set.Select(part, "visit")
	set.Select(visit, "contract")
	set.Select(contract, "customer")
	if _, err := set.Page(t.Context(), loaders.PageQuery{Type: part, Limit: 10}); err != nil || set.Calls() != 1 {
		t.Fatalf("%d calls, %v", set.Calls(), err)
	}
	set.Documents(t.Context(), visit, []string{uuid(11)})
	set.Documents(t.Context(), contract, []string{uuid(1)})
	if row, err := set.Document(contract, uuid(1)); err != nil || row.Text("customer") != "Grant" || set.Calls() != 1 {
		t.Errorf("%v after %d calls, %v", row, set.Calls(), err)
	}
	set.Documents(t.Context(), contract, []string{uuid(2)})
	if set.Calls() != 2 {
		t.Errorf("%d calls after another id", set.Calls())
	}
}

// A caller with no right but "select" gets names from ERPNext's list, and no standard
// columns. He may not read the documents, so neither what is read through them.
func TestSelectIsNotRead(t *testing.T) {
	t.Parallel()
	base := newWorld(t).seed().may("Customer", "Grant", "West", "Far")
	for name, chunk := range map[string]int{"by name": 0, "by all names": 1} {
		w := base.with(t)
		w.bend = func(cfg *loaders.Config) { cfg.ChunkNames = chunk }
		set := w.set()
		w.up.list = func(q frappe.ListQuery) ([]map[string]string, error) {
			rows, err := w.answer(q)
			for _, r := range rows {
				delete(r, "owner")
			}
			return rows, err
		}
		set.Select(w.typ("Contract"), "customer")
		set.Documents(t.Context(), w.typ("Customer"), []string{"Grant"})
		if _, err := set.Document(w.typ("Customer"), "Grant"); err != nil {
			t.Errorf("%s: the name itself: %v", name, err)
		}
		page, err := set.Page(t.Context(), loaders.PageQuery{Type: w.typ("Contract"), Limit: 10})
		if err != nil || len(page.Rows) > 0 {
			t.Errorf("%s: a page of %v, %v", name, page, err)
		}
		if n, err := set.Count(t.Context(), w.typ("Visit"), nil); n != 0 || err != nil {
			t.Errorf("%s: counts %d, %v", name, n, err)
		}
		pages, err := set.Reverse(t.Context(), w.reverse("Customer", "Contract", "Grant"))
		if err != nil || len(pages["Grant"].Rows) > 0 {
			t.Errorf("%s: below the name: %v, %v", name, pages, err)
		}
	}
}

// A refusal says that the caller has no right to a DocType only where no list of it was
// answered: on one chunk of several it is a failure.
func TestRefusedChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fill(40, 40).may("Customer", names(0, 40)...)
	contract := w.typ("Contract")
	w.bend = func(cfg *loaders.Config) { cfg.ChunkNames = 5 }
	for name, tt := range map[string]struct {
		refuse func(call int) bool
		fails  bool
		rows   int
	}{
		"none":  {func(int) bool { return false }, false, 30},
		"all":   {func(int) bool { return true }, false, 0},
		"one":   {func(n int) bool { return n == 3 }, true, 0},
		"first": {func(n int) bool { return n == 1 }, true, 0},
	} {
		w := w.with(t)
		set := w.set()
		var calls atomic.Int64
		w.up.list = func(q frappe.ListQuery) ([]map[string]string, error) {
			if tt.refuse(int(calls.Add(1))) {
				return nil, errForbidden
			}
			return w.answer(q)
		}
		page, err := set.Page(t.Context(), loaders.PageQuery{Type: contract, Limit: 30})
		if tt.fails && apierror.CodeOf(err) != apierror.Forbidden || !tt.fails && (err != nil || len(page.Rows) != tt.rows) {
			t.Errorf("%s: %v, %v", name, page, err)
		}
	}
	// After a list that was answered.
	set := w.set()
	set.Documents(t.Context(), w.typ("Customer"), names(0, 1))
	delete(w.readable, "Customer")
	if _, err := set.Count(t.Context(), contract, nil); apierror.CodeOf(err) != apierror.Forbidden {
		t.Errorf("a count after a list: %v", err)
	}
}

// All names of a DocType are asked for once in a response.
func TestAllNamesAreAskedForOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fill(40, 40)
	contract, visit := w.typ("Contract"), w.typ("Visit")
	for name, tt := range map[string]struct {
		readable []string
		calls    int // of the first count, then of all
		all      int
	}{
		"few":      {names(0, 3), 1, 1},
		"too many": {append(names(20_000, 11_000), names(0, 40)...), 5, 6},
	} {
		w := w.with(t).may("Customer", tt.readable...)
		w.bend = func(cfg *loaders.Config) { cfg.ChunkNames = 10 }
		set := w.set()
		if _, err := set.Count(t.Context(), contract, nil); err != nil || set.Calls() != tt.calls {
			t.Errorf("%s: %d calls, %v", name, set.Calls(), err)
		}
		if _, err := set.Count(t.Context(), visit, nil); err != nil || set.Calls() != tt.all {
			t.Errorf("%s: %d calls in all, %v", name, set.Calls(), err)
		}
		unlimited := slices.ContainsFunc(w.up.lists[1:], func(q frappe.ListQuery) bool { return len(q.Filters) == 0 })
		if len(w.up.lists[0].Filters) > 0 || unlimited {
			t.Errorf("%s: all names were not asked for once: %v", name, w.up.lists)
		}
	}
}

// The statements of one operation are bounded.
func TestMaxStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Employee", "eve", "tom")
	w.bend = func(cfg *loaders.Config) { cfg.MaxCalls = 10_000 }
	open := w.typ("OpenContract")
	for conditions, fails := range map[int]bool{150: false, 400: true} {
		var or []*criteria.Expr
		for i := range conditions {
			or = append(or, w.some(open, "visits", cond(w.typ("TechVisit"), "technician", criteria.Ne, fmt.Sprint("x", i))))
		}
		var statements atomic.Int64
		ctx := postgres.WithObserver(t.Context(), func(postgres.Statement) { statements.Add(1) })
		n, err := w.set().Count(ctx, open, &criteria.Expr{Or: or})
		if fails && apierror.CodeOf(err) != apierror.CostLimit || !fails && (err != nil || n != 2) || statements.Load() > 200 {
			t.Errorf("%d conditions: %d rows after %d statements, %v", conditions, n, statements.Load(), err)
		}
	}
}

// Ids of local rows are compared as Postgres does.
func TestTextIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sql(`create table thing (id text primary key, label text)`)
	w.sql(`insert into thing values ('a', 'small'), ('B', 'big')`)
	typ := &doctype.Type{Name: "Thing", Key: "Thing", Source: doctype.Local, Table: "thing", Access: &doctype.Access{Public: true}, Fields: []*doctype.Field{
		{Name: "id", Column: "id", Kind: doctype.ID},
		{Name: "label", Column: "label", Kind: doctype.String},
	}}
	w.reg = doctype.NewRegistry([]*doctype.Type{typ})
	set := w.set()
	set.Documents(t.Context(), typ, []string{"a", "A", "b", "B"})
	for id, want := range map[string]string{"a": "a", "A": "", "b": "", "B": "B"} {
		row, err := set.Document(typ, id)
		if want == "" && apierror.CodeOf(err) != apierror.NotFound || want != "" && (err != nil || row.Key != want) {
			t.Errorf("%q: %v, %v", id, row, err)
		}
	}
}

// A position is compared by the database, so the page behind it is what a walk shows.
func TestPositionsOfVisibleRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fill(120, 30).may("Customer", names(0, 7)...)
	contract := w.typ("Contract")
	order := []criteria.Order{{Field: contract.Field("monthlyFee"), Desc: true}}
	all := ids(w.pages(loaders.PageQuery{Type: contract, Order: order, Limit: 200}))
	for _, chunk := range []int{5, 1000} { // too many to ask about beforehand, and not
		w := w.with(t)
		w.bend = func(cfg *loaders.Config) { cfg.ChunkNames = chunk }
		for _, backward := range []bool{false, true} {
			if got := ids(w.pages(loaders.PageQuery{Type: contract, Order: order, Limit: 4, Backward: backward})); got != all {
				t.Errorf("in chunks of %d, backward %t\n got %s\nwant %s", chunk, backward, got, all)
			}
		}
	}
}
