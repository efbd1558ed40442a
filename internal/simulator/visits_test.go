package simulator_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// visits is the demo with a small DocType of its own, and a document for each time and
// amount, named V-0 and so on.
func visits(t *testing.T, times []string, amounts []float64) *client {
	t.Helper()
	s, c := demoServer(t)
	meta := `{"name": "Visit", "fields": [{"fieldname": "at", "fieldtype": "Time"}, {"fieldname": "amount", "fieldtype": "Currency"}],
		"permissions": [{"role": "Sales User", "read": 1}]}`
	if err := s.AddDocType([]byte(meta)); err != nil {
		t.Fatal(err)
	}
	for i := range max(len(times), len(amounts)) {
		doc := map[string]any{"name": fmt.Sprintf("V-%d", i)}
		if i < len(times) {
			doc["at"] = times[i]
		}
		if i < len(amounts) {
			doc["amount"] = amounts[i]
		}
		if err := s.Insert("Visit", doc); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestTimes is about times of day, which compare as such although the wire has their
// seconds without padding.
func TestTimes(t *testing.T) {
	t.Parallel()
	c := visits(t, []string{"22:18:44.1", "22:18:8.654183", "9:05:00", "10:00:00", "22:39:6.133911"}, nil)
	for _, tt := range []struct {
		name    string
		filters []any
		want    []string
	}{
		{"Order", nil, []string{"V-2", "V-3", "V-1", "V-0", "V-4"}},
		{"Greater", []any{[]any{"at", ">", "22:18:10"}}, []string{"V-0", "V-4"}},
		{"GreaterUnpadded", []any{[]any{"at", ">", "22:18:8.7"}}, []string{"V-0", "V-4"}},
		{"LessOrEqual", []any{[]any{"at", "<=", "22:18:08.654183"}}, []string{"V-2", "V-3", "V-1"}},
		{"Equal", []any{[]any{"at", "=", "09:05"}}, []string{"V-2"}},
		{"EqualFraction", []any{[]any{"at", "=", "22:39:06.133911"}}, []string{"V-4"}},
		{"In", []any{[]any{"at", "in", []string{"10:00", "22:18:44.100000"}}}, []string{"V-3", "V-0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := map[string]any{"doctype": "Visit", "order_by": "at asc"}
			if tt.filters != nil {
				args["filters"] = tt.filters
			}
			if diff := cmp.Diff(tt.want, c.list(t, "sales", args)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTimeWritten checks that a written time of day is answered as Frappe does.
func TestTimeWritten(t *testing.T) {
	t.Parallel()
	c := visits(t, []string{"9:05:00"}, nil)
	for sent, want := range map[string]string{"22:39:06.133911": "22:39:6.133911", "08:05": "8:05:00", "7:5:9": "7:05:09"} {
		if status, out := c.do(t, http.MethodPut, "admin", "/api/resource/Visit/V-0", map[string]any{"at": sent}); status != http.StatusOK {
			t.Fatalf("%d: %v", status, out)
		}
		_, out := c.do(t, http.MethodGet, "admin", "/api/resource/Visit/V-0", nil)
		if doc, _ := out["data"].(map[string]any); doc["at"] != want {
			t.Errorf("%s is answered as %v, want %s", sent, doc["at"], want)
		}
	}
}

func TestSums(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		amounts  []float64
		sum, avg float64
	}{
		{"BeyondInt64", []float64{123456789012.3, 1234.6}, 123456790246.9, 61728395123.45},
		{"Exact", []float64{0.1, 0.2, 0.3}, 0.6, 0.2},
		{"Negative", []float64{-123456789012.25, 0.25}, -123456789012, -61728394506},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := visits(t, nil, tt.amounts)
			status, out := c.do(t, http.MethodPost, "sales", "/api/method/frappe.client.get_list", map[string]any{
				"doctype": "Visit", "fields": []string{"sum(amount) as total", "avg(amount) as mean"}, "order_by": "",
			})
			want := map[string]any{"message": []any{map[string]any{"total": tt.sum, "mean": tt.avg}}}
			if diff := cmp.Diff(want, out); diff != "" || status != http.StatusOK {
				t.Errorf("%d: %s", status, diff)
			}
		})
	}
}
