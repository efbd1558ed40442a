package frappe_test

import (
	"errors"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

func TestCountUnchecked(t *testing.T) {
	t.Parallel()
	mine := []frappe.Filter{{Field: "owner", Op: frappe.OpEq, Value: "ann@example.com"}, {Field: "creation", Op: frappe.OpGt, Value: "2026-01-01 00:00:00.000000"}}
	t.Run("counts", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, ok(`{"message": 974}`))
		n, err := b.CountUnchecked(t.Context(), cred(t), "ToDo", mine)
		if n != 974 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
		const want = `{"doctype":"ToDo","filters":[["ToDo","owner","=","ann@example.com"],["ToDo","creation",">","2026-01-01 00:00:00.000000"]]}`
		if last := b.last(t); last.uri != "/api/method/frappe.client.get_count" || last.body != want {
			t.Errorf("sent %s %s", last.uri, last.body)
		}
	})
	t.Run("not offered", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, raised(403, "PermissionError", "frappe.exceptions.PermissionError: <details><summary>No</summary>Function <strong>frappe.client.get_count</strong> is not whitelisted.</details>"))
		if _, err := b.CountUnchecked(t.Context(), cred(t), "ToDo", mine); !errors.Is(err, frappe.ErrNoMethod) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("only of one owner", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, ok(`{"message": 1}`))
		for name, filters := range map[string][]frappe.Filter{
			"nobody's":  nil,
			"no name":   {{Field: "owner", Op: frappe.OpEq, Value: ""}},
			"all but":   {{Field: "owner", Op: frappe.OpNe, Value: "x"}},
			"elsewhere": mine[1:],
		} {
			if _, err := b.CountUnchecked(t.Context(), cred(t), "ToDo", filters); err == nil {
				t.Errorf("%s: counted", name)
			}
		}
		if _, err := b.CountUnchecked(t.Context(), cred(t), "a`b", mine); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("got %v", err)
		}
	})
}
