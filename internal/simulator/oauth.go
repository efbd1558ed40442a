package simulator

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// OAuthClient is an application that may ask for tokens.
type OAuthClient struct {
	ID, Secret  string
	RedirectURI string
	Scopes      string // separated by blanks, such as "all openid"
	Trusted     bool   // no consent is asked
}

// OAuthCode is an authorization code that waits to be redeemed.
type OAuthCode struct {
	Code        string
	ClientID    string
	User        string
	Scopes      string
	RedirectURI string
	Nonce       string
	// Challenge is that of PKCE by S256; empty: none was sent, and none is checked.
	Challenge string
}

// oauthToken is a row of OAuth Bearer Token: both tokens live and die together.
type oauthToken struct {
	access, refresh, client, user, scopes string
	revoked                               bool
	expires                               time.Time
}

// oauth is the state of the OAuth server and of password sessions.
type oauth struct {
	mu       sync.Mutex
	clients  map[string]OAuthClient
	codes    map[string]OAuthCode
	tokens   []*oauthToken
	sessions map[string]string // user by session id
}

func newOAuth(clients []OAuthClient) *oauth {
	o := &oauth{clients: make(map[string]OAuthClient), codes: make(map[string]OAuthCode), sessions: make(map[string]string)}
	for _, c := range clients {
		o.clients[c.ID] = c
	}
	return o
}

const tokenLife = time.Hour

// AddOAuthCode makes a code as a consent would have, for tests.
func (s *Server) AddOAuthCode(c OAuthCode) {
	s.oauth.mu.Lock()
	defer s.oauth.mu.Unlock()
	s.oauth.codes[c.Code] = c
}

// user is the user of an access token that is active and not expired, empty for none.
func (o *oauth) user(access string, now time.Time) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.tokens {
		if subtle.ConstantTimeCompare([]byte(t.access), []byte(access)) == 1 && !t.revoked && now.Before(t.expires) {
			return t.user
		}
	}
	return ""
}

func (o *oauth) find(match func(*oauthToken) bool) *oauthToken {
	if i := slices.IndexFunc(o.tokens, match); i >= 0 {
		return o.tokens[i]
	}
	return nil
}

func (o *oauth) issue(client, user, scopes string, now time.Time) *oauthToken {
	t := &oauthToken{access: secretText(), refresh: secretText(), client: client, user: user, scopes: scopes, expires: now.Add(tokenLife)}
	o.tokens = append(o.tokens, t)
	return t
}

// secretText is a random text of thirty characters.
func secretText() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func oauthMethods() map[string]method {
	const prefix = "frappe.integrations.oauth2."
	return map[string]method{
		prefix + "get_token":            {run: (*call).oauthToken, guest: true},
		prefix + "introspect_token":     {run: (*call).oauthIntrospect, guest: true},
		prefix + "revoke_token":         {run: (*call).oauthRevoke, guest: true},
		prefix + "openid_profile":       {run: (*call).oauthProfile},
		prefix + "openid_configuration": {run: (*call).oauthConfiguration, guest: true},
		prefix + "authorize":            {run: (*call).oauthAuthorize, guest: true},
		prefix + "approve":              {run: (*call).oauthApprove},
	}
}

func oauthError(code string) error {
	return &wireError{status: http.StatusBadRequest, typ: code, body: object{{"error", code}}}
}

