package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/app"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/simulator"
)

// logBuffer takes a server's log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// count is how often a text was logged.
func (l *logBuffer) count(text string) int { return strings.Count(l.String(), text) }

// traceback is what a failing ERPNext sends along; secretValue stands for what must not
// get out of it.
const (
	secretValue = "s3cr3t-in-a-frame"
	traceback   = `{"exc_type":"OperationalError","exception":"pymysql.err.OperationalError: (2006, 'gone ` + secretValue + `')",` +
		`"exc":"[\"Traceback (most recent call last):\\n  File \\\"apps/frappe/app.py\\\", line 1, in f\\n    x = '` + secretValue + `'\\n\"]"}`
)

// Whatever ERPNext does wrong becomes a coded error within the deadline. The failure is
// that of one level: what was read before it stands.
func TestUpstreamFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault simulator.Fault
		code  string
		// heals: a second try of the same read succeeds, unseen by the client.
		heals bool
	}{
		{name: "slow", fault: simulator.Fault{Latency: time.Minute}, code: "UPSTREAM_TIMEOUT"},
		{name: "HTML", fault: simulator.Fault{Status: 200, ContentType: "text/html", Body: "<html><body>It works! " + secretValue}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "HTML called JSON", fault: simulator.Fault{Status: 200, Body: "<!DOCTYPE html><p>" + secretValue}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "half a JSON body", fault: simulator.Fault{Status: 200, Body: `{"message":[{"name":"` + secretValue}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "cut in the middle", fault: simulator.Fault{Status: 200, Body: `{"message":[{"name":"x"},{"name":"y"}]}`, Cut: true}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "JSON of another shape", fault: simulator.Fault{Status: 200, Body: `{"message":{"` + secretValue + `":1}}`}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "empty", fault: simulator.Fault{Status: 200, Body: " "}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "204", fault: simulator.Fault{Status: 204, Body: " "}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "redirect", fault: simulator.Fault{Status: 302, Body: " "}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "417", fault: simulator.Fault{Status: 417, Body: `{"exc_type":"ValidationError","_server_messages":"[\"{\\\"message\\\": \\\"No.\\\"}\"]"}`}, code: "VALIDATION"},
		{name: "429", fault: simulator.Fault{Status: 429, RetryAfter: "30"}, code: "RATE_LIMITED"},
		{name: "500 with a traceback", fault: simulator.Fault{Status: 500, Body: traceback}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "500 as HTML", fault: simulator.Fault{Status: 500, ContentType: "text/html", Body: "<pre>Traceback " + secretValue}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "502", fault: simulator.Fault{Status: 502, ContentType: "text/html", Body: "<h1>Bad Gateway"}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "maintenance", fault: simulator.Fault{Status: 503}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "connection dropped", fault: simulator.Fault{Drop: true}, code: "UPSTREAM_UNAVAILABLE"},
		{name: "DocType gone", fault: simulator.Fault{Status: 404, Body: `{"exc_type":"DoesNotExistError"}`}, code: "NOT_FOUND"},
		{name: "dropped once", fault: simulator.Fault{Drop: true, Count: 1}, heals: true},
		{name: "503 once", fault: simulator.Fault{Status: 503, Count: 1}, heals: true},
	}
	const (
		query = `{ salesOrders(first: 3) { nodes { name customer { customerName } items { qty } } } currencies(first: 1) { nodes { name } } }`
		limit = 3 * time.Second
	)
	site, err := newSite()
	if err != nil {
		t.Fatal(err)
	}
	log := &logBuffer{}
	patient := setup(t, options{site: site, log: log, config: func(c *app.Config) { c.OperationTimeout = limit }})
	hasty := setup(t, options{site: site, log: log, config: func(c *app.Config) { c.OperationTimeout = 50 * time.Millisecond }})
	for _, level := range []struct{ doctype, path string }{{"Sales Order", "salesOrders"}, {"Customer", "customer"}, {"Sales Order Item", "items"}} {
		for _, tt := range tests {
			t.Run(level.doctype+"/"+tt.name, func(t *testing.T) {
				b := patient
				if tt.fault.Latency > 0 {
					b = hasty
				}
				t.Cleanup(site.ClearFaults)
				tt.fault.DocType = level.doctype
				site.SetFault(tt.fault)
				start := time.Now()
				got := b.query(t, sales, query, nil)
				if took := time.Since(start); took > limit+time.Second {
					t.Errorf("took %v", took)
				}
				checkSecrets(t, got, log)
				if tt.heals {
					equal(t, "codes", got.codes(), []string(nil))
					return
				}
				codes := got.codes()
				if len(codes) == 0 || slices.ContainsFunc(codes, func(c string) bool { return c != tt.code }) {
					t.Fatalf("codes %v, want %s: %s", codes, tt.code, shorten(got.raw))
				}
				if tt.fault.Latency > 0 {
					return // the deadline is the operation's: nothing is left of it
				}
				if len(codes) != 1 || !slices.Contains(got.Errors[0].Path, any(level.path)) {
					t.Errorf("want one error, at %s: %s", level.path, shorten(got.raw))
				}
				if tt.code == "RATE_LIMITED" && got.Errors[0].Extensions["retryAfter"] != 30.0 {
					t.Errorf("extensions %v, want retryAfter 30", got.Errors[0].Extensions)
				}
				var data struct {
					SalesOrders struct{ Nodes []row }
					Currencies  struct{ Nodes []row }
				}
				got.Errors = nil
				got.into(t, &data)
				if len(data.Currencies.Nodes) != 1 {
					t.Errorf("the other root field is gone: %s", shorten(got.raw))
				}
				if level.doctype != "Sales Order" && len(data.SalesOrders.Nodes) != 3 {
					t.Errorf("the level above is gone: %s", shorten(got.raw))
				}
			})
		}
	}
}

