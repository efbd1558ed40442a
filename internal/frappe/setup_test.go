package frappe_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"erpgraph/internal/frappe"
)

const testHeader = "token 4a1c0f5be2d1101:sales00secret01a"

// cred is a credential for tests.
func cred(t testing.TB) frappe.Credential {
	t.Helper()
	c, err := frappe.ParseAuthorization(testHeader)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// transcript is an exchange with a real site; see testdata/README.md.
type transcript struct {
	Case    string
	Request struct{ Method, Path, Body string }
	// Response is what the site sent.
	Response answer
}

type answer struct {
	Case    string
	Status  int
	Headers map[string]string
	Body    string
}

func (a answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for key, value := range a.Headers {
		if key != "Transfer-Encoding" {
			w.Header().Set(key, value)
		}
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// ok answers 200 with JSON.
func ok(format string, args ...any) http.Handler {
	return answer{Status: http.StatusOK, Headers: map[string]string{"Content-Type": "application/json"}, Body: fmt.Sprintf(format, args...)}
}

func loadTranscript(t testing.TB, name string) transcript {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "transcripts", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var tx transcript
	if err := json.Unmarshal(data, &tx); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tx
}

// received is a request as the site saw it.
type received struct {
	method, uri string
	header      http.Header
	body        string
}

// json decodes the request's body.
func (r received) json(t testing.TB) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
	return body
}

// form decodes the request's body.
func (r received) form(t testing.TB) url.Values {
	t.Helper()
	form, err := url.ParseQuery(r.body)
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// bundle is a client with the site that it talks to.
type bundle struct {
	*frappe.Client
	server *httptest.Server

	mu       sync.Mutex
	requests []received
}

// last is the request that came last.
func (b *bundle) last(t testing.TB) received {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) == 0 {
		t.Fatal("no request came")
	}
	return b.requests[len(b.requests)-1]
}

func (b *bundle) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests)
}

// setup starts a site that answers with handlers in turn, the last one again and
// again. It sits under a path, so that a client that forgets its base URL fails.
func setup(t testing.TB, cfg frappe.Config, handlers ...http.Handler) *bundle {
	t.Helper()
	b := &bundle{}
	b.server = httptest.NewServer(http.StripPrefix("/site", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		n := min(len(b.requests), len(handlers)-1)
		b.requests = append(b.requests, received{r.Method, r.URL.RequestURI(), r.Header, string(body)})
		b.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		handlers[n].ServeHTTP(w, r)
	})))
	t.Cleanup(b.server.Close)
	cfg.BaseURL = b.server.URL + "/site/"
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := frappe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	b.Client = client
	return b
}

// roundTripper is a site without a network, for tests that play with time.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// marshal writes JSON of values that can't fail.
func marshal(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}
