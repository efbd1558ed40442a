package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/oauth"
)

const (
	clientID = "iq6g6mu54n"
	secret   = "ec19edaea6"
	access   = "fjGvmmv5LStGUz2lqFFVoEnj9TA0PA"
	refresh  = "tMfPESUi6KwWkg8L7pqryDs0dCdPgg"
	code     = "tpKdx5aNGC4Kuesv4jRmBaTEaODHHa"
	verifier = "YNxiZFIiVi_FB8-n5AK2VExhrzriPQEiMwe2ygOvb8hPX"
	back     = "http://127.0.0.1:8080/auth/callback"
)

var today = time.Date(2026, 11, 24, 17, 9, 4, 0, time.UTC)

// answer is what the site says to a call.
type answer struct {
	status int
	kind   string // of the content; JSON if empty
	body   string
}

// call is what came to the site.
type call struct {
	Method, Path string
	Form         url.Values
	Accept       string
	Authorized   bool
	Cookies      int
}

// site answers token calls and revocations, and remembers what came.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
}

func serve(t *testing.T, answers map[string]answer) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		method := strings.TrimPrefix(r.URL.Path, "/sub/api/method/frappe.integrations.oauth2.")
		s.mu.Lock()
		s.calls = append(s.calls, call{r.Method, method, r.PostForm, r.Header.Get("Accept"), r.Header.Get("Authorization") != "", len(r.Cookies())})
		s.mu.Unlock()
		a, ok := answers[method]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if a.kind == "" {
			a.kind = "application/json"
		}
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "Guest", Path: "/"})
		w.Header().Set("Content-Type", a.kind)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func client(t *testing.T, siteURL string) *oauth.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := oauth.New(oauth.Config{
		SiteURL: siteURL + "/sub/", PublicSiteURL: "https://erp.example.com/", ClientID: clientID, ClientSecret: secret, RedirectURL: back,
		HTTPClient: &http.Client{Transport: transport, Jar: jar}, Now: func() time.Time { return today },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// tokenAnswer is that of transcripts 444 and 468.
func tokenAnswer(idToken string) answer {
	body := map[string]any{"access_token": access, "expires_in": 3600, "token_type": "Bearer", "scope": "all openid", "refresh_token": refresh}
	if idToken != "" {
		body["id_token"] = idToken
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return answer{status: 200, body: string(text)}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := oauth.Config{SiteURL: "https://erp.example.com", ClientID: "a", ClientSecret: "s3cret-value", RedirectURL: back}
	if _, err := oauth.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*oauth.Config){
		"no site":              func(c *oauth.Config) { c.SiteURL = "" },
		"no scheme":            func(c *oauth.Config) { c.SiteURL = "erp.example.com" },
		"another scheme":       func(c *oauth.Config) { c.SiteURL = "ftp://erp.example.com" },
		"password in the site": func(c *oauth.Config) { c.SiteURL = "https://u:s3cret-value@erp.example.com" },
		"query":                func(c *oauth.Config) { c.PublicSiteURL = "https://erp.example.com/?x=s3cret-value" },
		"no id":                func(c *oauth.Config) { c.ClientID = "" },
		"no secret":            func(c *oauth.Config) { c.ClientSecret = "" },
		"no way back":          func(c *oauth.Config) { c.RedirectURL = "/auth/callback" },
	} {
		cfg := good
		change(&cfg)
		if _, err := oauth.New(cfg); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAuthCodeURL(t *testing.T) {
	t.Parallel()
	// The challenge is that of RFC 7636, appendix B.
	const want = "https://erp.example.com/api/method/frappe.integrations.oauth2.authorize?client_id=iq6g6mu54n" +
		"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&nonce=no+nce" +
		"&redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fauth%2Fcallback&response_type=code&scope=all%20openid&state=a%2Bb"
	got := client(t, "http://127.0.0.1:1").AuthCodeURL("a+b", "no nce", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
	if got != strings.Replace(want, "no+nce", "no%20nce", 1) {
		t.Errorf("got  %s", got)
	}
	a, b := oauth.Verifier(), oauth.Verifier()
	if len(a) != 43 || a == b {
		t.Errorf("verifiers: %d characters", len(a))
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]answer{"get_token": tokenAnswer(sign(t, nil))})
	got, err := client(t, s.URL).Exchange(t.Context(), code, verifier, nonce)
	if err != nil {
		t.Fatal(err)
	}
	if got.Access() != access || got.Refresh() != refresh || !got.Expiry.Equal(today.Add(time.Hour)) || got.Claims.Email != "sales@example.com" {
		t.Errorf("expiry %v, claims %+v", got.Expiry, got.Claims)
	}
	want := []call{{http.MethodPost, "get_token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {back},
		"client_id": {clientID}, "client_secret": {secret}, "code_verifier": {verifier},
	}, "application/json", false, 0}}
	if diff := cmp.Diff(want, s.seen()); diff != "" {
		t.Error(diff)
	}
}

func TestRefreshAndRevoke(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]answer{"get_token": tokenAnswer(""), "revoke_token": {status: 200, body: "{}"}})
	c := client(t, s.URL)
	got, err := c.Refresh(t.Context(), "the-old-one")
	if err != nil || got.Access() != access || got.Refresh() != refresh || got.Claims != nil {
		t.Errorf("%v, %v", got, err)
	}
	if err := c.Revoke(t.Context(), "the-old-access-token"); err != nil {
		t.Error(err)
	}
	want := []call{
		{http.MethodPost, "get_token", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {"the-old-one"}, "client_id": {clientID}, "client_secret": {secret},
		}, "application/json", false, 0},
		{http.MethodPost, "revoke_token", url.Values{
			"token": {"the-old-access-token"}, "token_type_hint": {"access_token"}, "client_id": {clientID}, "client_secret": {secret},
		}, "application/json", false, 0},
	}
	if diff := cmp.Diff(want, s.seen()); diff != "" {
		t.Error(diff)
	}
}

