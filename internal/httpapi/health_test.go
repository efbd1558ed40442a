package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/httpapi"
)

func intAttr(key string, value int) slog.Attr { return slog.Int(key, value) }

func check(name string, required bool, err error) httpapi.ReadyCheck {
	return httpapi.ReadyCheck{Name: name, Required: required, Check: func(context.Context) error { return err }}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	coded := apierror.New(apierror.UpstreamUnavailable, "ERPNext does not answer")
	for name, c := range map[string]struct {
		checks []httpapi.ReadyCheck
		code   int
		status string
		errors string
	}{
		"none":        {nil, 200, "ready", ""},
		"well":        {[]httpapi.ReadyCheck{check("erpnext", true, nil), check("postgres", false, nil)}, 200, "ready", ","},
		"degraded":    {[]httpapi.ReadyCheck{check("erpnext", true, nil), check("postgres", false, errors.New("hidden dsn"))}, 200, "degraded", ",failed"},
		"unavailable": {[]httpapi.ReadyCheck{check("postgres", false, errors.New("hidden")), check("erpnext", true, coded)}, 503, "unavailable", "failed,ERPNext does not answer"},
		"panic":       {[]httpapi.ReadyCheck{{Name: "x", Required: true, Check: func(context.Context) error { panic("hidden") }}}, 503, "unavailable", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, func(o *httpapi.Options) { o.Ready = c.checks })
			got := b.do(t, call{method: "GET", path: "/readyz"})
			var body struct {
				Status string
				Checks []struct{ Error string }
			}
			if err := json.Unmarshal([]byte(got.body), &body); err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, each := range body.Checks {
				texts = append(texts, each.Error)
			}
			if got.status != c.code || body.Status != c.status || strings.Join(texts, ",") != c.errors || body.Checks == nil {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

func TestReadinessAsksSeldom(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	b := setup(t, nil, func(o *httpapi.Options) {
		o.Ready = []httpapi.ReadyCheck{{Name: "x", Check: func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); !limited {
				t.Error("a check has no time limit")
			}
			asked.Add(1)
			return nil
		}}}
	})
	for range 20 {
		b.do(t, call{method: "GET", path: "/readyz"})
	}
	if n := asked.Load(); n > 5 {
		t.Errorf("asked %d times", n)
	}
	if got := b.do(t, call{method: "GET", path: "/healthz"}); got.status != 200 || !strings.Contains(got.body, "alive") {
		t.Errorf("healthz: %d %s", got.status, got.body)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) {
		o.Playground = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
			_, _ = io.WriteString(w, "page "+r.URL.Path)
		})
		o.Files = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, err := auth.FromContext(r.Context())
			_, _ = io.WriteString(w, r.URL.Path+" "+id.Key()+string(apierror.CodeOf(err)))
		})
	})
	id, err := auth.FromHeader(http.Header{"Authorization": {"token a:b"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, header, want string }{
		{"/", "", "page /"},
		{"/playground/assets/app.js", "", "page /playground/assets/app.js"},
		{"/private/files/a%20b.pdf", "", "/private/files/a b.pdf UNAUTHENTICATED"},
		{"/private/files/a.pdf", "token a:b", "/private/files/a.pdf " + id.Key()},
	} {
		header := map[string]string{}
		if c.header != "" {
			header["Authorization"] = c.header
		}
		if got := b.do(t, call{method: "GET", path: c.path, header: header}); got.body != c.want {
			t.Errorf("%s: %d %q, want %q", c.path, got.status, got.body, c.want)
		}
	}
	if got := b.do(t, call{method: "GET", path: "/"}); got.header.Get("Content-Security-Policy") != "default-src 'self'" {
		t.Errorf("CSP %q", got.header.Get("Content-Security-Policy"))
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/private/files/a"} {
		if got := b.do(t, call{method: "HEAD", path: path}); got.status != 200 || got.body != "" {
			t.Errorf("HEAD %s: %d %q", path, got.status, got.body)
		}
	}
	bad := b.do(t, call{method: "GET", path: "/private/files/a", header: map[string]string{"Authorization": "nonsense"}})
	bad.wantError(t, "UNAUTHENTICATED", "Authorization")
	if bad.status != 401 {
		t.Errorf("status %d", bad.status)
	}
}

// deadlineWriter notes the write deadlines that a handler sets.
type deadlineWriter struct {
	httptest.ResponseRecorder
	deadlines []time.Time
}

func (w *deadlineWriter) SetWriteDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return nil
}

// TestWriteDeadline: a slow reader is bounded, and the bound of one answer does
// not reach the next on the same connection.
func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	handler, err := httpapi.New(httpapi.Options{Schema: executable(t, nil), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &deadlineWriter{ResponseRecorder: *httptest.NewRecorder()}
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql?query=%7Ba%7D", nil))
	if len(w.deadlines) != 2 || !w.deadlines[0].IsZero() || !w.deadlines[1].After(time.Now()) {
		t.Errorf("deadlines %v, want none and then one ahead", w.deadlines)
	}
}

func TestNewNeedsSchema(t *testing.T) {
	t.Parallel()
	if _, err := httpapi.New(httpapi.Options{}); err == nil || !strings.Contains(err.Error(), "Schema") {
		t.Errorf("error %v", err)
	}
}

// serving starts Serve on a port of its own.
func serving(t *testing.T, drain time.Duration, handler http.HandlerFunc) (url string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- httpapi.Serve(ctx, listener, handler, drain, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(cancel)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return "http://" + listener.Addr().String(), cancel, result
}

func get(t *testing.T, url string) <-chan error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			err = response.Body.Close()
		}
		done <- err
	}()
	return done
}

func TestServeDrains(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	url, stop, done := serving(t, time.Minute, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		if r.Context().Err() != nil {
			t.Error("the context of a request ended while draining")
		}
	})
	got := get(t, url)
	<-entered
	stop()
	close(leave)
	if err := <-got; err != nil {
		t.Errorf("the request was cut: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	url, stop, done := serving(t, time.Millisecond, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	got := get(t, url)
	<-entered
	stop()
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve: %v, want the drain's deadline", err)
	}
	if err := <-got; err == nil {
		t.Error("the request was not cut")
	}
}

func TestServeTellsOfABrokenListener(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := httpapi.Serve(t.Context(), listener, http.NotFoundHandler(), time.Second, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}
