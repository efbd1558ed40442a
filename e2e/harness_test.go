// Package e2e tests erpgraph as its users see it: the real App over HTTP, a simulated
// ERPNext and a real PostgreSQL behind it.
package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"erpgraph/internal/app"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/simulator"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		os.Exit(serveUntilStopped())
	}
	if address := os.Getenv(clientsOf); address != "" {
		os.Exit(holdSubscriptions(address))
	}
	code := postgrestest.Main(m)
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// The users of the recorded site, by the credential they send.
const (
	sales   = "token 4a1c0f5be2d1101:sales00secret01a"
	north   = "token 4a1c0f5be2d1102:north00secret02a"
	two     = "token 4a1c0f5be2d1103:twocus0secret03a"
	stock   = "token 4a1c0f5be2d1104:stock00secret04a"
	nobody  = "token 4a1c0f5be2d1105:nobody0secret05a"
	manager = "token 4a1c0f5be2d1107:manager0secret7a"
	admin   = "token 4a1c0f5be2d1100:admin00secret00a"
)

// password is that of every user.
const password = "e2e-password-of-all"

// accounts are the API keys of the recorded site.
var accounts = []simulator.User{
	{Name: "Administrator", APIKey: "4a1c0f5be2d1100", APISecret: "admin00secret00a", Password: password},
	{Name: "sales@example.com", APIKey: "4a1c0f5be2d1101", APISecret: "sales00secret01a", Password: password},
	{Name: "sales-north@example.com", APIKey: "4a1c0f5be2d1102", APISecret: "north00secret02a", Password: password},
	{Name: "sales-two@example.com", APIKey: "4a1c0f5be2d1103", APISecret: "twocus0secret03a", Password: password},
	{Name: "stock@example.com", APIKey: "4a1c0f5be2d1104", APISecret: "stock00secret04a", Password: password},
	{Name: "nobody@example.com", APIKey: "4a1c0f5be2d1105", APISecret: "nobody0secret05a", Password: password},
	{Name: "svc-full@example.com", APIKey: "4a1c0f5be2d1109", APISecret: "svcfull0secret9a", Password: password},
	{Name: "manager@example.com", APIKey: "4a1c0f5be2d1107", APISecret: "manager0secret7a", Password: password},
}

// bundle is one erpgraph with all behind it.
type bundle struct {
	site    *simulator.Server
	siteURL string
	db      *postgres.DB
	url     string
	log     *logBuffer
	// webhookSecret signs the site's webhooks.
	webhookSecret string
	// cut tells that the database can't be reached any more.
	cut bool
}

// options bend a bundle.
type options struct {
	config func(*app.Config)
	app    app.Options
	noDB   bool // a database that can't be reached
	// site is used instead of a fresh one.
	site *simulator.Server
	// beside is a bundle whose site, database and public address are shared: another
	// process of the same service.
	beside *bundle
	// signIn lets users sign in at the site; it needs a site of its own.
	signIn bool
	// log takes the server's log.
	log io.Writer
	// doctypes is the doctypes.yml of another graph than the built-in one.
	doctypes string
	// live runs all of the App, its background parts included, with the site's Webhooks set up.
	live bool
	// between stands between erpgraph and the site.
	between func(http.Handler) http.Handler
}

// sharedSite is the recorded site, loaded once: for all tests that neither write to it
// nor read its call log.
var sharedSite = sync.OnceValues(func() (*simulator.Server, error) { return simulator.New(recordedSite()) })

// recordedSite is the site that was recorded, with its users.
func recordedSite() simulator.Options {
	return simulator.Options{TimeZone: "Asia/Kolkata", Data: os.DirFS("../internal/simulator/testdata/site"), Users: accounts}
}

// newSite is the recorded site for one test alone.
func newSite() (*simulator.Server, error) {
	site, err := sharedSite()
	if err != nil {
		return nil, err
	}
	return site.Fork(), nil
}

// reading starts an App over the shared site, for tests that change nothing.
func reading(tb testing.TB, opts options) *bundle {
	tb.Helper()
	var err error
	if opts.site, err = sharedSite(); err != nil {
		tb.Fatal(err)
	}
	return setup(tb, opts)
}

