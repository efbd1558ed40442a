package app_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"erpgraph/internal/app"
)

// Private files go through ERPNext with the caller's own credential, and only ever as a
// download.
func TestPrivateFiles(t *testing.T) {
	t.Parallel()
	erpnext := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/private/files/offer 50%.html":
			w.WriteHeader(http.StatusForbidden)
		case r.Header.Get("Authorization") != "token sales:demo":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<script>alert(1)</script>"))
		}
	}))
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
			a.Handler().ServeHTTP(res, req)
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
