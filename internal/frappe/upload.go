package frappe

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"erpgraph/internal/apierror"
)

// Upload is a file on its way to the site.
type Upload struct {
	Filename string // without a folder; at most 140 characters
	// ContentType is passed on; Frappe goes by the ending of the name.
	ContentType string
	// Size is the number of bytes of Content from where it stands, more than 0: Frappe
	// can't store an empty file (TX 421).
	Size    int64
	Content io.ReadSeeker
	Private bool
	// DocType and DocName are the document that the file is attached to, both or none;
	// Field is the field of it that the file is meant for, or "".
	DocType, DocName, Field string
}

// MinUploadRate is what an upload must do on the whole, in bytes a second: it may take
// Config.Timeout and a second for each so many bytes. That keeps a site that takes a byte
// now and then from holding a place for good.
const MinUploadRate = 32 << 10

// Upload stores a file at the site (TX 413–421). [Written.Document] is its File document:
// "file_url" is the path, which [Client.File] reads. The content is read while it is sent
// and never held; a token that is renewed makes it begin again, by Content.Seek. Content
// is not touched after the return.
//
// Config.Timeout bounds not the whole but each time without progress: of a call that
// waits for its place, of a site that takes no more bytes, of one that has all of them.
// Uploads share the places of downloads, as both may hold one for minutes.
//
// A file that is larger than the site takes is VALIDATION. Attaching needs the right to
// write the document; a name that the site does not have is no error to Frappe, and gives
// a file that hangs on nothing: see [Client.MayDo]. The document's Field is not changed.
// Other errors are those of [Client.Insert].
func (c *Client) Upload(ctx context.Context, cred Credential, u Upload) (*Written, error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	body, err := newUploadBody(u)
	if err != nil {
		return nil, err
	}
	defer body.end()
	r := request{
		name: methodUpload, doctype: u.DocType, docname: u.DocName, cred: cred, write: true,
		verb: http.MethodPost, path: methodPrefix + methodUpload, contentType: body.contentType, stream: body,
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout+time.Duration(u.Size/MinUploadRate)*time.Second)
	defer cancel()
	w := &Written{}
	err = c.repeat(ctx, r, func(auth authorization, again bool) *Error {
		return c.tryUpload(ctx, r, auth, again, w.decode("message"))
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// tryUpload is a try that ends when nothing moves for the client's timeout.
func (c *Client) tryUpload(ctx context.Context, r request, auth authorization, again bool, decode decoder) *Error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(c.timeout, func() { cancel(context.DeadlineExceeded) })
	defer stalled.Stop()
	r.stream.onProgress(func() { stalled.Reset(c.timeout) })
	return c.tryIn(ctx, c.files, r, auth, again, decode)
}

func (u *Upload) check() error {
	bad := func(format string, args ...any) error { return apierror.New(apierror.BadUserInput, format, args...) }
	switch {
	case u.Content == nil, u.Size <= 0:
		return bad("an empty file can't be stored")
	case !isFilename(u.Filename):
		return bad("not the name of a file: %.200q", u.Filename)
	case (u.DocType == "") != (u.DocName == ""):
		return bad("a file is attached to a document by its DocType and its name")
	case u.Field != "" && u.DocType == "":
		return bad("a field without a document")
	case u.DocType == "":
		return nil
	}
	if err := checkDocument(u.DocType, u.DocName); err != nil {
		return err
	}
	if u.Field == "" {
		return nil
	}
	return checkField(u.Field)
}

// isFilename refuses what is a path to some server, and what could end a header.
func isFilename(name string) bool {
	return name != "" && name != "." && name != ".." &&
		utf8.ValidString(name) && utf8.RuneCountInString(name) <= maxName &&
		!strings.ContainsAny(name, `/\`) && !strings.ContainsFunc(name, unicode.IsControl)
}

// mediaType is the type given, or that of any bytes when it is none: it goes into a header.
func mediaType(given string) string {
	kind, params, err := mime.ParseMediaType(given)
	if err != nil || len(given) > maxName {
		return "application/octet-stream"
	}
	if formatted := mime.FormatMediaType(kind, params); formatted != "" {
		return formatted
	}
	return "application/octet-stream"
}
