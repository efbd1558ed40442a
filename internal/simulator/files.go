package simulator

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Frappe tells equal contents by their MD5
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
)

// serveFile answers /files and /private/files. A private file goes to those who may read
// the File document; a missing one looks like a forbidden one.
func (q *call) serveFile(url string) (any, error) {
	private := strings.HasPrefix(url, "/private/")
	content, ok := q.snap.files[url]
	if !private {
		if !ok {
			return nil, htmlFailure(http.StatusNotFound, "<!DOCTYPE html>\n<html><head><title>Not Found</title></head><body></body></html>\n")
		}
		return fileAnswer(url, content), nil
	}
	if !ok || !q.mayReadFile(url) {
		return nil, htmlFailure(http.StatusForbidden, "<!doctype html>\n<html lang=en>\n<title>403 Forbidden</title>\n<h1>Forbidden</h1>\n"+
			"<p>You don&#39;t have permission to access this file</p>\n")
	}
	return fileAnswer(url, content), nil
}

func fileAnswer(url string, content []byte) rawAnswer {
	kind := mime.TypeByExtension(path.Ext(url))
	if kind == "" {
		kind = "application/octet-stream"
	}
	return rawAnswer{contentType: kind, body: content}
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
	answer := fileAnswer(url, content)
	answer.filename = path.Base(url)
	return answer, nil
}

// readMultipart takes the fields of a form with a file apart; the file is kept under
// "file" and "filename".
func (q *call) readMultipart(boundary string) error {
	r := multipart.NewReader(bytes.NewReader(q.body), boundary)
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return nil //nolint:nilerr // a form that ends early counts as far as it goes
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		if name := part.FileName(); name != "" {
			q.form.set("filename", name)
			q.form.set("content_type", part.Header.Get("Content-Type"))
		}
		q.form.set(part.FormName(), string(content))
	}
}

// websiteUploads are the types that users without a desk may upload.
var websiteUploads = []string{
	"image/jpeg", "image/png", "application/pdf", "text/plain", "application/msword",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/vnd.ms-excel",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

func (q *call) uploadFile() (any, error) {
	if q.user.isGuest() {
		return nil, raised("PermissionError", "")
	}
	kind := q.arg("content_type")
	if !q.user.desk && !q.user.isAdmin() && !containsFold(websiteUploads, kind) {
		return nil, thrown("ValidationError", "You can only upload JPG, PNG, PDF, TXT or Microsoft documents.")
	}
	folder := q.arg("folder")
	if folder == "" {
		folder = "Home"
	}
	return q.storeFile(q.arg("filename"), []byte(q.arg("file")), folder, q.arg("fieldname"))
}

// attachFile is frappe.client.attach_file.
func (q *call) attachFile() (any, error) {
	content := []byte(q.arg("filedata"))
	if truthy(q.form.get("decode_base64")) {
		raw, err := base64.StdEncoding.DecodeString(string(content))
		if err != nil {
			return nil, python("binascii.Error", "Incorrect padding")
		}
		content = raw
	}
	return q.storeFile(q.arg("filename"), content, "Home/Attachments", q.arg("docfield"))
}

func (q *call) storeFile(name string, content []byte, folder, field string) (any, error) {
	if len(content) == 0 {
		return nil, thrown("OSError", "File  does not exist").as("OSError", "File  does not exist")
	}
	private := cint(q.form.get("is_private"))
	doctype, docname := q.arg("doctype"), q.arg("docname")
	if doctype != "" && docname != "" {
		d, err := q.document(doctype, docname)
		if err != nil {
			return nil, err
		}
		if a := q.access(); !a.document(d, "write") {
			return nil, a.denied("", "")
		}
	}
	sum := md5.Sum(content) //nolint:gosec // as above
	hash, now := hex.EncodeToString(sum[:]), q.s.stamp()
	url := "/files/" + name
	if private != 0 {
		url = "/private" + url
	}
	doc := object{
		{"name", q.s.newName()},
		{"owner", q.user.name},
		{"modified_by", q.user.name},
		{"creation", now},
		{"modified", now},
		{"file_name", name},
		{"is_private", private},
		{"file_type", strings.ToUpper(strings.TrimPrefix(path.Ext(name), "."))},
		{"file_size", int64(len(content))},
		{"folder", folder},
		{"content_hash", hash},
	}
	if doctype != "" {
		doc = append(doc, member{"attached_to_doctype", doctype}, member{"attached_to_name", docname}, member{"attached_to_field", field})
	}
	err := q.transact(func(snap *snapshot) error {
		t := snap.tables["File"]
		same, is := t.meta.column("content_hash"), t.meta.column("is_private")
		for r := range t.holding(same, q.s.collation.text(&t.meta.columns[same], hash)) {
			if r.vals[is].n == private {
				url = r.vals[t.meta.column("file_url")].s
			}
		}
		snap.files[url] = content
		doc.set("file_url", url)
		return snap.put(q.s, "File", doc)
	})
	if err != nil {
		return nil, err
	}
	q.snap = q.s.data.Load()
	return q.snap.document(q.s.collation, "File", cstr(doc.get("name"))).object(q.snap, nil, false), nil
}

func containsFold(list []string, s string) bool {
	for _, e := range list {
		if strings.EqualFold(e, s) {
			return true
		}
	}
	return false
}
