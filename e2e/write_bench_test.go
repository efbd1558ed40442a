package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// BenchmarkAddedByWriting compares the creation of a document through the graph, without and
// with an idempotency key, with the same POST at a site that takes a while for it, as ERPNext
// does: the metrics are the medians in ms, and what the graph adds to the site's. Without a
// payload the graph makes one call; a key adds one list call and three statements.
func BenchmarkAddedByWriting(b *testing.B) {
	const site = 50 * time.Millisecond
	t := setup(b, options{between: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Path == "/api/resource/Brand" {
				<-time.After(site)
			}
			next.ServeHTTP(w, r)
		})
	}})
	const create = `mutation($name: String!) { createBrand(input: { brand: $name }) { name } }`
	names := 0
	name := func() string {
		names++
		return "Bench " + strconv.Itoa(names)
	}
	send := func(url string, body []byte, key string) time.Duration {
		start := time.Now()
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", admin)
		if key != "" {
			req.Header.Set(keyHeader, key)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || bytes.Contains(answer, []byte(`"errors"`)) {
			b.Fatal(res.Status, err, string(answer))
		}
		return time.Since(start)
	}
	var bare, graph, keyed []time.Duration
	for b.Loop() {
		bare = append(bare, send(t.siteURL+"/api/resource/Brand", jsonBody(b, map[string]any{"brand": name()}), ""))
		for _, key := range []string{"", "bench-" + strconv.Itoa(names)} {
			took := send(t.url+"/graphql", jsonBody(b, map[string]any{"query": create, "variables": map[string]any{"name": name()}}), key)
			if key == "" {
				graph = append(graph, took)
			} else {
				keyed = append(keyed, took)
			}
		}
	}
	b.ReportMetric(median(bare), "ms-site")
	b.ReportMetric(median(graph)-median(bare), "ms-added")
	b.ReportMetric(median(keyed)-median(bare), "ms-added-keyed")
}
