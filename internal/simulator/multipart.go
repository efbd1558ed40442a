package simulator

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

// upload is the file that came with a form.
type upload struct {
	filename string
	content  *blob
	kept     bool // a File document has it
}

// defaultMaxBody is how much the recorded site takes in one request.
const defaultMaxBody = 25 << 20

// maxBody is how much a request may bring.
func (s *Server) maxBody() int64 {
	if s.maxFileSize > 0 {
		return s.maxFileSize
	}
	return defaultMaxBody
}

// maxFile is how large a file may be: what the site's settings say in MB, or as large as a
// request.
func (q *call) maxFile() int64 {
	if mb := cint(q.snap.singles["System Settings"].get("max_file_size")); mb > 0 {
		return mb << 20
	}
	return q.s.maxBody()
}

func bodyTooLarge() error {
	return htmlFailure(http.StatusRequestEntityTooLarge, "<!doctype html>\n<html lang=en>\n<title>413 Request Entity Too Large</title>\n"+
		"<h1>Request Entity Too Large</h1>\n<p>The data value transmitted exceeds the capacity limit.</p>\n")
}

// boundedBody reads a request's body up to a limit.
type boundedBody struct {
	r    io.Reader
	left int64 // below zero once more than the limit has come
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err //nolint:wrapcheck // a reader hands through io.EOF as it is
}

var errTooLarge = errors.New("the body is too large")

// readMultipart takes the fields of a form apart. The part "file" goes to where files are
// kept as it comes in; any other file is read and forgotten.
func (q *call) readMultipart(body io.Reader, boundary string) error {
	for r := multipart.NewReader(body, boundary); ; {
		part, err := r.NextPart()
		if err == nil {
			err = q.readPart(part)
		}
		switch {
		case errors.Is(err, errTooLarge):
			return bodyTooLarge()
		case q.req.Context().Err() != nil:
			return errors.Join(errDropped, err)
		case err != nil:
			return nil //nolint:nilerr // a form that ends early counts as far as it goes
		}
	}
}

func (q *call) readPart(part *multipart.Part) error {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	filename, isFile := params["filename"]
	switch {
	case err != nil || isFile && (part.FormName() != "file" || q.upload != nil):
		_, err = io.Copy(io.Discard, part)
		return err //nolint:wrapcheck // the caller only asks whether the form ended
	case isFile:
		content, err := q.s.receive(part, q.req.ContentLength)
		if err != nil {
			return err
		}
		q.upload = &upload{filename: filename, content: content}
		return nil
	}
	text, err := io.ReadAll(part)
	if err != nil {
		return err //nolint:wrapcheck // likewise
	}
	q.form.set(part.FormName(), string(text))
	return nil
}

// dropUpload forgets a file that came with the request and that no document has got.
func (q *call) dropUpload() {
	if q.upload == nil || q.upload.kept {
		return
	}
	if err := q.upload.content.discard(); err != nil {
		q.s.logger.WarnContext(q.req.Context(), "simulator: a file that nobody wanted stays", "error", err)
	}
}
