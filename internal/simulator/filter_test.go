package simulator_test

import (
	"net/http"
	"strings"
	"testing"
)

// Frappe writes the range of a timespan only for dates; elsewhere "between" gets one
// value, and the database answers with a syntax error.
func TestBetweenNeedsADate(t *testing.T) {
	t.Parallel()
	_, c := demoServer(t)
	for _, filter := range [][]any{
		{"name", "timespan", "no such span"},
		{"name", "timespan", "last week"},
		{"name", "timespan", nil},
		{"name", "between", "one text"},
		{"name", "between", []any{}},
		{"customer_name", "timespan", "no such span"},
		{"customer_name", "between", "one text"},
		{"disabled", "timespan", "no such span"},
		{"disabled", "between", 1},
	} {
		status, out := c.do(t, http.MethodPost, "sales", "/api/method/frappe.client.get_list",
			map[string]any{"doctype": "Customer", "filters": []any{filter}})
		kind, _ := out["exc_type"].(string)
		if status != http.StatusInternalServerError || kind != "ProgrammingError" {
			t.Errorf("%v: status %d, %q", filter, status, kind)
		}
	}
}

// An unknown timespan of a date is no range, and Frappe takes today's in its place.
func TestUnknownTimespanIsToday(t *testing.T) {
	t.Parallel()
	_, c := demoServer(t)
	list := func(span string) string {
		return strings.Join(c.list(t, "admin", map[string]any{
			"doctype": "Comment", "filters": []any{[]any{"creation", "timespan", span}}, "limit_page_length": 0,
		}), ",")
	}
	if unknown, today := list("no such span"), list("today"); unknown != today {
		t.Errorf("found %q, of today %q", unknown, today)
	}
}
