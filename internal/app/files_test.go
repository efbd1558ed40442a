package app_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"erpgraph/internal/app"
)

// fileSite is the whole handler before an ERPNext that answers as told.
func fileSite(t *testing.T, answer http.HandlerFunc) http.Handler {
	t.Helper()
	erpnext := httptest.NewServer(answer)
	t.Cleanup(erpnext.Close)
	cfg, err := app.DefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	cfg.ERPNextURL, cfg.DatabaseURL = erpnext.URL, "postgres://127.0.0.1:1/none"
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler), app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a.Handler()
}

// Private files go through ERPNext with the caller's own credential, and only ever as a
// download.
func TestPrivateFiles(t *testing.T) {
	t.Parallel()
	handler := fileSite(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/private/files/offer 50%.html":
			w.WriteHeader(http.StatusForbidden)
		case r.Header.Get("Authorization") != "token sales:demo":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<script>alert(1)</script>"))
		}
	})

	for _, c := range []struct {
		name, path, authorization string
		status                    int
	}{
		{"of the caller", "/private/files/offer%2050%25.html", "token sales:demo", http.StatusOK},
		{"of somebody else", "/private/files/offer%2050%25.html", "token north:demo", http.StatusForbidden},
		{"without a credential", "/private/files/offer%2050%25.html", "", http.StatusUnauthorized},
		{"out of the folder", "/private/files/..%2f..%2fapi%2fmethod%2fping", "token sales:demo", http.StatusBadRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, nil)
			if c.authorization != "" {
				req.Header.Set("Authorization", c.authorization)
			}
			res := httptest.NewRecorder()
			handler.ServeHTTP(res, req)
			if res.Code != c.status {
				t.Fatalf("status %d, want %d: %s", res.Code, c.status, res.Body)
			}
			if c.status != http.StatusOK {
				return
			}
			h := res.Result().Header
			if h.Get("Content-Disposition") != `attachment; filename="offer 50%.html"` ||
				h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != "default-src 'none'; sandbox" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

const bigFile = 1 << 20

// sendBig sends a file of 1 MiB.
func sendBig(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(bigFile))
	_, _ = w.Write(bytes.Repeat([]byte("x"), bigFile))
}

func fileRequest(t *testing.T, method, base string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+"/private/files/big.bin", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token sales:demo")
	return req
}

// deadlines notes the write deadlines that a handler sets.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() { // what an earlier request left is lifted
		d.set = append(d.set, at)
	}
	return nil
}

// A slow reader must not hold its place for ever, but a large file takes as long as it
// takes.
func TestFileDeadlineRolls(t *testing.T) {
	t.Parallel()
	w, started := &deadlines{ResponseRecorder: httptest.NewRecorder()}, time.Now()
	fileSite(t, sendBig).ServeHTTP(w, fileRequest(t, http.MethodGet, ""))
	if w.Code != http.StatusOK || w.Body.Len() != bigFile {
		t.Fatalf("status %d, %d bytes", w.Code, w.Body.Len())
	}
	if len(w.set) < 4 || !slices.IsSortedFunc(w.set, time.Time.Compare) {
		t.Fatalf("deadlines %v", w.set)
	}
	if first := w.set[0].Sub(started); first < 59*time.Second || first > 90*time.Second {
		t.Errorf("the first deadline is after %s", first)
	}
}

func TestFileHead(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	fileSite(t, sendBig).ServeHTTP(w, fileRequest(t, http.MethodHead, ""))
	if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") != strconv.Itoa(bigFile) {
		t.Errorf("status %d, %d bytes, headers %v", w.Code, w.Body.Len(), w.Header())
	}
}

// Half a file must not look whole, even where no length was told.
func TestFileBreaksOff(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(fileSite(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half of"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(web.Close)
	res, err := web.Client().Do(fileRequest(t, http.MethodGet, web.URL))
	if err != nil {
		return // broken off before its first byte
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("looks whole: %d %q", res.StatusCode, text)
	}
}
