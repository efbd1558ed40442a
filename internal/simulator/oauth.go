package simulator

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

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

// oauthError is a refusal of the token endpoint, with a description if there is one.
func oauthError(code, description string) error {
	body := object{{"error", code}}
	if description != "" {
		body = append(body, member{"error_description", description})
	}
	return &wireError{status: http.StatusBadRequest, typ: code, body: body}
}

// oauthToken is the token endpoint. It takes forms only, and looks at no client's secret:
// so does the original.
func (q *call) oauthToken() (any, error) {
	grant := q.arg("grant_type")
	q.log.Grant = grant
	if q.user.isGuest() {
		// A client that keeps cookies is somebody from now on: Guest.
		q.setIdentity(guest, &guestAccount)
	}
	switch {
	case strings.HasPrefix(q.req.Header.Get("Content-Type"), "application/json"):
		return nil, oauthError("unsupported_grant_type", "")
	case grant == "authorization_code":
		return q.redeemCode()
	case grant == "refresh_token":
		return q.refresh()
	case grant == "client_credentials" || grant == "password":
		return nil, oauthError("unauthorized_client", "")
	default:
		return nil, oauthError("unsupported_grant_type", "")
	}
}

// authenticateClient finds the client of a request to the token or revocation endpoint: by
// its ID, or by a token that was given to it. What must match is not a secret, but the
// user of the request and the one named in its cookies.
func (q *call) authenticateClient() (*document, error) {
	id := q.arg("client_id")
	if id == "" {
		var err error
		if id, err = q.clientOfToken(); err != nil {
			return nil, err
		}
	}
	client := q.client(id)
	if client == nil {
		return nil, notFound(clientType, id)
	}
	named := guest
	if c, err := q.req.Cookie("user_id"); err == nil {
		if name, err := url.PathUnescape(c.Value); err == nil {
			named = name
		}
	}
	if named != q.user.name {
		return nil, errInvalidClient
	}
	return client, nil
}

var errInvalidClient = oauthError("invalid_client", "")

func (q *call) clientOfToken() (string, error) {
	var token *document
	if refresh, ok := q.form.lookup("refresh_token"); ok {
		token = q.snap.refreshToken(q.s.collation, cstr(refresh))
	} else if access, ok := q.form.lookup("token"); ok {
		token = q.snap.accessToken(q.s.collation, cstr(access))
	} else {
		_, access, ok := strings.Cut(q.req.Header.Get("Authorization"), " ")
		if !ok {
			return "", python("AttributeError", "'NoneType' object has no attribute 'split'")
		}
		token = q.snap.accessToken(q.s.collation, access)
	}
	if token == nil {
		return "None", nil
	}
	return token.get("client").s, nil
}

// redeemCode gives tokens for a code, once. A refused attempt leaves the code as it is,
// unless a verifier was due and none came.
func (q *call) redeemCode() (any, error) {
	var token, code, client *document
	var refusal error
	err := q.transact(func(snap *snapshot) (err error) {
		if _, ok := q.form.lookup("code"); !ok {
			return oauthError("invalid_request", "Missing code parameter.")
		}
		if client, err = q.authenticateClient(); err != nil {
			return err
		}
		code = snap.document(q.s.collation, codeType, q.arg("code"))
		if code == nil || code.get("validity").s != "Valid" || code.get("client").s != client.row.name() {
			return oauthError("invalid_grant", "")
		}
		q.log.User = code.get("user").s
		if code.get("code_challenge").s != "" && q.arg("code_verifier") == "" {
			snap.remove(code.meta, code.row.key())
			refusal = oauthError("invalid_grant", "")
			return nil
		}
		if !verifies(code, q.arg("code_verifier")) {
			return oauthError("invalid_grant", "")
		}
		if !q.confirmsRedirect(client) {
			return oauthError("invalid_request", "Mismatching redirect URI.")
		}
		snap.setField(q.s.collation, code, "validity", "Invalid")
		token, err = q.s.issueToken(snap, client.row.name(), code.get("user").s, code.get("scopes").s)
		return err
	})
	if err != nil || refusal != nil {
		return nil, cmp.Or(err, refusal)
	}
	out := q.tokenAnswer(token)
	if slices.Contains(strings.Split(token.get("scopes").s, " "), "openid") {
		idToken := q.idToken(client, token, code.get("nonce").s)
		q.s.secrets.add(idToken)
		out = append(out, member{"id_token", idToken})
	}
	return out, nil
}

// confirmsRedirect checks the redirect URI that comes with a code: one of the client's, not
// necessarily the code's own; without any it is the client's default.
func (q *call) confirmsRedirect(client *document) bool {
	uri, sent := q.form.lookup("redirect_uri")
	if !sent {
		uri = client.get("default_redirect_uri").s
	}
	return redirects(client.get("redirect_uris").s, cstr(uri))
}

// verifies checks the verifier of PKCE, if the code came with a challenge.
func verifies(code *document, verifier string) bool {
	challenge := code.get("code_challenge").s
	switch code.get("code_challenge_method").s {
	case "s256":
		sum := sha256.Sum256([]byte(verifier))
		return base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
	case "plain":
		return verifier == challenge
	default:
		return true
	}
}

