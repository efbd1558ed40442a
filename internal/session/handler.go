package session

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// The addresses of sign-in. They are part of the public API.
const (
	loginPath    = "/auth/login"
	callbackPath = "/auth/callback"
	logoutPath   = "/auth/logout"
	statusPath   = "/auth/session"
)

// Handler serves GET /auth/login?return_to=PATH, GET /auth/callback, POST /auth/logout
// and GET /auth/session, at these paths of the whole address.
func (m *Manager) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+loginPath, m.login)
	mux.HandleFunc("GET "+callbackPath, m.callback)
	mux.HandleFunc("POST "+logoutPath, m.logout)
	mux.HandleFunc("GET "+statusPath, m.status)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer") // addresses here have codes in them
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Add("Vary", "Cookie")
		if r.Method == http.MethodHead { // to the mux the same as GET, which has effects here
			h.Set("Allow", "GET, POST")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// status answers GET /auth/session: who is signed in. It is 200 also when nobody is;
// only when the database can't tell it is 503.
//
//	{"signedIn": true, "user": …, "fullName": …, "roles": […], "expiresAt": …}
//	{"signedIn": true, "user": …, "expiresAt": …, "stale": true}    ERPNext does not answer
//	{"signedIn": false, "loginUrl": "/auth/login"}
//
// To ask is no use of the session: a page that only asks does not keep it.
func (m *Manager) status(w http.ResponseWriter, r *http.Request) {
	hash, present := m.cookies.session(r)
	if !present {
		m.signedOut(w, r)
		return
	}
	row, err := m.load(r.Context(), hash)
	var user *frappe.User
	if err == nil {
		user, err = m.who(r.Context(), m.credential(row))
	}
	switch {
	case errors.Is(err, errNoSession), apierror.CodeOf(err) == apierror.Unauthenticated:
		if row != nil && !errors.Is(err, errSealed) {
			m.end(r.Context(), hash, revoked, "ERPNext does not accept the user any more")
		}
		m.cookies.clear(w, "")
		m.signedOut(w, r)
	case row == nil:
		m.refuseJSON(w, r, err)
	case err != nil:
		m.writeJSON(w, r, http.StatusOK, map[string]any{"signedIn": true, "user": row.user, "expiresAt": stamp(row.expires), "stale": true})
	default:
		m.writeJSON(w, r, http.StatusOK, map[string]any{
			"signedIn": true, "user": user.Name, "fullName": user.FullName, "roles": user.Roles, "expiresAt": stamp(row.expires),
		})
	}
}

// end ends a session whose tokens the janitor may revoke.
func (m *Manager) end(ctx context.Context, hash []byte, event, reason string) {
	e, err := m.store.end(ctx, hash)
	switch {
	case err == nil:
		m.audit(ctx, event, e.user, hash, reason)
	case !errors.Is(err, errNoSession):
		m.warn(ctx, err)
	}
}

func (m *Manager) signedOut(w http.ResponseWriter, r *http.Request) {
	m.writeJSON(w, r, http.StatusOK, map[string]any{"signedIn": false, "loginUrl": loginPath})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// logout answers POST /auth/logout: the session is over before ERPNext is asked to
// revoke its tokens, and if ERPNext does not answer now the janitor goes on asking.
func (m *Manager) logout(w http.ResponseWriter, r *http.Request) {
	if err := m.checkOrigin(r); err != nil {
		m.refuseJSON(w, r, err)
		return
	}
	if hash, _ := m.cookies.session(r); hash != nil {
		e, err := m.store.end(r.Context(), hash)
		switch {
		case err == nil:
			m.audit(r.Context(), signedOut, e.user, hash, "")
			m.takeBackNow(r, e)
		case !errors.Is(err, errNoSession):
			m.refuseJSON(w, r, err)
			return
		}
	}
	m.cookies.clear(w, "")
	m.writeJSON(w, r, http.StatusOK, map[string]any{"signedIn": false})
}

// takeBackNow revokes the tokens of a session that has ended. The janitor does what
// fails here.
func (m *Manager) takeBackNow(r *http.Request, e ended) {
	if err := m.takeBack(r.Context(), e); err != nil {
		m.warn(r.Context(), err)
	}
}

// checkOrigin refuses what a page of another site can make a browser send: a form, or a
// request without the server's consent.
func (m *Manager) checkOrigin(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("GraphQL-Preflight") == "" && (err != nil || kind != "application/json") {
		return apierror.New(apierror.Forbidden, "this needs Content-Type: application/json or a header GraphQL-Preflight, as protection from other sites' forms")
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 {
		return apierror.New(apierror.Forbidden, "the request has %d Origin headers", len(origins))
	}
	if len(origins) == 1 {
		if origin := origins[0]; origin == "null" || origin != m.origin && !m.allowOrigin(origin) {
			return apierror.New(apierror.Forbidden, "pages of this origin may not do this")
		}
		return nil
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return nil
	}
	return apierror.New(apierror.Forbidden, "pages of other sites may not do this")
}

// refuseJSON answers with one error, in the form of the errors of /graphql.
func (m *Manager) refuseJSON(w http.ResponseWriter, r *http.Request, err error) {
	public, ok := apierror.As(err)
	if !ok {
		public = apierror.Wrap(apierror.Internal, err, "internal error")
	}
	status := statusOf(public.Code)
	if status >= http.StatusInternalServerError {
		m.warn(r.Context(), err)
	}
	extensions := public.Public()
	if id, err := m.requestID(r.Context()); err == nil && id != "" {
		extensions["requestId"] = id
	}
	m.writeJSON(w, r, status, map[string]any{"errors": []any{map[string]any{"message": public.Message, "extensions": extensions}}})
}

func statusOf(code apierror.Code) int {
	switch code {
	case apierror.BadUserInput:
		return http.StatusBadRequest
	case apierror.Unauthenticated:
		return http.StatusUnauthorized
	case apierror.Forbidden:
		return http.StatusForbidden
	case apierror.UpstreamTimeout:
		return http.StatusGatewayTimeout
	case apierror.UpstreamUnavailable, apierror.RateLimited:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

func (m *Manager) writeJSON(w http.ResponseWriter, r *http.Request, status int, body map[string]any) {
	text, err := json.Marshal(body)
	if err != nil {
		m.warn(r.Context(), err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // who does not listen can't be told
}
