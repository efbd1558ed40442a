package simulator_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"erpgraph/internal/simulator"
)

func TestHomePage(t *testing.T) {
	t.Parallel()
	_, base := newSite(t, nil)
	b := newBrowser(t, base)
	r := b.get(t, "/")
	if r.status != http.StatusOK || !strings.Contains(r.body, `href="/login"`) || !strings.Contains(r.body, `href="/third_party_apps"`) || !strings.Contains(r.body, "Simulated ERPNext") {
		t.Errorf("%d\n%s", r.status, r.body)
	}
	if p := r.header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") {
		t.Errorf("policy %q", p)
	}
	b.login(t, "sales@example.com")
	if r := b.get(t, "/"); !strings.Contains(r.body, "sales@example.com") {
		t.Errorf("after the login:\n%s", r.body)
	}
	if r := b.get(t, "/nowhere"); r.status != http.StatusNotFound {
		t.Errorf("an unknown page: %d", r.status)
	}
}

func TestLoginPage(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, nil)
	b := newBrowser(t, base)
	const to = `/app/"><script>alert(1)</script>`
	r := b.get(t, "/login?redirect-to="+url.QueryEscape(to))
	if r.status != http.StatusOK || strings.Contains(r.body, "<script") || !strings.Contains(html.UnescapeString(r.body), to) {
		t.Errorf("redirect-to in the page: %d\n%s", r.status, r.body)
	}
	if !strings.Contains(r.body, ">sales@example.com</a> sells, password demo") {
		t.Errorf("no hints:\n%s", r.body)
	}
	if r := b.get(t, "/login?usr=sales@example.com"); !strings.Contains(r.body, `name="usr" value="sales@example.com"`) {
		t.Errorf("the user is not filled in:\n%s", r.body)
	}
	for _, form := range []url.Values{
		{"usr": {"sales@example.com"}, "pwd": {"wrong"}, "redirect-to": {"/third_party_apps"}},
		{"usr": {"sales@example.com"}, "pwd": {""}},
		{"usr": {"unknown@example.com"}, "pwd": {"demo"}},
	} {
		r := b.post(t, "/login", form)
		if r.status != http.StatusUnauthorized || !strings.Contains(r.body, `id="error"`) || !strings.Contains(r.body, `value="`+form.Get("redirect-to")+`"`) || b.cookie(t, "sid") != "" {
			t.Errorf("%v: %d\n%s", form, r.status, r.body)
		}
	}
	if err := s.DisableUser("stock@example.com"); err != nil {
		t.Fatal(err)
	}
	if r := b.post(t, "/login", url.Values{"usr": {"stock@example.com"}, "pwd": {"demo"}}); r.status != http.StatusUnauthorized {
		t.Errorf("a disabled user: %d", r.status)
	}
	b.login(t, "sales@example.com")
	if b.cookie(t, "user_id") != "sales%40example.com" || b.cookie(t, "system_user") != "yes" {
		t.Error("the cookies do not tell the user")
	}
	if r := b.get(t, "/login?redirect-to=/third_party_apps"); r.location != "/third_party_apps" {
		t.Errorf("logged in already: %d to %q", r.status, r.location)
	}
}

