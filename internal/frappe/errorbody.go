package frappe

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"erpgraph/internal/apierror"
)

// Classes of exceptions that mean more than their HTTP status (exceptions.py).
const (
	excAuthentication = "AuthenticationError"
	excData           = "DataError"
	excDoesNotExist   = "DoesNotExistError"
	excImport         = "ImportError" // a read of a DocType that does not exist
	excMandatory      = "MandatoryError"
	excOperational    = "OperationalError"
	excQueryTimeout   = "QueryTimeoutError"
	excTimestamp      = "TimestampMismatchError"
	excUnique         = "UniqueValidationError"
)

const (
	maxErrorBody = 1 << 20 // bytes read of an error; Frappe's HTML pages have 330 kB
	maxMessage   = 1000    // characters of a message
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

// statusError makes the error of an answer with a status that is not 2xx.
func statusError(status int, header http.Header, body []byte, now time.Time) *Error {
	e := &Error{Status: status, RetryAfter: retryAfter(status, header, now)}
	var parsed errorBody
	if looksLikeHTML(header, body) || json.Unmarshal(body, &parsed) != nil {
		e.Code = codeOfBareStatus(status)
		return e
	}
	exception := string(parsed.Exception)
	e.ExcType = string(parsed.ExcType)
	e.Trace = truncate(cmp.Or(lastTrace(string(parsed.Exc)), exception), maxTrace)
	e.Message = truncate(messageOf(parsed), maxMessage)
	e.Field = fieldOf(e.ExcType, exception)
	e.Code = codeOf(status, e.ExcType, exception)
	return e
}

// codeOf is the policy: what each answer of Frappe means to a client.
func codeOf(status int, excType, exception string) apierror.Code {
	switch excType {
	case excTimestamp:
		return apierror.Conflict
	case excQueryTimeout:
		return apierror.UpstreamTimeout
	case excImport:
		return apierror.NotFound
	}
	if strings.HasPrefix(excType, "InvalidAuthorization") {
		return apierror.Unauthenticated
	}
	switch {
	case strings.Contains(exception, "Failed to get method for command"):
		return apierror.UpstreamUnavailable // a method that every ERPNext has: not one, then
	case (status == http.StatusNotFound || status == http.StatusUnauthorized) && excType == "":
		return apierror.UpstreamUnavailable // JSON, but not Frappe's
	default:
		return codeOfStatus(status)
	}
}

func codeOfStatus(status int) apierror.Code {
	switch {
	case status == http.StatusUnauthorized:
		return apierror.Unauthenticated
	case status == http.StatusForbidden:
		return apierror.Forbidden
	case status == http.StatusNotFound:
		return apierror.NotFound
	case status == http.StatusConflict:
		return apierror.Conflict
	case status == http.StatusTooManyRequests:
		return apierror.RateLimited
	case status >= 400 && status < 500:
		return apierror.Validation
	default:
		return apierror.UpstreamUnavailable
	}
}

// codeOfBareStatus is for answers without Frappe's JSON: from the proxy, from
// gunicorn, or of no Frappe at all. Only what can't be misread keeps its meaning. 401 can:
// it is the proxy that wants a password, and Frappe, asked for JSON, refuses a credential
// in JSON. Who believed the page would sign users out.
func codeOfBareStatus(status int) apierror.Code {
	switch status {
	case http.StatusTooManyRequests:
		return codeOfStatus(status)
	case http.StatusRequestEntityTooLarge:
		return apierror.Validation
	case http.StatusGatewayTimeout:
		return apierror.UpstreamTimeout
	default:
		return apierror.UpstreamUnavailable
	}
}

// messageOf is the text that Frappe shows to its user. The exception itself is used
// only where Frappe's own class says that it was raised for the user: others hold
// SQL and paths.
func messageOf(body errorBody) string {
	var encoded []string
	if json.Unmarshal([]byte(body.ServerMessages), &encoded) == nil {
		var texts []string
		for _, one := range encoded {
			var message struct {
				Message lenient `json:"message"`
			}
			if json.Unmarshal([]byte(one), &message) != nil {
				continue
			}
			if text := plainText(string(message.Message)); text != "" {
				texts = append(texts, text)
			}
		}
		if len(texts) > 0 {
			return strings.Join(texts, "\n")
		}
	}
	if text := plainText(string(body.ErrorMessage)); text != "" {
		return text
	}
	class, text, _ := strings.Cut(string(body.Exception), ": ")
	if !strings.HasPrefix(class, "frappe.exceptions.") {
		return ""
	}
	return plainText(text)
}

// lastTrace is the last of a JSON list of tracebacks, or the text as it came.
func lastTrace(exc string) string {
	var traces []string
	if json.Unmarshal([]byte(exc), &traces) == nil && len(traces) > 0 {
		return traces[len(traces)-1]
	}
	return exc
}

// The places where Frappe and MariaDB name a field. The words before the colon of a
// DataError are translated to the user's language, so only its end is read.
var (
	dataField      = regexp.MustCompile("^[^:]+: [^:]+: (?:[^:]*\\.)?`?([a-zA-Z_][a-zA-Z0-9_]*)`?$")
	unknownColumn  = regexp.MustCompile(`\(1054, .Unknown column '(?:[^']*\.)?([a-zA-Z_][a-zA-Z0-9_]*)'`)
	mandatoryField = regexp.MustCompile(`^frappe\.exceptions\.MandatoryError: \[.*\]: ([a-zA-Z_][a-zA-Z0-9_]*)`)
	uniqueField    = regexp.MustCompile(`\(1062, .* for key '(?:[^']*\.)?([a-zA-Z_][a-zA-Z0-9_]*)'`)
)

// fieldOf is the fieldname in an exception, the first where there are several.
func fieldOf(excType, exception string) string {
	var pattern *regexp.Regexp
	switch excType {
	case excData:
		pattern = dataField
	case excOperational:
		pattern = unknownColumn
	case excMandatory:
		pattern = mandatoryField
	case excUnique:
		pattern = uniqueField
	default:
		return ""
	}
	if match := pattern.FindStringSubmatch(exception); match != nil {
		return match[1]
	}
	return ""
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
