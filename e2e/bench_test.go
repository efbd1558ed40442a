package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/app"
	"erpgraph/internal/simulator"
)

// The benchmarks run the whole product in one process. Those that say "alone" keep the
// simulated site out of the figures: its answers are recorded once and replayed.

// replay answers a request that it has seen before from memory.
type replay struct {
	next http.RoundTripper
	mu   sync.RWMutex
	seen map[string]recorded
}

type recorded struct {
	status int
	header http.Header
	body   []byte
}

func (p *replay) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	key := req.Method + req.URL.String() + string(body)
	p.mu.RLock()
	got, ok := p.seen[key]
	p.mu.RUnlock()
	if !ok {
		res, err := p.next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = res.Body.Close() }()
		got = recorded{status: res.StatusCode, header: res.Header}
		if got.body, err = io.ReadAll(res.Body); err != nil {
			return nil, err
		}
		p.mu.Lock()
		p.seen[key] = got
		p.mu.Unlock()
	}
	return &http.Response{
		StatusCode: got.status, Header: got.header, Body: io.NopCloser(bytes.NewReader(got.body)), ContentLength: int64(len(got.body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
	}, nil
}

// alone gives erpgraph's handler over replayed answers of the site.
func alone(tb testing.TB, b *bundle) http.Handler {
	tb.Helper()
	cfg, err := app.DefaultConfig()
	if err != nil {
		tb.Fatal(err)
	}
	cfg.ERPNextURL = b.siteURL
	transport := &http.Transport{}
	tb.Cleanup(transport.CloseIdleConnections)
	a, err := app.New(tb.Context(), cfg, slog.New(slog.DiscardHandler), app.Options{
		DB: b.db, HTTPClient: &http.Client{Transport: &replay{next: transport, seen: map[string]recorded{}}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return a.Handler() // the bundle closes the database
}

// serve runs a query on a handler and gives the length of the answer.
func serve(tb testing.TB, h http.Handler, body []byte) int {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", sales)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK || bytes.Contains(w.Body.Bytes(), []byte(`"errors"`)) {
		tb.Errorf("%d: %.500s", w.Code, w.Body)
	}
	return w.Body.Len()
}

// post sends a body and reads the answer to its end.
func post(tb testing.TB, client *http.Client, url string, body []byte) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", sales)
	res, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		tb.Fatal(res.Status, err)
	}
}

func jsonBody(tb testing.TB, v any) []byte {
	tb.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2]) / float64(time.Millisecond)
}

