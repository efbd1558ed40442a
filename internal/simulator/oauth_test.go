package simulator_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/simulator"
)

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestOAuthFlow walks the way of a browser: authorize, log in, allow, redeem, use, expire.
func TestOAuthFlow(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64 // on the clock
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	_, base := newSite(t, func(o *simulator.Options) {
		o.Now = func() time.Time { return start.Add(time.Duration(passed.Load())) }
		o.TokenLife = 10 * time.Minute
	})
	b := newBrowser(t, base)
	const verifier = "a-verifier-that-is-long-enough-for-everybody"
	path := endpoints + "authorize?" + authorize("code_challenge", s256(verifier), "code_challenge_method", "S256", "nonce", "n1", "state", "a+b&c=d %41é/").Encode()

	login, err := url.Parse(b.get(t, path).location)
	if err != nil || login.Path != "/login" {
		t.Fatalf("without session: %v, %v", login, err)
	}
	form := b.get(t, login.RequestURI())
	if form.status != http.StatusOK || !strings.Contains(form.body, `method="post" action="/login"`) {
		t.Fatalf("login page: %d\n%s", form.status, form.body)
	}
	back := login.Query().Get("redirect-to")
	r := b.post(t, "/login", url.Values{"usr": {"sales@example.com"}, "pwd": {"demo"}, "redirect-to": {back}})
	if r.status != http.StatusFound || !sameQuery(t, r.location, path) {
		t.Fatalf("after the login: %d to %q", r.status, r.location)
	}
	consent := b.get(t, r.location)
	for _, want := range []string{"erpgraph demo", "<li>All</li>", "<li>Email</li>", "sales@example.com"} {
		if !strings.Contains(consent.body, want) {
			t.Errorf("the consent page lacks %q:\n%s", want, consent.body)
		}
	}
	if deny := link(t, consent.body, "deny"); deny != callback+"?error=access_denied" {
		t.Errorf("deny leads to %q", deny)
	}
	at := b.get(t, link(t, consent.body, "allow")).location
	got, err := url.Parse(at)
	if err != nil || !strings.HasPrefix(at, callback+"?code=") || got.Query().Get("state") != "a+b&c=d %41é/" {
		t.Fatalf("callback: %q, %v", at, err)
	}

	client := plain(base) // without session: the token must do
	status, token := client.redeem(t, got.Query().Get("code"), "code_verifier", verifier)
	if status != http.StatusOK || token.ExpiresIn != 600 || token.Scope != "all openid" || token.Refresh == "" {
		t.Fatalf("redeem: %d %+v", status, token)
	}
	checkIDToken(t, token, start)
	if status := client.whoami(t, token.Access); status != http.StatusOK {
		t.Errorf("with the token: %d", status)
	}
	passed.Store(int64(10 * time.Minute))
	if status := client.whoami(t, token.Access); status != http.StatusUnauthorized {
		t.Errorf("after its end: %d", status)
	}
	if status, again := client.redeem(t, got.Query().Get("code"), "code_verifier", verifier); status != http.StatusBadRequest || again.Error != "invalid_grant" {
		t.Errorf("redeemed again: %d %+v", status, again)
	}
	if status, next := client.refresh(t, token.Refresh); status != http.StatusOK || client.whoami(t, next.Access) != http.StatusOK {
		t.Errorf("refreshed: %d %+v", status, next)
	}
}

// sameQuery reports whether two addresses ask the same of the same path.
func sameQuery(t *testing.T, a, b string) bool {
	t.Helper()
	first, err1 := url.Parse(a)
	second, err2 := url.Parse(b)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return first.Path == second.Path && reflect.DeepEqual(first.Query(), second.Query())
}

