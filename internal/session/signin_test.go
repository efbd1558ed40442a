package session_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	if got := v.status(); got["signedIn"] != false || got["loginUrl"] != "/auth/login" {
		t.Errorf("a stranger: %v", got)
	}
	if n := b.count("auth_session") + b.count("auth_login_used"); n != 0 {
		t.Errorf("%d rows before anybody signed in", n)
	}
	res, body := v.get(v.callback(sales, "/playground/?tab=2#x").String())
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/playground/?tab=2#x" {
		t.Fatalf("callback: %d to %q: %s", res.StatusCode, res.Header.Get("Location"), body)
	}
	if res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", res.Header)
	}
	for _, line := range res.Header.Values("Set-Cookie") {
		for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
			if !strings.Contains(line, want) {
				t.Errorf("Set-Cookie lacks %s", want)
			}
		}
		if strings.Contains(line, "Domain") {
			t.Error("the cookie is for other hosts too")
		}
	}
	if names := v.cookies(); len(names) != 1 { // the attempt's is gone
		t.Errorf("%d cookies", len(names))
	}
	got := v.status()
	if got["signedIn"] != true || got["user"] != sales || got["fullName"] == "" || got["expiresAt"] == nil || fmt.Sprint(got["roles"]) == "[]" || got["roles"] == nil {
		t.Errorf("status: %v", got)
	}
	user, err := b.client.LoggedUser(t.Context(), b.credential(b.m, v.session()))
	if err != nil || user != sales {
		t.Errorf("the site takes the session for %q, %v", user, err)
	}
	events := b.events("sign_in")
	if len(events) != 1 || events[0]["user"] != sales || len(fmt.Sprint(events[0]["session"])) != 16 || events[0]["requestId"] != "request-1" {
		t.Errorf("audit: %v", events)
	}
}

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	at := v.begin("/")
	if !strings.Contains(at.RawQuery, "scope=all%20openid") {
		t.Errorf("scope: %s", at.RawQuery)
	}
	q := at.Query()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) != 43 {
			t.Errorf("%s has %d characters", name, len(q.Get(name)))
		}
	}
	if q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != b.url+"/auth/callback" {
		t.Errorf("query: %v", q)
	}
	for range 7 {
		v.begin("/")
	}
	if n := len(v.cookies()); n != 5 {
		t.Errorf("%d sign-ins are remembered, want 5", n)
	}
}

func TestSessionIDIsNew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	fixed := strings.Repeat("A", 43)
	back := v.callback(sales, "/")
	v.jar.SetCookies(back, []*http.Cookie{{Name: cookie, Value: fixed, Path: "/"}})
	v.get(back.String())
	first := v.session()
	if first == fixed || first == "" {
		t.Fatal("the session has the id that somebody else chose")
	}
	v.get(v.callback(sales, "/").String())
	if second := v.session(); second == first || second == "" {
		t.Error("a second sign-in keeps the id")
	}
	if _, err := b.m.Identity(b.request(first)); codeOf(err) != "UNAUTHENTICATED" {
		t.Errorf("the browser's session before: %v", err)
	}
	if n := b.count("auth_session"); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	v.begin("/somewhere?a=1&b=<")
	for _, query := range []string{"?error=access_denied", "?error=<script>", "?error="} {
		res, body := v.get(b.url + "/auth/callback" + query)
		if res.StatusCode != http.StatusForbidden || !strings.Contains(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", query, res.StatusCode, body)
		}
		if strings.Contains(body, "<script") || !strings.Contains(body, `href="/auth/login?return_to=%2Fsomewhere%3Fa%3D1%26b%3D%3C"`) {
			t.Errorf("%s: %s", query, body)
		}
		_, style, _ := strings.Cut(body, "<style>")
		style, _, _ = strings.Cut(style, "</style>")
		sum := sha256.Sum256([]byte(style))
		if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") {
			t.Errorf("policy %q", csp)
		}
	}
	if v.session() != "" || len(b.events("refused")) != 3 || b.events("refused")[0]["reason"] != "access_denied" {
		t.Errorf("audit: %v", b.events("refused"))
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/auth/logout"}, {http.MethodPost, "/auth/login"}, {http.MethodPost, "/auth/callback"}, {http.MethodDelete, "/auth/session"},
	} {
		if res, _ := v.send(c.method, b.url+c.path, map[string]string{"GraphQL-Preflight": "1"}, ""); res.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", c.method, c.path, res.StatusCode)
		}
	}
	if v.status()["signedIn"] != true {
		t.Error("signed out")
	}
}