// setup starts an App over the recorded site and a fresh database schema.
func setup(tb testing.TB, opts options) *bundle {
	tb.Helper()
	b := &bundle{site: opts.site, log: &logBuffer{}}
	if opts.beside != nil {
		b.site, b.siteURL, opts.signIn = opts.beside.site, opts.beside.siteURL, true
		opts.app.DB = postgrestest.Again(tb, opts.beside.db)
	}
	b.startSite(tb, opts)
	if opts.doctypes != "" {
		opts.app.Graph = sideGraph(tb, b.siteURL, opts.doctypes)
	}
	graph := httptest.NewUnstartedServer(nil)
	if opts.live {
		b.watch(tb, &opts, "http://"+graph.Listener.Addr().String())
	}
	b.url = "http://" + graph.Listener.Addr().String()
	cfg := b.config(tb, opts)
	switch {
	case opts.app.DB != nil:
		b.db = opts.app.DB
	case opts.noDB:
		cfg.DatabaseURL = "postgres://127.0.0.1:1/none"
	default:
		b.db = postgrestest.New(tb)
		opts.app.DB = b.db
	}
	if opts.app.Now == nil && !opts.signIn {
		// The clock stands still: who a caller is, is known for half a minute only, and then
		// costs calls, which would come into the counts of a slow run. Where users sign in it
		// goes: parallel tests wait for minutes, and the site's id_tokens would be of the future.
		start := time.Now()
		opts.app.Now = func() time.Time { return start }
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	tb.Cleanup(transport.CloseIdleConnections)
	if opts.app.HTTPClient == nil {
		opts.app.HTTPClient = &http.Client{Transport: transport}
	}
	var out io.Writer = b.log
	if opts.log != nil {
		out = io.MultiWriter(b.log, opts.log)
	}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := app.New(tb.Context(), cfg, log, opts.app)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		b.searchSecrets(tb)
		if err := a.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	if opts.live {
		b.run(tb, a, graph.Listener)
		return b
	}
	graph.Config.Handler = a.Handler()
	graph.Start()
	tb.Cleanup(graph.Close)
	return b
}

// startSite serves the bundle's site, unless another bundle does.
func (b *bundle) startSite(tb testing.TB, opts options) {
	tb.Helper()
	if b.siteURL != "" {
		return
	}
	if b.site == nil {
		var err error
		if b.site, err = newSite(); err != nil {
			tb.Fatal(err)
		}
	}
	handler := b.site.Handler()
	if opts.between != nil {
		handler = opts.between(handler)
	}
	site := httptest.NewServer(handler)
	tb.Cleanup(site.Close)
	b.siteURL = site.URL
}

// The OAuth Client that users sign in with.
const clientID, clientSecret = "erpgraph-e2e", "e2e0client0secret"

func (b *bundle) config(tb testing.TB, opts options) app.Config {
	tb.Helper()
	cfg, err := app.DefaultConfig()
	if err != nil {
		tb.Fatal(err)
	}
	cfg.ERPNextURL, cfg.Introspection, cfg.PublicURL = b.siteURL, true, b.url
	cfg.UpstreamBusy = time.Millisecond // the simulator does not go on when its caller has left
	if opts.beside != nil {
		cfg.PublicURL = opts.beside.url
	}
	if opts.signIn {
		cfg.ClientID, cfg.ClientSecret, cfg.SessionKeys = clientID, clientSecret, sessionKey
	}
	if opts.signIn && opts.beside == nil {
		if err := b.site.AddClient(simulator.OAuthClient{
			ID: clientID, Secret: clientSecret, RedirectURI: b.url + "/auth/callback", Scopes: "all openid",
		}); err != nil {
			tb.Fatal(err)
		}
	}
	if opts.config != nil {
		opts.config(&cfg)
	}
	return cfg
}

// answer is a GraphQL response.
type answer struct {
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
	Extensions struct {
		Outcomes []struct {
			Field   string `json:"field"`
			Outcome string `json:"outcome"`
		} `json:"outcomes"`
		Upstream struct {
			Calls    int `json:"calls"`
			Rows     int `json:"rows"`
			Requests []struct {
				Method  string   `json:"method"`
				DocType string   `json:"doctype"`
				Fields  []string `json:"fields"`
				Rows    int      `json:"rows"`
			} `json:"requests"`
			Statements []struct {
				Type string `json:"type"`
			} `json:"statements"`
		} `json:"upstream"`
	} `json:"extensions"`
	raw    []byte
	status int
}

// buffers keeps the tests' own allocations out of the benchmarks' way.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// withCookie begins a credential that is a session's cookie and no header.
const withCookie = "cookie "

// query sends a query with a credential ("" for none), traced.
func (b *bundle) query(tb testing.TB, credential, query string, variables map[string]any) answer {
	tb.Helper()
	return b.send(tb, credential, query, variables, nil)
}

// send is query with further headers.
func (b *bundle) send(tb testing.TB, credential, query string, variables map[string]any, header map[string]string) answer {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, b.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Erpgraph-Trace", "1")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	if cookie, ok := strings.CutPrefix(credential, withCookie); ok {
		req.Header.Set("Cookie", cookie)
	} else if credential != "" {
		req.Header.Set("Authorization", credential)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if _, err := io.Copy(buf, res.Body); err != nil {
		tb.Fatal(err)
	}
	out := answer{raw: bytes.Clone(buf.Bytes()), status: res.StatusCode}
	if err := json.Unmarshal(out.raw, &out); err != nil {
		tb.Fatalf("%v in %s", err, out.raw)
	}
	return out
}

// meet makes the caller known, which a later query then need not ask for.
func (b *bundle) meet(tb testing.TB, credential string) {
	tb.Helper()
	b.query(tb, credential, `{ me { user } }`, nil).into(tb, new(any))
}

// into decodes the data of an answer that must have no errors.
func (a answer) into(tb testing.TB, target any) {
	tb.Helper()
	if len(a.Errors) > 0 {
		tb.Fatalf("unexpected errors: %s", a.raw)
	}
	if err := json.Unmarshal(a.Data, target); err != nil {
		tb.Fatalf("%v in %s", err, a.raw)
	}
}

// codes are the codes of an answer's errors, in order.
func (a answer) codes() []string {
	var out []string
	for _, e := range a.Errors {
		code, _ := e.Extensions["code"].(string)
		out = append(out, code)
	}
	return out
}
