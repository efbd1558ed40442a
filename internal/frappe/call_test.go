package frappe_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// offline is a client whose site is a function, for tests that play with time.
func offline(t testing.TB, cfg frappe.Config, site roundTripper) *frappe.Client {
	t.Helper()
	cfg.BaseURL = "https://erp.example"
	cfg.HTTPClient = &http.Client{Transport: site}
	cfg.Logger = slog.New(slog.DiscardHandler)
	c, err := frappe.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reply is the answer of a.
func reply(a http.Handler) *http.Response {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, nil)
	return w.Result()
}

func status(code int, pairs ...string) answer {
	a := answer{Status: code, Headers: map[string]string{"Content-Type": "application/json"}, Body: `{"exc_type": "X"}`}
	for i := 0; i < len(pairs); i += 2 {
		a.Headers[pairs[i]] = pairs[i+1]
	}
	return a
}

var document = answer{Status: http.StatusOK, Body: `{"data": {"name": "X"}, "message": {"name": "X"}}`}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{
		"", "erp.example", "ftp://erp.example", "https://", "http:///x", "https://user:geheim@erp.example",
		"https://erp.example?x=1", "https://erp.example#x", "https://user:geheim@erp.example:port", "file:///etc/passwd",
	} {
		_, err := frappe.New(frappe.Config{BaseURL: base})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	cookie := answer{Status: http.StatusOK, Body: document.Body, Headers: map[string]string{"Set-Cookie": "sid=abc; Path=/"}}
	b := setup(t, frappe.Config{}, cookie)
	for range 2 {
		if _, err := b.Document(t.Context(), cred(t), "Customer", "X"); err != nil {
			t.Fatal(err)
		}
	}
	got := b.last(t).header
	want := http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"gzip"},
		"Authorization": {testHeader}, "User-Agent": {"erpgraph"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNoCredentialNoCall(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, document)
	var none frappe.Credential
	_, e1 := b.Document(t.Context(), none, "Customer", "X")
	_, e2 := b.File(t.Context(), none, "/files/x")
	_, e3 := b.List(t.Context(), none, query())
	for _, err := range []error{e1, e2, e3} {
		if apierror.CodeOf(err) != apierror.Unauthenticated {
			t.Errorf("got %v", err)
		}
	}
	if b.count() != 0 {
		t.Error("a request ran as Guest")
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	other := setup(t, frappe.Config{}, document)
	b := setup(t, frappe.Config{}, http.RedirectHandler(other.server.URL+"/site/api", http.StatusTemporaryRedirect))
	_, err := b.Document(t.Context(), cred(t), "Customer", "X")
	if !errors.Is(err, frappe.ErrRedirect) || apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("got %v", err)
	}
	if _, err := b.File(t.Context(), cred(t), "/files/x"); !errors.Is(err, frappe.ErrRedirect) {
		t.Errorf("file: %v", err)
	}
	if other.count() != 0 {
		t.Error("the credential went to another host")
	}
}

func TestResponseLimit(t *testing.T) {
	t.Parallel()
	big := `{"data": {"name": "` + strings.Repeat("x", 2000) + `"}}`
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, big)
	_ = z.Close()
	cases := map[string]http.Handler{
		"announced": answer{Status: http.StatusOK, Body: big, Headers: map[string]string{"Content-Length": fmt.Sprint(len(big))}},
		"chunked": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for part := range strings.SplitSeq(big, "xxxx") {
				_, _ = io.WriteString(w, part+"xxxx")
				_ = http.NewResponseController(w).Flush()
			}
		}),
		"compressed": answer{Status: http.StatusOK, Body: zipped.String(), Headers: map[string]string{"Content-Encoding": "gzip"}},
	}
	for name, handler := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{MaxResponseBytes: 1000}, handler)
			_, err := b.Document(t.Context(), cred(t), "Customer", "X")
			if !errors.Is(err, frappe.ErrTooLarge) || apierror.CodeOf(err) != apierror.UpstreamUnavailable || b.count() != 1 {
				t.Errorf("got %v after %d calls", err, b.count())
			}
		})
	}
	t.Run("within", func(t *testing.T) {
		t.Parallel()
		b := setup(t, frappe.Config{MaxResponseBytes: int64(len(big))}, cases["compressed"])
		if _, err := b.Document(t.Context(), cred(t), "Customer", "X"); err != nil {
			t.Error(err)
		}
	})
}

