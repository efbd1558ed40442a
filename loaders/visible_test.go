package loaders_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

var errForbidden = apierror.New(apierror.Forbidden, "no permission")

// seen is all that a caller can learn of a type: its list, its count, its figures, each
// row by id, and for a list of ids that were there, which of them are.
func (w *world) seen(typ string, where func(*doctype.Type) *criteria.Expr) (string, error) {
	w.tb.Helper()
	t := w.typ(typ)
	var expr *criteria.Expr
	if where != nil {
		expr = where(t)
	}
	ctx := w.tb.Context()
	page, err := w.set().Page(ctx, loaders.PageQuery{Type: t, Where: expr, Limit: 100})
	if err != nil {
		return "", err
	}
	list := ids(page.Rows)
	n, err := w.set().Count(ctx, t, expr)
	if err != nil || int(n) != len(page.Rows) {
		w.tb.Errorf("%s: %d rows are listed, %d counted: %v", typ, len(page.Rows), n, err)
	}
	figures, err := w.set().Aggregate(ctx, criteria.Aggregate{Type: t, Where: expr, GroupBy: []*doctype.Field{t.Field("id")}, Figures: []criteria.Figure{{Func: criteria.Count, As: "n"}}})
	if err != nil || ids(figures) != list {
		w.tb.Errorf("%s: %q are listed, %q grouped: %v", typ, list, ids(figures), err)
	}
	if where == nil {
		if one := w.byID(typ); one != list {
			w.tb.Errorf("%s: %q are listed, %q found by id", typ, list, one)
		}
	}
	return list, nil
}

// byID are the rows that are found by their ids; all others are NOT_FOUND in the words
// of one that never was.
func (w *world) byID(typ string) string {
	w.tb.Helper()
	t, set := w.typ(typ), w.set()
	var all []string
	for i := range 30 {
		all = append(all, uuid(i))
	}
	set.Documents(w.tb.Context(), t, all)
	var found []*loaders.Row
	for _, id := range all {
		row, err := set.Document(t, id)
		if err == nil {
			found = append(found, row)
			continue
		}
		if e, ok := apierror.As(err); !ok || e.Code != apierror.NotFound || e.Message != fmt.Sprintf("%s %q does not exist", typ, id) {
			w.tb.Errorf("%s: %v", id, err)
		}
	}
	return ids(found)
}

func TestWhoSeesWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed()
	grant, west := w.may("Customer", "Grant"), w.may("Customer", "West", "Elsewhere")
	all, none := w.may("Customer", "Grant", "West", "Far"), w.may("Customer")
	done := func(list string) func(*doctype.Type) *criteria.Expr {
		return func(t *doctype.Type) *criteria.Expr {
			return w.some(t, list, eq(w.reg.ByKey(t.Field(list).Target), "status", "DONE"))
		}
	}
	not := func(where func(*doctype.Type) *criteria.Expr) func(*doctype.Type) *criteria.Expr {
		return func(t *doctype.Type) *criteria.Expr { return &criteria.Expr{Not: where(t)} }
	}
	tests := []struct {
		name  string
		world *world
		typ   string
		where func(*doctype.Type) *criteria.Expr
		want  string
	}{
		{"through a customer", grant, "Contract", nil, "1 2"},
		{"through another", west, "Contract", nil, "3"},
		{"through any", all, "Contract", nil, "1 2 3 4"},
		{"through none", none, "Contract", nil, ""},
		{"without the right to any", w, "Contract", nil, ""},
		{"with a where", grant, "Contract", func(t *doctype.Type) *criteria.Expr { return eq(t, "status", "ACTIVE") }, "1"},
		{"with a where on what is hidden", grant, "Contract", func(t *doctype.Type) *criteria.Expr { return eq(t, "customer", "West") }, ""},
		{"through a row", grant, "Visit", nil, "11 12"},
		{"through a row, another", west, "Visit", nil, "13"},
		{"through two rows", grant, "Part", nil, "21"},
		{"through two rows, any", all, "Part", nil, "21 22"},
		{"rows that are read through this one", all, "Contract", done("visits"), "1 3"},
		{"rows that are read through this one, hidden", grant, "Contract", done("visits"), "1"},
		{"rows of rows", all, "Contract", func(t *doctype.Type) *criteria.Expr {
			return w.some(t, "visits", w.some(w.typ("Visit"), "parts", eq(w.typ("Part"), "item", "A")))
		}, "1 3"},
		{"no such rows", grant, "Contract", not(done("visits")), "2"},
		{"public", w, "OpenContract", nil, "1 2 3 4"},
		{"through what is public", w, "OpenVisit", nil, "11 12 13"},
		{"rows that are hidden from this caller", w.may("Employee", "eve"), "OpenContract", done("visits"), "3"},
		{"no rows that he sees", w.may("Employee", "eve"), "OpenContract", not(done("visits")), "1 2 4"},
		{"rows that he all sees", w.may("Employee", "eve", "tom"), "OpenContract", done("visits"), "1 3"},
		{"rows that nobody shows him", w, "OpenContract", done("visits"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.world.with(t).seen(tt.typ, tt.where)
			if err != nil || got != tt.want {
				t.Errorf("sees %q, want %q: %v", got, tt.want, err)
			}
		})
	}
}

