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
	// ErrNoMethod: the site does not have the method that was called, or does not let it
	// be called. The site and the configuration do not fit together.
	ErrNoMethod = errors.New("frappe: the site does not offer this method")
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
	// Messages are the parts of Message, one for each that Frappe shows.
	Messages []string
	// DocType and DocName are what was asked for.
	DocType, DocName string
	// Fields are the fieldnames that the exception names, and Field is the first of them.
	// Those of child rows stand among those of the document.
	Field  string
	Fields []string
	// Marked are the texts that the messages have in bold, without repetition: labels of
	// fields, fieldnames, but values too. Who knows the DocType finds the field by them.
	Marked []string
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
	public.Extensions = e.publicExtensions()
	return public
}

func (e *Error) publicExtensions() map[string]any {
	extensions := map[string]any{}
	switch e.Code {
	case apierror.RateLimited:
		if e.RetryAfter > 0 {
			extensions["retryAfter"] = int((e.RetryAfter + time.Second - 1) / time.Second)
		}
	case apierror.Validation, apierror.Conflict:
		if len(e.Messages) > 0 {
			extensions["messages"] = e.Messages
		}
	default:
	}
	if e.Uncertain {
		extensions["uncertain"] = true
	}
	if len(extensions) == 0 {
		return nil
	}
	return extensions
}

func (e *Error) publicMessage() string {
	switch e.Code {
	case apierror.Internal:
		return "internal error"
	case apierror.Unauthenticated:
		return "ERPNext does not accept this credential: sign in again, or send a valid token"
	case apierror.Forbidden:
		return "ERPNext does not permit this"
	case apierror.NotFound:
		return "ERPNext does not have this document"
	case apierror.Validation:
		return cmp.Or(e.Message, e.validationMessage())
	case apierror.Conflict:
		return e.conflictMessage()
	case apierror.RateLimited:
		return "too many requests; try again later"
	case apierror.UpstreamTimeout:
		if e.Uncertain {
			return "ERPNext did not answer in time; it may have made the change"
		}
		return "ERPNext did not answer in time"
	default:
		if errors.Is(e.Err, ErrNoMethod) {
			return "ERPNext does not offer this method: it is not installed there, or may not be called"
		}
		if e.Uncertain {
			return "ERPNext did not confirm the change; it may have made it"
		}
		if e.Status == http.StatusInternalServerError {
			return "ERPNext failed to answer the request"
		}
		return "ERPNext is not available"
	}
}

// validationMessage is for refusals that ERPNext gives no message for its users with.
func (e *Error) validationMessage() string {
	switch {
	case e.Status == http.StatusRequestEntityTooLarge:
		return "the request is too large for ERPNext"
	case e.Status != http.StatusInternalServerError:
		return "ERPNext refused the request"
	case e.Field != "":
		return "ERPNext can't store the value of " + e.Field
	default:
		return "ERPNext can't process these values: one is missing or malformed"
	}
}

func (e *Error) conflictMessage() string {
	switch e.ExcType {
	case excTimestamp:
		return "the document has changed since it was read"
	case excDocumentLocked:
		return cmp.Or(e.Message, "ERPNext is working on the document; try again later")
	case excDeadlock:
		return "another change came in between, and nothing was written; try again"
	default:
		return cmp.Or(e.Message, "the document exists already")
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
	switch e.ExcType {
	case excData: // MariaDB's errors have a class of that name too
		return e.Field, e.Status == http.StatusExpectationFailed
	case excOperational: // as VALIDATION it is a value that the field can't hold
		return e.Field, e.Code != apierror.Validation
	default:
		return e.Field, false
	}
}
