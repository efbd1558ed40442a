package httpapi_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"erpgraph/internal/httpapi"
)

// BenchmarkOperation is what this package adds to an operation whose document is
// known already: negotiation, credential, limits, cost, encoding, log line.
func BenchmarkOperation(b *testing.B) {
	handler, err := httpapi.New(httpapi.Options{
		Schema: executable(b, nil),
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)), //nolint:sloglint // writing the line is measured too
	})
	if err != nil {
		b.Fatal(err)
	}
	const body = `{"query":"query Orders($n: Int) { customers(first: $n) { nodes { name group { name } rows { item { name } } orders { nodes { name } } } } }","variables":{"n":50}}`
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/graphql", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "token sales:demo")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
