package app

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
)

// fileHandler streams private files of ERPNext with the caller's own credential, so
// ERPNext decides who gets one. What users upload is only ever offered for download:
// a page among the files must not run as ours.
func fileHandler(client *frappe.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := auth.FromContext(r.Context())
		if err != nil {
			fileError(w, err)
			return
		}
		path, err := url.PathUnescape(r.URL.EscapedPath())
		if err != nil {
			fileError(w, apierror.Wrap(apierror.BadUserInput, err, "the path of the file can't be read"))
			return
		}
		file, err := client.File(r.Context(), id.Credential(), path)
		if err != nil {
			fileError(w, err)
			return
		}
		defer func() { _ = file.Body.Close() }()
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		if file.ContentType != "" {
			h.Set("Content-Type", file.ContentType)
		}
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Filename}))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Cache-Control", "private, no-store")
		if file.Length >= 0 {
			h.Set("Content-Length", strconv.FormatInt(file.Length, 10))
		}
		_, _ = io.Copy(w, file.Body) // the client has gone, or ERPNext has: the length tells
	})
}

// fileStatus is the HTTP status of each code that a file can fail with.
var fileStatus = map[apierror.Code]int{
	apierror.Unauthenticated:     http.StatusUnauthorized,
	apierror.Forbidden:           http.StatusForbidden,
	apierror.NotFound:            http.StatusNotFound,
	apierror.BadUserInput:        http.StatusBadRequest,
	apierror.RateLimited:         http.StatusTooManyRequests,
	apierror.UpstreamTimeout:     http.StatusGatewayTimeout,
	apierror.UpstreamUnavailable: http.StatusBadGateway,
}

func fileError(w http.ResponseWriter, err error) {
	status, message := http.StatusInternalServerError, "internal error"
	var coded *apierror.Error
	if errors.As(err, &coded) && fileStatus[coded.Code] != 0 {
		status, message = fileStatus[coded.Code], coded.Message
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="erpgraph"`)
	}
	http.Error(w, message, status)
}
