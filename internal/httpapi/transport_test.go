package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"erpgraph/internal/auth"
	"erpgraph/internal/httpapi"
)

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	const ok = `{"query":"{ a }"}`
	b := setup(t, nil, func(o *httpapi.Options) { o.Limits.BodyBytes = 1000 })
	for name, c := range map[string]struct {
		call
		status     int
		code, part string
	}{
		"put":                {call{method: "PUT", body: ok}, 405, "BAD_USER_INPUT", "GET or POST"},
		"options":            {call{method: "OPTIONS"}, 405, "BAD_USER_INPUT", "GET or POST"},
		"form":               {call{body: "query=%7Ba%7D", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, 415, "BAD_USER_INPUT", "application/json"},
		"text":               {call{body: ok, header: map[string]string{"Content-Type": "text/plain"}}, 415, "BAD_USER_INPUT", "application/json"},
		"latin1":             {call{body: ok, header: map[string]string{"Content-Type": "application/json; charset=latin1"}}, 415, "BAD_USER_INPUT", "utf-8"},
		"gzip":               {call{body: ok, header: map[string]string{"Content-Encoding": "gzip"}}, 415, "BAD_USER_INPUT", "compressed"},
		"accept html":        {call{body: ok, header: map[string]string{"Accept": "text/html"}}, 406, "BAD_USER_INPUT", "Accept"},
		"accept latin1":      {call{body: ok, header: map[string]string{"Accept": "application/json;charset=latin1"}}, 406, "BAD_USER_INPUT", "Accept"},
		"accept none":        {call{body: ok, header: map[string]string{"Accept": "application/json;q=0, application/graphql-response+json;q=0"}}, 406, "BAD_USER_INPUT", "Accept"},
		"empty":              {call{body: " \n"}, 400, "BAD_USER_INPUT", "no body"},
		"batch":              {call{body: "[" + ok + "]"}, 400, "BAD_USER_INPUT", "batches"},
		"no object":          {call{body: `"{ a }"`}, 400, "BAD_USER_INPUT", "not a JSON object"},
		"trailing":           {call{body: ok + " x"}, 400, "BAD_USER_INPUT", "follows"},
		"two objects":        {call{body: ok + ok}, 400, "BAD_USER_INPUT", "follows"},
		"half":               {call{body: `{"query":"{ a }"`}, 400, "BAD_USER_INPUT", "not valid JSON"},
		"half value":         {call{body: `{"query":`}, 400, "BAD_USER_INPUT", "not valid JSON"},
		"broken":             {call{body: `{"query";"{ a }"}`}, 400, "BAD_USER_INPUT", "not valid JSON"},
		"bad utf-8":          {call{body: "{\"query\":\"{ a \xff }\"}"}, 400, "BAD_USER_INPUT", "UTF-8"},
		"twice":              {call{body: `{"query":"{ a }","query":"{ b }"}`}, 400, "BAD_USER_INPUT", "twice"},
		"case":               {call{body: `{"Query":"{ a }"}`}, 400, "BAD_USER_INPUT", `no "query"`},
		"null query":         {call{body: `{"query":null}`}, 400, "BAD_USER_INPUT", `no "query"`},
		"blank query":        {call{body: `{"query":" "}`}, 400, "BAD_USER_INPUT", "empty"},
		"too large":          {call{body: `{"query":"{ a }","x":"` + strings.Repeat("x", 1000) + `"}`}, 413, "COST_LIMIT", "1000 bytes"},
		"get without query":  {call{method: "GET"}, 400, "BAD_USER_INPUT", `no "query"`},
		"get query twice":    {call{method: "GET", path: "/graphql?query=%7Ba%7D&query=%7Bb%7D"}, 400, "BAD_USER_INPUT", "2 times"},
		"get bad escape":     {call{method: "GET", path: "/graphql?query=%7Ba%7D;x"}, 400, "BAD_USER_INPUT", "malformed"},
		"get bad utf-8":      {call{method: "GET", path: "/graphql?query=%7Ba%ff%7D"}, 400, "BAD_USER_INPUT", "UTF-8"},
		"get bad variables":  {call{method: "GET", path: "/graphql?query=%7Ba%7D&variables=%7B"}, 400, "BAD_USER_INPUT", "variables"},
		"get list variables": {call{method: "GET", path: "/graphql?query=%7Ba%7D&variables=[]"}, 400, "BAD_USER_INPUT", "variables"},
		"get mutation": {
			call{method: "GET", path: "/graphql?" + url.Values{"query": {"query A { a } mutation B { change }"}, "operationName": {"B"}}.Encode()},
			405, "BAD_USER_INPUT", "mutation",
		},
		"subscription":      {call{body: `{"query":"subscription { changed }"}`}, 400, "BAD_USER_INPUT", "stream"},
		"two credentials":   {call{body: ok, headers: http.Header{"Authorization": {"Bearer a", "Bearer b"}}}, 401, "UNAUTHENTICATED", "2 Authorization"},
		"bad credential":    {call{body: ok, header: map[string]string{"Authorization": "token hunter2"}}, 401, "UNAUTHENTICATED", "key:secret"},
		"empty credential":  {call{body: ok, header: map[string]string{"Authorization": ""}}, 401, "UNAUTHENTICATED", "Authorization"},
		"nothing there":     {call{method: "GET", path: "/nope"}, 404, "NOT_FOUND", "/graphql"},
		"post to health":    {call{path: "/healthz", body: ok}, 405, "BAD_USER_INPUT", "GET"},
		"files without one": {call{method: "GET", path: "/private/files/a"}, 404, "NOT_FOUND", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.do(t, c.call)
			if got.status != c.status {
				t.Errorf("status %d, want %d: %s", got.status, c.status, got.body)
			}
			got.wantError(t, c.code, c.part)
			if strings.Contains(got.body, "hunter2") {
				t.Errorf("the answer repeats a credential: %s", got.body)
			}
			if _, data := got.has["data"]; data {
				t.Errorf("data: %s", got.body)
			}
			if allow := got.header.Get("Allow"); (allow != "") != (c.status == 405) {
				t.Errorf("Allow %q", allow)
			}
			if www := got.header.Get("WWW-Authenticate"); (www != "") != (c.status == 401) {
				t.Errorf("WWW-Authenticate %q", www)
			}
		})
	}
	if log := b.log.String(); strings.Contains(log, "hunter2") {
		t.Errorf("the log repeats a credential: %s", log)
	}
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for accept, want := range map[string]string{
		"":                             plainJSON,
		"*/*":                          plainJSON,
		"application/*":                plainJSON,
		graphqlJSON:                    graphqlJSON,
		"application/json":             plainJSON,
		graphqlJSON + ", " + plainJSON: graphqlJSON,
		plainJSON + ", " + graphqlJSON: graphqlJSON,
		plainJSON + ", " + graphqlJSON + ";q=0.9":               plainJSON,
		graphqlJSON + ";q=0.1, " + plainJSON:                    plainJSON,
		graphqlJSON + ";q=0, */*":                               plainJSON,
		plainJSON + ";q=0, */*":                                 graphqlJSON,
		"text/html,application/xml;q=0.9,*/*;q=0.8":             plainJSON,
		"multipart/mixed; deferSpec=20220824, application/json": plainJSON,
		"Application/GraphQL-Response+JSON; charset=\"UTF-8\"":  graphqlJSON,
		"garbage;;, application/json":                           plainJSON,
		graphqlJSON + ";q=7, application/json;q=0.1":            plainJSON,
		graphqlJSON + ";q=NaN, application/json;q=0.1":          plainJSON,
	} {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			got := b.do(t, call{body: `{"query":"{ a }"}`, headers: http.Header{"Accept": {accept}}})
			if got.status != 200 || got.header.Get("Content-Type") != want+"; charset=utf-8" {
				t.Errorf("%d %s, want %s", got.status, got.header.Get("Content-Type"), want)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for name, c := range map[string]struct{ body, want string }{
		"variables":      {`{"query":"query($t: String) { echo(text: $t) }","variables":{"t":"x"}}`, `{"data":{"echo":"x"}}`},
		"unknown extra":  {`{"query":"{ echo(text: \"x\") }","id":"7","hash":null}`, `{"data":{"echo":"x"}}`},
		"bom":            {"\ufeff" + `{"query":"{ echo(text: \"x\") }"}`, `{"data":{"echo":"x"}}`},
		"chosen":         {`{"query":"query A { a } query B { b }","operationName":"B"}`, `{"data":{"b":null}}`},
		"empty name":     {`{"query":"{ a }","operationName":""}`, `{"data":{"a":null}}`},
		"not html-safe":  {`{"query":"{ echo(text: \"<&>\") }"}`, `{"data":{"echo":"\u003c\u0026\u003e"}}`},
		"extra variable": {`{"query":"{ a }","variables":{"no":1}}`, `{"data":{"a":null}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := b.do(t, call{body: c.body}); strings.TrimSpace(got.body) != c.want || got.status != 200 {
				t.Errorf("%d %s, want %s", got.status, got.body, c.want)
			}
		})
	}
	got := b.do(t, call{method: "GET", path: "/graphql?" + url.Values{
		"query": {"query($t: String) { echo(text: $t) }"}, "variables": {` {"t":"ä+ &"} `}, "operationName": {""},
	}.Encode()})
	if strings.TrimSpace(got.body) != `{"data":{"echo":"ä+ \u0026"}}` {
		t.Errorf("GET: %s", got.body)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Origin": "https://evil.example"}})
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Vary": "Accept, Authorization, Cookie, Origin", "X-Content-Type-Options": "nosniff",
		"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": "",
		"Set-Cookie": "", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
}

func TestIdentityReachesResolvers(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"a": func(ctx context.Context, _ map[string]any) (any, error) {
		id, err := auth.FromContext(ctx)
		if err != nil {
			return nil, err
		}
		return id.Key(), nil
	}}, nil)
	got := b.do(t, call{body: `{"query":"{ a }"}`, header: map[string]string{"Authorization": "token k:s"}})
	id, err := auth.FromHeader(http.Header{"Authorization": {"token k:s"}})
	if err != nil || string(got.has["data"]) != `{"a":"`+id.Key()+`"}` {
		t.Errorf("body %s, %v", got.body, err)
	}
	for _, cookie := range []string{"", "sid=abc; token=k:s"} {
		got = b.do(t, call{body: `{"query":"{ __typename a }"}`, header: map[string]string{"Cookie": cookie}})
		got.wantError(t, "UNAUTHENTICATED", "Authorization")
		if got.status != 200 || string(got.has["data"]) != `{"__typename":"Query","a":null}` {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

// gone is the answer to a request whose client has left already.
func gone(t *testing.T, b *testBundle) *httptest.ResponseRecorder {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/graphql", strings.NewReader(`{"query":"{ a }"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}
