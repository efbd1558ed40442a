package write_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/simulator"
	"erpgraph/internal/write"
	"erpgraph/loaders"
)

const siteData = "../simulator/testdata/site"

// The users of the recorded site that the tests write as.
var siteSecrets = map[string]string{
	"Administrator":           "4a1c0f5be2d1100:admin00secret00a",
	"sales@example.com":       "4a1c0f5be2d1101:sales00secret01a",
	"sales-north@example.com": "4a1c0f5be2d1102:north00secret02a",
	"stock@example.com":       "4a1c0f5be2d1104:stock00secret04a",
	"nobody@example.com":      "4a1c0f5be2d1105:nobody0secret05a",
	"manager@example.com":     "4a1c0f5be2d1107:manager0secret7a",
}

// recordedSite is loaded once; each test writes to a fork of its own.
var recordedSite = sync.OnceValues(func() (*simulator.Server, error) {
	var users []simulator.User
	for name, secret := range siteSecrets {
		key, value, _ := strings.Cut(secret, ":")
		users = append(users, simulator.User{Name: name, APIKey: key, APISecret: value})
	}
	return simulator.New(simulator.Options{TimeZone: "Asia/Kolkata", Data: os.DirFS(siteData), Users: users})
})

// recordedTypes are the types of the recorded site's DocTypes.
var recordedTypes = sync.OnceValues(func() (*doctype.Registry, error) {
	f, err := os.Open(siteData + "/doctypes.jsonl.gz")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var facts []*doctype.Facts
	dec := json.NewDecoder(unzipped)
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		fact, err := doctype.ParseFacts(raw)
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact)
	}
	cfg, err := doctype.ParseConfig([]byte(`
optional: [currency, conversion_rate, selling_price_list, price_list_currency, plc_conversion_rate, company, order_type, item_name, uom, conversion_factor, description, naming_series, transaction_date, status, stock_uom]
doctypes:
  Customer: {}
  Item: {}
  Sales Order: {}
  Quotation: {}
  Service Ticket: {}
  Service Ticket Line: {}
  Service Ticket Tag: {}
  Service Tag: {}
  Service Report: {}
  Site Note Settings: {}
  Currency: {}
  File: {}
  Comment: {}
  Brand: {}
`))
	if err != nil {
		return nil, err
	}
	reg, _, err := doctype.Build(cfg, facts, nil)
	return reg, err
})

// siteWorld is the recorded site, the client that writes to it, and a database for keys.
type siteWorld struct {
	tb      testing.TB
	site    *simulator.Server
	client  *frappe.Client
	reg     *doctype.Registry
	db      *postgres.DB // nil: no keys
	writers *write.Writers
	zone    *loaders.Site
	// lose makes the answers of that many writes get lost after the site has written.
	lose atomic.Int64
	// drop breaks the connections of that many writes before the site has seen them.
	drop atomic.Int64
	// refuse makes that many writes fail at a gateway before the site has seen them.
	refuse atomic.Int64
	// writes counts the requests that the site has seen that write; before runs ahead of
	// each of them.
	writes atomic.Int64
	before func(r *http.Request)
	after  func(context.Context)
}

// newSiteWorld starts a site. With a database there can be idempotency keys.
func newSiteWorld(tb testing.TB, withKeys bool) *siteWorld {
	tb.Helper()
	site, err := recordedSite()
	if err != nil {
		tb.Fatal(err)
	}
	w := &siteWorld{tb: tb, site: site.Fork()}
	if w.reg, err = recordedTypes(); err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(w)
	tb.Cleanup(server.Close)
	transport := &http.Transport{}
	tb.Cleanup(transport.CloseIdleConnections)
	if w.client, err = frappe.New(frappe.Config{BaseURL: server.URL, HTTPClient: &http.Client{Transport: transport}, Timeout: 20 * time.Second, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		tb.Fatal(err)
	}
	w.zone = loaders.NewSite(w.client.TimeZone)
	if withKeys {
		w.db = postgrestest.New(tb)
	}
	w.writers = w.newWriters(time.Nanosecond) // the site is not at a write any more once its answer is lost
	return w
}

// newWriters makes Writers for a site that may be at a write for a while.
func (w *siteWorld) newWriters(busy time.Duration) *write.Writers {
	return write.New(write.Config{
		Registry: w.reg, Upstream: w.client, Local: w.db, Site: w.zone, Busy: busy,
		FilePath: func(url string) (string, bool) {
			return strings.CutPrefix(url, "https://graph.example.com/erp")
		},
		AfterCall: func(ctx context.Context) {
			if w.after != nil {
				w.after(ctx)
			}
		},
	})
}

// writing tells whether a request changes the site.
func writing(r *http.Request) bool {
	if r.Method == http.MethodGet {
		return false
	}
	for _, read := range []string{"client.get_list", "reportview", "getdoctype", "has_permission", "get_transitions", "client.get"} {
		if strings.HasSuffix(r.URL.Path, read) || strings.Contains(r.URL.Path, read+"_count") {
			return false
		}
	}
	return true
}

func (w *siteWorld) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !writing(r) {
		w.site.ServeHTTP(rw, r)
		return
	}
	if w.before != nil {
		w.before(r)
	}
	if w.refuse.Add(-1) >= 0 {
		rw.WriteHeader(http.StatusTooManyRequests)
		return
	}
	if w.drop.Add(-1) >= 0 {
		panic(http.ErrAbortHandler)
	}
	w.writes.Add(1)
	if w.lose.Add(-1) >= 0 {
		w.site.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler) // the connection breaks
	}
	w.site.ServeHTTP(rw, r)
}

