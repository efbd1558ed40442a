package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/web"
)

func newHandler(t *testing.T, opts web.Options) http.Handler {
	t.Helper()
	handler, err := web.Handler(opts)
	if err != nil {
		t.Fatalf("Handler: %v", err)
	}
	return handler
}

// do sends a request; header is a list of name, value, name, value.
func do(h http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) []byte {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("reading the body: %v", err)
	}
	return body
}

// linked finds the addresses that the page loads at once.
var linked = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

func assetPaths(t *testing.T, h http.Handler) []string {
	t.Helper()
	var paths []string
	for _, match := range linked.FindAllSubmatch(bodyOf(t, do(h, http.MethodGet, "/")), -1) {
		path, ok := strings.CutPrefix(string(match[1]), ".")
		if !ok || !strings.HasPrefix(path, web.PathPrefix) {
			t.Errorf("the page loads %q, want a relative path below %s", match[1], web.PathPrefix)
		}
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		t.Fatal("the page loads nothing")
	}
	return paths
}

func TestHandlerSecurityHeaders(t *testing.T) {
	t.Parallel()
	h := newHandler(t, web.Options{})
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
			"img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; " +
			"frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	// A policy binds a worker by the answer that brought the worker's script, so
	// each answer carries it.
	for _, path := range append(assetPaths(t, h), web.PathPage, web.PathConfig, "/missing") {
		got := map[string]string{}
		response := do(h, http.MethodGet, path)
		for name := range want {
			got[name] = response.Header.Get(name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestHandlerNoInlineScript(t *testing.T) {
	t.Parallel()
	page := bodyOf(t, do(newHandler(t, web.Options{}), http.MethodGet, "/"))
	script := regexp.MustCompile(`(?s)<script[^>]*>(.*?)</script>`)
	for _, match := range script.FindAllSubmatch(page, -1) {
		if len(bytes.TrimSpace(match[1])) > 0 {
			t.Errorf("inline script: %s", match[0])
		}
	}
	if handler := regexp.MustCompile(`(?i)\son[a-z]+=|javascript:`).Find(page); handler != nil {
		t.Errorf("inline event handler: %s", handler)
	}
	if foreign := regexp.MustCompile(`(?i)(?:src|href)="(?:https?:)?//`).Find(page); foreign != nil {
		t.Errorf("foreign address: %s", foreign)
	}
}

func TestHandlerCaching(t *testing.T) {
	t.Parallel()
	h := newHandler(t, web.Options{})
	tests := map[string]string{
		web.PathPage:                "no-cache",
		web.PathConfig:              "no-store",
		"/playground/licenses.md":   "no-cache",
		"/playground/assets/none":   "no-store",
		"/playground/":              "no-store",
		"/playground/assets/../../": "no-store",
	}
	for _, path := range assetPaths(t, h) {
		tests[path] = "public, max-age=31536000, immutable"
	}
	for path, want := range tests {
		if got := do(h, http.MethodGet, path).Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", path, got, want)
		}
	}
}

func TestHandlerETag(t *testing.T) {
	t.Parallel()
	h := newHandler(t, web.Options{})
	for _, path := range append(assetPaths(t, h), web.PathPage) {
		etag := do(h, http.MethodGet, path).Header.Get("ETag")
		if etag == "" {
			t.Errorf("%s: no ETag", path)
			continue
		}
		again := do(h, http.MethodGet, path, "If-None-Match", etag)
		if again.StatusCode != http.StatusNotModified || len(bodyOf(t, again)) != 0 {
			t.Errorf("%s with its own ETag: status %d, want 304 without a body", path, again.StatusCode)
		}
		if other := do(h, http.MethodGet, path, "If-None-Match", `"old"`); other.StatusCode != http.StatusOK {
			t.Errorf("%s with an old ETag: status %d, want 200", path, other.StatusCode)
		}
	}
}

func TestHandlerGzip(t *testing.T) {
	t.Parallel()
	h := newHandler(t, web.Options{})
	path := scriptPath(t, h)
	plain := do(h, http.MethodGet, path)
	text := bodyOf(t, plain)
	tests := map[string]bool{
		"gzip":                 true,
		"br;q=1.0, GZIP;q=0.5": true,
		"*":                    true,
		"gzip; q=1":            true,
		"gzip;q=0":             false,
		"gzip;q=none":          false,
		"br, identity":         false,
		"xgzip":                false,
		"":                     false,
	}
	for accept, packed := range tests {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			r := do(h, http.MethodGet, path, "Accept-Encoding", accept)
			if got := r.Header.Get("Vary"); got != "Accept-Encoding" {
				t.Errorf("Vary %q, want Accept-Encoding", got)
			}
			if !packed {
				if r.Header.Get("Content-Encoding") != "" || !bytes.Equal(bodyOf(t, r), text) {
					t.Error("not the plain file")
				}
				return
			}
			if got := r.Header.Get("Content-Encoding"); got != "gzip" {
				t.Fatalf("Content-Encoding %q, want gzip", got)
			}
			if r.Header.Get("ETag") == plain.Header.Get("ETag") {
				t.Error("one ETag for two encodings")
			}
			reader, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(reader)
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("unpacked to %d bytes (%v), want %d", len(got), err, len(text))
			}
		})
	}
}

