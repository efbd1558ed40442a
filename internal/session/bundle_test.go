package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/frappe"
	"erpgraph/internal/httpapi"
	"erpgraph/internal/oauth"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/session"
	"erpgraph/internal/simulator"
)

const (
	sales    = "sales@example.com"
	manager  = "manager@example.com"
	clientID = "the-app"
	password = "a-password-that-is-told-nobody"
	cookie   = "erpgraph"
)

// testBundle is a site, a database, and a service that users sign in to.
type testBundle struct {
	*testing.T
	site    *simulator.Server
	siteURL string
	db      *postgres.DB
	keys    *session.Keyring
	log     *logBuffer
	clock   *clock

	m   *session.Manager
	url string

	// Set before the first request.
	forget func(frappe.Credential)
	atSite func(w http.ResponseWriter, r *http.Request) bool // answers in place of the site
	whoAmI func(context.Context, frappe.Credential) (*frappe.User, error)
	client *frappe.Client
}

// clock is the service's time, which a test moves; the site's stays.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// logBuffer is a log that several goroutines write.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// events are the audit lines of a kind.
func (b *testBundle) events(kind string) []map[string]any {
	b.Helper()
	var out []map[string]any
	for line := range strings.Lines(b.log.String()) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			b.Fatal(err)
		}
		if event["msg"] == "audit" && event["event"] == kind {
			out = append(out, event)
		}
	}
	return out
}

func key(fill byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

func mustKeys(t *testing.T, text string) *session.Keyring {
	t.Helper()
	keys, err := session.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// firstSite is the one that those of the tests are copies of.
var firstSite = sync.OnceValues(func() (*simulator.Server, error) {
	options, err := simulator.Demo()
	if err != nil {
		return nil, err
	}
	for i := range options.Users {
		options.Users[i].Password = password
	}
	return simulator.New(options)
})

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{T: t, db: postgrestest.New(t), keys: mustKeys(t, key(1)), log: &logBuffer{}, clock: &clock{}}
	var handler atomic.Pointer[http.Handler] // the site must know the service's address first
	b.url = b.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/auth/") {
			(*handler.Load()).ServeHTTP(w, r)
			return
		}
		_, _ = io.WriteString(w, "the app")
	}))
	first, err := firstSite()
	if err != nil {
		t.Fatal(err)
	}
	b.site = first.Fork()
	for id, secret := range map[string]string{clientID: "0123456789", "another": "9876543210"} {
		client := simulator.OAuthClient{ID: id, Secret: secret, RedirectURI: b.url + "/auth/callback", Scopes: "all openid", Trusted: true}
		if err := b.site.AddClient(client); err != nil {
			t.Fatal(err)
		}
	}
	b.siteURL = b.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.atSite == nil || !b.atSite(w, r) {
			b.site.ServeHTTP(w, r)
		}
	}))
	if b.client, err = frappe.New(frappe.Config{BaseURL: b.siteURL, HTTPClient: b.http(nil), Retries: -1}); err != nil {
		t.Fatal(err)
	}
	b.whoAmI = b.client.WhoAmI
	b.m = b.manager(b.db, b.keys)
	routes := b.m.Handler()
	handler.Store(&routes)
	t.Cleanup(b.searchSecrets)
	return b
}

func (b *testBundle) serve(h http.Handler) string {
	b.Helper()
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	return s.URL
}

// http is a client whose connections end with the test.
func (b *testBundle) http(jar http.CookieJar) *http.Client {
	transport := &http.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar}
}

// manager makes one more process of the service.
func (b *testBundle) manager(db *postgres.DB, keys *session.Keyring) *session.Manager {
	b.Helper()
	m, err := session.New(b.config(db, keys))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.Close)
	return m
}

func (b *testBundle) config(db *postgres.DB, keys *session.Keyring) session.Config {
	b.Helper()
	client, err := oauth.New(oauth.Config{
		SiteURL: b.siteURL, ClientID: clientID, ClientSecret: "0123456789",
		RedirectURL: b.url + "/auth/callback", HTTPClient: b.http(nil), Now: b.clock.now,
	})
	if err != nil {
		b.Fatal(err)
	}
	public, err := url.Parse(b.url)
	if err != nil {
		b.Fatal(err)
	}
	who := func(ctx context.Context, c frappe.Credential) (*frappe.User, error) { return b.whoAmI(ctx, c) }
	return session.Config{
		OAuth: client, Pool: db.Pool(), Keys: keys, Who: who, PublicURL: public, CheckForgery: b.forgery(b.url),
		RequestID: func(context.Context) (string, error) { return "request-1", nil },
		Logger:    slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Forget: func(c frappe.Credential) {
			if b.forget != nil {
				b.forget(c)
			}
		},
		Now: b.clock.now,
	}
}