// BenchmarkAddedLatency compares a list through the graph with the same list at the site
// itself, by turns: added-ms is what a caller waits longer.
func BenchmarkAddedLatency(b *testing.B) {
	for _, latency := range []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond} {
		b.Run(fmt.Sprint("upstream=", latency), func(b *testing.B) {
			x := setup(b, options{})
			client := &http.Client{Transport: &http.Transport{}}
			b.Cleanup(client.CloseIdleConnections)
			direct := jsonBody(b, map[string]any{
				"doctype": "Sales Order", "fields": []string{"name", "customer", "status", "grand_total", "transaction_date"},
				"order_by": "`tabSales Order`.`name` asc", "limit_page_length": 51,
			})
			graph := jsonBody(b, map[string]any{"query": `{ salesOrders(first: 50) { nodes { name customer { name } status grandTotal transactionDate } } }`})
			if latency > 0 {
				x.site.SetFault(simulator.Fault{Latency: latency})
			}
			timed := func(url string, body []byte) time.Duration {
				start := time.Now()
				post(b, client, url, body)
				return time.Since(start)
			}
			var rest, ours []time.Duration
			for b.Loop() {
				rest = append(rest, timed(x.siteURL+"/api/method/frappe.client.get_list", direct))
				ours = append(ours, timed(x.url+"/graphql", graph))
			}
			b.ReportMetric(median(rest), "rest-ms")
			b.ReportMetric(median(ours), "graph-ms")
			b.ReportMetric(median(ours)-median(rest), "added-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkMainQuery is the query that the product is for: 50 orders with their
// customers, rows, items, groups and contracts.
func BenchmarkMainQuery(b *testing.B) {
	x := setup(b, options{})
	x.contracts(b, 40)
	body := jsonBody(b, map[string]any{"query": mainJob, "variables": map[string]any{"n": 50}})
	h := alone(b, x)
	n := serve(b, h, body)
	for _, callers := range []int{1, 2, 8, 32} {
		b.Run(fmt.Sprint("alone/callers=", callers), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n))
			run(b, callers, func() { serve(b, h, body) })
		})
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.Cleanup(client.CloseIdleConnections)
	for _, callers := range []int{1, 2, 8, 32} {
		b.Run(fmt.Sprint("with the site/callers=", callers), func(b *testing.B) {
			run(b, callers, func() { post(b, client, x.url+"/graphql", body) })
		})
	}
}

// run does one thing b.N times from several goroutines.
func run(b *testing.B, callers int, do func()) {
	b.Helper()
	var wg sync.WaitGroup
	work := make(chan struct{})
	for range callers {
		wg.Go(func() {
			for range work {
				do()
			}
		})
	}
	start := time.Now()
	for range b.N {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "req/s")
}

// wideFields are 40 fields of a Sales Order.
var wideFields = strings.Fields(`name owner creation modified docstatus namingSeries customerName taxId orderType transactionDate
	deliveryDate poNo poDate conversionRate plcConversionRate ignorePricingRule reserveStock totalQty totalNetWeight baseTotal
	baseNetTotal total netTotal baseTotalTaxesAndCharges totalTaxesAndCharges baseGrandTotal baseRoundingAdjustment
	baseRoundedTotal baseInWords grandTotal roundingAdjustment roundedTotal inWords advancePaid disableRoundedTotal
	baseDiscountAmount discountAmount status perDelivered perBilled`)

// BenchmarkWideList500 is a list of 500 orders with 40 fields each.
func BenchmarkWideList500(b *testing.B) {
	if len(wideFields) != 40 {
		b.Fatal(len(wideFields))
	}
	x := setup(b, options{})
	body := jsonBody(b, map[string]any{"query": `{ salesOrders(first: 500) { nodes { ` + strings.Join(wideFields, " ") + ` } } }`})
	h := alone(b, x)
	n := serve(b, h, body)
	b.ReportAllocs()
	b.SetBytes(int64(n))
	for b.Loop() {
		serve(b, h, body)
	}
}

// BenchmarkLocalList100 is a page of 100 local rows through the graph; plain is what a
// hand-written handler would do with the same rows, if it did not ask whether the caller
// may see them. The graph does, in one call, of which the site's answer is replayed.
// graph/plain should be below 2.
func BenchmarkLocalList100(b *testing.B) {
	x := setup(b, options{})
	var customers []string
	for _, c := range x.restList(b, sales, "Customer", []string{"name"}, nil) {
		customers = append(customers, c.text("name"))
	}
	x.sql(b, `insert into service_contract (customer, item, manager, status, start_date, end_date, monthly_fee, notes)
		select ($1::text[])[1 + n % cardinality($1)], 'Item ' || n, 'user' || n || '@example.com', 'ACTIVE', date '2026-01-01' + n, null, n * 1.25, 'some notes, as people write them'
		from generate_series(1, 1000) n`, customers)
	var whole struct{ ServiceContracts struct{ Nodes []row } }
	x.query(b, sales, `{ serviceContracts(first: 100) { nodes { id } } }`, nil).into(b, &whole)
	if n := len(whole.ServiceContracts.Nodes); n != 100 {
		b.Fatalf("%d contracts are visible, want 100", n)
	}
	h := alone(b, x)
	body := jsonBody(b, map[string]any{
		"query": `{ serviceContracts(first: 100, orderBy: [{field: START_DATE}]) { nodes { id customer { name } item { name } manager { name } status startDate endDate monthlyFee notes createdAt } } }`,
	})
	serve(b, h, body)
	timed := func(do func()) time.Duration {
		start := time.Now()
		do()
		return time.Since(start)
	}
	var plain, graph []time.Duration
	for b.Loop() {
		plain = append(plain, timed(func() { plainContracts(b, x) }))
		graph = append(graph, timed(func() { serve(b, h, body) }))
	}
	b.ReportMetric(median(plain), "plain-ms")
	b.ReportMetric(median(graph), "graph-ms")
	b.ReportMetric(median(graph)/median(plain), "graph/plain")
	b.ReportMetric(0, "ns/op")
}

// plainContracts reads the rows with pgx into structs and writes them as JSON.
func plainContracts(tb testing.TB, x *bundle) {
	tb.Helper()
	type contract struct {
		ID, Customer, Item string
		Manager            *string
		Status             string
		StartDate          time.Time
		EndDate            *time.Time
		MonthlyFee         string
		Notes              *string
		CreatedAt          time.Time
	}
	rows, err := x.db.Pool().Query(tb.Context(), `select id::text, customer, item, manager, status, start_date, end_date, monthly_fee::text, notes, created_at
		from service_contract order by start_date, id limit 101`)
	if err != nil {
		tb.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[contract])
	if err != nil || len(list) != 101 {
		tb.Fatal(len(list), err)
	}
	if _, err := json.Marshal(list); err != nil {
		tb.Fatal(err)
	}
}