func TestLoginHintsAreOptional(t *testing.T) {
	t.Parallel()
	_, base := newSite(t, func(o *simulator.Options) { o.LoginHints = nil })
	if r := plain(base).get(t, "/login"); strings.Contains(r.body, "Users to try") {
		t.Errorf("hints:\n%s", r.body)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	_, base := newSite(t, nil)
	for _, path := range []string{"/?cmd=web_logout", "/api/method/logout", "/api/method/web_logout"} {
		b := newBrowser(t, base)
		b.login(t, "sales@example.com")
		sid := b.cookie(t, "sid")
		if r := b.get(t, "/api/method/frappe.auth.get_logged_user"); !strings.Contains(r.body, "sales@example.com") {
			t.Fatalf("logged in: %s", r.body)
		}
		if r := b.get(t, path); r.status != http.StatusOK || b.cookie(t, "sid") != "" {
			t.Errorf("%s: %d, sid %q", path, r.status, b.cookie(t, "sid"))
		}
		r := plain(base).send(t, http.MethodGet, "/api/method/frappe.auth.get_logged_user", nil, http.Header{"Cookie": {"sid=" + sid}})
		if r.status != http.StatusForbidden || !strings.Contains(r.body, `"session_expired":1`) {
			t.Errorf("%s: the session goes on: %d %s", path, r.status, r.body)
		}
	}
}

// TestForgedWrites checks that a session's writes need its token once the desk was loaded.
func TestForgedWrites(t *testing.T) {
	t.Parallel()
	_, base := newSite(t, nil)
	b := newBrowser(t, base)
	if r := b.get(t, "/app/home"); r.status != http.StatusMovedPermanently || r.location != "/login?redirect-to=%2Fapp%2Fhome" {
		t.Errorf("the desk as Guest: %d to %q", r.status, r.location)
	}
	b.login(t, "sales@example.com")
	write := func(form url.Values, header http.Header) int {
		form.Set("client_id", "none")
		return b.send(t, http.MethodPost, "/api/method/frappe.www.third_party_apps.delete_client", form, header).status
	}
	if status := write(url.Values{}, nil); status != http.StatusOK {
		t.Errorf("before the desk: %d", status)
	}
	_, rest, _ := strings.Cut(b.get(t, "/app").body, `name="csrf_token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if token == "" {
		t.Fatal("the desk has no token")
	}
	for name, c := range map[string]struct {
		form   url.Values
		header http.Header
		status int
	}{
		"without": {url.Values{}, nil, 400},
		"wrong":   {url.Values{"csrf_token": {"x"}}, nil, 400},
		"field":   {url.Values{"csrf_token": {token}}, nil, 200},
		"header":  {url.Values{}, http.Header{"X-Frappe-Csrf-Token": {token}}, 200},
	} {
		if status := write(c.form, c.header); status != c.status {
			t.Errorf("%s: %d, want %d", name, status, c.status)
		}
	}
	if r := b.get(t, "/third_party_apps"); r.status != http.StatusOK {
		t.Errorf("a read: %d", r.status)
	}
}

func TestThirdPartyApps(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, func(o *simulator.Options) { o.Clients[0].Name = "Evil <b>app</b>" })
	c := plain(base)
	if r := c.get(t, "/third_party_apps"); r.status != http.StatusForbidden {
		t.Errorf("as Guest: %d", r.status)
	}
	b := newBrowser(t, base)
	b.login(t, "sales@example.com")
	if r := b.get(t, "/third_party_apps"); !strings.Contains(r.body, "No application") {
		t.Errorf("without tokens:\n%s", r.body)
	}
	b.get(t, "/app") // from now on the form must bring the session's token
	others := grant(t, s, base, "manager@example.com")
	for name, revoke := range map[string]func(){
		"the page's form": func() {
			_, rest, _ := strings.Cut(b.get(t, "/third_party_apps").body, `name="csrf_token" value="`)
			token, _, _ := strings.Cut(rest, `"`)
			if r := b.post(t, "/third_party_apps", url.Values{"client_id": {"erpgraph-demo"}, "csrf_token": {token}}); r.status != http.StatusSeeOther || r.location != "/third_party_apps" {
				t.Errorf("revoke: %d to %q", r.status, r.location)
			}
		},
		"the method": func() {
			r := c.send(t, http.MethodPost, "/api/method/frappe.www.third_party_apps.delete_client", url.Values{"client_id": {"erpgraph-demo"}}, http.Header{"Authorization": {"token sales:demo"}})
			if r.status != http.StatusOK || r.body != "{}" {
				t.Errorf("revoke: %d %s", r.status, r.body)
			}
		},
		"Go": func() {
			if n := s.RevokeTokens("sales@example.com", "erpgraph-demo"); n != 2 {
				t.Errorf("%d pairs revoked, want 2", n)
			}
		},
	} {
		first := grant(t, s, base, "sales@example.com")
		_, second := c.refresh(t, first.Refresh)
		page := b.get(t, "/third_party_apps").body
		if strings.Count(page, "<form") != 1 || !strings.Contains(page, "Evil &lt;b&gt;app&lt;/b&gt;") {
			t.Errorf("%s: the page\n%s", name, page)
		}
		revoke()
		for _, token := range []tokens{first, second} {
			if status := c.whoami(t, token.Access); status != http.StatusUnauthorized {
				t.Errorf("%s: access %d", name, status)
			}
			if status, out := c.refresh(t, token.Refresh); status != http.StatusNotFound || out.Type != "DoesNotExistError" {
				t.Errorf("%s: refresh %d %+v", name, status, out)
			}
		}
	}
	if c.whoami(t, others.Access) != http.StatusOK {
		t.Error("another user's token was revoked")
	}
	if r := c.post(t, "/api/method/frappe.www.third_party_apps.delete_client", url.Values{"client_id": {"erpgraph-demo"}}); r.status != http.StatusForbidden {
		t.Errorf("the method as Guest: %d", r.status)
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