func checkIDToken(t *testing.T, token tokens, now time.Time) {
	t.Helper()
	signed, signature, _ := cutLast(token.ID, ".")
	mac := hmac.New(sha256.New, []byte("demo-secret"))
	mac.Write([]byte(signed))
	if base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) != signature {
		t.Error("the id_token is not signed with the client's secret")
	}
	_, payload, _ := strings.Cut(signed, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Aud, Nonce, Email string
		Iat, Exp          int64
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Aud != "erpgraph-demo" || claims.Nonce != "n1" || claims.Email != "sales@example.com" || claims.Iat != now.Unix() || claims.Exp != now.Unix()+600 {
		t.Errorf("claims %+v", claims)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// TestTrustedClient checks that a trusted client is sent on without a question, with the
// arguments written anew.
func TestTrustedClient(t *testing.T) {
	t.Parallel()
	_, base := newSite(t, func(o *simulator.Options) { o.Clients[0].Trusted = true })
	b := newBrowser(t, base)
	b.login(t, "sales@example.com")
	r := b.get(t, endpoints+"authorize?client_id=erpgraph-demo&response_type=code&scope=all+openid&redirect_uri="+url.QueryEscape(callback))
	if want := endpoints + "approve?client_id=erpgraph-demo&response_type=code&scope=all%20openid&redirect_uri=" + url.QueryEscape(callback); r.status != http.StatusFound || r.location != want {
		t.Errorf("%d to %q, want %q", r.status, r.location, want)
	}
}

// TestAuthorizeRefusals checks who gets no code, and that nobody is sent anywhere with the
// reason.
func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	_, base := newSite(t, func(o *simulator.Options) {
		o.Clients = append(
			o.Clients,
			simulator.OAuthClient{ID: "lines", RedirectURI: "http://a.example/1\nhttp://a.example/2", Scopes: "all openid"},
			simulator.OAuthClient{ID: "two", RedirectURI: "http://a.example/1 http://a.example/2", Scopes: "all openid"},
			simulator.OAuthClient{ID: "managers", RedirectURI: callback, Scopes: "all openid", Roles: []string{"System Manager"}},
		)
	})
	b := newBrowser(t, base)
	b.login(t, "sales@example.com")
	for name, c := range map[string]struct {
		query  string
		status int
		says   string
	}{
		"fine":                   {authorize().Encode(), 200, "Confirm Access"},
		"second uri":             {authorize("client_id", "two", "redirect_uri", "http://a.example/2").Encode(), 200, "Confirm Access"},
		"no scope":               {authorize("scope", "").Encode(), 200, "Confirm Access"},
		"uris on lines":          {authorize("client_id", "lines", "redirect_uri", "http://a.example/2").Encode(), 400, "Mismatching redirect URI."},
		"slash more":             {authorize("redirect_uri", callback+"/").Encode(), 400, "Mismatching redirect URI."},
		"query more":             {authorize("redirect_uri", callback+"?x=1").Encode(), 400, "Mismatching redirect URI."},
		"other case":             {authorize("redirect_uri", "HTTP://127.0.0.1:8080/auth/callback").Encode(), 400, "Mismatching redirect URI."},
		"relative uri":           {authorize("redirect_uri", "/auth/callback").Encode(), 400, "Invalid redirect URI."},
		"unknown client":         {authorize("client_id", "nope").Encode(), 400, "Invalid client_id parameter value."},
		"no client":              {authorize("client_id", "").Encode(), 400, "Missing client_id parameter."},
		"client twice":           {authorize().Encode() + "&client_id=two", 400, "Duplicate client_id parameter."},
		"role not allowed":       {authorize("client_id", "managers").Encode(), 400, "Invalid client_id parameter value."},
		"scope":                  {authorize("scope", "all admin").Encode(), 400, "invalid_scope"},
		"response type":          {authorize("response_type", "token").Encode(), 400, "unsupported_response_type"},
		"response type combined": {authorize("response_type", "code token").Encode(), 400, "unauthorized_client"},
		"way of pkce":            {authorize("code_challenge", "x", "code_challenge_method", "S512").Encode(), 400, "Transform algorithm not supported."},
		"no redirect uri":        {"client_id=erpgraph-demo&response_type=code", 500, "KeyError"},
	} {
		for _, endpoint := range []string{"authorize?", "approve?"} {
			if endpoint == "approve?" && (c.status == http.StatusOK || name == "no redirect uri") {
				continue
			}
			if r := b.get(t, endpoints+endpoint+c.query); r.status != c.status || !strings.Contains(r.body, c.says) || r.location != "" {
				t.Errorf("%s of %s: %d to %q, want %d %q\n%.300s", endpoint, name, r.status, r.location, c.status, c.says, r.body)
			}
		}
	}
	if r := plain(base).get(t, endpoints+"approve?"+authorize().Encode()); r.status != http.StatusForbidden {
		t.Errorf("approve without session: %d", r.status)
	}
	website := newBrowser(t, base)
	website.login(t, "nobody@example.com")
	if r := website.get(t, endpoints+"authorize?"+authorize().Encode()); r.status != http.StatusBadRequest {
		t.Errorf("a website user: %d", r.status)
	}
}

// TestRedeem checks what binds a code: the client and PKCE, but neither the secret nor the
// redirect URI that it was asked with.
func TestRedeem(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, func(o *simulator.Options) {
		o.Clients[0].RedirectURI = callback + " http://other.example/cb"
		o.Clients = append(o.Clients, simulator.OAuthClient{ID: "other", RedirectURI: callback, Scopes: "all openid"})
	})
	c := plain(base)
	const verifier = "right-verifier"
	code := simulator.OAuthCode{Code: "code", ClientID: "erpgraph-demo", User: "sales@example.com", Scopes: "all"}
	for _, step := range []struct {
		name   string
		fresh  bool // with a new code
		method string
		more   []string
		status int
		error  string
	}{
		{"other client", true, "S256", []string{"client_id", "other", "code_verifier", verifier}, 400, "invalid_grant"},
		{"wrong verifier", false, "", []string{"code_verifier", "wrong"}, 400, "invalid_grant"},
		{"unknown redirect uri", false, "", []string{"code_verifier", verifier, "redirect_uri", callback + "/"}, 400, "invalid_request"},
		{"right after all", false, "", []string{"code_verifier", verifier}, 200, ""},
		{"used", false, "", []string{"code_verifier", verifier}, 400, "invalid_grant"},
		{"no verifier", true, "S256", nil, 400, "invalid_grant"},
		{"which ends the code", false, "", []string{"code_verifier", verifier}, 400, "invalid_grant"},
		{"plain", true, "plain", []string{"code_verifier", s256(verifier)}, 200, ""},
		{"verifier without challenge", true, "none", []string{"code_verifier", "any"}, 200, ""},
		{"another registered uri", true, "none", []string{"redirect_uri", "http://other.example/cb"}, 200, ""},
		{"wrong secret", true, "none", []string{"client_secret", "wrong"}, 200, ""},
		{"no code", true, "none", []string{"code", ""}, 400, "invalid_grant"},
		{"unknown client", true, "none", []string{"client_id", "nope"}, 404, ""},
		{"grant type", true, "none", []string{"grant_type", "implicit"}, 400, "unsupported_grant_type"},
	} {
		if step.fresh {
			code.Code += "+"
			code.Challenge, code.ChallengeMethod = s256(verifier), step.method
			if step.method == "none" {
				code.Challenge = ""
			}
			s.AddOAuthCode(code)
		}
		if status, out := c.redeem(t, code.Code, step.more...); status != step.status || out.Error != step.error {
			t.Errorf("%s: %d %+v, want %d %q", step.name, status, out, step.status, step.error)
		}
	}
}

