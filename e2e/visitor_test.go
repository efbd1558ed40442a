package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// sessionKey seals the sessions of the tests.
const sessionKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// sessionCookie is the cookie of a session where the graph is served over plain HTTP.
const sessionCookie = "erpgraph"

// visitor is a person with a browser.
type visitor struct {
	b    *bundle
	http *http.Client
	// last is the address that the last request ended at; location where its answer led.
	last     *url.URL
	location string
}

func (b *bundle) visitor(tb testing.TB) *visitor {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{}
	tb.Cleanup(transport.CloseIdleConnections)
	return &visitor{b: b, http: &http.Client{Jar: jar, Transport: transport}}
}

// signIn is a visitor who has signed in as a user and allowed erpgraph.
func (b *bundle) signIn(tb testing.TB, user string) *visitor {
	tb.Helper()
	v := b.visitor(tb)
	page := v.logIn(tb, user, "/")
	if status, body := v.get(tb, v.choice(tb, page, "allow")); status >= http.StatusBadRequest && v.last.Path != "/" {
		tb.Fatalf("signing in ended at %s: %d %s", v.last, status, body)
	}
	if v.session(tb)["user"] != user {
		tb.Fatalf("signed in as %v, want %s", v.session(tb), user)
	}
	return v
}

// logIn goes from the graph to the site's login and on to the page that asks for
// consent, which it gives.
func (v *visitor) logIn(tb testing.TB, user, returnTo string) string {
	tb.Helper()
	_, page := v.get(tb, v.b.url+"/auth/login?return_to="+url.QueryEscape(returnTo))
	if !strings.HasPrefix(v.last.String(), v.b.siteURL+"/login") {
		return page // logged in at the site already, or refused
	}
	_, page = v.send(tb, http.MethodPost, v.last.String(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		url.Values{"usr": {user}, "pwd": {password}, "redirect-to": {v.last.Query().Get("redirect-to")}}.Encode())
	return page
}

var choices = regexp.MustCompile(`id="(\w+)"[^>]*href="([^"]+)"|href="([^"]+)"[^>]*id="(\w+)"`)

// choice is where a link of the consent page leads.
func (v *visitor) choice(tb testing.TB, page, id string) string {
	tb.Helper()
	for _, m := range choices.FindAllStringSubmatch(page, -1) {
		href := m[2]
		if m[4] == id {
			href = m[3]
		} else if m[1] != id {
			continue
		}
		u, err := v.last.Parse(strings.ReplaceAll(href, "&amp;", "&"))
		if err != nil {
			tb.Fatal(err)
		}
		return u.String()
	}
	tb.Fatalf("the page at %s has no %q:\n%s", v.last, id, page)
	return ""
}

func (v *visitor) get(tb testing.TB, address string) (int, string) {
	tb.Helper()
	return v.send(tb, http.MethodGet, address, nil, "")
}

func (v *visitor) send(tb testing.TB, method, address string, header map[string]string, body string) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, address, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := v.http.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	v.last, v.location = res.Request.URL, res.Header.Get("Location")
	return res.StatusCode, string(text)
}

// session is what the graph says of the visitor.
func (v *visitor) session(tb testing.TB) map[string]any {
	tb.Helper()
	status, body := v.get(tb, v.b.url+"/auth/session")
	var out map[string]any
	if err := json.Unmarshal([]byte(body), &out); err != nil || status != http.StatusOK {
		tb.Fatalf("/auth/session: %d %s", status, body)
	}
	return out
}

// cookie is the visitor's session id.
func (v *visitor) cookie(tb testing.TB) string {
	tb.Helper()
	u, err := url.Parse(v.b.url)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range v.http.Jar.Cookies(u) {
		if c.Name == sessionCookie {
			return c.Value
		}
	}
	return ""
}

// credential is the visitor's session, for bundle.query.
func (v *visitor) credential(tb testing.TB) string {
	tb.Helper()
	return withCookie + sessionCookie + "=" + v.cookie(tb)
}

// query sends a query as the page does.
func (v *visitor) query(tb testing.TB, query string) answer {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		tb.Fatal(err)
	}
	return v.post(tb, v.b.url, map[string]string{"Content-Type": "application/json"}, body)
}

// post sends a body to the graph at an address.
func (v *visitor) post(tb testing.TB, address string, header map[string]string, body []byte) answer {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, address+"/graphql", bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := v.http.Do(req)
	if err != nil {
		tb.Error(err)
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	out := answer{status: res.StatusCode}
	if out.raw, err = io.ReadAll(res.Body); err == nil {
		err = json.Unmarshal(out.raw, &out)
	}
	if err != nil {
		tb.Errorf("%v in %s", err, out.raw)
	}
	return out
}
