package httpapi_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"erpgraph/internal/httpapi"
)

// fuzzed is a server over the small graph that any request may reach.
func fuzzed(f *testing.F) http.Handler {
	f.Helper()
	handler, err := httpapi.New(httpapi.Options{
		Schema: executable(f, map[string]resolver{"a": func(context.Context, map[string]any) (any, error) { return "x", nil }}),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.Fatal(err)
	}
	return handler
}

// wantAnswer holds for every request: the answer is JSON, either of data or of
// errors with public codes, and nothing panicked.
func wantAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var body struct {
		Data   *json.RawMessage
		Errors []replyError
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("not JSON: %v: %s", err, w.Body)
	}
	if body.Data == nil && len(body.Errors) == 0 {
		t.Fatalf("neither data nor errors: %s", w.Body)
	}
	for _, e := range body.Errors {
		code, ok := e.Extensions["code"].(string)
		if !ok || code == "INTERNAL" || strings.HasPrefix(code, "GRAPHQL_") || e.Extensions["requestId"] == nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w.Code >= 500 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
}

// FuzzPOST feeds bodies as they could come from anyone.
func FuzzPOST(f *testing.F) {
	for _, seed := range []string{
		`{"query":"{ a }"}`, `[]`, `{"query":"{ a }","variables":{"n":1e999}}`, `{"query":"query($n:Int){echo(n:$n)}","variables":{"n":99999999999}}`,
		`{"query":"{ a }"}{}`, `{"query":"\ud800"}`, "{\"query\":\"\xff\"}", `{"query":"{...A}fragment A on Query{...A}"}`,
		`{"query":"query($l:Limit){echo(limit:$l)}","variables":{"l":{"max":[null]}}}`, `{"query":"query($l:[ID!]!){nodes(ids:$l){name}}","variables":{"l":[{},[]]}}`,
	} {
		f.Add([]byte(seed))
	}
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		wantAnswer(t, w)
	})
}

// FuzzDocument feeds documents and variables through the whole of the limits.
func FuzzDocument(f *testing.F) {
	for _, seed := range []struct{ document, variables string }{
		{`{ customers(first: 3) { nodes { name } } }`, ``},
		{`query($n: Int) { customers(first: $n) { nodes { name } } }`, `{"n":-1}`},
		{`query($n: Int = 5, $i: [ID!]!) { plain(first: $n) { name } nodes(ids: $i) { name } }`, `{"i":["a"]}`},
		{`{ ...A } fragment A on Query { ...B } fragment B on Query { a ...A }`, ``},
		{`query A @skip(if: true) { a } subscription B { changed }`, ``},
		{`{ __schema { types { fields { type { name } } } } }`, ``},
	} {
		f.Add(seed.document, seed.variables)
	}
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, document, variables string) {
		var vars any
		if json.Unmarshal([]byte(variables), &vars) != nil {
			vars = nil
		}
		body, err := json.Marshal(map[string]any{"query": document, "variables": vars})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		wantAnswer(t, w)
	})
}

// FuzzGET feeds query strings.
func FuzzGET(f *testing.F) {
	for _, seed := range []string{"query={a}", "query=%7Ba%7D&variables=%7B%7D", "query=a&query=b", "%", "query=mutation{change}", "variables=1"} {
		f.Add(seed)
	}
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		wantAnswer(t, w)
	})
}

// FuzzHeaders feeds the headers that decide something.
func FuzzHeaders(f *testing.F) {
	f.Add("application/json;q=1", "application/json", "token a:b", "id-12345678")
	f.Add("*/*;q=,;", "application/json; charset=\"", "Bearer  x", "\r\n")
	handler := fuzzed(f)
	f.Fuzz(func(t *testing.T, accept, contentType, authorization, id string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(`{"query":"{ a }"}`))
		r.Header = http.Header{
			"Accept": {accept}, "Content-Type": {contentType}, "Authorization": {authorization}, "X-Request-Id": {id},
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		wantAnswer(t, w)
	})
}
