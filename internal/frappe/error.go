package frappe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"erpgraph/internal/apierror"
)

// Causes that a caller may look for with errors.Is.
var (
	// ErrTooLarge: the answer is longer than Config.MaxResponseBytes.
	ErrTooLarge = errors.New("frappe: the answer is too large")
	// ErrMalformed: the answer is not the JSON that was expected.
	ErrMalformed = errors.New("frappe: the answer can't be read")
	// ErrRedirect: the site answered with a redirect, which is never followed.
	ErrRedirect = errors.New("frappe: the site redirects")
)

// Error is a call that failed. It unwraps to the *apierror.Error that a client of
// erpgraph may see.
type Error struct {
	Code   apierror.Code
	Status int    // HTTP status, 0 when no answer came
	Method string // as in Call
	// ExcType is the exception's class in Frappe, such as "MandatoryError".
	ExcType string
	// Message is what Frappe tells its user, without HTML; "" where it says nothing.
	// For FORBIDDEN it may name values of the forbidden document: clients get it for
	// VALIDATION and CONFLICT only.
	Message string
	// DocType and DocName are what was asked for; Field is a fieldname that Frappe
	// names in the message, where it does.
	DocType, DocName, Field string
	// RetryAfter is how long ERPNext asks to wait, 0 when it does not say.
	RetryAfter time.Duration
	// Uncertain says that this was a write and nobody knows whether ERPNext made it: the
	// request was on its way, but no answer came that tells. Read before writing again.
	Uncertain bool
	// Trace is the exception and traceback as sent, cut short: for logs only.
	Trace string
	Err   error // the cause, for failures of the connection
}

// Error tells all but the trace, for logs.
func (e *Error) Error() string {
	text := fmt.Sprintf("frappe: %s: %s", e.Method, e.Code)
	if e.Status != 0 {
		text += fmt.Sprintf(" (HTTP %d %s)", e.Status, e.ExcType)
	}
	if detail := cmp.Or(e.Message, errorText(e.Err)); detail != "" {
		text += ": " + detail
	}
	return text
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Unwrap gives the public error, behind which the cause stands.
func (e *Error) Unwrap() error { return e.Public() }

// Public is what a client of erpgraph may know of the error.
func (e *Error) Public() *apierror.Error {
	public := &apierror.Error{
		Code:    e.Code,
		Message: e.publicMessage(),
		DocType: e.DocType,
		DocName: e.DocName,
		Cause:   e.Err,
	}
	if public.Cause == nil {
		public.Cause = errors.New(e.Error())
	}
	if e.Code == apierror.RateLimited && e.RetryAfter > 0 {
		seconds := int((e.RetryAfter + time.Second - 1) / time.Second)
		public.Extensions = map[string]any{"retryAfter": seconds}
	}
	return public
}

func (e *Error) publicMessage() string {
	switch e.Code {
	case apierror.Unauthenticated:
		return "ERPNext does not accept this credential: sign in again, or send a valid token"
	case apierror.Forbidden:
		return "ERPNext does not permit this"
	case apierror.NotFound:
		return "ERPNext does not have this document"
	case apierror.Validation:
		return cmp.Or(e.Message, "ERPNext refused the request")
	case apierror.Conflict:
		if e.ExcType == excTimestamp {
			return "the document has changed since it was read"
		}
		return cmp.Or(e.Message, "the document exists already")
	case apierror.RateLimited:
		return "too many requests; try again later"
	case apierror.UpstreamTimeout:
		if e.Uncertain {
			return "ERPNext did not answer in time; it may have made the change"
		}
		return "ERPNext did not answer in time"
	default:
		if e.Uncertain {
			return "ERPNext did not confirm the change; it may have made it"
		}
		if e.Status == http.StatusInternalServerError {
			return "ERPNext failed to answer the request"
		}
		return "ERPNext is not available"
	}
}

// uncertain tells whether a write that failed so may have been made all the same, once
// it was sent. Frappe rolls back whatever raised an exception, so an answer of its own
// means no. Gateways speak for a site that may be at it still.
func (e *Error) uncertain() bool {
	switch {
	case e.Code == apierror.Internal, neverConnected(e.Err):
		return false
	case e.Status < http.StatusMultipleChoices:
		return true // no answer, or a yes that can't be read
	default:
		return e.Status >= http.StatusInternalServerError && e.ExcType == ""
	}
}

// neverConnected tells whether nothing of the request can have left this machine: the
// name was not found or the port was closed.
func neverConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// transient tells whether the same read may succeed a moment later: the gateway or
// the site is restarting, or the connection broke.
func (e *Error) transient() bool {
	switch e.Status {
	case 0:
		return e.Code == apierror.UpstreamUnavailable
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	default:
		return false
	}
}

// transportError is a call without a complete answer.
func transportError(ctx context.Context, err error) *Error {
	e := &Error{Code: apierror.UpstreamUnavailable, Err: err}
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		// Cancelled, or past the deadline: the cause matters more than where it hit.
		e.Code, e.Err = apierror.UpstreamTimeout, context.Cause(ctx)
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Code = apierror.UpstreamTimeout
	}
	return e
}

// UnknownField gives the fieldname that ERPNext does not know, when that is why the
// call failed: the DocType changed after the schema was made. Frappe says it in two
// ways, as DataError from its check of the query and as error 1054 from MariaDB.
func UnknownField(err error) (field string, ok bool) {
	var e *Error
	if !errors.As(err, &e) || e.Field == "" {
		return "", false
	}
	return e.Field, e.ExcType == excData || e.ExcType == excOperational
}
