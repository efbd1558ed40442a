package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
)

// requestError is a request that is no GraphQL request: it is answered with an
// HTTP status of its own whatever the client accepts.
type requestError struct {
	status int
	err    *apierror.Error
	// allow is the Allow header of a 405.
	allow string
}

func (e *requestError) Error() string { return e.err.Error() }
func (e *requestError) Unwrap() error { return e.err }

func badRequest(format string, args ...any) *requestError {
	return &requestError{status: http.StatusBadRequest, err: apierror.New(apierror.BadUserInput, format, args...)}
}

// readPOST reads the parameters of a POST: one JSON object in UTF-8 under
// application/json. The error is a *requestError with status 400, 413 or 415.
func readPOST(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, error) {
	if err := checkContentType(r.Header); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, bodyTooLarge(tooLarge.Limit, requestBody)
	}
	if err != nil {
		return nil, badRequest("the request body could not be read to its end")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, badRequest("the request has no body; send a JSON object with a query")
	}
	return parseBody(body, requestBody)
}

func bodyTooLarge(limit int64, what string) *requestError {
	return &requestError{status: http.StatusRequestEntityTooLarge, err: limitError("body", int(limit), 0,
		"%s is larger than %d bytes; send less in one request", what, limit)}
}

func unsupported(text string) *requestError {
	return &requestError{
		status: http.StatusUnsupportedMediaType,
		err:    apierror.New(apierror.BadUserInput, "%s", text),
	}
}

func checkEncoding(h http.Header) error {
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return unsupported("the request body must not be compressed")
	}
	return nil
}

func checkContentType(h http.Header) error {
	if err := checkEncoding(h); err != nil {
		return err
	}
	header := h.Get("Content-Type")
	if header == "" {
		return unsupported("the request has no Content-Type; send application/json")
	}
	mediaType, params, err := mime.ParseMediaType(header)
	if err != nil || mediaType != plainJSON {
		return unsupported("the Content-Type is not application/json, or multipart/form-data for files")
	}
	if charset, given := params["charset"]; given && !isUTF8Name(charset) {
		return unsupported("the charset of the request is not utf-8")
	}
	return nil
}

// requestBody is what errors call the JSON text that is the whole body.
const requestBody = "the request body"

// parseBody reads the JSON text of the parameters; what says of errors where it came.
func parseBody(body []byte, what string) (*graphql.RawParams, error) {
	if trimmed := bytes.TrimSpace(bytes.TrimPrefix(body, byteOrderMark)); len(trimmed) > 0 && trimmed[0] == '[' {
		return nil, badRequest("batches are not served; send each operation in a request of its own")
	}
	raw, err := parseObject(body, what)
	if err != nil {
		return nil, err
	}
	return params(raw)
}

// byteOrderMark may stand before a JSON text and says nothing.
var byteOrderMark = []byte("\xef\xbb\xbf")

// parseObject reads the JSON text of one object. It is stricter than encoding/json:
// names are case-sensitive and unique, the text is UTF-8 and its escapes are whole
// characters, nothing follows it.
func parseObject(text []byte, what string) (map[string]json.RawMessage, error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	switch trimmed := bytes.TrimSpace(text); {
	case len(trimmed) == 0:
		return nil, badRequest("%s is empty; send a JSON object", what)
	case !utf8.Valid(trimmed):
		return nil, badRequest("%s is not valid UTF-8", what)
	case trimmed[0] != '{':
		return nil, badRequest("%s is not a JSON object", what)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	raw, err := members(dec, what)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, badRequest("something follows the JSON object in %s", what)
	}
	return raw, checkJSONUnicode(text, what)
}

// members reads the top level of an object, name by name; what says of errors what it is.
func members(dec *json.Decoder, what string) (map[string]json.RawMessage, error) {
	notJSON := func(err error) error {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return badRequest("%s is not valid JSON near byte %d", what, syntax.Offset)
		}
		return badRequest("%s is not valid JSON: it ends too early", what)
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	}
	out := make(map[string]json.RawMessage, 4)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, notJSON(err)
		}
		if _, twice := out[name]; twice {
			return nil, badRequest("%s has the same member twice", what)
		}
		out[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	}
	return out, nil
}

// params checks the type of each parameter. Members of other names are allowed
// and ignored, as clients send their own.
func params(raw map[string]json.RawMessage) (*graphql.RawParams, error) {
	p := &graphql.RawParams{}
	query, ok := raw["query"]
	if !ok || isNull(query) {
		return nil, badRequest(`the request has no "query"`)
	}
	if err := into(query, &p.Query, "query", "a string"); err != nil {
		return nil, err
	}
	if strings.TrimSpace(p.Query) == "" {
		return nil, badRequest(`"query" is empty`)
	}
	if err := into(raw["operationName"], &p.OperationName, "operationName", "a string or null"); err != nil {
		return nil, err
	}
	if err := into(raw["variables"], &p.Variables, "variables", "an object or null"); err != nil {
		return nil, err
	}
	if err := into(raw["extensions"], &p.Extensions, "extensions", "an object or null"); err != nil {
		return nil, err
	}
	return p, nil
}

// into decodes one parameter; numbers stay exact text until their type is known.
func into(raw json.RawMessage, target any, name, want string) error {
	if len(raw) == 0 || isNull(raw) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(target); err != nil {
		return badRequest("%q is not %s", name, want)
	}
	return nil
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// readGET reads the parameters of a GET from the URL; variables and extensions
// are JSON texts there. The error is a *requestError with status 400.
func readGET(rawQuery string) (*graphql.RawParams, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, badRequest("the query string of the URL is malformed")
	}
	raw := make(map[string]json.RawMessage, 4)
	for _, name := range []string{"query", "operationName", "variables", "extensions"} {
		given := values[name]
		if len(given) == 0 {
			continue
		}
		if len(given) > 1 {
			return nil, badRequest("%q is in the URL %d times", name, len(given))
		}
		if !utf8.ValidString(given[0]) {
			return nil, badRequest("%q is not valid UTF-8", name)
		}
		raw[name], err = urlParam(name, given[0])
		if err != nil {
			return nil, err
		}
	}
	return params(raw)
}

// urlParam gives a URL parameter the form that the same member of a body has.
// An empty one is absent: forms send those.
func urlParam(name, text string) (json.RawMessage, error) {
	if text == "" && name != "query" {
		return nil, nil
	}
	if name == "query" || name == "operationName" {
		quoted, err := json.Marshal(text)
		if err != nil {
			return nil, fmt.Errorf("quote %s: %w", name, err)
		}
		return quoted, nil
	}
	if !json.Valid([]byte(text)) {
		return nil, badRequest("%q in the URL is not valid JSON", name)
	}
	return json.RawMessage(strings.TrimSpace(text)), checkJSONUnicode([]byte(text), strconv.Quote(name)+" in the URL")
}