// forgery is the rule that the app has, for a service at this address.
func (b *testBundle) forgery(public string) func(*http.Request) error {
	b.Helper()
	check, err := httpapi.NewForgeryCheck(public, []string{"https://app.example.com"})
	if err != nil {
		b.Fatal(err)
	}
	return check
}

func (b *testBundle) exec(sql string, args ...any) {
	b.Helper()
	if _, err := b.db.Pool().Exec(b.Context(), sql, args...); err != nil {
		b.Fatal(err)
	}
}

func (b *testBundle) count(table string) int {
	b.Helper()
	var n int
	if err := b.db.Pool().QueryRow(b.Context(), "select count(*) from "+table).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// grants counts the calls for tokens that the site has answered.
func (b *testBundle) grants(kind string) int {
	n := 0
	for _, c := range b.site.Calls() {
		if c.Grant == kind {
			n++
		}
	}
	return n
}

// browser is a person's.
type browser struct {
	b    *testBundle
	http *http.Client
	jar  http.CookieJar
}

func (b *testBundle) browser() *browser {
	b.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	v := &browser{b: b, http: b.http(jar), jar: jar}
	v.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return v
}

// send makes one request and follows no redirect.
func (v *browser) send(method, address string, header map[string]string, body string) (*http.Response, string) {
	v.b.Helper()
	r, err := http.NewRequestWithContext(v.b.Context(), method, address, strings.NewReader(body))
	if err != nil {
		v.b.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := v.http.Do(r)
	if err != nil {
		v.b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.b.Fatal(err)
	}
	return res, string(text)
}

func (v *browser) get(address string) (*http.Response, string) {
	v.b.Helper()
	return v.send(http.MethodGet, address, nil, "")
}

func (v *browser) location(res *http.Response, body string) *url.URL {
	v.b.Helper()
	to, err := res.Location()
	if err != nil {
		v.b.Fatalf("%s: %d, no redirect: %.300s", res.Request.URL.Path, res.StatusCode, body)
	}
	return to
}

// begin goes to the login and gives the address at the site that it leads to.
func (v *browser) begin(returnTo string) *url.URL {
	v.b.Helper()
	return v.location(v.get(v.b.url + "/auth/login?return_to=" + url.QueryEscape(returnTo)))
}

// callback logs in at the site and gives the address that it sends the browser back to.
func (v *browser) callback(user, returnTo string) *url.URL {
	v.b.Helper()
	at := v.begin(returnTo)
	for range 10 {
		switch {
		case strings.HasPrefix(at.String(), v.b.url+"/auth/callback"):
			return at
		case at.Path == "/login":
			at = v.location(v.send(http.MethodPost, at.String(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
				url.Values{"usr": {user}, "pwd": {password}, "redirect-to": {at.Query().Get("redirect-to")}}.Encode()))
		default:
			at = v.location(v.get(at.String()))
		}
	}
	v.b.Fatalf("the site does not send the browser back: %s", at)
	return nil
}

// signIn makes a browser that is signed in.
func (b *testBundle) signIn(user string) *browser {
	b.Helper()
	v := b.browser()
	if res, body := v.get(v.callback(user, "/").String()); res.StatusCode != http.StatusSeeOther {
		b.Fatalf("sign-in: %d %s", res.StatusCode, body)
	}
	return v
}

// cookies are those that the service has given the browser: to browsers the site, at
// another port, is the same host.
func (v *browser) cookies() []*http.Cookie {
	v.b.Helper()
	u, err := url.Parse(v.b.url)
	if err != nil {
		v.b.Fatal(err)
	}
	return slices.DeleteFunc(v.jar.Cookies(u), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, cookie) })
}

// session is the session id, "" without one.
func (v *browser) session() string {
	v.b.Helper()
	for _, c := range v.cookies() {
		if c.Name == cookie {
			return c.Value
		}
	}
	return ""
}

// status is what GET /auth/session says.
func (v *browser) status() map[string]any {
	v.b.Helper()
	res, body := v.get(v.b.url + "/auth/session")
	var out map[string]any
	if err := json.Unmarshal([]byte(body), &out); err != nil || res.StatusCode != http.StatusOK {
		v.b.Fatalf("/auth/session: %d %s", res.StatusCode, body)
	}
	return out
}

// request is one to the service with a session id.
func (b *testBundle) request(id string) *http.Request {
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, b.url+"/graphql", nil)
	if id != "" {
		r.AddCookie(&http.Cookie{Name: cookie, Value: id})
	}
	return r
}

// credential is what requests of a session call the site with.
func (b *testBundle) credential(m *session.Manager, id string) frappe.Credential {
	b.Helper()
	identity, err := m.Identity(b.request(id))
	if err != nil || identity.IsZero() {
		b.Fatalf("identity: %v, %v", identity, err)
	}
	return identity.Credential()
}
