package frappe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"sync"
)

// errUploadEnded is what a reader of an earlier try gets.
var errUploadEnded = errors.New("this try of the upload has ended")

// expectFrom is the size in bytes from which the site is asked first, by the header
// Expect: a refusal then comes instead of the upload, where otherwise it may get lost when
// the site closes the connection on somebody who is still talking.
const expectFrom = 1 << 20

// uploadBody is a form with one file, whose bytes are those of a reader that is not held
// in memory. It can be sent again; only the latest try reads, as net/http may read a body
// on after it has given the answer.
type uploadBody struct {
	contentType string
	head, tail  []byte // of the form, around the content
	size        int64  // of the content
	start       int64  // where the content began
	length      int64  // of the form

	mu       sync.Mutex // guards what follows, and the content
	content  io.ReadSeeker
	turn     int // of the try that may read
	progress func()
	whole    bool  // this try has read all of the content
	failed   error // of the content
}

// newUploadBody writes the form around the content, in the order of the desk's.
func newUploadBody(u Upload) (*uploadBody, error) {
	start, err := u.Content.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	b := &uploadBody{size: u.Size, start: start, content: u.Content, progress: func() {}}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, field := range u.formFields() {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return nil, fmt.Errorf("upload: %w", err)
		}
	}
	header := textproto.MIMEHeader{
		"Content-Disposition": {multipart.FileContentDisposition("file", u.Filename)},
		"Content-Type":        {mediaType(u.ContentType)},
	}
	if _, err := w.CreatePart(header); err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	b.head = bytes.Clone(form.Bytes())
	form.Reset()
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	b.tail = form.Bytes()
	b.contentType = w.FormDataContentType()
	b.length = int64(len(b.head)) + u.Size + int64(len(b.tail))
	return b, nil
}

func (u *Upload) formFields() [][2]string {
	private := "0"
	if u.Private {
		private = "1"
	}
	fields := [][2]string{{"is_private", private}}
	for _, field := range [][2]string{{"doctype", u.DocType}, {"docname", u.DocName}, {"fieldname", u.Field}} {
		if field[1] != "" {
			fields = append(fields, field)
		}
	}
	return fields
}

// attach makes the form the body of a request. GetBody is for net/http, which may send a
// request again of which nothing had left.
func (b *uploadBody) attach(r *http.Request) error {
	body, err := b.open()
	if err != nil {
		return err
	}
	r.Body, r.GetBody, r.ContentLength = body, b.open, b.length
	if b.length >= expectFrom {
		r.Header.Set("Expect", "100-continue")
	}
	return nil
}

// open begins the next try.
func (b *uploadBody) open() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn++
	b.whole = false
	if b.content == nil {
		return nil, errUploadEnded
	}
	if _, err := b.content.Seek(b.start, io.SeekStart); err != nil {
		b.failed = fmt.Errorf("seek in the file: %w", err)
		return nil, b.failed
	}
	content := &uploadReader{body: b, turn: b.turn, left: b.size}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b.head), content, bytes.NewReader(b.tail)), content}, nil
}

// end lets go of the content: nothing reads it afterwards.
func (b *uploadBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.content = nil
}

// onProgress sets what is told of each read, until the next try.
func (b *uploadBody) onProgress(tell func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress = tell
}

// failure is the error of the content itself, in which case the site has not got all of it.
func (b *uploadBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

// sent tells whether the site can have got the whole form.
func (b *uploadBody) sent() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole
}

// uploadReader reads the content in one try.
type uploadReader struct {
	body   *uploadBody
	turn   int
	left   int64
	closed bool
}

// Read gives exactly as many bytes as were announced.
func (r *uploadReader) Read(p []byte) (int, error) {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case r.closed, b.content == nil, r.turn != b.turn:
		return 0, errUploadEnded
	case r.left == 0:
		return 0, io.EOF
	}
	n, err := b.content.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if n > 0 {
		b.progress()
	}
	switch {
	case r.left == 0:
		b.whole = true
		return n, nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		b.failed = fmt.Errorf("read the file: %w", err)
		return n, b.failed
	}
	return n, nil
}

// Close ends this try's reading.
func (r *uploadReader) Close() error {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	r.closed = true
	return nil
}