// Whoever lacks a role is refused alike, however he asks, and learns which it is.
func TestRolesAreNeededEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant")
	for _, tt := range []struct {
		typ   string
		roles []string
		want  string
	}{
		{"Contract", nil, "Contract: reading needs one of the roles Sales User, Auditor"},
		{"Contract", []string{"Sales user", "Stock User"}, "Contract: reading needs one of the roles Sales User, Auditor"},
		{"Visit", []string{"Stock User"}, "Visit: reading needs one of the roles Sales User, Auditor"},
		{"Part", []string{"Auditor"}, "Part: reading needs the role Stock User"},
		{"Part", []string{"Stock User"}, "Part: reading needs one of the roles Sales User, Auditor"},
		{"Visit", []string{"Auditor"}, ""},
		{"OpenVisit", nil, ""},
	} {
		typ, ctx := w.typ(tt.typ), t.Context()
		of := w.with(t).as(tt.roles...)
		parent, q := "Contract", uuid(1)
		switch tt.typ {
		case "Contract":
			parent, q = "Customer", "Grant"
		case "Part":
			parent, q = "Item", "A"
		case "OpenVisit":
			parent = "OpenContract"
		}
		reverse := of.reverse(parent, tt.typ, q)
		for how, read := range map[string]func(s *loaders.Set) error{
			"list":  func(s *loaders.Set) error { _, err := s.Page(ctx, loaders.PageQuery{Type: typ, Limit: 5}); return err },
			"count": func(s *loaders.Set) error { _, err := s.Count(ctx, typ, nil); return err },
			"aggregate": func(s *loaders.Set) error {
				_, err := s.Aggregate(ctx, criteria.Aggregate{Type: typ, Figures: []criteria.Figure{{Func: criteria.Count, As: "n"}}})
				return err
			},
			"reverse":        func(s *loaders.Set) error { _, err := s.Reverse(ctx, reverse); return err },
			"reverse counts": func(s *loaders.Set) error { _, err := s.ReverseCounts(ctx, reverse); return err },
			"lookup":         func(s *loaders.Set) error { _, err := s.Lookup(ctx, tt.typ, uuid(99)); return found(err) },
			"by id": func(s *loaders.Set) error {
				s.Documents(ctx, typ, []string{uuid(99)})
				_, err := s.Document(typ, uuid(99))
				return found(err)
			},
		} {
			err := read(of.set())
			if tt.want == "" && err != nil || tt.want != "" && (apierror.CodeOf(err) != apierror.Forbidden || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s of %s as %q: %v, want %q", how, tt.typ, tt.roles, err, tt.want)
			}
		}
	}
	// A condition on the rows of a type needs its roles too.
	_, err := w.with(t).as("Sales User").set().Page(t.Context(), loaders.PageQuery{Type: w.typ("Visit"), Limit: 5, Where: w.some(w.typ("Visit"), "parts", eq(w.typ("Part"), "item", "A"))})
	if apierror.CodeOf(err) != apierror.Forbidden || !strings.Contains(err.Error(), "Part: reading needs the role Stock User") {
		t.Errorf("a condition on parts: %v", err)
	}
}

// found takes a row that does not exist for an answer.
func found(err error) error {
	if apierror.CodeOf(err) == apierror.NotFound {
		return nil
	}
	return err
}

