package simulator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"erpgraph/internal/simulator"
)

func BenchmarkListFiveHundredNames(b *testing.B) {
	s := siteServer(b)
	names := s.Names("Sales Order")[:500]
	body, err := json.Marshal(map[string]any{
		"doctype": "Sales Order", "fields": []string{"name", "customer", "grand_total", "status", "modified"},
		"filters": []any{[]any{"name", "in", names}}, "limit_page_length": 0,
	})
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, s, string(body), 500)
}

func BenchmarkListRowsOfFiveHundredOrders(b *testing.B) {
	s := siteServer(b)
	names := s.Names("Sales Order")[:500]
	body, err := json.Marshal(map[string]any{
		"doctype": "Sales Order Item", "parent": "Sales Order", "fields": []string{"name", "parent", "item_code", "qty", "rate"},
		"filters": []any{[]any{"parent", "in", names}}, "limit_page_length": 0,
	})
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, s, string(body), 0)
}

func BenchmarkListFirstPage(b *testing.B) {
	benchmark(b, siteServer(b), `{"doctype": "Sales Order", "fields": ["*"], "order_by": "modified desc", "limit_page_length": 50}`, 50)
}

func benchmark(b *testing.B, s *simulator.Server, body string, rows int) {
	b.Helper()
	for b.Loop() {
		req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/api/method/frappe.client.get_list", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "token 4a1c0f5be2d1101:sales00secret01a")
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		if rec.Code != http.StatusOK {
			b.Fatalf("%d: %s", rec.Code, rec.Body)
		}
	}
	if n := s.Calls()[0].Rows; rows > 0 && n != rows {
		b.Fatalf("%d rows, want %d", n, rows)
	}
}
