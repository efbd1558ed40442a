package httpapi_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
	"erpgraph/internal/httpapi"
)

const (
	ownOrigin = "https://graph.example.com"
	appOrigin = "https://app.example.com"
)

// credentialOf is a bearer token; the users of these tests are called as their tokens
// begin: "north-2" is a token of north.
func credentialOf(t testing.TB, token string) frappe.Credential {
	t.Helper()
	credential, err := frappe.ParseAuthorization("Bearer " + token)
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

func apiKey(t testing.TB) frappe.Credential {
	t.Helper()
	credential, err := frappe.ParseAuthorization("token key:secret")
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// authenticating is how the app finds callers: the header, else the cookie. The session
// "ended" is none any more, and "down" can't be looked up.
func authenticating(t testing.TB) func(r *http.Request) (auth.Identity, error) {
	t.Helper()
	sessions := map[string]auth.Identity{}
	for _, name := range []string{"north", "south"} {
		sessions[name] = auth.OfSession(credentialOf(t, name+"-session"), "session-of-"+name)
	}
	return func(r *http.Request) (auth.Identity, error) {
		id, err := auth.FromHeader(r.Header)
		if err != nil || !id.IsZero() {
			return id, err
		}
		cookie, err := r.Cookie("__Host-erpgraph")
		if err != nil {
			return auth.Identity{}, nil //nolint:nilerr // no cookie is nobody
		}
		switch cookie.Value {
		case "down":
			return auth.Identity{}, apierror.New(apierror.UpstreamUnavailable, "the database can't be reached")
		case "ended":
			return auth.Identity{}, apierror.New(apierror.Unauthenticated, "your session has ended; sign in again")
		}
		return sessions[cookie.Value], nil
	}
}

// withSessions serves callers who signed in.
func withSessions(t testing.TB) func(*httpapi.Options) {
	t.Helper()
	return func(o *httpapi.Options) {
		o.Authenticate = authenticating(t)
		o.PublicURL = ownOrigin + "/"
		o.Origins = []string{appOrigin, "http://localhost:5173"}
	}
}

// keyOfCaller is a resolver that says who it runs for.
func keyOfCaller(ctx context.Context, _ map[string]any) (any, error) {
	id, err := auth.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	return id.Key(), nil
}

const sessionCookie = "__Host-erpgraph=north"

// TestForgedRequests: what a foreign page can make a browser send is refused, nothing is
// executed; what our own and allowed pages send is served.
func TestForgedRequests(t *testing.T) {
	t.Parallel()
	executed := make(chan string, 100)
	b := setup(t, map[string]resolver{"a": func(ctx context.Context, args map[string]any) (any, error) {
		executed <- "a"
		return keyOfCaller(ctx, args)
	}}, withSessions(t))
	type headers = map[string]string
	const preflight = "GraphQL-Preflight"
	get := "/graphql?" + url.Values{"query": {"{ a }"}}.Encode()
	for name, c := range map[string]struct {
		method, path, contentType string
		header                    headers
		status                    int
	}{
		"json":                           {"POST", "", "application/json", nil, 200},
		"json with charset":              {"POST", "", "Application/JSON; charset=utf-8", nil, 200},
		"form":                           {"POST", "", "application/x-www-form-urlencoded", nil, 403},
		"multipart":                      {"POST", "", "multipart/form-data; boundary=x", nil, 403},
		"text":                           {"POST", "", "text/plain", nil, 403},
		"text that names json":           {"POST", "", "text/plain; application/json", nil, 403},
		"text, then json":                {"POST", "", "text/plain, application/json", nil, 403},
		"no content type":                {"POST", "", "", nil, 403},
		"form with a preflighted header": {"POST", "", "text/plain", headers{preflight: "1"}, 415},
		"get":                            {"GET", get, "", nil, 403},
		"get, json":                      {"GET", get, "application/json", nil, 403},
		"get, empty header":              {"GET", get, "", headers{preflight: ""}, 403},
		"get, preflighted":               {"GET", get, "", headers{preflight: "1"}, 200},
		"get, apollo":                    {"GET", get, "", headers{"Apollo-Require-Preflight": "true"}, 200},
		"get, ajax":                      {"GET", get, "", headers{"X-Requested-With": "XMLHttpRequest"}, 200},
		"get, navigation":                {"GET", get, "", headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403},
		"own origin":                     {"POST", "", "application/json", headers{"Origin": ownOrigin, "Sec-Fetch-Site": "same-origin"}, 200},
		"own origin, old browser":        {"POST", "", "application/json", headers{"Origin": ownOrigin}, 200},
		"allowed origin":                 {"POST", "", "application/json", headers{"Origin": appOrigin, "Sec-Fetch-Site": "same-site"}, 200},
		"allowed origin, get":            {"GET", get, "", headers{"Origin": appOrigin, "Sec-Fetch-Site": "cross-site", preflight: "1"}, 200},
		"foreign origin":                 {"POST", "", "application/json", headers{"Origin": "https://evil.example"}, 403},
		"foreign subdomain":              {"POST", "", "application/json", headers{"Origin": "https://x.graph.example.com", "Sec-Fetch-Site": "same-site"}, 403},
		"foreign port":                   {"POST", "", "application/json", headers{"Origin": ownOrigin + ":8443"}, 403},
		"foreign scheme":                 {"POST", "", "application/json", headers{"Origin": "http://graph.example.com"}, 403},
		"own name as a prefix":           {"POST", "", "application/json", headers{"Origin": ownOrigin + ".evil.example"}, 403},
		"null origin":                    {"POST", "", "application/json", headers{"Origin": "null"}, 403},
		"empty origin":                   {"POST", "", "application/json", headers{"Origin": ""}, 403},
		"the request's own host":         {"POST", "", "application/json", headers{"Origin": b.url}, 403},
		"cross-site":                     {"POST", "", "application/json", headers{"Sec-Fetch-Site": "cross-site"}, 403},
		"same-site":                      {"POST", "", "application/json", headers{"Sec-Fetch-Site": "same-site"}, 403},
		"same-origin":                    {"POST", "", "application/json", headers{"Sec-Fetch-Site": "same-origin"}, 200},
		"by the user":                    {"GET", get, "", headers{"Sec-Fetch-Site": "none", preflight: "1"}, 200},
		"own origin from elsewhere":      {"POST", "", "application/json", headers{"Origin": ownOrigin, "Sec-Fetch-Site": "cross-site"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{"Cookie": {sessionCookie}, "Accept": {graphqlJSON}}
			for key, value := range c.header {
				header[http.CanonicalHeaderKey(key)] = []string{value}
			}
			if c.contentType != "" {
				header.Set("Content-Type", c.contentType)
			}
			request := call{method: c.method, path: c.path, headers: header, noContentType: true}
			if c.method == http.MethodPost {
				request.body = `{"query":"{ a }"}`
			}
			got := b.do(t, request)
			if got.status != c.status {
				t.Errorf("status %d, want %d: %s", got.status, c.status, got.body)
			}
			ran := len(executed) > 0
			for len(executed) > 0 {
				<-executed
			}
			if ran != (c.status == 200) {
				t.Errorf("executed: %t", ran)
			}
			if c.status == 403 {
				got.wantError(t, "FORBIDDEN", "")
			}
		})
	}
}

// TestHeaderCountsBeforeCookie: who sends a credential himself is not a browser that was
// made to, and a cookie beside it is ignored.
func TestHeaderCountsBeforeCookie(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"a": keyOfCaller}, withSessions(t))
	id := auth.Of(credentialOf(t, "south-1"))
	got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{
		"Authorization": "Bearer south-1", "Cookie": sessionCookie, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site",
	}})
	if got.status != 200 || string(got.has["data"]) != `{"a":"`+id.Key()+`"}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Authorization": "nonsense", "Cookie": sessionCookie}})
	got.wantError(t, "UNAUTHENTICATED", "Authorization")
	if got.status != 401 {
		t.Errorf("a bad header falls back to the cookie: %d %s", got.status, got.body)
	}
}

func TestSessionThatCantBeUsed(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"a": keyOfCaller}, func(o *httpapi.Options) {
		withSessions(t)(o)
		o.Auth = http.NotFoundHandler()
		o.Files = http.NotFoundHandler()
	})
	for _, c := range []struct {
		session, code string
		status        int
	}{{"ended", "UNAUTHENTICATED", 401}, {"down", "UPSTREAM_UNAVAILABLE", 503}} {
		for _, path := range []string{"/graphql", "/private/files/a"} {
			request := call{method: "POST", path: path, body: `{"query":"{ a }"}`, header: map[string]string{"Cookie": "__Host-erpgraph=" + c.session}}
			if path != "/graphql" {
				request.method, request.body = "GET", ""
			}
			got := b.do(t, request)
			got.wantError(t, c.code, "")
			login := got.errors[0].Extensions["loginUrl"]
			if got.status != c.status || (login == "/auth/login") != (c.status == 401) {
				t.Errorf("%s %s: %d, loginUrl %v", c.session, path, got.status, login)
			}
			if www := got.header.Values("WWW-Authenticate"); (len(www) == 2) != (c.status == 401) {
				t.Errorf("%s %s: WWW-Authenticate %q", c.session, path, www)
			}
		}
	}
}

func TestAuthIsMounted(t *testing.T) {
	t.Parallel()
	with := setup(t, nil, func(o *httpapi.Options) {
		o.Auth = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.Method + " " + r.URL.Path))
		})
	})
	without := setup(t, nil, nil)
	for _, c := range []call{{method: "GET", path: "/auth/login"}, {method: "POST", path: "/auth/logout"}} {
		if got := with.do(t, c); got.status != 200 || got.body != c.method+" "+c.path {
			t.Errorf("%s: %d %s", c.path, got.status, got.body)
		}
		got := without.do(t, c)
		got.wantError(t, "NOT_FOUND", "")
		if got.status != 404 {
			t.Errorf("%s without Auth: %d", c.path, got.status)
		}
	}
	got := without.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Authorization": "x"}})
	if _, hint := got.errors[0].Extensions["loginUrl"]; hint {
		t.Errorf("a login that is not there: %s", got.body)
	}
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	ran := make(chan struct{}, 10)
	b := setup(t, map[string]resolver{"a": func(context.Context, map[string]any) (any, error) {
		ran <- struct{}{}
		return nil, nil
	}}, func(o *httpapi.Options) {
		o.Files = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("file")) })
		o.Admit = func(ctx context.Context, id auth.Identity) error {
			if _, limited := ctx.Deadline(); !limited && id.IsZero() {
				t.Error("nobody was asked about")
			}
			switch id.Key() {
			case auth.Of(credentialOf(t, "disabled")).Key():
				return apierror.New(apierror.Unauthenticated, "the user is disabled")
			case auth.Of(credentialOf(t, "barred")).Key():
				return apierror.New(apierror.Forbidden, "not you")
			case auth.Of(credentialOf(t, "unknown")).Key():
				return apierror.New(apierror.UpstreamUnavailable, "ERPNext does not answer")
			}
			return nil
		}
	})
	for token, want := range map[string]int{"disabled": 401, "barred": 403, "unknown": 503, "good": 200, "": 200} {
		header := map[string]string{}
		if token != "" {
			header["Authorization"] = "Bearer " + token
		}
		got := b.do(t, call{body: `{"query":"{ a }"}`, header: header})
		if got.status != want || (len(ran) == 1) != (want == 200) {
			t.Errorf("%q: %d %s, ran %d", token, got.status, got.body, len(ran))
		}
		if len(ran) > 0 {
			<-ran
		}
		if got = b.do(t, call{method: "GET", path: "/private/files/a", header: header}); got.status != want {
			t.Errorf("%q reads a file: %d %s", token, got.status, got.body)
		}
	}
}

// TestDownloads: a file may be opened from a link anywhere, and be part of our own pages
// only.
func TestDownloads(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) {
		withSessions(t)(o)
		o.Files = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("file")) })
	})
	type headers = map[string]string
	for name, c := range map[string]struct {
		header headers
		status int
	}{
		"old browser":            {nil, 200},
		"own page":               {headers{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 200},
		"address bar":            {headers{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		"link from a mail":       {headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		"frame of a foreign one": {headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		"image of a foreign one": {headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403},
		"image of a sibling":     {headers{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403},
		"script of a foreign":    {headers{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 403},
		"form of a foreign one":  {headers{"Origin": "null", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403},
		"allowed page":           {headers{"Origin": appOrigin, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := headers{"Cookie": sessionCookie}
			maps.Copy(header, c.header)
			got := b.do(t, call{method: "GET", path: "/private/files/a.pdf", header: header})
			if got.status != c.status || (got.body == "file") != (c.status == 200) {
				t.Errorf("%d %s, want %d", got.status, got.body, c.status)
			}
			if !strings.Contains(got.header.Get("Vary"), "Cookie") || got.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("headers %v", got.header)
			}
		})
	}
}

// TestCredentialsElsewhere: a credential in the URL is none, and one that is huge or
// malformed is refused by a code, its text repeated nowhere.
func TestCredentialsElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"a": keyOfCaller}, nil)
	for _, name := range []string{"access_token", "token", "authorization", "api_key"} {
		got := b.do(t, call{path: "/graphql?" + name + "=hunter2", body: `{"query":"{ a }"}`})
		got.wantError(t, "UNAUTHENTICATED", "")
	}
	for _, header := range []string{
		"Bearer " + strings.Repeat("hunter2", 3000), "Bearer hunter2 hunter2", "hunter2", "Negotiate hunter2",
		"token hunter2", "Basic hunter2", "Bearer hunter2é", "Bearer\thunter2",
	} {
		got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Authorization": header}})
		got.wantError(t, "UNAUTHENTICATED", "")
		if got.status != 401 || strings.Contains(got.body, "hunter2") {
			t.Errorf("%d %.200s", got.status, got.body)
		}
	}
	if strings.Contains(b.log.String(), "hunter2") {
		t.Errorf("logged: %s", b.log)
	}
}

// deadlines is an answer that notes the read deadlines it is given.
type deadlines struct {
	*httptest.ResponseRecorder

	read []time.Time
}

// SetReadDeadline is for http.ResponseController.
func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = append(d.read, t)
	return nil
}

// A body that nobody reads must arrive in time too: net/http waits for it. A request
// without one has no such deadline, which would end it while it is being answered.
func TestBodiesHaveADeadlineEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(*httpapi.Options) {})
	for path, body := range map[string]string{"/auth/logout": "{}", "/nothing": "{}", "/healthz": ""} {
		method := http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		b.handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
		if got := len(w.read) > 0 && time.Until(w.read[0]) > 0; got != (body != "") {
			t.Errorf("%s %s: read deadlines %v", method, path, w.read)
		}
	}
}

// To find out who calls takes a bounded time: it happens before a request has a place.
func TestAuthenticationHasADeadline(t *testing.T) {
	t.Parallel()
	var bounded atomic.Bool
	b := setup(t, nil, func(o *httpapi.Options) {
		o.Authenticate = func(r *http.Request) (auth.Identity, error) {
			_, ok := r.Context().Deadline()
			bounded.Store(ok)
			return auth.Identity{}, nil
		}
	})
	b.query(t, "{ __typename }", nil)
	if !bounded.Load() {
		t.Error("Authenticate was asked without a deadline")
	}
}
