package frappe_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// part is one part of a form.
type part struct{ Name, Filename, Type, Body string }

// parts reads a form that came whole.
func parts(t testing.TB, contentType, body string) []part {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" {
		t.Fatalf("%q: %v", contentType, err)
	}
	var all []part
	reader := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for {
		p, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, part{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(content)})
	}
}

// textFile is an upload that is attached to nothing.
func textFile(content string) frappe.Upload {
	return frappe.Upload{
		Filename: "a.txt", ContentType: "text/plain", Size: int64(len(content)), Content: strings.NewReader(content), Private: true,
	}
}

// stored is the answer to an upload.
var stored = answer{Status: http.StatusOK, Body: `{"message": {"name": "f1", "file_url": "/private/files/a.txt"}}`}

// Uploads go out as they were recorded, and what comes back is understood.
func TestUploadTranscripts(t *testing.T) {
	t.Parallel()
	attached := textFile("attached\n")
	attached.DocType, attached.DocName, attached.Field = "Service Ticket", "TKT-2026-00052", "attachment"
	private := textFile("private text\n")
	private.Filename, private.DocType, private.DocName = "report é.txt", "Customer", "Müller & Söhne GmbH"
	for name, upload := range map[string]frappe.Upload{"413-upload-private": private, "416-upload-attach-field": attached} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tx := loadTranscript(t, name)
			b := setup(t, frappe.Config{}, tx.Response)
			written, err := b.Upload(t.Context(), cred(t), upload)
			if err != nil {
				t.Fatal(err)
			}
			if written.Name == "" || docname(written.Document) != written.Name || !strings.HasPrefix(string(written.Document["file_url"]), `"/private/files/`) {
				t.Errorf("got %+v", written)
			}
			sent := b.last(t)
			want := parts(t, "multipart/form-data; boundary=----graftboundary7MA4", tx.Request.Body)
			if diff := cmp.Diff(want, parts(t, sent.header.Get("Content-Type"), sent.body)); diff != "" {
				t.Errorf("-want +sent:\n%s", diff)
			}
			if sent.method != http.MethodPost || sent.uri != tx.Request.Path || sent.header.Get("Authorization") != testHeader {
				t.Errorf("sent %s %s", sent.method, sent.uri)
			}
			if _, repeats := sent.header["Idempotency-Key"]; repeats || sent.header.Get("Expect") != "" {
				t.Errorf("headers %v", sent.header)
			}
		})
	}
}

// Names are whatever a user's file is called, and types whatever their browser says.
func TestUploadHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, stored)
	for name, kind := range map[string][2]string{
		`a "b".txt`:  {"text/plain; charset=utf-8", "text/plain; charset=utf-8"},
		"日本語.pdf":    {"application/pdf\r\nX-Evil: 1", "application/octet-stream"},
		"a;b=c.txt":  {"", "application/octet-stream"},
		"50% é.html": {"x", "x"},
	} {
		upload := textFile("x")
		upload.Filename, upload.ContentType, upload.Private = name, kind[0], false
		if _, err := b.Upload(t.Context(), cred(t), upload); err != nil {
			t.Fatal(err)
		}
		sent := b.last(t)
		want := []part{{Name: "is_private", Body: "0"}, {Name: "file", Filename: name, Type: kind[1], Body: "x"}}
		if diff := cmp.Diff(want, parts(t, sent.header.Get("Content-Type"), sent.body)); diff != "" {
			t.Errorf("-want +sent:\n%s", diff)
		}
	}
}

func TestUploadRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, stored)
	for name, change := range map[string]func(u *frappe.Upload){
		"empty":          func(u *frappe.Upload) { u.Size = 0 },
		"no content":     func(u *frappe.Upload) { u.Content = nil },
		"less than none": func(u *frappe.Upload) { u.Size = -1 },
		"no filename":    func(u *frappe.Upload) { u.Filename = "" },
		"a path":         func(u *frappe.Upload) { u.Filename = "../a" },
		"a folder":       func(u *frappe.Upload) { u.Filename = ".." },
		"of windows":     func(u *frappe.Upload) { u.Filename = `a\b` },
		"two lines":      func(u *frappe.Upload) { u.Filename = "a\r\nX: y" },
		"no UTF-8":       func(u *frappe.Upload) { u.Filename = "\xff" },
		"a long name":    func(u *frappe.Upload) { u.Filename = strings.Repeat("é", 141) },
		"no document":    func(u *frappe.Upload) { u.DocType = "Customer" },
		"no DocType":     func(u *frappe.Upload) { u.DocName = "X" },
		"a bad DocType":  func(u *frappe.Upload) { u.DocType, u.DocName = "a`b", "X" },
		"a bad field":    func(u *frappe.Upload) { u.DocType, u.DocName, u.Field = "Customer", "X", "a b" },
		"a field alone":  func(u *frappe.Upload) { u.Field = "image" },
	} {
		upload := textFile("x")
		change(&upload)
		if _, err := b.Upload(t.Context(), cred(t), upload); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Upload(t.Context(), frappe.Credential{}, textFile("x")); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("no credential: %v", err)
	}
	if b.count() != 0 {
		t.Errorf("%d requests were sent", b.count())
	}
}

func TestUploadErrors(t *testing.T) {
	t.Parallel()
	page := answer{Status: http.StatusRequestEntityTooLarge, Headers: map[string]string{"Content-Type": "text/html"}, Body: "<h1>Request Entity Too Large</h1>"}
	for name, c := range map[string]struct {
		answer    answer
		code      apierror.Code
		text      string
		uncertain bool
	}{
		"too large":            {page, apierror.Validation, "too large", false},
		"too large for Frappe": {raised(417, "MaxFileSizeReachedError", "frappe.core.doctype.file.exceptions.MaxFileSizeReachedError: x", "File size exceeded the maximum allowed size of 25.0 MB"), apierror.Validation, "maximum allowed", false},
		"forbidden":            {raised(403, "PermissionError", "frappe.exceptions.PermissionError"), apierror.Forbidden, "", false},
		"a gateway":            {answer{Status: http.StatusBadGateway}, apierror.UpstreamUnavailable, "may have made", true},
		"no file":              {answer{Status: http.StatusOK, Body: `{"message": null}`}, apierror.UpstreamUnavailable, "may have made", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, c.answer)
			_, err := b.Upload(t.Context(), cred(t), textFile("x"))
			var e *frappe.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Uncertain != c.uncertain || !strings.Contains(e.Public().Message, c.text) || b.count() != 1 {
				t.Errorf("got %v after %d calls", err, b.count())
			}
		})
	}
}

// broken is a file that fails, or ends, after n bytes.
type broken struct {
	n    int64
	err  error
	seek error
	at   int64
}

func (f *broken) Read(p []byte) (int, error) {
	left := f.n - f.at
	if left == 0 {
		return 0, f.err
	}
	n := min(int64(len(p)), left)
	f.at += n
	return int(n), nil
}

func (f *broken) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		f.at = offset
		return f.at, f.seek
	}
	return f.at, nil
}

// A file that can't be read is our failure, and the site has not stored half of it.
func TestUploadOfBrokenFile(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]*broken{
		"it ends early":   {n: 500_000, err: io.EOF},
		"it fails":        {n: 500_000, err: errors.New("input/output error")},
		"it has no start": {n: 1_000_000, seek: errors.New("illegal seek")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, stored)
			upload := textFile("x")
			upload.Content, upload.Size = file, 1_000_000
			_, err := b.Upload(t.Context(), cred(t), upload)
			var e *frappe.Error
			if !errors.As(err, &e) || e.Code != apierror.Internal || e.Uncertain || e.Public().Message != "internal error" {
				t.Errorf("got %+v", err)
			}
		})
	}
}

// An upload begins where the content stands, and ends where it was said to.
func TestUploadOfSection(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, stored)
	content := bytes.NewReader([]byte("header|content|trailer"))
	if _, err := content.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	upload := textFile("content")
	upload.Content = content
	if _, err := b.Upload(t.Context(), cred(t), upload); err != nil {
		t.Fatal(err)
	}
	sent := b.last(t)
	all := parts(t, sent.header.Get("Content-Type"), sent.body)
	if got := all[len(all)-1].Body; got != "content" {
		t.Errorf("sent %q", got)
	}
}