// leaseEnds lets the time of all leases pass.
func (w *siteWorld) leaseEnds() {
	w.tb.Helper()
	if _, err := w.db.Pool().Exec(w.tb.Context(), "update idempotency_key set lease_until = now() - interval '1 second'"); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *siteWorld) cred(user string) frappe.Credential {
	w.tb.Helper()
	cred, err := frappe.ParseAuthorization("token " + siteSecrets[user])
	if err != nil {
		w.tb.Fatal(err)
	}
	return cred
}

// Who tells who a credential belongs to.
func (w *siteWorld) Who(ctx context.Context, cred frappe.Credential) (*frappe.User, error) {
	return w.client.WhoAmI(ctx, cred)
}

// Forget has nothing to forget.
func (*siteWorld) Forget(frappe.Credential) {}

// as is the Writer of a new mutation field.
func (w *siteWorld) as(user, key string) *write.Writer {
	w.tb.Helper()
	set := loaders.NewSet(loaders.Config{Registry: w.reg, Upstream: w.client, Site: w.zone, Callers: w}, w.cred(user))
	return w.writers.For(set, key, nil)
}

func (w *siteWorld) typ(key string) *doctype.Type {
	w.tb.Helper()
	t := w.reg.ByKey(key)
	if t == nil {
		w.tb.Fatalf("no type %s", key)
	}
	return t
}

// read reads a document as the administrator.
func (w *siteWorld) read(key, name string) map[string]jsontext.Value {
	w.tb.Helper()
	doc, err := w.client.Document(w.tb.Context(), w.cred("Administrator"), key, name)
	if err != nil {
		w.tb.Fatal(err)
	}
	return doc
}

// count counts the documents of a DocType.
func (w *siteWorld) count(key string) int { return len(w.site.Names(key)) }

// must is the result of a write that succeeds.
func (w *siteWorld) must(r *write.Result, err error) *write.Result {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatalf("write: %v", err)
	}
	return r
}

// wantCode wants an error of that code.
func wantCode(tb testing.TB, err error, code apierror.Code) {
	tb.Helper()
	if e, ok := apierror.As(err); !ok || e.Code != code {
		tb.Fatalf("error %v, want %s", err, code)
	}
}

// wantError wants an error of that code, and gives its public part.
func wantError(tb testing.TB, err error, code apierror.Code) *apierror.Error {
	tb.Helper()
	wantCode(tb, err, code)
	e, _ := apierror.As(err)
	return e
}

// text is the text of a stored value.
func text(v jsontext.Value) string {
	if v.Kind() == '"' {
		b, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	return string(v)
}

// rfc is a stored Datetime as the graph gives it.
func (w *siteWorld) rfc(v jsontext.Value) string {
	w.tb.Helper()
	loc, err := w.zone.Location(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	t, err := time.ParseInLocation("2006-01-02 15:04:05.999999", text(v), loc)
	if err != nil {
		w.tb.Fatal(err)
	}
	return t.Format("2006-01-02T15:04:05.000000Z07:00")
}

// decode is an input as a client sends it: numbers stay json.Number.
func decode(tb testing.TB, input string) write.Input {
	tb.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(input)))
	dec.UseNumber()
	var out write.Input
	if err := dec.Decode(&out); err != nil {
		tb.Fatal(err)
	}
	return out
}

func unmarshal(v jsontext.Value, target any) error {
	if len(v) == 0 {
		return nil
	}
	return json.Unmarshal(v, target)
}