// TestRedeemOnce checks that of many requests with one code a single one gets tokens.
func TestRedeemOnce(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, nil)
	s.AddOAuthCode(simulator.OAuthCode{Code: "once", ClientID: "erpgraph-demo", User: "sales@example.com", Scopes: "all openid"})
	var given atomic.Int64
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if status, _ := plain(base).redeem(t, "once"); status == http.StatusOK {
				given.Add(1)
			}
		})
	}
	all.Wait()
	if given.Load() != 1 {
		t.Errorf("%d got tokens", given.Load())
	}
}

// TestRefresh checks that tokens pile up: each refresh makes a pair and ends none.
func TestRefresh(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, func(o *simulator.Options) {
		o.Clients = append(o.Clients, simulator.OAuthClient{ID: "other", RedirectURI: callback, Scopes: "all openid"})
	})
	c := plain(base)
	first := grant(t, s, base, "sales@example.com")
	s.ResetCalls()
	status, second := c.refresh(t, first.Refresh)
	if status != http.StatusOK || second.Access == first.Access || second.Refresh == first.Refresh || second.ID != "" {
		t.Fatalf("refresh: %d %+v", status, second)
	}
	call := s.Calls()[0]
	if want := (simulator.Call{Method: http.MethodPost, Path: endpoints + "get_token", User: "sales@example.com", Grant: "refresh_token", Status: http.StatusOK}); call != want {
		t.Errorf("call %+v, want %+v", call, want)
	}
	for name, args := range map[string][]string{"once more": nil, "as another client": {"client_id", "other"}, "without client": {"client_id", ""}, "fewer scopes": {"scope", "all"}} {
		if status, out := c.refresh(t, first.Refresh, args...); status != http.StatusOK || name == "fewer scopes" && out.Scope != "all" {
			t.Errorf("%s: %d %+v", name, status, out)
		}
	}
	for name, want := range map[string]struct {
		args   []string
		status int
		error  string
	}{
		"more scopes":    {[]string{"scope", "all admin"}, 400, "invalid_scope"},
		"no token":       {[]string{"refresh_token", ""}, 400, "invalid_request"},
		"access token":   {[]string{"refresh_token", first.Access}, 404, ""},
		"unknown client": {[]string{"client_id", "nope"}, 404, ""},
	} {
		if status, out := c.refresh(t, first.Refresh, want.args...); status != want.status || out.Error != want.error {
			t.Errorf("%s: %d %+v", name, status, out)
		}
	}
	if c.whoami(t, first.Access) != http.StatusOK || c.whoami(t, second.Access) != http.StatusOK {
		t.Error("a refresh ended a token")
	}
	if n := s.ExpireTokens(); n != 6 {
		t.Errorf("%d tokens expired, want 6", n)
	}
	if c.whoami(t, first.Access) != http.StatusUnauthorized || c.whoami(t, "sales-demo-token") != http.StatusOK {
		t.Error("not the tokens of OAuth expired")
	}
	if status, _ := c.refresh(t, first.Refresh); status != http.StatusOK {
		t.Errorf("refresh of an expired token: %d", status)
	}
}