const missing = `{"exc_type":"DoesNotExistError","_server_messages":"[\"{\\\"message\\\": \\\"OAuth Bearer Token {'refresh_token': '` + refresh + `'} not found\\\"}\"]"}`

// noClient is transcript 452: the grant may be there all the same.
const noClient = `{"exc_type":"DoesNotExistError","_server_messages":"[\"{\\\"message\\\": \\\"OAuth Client ` + clientID + ` not found\\\"}\"]"}`

// What an answer means, to a code, to a refresh token and to a revocation. Nothing of
// it comes back in an error's text.
func TestFailures(t *testing.T) {
	t.Parallel()
	down := apierror.UpstreamUnavailable
	for name, c := range map[string]struct {
		answer                    answer
		exchange, refresh, revoke any
	}{
		"invalid_grant (446)":          {answer{400, "", `{"error":"invalid_grant"}`}, oauth.ErrDenied, oauth.ErrRevoked, down},
		"no document (472, 482)":       {answer{404, "", missing}, down, oauth.ErrRevoked, nil},
		"no client (452)":              {answer{404, "", noClient}, down, down, down},
		"another refusal (453)":        {answer{400, "", `{"error":"unauthorized_client"}`}, down, down, down},
		"Frappe fails (454)":           {answer{500, "", `{"exc_type":"AttributeError","exception":"` + access + `"}`}, down, down, down},
		"not authenticated (456)":      {answer{401, "", `{"exc_type":"AuthenticationError"}`}, down, down, down},
		"another document":             {answer{404, "", `{"exc_type":"PageDoesNotExistError"}`}, down, down, down},
		"a proxy's 404":                {answer{404, "text/html", `<html>DoesNotExistError ` + access}, down, down, down},
		"a proxy's 404 with our words": {answer{404, "text/html", missing}, down, down, down},
		"a proxy's 400":                {answer{400, "text/html", `{"error":"invalid_grant"}`}, down, down, down},
		"a proxy's 400 as a form":      {answer{400, "text/plain", `error=invalid_grant`}, down, down, down},
		"a proxy's 502":                {answer{502, "text/html", `<html>` + code}, down, down, down},
		"an update":                    {answer{503, "", `{"exc_type":"SessionStopped"}`}, down, down, down},
		"too many calls":               {answer{429, "", `{"exc_type":"RateLimitExceededError"}`}, down, down, down},
		"a redirect":                   {answer{307, "", ``}, down, down, down},
		"a web page":                   {answer{200, "text/html", `<html>` + access}, down, down, down},
		"a form":                       {answer{200, "text/plain", `access_token=` + access + `&refresh_token=` + refresh + `&expires_in=3600`}, down, down, down},
		"nonsense":                     {answer{200, "", `{"access_token":"` + access}, down, down, nil},
		"no access token":              {answer{200, "", `{"refresh_token":"` + refresh + `","expires_in":3600}`}, down, down, nil},
		"a token that never ends":      {answer{200, "", `{"access_token":"` + access + `","refresh_token":"` + refresh + `","token_type":"Bearer"}`}, down, down, nil},
		"a token of another kind":      {answer{200, "", `{"access_token":"` + access + `","refresh_token":"` + refresh + `","token_type":"mac","expires_in":3600}`}, down, down, nil},
		"an error in a success":        {answer{200, "", `{"error":"invalid_grant"}`}, down, down, nil},
		"names with secrets":           {answer{400, "", `{"error":"` + code + `","error_description":"` + refresh + `","error_uri":"` + access + `"}`}, down, down, down},
		"much too long":                {answer{200, "", `{"x":"` + strings.Repeat("x", 1<<20) + `","access_token":"` + access + `"}`}, down, down, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]answer{"get_token": c.answer, "revoke_token": c.answer})
			client := client(t, s.URL)
			_, err := client.Exchange(t.Context(), code, verifier, nonce)
			wantError(t, "exchange", err, c.exchange)
			_, err = client.Refresh(t.Context(), refresh)
			wantError(t, "refresh", err, c.refresh)
			wantError(t, "revoke", client.Revoke(t.Context(), access), c.revoke)
			for _, seen := range s.seen() {
				if seen.Path != "get_token" && seen.Path != "revoke_token" {
					t.Errorf("a form went to %s", seen.Path)
				}
			}
		})
	}
}

