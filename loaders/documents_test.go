package loaders_test

import (
	"slices"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// A document is read again when more of it is asked for, and when that fails, what was
// read before does not pass for the whole.
func TestDocumentsAreReadAgainForMore(t *testing.T) {
	t.Parallel()
	down := false
	u := &upstream{list: func(q frappe.ListQuery) ([]map[string]string, error) {
		if down {
			return nil, apierror.New(apierror.UpstreamUnavailable, "down")
		}
		row := map[string]string{"name": `"C1"`}
		for _, c := range q.Columns {
			if c.Field != "name" {
				row[c.Field] = `"x"`
			}
		}
		return []map[string]string{row}, nil
	}}
	set := newSet(t, u, nil)
	read := func() (*loaders.Row, error) {
		set.Documents(t.Context(), customer, []string{"C1"})
		return set.Document(customer, "C1")
	}
	if _, err := read(); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); err != nil || len(u.lists) != 1 {
		t.Fatalf("the same again: %v, %d calls", err, len(u.lists))
	}
	set.Select(customer, "customer_name")
	row, err := read()
	if err != nil || row.Text("customer_name") != "x" || len(u.lists) != 2 {
		t.Fatalf("with a field more: %v, %d calls", err, len(u.lists))
	}
	if names := u.lists[1].Columns; !slices.ContainsFunc(names, func(c frappe.Column) bool { return c.Field == "customer_name" }) {
		t.Fatalf("asked for %v", names)
	}
	down = true
	set.Select(customer, "territory")
	if row, err := read(); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("a failed read gave %v, %v", row, err)
	}
}
