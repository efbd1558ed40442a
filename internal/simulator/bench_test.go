package simulator_test

import (
	"context"
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

// hookedSite is the recorded site with webhooks on items, which go to a receiver that has
// nothing to do.
func hookedSite(b *testing.B, doctypes ...string) *simulator.Server {
	b.Helper()
	s := siteServer(b)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(receiver.Close)
	for _, doctype := range doctypes {
		benchmarkWrite(b, s, http.MethodPost, "/api/resource/Webhook", contractHook(doctype, "on_update", receiver.URL))
	}
	s.SetDelivery(simulator.Delivery{Workers: 16})
	return s
}

// deliverAll delivers until nothing is left.
func deliverAll(b *testing.B, s *simulator.Server, during func()) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.DeliverWebhooks(ctx) }()
	during()
	if err := s.DeliveriesIdle(ctx); err != nil {
		b.Error(err)
	}
	stop()
	if err := <-done; err != nil {
		b.Error(err)
	}
}

// BenchmarkWritesWithWebhooks is a change by one of twenty writers, with its webhook
// delivered, as the loss test makes them: half of them change an order, half an item.
func BenchmarkWritesWithWebhooks(b *testing.B) {
	s := hookedSite(b, "Sales Order", "Item")
	paths := []string{"/api/resource/Sales%20Order/" + s.Names("Sales Order")[1], "/api/resource/Item/ITEM-00010"}
	b.SetParallelism(10)
	b.ResetTimer()
	deliverAll(b, s, func() {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				benchmarkWrite(b, s, http.MethodPut, paths[i%2], doc{"x": 1})
			}
		})
	})
}

// BenchmarkDelivery is one delivery by sixteen workers.
func BenchmarkDelivery(b *testing.B) {
	s := hookedSite(b, "Item")
	for range b.N {
		benchmarkWrite(b, s, http.MethodPut, "/api/resource/Item/ITEM-00010", doc{"x": 1})
	}
	b.ResetTimer()
	deliverAll(b, s, func() {})
}

func benchmarkWrite(b *testing.B, s *simulator.Server, method, path string, body doc) {
	b.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	req := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(string(raw)))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "token "+asService)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		b.Errorf("%s: %d: %s", path, rec.Code, rec.Body)
	}
}
