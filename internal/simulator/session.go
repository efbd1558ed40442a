package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"strings"
)

// redirect is an answer that sends the browser elsewhere.
type redirect struct {
	to     string
	status int // 302 if zero
}

// idToken is signed with the client's secret by HS256: the original has no keys to publish.
func (q *call) idToken(c OAuthClient, t *oauthToken, nonce string) string {
	half := sha256.Sum256([]byte(t.access))
	now := q.s.now().Unix()
	claims := object{{"aud", c.ID}, {"iat", now}, {"at_hash", base64.RawURLEncoding.EncodeToString(half[:16])}, {"exp", t.expires.Unix()}}
	if nonce != "" {
		claims = append(claims, member{"nonce", nonce})
	}
	claims = append(claims, q.profile(t.user)...)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"jwt"}`)) + "." + base64.RawURLEncoding.EncodeToString(encodeJSON(claims))
	mac := hmac.New(sha256.New, []byte(c.Secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// authorizeArgs checks what a request for a code says of the client.
func (q *call) authorizeArgs() (OAuthClient, error) {
	if _, ok := q.form.lookup("redirect_uri"); !ok {
		return OAuthClient{}, python("KeyError", "'redirect_uri'")
	}
	q.s.oauth.mu.Lock()
	c, ok := q.s.oauth.clients[q.arg("client_id")]
	q.s.oauth.mu.Unlock()
	refuse := func(reason string) (OAuthClient, error) {
		return c, &wireError{
			status: http.StatusBadRequest, typ: "invalid_request",
			body: object{{"description", reason}, {"status_code", int64(400)}, {"error", "invalid_request"}},
		}
	}
	switch {
	case !ok || !q.user.isGuest() && !q.user.hasRole("Desk User"):
		return refuse("Invalid client_id parameter value.")
	case q.arg("redirect_uri") != c.RedirectURI:
		return refuse("Mismatching redirect URI.")
	}
	return c, nil
}

// oauthAuthorize asks for a login and then for consent, unless the client is trusted.
func (q *call) oauthAuthorize() (any, error) {
	if q.user.isGuest() {
		return redirect{to: "/login?redirect-to=" + url.QueryEscape(q.issuer()+q.req.URL.RequestURI())}, nil
	}
	c, err := q.authorizeArgs()
	if err != nil {
		return nil, err
	}
	approve := "/api/method/frappe.integrations.oauth2.approve?" + q.req.URL.RawQuery
	if c.Trusted {
		return redirect{to: approve}, nil
	}
	return rawAnswer{contentType: "text/html; charset=utf-8", body: []byte("<!DOCTYPE html>\n<title>Confirm access</title>\n" +
		`<a id="allow" href="` + html.EscapeString(approve) + `">Allow</a>` + "\n")}, nil
}

// oauthApprove gives the code. It is a plain GET, as the original's is.
func (q *call) oauthApprove() (any, error) {
	c, err := q.authorizeArgs()
	if err != nil {
		return nil, err
	}
	code := OAuthCode{
		Code: secretText(), ClientID: c.ID, User: q.user.name, Scopes: q.arg("scope"), RedirectURI: c.RedirectURI,
		Nonce: q.arg("nonce"), Challenge: q.arg("code_challenge"),
	}
	q.s.AddOAuthCode(code)
	to := c.RedirectURI + "?code=" + code.Code
	if state := q.arg("state"); state != "" {
		to += "&state=" + url.QueryEscape(state)
	}
	return redirect{to: to}, nil
}

// sessionCookie names the cookie of a password session.
const sessionCookie = "sid"

// session is the user of the request's cookie, empty for none. A session beats any other
// credential of the same request.
func (q *call) session() string {
	c, err := q.req.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	q.s.oauth.mu.Lock()
	defer q.s.oauth.mu.Unlock()
	return q.s.oauth.sessions[c.Value]
}

// login checks a password and begins a session.
func (q *call) login() (any, error) {
	a := q.snap.users[q.arg("usr")]
	if a == nil || a.password == "" || subtle.ConstantTimeCompare([]byte(a.password), []byte(q.arg("pwd"))) != 1 {
		f := raised("AuthenticationError", "")
		f.extra = object{{"message", "Invalid login credentials"}}
		return nil, f
	}
	if d := q.snap.document(q.s.collation, "User", a.name); d == nil || !d.get("enabled").truthy() {
		f := raised("AuthenticationError", "")
		f.extra = object{{"message", "User disabled or missing"}}
		return nil, f
	}
	q.beginSession(a)
	if a.desk || a.isAdmin() {
		return topLevel{{"message", "Logged In"}, {"home_page", "/app/home"}, {"full_name", a.fullName}}, nil
	}
	return topLevel{{"message", "No App"}, {"home_page", "/me"}, {"full_name", a.fullName}}, nil
}

func (q *call) beginSession(a *account) {
	sid := secretText()
	q.s.oauth.mu.Lock()
	q.s.oauth.sessions[sid] = a.name
	q.s.oauth.mu.Unlock()
	q.cookie = &http.Cookie{Name: sessionCookie, Value: sid, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode} //nolint:gosec // without Secure: the simulator speaks plain HTTP
	q.user = a
}

// loginPage is a form for a browser that was sent to log in. The original does this by
// script.
func (q *call) loginPage() (any, error) {
	to := q.arg("redirect-to")
	if q.req.Method == http.MethodPost {
		if _, err := q.login(); err != nil {
			return nil, err
		}
		return redirect{to: q.local(to)}, nil
	}
	return rawAnswer{contentType: "text/html; charset=utf-8", body: []byte("<!DOCTYPE html>\n<title>Login</title>\n" +
		`<form method="post" action="/login"><input type="hidden" name="redirect-to" value="` + html.EscapeString(to) + `">` +
		`<label>User <input name="usr"></label> <label>Password <input name="pwd" type="password"></label> <button>Login</button></form>` + "\n")}, nil
}

// local keeps a redirect on this site.
func (q *call) local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Host != "" && u.Host != q.req.Host || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return u.RequestURI()
}