// Retries: which failures, how often, after how long.
func TestRetries(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset by peer")
	cases := map[string]struct {
		answers  []any // of answer or error
		code     apierror.Code
		calls    int
		min, max time.Duration
	}{
		"succeeds at once":       {[]any{document}, "", 1, 0, 0},
		"502 then success":       {[]any{status(502), document}, "", 2, 50 * time.Millisecond, 100 * time.Millisecond},
		"broken then success":    {[]any{broken, status(504), document}, "", 3, 150 * time.Millisecond, 300 * time.Millisecond},
		"503 for good":           {[]any{status(503)}, apierror.UpstreamUnavailable, 3, 150 * time.Millisecond, 300 * time.Millisecond},
		"broken for good":        {[]any{broken}, apierror.UpstreamUnavailable, 3, 150 * time.Millisecond, 300 * time.Millisecond},
		"500 is no accident":     {[]any{status(500)}, apierror.UpstreamUnavailable, 1, 0, 0},
		"404":                    {[]any{status(404)}, apierror.NotFound, 1, 0, 0},
		"half JSON":              {[]any{answer{Status: 200, Body: `{"data`}}, apierror.UpstreamUnavailable, 1, 0, 0},
		"429 without a time":     {[]any{status(429)}, apierror.RateLimited, 1, 0, 0},
		"429 for a short time":   {[]any{status(429, "Retry-After", "1"), document}, "", 2, time.Second, time.Second},
		"429 for a long time":    {[]any{status(429, "Retry-After", "20")}, apierror.RateLimited, 1, 0, 0},
		"503 for a short time":   {[]any{status(503, "Retry-After", "2"), document}, "", 2, 2 * time.Second, 2 * time.Second},
		"503 until a date":       {[]any{status(503, "Retry-After", "Sat, 01 Jan 2000 00:00:02 GMT"), document}, "", 2, 2 * time.Second, 2 * time.Second},
		"503 for a long time":    {[]any{status(503, "Retry-After", "3")}, apierror.UpstreamUnavailable, 1, 0, 0},
		"404 with a time":        {[]any{status(404, "Retry-After", "1")}, apierror.NotFound, 1, 0, 0},
		"network timeout":        {[]any{context.DeadlineExceeded}, apierror.UpstreamTimeout, 1, 0, 0},
		"body breaks, then well": {[]any{answer{Status: -1}, document}, "", 2, 50 * time.Millisecond, 100 * time.Millisecond},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				client := offline(t, frappe.Config{}, func(*http.Request) (*http.Response, error) {
					next := c.answers[min(calls, len(c.answers)-1)]
					calls++
					switch next := next.(type) {
					case error:
						return nil, next
					case answer:
						if next.Status < 0 { // the connection breaks within the body
							response := reply(document)
							response.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"da`), brokenReader{}))
							return response, nil
						}
						return reply(next), nil
					}
					return nil, errors.New("no such answer")
				})
				start := time.Now()
				_, err := client.Document(t.Context(), cred(t), "Customer", "X")
				if apierror.CodeOf(err) != c.code || calls != c.calls {
					t.Errorf("got %v after %d calls, want %q after %d", err, calls, c.code, c.calls)
				}
				if took := time.Since(start); took < c.min || took > c.max {
					t.Errorf("took %s, want %s to %s", took, c.min, c.max)
				}
			})
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestNoRetryPastDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		client := offline(t, frappe.Config{Timeout: 1500 * time.Millisecond}, func(*http.Request) (*http.Response, error) {
			calls++
			return reply(status(503, "Retry-After", "2")), nil
		})
		start := time.Now()
		_, err := client.Document(t.Context(), cred(t), "Customer", "X")
		if apierror.CodeOf(err) != apierror.UpstreamUnavailable || calls != 1 || time.Since(start) != 0 {
			t.Errorf("got %v after %d calls and %s", err, calls, time.Since(start))
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	t.Run("a slow site", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			client := offline(t, frappe.Config{Timeout: 10 * time.Second}, hang)
			start := time.Now()
			_, err := client.List(t.Context(), cred(t), query())
			if apierror.CodeOf(err) != apierror.UpstreamTimeout || time.Since(start) != 10*time.Second {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
			_, err = client.File(t.Context(), cred(t), "/files/x")
			if apierror.CodeOf(err) != apierror.UpstreamTimeout || time.Since(start) != 20*time.Second {
				t.Errorf("file: got %v after %s", err, time.Since(start))
			}
		})
	})
	t.Run("waiting for a place counts", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			client := offline(t, frappe.Config{Timeout: 10 * time.Second, MaxConcurrent: 1}, hang)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = client.List(ctx, cred(t), query()) })
			synctest.Wait()
			time.Sleep(5 * time.Second) // the bubble's time
			short, cancelShort := context.WithTimeout(ctx, time.Second)
			defer cancelShort()
			start := time.Now()
			_, err := client.List(short, cred(t), query())
			if apierror.CodeOf(err) != apierror.UpstreamTimeout || time.Since(start) != time.Second {
				t.Errorf("got %v after %s", err, time.Since(start))
			}
			cancel()
			wg.Wait()
		})
	})
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := offline(t, frappe.Config{MaxConcurrent: 1, MaxQueued: 1}, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { _, _ = client.List(ctx, cred(t), query()) })
		}
		synctest.Wait()
		_, err := client.List(ctx, cred(t), query())
		if apierror.CodeOf(err) != apierror.RateLimited {
			t.Errorf("got %v", err)
		}
		cancel()
		wg.Wait()
	})
}

