package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// policy is the page's Content-Security-Policy: nothing is allowed but files of
// this host. Three entries need a reason:
//   - style-src 'unsafe-inline': the editor (Monaco) positions each line and each
//     token by style attributes in generated markup and writes its theme into
//     <style> elements; neither can carry a nonce. Styles can load nothing from
//     another host here, as img-src and font-src are closed too.
//   - img-src data:: the editor's squiggles are data: URLs in its style sheet.
//   - connect-src 'self' covers WebSocket of the same host and port as well.
var policy = strings.Join([]string{
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self' 'unsafe-inline'",
	"img-src 'self' data:",
	"font-src 'self'",
	"connect-src 'self'",
	"worker-src 'self'",
	"frame-ancestors 'none'",
	"base-uri 'none'",
	"form-action 'none'",
}, "; ")

// handler serves a fixed set of files. It only reads them, so it is safe for
// concurrent use.
type handler struct {
	files map[string]*file
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header())
	f, ok := h.files[r.URL.Path]
	if !ok {
		w.Header().Set("Cache-Control", cacheNever)
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	f.serve(w, r)
}

func setSecurityHeaders(header http.Header) {
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// serve writes the file; http.ServeContent adds If-None-Match, HEAD and ranges.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", f.cache)
	body, etag := f.body, f.etag
	if f.packable() {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			// A strong ETag names bytes, and these are other bytes.
			body, etag = f.packed(), f.etag+"-gz"
			header.Set("Content-Encoding", "gzip")
		}
	}
	header.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110, 12.5.3): gzip or * is
// there, and not with q=0.
func acceptsGzip(accept string) bool {
	for entry := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(entry, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "*" {
			continue
		}
		name, value, found := strings.Cut(strings.TrimSpace(params), "=")
		if !found || !strings.EqualFold(strings.TrimSpace(name), "q") {
			return true
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err == nil && q > 0
	}
	return false
}
