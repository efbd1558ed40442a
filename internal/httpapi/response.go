package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// writeTime bounds how long a slow reader may take for a response.
const writeTime = 60 * time.Second

// answer is a GraphQL response. Data is nil when nothing was executed: then the
// response has no data member at all, as the specification wants.
type answer struct {
	errors     gqlerror.List
	data       json.RawMessage
	extensions map[string]any
}

// encode writes the response without passing data through the encoder again:
// gqlgen has just made it.
func (a *answer) encode() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(a.data) + 64)
	separator := byte('{')
	member := func(name string, value []byte) {
		b.WriteByte(separator)
		separator = ','
		b.WriteString(`"` + name + `":`)
		b.Write(value)
	}
	if len(a.errors) > 0 {
		encoded, err := marshal(a.errors)
		if err != nil {
			return nil, fmt.Errorf("encode errors: %w", err)
		}
		member("errors", encoded)
	}
	if a.data != nil {
		member("data", a.data)
	}
	if len(a.extensions) > 0 {
		encoded, err := marshal(a.extensions)
		if err != nil {
			return nil, fmt.Errorf("encode extensions: %w", err)
		}
		member("extensions", encoded)
	}
	if separator == '{' {
		b.WriteByte('{')
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

// marshal is json.Marshal without the escapes for HTML: no answer is HTML, and
// nosniff keeps it so.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// status is the HTTP status of a well-formed request under a media type.
func (a *answer) status(mediaType string) int {
	if mediaType == plainJSON || a.data != nil || len(a.errors) == 0 {
		return http.StatusOK
	}
	code, _ := a.errors[0].Extensions["code"].(string)
	if apierror.Code(code) == apierror.NotFound {
		return http.StatusBadRequest // the address was found; what was asked there was not
	}
	return apierror.Code(code).HTTPStatus()
}

// writeBody sends a complete body. A client that reads too slowly, or left, is
// not our error, so what Write says is not looked at.
func writeBody(w http.ResponseWriter, status int, mediaType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", mediaType+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if status == http.StatusUnauthorized {
		h.Add("WWW-Authenticate", `Bearer realm="ERPNext"`)
		h.Add("WWW-Authenticate", `token realm="ERPNext"`)
	}
	// Not every writer has deadlines; those that have none are tests.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // G705: it is JSON, and nosniff says so
}