// oauthToken is the token endpoint. It takes forms only, and looks at no client's secret:
// so does the original.
func (q *call) oauthToken() (any, error) {
	o := q.s.oauth
	if strings.HasPrefix(q.req.Header.Get("Content-Type"), "application/json") {
		return nil, oauthError("unsupported_grant_type")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch q.arg("grant_type") {
	case "authorization_code":
		return q.redeemCode(o)
	case "refresh_token":
		old := o.find(func(t *oauthToken) bool { return t.refresh == q.arg("refresh_token") && !t.revoked })
		if old == nil {
			return nil, notFound("OAuth Bearer Token", "{'refresh_token': "+pythonRepr(q.arg("refresh_token"))+", 'status': 'Active'}")
		}
		// The old pair stays valid beside the new one.
		return tokenAnswer(o.issue(old.client, old.user, old.scopes, q.s.now()), ""), nil
	default:
		return nil, oauthError("unauthorized_client")
	}
}

func (q *call) redeemCode(o *oauth) (any, error) {
	id := q.arg("client_id")
	if id == "" {
		return nil, python("AttributeError", "'NoneType' object has no attribute 'split'")
	}
	client, ok := o.clients[id]
	if !ok {
		return nil, notFound("OAuth Client", id)
	}
	code, ok := o.codes[q.arg("code")]
	if !ok || code.ClientID != client.ID {
		return nil, oauthError("invalid_grant")
	}
	if code.Challenge != "" {
		sum := sha256.Sum256([]byte(q.arg("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != code.Challenge {
			return nil, oauthError("invalid_grant")
		}
	}
	delete(o.codes, code.Code)
	t := o.issue(client.ID, code.User, code.Scopes, q.s.now())
	idToken := ""
	if slices.Contains(strings.Fields(code.Scopes), "openid") {
		idToken = q.idToken(client, t, code.Nonce)
	}
	return tokenAnswer(t, idToken), nil
}

func tokenAnswer(t *oauthToken, idToken string) topLevel {
	out := topLevel{
		{"access_token", t.access},
		{"expires_in", int64(tokenLife / time.Second)},
		{"token_type", "Bearer"},
		{"scope", t.scopes},
		{"refresh_token", t.refresh},
	}
	if idToken != "" {
		out = append(out, member{"id_token", idToken})
	}
	return out
}

// profile are the claims about a user.
func (q *call) profile(name string) object {
	sum := sha256.Sum256([]byte("sub " + name))
	out := object{{"sub", hex.EncodeToString(sum[:20])}}
	if d := q.snap.document(q.s.collation, "User", name); d != nil {
		out = append(out, member{"name", d.get("full_name")}, member{"given_name", d.get("first_name")},
			member{"family_name", d.get("last_name")}, member{"email", d.get("email")}, member{"picture", d.get("user_image")})
	}
	roles := []string{}
	if a := q.snap.users[name]; a != nil {
		roles = a.roles
	}
	return append(out, member{"roles", roles}, member{"iss", q.issuer()})
}

func (q *call) issuer() string { return "http://" + q.req.Host }

func (q *call) oauthProfile() (any, error) { return topLevel(q.profile(q.user.name)), nil }

// oauthIntrospect is open to anyone. Its active says that the token was not revoked, even
// if it has expired, and its exp is late by the zone's offset.
func (q *call) oauthIntrospect() (any, error) {
	o := q.s.oauth
	token, hint := q.arg("token"), q.arg("token_type_hint")
	o.mu.Lock()
	defer o.mu.Unlock()
	field := "access_token"
	t := o.find(func(t *oauthToken) bool { return t.access == token })
	if hint == "refresh_token" {
		field = hint
		t = o.find(func(t *oauthToken) bool { return t.refresh == token })
	}
	if t == nil {
		q.notes = append(q.notes, shown("OAuth Bearer Token {'"+field+"': "+pythonRepr(token)+"} not found", "Message"))
		return topLevel{{"active", false}}, nil
	}
	_, offset := t.expires.In(q.s.zone).Zone()
	out := object{
		{"client_id", t.client},
		{"trusted_client", cint(o.clients[t.client].Trusted)},
		{"active", !t.revoked},
		{"exp", t.expires.Unix() + int64(offset)},
		{"scope", t.scopes},
	}
	if slices.Contains(strings.Fields(t.scopes), "openid") {
		out = append(out, q.profile(t.user)...)
	}
	return topLevel(out), nil
}

// oauthRevoke revokes a pair of tokens. A refresh token is recognised only with the
// client's id.
func (q *call) oauthRevoke() (any, error) {
	o := q.s.oauth
	token := q.arg("token")
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.find(func(t *oauthToken) bool {
		return t.access == token || t.refresh == token && q.arg("client_id") != ""
	})
	if t == nil {
		return nil, notFound("OAuth Client", "None")
	}
	t.revoked = true
	return topLevel{}, nil
}

func (q *call) oauthConfiguration() (any, error) {
	endpoint := q.issuer() + "/api/method/frappe.integrations.oauth2."
	return topLevel{
		{"issuer", q.issuer()},
		{"authorization_endpoint", endpoint + "authorize"},
		{"token_endpoint", endpoint + "get_token"},
		{"userinfo_endpoint", endpoint + "openid_profile"},
		{"revocation_endpoint", endpoint + "revoke_token"},
		{"introspection_endpoint", endpoint + "introspect_token"},
		{"response_types_supported", []string{"code", "token", "code id_token", "code token id_token", "id_token", "id_token token"}},
		{"subject_types_supported", []string{"public"}},
		{"id_token_signing_alg_values_supported", []string{"HS256"}},
	}, nil
}
