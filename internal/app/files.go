package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
)

// A reader that takes a chunk in less than its time is slow but welcome. One that does
// not gives its place up, and so does an ERPNext that sends no more.
const (
	fileChunk     = 256 << 10
	fileChunkTime = time.Minute
)

// fileHandler streams private files of ERPNext with the caller's own credential, so
// ERPNext decides who gets one. What users upload is only ever offered for download:
// a page among the files must not run as ours. forget is told of a credential that
// ERPNext refuses.
func fileHandler(client *frappe.Client, forget func(frappe.Credential)) http.Handler {
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
		ctx, stop := context.WithCancel(r.Context())
		defer stop()
		file, err := client.File(ctx, id.Credential(), path)
		if err != nil {
			if apierror.CodeOf(err) == apierror.Unauthenticated {
				forget(id.Credential())
			}
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
		if r.Method == http.MethodHead {
			return
		}
		if err := copyFile(w, file.Body, stop); err != nil {
			// The client has gone, or ERPNext has. Without a length only the broken
			// connection tells that this was not the whole file.
			panic(http.ErrAbortHandler)
		}
	})
}

// copyFile copies chunk by chunk, each with a time of its own. stop ends a read from
// ERPNext that takes longer.
func copyFile(w http.ResponseWriter, file io.Reader, stop func()) error {
	control := http.NewResponseController(w)
	stalled := time.AfterFunc(fileChunkTime, stop)
	defer stalled.Stop()
	for {
		stalled.Reset(fileChunkTime)
		// Not every writer has deadlines; those that have none are tests.
		_ = control.SetWriteDeadline(time.Now().Add(fileChunkTime))
		switch _, err := io.CopyN(w, file, fileChunk); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("copy a file: %w", err)
		}
	}
}

func fileError(w http.ResponseWriter, err error) {
	status, message := http.StatusInternalServerError, "internal error"
	if coded, ok := apierror.As(err); ok && coded.Code != apierror.Internal {
		status, message = coded.Code.HTTPStatus(), coded.Message
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="erpgraph"`)
	}
	http.Error(w, message, status)
}
