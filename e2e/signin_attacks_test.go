package e2e_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"erpgraph/internal/simulator"
)

// stopBefore makes the visitor's browser stop at the first address that begins so.
func (v *visitor) stopBefore(prefix string) {
	v.http.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), prefix) {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// callback goes through login and consent, and gives the address that ERPNext sends the
// browser back to, unused.
func (v *visitor) callback(tb testing.TB, user string) *url.URL {
	tb.Helper()
	page := v.logIn(tb, user, "/")
	v.stopBefore(v.b.url + "/auth/callback")
	defer func() { v.http.CheckRedirect = nil }()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, v.choice(tb, page, "allow"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	res, err := v.http.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	_ = res.Body.Close()
	back, err := res.Location()
	if err != nil {
		tb.Fatalf("ERPNext does not send the browser back: %v", err)
	}
	return back
}

func with(u *url.URL, name, value string) string {
	q := u.Query()
	q.Set(name, value)
	changed := *u
	changed.RawQuery = q.Encode()
	return changed.String()
}

func TestSignInAttacks(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	refused := func(t *testing.T, v *visitor, address string) {
		t.Helper()
		status, body := v.get(t, address)
		if status < 400 || status >= 500 {
			t.Errorf("%d %s", status, body)
		}
		if v.session(t)["signedIn"] != false {
			t.Error("it signed in")
		}
		if u, err := url.Parse(address); err == nil {
			for _, secret := range []string{u.Query().Get("code"), u.Query().Get("state")} {
				if secret != "" && strings.Contains(body, secret) {
					t.Error("the page repeats what is secret in the address")
				}
			}
		}
	}
	t.Run("state of another browser", func(t *testing.T) {
		t.Parallel()
		attacker, victim := b.visitor(t), b.visitor(t)
		back := attacker.callback(t, "sales@example.com")
		refused(t, victim, back.String())
		victim.callback(t, "manager@example.com") // with an attempt of its own pending
		refused(t, victim, back.String())
	})
	t.Run("state changed", func(t *testing.T) {
		t.Parallel()
		v := b.visitor(t)
		back := v.callback(t, "sales@example.com")
		refused(t, v, with(back, "state", back.Query().Get("state")+"x"))
		refused(t, v, with(back, "state", ""))
	})
	t.Run("callback sent twice", func(t *testing.T) {
		t.Parallel()
		v := b.visitor(t)
		site, _ := url.Parse(b.url)
		back := v.callback(t, "sales@example.com")
		attempt := v.http.Jar.Cookies(site)
		v.get(t, back.String())
		if v.session(t)["signedIn"] != true {
			t.Fatal("the first one did not sign in")
		}
		again := b.visitor(t)
		again.http.Jar.SetCookies(site, attempt)
		refused(t, again, back.String())
	})
	t.Run("code of another client", func(t *testing.T) {
		t.Parallel()
		v := b.visitor(t)
		back := v.callback(t, "sales@example.com")
		b.site.AddOAuthCode(simulator.OAuthCode{
			Code: "code0of0another0client", ClientID: "other", User: "manager@example.com", Scopes: "all openid", RedirectURI: "https://other.example/cb",
		})
		refused(t, v, with(back, "code", "code0of0another0client"))
	})
	t.Run("code of another browser", func(t *testing.T) {
		t.Parallel()
		attacker, victim := b.visitor(t), b.visitor(t)
		stolen := attacker.callback(t, "sales@example.com").Query().Get("code")
		refused(t, victim, with(victim.callback(t, "manager@example.com"), "code", stolen)) // PKCE: another verifier
	})
	t.Run("a session id given by someone else", func(t *testing.T) {
		t.Parallel()
		v := b.visitor(t)
		site, _ := url.Parse(b.url)
		fixed := strings.Repeat("A", 43)
		v.http.Jar.SetCookies(site, []*http.Cookie{{Name: sessionCookie, Value: fixed, Path: "/"}})
		v.get(t, v.callback(t, "sales@example.com").String())
		if got := v.cookie(t); got == fixed || got == "" {
			t.Errorf("the session id is %q", got)
		}
	})
}

func TestReturnStaysHere(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	for _, to := range []string{
		"https://evil.example/", "//evil.example", `/\evil.example`, `\\evil.example`, "/%0d%0aSet-Cookie:x=1", "javascript:alert(1)",
		"/\t/evil.example", "http:/evil.example", " /x", "/x\r\n", "/..//evil.example/%2e%2e",
	} {
		v := b.visitor(t)
		v.stopBefore(b.siteURL)
		status, body := v.get(t, b.url+"/auth/login?return_to="+url.QueryEscape(to))
		if status != http.StatusBadRequest || !strings.Contains(body, "return_to") {
			t.Errorf("%q: %d %s", to, status, body)
		}
	}
}

// A page on another host can make the browser send requests with the cookie. None is
// served.
func TestCrossSiteRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	v := b.signIn(t, "sales@example.com")
	const body = `{"query":"{ me { user } }"}`
	for name, c := range map[string]struct {
		header map[string]string
		served bool
	}{
		"our page":               {map[string]string{"Content-Type": "application/json", "Origin": b.url, "Sec-Fetch-Site": "same-origin"}, true},
		"a program":              {map[string]string{"Content-Type": "application/json"}, true},
		"a form":                 {map[string]string{"Content-Type": "text/plain", "Origin": "https://evil.example"}, false},
		"JSON of another origin": {map[string]string{"Content-Type": "application/json", "Origin": "https://evil.example"}, false},
		"of the same site":       {map[string]string{"Content-Type": "application/json", "Sec-Fetch-Site": "same-site"}, false},
		"of a hidden origin":     {map[string]string{"Content-Type": "application/json", "Origin": "null"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := v.post(t, b.url, c.header, []byte(body))
			if served := got.status == http.StatusOK && len(got.Errors) == 0; served != c.served {
				t.Errorf("%d %s", got.status, got.raw)
			}
		})
	}
	t.Run("a link", func(t *testing.T) {
		t.Parallel()
		if status, body := v.get(t, b.url+"/graphql?query="+url.QueryEscape("{ me { user } }")); status != http.StatusForbidden {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("signing out", func(t *testing.T) {
		t.Parallel()
		other := b.signIn(t, "manager@example.com")
		other.send(t, http.MethodPost, b.url+"/auth/logout", map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"}, "")
		if other.session(t)["signedIn"] != true {
			t.Error("another site's form signed the user out")
		}
	})
	t.Run("a socket", func(t *testing.T) {
		t.Parallel()
		status, body := v.send(t, http.MethodGet, b.url+"/graphql", map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
			"Sec-WebSocket-Protocol": "graphql-transport-ws", "Origin": "https://evil.example",
		}, "")
		if status != http.StatusForbidden {
			t.Errorf("%d %s", status, body)
		}
	})
}