// checkSecrets looks for what must never leave: tracebacks in answers, credentials and
// values of a traceback anywhere.
func checkSecrets(t *testing.T, got answer, log *logBuffer) {
	t.Helper()
	for _, secret := range []string{secretValue, "Traceback", "sales00secret01a", "4a1c0f5be2d1101", "127.0.0.1"} {
		if bytes.Contains(got.raw, []byte(secret)) {
			t.Errorf("the answer has %q: %s", secret, shorten(got.raw))
		}
	}
	for _, secret := range []string{"sales00secret01a", "4a1c0f5be2d1101"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q: %s", secret, log)
		}
	}
}

// ERPNext can't be reached at all.
func TestUpstreamDown(t *testing.T) {
	t.Parallel()
	b := reading(t, options{config: func(c *app.Config) { c.ERPNextURL = "http://127.0.0.1:1" }})
	got := b.query(t, sales, `{ customers { nodes { name } } me { user } serviceContracts { nodes { id } } }`, nil)
	equal(t, "codes", got.codes(), []string{"UPSTREAM_UNAVAILABLE", "UPSTREAM_UNAVAILABLE", "UPSTREAM_UNAVAILABLE"})
	if bytes.Contains(got.raw, []byte("127.0.0.1")) {
		t.Errorf("the answer tells addresses: %s", got.raw)
	}
}

