package simulator_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestSelectOnly checks what a list shows to callers who may select documents, for links,
// and not read them: the columns by which they are found, and of core DocTypes all.
func TestSelectOnly(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	for _, meta := range []string{
		`{"name": "Place", "search_fields": "code, name", "fields": [{"fieldname": "code", "fieldtype": "Data"}, {"fieldname": "secret", "fieldtype": "Data"}],
			"permissions": [{"role": "Sales User", "read": 1}, {"role": "Stock User", "select": 1}]}`,
		`{"name": "Visit", "fields": [{"fieldname": "place", "fieldtype": "Link", "options": "Place"}],
			"permissions": [{"role": "Stock User", "read": 1}]}`,
	} {
		if err := s.AddDocType([]byte(meta)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Insert("Place", map[string]any{"name": "P-1", "code": "C-1", "secret": "S-1"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Insert("Visit", map[string]any{"name": "V-1", "place": "P-1"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		key, doctype string
		fields       []string
		want         string
	}{
		{"sales", "Place", []string{"name", "owner", "modified", "docstatus", "code", "secret"}, "code docstatus modified name owner secret"},
		{"stock", "Place", []string{"name", "owner", "modified", "docstatus", "code", "secret"}, "code name"},
		{"stock", "Place", []string{"owner", "name"}, "name"},
		{"stock", "Place", []string{"*"}, "code name"},
		{"stock", "Place", []string{"name", "_user_tags", "count(*) as n", "count(name) as m", "max(owner) as o"}, "_user_tags m n name"},
		{"stock", "Visit", []string{"name", "owner", "place.code as code", "place.owner as by"}, "code name owner"},
		{"stock", "User", []string{"name", "owner", "enabled"}, "enabled name owner"},
	} {
		status, out := c.do(t, http.MethodPost, tt.key, "/api/method/frappe.client.get_list", map[string]any{"doctype": tt.doctype, "fields": tt.fields, "limit_page_length": 1})
		rows, _ := out["message"].([]any)
		if status != http.StatusOK || len(rows) != 1 {
			t.Errorf("%s, %v: %d %v", tt.key, tt.fields, status, out)
			continue
		}
		row, _ := rows[0].(map[string]any)
		if got := strings.Join(slices.Sorted(maps.Keys(row)), " "); got != tt.want {
			t.Errorf("%s, %v: got %s, want %s", tt.key, tt.fields, got, tt.want)
		}
	}
	if status, _ := c.do(t, http.MethodGet, "stock", "/api/resource/Place/P-1", nil); status != http.StatusForbidden {
		t.Errorf("a document that may only be selected: %d", status)
	}
}
