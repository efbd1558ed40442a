package httpapi

import (
	"net/http"
	"strings"

	"github.com/rs/cors"

	"erpgraph/internal/apierror"
)

// preflightAge is how long a browser may remember the answer to a preflight, in seconds.
// A page that was taken off the allow-list can go on sending for that time, but reads
// nothing: the answer itself is checked each time.
const preflightAge = 600

// requestHeaders may come from an allowed page beyond those that need no asking.
var requestHeaders = append([]string{
	"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Erpgraph-Trace", requestIDHeader, tokenHeader,
}, preflightHeaders[:]...)

// responseHeaders may be read by an allowed page beyond the body.
var responseHeaders = []string{requestIDHeader, "Retry-After", "WWW-Authenticate", "Content-Disposition"}

// shareAnswers lets pages of the allow-list call what a browser app needs, with their
// user's session. With an empty list there is nothing of it: no header, and a preflight
// is a method that is not served.
//
// Cross-Origin-Resource-Policy stays same-origin: browsers look at it only where a page
// loads something without CORS (https://fetch.spec.whatwg.org/#cross-origin-resource-policy-header),
// and that no foreign page may.
func shareAnswers(o *origins, p presenter) func(http.Handler) http.Handler {
	if len(o.allowed) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	shared, sharedStream := o.share(), o.share(http.MethodPut, http.MethodDelete)
	return func(next http.Handler) http.Handler {
		with, withStream := shared.Handler(answerPreflight(next, p)), sharedStream.Handler(answerPreflight(next, p))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == streamPath:
				withStream.ServeHTTP(w, r)
			case isShared(r.URL.Path):
				with.ServeHTTP(w, r)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// share lets the pages of the allow-list send some methods more than all do.
func (o *origins) share(methods ...string) *cors.Cors {
	return cors.New(cors.Options{
		AllowOriginVaryRequestFunc: func(r *http.Request, origin string) (bool, []string) {
			return len(r.Header.Values("Origin")) == 1 && o.allows(origin), nil
		},
		AllowedMethods:     append([]string{http.MethodGet, http.MethodHead, http.MethodPost}, methods...),
		AllowedHeaders:     requestHeaders,
		ExposedHeaders:     responseHeaders,
		AllowCredentials:   true,
		MaxAge:             preflightAge,
		OptionsPassthrough: true,
	})
}

// isShared says what a browser app of another origin needs. Signing in is none of it:
// that is a visit of the page, not a call.
func isShared(path string) bool {
	switch path {
	case "/graphql", "/auth/session", "/auth/logout":
		return true
	}
	return strings.HasPrefix(path, "/private/files/")
}

// answerPreflight ends a preflight; the CORS headers are there if it was allowed.
func answerPreflight(next http.Handler, p presenter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "":
			next.ServeHTTP(w, r)
		case w.Header().Get("Access-Control-Allow-Origin") == "":
			p.write(w, r, http.StatusForbidden, apierror.New(apierror.Forbidden,
				"the page's origin, method or headers are not allowed here; CORS_ORIGINS of the server lists the origins"))
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
}