// A field that the site no longer has is null with one error, the rest stands.
func TestFieldGone(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for doctype, fields := range map[string][]string{
		"Customer":         {"tax_id", "customer_type", "territory"},
		"Sales Order Item": {"item_name", "warehouse"},
		"Quotation":        {"party_name"},
		"Item Group":       {"parent_item_group"},
	} {
		for _, field := range fields {
			if err := b.site.RemoveField(doctype, field); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct{ name, query, path, rest string }{
		{"scalar", `{ customers(first: 3) { nodes { name gone: taxId customerName } } }`, "gone", "customerName"},
		{"scalar, by name", `{ customer(name: "C# Services") { name gone: taxId customerName } }`, "gone", "customerName"},
		{"enum", `{ customers(first: 3) { nodes { name gone: customerType customerName } } }`, "gone", "customerName"},
		{"link", `{ customers(first: 3) { nodes { name gone: territory { isGroup } customerName } } }`, "gone", "customerName"},
		{"link, name only", `{ customers(first: 3) { nodes { name gone: territory { name } customerName } } }`, "gone", "customerName"},
		{"on a linked document", `{ salesOrders(first: 3) { nodes { name customer { gone: taxId customerName } } } }`, "gone", "customerName"},
		{"on a child row", `{ salesOrders(first: 2) { nodes { name items { gone: itemName qty } } } }`, "gone", "qty"},
		{"link of a child row", `{ salesOrders(first: 2) { nodes { name items { gone: warehouse { isGroup } qty } } } }`, "gone", "qty"},
		{"dynamic link", `{ quotations(first: 3) { nodes { name gone: partyName { name } transactionDate } } }`, "gone", "transactionDate"},
		{"reverse link", `{ territories(first: 3) { nodes { territoryName gone: customers { nodes { name } } } } }`, "gone", "territoryName"},
		{"tree link to itself", `{ itemGroups(first: 3) { nodes { itemGroupName gone: parentItemGroup { name } } } }`, "gone", "itemGroupName"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, manager, tt.query, nil)
			if len(got.Errors) != 1 {
				t.Fatalf("%d errors, want one: %s", len(got.Errors), shorten(got.raw))
			}
			// Of a reverse link ERPNext says that the filter is not valid.
			code := got.codes()[0]
			if code != "NOT_FOUND" && (code != "VALIDATION" || tt.name != "reverse link") || !slices.Contains(got.Errors[0].Path, any(tt.path)) {
				t.Errorf("code %s at %v, want NOT_FOUND at %s", code, got.Errors[0].Path, tt.path)
			}
			if find(t, got.Data, tt.rest) == nil {
				t.Errorf("%s is gone too: %s", tt.rest, shorten(got.raw))
			}
		})
	}
	refused := map[string]string{
		"filter":  `{ customers(where: {taxId: {eq: "x"}}) { nodes { name } } }`,
		"order":   `{ customers(orderBy: [{field: TAX_ID}]) { nodes { name } } }`,
		"group":   `{ customersAggregate(groupBy: [TAX_ID]) { count } }`,
		"maximum": `{ customersAggregate { max { taxId } } }`,
	}
	for name, query := range refused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, manager, query, nil)
			if len(got.Errors) != 1 || got.codes()[0] == "INTERNAL" {
				t.Fatalf("want one coded error: %s", shorten(got.raw))
			}
		})
	}
}

// With the database down local fields fail and upstream ones answer.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *bundle{
		"never there": func(t *testing.T) *bundle { return reading(t, options{noDB: true}) },
		"gone later": func(t *testing.T) *bundle {
			proxy := newProxy(t, postgrestest.New(t))
			b := reading(t, options{app: app.Options{DB: proxy.db}})
			b.query(t, sales, `{ serviceContracts { nodes { id } } }`, nil).into(t, new(any))
			proxy.cut()
			b.cut = true
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			got := b.query(t, sales, `{
				customers(first: 2) { nodes { name serviceContracts { totalCount nodes { id } } } }
				serviceContracts { nodes { id } }
				serviceContractsAggregate { count }
			}`, nil)
			for _, e := range got.Errors {
				if e.Extensions["code"] != "UPSTREAM_UNAVAILABLE" {
					t.Errorf("%v: %v", e.Path, e.Extensions)
				}
			}
			if len(got.Errors) < 3 {
				t.Errorf("want an error for each local field: %s", got.raw)
			}
			var data struct{ Customers struct{ Nodes []row } }
			got.Errors = nil
			got.into(t, &data)
			if len(data.Customers.Nodes) != 2 || data.Customers.Nodes[0].text("name") == "" {
				t.Errorf("upstream rows are gone: %s", got.raw)
			}
		})
	}
}

