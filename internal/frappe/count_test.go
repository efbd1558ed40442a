package frappe_test

import (
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

func TestCount(t *testing.T) {
	t.Parallel()
	north := []frappe.Filter{{Field: "territory", Op: frappe.OpEq, Value: "North"}}
	t.Run("filters", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, loadTranscript(t, "187-reportview-get-count").Response)
		n, err := b.Count(t.Context(), cred(t), "Customer", north, nil, true)
		if n != 252 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
		last := b.last(t)
		form := last.form(t)
		if last.uri != "/api/method/frappe.desk.reportview.get_count" || form.Get("doctype") != "Customer" ||
			form.Get("distinct") != "true" || form.Get("filters") != `[["Customer","territory","=","North"]]` || form.Has("or_filters") {
			t.Errorf("sent %s %s", last.uri, last.body)
		}
	})
	t.Run("alternatives", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, ok(`{"message": [{"n": 500}]}`))
		n, err := b.Count(t.Context(), cred(t), "Customer", nil, north, false)
		if n != 500 || err != nil || b.last(t).uri != "/api/method/frappe.client.get_list" {
			t.Fatalf("got %d, %v", n, err)
		}
	})
	t.Run("distinct alternatives", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, ok(`{"message": 3}`))
		n, err := b.Count(t.Context(), cred(t), "Customer", nil, north, true)
		if n != 3 || err != nil || b.last(t).form(t).Get("or_filters") == "" {
			t.Fatalf("got %d, %v", n, err)
		}
	})
	for name, body := range map[string]string{"text": `{"message": "many"}`, "null": `{"message": null}`, "rows": `{"message": []}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, ok("%s", body))
			for _, alternatives := range [][]frappe.Filter{nil, north} {
				if _, err := b.Count(t.Context(), cred(t), "Customer", nil, alternatives, false); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{}, ok(`{"message": 1}`))
		bad := []frappe.Filter{{Field: "a b", Op: frappe.OpEq, Value: 1}}
		_, e1 := b.Count(t.Context(), cred(t), "a`b", nil, nil, false)
		_, e2 := b.Count(t.Context(), cred(t), "Customer", bad, nil, false)
		_, e3 := b.Count(t.Context(), cred(t), "Customer", nil, bad, true)
		for _, err := range []error{e1, e2, e3} {
			if apierror.CodeOf(err) != apierror.BadUserInput {
				t.Errorf("got %v", err)
			}
		}
	})
}
