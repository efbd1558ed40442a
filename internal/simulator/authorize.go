package simulator

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// redirect is an answer that sends the browser elsewhere.
type redirect struct {
	to     string
	status int // 302 if zero
}

// authorization is a request for a code that may be granted.
type authorization struct {
	client *document
	uri    string
	scopes []string
}

// oauthAuthorize asks for a login and then for consent, unless the client is trusted.
func (q *call) oauthAuthorize() (any, error) {
	uri, ok := q.form.lookup("redirect_uri")
	if !ok {
		return nil, python("KeyError", "'redirect_uri'")
	}
	if q.user.isGuest() {
		return redirect{to: "/login?redirect-to=" + quote(q.issuer()+legible(q.req.URL.RequestURI()))}, nil
	}
	a, err := q.authorization()
	if err != nil {
		return nil, err
	}
	approve := "/api/method/frappe.integrations.oauth2.approve?" + encodeParams(q.form.without("data", "cmd"))
	if a.client.get("skip_authorization").truthy() {
		return redirect{to: approve}, nil
	}
	return q.page("confirm.html", "Confirm Access", confirmation{
		App: a.client.get("app_name").s, User: q.user.name, Details: a.details(), Allow: approve, Deny: cstr(uri) + "?error=access_denied",
	})
}

// confirmation is what the consent page shows. To deny loses the state, and spoils a
// redirect URI that has a query: both are the original's doing.
type confirmation struct {
	App, User   string
	Details     []string
	Allow, Deny string
}

// details are the scopes as the user is asked about them.
func (a *authorization) details() []string {
	var out []string
	for _, s := range a.scopes {
		if s != "openid" {
			out = append(out, label(s))
		}
	}
	if len(out) < len(a.scopes) {
		out = append(out, "Full Name", "Email", "User Image", "Roles")
	}
	return out
}

// oauthApprove gives the code. It is a plain GET, as the original's is: nothing but the
// same-site rule of the session's cookie stands between a foreign page and a consent.
func (q *call) oauthApprove() (any, error) {
	a, err := q.authorization()
	if err != nil {
		return nil, err
	}
	code := OAuthCode{
		Code: secretText(), ClientID: a.client.row.name(), User: q.user.name, Scopes: strings.Join(a.scopes, " "), RedirectURI: a.uri,
		Nonce: q.arg("nonce"), Challenge: q.arg("code_challenge"), ChallengeMethod: cmp.Or(q.arg("code_challenge_method"), "plain"),
	}
	q.s.AddOAuthCode(code)
	answer := object{{"code", code.Code}}
	if state := q.arg("state"); state != "" {
		answer = append(answer, member{"state", state})
	}
	separator := "?"
	if strings.Contains(a.uri, "?") {
		separator = "&"
	}
	return redirect{to: a.uri + separator + encodeParams(answer)}, nil
}

// authorization makes the checks of a request for a code, in the original's order.
func (q *call) authorization() (*authorization, error) {
	for _, name := range []string{"client_id", "response_type", "redirect_uri", "scope", "state"} {
		if len(q.req.URL.Query()[name]) > 1 {
			return nil, refused("invalid_request", "Duplicate "+name+" parameter.")
		}
	}
	if q.arg("client_id") == "" {
		return nil, refused("invalid_request", "Missing client_id parameter.")
	}
	a := &authorization{client: q.client(q.arg("client_id"))}
	if a.client == nil || !q.mayUse(a.client) {
		return nil, refused("invalid_request", "Invalid client_id parameter value.")
	}
	uri, sent := q.form.lookup("redirect_uri")
	a.uri = cstr(uri)
	switch u, err := url.Parse(a.uri); {
	case !sent:
		a.uri = a.client.get("default_redirect_uri").s
	case err != nil || !u.IsAbs():
		return nil, refused("invalid_request", "Invalid redirect URI.")
	case !redirects(strings.TrimSpace(a.client.get("redirect_uris").s), a.uri):
		return nil, refused("invalid_request", "Mismatching redirect URI.")
	}
	if err := q.checkResponse(a.client); err != nil {
		return nil, err
	}
	allowed := strings.Fields(a.client.get("scopes").s)
	if a.scopes = allowed; q.arg("scope") != "" {
		a.scopes = strings.Split(strings.TrimSpace(q.arg("scope")), " ")
	}
	if !within(a.scopes, allowed) {
		return nil, refused("invalid_scope", "")
	}
	return a, nil
}

// checkResponse checks what is asked for, and by which way of PKCE.
func (q *call) checkResponse(client *document) error {
	switch kind := q.arg("response_type"); {
	case kind == "":
		return refused("invalid_request", "Missing response_type parameter.")
	case !strings.Contains(kind, "code") && kind != "none":
		return refused("unsupported_response_type", "")
	case !slices.Contains([]string{strings.ToLower(client.get("response_type").s), "code id_token", "code token id_token"}, kind):
		return refused("unauthorized_client", "")
	}
	if way := cmp.Or(q.arg("code_challenge_method"), "plain"); q.arg("code_challenge") != "" && way != "plain" && way != "S256" {
		return refused("invalid_request", "Transform algorithm not supported.")
	}
	return nil
}

// refused is a refusal of the authorization endpoint. It is shown to the user: nothing is
// ever sent back to the client.
func refused(code, description string) error {
	return &wireError{
		status: http.StatusBadRequest, typ: code,
		body: object{{"description", description}, {"status_code", int64(http.StatusBadRequest)}, {"error", code}},
	}
}

// encodeParams writes a query string in the order of the members.
func encodeParams(o object) string {
	parts := make([]string, len(o))
	for i, m := range o {
		parts[i] = quote(m.key) + "=" + quote(cstr(m.value))
	}
	return strings.Join(parts, "&")
}

// legible undoes the escapes that a URL can do without, as the original does with the
// address that a login leads back to.
func legible(uri string) string {
	return escapes.ReplaceAllStringFunc(uri, func(e string) string {
		c, err := url.PathUnescape(e)
		if err != nil || c[0] <= ' ' || c[0] > '~' || slices.Contains([]string{"%", "&", "=", "+", "#"}, c) {
			return e
		}
		return c
	})
}

var escapes = regexp.MustCompile("%[0-9A-Fa-f]{2}")

// quote escapes as Python does, a blank as %20.
func quote(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