func TestObserver(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, status(502), ok(`{"message": [{"name": "A"}, {"name": "B"}]}`), status(404))
	var calls, outer []frappe.Call
	ctx := frappe.WithObserver(t.Context(), func(c frappe.Call) { outer = append(outer, c) })
	ctx = frappe.WithObserver(ctx, func(c frappe.Call) { calls = append(calls, c) })
	if _, err := b.List(ctx, cred(t), query()); err != nil {
		t.Fatal(err)
	}
	_, _ = b.Document(ctx, cred(t), "Customer", "Geheim")
	if len(calls) != 3 || len(outer) != 3 {
		t.Fatalf("told of %d calls, %d outside", len(calls), len(outer))
	}
	for i, c := range calls {
		if c.Duration <= 0 || c.Bytes == 0 || (c.Err != nil) != (i != 1) || c.Code != apierror.CodeOf(c.Err) {
			t.Errorf("call %d: %+v", i, c)
		}
		if text := fmt.Sprintf("%+v", c); strings.Contains(text, "Geheim") || strings.Contains(text, "sales00secret") {
			t.Errorf("it tells values: %s", text)
		}
		calls[i].Duration, calls[i].Bytes, calls[i].Err, calls[i].Code = 0, 0, nil, ""
	}
	want := []frappe.Call{
		{Method: "frappe.client.get_list", DocType: "Customer", Fields: []string{"name"}, Status: 502},
		{Method: "frappe.client.get_list", DocType: "Customer", Fields: []string{"name"}, Status: 200, Rows: 2, Retry: true},
		{Method: "resource", DocType: "Customer", Status: 404},
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The traceback goes to the log, the credential nowhere.
func TestFailureIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	b := setup(t, frappe.Config{Logger: logger}, answer{
		Status: 500, Body: `{"exc_type": "TypeError", "exception": "TypeError: bad", "exc": "[\"Traceback of it\"]"}`,
	})
	_, err := b.Document(t.Context(), cred(t), "Customer", "X")
	if strings.Contains(err.Error(), "Traceback") {
		t.Errorf("the error has the traceback: %v", err)
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%s: %v", log.String(), err)
	}
	if line["trace"] != "Traceback of it" || line["exception"] != "TypeError" || strings.Contains(log.String(), "sales00secret") {
		t.Errorf("logged %s", log.String())
	}
}

// A heavy caller's thousand calls do not keep a light caller's one call waiting.
func TestCallersTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := offline(t, frappe.Config{MaxConcurrent: 2}, func(*http.Request) (*http.Response, error) {
			time.Sleep(100 * time.Millisecond) // the bubble's time
			return reply(document), nil
		})
		light, err := frappe.ParseAuthorization("token light:x")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() { _, _ = client.Document(t.Context(), cred(t), "Customer", "X") })
		}
		synctest.Wait()
		start := time.Now()
		if _, err := client.Document(t.Context(), light, "Customer", "X"); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 300*time.Millisecond {
			t.Errorf("waited %s", took)
		}
		wg.Wait()
	})
}