// refresh gives a new pair of tokens to whoever has a refresh token, under the client that
// the request names. The old pair stays valid beside it.
func (q *call) refresh() (any, error) {
	var token *document
	err := q.transact(func(snap *snapshot) error {
		refresh := q.arg("refresh_token")
		if refresh == "" {
			return oauthError("invalid_request", "Missing refresh token parameter.")
		}
		client, err := q.authenticateClient()
		if err != nil {
			return err
		}
		old := snap.refreshToken(q.s.collation, refresh)
		if old == nil || old.get("status").s != "Active" {
			return notFound(tokenType, "{'refresh_token': "+pythonRepr(refresh)+", 'status': 'Active'}")
		}
		q.log.User = old.get("user").s
		scopes := old.get("scopes").s
		if asked := q.arg("scope"); asked != "" {
			if !within(strings.Fields(asked), strings.Split(scopes, " ")) {
				return oauthError("invalid_scope", "")
			}
			scopes = asked
		}
		token, err = q.s.issueToken(snap, client.row.name(), old.get("user").s, scopes)
		return err
	})
	if err != nil {
		return nil, err
	}
	return q.tokenAnswer(token), nil
}

func (q *call) tokenAnswer(t *document) topLevel {
	return topLevel{
		{"access_token", t.get("access_token")},
		{"expires_in", t.get("expires_in")},
		{"token_type", "Bearer"},
		{"scope", t.get("scopes")},
		{"refresh_token", t.get("refresh_token")},
	}
}

// idToken is signed with the client's secret by HS256: the original has no keys to publish.
func (q *call) idToken(client, token *document, nonce string) string {
	half := sha256.Sum256([]byte(token.get("access_token").s))
	now := q.s.now()
	claims := object{{"aud", client.row.name()}, {"iat", now.Unix()}}
	if nonce != "" {
		claims = append(claims, member{"nonce", nonce})
	}
	claims = append(claims, object{
		{"at_hash", base64.RawURLEncoding.EncodeToString(half[:16])},
		{"exp", now.Unix() + int64(q.s.tokenLife/time.Second)},
	}...)
	claims = append(claims, q.profile(token.get("user").s)...)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"jwt"}`)) + "." + base64.RawURLEncoding.EncodeToString(encodeJSON(claims))
	mac := hmac.New(sha256.New, []byte(client.get("client_secret").s))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
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

// issuer is the site as the caller reached it.
func (q *call) issuer() string {
	if q.req.TLS != nil {
		return "https://" + q.req.Host
	}
	return "http://" + q.req.Host
}

func (q *call) oauthProfile() (any, error) { return topLevel(q.profile(q.user.name)), nil }

// oauthIntrospect is open to anyone. Its active says that the token was not revoked, even
// if it has expired, and its exp is late by the zone's offset.
func (q *call) oauthIntrospect() (any, error) {
	token, field := q.arg("token"), "access_token"
	t := q.snap.accessToken(q.s.collation, token)
	if q.arg("token_type_hint") == "refresh_token" {
		field = "refresh_token"
		t = q.snap.refreshToken(q.s.collation, token)
	}
	if t == nil {
		q.notes = append(q.notes, shown(tokenType+" {'"+field+"': "+pythonRepr(token)+"} not found", "Message"))
		return topLevel{{"active", false}}, nil
	}
	client := q.client(t.get("client").s)
	if client == nil {
		return topLevel{{"active", false}}, nil
	}
	end, _ := parseTime(t.get("expiration_time").s) // the site's clock, read as if it were UTC
	out := object{
		{"client_id", t.get("client")},
		{"trusted_client", client.get("skip_authorization")},
		{"active", t.get("status").s == "Active"},
		{"exp", end.Round(time.Second).Unix()},
		{"scope", t.get("scopes")},
	}
	if strings.Contains(t.get("scopes").s, "openid") {
		out = append(out, q.profile(t.get("user").s)...)
	}
	return topLevel(out), nil
}

// quietly is a refusal of the revocation endpoint, which says nothing but the status.
func quietly(status int) error {
	return &wireError{status: status, typ: "invalid_request", body: object{}}
}

// oauthRevoke revokes a pair of tokens, by its access token or, if the hint says so, by its
// refresh token. Without the client's ID only an access token tells the client, and a
// token that matches none is no error with it.
func (q *call) oauthRevoke() (any, error) {
	token := q.arg("token")
	err := q.transact(func(snap *snapshot) error {
		if token == "" {
			return quietly(http.StatusBadRequest)
		}
		switch _, err := q.authenticateClient(); {
		case errors.Is(err, errInvalidClient):
			return quietly(http.StatusUnauthorized)
		case err != nil:
			return err
		}
		t := snap.accessToken(q.s.collation, token)
		if q.arg("token_type_hint") == "refresh_token" {
			t = snap.refreshToken(q.s.collation, token)
		}
		if t != nil {
			q.log.User = t.get("user").s
			snap.setField(q.s.collation, t, "status", "Revoked")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
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
