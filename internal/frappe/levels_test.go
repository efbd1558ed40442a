package frappe_test

import (
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

const levelsAnswer = `{"docs": [
	{"doctype": "DocType", "name": "Order", "fields": [
		{"fieldname": "customer"}, {"fieldname": "discount", "permlevel": 1}, {"fieldname": "margin", "permlevel": 2},
		{"fieldname": "note", "permlevel": null}],
	 "permissions": [
		{"role": "Sales User", "permlevel": 0, "write": 1}, {"role": "Sales User", "permlevel": 1, "read": 1, "write": 0},
		{"role": "Sales Manager", "permlevel": 1, "write": 1}, {"role": "Auditor", "permlevel": 2}]},
	{"doctype": "DocType", "name": "Order Item", "istable": 1, "fields": [{"fieldname": "rate", "permlevel": 1}],
	 "permissions": [{"role": "Sales User", "permlevel": 1, "write": 1}]},
	{"doctype": "Workflow", "name": "Order", "fields": [{"fieldname": "discount", "permlevel": 0}]}
]}`

func TestLevels(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, ok("%s", levelsAnswer))
	levels, err := b.Levels(t.Context(), cred(t), "Order")
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[[2]string]int{
		{"Order", "customer"}: 0, {"Order", "note"}: 0, {"Order", "discount"}: 1, {"Order", "margin"}: 2, {"Order Item", "rate"}: 1,
		{"Order", "rate"}: -1, {"Order", "owner"}: -1, {"Customer", "customer"}: -1,
	} {
		if level, known := levels.Field(field[0], field[1]); known != (want >= 0) || known && level != want {
			t.Errorf("%v: %d, %v", field, level, known)
		}
	}
	for _, c := range []struct {
		roles []string
		level int
		want  bool
	}{
		{nil, 0, true},
		{[]string{"Sales User"}, 0, true},
		{[]string{"Sales User"}, 1, false}, // not by the child table's own rows
		{[]string{"Sales User", "Sales Manager"}, 1, true},
		{[]string{"Sales Manager"}, 2, false},
		{[]string{"Auditor"}, 2, false},
		{[]string{"Sales Manager"}, 3, false},
	} {
		if got := levels.Writable(c.roles, c.level); got != c.want {
			t.Errorf("%v at %d: %v", c.roles, c.level, got)
		}
	}
}

func TestLevelsOfTranscript(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, loadTranscript(t, "259-getdoctype-customer").Response)
	levels, err := b.Levels(t.Context(), cred(t), "Customer")
	if err != nil {
		t.Fatal(err)
	}
	if _, known := levels.Field("Customer", "salutation"); !known {
		t.Error("salutation is not known")
	}
}

// What can't be read is an outage: to take it for level 0 would open the field.
func TestLevelsMalformed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"docs": []}`, `{"docs": [{"doctype": "DocType", "name": "Other"}]}`, `{"docs": [1]}`,
		`{"docs": [{"doctype": "DocType", "name": "Order", "fields": [{"fieldname": "a", "permlevel": "x"}]}]}`,
		`{"docs": [{"doctype": "DocType", "name": "Order", "fields": [{"fieldname": "a", "permlevel": 0.5}]}]}`,
	} {
		b := setup(t, frappe.Config{}, ok("%s", body))
		if _, err := b.Levels(t.Context(), cred(t), "Order"); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
			t.Errorf("%s: %v", body, err)
		}
	}
}
