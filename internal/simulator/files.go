package simulator

import (
	"cmp"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// fileAnswer is the contents of a file.
type fileAnswer struct {
	content     *blob
	contentType string
	filename    string // for a download, empty to show it in the browser
}

// sendFile streams a file. Ranges and conditions are not looked at, as the original does
// not either without a web server in front of it (frappe/utils/response.py).
func (q *call) sendFile(w http.ResponseWriter, f fileAnswer) {
	in, err := f.content.open()
	if err != nil {
		q.writeFailure(w, err)
		return
	}
	defer func() { _ = in.Close() }() // it was only read
	q.log.User, q.log.Status = cmp.Or(q.log.User, q.user.name), http.StatusOK
	q.s.record(q.log)
	h := w.Header()
	if f.filename != "" {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.filename}))
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Length", strconv.FormatInt(f.content.size, 10))
	w.WriteHeader(http.StatusOK)
	if q.req.Method != http.MethodHead {
		_, _ = io.Copy(w, in) // the client may have gone; nobody else is to be told
	}
}

// serveFile answers /files and /private/files. A private file goes to those who may read
// the File document; a missing one looks like a forbidden one.
func (q *call) serveFile(url string) (any, error) {
	private := strings.HasPrefix(url, "/private/")
	content, ok := q.snap.files[url]
	if !private {
		if !ok {
			return nil, htmlFailure(http.StatusNotFound, "<!DOCTYPE html>\n<html><head><title>Not Found</title></head><body></body></html>\n")
		}
		return newFileAnswer(url, content), nil
	}
	if !ok || !q.mayReadFile(url) {
		return nil, htmlFailure(http.StatusForbidden, "<!doctype html>\n<html lang=en>\n<title>403 Forbidden</title>\n<h1>Forbidden</h1>\n"+
			"<p>You don&#39;t have permission to access this file</p>\n")
	}
	answer := newFileAnswer(url, content)
	if slices.Contains([]string{".svg", ".html", ".htm", ".xml"}, strings.ToLower(path.Ext(url))) {
		answer.filename = path.Base(url) // what could run scripts is not shown
	}
	return answer, nil
}

func newFileAnswer(url string, content *blob) fileAnswer {
	return fileAnswer{content: content, contentType: cmp.Or(mime.TypeByExtension(path.Ext(url)), "application/octet-stream")}
}

// mayReadFile asks all File documents of the URL; equal contents share one file.
func (q *call) mayReadFile(url string) bool {
	t := q.snap.tables["File"]
	if t == nil || q.user.isGuest() {
		return false
	}
	col := t.meta.column("file_url")
	for r := range t.holding(col, q.s.collation.text(&t.meta.columns[col], url)) {
		if a := q.access(); a.user.isAdmin() || a.fileAllowed(q.snap.assemble(t, r)) {
			return true
		}
	}
	return false
}

func (q *call) downloadFile() (any, error) {
	url := q.arg("file_url")
	content, ok := q.snap.files[url]
	if !ok {
		return nil, notFound("File", url)
	}
	if strings.HasPrefix(url, "/private/") && !q.mayReadFile(url) {
		return nil, raised("PermissionError", "")
	}
	answer := newFileAnswer(url, content)
	answer.filename = path.Base(url)
	return answer, nil
}
