package httpapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
)

const requestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// ErrNoRequest says that a context does not belong to a request of this package.
var ErrNoRequest = errors.New("httpapi: the context belongs to no request")

// RequestID returns the id of the request, the one in the response header, the
// log and extensions.requestId. The error is ErrNoRequest.
func RequestID(ctx context.Context) (string, error) {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		return id, nil
	}
	return "", ErrNoRequest
}

// withRequestID takes over the id that a proxy or client sent when it is safe to
// repeat in a header and a log, and makes one otherwise.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if !isRequestID(id) || len(r.Header.Values(requestIDHeader)) > 1 {
			id = uuid.NewString()
		}
		w.Header().Set(requestIDHeader, id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// isRequestID accepts 8 to 128 letters, digits, dots, dashes and underscores.
func isRequestID(s string) bool {
	if len(s) < 8 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
