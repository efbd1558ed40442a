package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/session"
	"erpgraph/internal/simulator"
)

// What fails while a user signs in leaves no session, and no token that lives on.
func TestSignInFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail func(*testBundle)
		want int
	}{
		"no tokens": {func(b *testBundle) { b.site.SetFault(simulator.Fault{Path: "get_token", Drop: true}) }, 503},
		"nobody says whose they are": {func(b *testBundle) {
			b.whoAmI = func(context.Context, frappe.Credential) (*frappe.User, error) {
				return nil, apierror.New(apierror.UpstreamTimeout, "no answer")
			}
		}, 504},
		"the client is unknown": {func(b *testBundle) {
			b.site.SetFault(simulator.Fault{Path: "get_token", Status: 404, Body: `{"exc_type":"DoesNotExistError"}`})
		}, 503},
		"no table for sessions": {func(b *testBundle) { b.exec("alter table auth_session rename to x") }, 503},
		"no table for states":   {func(b *testBundle) { b.exec("drop table auth_login_used; create view auth_login_used as select") }, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			v := b.browser()
			back := v.callback(sales, "/there")
			c.fail(b)
			res, body := v.get(back.String())
			if res.StatusCode != c.want || !strings.Contains(body, "return_to=%2Fthere") || v.session() != "" {
				t.Errorf("%d %s", res.StatusCode, body)
			}
			b.exec("alter table if exists x rename to auth_session")
			b.wantNoTokens(t, sales)
		})
	}
}

// ERPNext gives tokens, says that they are another's, and then does not take them back.
func TestTokensOfNobodyAreRetired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	back := v.callback(sales, "/")
	b.whoAmI = func(context.Context, frappe.Credential) (*frappe.User, error) {
		return &frappe.User{Name: manager}, nil
	}
	b.site.SetFault(simulator.Fault{Path: "revoke_token", Drop: true})
	v.refused(t, back.String())
	if n := b.count("auth_retired_token"); n != 1 {
		t.Fatalf("%d retired tokens", n)
	}
	b.site.ClearFaults()
	if err := b.m.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantNoTokens(t, sales)
}

func TestNoDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	db := postgrestest.Again(t, b.db)
	m := b.manager(db, b.keys)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, b.url+path, nil)
		r.AddCookie(&http.Cookie{Name: cookie, Value: id})
		r.Header.Set("GraphQL-Preflight", "1")
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, r)
		return w
	}
	for path, method := range map[string]string{"/auth/session": http.MethodGet, "/auth/logout": http.MethodPost} {
		w := ask(method, path)
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "UPSTREAM_UNAVAILABLE") || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if _, err := m.Identity(b.request(id)); codeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("identity: %v", err)
	}
	if err := m.Sweep(t.Context()); codeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("janitor: %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	swept := make(chan struct{}, 1)
	b.atSite = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "revoke_token") {
			swept <- struct{}{}
		}
		return false
	}
	b.signIn(sales)
	b.exec("update auth_session set expires_at = now()")
	ctx, cancel := context.WithCancel(t.Context())
	b.m.SweepEvery(time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- b.m.Run(ctx) }()
	<-swept
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	for _, query := range []string{"return_to=//evil.example", "return_to=/&return_to=/x", "return_to=/%zz", "return_to=/auth/login"} {
		res, body := v.get(b.url + "/auth/login?" + query)
		if res.StatusCode != http.StatusBadRequest || !strings.Contains(body, `"field":"return_to"`) || len(v.cookies()) != 0 {
			t.Errorf("%s: %d %s", query, res.StatusCode, body)
		}
	}
	for _, path := range []string{"/auth/login", "/auth/callback?error=x", "/auth/session"} {
		if res, _ := v.send(http.MethodHead, b.url+path, nil, ""); res.StatusCode != http.StatusMethodNotAllowed || len(v.cookies()) != 0 {
			t.Errorf("HEAD %s: %d", path, res.StatusCode)
		}
	}
	at := v.begin("")
	for _, c := range v.cookies() {
		if strings.Contains(c.Name+c.Value, at.Query().Get("state")) {
			t.Error("the cookie tells the state")
		}
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for address, want := range map[string]string{
		"https://app.example.com":      "__Host-erpgraph-login-",
		"https://app.example.com:8443": "__Host-erpgraph-login-",
		"https://localhost":            "__Host-erpgraph-login-",
		"http://localhost:8080":        "erpgraph-login-",
		"http://127.0.0.1:8080/":       "erpgraph-login-",
		"http://[::1]:8080":            "erpgraph-login-",
		"http://app.example.com":       "",
		"http://localhost.example.com": "",
		"http://127.0.0.1.example.com": "",
		"http://10.0.0.1":              "",
		"ftp://localhost":              "",
		"https://app.example.com/sub":  "",
		"https://u@app.example.com":    "",
		"https://app.example.com/?x":   "",
		"localhost":                    "",
	} {
		public, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		cfg := b.config(b.db, b.keys)
		cfg.PublicURL = public
		m, err := session.New(cfg)
		if want == "" {
			if err == nil {
				t.Errorf("%s: taken", address)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(address, "/")+"/auth/login", nil))
		line := w.Header().Get("Set-Cookie")
		if !strings.HasPrefix(line, want) || strings.Contains(line, "; Secure") != (public.Scheme == "https") {
			t.Errorf("%s: Set-Cookie %.40s…", address, line)
		}
	}
	if _, err := session.New(session.Config{}); err == nil {
		t.Error("an empty configuration is taken")
	}
}
