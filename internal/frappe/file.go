package frappe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"erpgraph/internal/apierror"
)

// FileStream is a file of the site on its way. The caller must close Body, which
// also ends the call's place in the bound on downloads.
type FileStream struct {
	Body io.ReadCloser
	// ContentType is what the site says, and the site believes whoever uploaded the
	// file. Serve it as an attachment and with nosniff, or a page in it runs as yours.
	ContentType string
	Length      int64  // bytes, -1 when unknown
	Filename    string // the last part of the path
}

// File opens a file by the path in ERPNext's file fields, "/files/x" or
// "/private/files/x", not escaped. Any other path is BAD_USER_INPUT. A private file
// that does not exist is FORBIDDEN, because Frappe does not tell (TX 429). The
// download goes on until Body is closed or ctx ends.
func (c *Client) File(ctx context.Context, cred Credential, filePath string) (*FileStream, error) {
	escaped, err := escapeFilePath(filePath)
	if err != nil {
		return nil, err
	}
	r := request{name: "file", cred: cred, verb: http.MethodGet, path: escaped, plain: true}
	opening, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	deadline, _ := opening.Deadline()
	var stream *FileStream
	err = c.repeat(opening, r, func(auth authorization, again bool) *Error {
		var e *Error
		stream, e = c.openFile(ctx, deadline, r, auth, again)
		return e
	})
	if err != nil {
		return nil, err
	}
	stream.Filename = path.Base(filePath)
	return stream, nil
}

// openFile makes one try. On success the stream owns the place and the context, which
// may outlive the deadline for opening it.
func (c *Client) openFile(
	ctx context.Context, deadline time.Time, r request, auth authorization, again bool,
) (*FileStream, *Error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(time.Until(deadline), func() { cancel(context.DeadlineExceeded) })
	if err := c.files.acquire(ctx, r.cred.Key()); err != nil {
		timer.Stop()
		cancel(nil)
		return nil, r.about(placeError(ctx, err))
	}
	body := &fileBody{
		call:    Call{Method: r.name, Retry: again},
		start:   time.Now(),
		observe: observerOf(ctx),
		done: func() {
			timer.Stop()
			cancel(nil)
			c.files.release()
		},
	}
	response, e := c.send(ctx, r, auth) //nolint:bodyclose // closed by fileBody, which the stream owns
	if e != nil {
		return nil, body.fail(r.about(e))
	}
	body.source = response.Body
	body.call.Status = response.StatusCode
	if response.StatusCode != http.StatusOK {
		text, _ := readAll(response, maxErrorBody) // the status says enough
		return nil, body.fail(r.about(fileFailure(r, response, text)))
	}
	if response.Header.Get("Content-Encoding") != "" {
		return nil, body.fail(r.about(&Error{
			Code: apierror.UpstreamUnavailable, Status: response.StatusCode,
			Err: fmt.Errorf("%w: it is compressed, unasked", ErrMalformed),
		}))
	}
	if !timer.Stop() { // it fired just now: the stream would break at its first read
		return nil, body.fail(r.about(transportError(ctx, context.DeadlineExceeded)))
	}
	return &FileStream{
		Body:        body,
		ContentType: response.Header.Get("Content-Type"),
		Length:      response.ContentLength,
	}, nil
}

// fileFailure is the error of an answer without a file. Frappe sends pages here, not
// JSON, so unlike elsewhere their status means what it says.
func fileFailure(r request, response *http.Response, text []byte) *Error {
	e := failure(r, response, text)
	if status := response.StatusCode; status == http.StatusForbidden || status == http.StatusNotFound {
		e.Code = codeOfStatus(status)
	}
	return e
}

// fileBody reads a file and, once closed, gives everything back and tells the observer.
type fileBody struct {
	source  io.ReadCloser
	start   time.Time
	observe func(Call)
	done    func()

	mu   sync.Mutex // Close may come while a Read waits
	call Call
	once sync.Once
}

// Read reads from the site.
func (b *fileBody) Read(p []byte) (int, error) {
	n, err := b.source.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.call.Bytes += int64(n)
	if err != nil && err != io.EOF {
		b.call.Code, b.call.Err = apierror.UpstreamUnavailable, err
	}
	return n, err
}

// Close ends the download.
func (b *fileBody) Close() error {
	var err error
	b.once.Do(func() {
		if b.source != nil {
			err = b.source.Close()
		}
		b.done()
		b.mu.Lock()
		b.call.Duration = time.Since(b.start)
		call := b.call
		b.mu.Unlock()
		b.observe(call)
	})
	return err
}

// fail ends a try that gave no file.
func (b *fileBody) fail(e *Error) *Error {
	b.call.Code, b.call.Err = e.Code, e
	_ = b.Close() // e says what went wrong
	return e
}

// maxFilePath bounds a path in bytes; Frappe's column holds 140 characters or text.
const maxFilePath = 2 << 10

// escapeFilePath checks a path and escapes it, segment by segment. Traversal is
// refused in plain and in escaped form, for servers that decode twice.
func escapeFilePath(filePath string) (string, error) {
	refused := apierror.New(apierror.BadUserInput, "not the path of a file: %.200q", filePath)
	if len(filePath) > maxFilePath || !utf8.ValidString(filePath) ||
		strings.ContainsFunc(filePath, unicode.IsControl) || strings.Contains(filePath, `\`) {
		return "", refused
	}
	rest, ok := strings.CutPrefix(strings.TrimPrefix(filePath, "/private"), "/files/")
	if !ok || hasTraversal(rest) {
		return "", refused
	}
	if decoded, err := url.PathUnescape(rest); err == nil && hasTraversal(decoded) {
		return "", refused
	}
	segments := strings.Split(filePath, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	return strings.Join(segments, "/"), nil
}

func hasTraversal(rest string) bool { return !fitsPath(rest) || strings.Contains(rest, `\`) }
