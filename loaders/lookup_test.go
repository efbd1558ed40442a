package loaders_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// Lookups that are made at the same time are one call; each gets its own row, or why it
// has none.
func TestLookup(t *testing.T) {
	t.Parallel()
	u := &upstream{list: func(_ frappe.ListQuery) ([]map[string]string, error) {
		return []map[string]string{ // in an order of its own, one name spelled as ERPNext has it
			{"name": `"C2"`, "customer_name": `"Two"`},
			{"name": `"C1"`, "customer_name": `"One"`},
		}, nil
	}}
	set := newSet(t, u, nil)
	ctx := loaders.WithSet(t.Context(), set)
	got := make([]string, 3)
	var wg sync.WaitGroup
	for i, name := range []string{"C1", "c2", "C3"} {
		wg.Go(func() {
			set, err := loaders.FromContext(ctx)
			if err != nil {
				got[i] = err.Error()
				return
			}
			row, err := set.Lookup(ctx, "Customer", name, "customerName")
			if err != nil {
				got[i] = string(apierror.CodeOf(err))
				return
			}
			text, err := row.String("customerName")
			got[i] = fmt.Sprint(text, err)
		})
	}
	wg.Wait()
	if text := strings.Join(got, " "); text != "One<nil> Two<nil> FORBIDDEN" {
		t.Errorf("got %s", text)
	}
	if len(u.lists) != 1 {
		t.Errorf("%d calls, want 1: %+v", len(u.lists), u.lists)
	}
}

func TestLookupRefuses(t *testing.T) {
	t.Parallel()
	set := newSet(t, &upstream{}, nil)
	for _, c := range []struct{ typeKey, field, want string }{
		{"Nonsense", "name", "no upstream or local type"},
		{"Customer", "nonsense", "no stored field"},
	} {
		if _, err := set.Lookup(t.Context(), c.typeKey, "x", c.field); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s.%s: %v", c.typeKey, c.field, err)
		}
	}
	if _, err := loaders.FromContext(t.Context()); err == nil {
		t.Error("a context without a set gave one")
	}
}
