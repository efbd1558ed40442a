package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"erpgraph/internal/httpapi"
)

func TestOriginsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ publicURL, origin, part string }{
		{"", "*", `"*" is no origin`},
		{"", "null", "no origin"},
		{"", "", "no origin"},
		{"", "app.example.com", "no origin"},
		{"", "ftp://app.example.com", "no origin"},
		{"", "https://*.example.com", "no origin"},
		{"", "https://user@app.example.com", "no origin"},
		{"", "https://", "no origin"},
		{"", "https://münchen.example", "no origin"},
		{"", "https://app.example.com/", "write https://app.example.com"},
		{"", "https://app.example.com/path", "write https://app.example.com"},
		{"", "https://app.example.com?x", "write https://app.example.com"},
		{"", "https://App.example.com", "write https://app.example.com"},
		{"", "https://app.example.com:443", "write https://app.example.com"},
		{"", "http://app.example.com:80", "write http://app.example.com"},
		{"graph.example.com", appOrigin, "PublicURL"},
		{"javascript:alert(1)", appOrigin, "PublicURL"},
	} {
		_, err := httpapi.New(httpapi.Options{Schema: executable(t, nil), PublicURL: c.publicURL, Origins: []string{c.origin}})
		if err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%q %q: %v, want %q", c.publicURL, c.origin, err, c.part)
		}
	}
	for _, origin := range []string{appOrigin, "http://localhost:5173", "https://[::1]:8443", "https://xn--bcher-kva.example"} {
		_, err := httpapi.New(httpapi.Options{Schema: executable(t, nil), PublicURL: "https://Graph.example.com:443/base", Origins: []string{origin}})
		if err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
}

// TestCORS: pages of the allow-list may call and read with their user's session; for all
// others there is no word of permission.
func TestCORS(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) {
		withSessions(t)(o)
		ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
		o.Auth, o.Files, o.Playground = ok, ok, ok
	})
	type asked struct{ origin, method, headers string }
	for name, c := range map[string]struct {
		path string
		asked
		allowed bool
	}{
		"post":              {"/graphql", asked{appOrigin, "POST", "content-type"}, true},
		"another":           {"/graphql", asked{"http://localhost:5173", "POST", "content-type"}, true},
		"all headers":       {"/graphql", asked{appOrigin, "POST", "authorization,content-type,graphql-preflight,idempotency-key,x-erpgraph-trace"}, true},
		"apollo":            {"/graphql", asked{appOrigin, "GET", "apollo-require-preflight"}, true},
		"session":           {"/auth/session", asked{appOrigin, "GET", "graphql-preflight"}, true},
		"logout":            {"/auth/logout", asked{appOrigin, "POST", "content-type"}, true},
		"file":              {"/private/files/a.pdf", asked{appOrigin, "GET", "authorization"}, true},
		"stream":            {"/graphql/stream", asked{appOrigin, "PUT", "authorization"}, true},
		"stream, end":       {"/graphql/stream", asked{appOrigin, "DELETE", "x-graphql-event-stream-token"}, true},
		"stream, again":     {"/graphql/stream", asked{appOrigin, "POST", "content-type,last-event-id"}, true},
		"stream, foreign":   {"/graphql/stream", asked{"https://evil.example", "PUT", ""}, false},
		"webhooks":          {"/webhooks/erpnext", asked{appOrigin, "POST", "content-type"}, false},
		"foreign":           {"/graphql", asked{"https://evil.example", "POST", "content-type"}, false},
		"null":              {"/graphql", asked{"null", "POST", "content-type"}, false},
		"upper case":        {"/graphql", asked{"HTTPS://APP.EXAMPLE.COM", "POST", "content-type"}, false},
		"subdomain":         {"/graphql", asked{"https://x.app.example.com", "POST", "content-type"}, false},
		"own, as nobody is": {"/graphql", asked{ownOrigin, "POST", "content-type"}, false},
		"foreign header":    {"/graphql", asked{appOrigin, "POST", "x-forwarded-for"}, false},
		"foreign method":    {"/graphql", asked{appOrigin, "DELETE", ""}, false},
		"login":             {"/auth/login", asked{appOrigin, "GET", "content-type"}, false},
		"callback":          {"/auth/callback", asked{appOrigin, "GET", "content-type"}, false},
		"health":            {"/readyz", asked{appOrigin, "GET", "content-type"}, false},
		"page":              {"/", asked{appOrigin, "GET", "content-type"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.do(t, call{method: "OPTIONS", path: c.path, header: map[string]string{
				"Origin": c.origin, "Access-Control-Request-Method": c.method, "Access-Control-Request-Headers": c.headers,
			}})
			if !c.allowed {
				wantNoCORS(t, got)
				return
			}
			want := map[string]string{
				"Access-Control-Allow-Origin": c.origin, "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": c.method,
				"Access-Control-Allow-Headers": c.headers, "Access-Control-Max-Age": "600",
			}
			for header, value := range want {
				if got.header.Get(header) != value {
					t.Errorf("%s: %q, want %q", header, got.header.Get(header), value)
				}
			}
			if got.status != 204 || !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Origin") {
				t.Errorf("%d %v", got.status, got.header)
			}
		})
	}
	for origin, allowed := range map[string]bool{appOrigin: true, "https://evil.example": false, "null": false} {
		got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Origin": origin}})
		if !allowed {
			wantNoCORS(t, got)
			continue
		}
		vary := strings.Join(got.header.Values("Vary"), ",")
		if got.header.Get("Access-Control-Allow-Origin") != origin || got.header.Get("Access-Control-Allow-Credentials") != "true" ||
			!strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "X-Request-Id") ||
			!strings.Contains(vary, "Origin") || !strings.Contains(vary, "Cookie") {
			t.Errorf("%s: %v", origin, got.header)
		}
	}
	// An error is an answer too: the page must be able to read why.
	got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Origin": appOrigin, "Cookie": "__Host-erpgraph=ended"}})
	if got.status != 401 || got.header.Get("Access-Control-Allow-Origin") != appOrigin {
		t.Errorf("%d %v", got.status, got.header)
	}
}

func wantNoCORS(t *testing.T, got reply) {
	t.Helper()
	for name := range got.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
}

func TestCORSIsOffByDefault(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for _, origin := range []string{appOrigin, b.url} {
		got := b.do(t, call{method: "OPTIONS", header: map[string]string{"Origin": origin, "Access-Control-Request-Method": "POST"}})
		wantNoCORS(t, got)
		if got.status != 405 {
			t.Errorf("preflight: %d %s", got.status, got.body)
		}
		got = b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Origin": origin}})
		wantNoCORS(t, got)
		if got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

// TestOwnHostWithoutPublicURL: without a public URL the host of the request is our own,
// under either scheme.
func TestOwnHostWithoutPublicURL(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.Authenticate = authenticating(t) })
	host := strings.TrimPrefix(b.url, "http://")
	for origin, want := range map[string]int{"http://" + host: 200, "https://" + host: 200, "https://evil.example": 403, "ftp://" + host: 403} {
		got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Cookie": sessionCookie, "Origin": origin}})
		if got.status != want {
			t.Errorf("%s: %d, want %d", origin, got.status, want)
		}
	}
}
