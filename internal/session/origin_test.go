package session_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"erpgraph/internal/session"
)

// service is one whose public address is as somebody has written it.
func (b *testBundle) service(public string) *session.Manager {
	b.Helper()
	u, err := url.Parse(public)
	if err != nil {
		b.Fatal(err)
	}
	cfg := b.config(b.db, b.keys)
	cfg.PublicURL, cfg.CheckForgery = u, b.forgery(public)
	m, err := session.New(cfg)
	if err != nil {
		b.Fatalf("%s: %v", public, err)
	}
	b.Cleanup(m.Close)
	return m
}

// Browsers write an origin in one way only, people do not.
func TestOriginSpelling(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for public, origin := range map[string]string{
		"https://graph.example.com":       "https://graph.example.com",
		"https://Graph.Example.COM":       "https://graph.example.com",
		"HTTPS://graph.example.com":       "https://graph.example.com",
		"https://graph.example.com:443":   "https://graph.example.com",
		"https://graph.example.com:0443":  "https://graph.example.com",
		"https://graph.example.com:":      "https://graph.example.com",
		"https://graph.example.com:80":    "https://graph.example.com:80",
		"https://graph.example.com:8443/": "https://graph.example.com:8443",
		"http://127.0.0.1:80":             "http://127.0.0.1",
		"http://LOCALHOST:8080":           "http://localhost:8080",
		"http://[0:0:0:0:0:0:0:1]:8080":   "http://[::1]:8080",
		"https://[2001:DB8::0:1]":         "https://[2001:db8::1]",
	} {
		m := b.service(public)
		for from, want := range map[string]int{origin: http.StatusOK, origin + "0": http.StatusForbidden, origin + ".evil.example": http.StatusForbidden} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, origin+"/auth/logout", strings.NewReader("{}"))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Origin", from)
			w := httptest.NewRecorder()
			m.Handler().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s, logout by a page of %s: %d, want %d", public, from, w.Code, want)
			}
		}
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/auth/login", nil))
		if at := w.Header().Get("Location"); !strings.HasPrefix(at, b.siteURL) {
			t.Errorf("%s: login at %s leads to %.60s", public, origin, at)
		}
	}
	for _, public := range []string{"https://b\u00fccher.example", "https://a b.example", "https://*.example.com"} {
		cfg := b.config(b.db, b.keys)
		cfg.PublicURL = &url.URL{Scheme: "https", Host: strings.TrimPrefix(public, "https://")}
		if _, err := session.New(cfg); err == nil {
			t.Errorf("%s: taken", public)
		}
	}
}

// A browser that came as localhost goes to the public address, once: a proxy that writes
// another Host into every request would send it there again and again.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.service("http://127.0.0.1:8080")
	const path = "/auth/login?return_to=/there%3Fa=1%26b=2"
	var brought []*http.Cookie
	for i, want := range []string{"http://127.0.0.1:8080" + path, b.siteURL, "http://127.0.0.1:8080" + path} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:3000"+path, nil)
		for _, c := range brought {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, r)
		if at := w.Header().Get("Location"); !strings.HasPrefix(at, want) {
			t.Errorf("step %d leads to %.80s", i, at)
		}
		brought = nil
		for _, c := range w.Result().Cookies() {
			if c.MaxAge > 0 {
				brought = append(brought, c)
			}
		}
	}
}
