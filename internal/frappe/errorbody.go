package frappe

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

const (
	maxErrorBody = 1 << 20 // bytes read of an error; Frappe's HTML pages have 330 kB
	maxTrace     = 8 << 10 // bytes of a traceback kept for the log
)

// errorBody is what Frappe's API v1 sends with an error. Most members are optional,
// two are JSON within a string, and any may be of another type in a reply of a
// server script, so all are read leniently.
type errorBody struct {
	ExcType        lenient `json:"exc_type"`
	Exception      lenient `json:"exception"`
	Exc            lenient `json:"exc"`              // a JSON list of tracebacks
	ServerMessages lenient `json:"_server_messages"` // a JSON list of JSON objects
	ErrorMessage   lenient `json:"_error_message"`
}

// lenient is a string, or "" for any other JSON.
type lenient string

// UnmarshalJSON takes any JSON.
func (s *lenient) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*s = lenient(text)
	}
	return nil
}

// statusError makes the error of an answer to r with a status that is not 2xx.
func statusError(r request, status int, header http.Header, body []byte, now time.Time) *Error {
	e := &Error{Status: status, RetryAfter: retryAfter(status, header, now)}
	var parsed errorBody
	if looksLikeHTML(header, body) || json.Unmarshal(body, &parsed) != nil {
		e.Code = codeOfBareStatus(status)
		return e
	}
	told := toldByError(parsed)
	why := refusal{
		status: status, excType: string(parsed.ExcType), exception: string(parsed.Exception), thrown: told.thrown,
		method: r.name, declared: r.declared, write: r.write,
	}
	e.ExcType = why.excType
	e.Trace = truncate(cmp.Or(lastTrace(string(parsed.Exc)), why.exception), maxTrace)
	e.Message, e.Messages, e.Marked = told.text(), told.texts, told.marked
	e.Code = why.code()
	if why.noMethod() {
		e.Err = ErrNoMethod
	}
	if e.Fields = why.fields(); len(e.Fields) > 0 {
		e.Field = e.Fields[0]
	}
	return e
}

// lastTrace is the last of a JSON list of tracebacks, or the text as it came.
func lastTrace(exc string) string {
	var traces []string
	if json.Unmarshal([]byte(exc), &traces) == nil && len(traces) > 0 {
		return traces[len(traces)-1]
	}
	return exc
}

// maxRetryAfter is the longest wait that is believed.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads Retry-After, in seconds or as a date. Frappe's limiter of the
// whole site sends it with the same number in X-RateLimit-Reset (rate_limiter.py);
// limits of single methods send neither.
func retryAfter(status int, header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if value == "" && status == http.StatusTooManyRequests {
		value = header.Get("X-RateLimit-Reset")
	}
	var wait time.Duration
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		wait = date.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
