package simulator_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/simulator"
)

// TestOAuthFlow walks the way of a browser: authorize, log in, approve, redeem, use, expire.
func TestOAuthFlow(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64 // on the clock
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	o, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	o.Now = func() time.Time { return start.Add(time.Duration(passed.Load())) }
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	send := func(method, path string, form url.Values) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, web.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}

	const verifier = "a-verifier-that-is-long-enough-for-everybody"
	sum := sha256.Sum256([]byte(verifier))
	authorize := "/api/method/frappe.integrations.oauth2.authorize?" + url.Values{
		"client_id": {"erpgraph-demo"}, "response_type": {"code"}, "scope": {"all openid"}, "state": {"st"},
		"redirect_uri":   {"http://127.0.0.1:8080/auth/callback"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()

	login, err := send(http.MethodGet, authorize, nil).Location()
	if err != nil || login.Path != "/login" {
		t.Fatalf("without session: %v, %v", login, err)
	}
	back := login.Query().Get("redirect-to")
	res := send(http.MethodPost, "/login", url.Values{"usr": {"sales@example.com"}, "pwd": {"demo"}, "redirect-to": {back}})
	next, err := res.Location()
	if err != nil || next.RequestURI() != authorize {
		t.Fatalf("after the login: %v, %v", next, err)
	}
	approve, err := send(http.MethodGet, authorize, nil).Location()
	if err != nil {
		t.Fatal(err)
	}
	callback, err := send(http.MethodGet, approve.RequestURI(), nil).Location()
	if err != nil || callback.Query().Get("state") != "st" {
		t.Fatalf("callback: %v, %v", callback, err)
	}

	redeem := url.Values{"grant_type": {"authorization_code"}, "code": {callback.Query().Get("code")}, "client_id": {"erpgraph-demo"}, "code_verifier": {verifier}}
	browser.Jar = nil // no session any more: the token must do
	var token struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	if err := json.NewDecoder(send(http.MethodPost, "/api/method/frappe.integrations.oauth2.get_token", redeem).Body).Decode(&token); err != nil {
		t.Fatal(err)
	}
	if strings.Count(token.IDToken, ".") != 2 {
		t.Errorf("id_token %q", token.IDToken)
	}
	whoami := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+"/api/method/frappe.auth.get_logged_user", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token.AccessToken)
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if status := whoami(); status != http.StatusOK {
		t.Errorf("with the token: %d", status)
	}
	passed.Store(int64(2 * time.Hour))
	if status := whoami(); status != http.StatusUnauthorized {
		t.Errorf("after its end: %d", status)
	}
	if res := send(http.MethodPost, "/api/method/frappe.integrations.oauth2.get_token", redeem); res.StatusCode != http.StatusBadRequest {
		t.Errorf("redeemed again: %d", res.StatusCode)
	}
}

func TestLoginRedirectStaysHere(t *testing.T) {
	t.Parallel()
	o, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"https://evil.example/x", "//evil.example/x", "javascript:alert(1)", `/\evil.example`, ""} {
		form := url.Values{"usr": {"sales@example.com"}, "pwd": {"demo"}, "redirect-to": {to}}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		if at := rec.Header().Get("Location"); rec.Code != http.StatusFound || strings.Contains(at, `/\`) || !strings.HasPrefix(at, "/") || strings.HasPrefix(at, "//") {
			t.Errorf("redirect-to %q: %d to %q", to, rec.Code, at)
		}
	}
}
