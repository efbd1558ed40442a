package httpapi

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
)

const (
	multipartForm  = "multipart/form-data"
	operationsPart = "operations"
	// maxFilename bounds the name of a file in bytes, as file systems do.
	maxFilename = 255
	// octetStream is the type of a file that has none, or one that can't be read.
	octetStream = "application/octet-stream"
)

// isMultipart reports whether a request is a GraphQL multipart request:
// https://github.com/jaydenseric/graphql-multipart-request-spec
func isMultipart(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPost && err == nil && mediaType == multipartForm
}

// form reads one multipart request. Its order is fixed, so that a file has its place
// before its first byte is stored: operations, map, then the files in any order.
type form struct {
	body   *pacedBody
	parts  *multipart.Reader
	limits Limits
	spool  *spool
}

// newForm wants the boundary of the Content-Type, which RFC 2046 bounds. The error is a
// *requestError with status 400.
func newForm(contentType string, body *pacedBody, limits Limits, files *spool) (*form, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if boundary := params["boundary"]; err != nil || boundary == "" || len(boundary) > 70 {
		return nil, badRequest("the Content-Type %s has no boundary, or one that is no boundary", multipartForm)
	}
	return &form{body: body, parts: multipart.NewReader(body, params["boundary"]), limits: limits, spool: files}, nil
}

// read gives the parameters, with each file in its place. The error is a *requestError
// with status 400, 408 or 413, or one of the disk.
func (f *form) read() (*graphql.RawParams, error) {
	text, err := f.text(operationsPart)
	if err != nil {
		return nil, err
	}
	params, err := parseBody(text, "the part "+operationsPart)
	if err != nil {
		return nil, err
	}
	if text, err = f.text(mapPart); err != nil {
		return nil, err
	}
	waiting, err := parseMap(text, params.Variables, f.limits.UploadFiles)
	if err != nil {
		return nil, err
	}
	for {
		part, err := f.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := f.file(part, waiting); err != nil {
			return nil, err
		}
	}
	if len(waiting) > 0 {
		return nil, badRequest("the map names the part %.40q, but the form has no such part", slices.Min(slices.Collect(maps.Keys(waiting))))
	}
	return params, nil
}

// next gives the next part as it was sent; io.EOF after the last.
func (f *form) next() (part *multipart.Part, err error) {
	err = f.body.boundHeader(func() error {
		part, err = f.parts.NextRawPart()
		return err
	})
	if err == io.EOF { //nolint:errorlint // the end of the form; wrapped, it is one that was cut off
		return nil, err
	}
	if err != nil {
		return nil, f.broken(err)
	}
	switch encoding := part.Header.Get("Content-Transfer-Encoding"); strings.ToLower(encoding) {
	case "", "binary", "8bit", "7bit":
		return part, nil
	default:
		return nil, badRequest("a part of the form has a Content-Transfer-Encoding; send files as they are")
	}
}

// text reads one of the two parts that come before the files.
func (f *form) text(name string) ([]byte, error) {
	part, err := f.next()
	if errors.Is(err, io.EOF) || err == nil && part.FormName() != name {
		return nil, badRequest("the form's part %s is not in its place: %s comes first, then %s, then the files", name, operationsPart, mapPart)
	}
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(part, f.limits.BodyBytes+1))
	if err != nil {
		return nil, f.broken(err)
	}
	if int64(len(text)) > f.limits.BodyBytes {
		return nil, bodyTooLarge(f.limits.BodyBytes, "the part "+name)
	}
	return text, nil
}

// file stores a part and puts it where the map says.
func (f *form) file(part *multipart.Part, waiting destinations) error {
	name := part.FormName()
	places, ok := waiting[name]
	if !ok {
		return badRequest("the form's part %.40q is not in the map, or comes twice", name)
	}
	delete(waiting, name)
	filename, err := baseName(part.FileName())
	if err != nil {
		return err
	}
	stored, err := f.spool.add(part)
	if err != nil {
		return f.broken(err)
	}
	for _, put := range places {
		put(graphql.Upload{File: stored.reader(), Filename: filename, Size: stored.size, ContentType: contentTypeOf(part)})
	}
	return nil
}

// broken tells why the body could not be read to its end.
func (f *form) broken(err error) error {
	if _, disk := errors.AsType[*fs.PathError](err); disk {
		return err
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return uploadTooLarge(tooLarge.Limit)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &requestError{status: http.StatusRequestTimeout, err: apierror.New(apierror.BadUserInput,
			"the request body came too slowly: each %s must bring a part of it, and the whole at least %d KiB a second", readTime, uploadRate>>10)}
	case errors.Is(err, errPartHeader):
		return badRequest("the header of a part of the form is longer than %d bytes", partHeaderBytes)
	}
	return badRequest("the request body is no complete %s", multipartForm)
}

// baseName is the name of a file without the folders that some clients send. The error
// is a *requestError with status 400.
func baseName(name string) (string, error) {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	hidden := func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
	switch {
	case name == "", name == ".", name == "..":
		return "", badRequest("a part that the map names has no filename")
	case len(name) > maxFilename:
		return "", badRequest("a filename is longer than %d bytes", maxFilename)
	case !utf8.ValidString(name), strings.ContainsFunc(name, hidden):
		return "", badRequest("a filename is not valid UTF-8, or has control characters")
	}
	return name, nil
}

// contentTypeOf is what the client says of a file; it is never more than that.
func contentTypeOf(part *multipart.Part) string {
	given := part.Header.Get("Content-Type")
	mediaType, params, err := mime.ParseMediaType(given)
	if err != nil || !strings.Contains(mediaType, "/") {
		return octetStream
	}
	if written := mime.FormatMediaType(mediaType, params); written != "" {
		return written
	}
	return octetStream
}
