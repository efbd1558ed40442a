package session

import (
	"encoding/json"
	"net/http"

	"erpgraph/internal/apierror"
)

// CallbackPath is where ERPNext sends browsers back to, below the public address.
const CallbackPath = "/auth/callback"

// The other addresses of sign-in. They are part of the public API too.
const (
	loginPath  = "/auth/login"
	logoutPath = "/auth/logout"
	statusPath = "/auth/session"
)

// Handler serves GET /auth/login?return_to=PATH, GET /auth/callback, POST /auth/logout
// and GET /auth/session, at these paths of the whole address.
func (m *Manager) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+loginPath, m.login)
	mux.HandleFunc("GET "+CallbackPath, m.callback)
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

// refuseJSON answers with one error, in the form of the errors of /graphql.
func (m *Manager) refuseJSON(w http.ResponseWriter, r *http.Request, err error) {
	public, ok := apierror.As(err)
	if !ok {
		public = apierror.Wrap(apierror.Internal, err, "internal error")
	}
	status := public.Code.HTTPStatus()
	if status >= http.StatusInternalServerError {
		m.warn(r.Context(), err)
	}
	extensions := public.Public()
	if id, err := m.requestID(r.Context()); err == nil && id != "" {
		extensions["requestId"] = id
	}
	m.writeJSON(w, r, status, map[string]any{"errors": []any{map[string]any{"message": public.Message, "extensions": extensions}}})
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