// What can't be checked is not shown.
func TestNothingIsShownUnchecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant").may("Employee", "eve")
	w.fail = apierror.New(apierror.UpstreamUnavailable, "down")
	ctx := t.Context()
	for name, read := range map[string]func(w *world, s *loaders.Set) error{
		"list": func(w *world, s *loaders.Set) error {
			_, err := s.Page(ctx, loaders.PageQuery{Type: w.typ("Contract"), Limit: 5})
			return err
		},
		"count": func(w *world, s *loaders.Set) error { _, err := s.Count(ctx, w.typ("Visit"), nil); return err },
		"aggregate": func(w *world, s *loaders.Set) error {
			_, err := s.Aggregate(ctx, criteria.Aggregate{Type: w.typ("Part"), Figures: []criteria.Figure{{Func: criteria.Count, As: "n"}}})
			return err
		},
		"reverse": func(w *world, s *loaders.Set) error {
			_, err := s.Reverse(ctx, w.reverse("Customer", "Contract", "Grant"))
			return err
		},
		"reverse, other": func(w *world, s *loaders.Set) error {
			_, err := s.Reverse(ctx, w.reverse("Item", "Contract", "A"))
			return err
		},
		"reverse, local": func(w *world, s *loaders.Set) error {
			_, err := s.Reverse(ctx, w.reverse("Contract", "Visit", uuid(1)))
			return err
		},
		"lookup": func(_ *world, s *loaders.Set) error {
			_, err := s.Lookup(ctx, "Contract", uuid(1), "status")
			return err
		},
		"where": func(w *world, s *loaders.Set) error {
			open := w.typ("OpenContract")
			_, err := s.Page(ctx, loaders.PageQuery{Type: open, Limit: 5, Where: w.some(open, "visits", eq(w.typ("TechVisit"), "status", "DONE"))})
			return err
		},
		"by id": func(w *world, s *loaders.Set) error {
			s.Documents(ctx, w.typ("Visit"), []string{uuid(11)})
			_, err := s.Document(w.typ("Visit"), uuid(11))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := w.with(t)
			if err := read(w, w.set()); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Rows that are reached by a link are as visible as by a list.
func TestReverseOfVisibleRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed()
	grant := w.may("Customer", "Grant")
	tests := []struct {
		name     string
		world    *world
		to, from string
		parents  []string
		want     string // for each parent
		calls    int
	}{
		{"through the link itself", grant, "Customer", "Contract", []string{"Grant", "West"}, "1 2|", 1},
		{"through another link", grant, "Item", "Contract", []string{"A", "B"}, "1|2", 1},
		{"without a right to any", w, "Item", "Contract", []string{"A", "B"}, "|", 1},
		{"through a row", grant, "Contract", "Visit", []string{uuid(1), uuid(3)}, "11 12|", 1},
		{"through a row that is public", w, "OpenContract", "OpenVisit", []string{uuid(1), uuid(3), uuid(9)}, "11 12|13|", 0},
		{"by another link than the list's", w.may("Employee", "eve"), "OpenContract", "TechVisit", []string{uuid(1), uuid(3)}, "12|13", 1},
		{"two links away", grant, "Item", "Part", []string{"A"}, "21", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := tt.world.with(t)
			set, q := w.set(), w.reverse(tt.to, tt.from, tt.parents...)
			pages, err := set.Reverse(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			counts, err := set.ReverseCounts(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, parent := range tt.parents {
				got = append(got, ids(pages[parent].Rows))
				if int(counts[parent]) != len(pages[parent].Rows) {
					t.Errorf("%s: %d counted", parent, counts[parent])
				}
			}
			if s := strings.Join(got, "|"); s != tt.want || set.Calls() != tt.calls {
				t.Errorf("got %q in %d calls, want %q in %d", s, set.Calls(), tt.want, tt.calls)
			}
		})
	}
}

// A row whose chain of links breaks off leads to nothing that anybody may read.
func TestRowsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant", "West", "Far")
	w.sql(`alter table service_visit drop constraint service_visit_contract_fkey`)
	w.sql(`insert into service_visit (id, contract, technician, visited_at) values ($1, $2, 'tom', '2026-02-01Z')`, uuid(14), uuid(9))
	for _, typ := range []string{"Visit", "OpenVisit"} {
		if got, err := w.seen(typ, nil); err != nil || got != "11 12 13" {
			t.Errorf("%s: sees %q: %v", typ, got, err)
		}
	}
}

// A hand-written resolver gets local rows under the same rules.
func TestLookupOfLocalRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant")
	set := w.set()
	errs := loaders.Parallel(3, func(i int) error {
		row, err := set.Lookup(t.Context(), "Contract", uuid([]int{1, 3, 9}[i]), "status", "customer")
		if err != nil {
			return err
		}
		if status, err := row.String("status"); err != nil || status != "ACTIVE" {
			return fmt.Errorf("status %q: %w", status, err)
		}
		return nil
	})
	if errs[0] != nil || apierror.CodeOf(errs[1]) != apierror.NotFound || apierror.CodeOf(errs[2]) != apierror.NotFound {
		t.Errorf("got %v", errors.Join(errs...))
	}
}

// A type that nothing opens is closed, however the registry came about.
func TestClosedTypes(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed()
	for name, access := range map[string]*doctype.Access{"none": nil, "nothing": {}, "nowhere": {Through: "nowhere"}} {
		typ := &doctype.Type{Name: "X", Key: "X", Source: doctype.Local, Table: "service_contract", Access: access, Fields: []*doctype.Field{{Name: "id", Column: "id", Kind: doctype.ID}}}
		doctype.NewRegistry([]*doctype.Type{typ})
		page, err := w.set().Page(t.Context(), loaders.PageQuery{Type: typ, Limit: 1})
		if page != nil || apierror.CodeOf(err) != apierror.Internal {
			t.Errorf("%s: %v, %v", name, page, err)
		}
	}
}
