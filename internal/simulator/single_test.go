package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// settings is a single DocType with something of every kind that a save checks.
const settings = `{
	"name": "House Settings", "module": "Selling", "issingle": 1, "custom": 1,
	"fields": [
		{"fieldname": "motto", "fieldtype": "Data", "label": "Motto"},
		{"fieldname": "lead_days", "fieldtype": "Int", "label": "Lead Days"},
		{"fieldname": "opens_on", "fieldtype": "Date", "label": "Opens On"},
		{"fieldname": "mode", "fieldtype": "Select", "label": "Mode", "options": "Strict\nLoose", "default": "Loose", "reqd": 1},
		{"fieldname": "customer", "fieldtype": "Link", "label": "Customer", "options": "Customer"},
		{"fieldname": "secret_limit", "fieldtype": "Int", "label": "Secret Limit", "default": "7", "permlevel": 1},
		{"fieldname": "badge", "fieldtype": "Data", "label": "Badge", "set_only_once": 1}
	],
	"permissions": [
		{"role": "Sales User", "read": 1, "write": 1, "create": 1},
		{"role": "Sales User", "permlevel": 1, "read": 1}
	]
}`

// TestSingles follows Document._save, which makes little difference between a single
// document and others: the lock of check_if_latest, validate_higher_perm_levels, links and
// values. Transcript 235 has the modified of a single.
func TestSingles(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	if err := w.s.AddDocType([]byte(settings)); err != nil {
		t.Fatal(err)
	}
	path := at("House Settings", "House Settings")
	fresh := w.must(t, asSales, http.MethodGet, path, nil)
	if fresh["mode"] != "Loose" || fresh["secret_limit"] != 7.0 || fresh["modified"] != nil {
		t.Errorf("a single that was never saved: %v", fresh)
	}
	first := w.must(t, asSales, http.MethodPut, path, doc{"motto": "a", "lead_days": "3", "secret_limit": 99, "customer": "semi;colon"})
	read := w.must(t, asSales, http.MethodGet, path, nil)
	for _, got := range []doc{first, read} {
		if got["motto"] != "a" || got["lead_days"] != 3.0 || got["secret_limit"] != 7.0 || got["mode"] != "Loose" || got["customer"] != "Semi;Colon" ||
			got["modified"] != first["modified"] || got["modified_by"] != "sales@example.com" || got["name"] != "House Settings" {
			t.Errorf("%v", got)
		}
	}
	second := w.must(t, asSales, http.MethodPut, path, doc{"motto": strings.Repeat("x", 200), "opens_on": "someday", "modified": first["modified"]})
	if was, is := first["modified"], second["modified"]; is == nil || is == was {
		t.Errorf("modified %v after %v", is, was)
	}
	for name, c := range map[string]struct {
		values      doc
		class, text string
	}{
		"a modified that is no more":  {doc{"motto": "b", "modified": first["modified"]}, "TimestampMismatchError", "has been modified after you have opened it"},
		"a modified of another form":  {doc{"motto": "b", "modified": strings.Replace(fmt.Sprint(second["modified"]), " ", "T", 1)}, "TimestampMismatchError", ""},
		"a link to nothing":           {doc{"customer": "NOPE"}, "LinkValidationError", "Customer: NOPE"},
		"no option":                   {doc{"mode": "Lax"}, "ValidationError", `Mode cannot be "Lax"`},
		"no value":                    {doc{"mode": ""}, "MandatoryError", "mode"},
		"what is set only once":       {doc{"badge": "c"}, "CannotChangeConstantError", "Badge"},
		"a whole document of another": {doc{"doctype": "House Settings", "name": "House Settings", "mode": "Lax", "modified": second["modified"]}, "ValidationError", "Mode"},
	} {
		w.refused(t, asSales, http.MethodPut, path, c.values, c.class, c.text)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	w.refused(t, asStock, http.MethodPut, path, doc{"motto": "b"}, "PermissionError", "")
	w.refused(t, asSales, http.MethodPost, method("frappe.client.save"), doc{"doc": doc{"doctype": "House Settings", "name": "House Settings", "motto": "c"}}, "TimestampMismatchError", "")
	if got := w.must(t, asSales, http.MethodGet, path, nil); got["modified"] != second["modified"] || got["motto"] != strings.Repeat("x", 200) {
		t.Errorf("after refusals %v", got)
	}
	set := w.must(t, asSales, http.MethodPost, method("frappe.client.set_value"), doc{"doctype": "House Settings", "name": "House Settings", "fieldname": "lead_days", "value": 4})
	if set["lead_days"] != 4.0 || set["modified"] == second["modified"] {
		t.Errorf("%v", set)
	}
	all := w.must(t, asAdmin, http.MethodPut, path, doc{"secret_limit": json.Number("12")})
	if all["secret_limit"] != 12.0 {
		t.Errorf("an administrator's change: %v", all["secret_limit"])
	}
}