// Tokens in an answer that can't be used are taken back, and if that fails somebody must
// tell: their refresh token would live on.
func TestStrayTokens(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no end":            `{"access_token":"` + access + `","refresh_token":"` + refresh + `","token_type":"Bearer"}`,
		"an end before now": `{"access_token":"` + access + `","refresh_token":"` + refresh + `","token_type":"Bearer","expires_in":-5}`,
		"another kind":      `{"access_token":"` + access + `","refresh_token":"` + refresh + `","token_type":"mac","expires_in":3600}`,
		"an odd end":        `{"access_token":"` + access + `","refresh_token":"` + refresh + `","token_type":"Bearer","expires_in":{}}`,
		"an error too":      `{"access_token":"` + access + `","error":"server_error"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
				s := serve(t, map[string]answer{"get_token": {status: 200, body: body}, "revoke_token": {status: status, body: `{}`}})
				c := client(t, s.URL)
				_, refreshed := c.Refresh(t.Context(), "the-old-one")
				_, exchanged := c.Exchange(t.Context(), code, verifier, nonce)
				for op, err := range map[string]error{"refresh": refreshed, "exchange": exchanged} {
					wantError(t, op, err, apierror.UpstreamUnavailable)
					if errors.Is(err, oauth.ErrStray) == (status == http.StatusOK) {
						t.Errorf("%s, revocation %d: %v", op, status, err)
					}
				}
				var revoked []string
				for _, seen := range s.seen() {
					if seen.Path == "revoke_token" {
						revoked = append(revoked, seen.Form.Get("token"))
					}
				}
				if diff := cmp.Diff([]string{access, access}, revoked); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func wantError(t *testing.T, op string, err error, want any) {
	t.Helper()
	switch want := want.(type) {
	case nil:
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
		return
	case error:
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", op, err, want)
		}
	case apierror.Code:
		if apierror.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", op, err, want)
		}
	}
	for chain := err; chain != nil; chain = errors.Unwrap(chain) {
		for _, s := range []string{access, refresh, code, verifier, secret, "oauth2.get_token"} {
			if strings.Contains(fmt.Sprintf("%v %+v", chain, chain), s) {
				t.Errorf("%s: the error tells a secret: %v", op, chain)
			}
		}
	}
}

func TestNoAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	gone := client(t, s.URL)
	s.Close()
	_, err := gone.Refresh(t.Context(), refresh)
	wantError(t, "refused connection", err, apierror.UpstreamUnavailable)
	wantError(t, "refused connection", gone.Revoke(t.Context(), access), apierror.UpstreamUnavailable)

	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = client(t, silent.URL).Exchange(ctx, code, verifier, nonce)
	wantError(t, "silence", err, apierror.UpstreamTimeout)
	wantError(t, "silence", client(t, silent.URL).Revoke(ctx, access), apierror.UpstreamTimeout)
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	tokens := oauth.NewTokens(access, refresh, today)
	c := client(t, "http://127.0.0.1:1")
	cfg := oauth.Config{ClientSecret: secret}
	for _, v := range []any{
		tokens, *tokens,
		[]any{tokens},
		struct{ t oauth.Tokens }{*tokens},
		struct{ t *oauth.Tokens }{tokens},
		struct{ T *oauth.Tokens }{tokens},
		c,
		struct{ c *oauth.Client }{c},
		struct{ C *oauth.Client }{c},
		cfg, &cfg,
		[]oauth.Config{cfg},
	} {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		for _, s := range []string{access, refresh, secret, fmt.Sprintf("%x", access), fmt.Sprintf("%x", secret)} {
			if strings.Contains(out.String(), s) {
				t.Errorf("%T prints a secret", v)
			}
		}
	}
}
