package session_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"erpgraph/internal/simulator"
)

// proxy is something in front of the site that answers in its place while it is on.
type proxy struct {
	on     atomic.Bool
	status int
	kind   string
	body   string
	// only is a part of the paths that it answers; "" is all.
	only string
}

func (p *proxy) answer(w http.ResponseWriter, r *http.Request) bool {
	if !p.on.Load() || !strings.Contains(r.URL.Path, p.only) {
		return false
	}
	w.Header().Set("Content-Type", p.kind)
	w.WriteHeader(p.status)
	_, _ = io.WriteString(w, p.body)
	return true
}

// Who is signed in stays so, whatever a proxy in front of ERPNext answers.
func TestProxyEndsNoSession(t *testing.T) {
	t.Parallel()
	const html, json = "text/html", "application/json"
	for name, p := range map[string]*proxy{
		"401 page":                   {status: 401, kind: html, body: "<h1>Log in</h1>"},
		"401 page of the API alone":  {status: 401, kind: html, body: "<h1>Log in</h1>", only: "get_logged_user"},
		"401 JSON":                   {status: 401, kind: json, body: `{"message":"Unauthorized"}`},
		"403 page":                   {status: 403, kind: html, body: "<h1>Access denied</h1>"},
		"403 page of the API alone":  {status: 403, kind: html, body: "<h1>Access denied</h1>", only: "get_logged_user"},
		"403 JSON":                   {status: 403, kind: json, body: `{"message":"Forbidden"}`, only: "get_logged_user"},
		"404 page":                   {status: 404, kind: html, body: "DoesNotExistError"},
		"404 JSON":                   {status: 404, kind: json, body: `{"error":"no route"}`},
		"200 page":                   {status: 200, kind: html, body: "<h1>soon back</h1>"},
		"417 JSON":                   {status: 417, kind: json, body: `{"exc_type":"ValidationError"}`},
		"500 JSON":                   {status: 500, kind: json, body: `{"exc_type":"OperationalError"}`},
		"all run as Guest":           {status: 200, kind: json, body: `{"message":"Guest"}`, only: "get_logged_user"},
		"Guest is refused":           {status: 403, kind: json, body: `{"exc_type":"PermissionError"}`, only: "get_logged_user"},
		"the client's id is unknown": {status: 404, kind: json, body: `{"exc_type":"DoesNotExistError"}`, only: "get_token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.atSite = p.answer
			v := b.signIn(sales)
			p.on.Store(true)
			for range 3 {
				if got := v.status(); got["signedIn"] != true || got["user"] != sales {
					t.Errorf("status: %v", got)
				}
			}
			p.on.Store(false)
			if got := v.status(); got["signedIn"] != true || got["fullName"] == nil {
				t.Errorf("afterwards: %v", got)
			}
			if events := b.events("revoked"); len(events) != 0 || b.grants("refresh_token") > 1 {
				t.Errorf("%d refreshes, audit: %v", b.grants("refresh_token"), events)
			}
		})
	}
}

// ERPNext says 404 both for a grant and for a client that it does not know. As long as it
// accepts the token the grant is there, and it is the operator who must do something.
func TestUnknownClientEndsNoSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	b.clock.forward(59 * 60e9)
	b.clock.forward(30e9)
	b.site.SetFault(simulator.Fault{Path: "get_token", Status: http.StatusNotFound, Body: `{"exc_type":"DoesNotExistError"}`})
	if err := b.use(b.m, v.session()); err != nil {
		t.Errorf("the token is good: %v", err)
	}
	if b.count("auth_session") != 1 || len(b.events("revoked")) != 0 {
		t.Error("the session ended")
	}
	if log := b.log.String(); !strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, "ERPNEXT_OAUTH_CLIENT_ID") {
		t.Errorf("nobody tells the operator: %s", log)
	}
}

// The same when ERPNext says so itself, also when the token has ended.
func TestClientWasDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	if err := b.site.Delete("OAuth Client", clientID); err != nil {
		t.Fatal(err)
	}
	b.clock.forward(2 * 3600e9)
	if err := b.use(b.m, v.session()); codeOf(err) != "UPSTREAM_UNAVAILABLE" {
		t.Errorf("got %v", err)
	}
	if got := v.status(); got["signedIn"] != true || got["stale"] != true {
		t.Errorf("status: %v", got)
	}
}

// ERPNext does not know the grant any more: its tokens are taken back all the same, as it
// may be the refresh token alone that is gone.
func TestLostGrantIsRetired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	b.clock.forward(2 * 3600e9)
	b.site.SetFault(simulator.Fault{Path: "get_token", Status: http.StatusBadRequest, Body: `{"error":"invalid_grant"}`})
	if err := b.use(b.m, v.session()); codeOf(err) != "UNAUTHENTICATED" {
		t.Errorf("got %v", err)
	}
	if len(b.events("revoked")) != 1 || b.count("auth_session") != 0 {
		t.Errorf("audit: %v", b.events("revoked"))
	}
	if err := b.m.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.wantNoTokens(t, sales)
}
