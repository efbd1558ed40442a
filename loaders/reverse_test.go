package loaders_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

func jsonOf(texts map[string]string) map[string]jsontext.Value {
	out := make(map[string]jsontext.Value, len(texts))
	for k, v := range texts {
		out[k] = jsontext.Value(v)
	}
	return out
}

// site lists orders of customers by name, as a site would.
func site(sizes map[string]int) func(frappe.ListQuery) ([]map[string]string, error) {
	return func(q frappe.ListQuery) ([]map[string]string, error) {
		var rows []map[string]string
		for _, f := range q.Filters {
			if f.Field != "customer" || f.Op != frappe.OpIn {
				continue
			}
			parents, ok := f.Value.([]any)
			if !ok {
				return nil, fmt.Errorf("the value of %s is %T", f.Op, f.Value)
			}
			for _, parent := range parents {
				for i := range sizes[fmt.Sprint(parent)] {
					rows = append(rows, map[string]string{
						"name": fmt.Sprintf("%q", fmt.Sprintf("%s-%04d", parent, i)), "customer": fmt.Sprintf("%q", parent),
					})
				}
			}
		}
		slices.SortFunc(rows, func(a, b map[string]string) int { return cmp.Compare(a["name"], b["name"]) })
		return rows[:min(q.Limit, len(rows))], nil
	}
}

func TestReverseRounds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		sizes  map[string]int
		limit  int
		chunk  int
		rounds int
	}{
		{"nothing", map[string]int{"A": 0, "B": 0}, 5, 0, 1},
		{"all fit", map[string]int{"A": 3, "B": 5, "C": 6}, 5, 0, 1},
		{"one fills the call", map[string]int{"A": 900, "B": 5, "C": 6}, 5, 0, 2},
		{"one after the other", map[string]int{"A": 900, "B": 900, "C": 900, "D": 1}, 5, 0, 4},
		{"pages larger than the least", map[string]int{"A": 1300, "B": 900, "C": 4}, 400, 0, 3},
		{"chunks", map[string]int{"A": 3, "B": 5, "C": 6, "D": 9, "E": 0}, 5, 2, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := &upstream{list: site(tt.sizes)}
			s := newSet(t, u, func(c *loaders.Config) { c.ChunkNames = tt.chunk })
			parents := make([]string, 0, len(tt.sizes))
			for p := range tt.sizes {
				parents = append(parents, p)
			}
			slices.Sort(parents)
			pages, err := s.Reverse(t.Context(), loaders.ReverseQuery{
				Link: &doctype.Reverse{Name: "salesOrders", From: "Sales Order", Field: "customer"}, To: customer, From: order, Parents: parents, Limit: tt.limit,
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(u.lists); n != tt.rounds || s.Calls() != n {
				t.Errorf("%d calls, %d counted, want %d", n, s.Calls(), tt.rounds)
			}
			for p, size := range tt.sizes {
				page := pages[p]
				if page == nil || len(page.Rows) != min(size, tt.limit) || page.More != (size > tt.limit) {
					t.Fatalf("%s: %+v, want %d rows", p, page, min(size, tt.limit))
				}
				for i, row := range page.Rows {
					if row.Key != fmt.Sprintf("%s-%04d", p, i) {
						t.Fatalf("%s: row %d is %s", p, i, row.Key)
					}
				}
			}
		})
	}
}

// Rounds that settle no parent end at once: rows whose parent can't be told.
func TestReverseEndsWhenParentsAreUnknown(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	u.list = func(q frappe.ListQuery) ([]map[string]string, error) {
		rows := make([]map[string]string, q.Limit)
		for i := range rows {
			rows[i] = map[string]string{"name": fmt.Sprintf(`"%d"`, i), "customer": `"somebody else"`}
		}
		return rows, nil
	}
	s := newSet(t, u, nil)
	_, err := s.Reverse(t.Context(), loaders.ReverseQuery{
		Link: &doctype.Reverse{Name: "salesOrders", From: "Sales Order", Field: "customer"}, To: customer, From: order, Parents: []string{"A", "B"}, Limit: 5,
	})
	if err == nil || len(u.lists) != 1 {
		t.Errorf("%v after %d calls", err, len(u.lists))
	}
}

// The bound on calls holds for all reads of an operation together.
func TestMaxCalls(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	s := newSet(t, u, func(c *loaders.Config) { c.MaxCalls, c.ChunkNames = 3, 1 })
	s.Documents(t.Context(), customer, []string{"A", "B", "C", "D", "E"})
	refused := 0
	for _, name := range []string{"A", "B", "C", "D", "E"} {
		_, err := s.Document(customer, name)
		switch {
		case apierror.CodeOf(err) == apierror.CostLimit:
			refused++
		case !loaders.IsNotReadable(err):
			t.Errorf("%s: %v", name, err)
		}
	}
	if refused != 2 || len(u.lists) != 3 {
		t.Errorf("%d refused after %d calls", refused, len(u.lists))
	}
}
