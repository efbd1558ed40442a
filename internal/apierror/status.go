package apierror

import "net/http"

// statuses is the HTTP status of each code, where a whole request fails with it.
var statuses = map[Code]int{
	Unauthenticated:     http.StatusUnauthorized,
	Forbidden:           http.StatusForbidden,
	NotFound:            http.StatusNotFound,
	Conflict:            http.StatusConflict,
	RateLimited:         http.StatusTooManyRequests,
	UpstreamUnavailable: http.StatusServiceUnavailable,
	UpstreamTimeout:     http.StatusGatewayTimeout,
	Internal:            http.StatusInternalServerError,
}

// HTTPStatus is the status of a request that fails as a whole with this code: 400 for
// whatever the client can mend.
func (c Code) HTTPStatus() int {
	if status, ok := statuses[c]; ok {
		return status
	}
	return http.StatusBadRequest
}
