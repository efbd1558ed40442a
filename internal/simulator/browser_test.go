package simulator_test

import (
	"crypto/rand"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"erpgraph/internal/simulator"
)

const (
	callback  = "http://127.0.0.1:8080/auth/callback"
	endpoints = "/api/method/frappe.integrations.oauth2."
)

// browser keeps cookies and follows no redirects.
type browser struct {
	base string
	http *http.Client
}

// reply is what a browser or a client got.
type reply struct {
	status   int
	location string
	header   http.Header
	body     string
}

// newSite is the demo with changed options, behind a listener.
func newSite(t *testing.T, bend func(*simulator.Options)) (*simulator.Server, string) {
	t.Helper()
	o, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	if bend != nil {
		bend(&o)
	}
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return s, web.URL
}

func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{base, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b *browser) get(t *testing.T, path string) reply {
	t.Helper()
	return b.send(t, http.MethodGet, path, nil, nil)
}

func (b *browser) post(t *testing.T, path string, form url.Values) reply {
	t.Helper()
	return b.send(t, http.MethodPost, path, form, nil)
}

func (b *browser) send(t *testing.T, method, path string, form url.Values, header http.Header) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k := range header {
		req.Header.Set(k, header.Get(k))
	}
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header.Get("Location"), res.Header, string(body)}
}

func (b *browser) login(t *testing.T, user string) {
	t.Helper()
	if r := b.post(t, "/login", url.Values{"usr": {user}, "pwd": {"demo"}}); r.status != http.StatusFound {
		t.Fatalf("log in as %s: %d\n%s", user, r.status, r.body)
	}
}

func (b *browser) cookie(t *testing.T, name string) string {
	t.Helper()
	u, err := url.Parse(b.base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b.http.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// code asks for a code and allows it on the consent page, if there is one.
func (b *browser) code(t *testing.T, args url.Values) string {
	t.Helper()
	r := b.get(t, endpoints+"authorize?"+args.Encode())
	next := r.location
	if r.status == http.StatusOK {
		next = link(t, r.body, "allow")
	}
	at, err := url.Parse(b.get(t, next).location)
	if err != nil || at.Query().Get("code") == "" {
		t.Fatalf("no code at %q: %v", at, err)
	}
	return at.Query().Get("code")
}

// link is where the link of that id leads.
func link(t *testing.T, page, id string) string {
	t.Helper()
	m := regexp.MustCompile(`id="` + id + `" href="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no link %s in\n%s", id, page)
	}
	return html.UnescapeString(m[1])
}

// authorize are the arguments of a request for a code.
func authorize(more ...string) url.Values {
	v := url.Values{"client_id": {"erpgraph-demo"}, "response_type": {"code"}, "scope": {"all openid"}, "state": {"st"}, "redirect_uri": {callback}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

// tokens are the answer of the token endpoint.
type tokens struct {
	Access      string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	ID          string `json:"id_token"`
	Scope       string `json:"scope"`
	ExpiresIn   int    `json:"expires_in"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Type        string `json:"exc_type"`
}

// plain is a client without cookies.
func plain(base string) *browser { return &browser{base, http.DefaultClient} }

// token sends a request to the token endpoint.
func (b *browser) token(t *testing.T, form ...string) (int, tokens) {
	t.Helper()
	v := url.Values{}
	for i := 0; i < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	r := b.post(t, endpoints+"get_token", v)
	var out tokens
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		t.Fatalf("%d: %v\n%s", r.status, err, r.body)
	}
	return r.status, out
}

func (b *browser) redeem(t *testing.T, code string, more ...string) (int, tokens) {
	t.Helper()
	return b.token(t, append([]string{"grant_type", "authorization_code", "code", code, "client_id", "erpgraph-demo", "redirect_uri", callback}, more...)...)
}

func (b *browser) refresh(t *testing.T, token string, more ...string) (int, tokens) {
	t.Helper()
	return b.token(t, append([]string{"grant_type", "refresh_token", "refresh_token", token, "client_id", "erpgraph-demo"}, more...)...)
}

// whoami is the status of a call with an access token.
func (b *browser) whoami(t *testing.T, access string) int {
	t.Helper()
	return b.send(t, http.MethodGet, "/api/method/frappe.auth.get_logged_user", nil, http.Header{"Authorization": {"Bearer " + access}}).status
}

// grant makes tokens for a user, by a code that nobody had to consent to.
func grant(t *testing.T, s *simulator.Server, base, user string) tokens {
	t.Helper()
	code := "code-" + strings.ToLower(rand.Text())
	s.AddOAuthCode(simulator.OAuthCode{Code: code, ClientID: "erpgraph-demo", User: user, Scopes: "all openid"})
	status, out := plain(base).redeem(t, code)
	if status != http.StatusOK {
		t.Fatalf("redeem: %d %+v", status, out)
	}
	return out
}