// ERPNext down, the database up: who may see the rows can't be told, so nobody does.
func TestUpstreamDownLocalUp(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.contracts(t, 2)
	const query = `{ serviceContracts { totalCount nodes { status customer { name } item { name itemName } } } }`
	b.query(t, sales, query, nil).into(t, new(any))
	b.site.SetFault(simulator.Fault{Status: 500, Body: traceback})
	for _, credential := range []string{sales, north} { // one is known since a moment, one is not
		got := b.query(t, credential, query, nil)
		if codes := slices.Compact(got.codes()); len(codes) != 1 || codes[0] != "UPSTREAM_UNAVAILABLE" {
			t.Errorf("codes %v: %s", codes, got.raw)
		}
		equal(t, "data", got.Data, map[string]any{"serviceContracts": map[string]any{"totalCount": nil, "nodes": nil}})
	}
	b.site.ClearFaults()
	b.query(t, north, query, nil).into(t, new(any))
}

// A panic is one INTERNAL error, logged with its stack; the server lives.
func TestPanics(t *testing.T) {
	t.Parallel()
	t.Run("in a hand-written resolver", func(t *testing.T) {
		t.Parallel()
		log := &logBuffer{}
		b := reading(t, options{log: log, app: app.Options{Now: func() time.Time {
			if strings.Contains(string(debug.Stack()), "DaysLeft") {
				panic("the clock of " + secretValue)
			}
			return time.Now()
		}}})
		b.contracts(t, 1)
		got := b.query(t, sales, `{ serviceContracts { nodes { daysLeft } } }`, nil)
		equal(t, "codes", got.codes(), []string{"INTERNAL"})
		checkSecrets(t, got, log)
		if !strings.Contains(log.String(), "DaysLeft") {
			t.Error("the log has no stack of the panic")
		}
		b.query(t, sales, `{ serviceContracts { nodes { status } } }`, nil).into(t, new(any))
	})
	t.Run("below the loaders", func(t *testing.T) {
		t.Parallel()
		log := &logBuffer{}
		var armed atomic.Bool
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		b := reading(t, options{log: log, app: app.Options{HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if armed.Load() {
				panic("the transport of " + secretValue)
			}
			return transport.RoundTrip(r)
		})}}})
		armed.Store(true)
		got := b.query(t, sales, `{ customers { nodes { name territory { isGroup } } } }`, nil)
		equal(t, "codes", got.codes(), []string{"INTERNAL"})
		checkSecrets(t, got, log)
		if !strings.Contains(log.String(), "goroutine") {
			t.Error("the log has no stack of the panic")
		}
		armed.Store(false)
		b.query(t, sales, `{ customers { nodes { name } } }`, nil).into(t, new(any))
	})
}

// An error of the connection that quotes a credential stays inside.
func TestTransportErrorsTellNothing(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	b := reading(t, options{log: log, app: app.Options{HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("proxy 127.0.0.1 refused " + secretValue)
	})}}})
	got := b.query(t, sales, `{ customers { nodes { name } } }`, nil)
	equal(t, "codes", got.codes(), []string{"UPSTREAM_UNAVAILABLE"})
	checkSecrets(t, got, log)
}

// When the client goes away its calls to ERPNext end with it.
func TestClientGone(t *testing.T) {
	t.Parallel()
	asked, ended := make(chan struct{}), make(chan struct{})
	b := reading(t, options{between: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // net/http notices the end of a connection after the body only
			close(asked)
			<-r.Context().Done()
			close(ended)
		})
	}})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/graphql", strings.NewReader(`{"query":"{ customers { nodes { name } } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", sales)
	var wg sync.WaitGroup
	wg.Go(func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
	})
	<-asked
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the call goes on")
	}
	wg.Wait()
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