// scriptPath is the path of the page's script, the first large asset.
func scriptPath(t *testing.T, h http.Handler) string {
	t.Helper()
	for _, path := range assetPaths(t, h) {
		if strings.HasSuffix(path, ".js") {
			return path
		}
	}
	t.Fatal("the page has no script")
	return ""
}

func TestHandlerMethodsAndPaths(t *testing.T) {
	t.Parallel()
	h := newHandler(t, web.Options{})
	tests := []struct {
		method, path string
		status       int
		contentType  string
	}{
		{http.MethodGet, "/", 200, "text/html; charset=utf-8"},
		{http.MethodHead, "/", 200, "text/html; charset=utf-8"},
		{http.MethodGet, scriptPath(t, h), 200, "text/javascript; charset=utf-8"},
		{http.MethodGet, web.PathConfig, 200, "application/json; charset=utf-8"},
		{http.MethodGet, "/index.html", 404, "text/plain; charset=utf-8"},
		{http.MethodGet, "/playground/assets", 404, "text/plain; charset=utf-8"},
		{http.MethodGet, "/playground/../web.go", 404, "text/plain; charset=utf-8"},
		{http.MethodPost, "/", 405, "text/plain; charset=utf-8"},
		{http.MethodDelete, web.PathConfig, 405, "text/plain; charset=utf-8"},
		{http.MethodPost, "/missing", 404, "text/plain; charset=utf-8"},
	}
	for _, test := range tests {
		r := do(h, test.method, test.path)
		if r.StatusCode != test.status || r.Header.Get("Content-Type") != test.contentType {
			t.Errorf("%s %s: %d %s, want %d %s", test.method, test.path,
				r.StatusCode, r.Header.Get("Content-Type"), test.status, test.contentType)
		}
		if test.status == 405 && r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: Allow %q", test.method, test.path, r.Header.Get("Allow"))
		}
		if test.method == http.MethodHead && len(bodyOf(t, r)) != 0 {
			t.Errorf("HEAD %s has a body", test.path)
		}
	}
}

func TestHandlerConfig(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		opts web.Options
		want map[string]any
	}{
		"defaults": {
			want: map[string]any{"title": "erpgraph", "endpoint": "/graphql", "subscriptionEndpoint": "/graphql"},
		},
		"all": {
			opts: web.Options{
				Title:                "My graph",
				Endpoint:             "/api/graphql",
				SubscriptionEndpoint: "/api/live",
				DocsURL:              "https://example.com/docs",
				DefaultQuery:         "{ a } # </script>",
				Examples:             []string{"subscription { b }"},
				DefaultHeaders:       map[string]string{"X-Erpgraph-Trace": "1"},
				Users:                []web.User{{Name: "sales", Description: "sells", Authorization: "token sales:demo"}},
				SignIn:               true,
			},
			want: map[string]any{
				"title":                "My graph",
				"endpoint":             "/api/graphql",
				"subscriptionEndpoint": "/api/live",
				"docsURL":              "https://example.com/docs",
				"defaultQuery":         "{ a } # </script>",
				"examples":             []any{"subscription { b }"},
				"defaultHeaders":       map[string]any{"X-Erpgraph-Trace": "1"},
				"users": []any{map[string]any{
					"name": "sales", "description": "sells", "authorization": "token sales:demo",
				}},
				"signIn": true,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got map[string]any
			text := bodyOf(t, do(newHandler(t, test.opts), http.MethodGet, web.PathConfig))
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestHandlerRefusesOptions(t *testing.T) {
	t.Parallel()
	tests := map[string]web.Options{
		"Endpoint: absolute":             {Endpoint: "https://example.com/graphql"},
		"Endpoint: other host":           {Endpoint: "//example.com/graphql"},
		"Endpoint: backslash":            {Endpoint: `/\example.com/graphql`},
		"Endpoint: relative":             {Endpoint: "graphql"},
		"Endpoint: malformed":            {Endpoint: "/%zz"},
		"SubscriptionEndpoint: absolute": {SubscriptionEndpoint: "wss://example.com/graphql"},
		"DocsURL: script":                {DocsURL: "javascript:alert(1)"},
		"DocsURL: data":                  {DocsURL: "data:text/html,x"},
		"DocsURL: no host":               {DocsURL: "https:docs"},
		"DocsURL: other host":            {DocsURL: "//example.com"},
	}
	for name, opts := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			option, _, _ := strings.Cut(name, ":")
			handler, err := web.Handler(opts)
			if err == nil || handler != nil {
				t.Fatalf("Handler = %v, %v, want an error", handler, err)
			}
			if !strings.Contains(err.Error(), option) {
				t.Errorf("%q does not name %s", err, option)
			}
		})
	}
}

func TestHandlerConcurrent(t *testing.T) {
	t.Parallel()
	h := newHandler(t, web.Options{})
	path := scriptPath(t, h)
	want := bodyOf(t, do(h, http.MethodGet, path, "Accept-Encoding", "gzip"))
	h = newHandler(t, web.Options{})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			r := do(h, http.MethodGet, path, "Accept-Encoding", "gzip")
			if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
			}
		})
	}
	wait.Wait()
}