// TestRevokeToken checks which requests to the revocation endpoint reach a token.
func TestRevokeToken(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, nil)
	c := plain(base)
	for i, step := range []struct {
		refresh bool // revoke by the refresh token
		form    []string
		status  int
		revoked bool
	}{
		{false, nil, 200, true},
		{false, []string{"client_id", "erpgraph-demo"}, 200, true},
		{true, nil, 404, false},
		{true, []string{"token_type_hint", "refresh_token"}, 404, false},
		{true, []string{"client_id", "erpgraph-demo"}, 200, false},
		{true, []string{"client_id", "erpgraph-demo", "token_type_hint", "refresh_token"}, 200, true},
		{false, []string{"client_id", "nope"}, 404, false},
	} {
		token := grant(t, s, base, "sales@example.com")
		form := url.Values{"token": {token.Access}}
		if step.refresh {
			form.Set("token", token.Refresh)
		}
		for i := 0; i < len(step.form); i += 2 {
			form.Set(step.form[i], step.form[i+1])
		}
		if r := c.post(t, endpoints+"revoke_token", form); r.status != step.status {
			t.Errorf("%d: %d %s, want %d", i, r.status, r.body, step.status)
		}
		status, _ := c.refresh(t, token.Refresh)
		if revoked := c.whoami(t, token.Access) == http.StatusUnauthorized; revoked != step.revoked || revoked != (status == http.StatusNotFound) {
			t.Errorf("%d: revoked %t, refresh %d, want %t", i, revoked, status, step.revoked)
		}
	}
	token := grant(t, s, base, "sales@example.com")
	if r := c.send(t, http.MethodPost, endpoints+"revoke_token", url.Values{"token": {token.Access}}, http.Header{"Authorization": {"Bearer " + token.Access}}); r.status != http.StatusUnauthorized || r.body != "{}" {
		t.Errorf("by another user than the cookies name: %d %s", r.status, r.body)
	}
	if n := s.ActiveTokens("sales@example.com"); n == 0 || s.RevokeTokens("sales@example.com", "") < n || s.ActiveTokens("sales@example.com") != 0 {
		t.Errorf("%d pairs are active, then %d", n, s.ActiveTokens("sales@example.com"))
	}
	if r := c.post(t, endpoints+"revoke_token", url.Values{}); r.status != http.StatusBadRequest || r.body != "{}" {
		t.Errorf("without token: %d %s", r.status, r.body)
	}
}

// TestTokenCookies checks that the token endpoint makes a client with a cookie jar Guest,
// and looks at the user named in the cookies.
func TestTokenCookies(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, nil)
	token := grant(t, s, base, "sales@example.com")
	b := newBrowser(t, base)
	if status, _ := b.refresh(t, token.Refresh); status != http.StatusOK || b.cookie(t, "sid") != "Guest" || b.cookie(t, "user_id") != "Guest" {
		t.Errorf("refresh with a cookie jar: %d", status)
	}
	if status, out := b.refresh(t, token.Refresh); status != http.StatusOK {
		t.Errorf("as Guest: %d %+v", status, out)
	}
	r := plain(base).send(t, http.MethodPost, endpoints+"get_token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.Refresh}, "client_id": {"erpgraph-demo"}},
		http.Header{"Authorization": {"Bearer " + token.Access}})
	if r.status != http.StatusBadRequest || !strings.Contains(r.body, "invalid_client") {
		t.Errorf("with a token and no cookies: %d %s", r.status, r.body)
	}
}
