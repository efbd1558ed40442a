// Package apierror is the whole error policy of the public API: the codes that
// clients may branch on, once, and the one error type that is allowed to reach
// them. Whatever is not an *Error becomes "internal error" with a request id at
// the door (internal/httpapi); its text goes to the log only.
package apierror

import (
	"errors"
	"fmt"
	"maps"
)

// Code is the value of extensions.code in a GraphQL error.
type Code string

// The public codes. Clients branch on these; texts may change, codes do not.
const (
	// Unauthenticated: no credential came, or ERPNext does not know it (any more).
	Unauthenticated Code = "UNAUTHENTICATED"
	// Forbidden: ERPNext knows the caller and says no.
	Forbidden Code = "FORBIDDEN"
	// NotFound: ERPNext said that the document does not exist.
	NotFound Code = "NOT_FOUND"
	// BadUserInput: the request can't be served as written; extensions.field says where.
	BadUserInput Code = "BAD_USER_INPUT"
	// Validation: ERPNext or the database refused the content of a document.
	Validation Code = "VALIDATION"
	// Conflict: the document changed since the caller read it, or exists already.
	Conflict Code = "CONFLICT"
	// RateLimited: ERPNext or erpgraph asks the caller to slow down; extensions.retryAfter in seconds.
	RateLimited Code = "RATE_LIMITED"
	// UpstreamUnavailable: ERPNext (or the app's database) can't be reached or answers nonsense.
	UpstreamUnavailable Code = "UPSTREAM_UNAVAILABLE"
	// UpstreamTimeout: the answer did not come within the deadline.
	UpstreamTimeout Code = "UPSTREAM_TIMEOUT"
	// CursorExpired: a subscription cursor is older than the event log.
	CursorExpired Code = "CURSOR_EXPIRED"
	// Resume: a stream ended; reconnect with the cursor given.
	Resume Code = "RESUME"
	// CostLimit: the operation is too deep, too wide, too costly or needs too many upstream calls.
	CostLimit Code = "COST_LIMIT"
	// Internal: our fault. The text is never more than "internal error".
	Internal Code = "INTERNAL"
)

// Error is an error whose Message is meant for the caller. Cause is for logs and
// for errors.Is/As; it never reaches a client.
type Error struct {
	Code    Code
	Message string
	// DocType, DocName and Field say what the error is about, where known. Field
	// is the name a client knows, not ERPNext's fieldname.
	DocType, DocName, Field string
	// Extensions are further public facts, such as "retryAfter" or "modified".
	Extensions map[string]any
	Cause      error
}

// New makes an Error with a formatted public message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error that keeps cause for the log.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// Error gives the public message and the cause, for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Public is the map of extensions that a client sees.
func (e *Error) Public() map[string]any {
	out := make(map[string]any, len(e.Extensions)+4)
	maps.Copy(out, e.Extensions)
	out["code"] = string(e.Code)
	for key, value := range map[string]string{"doctype": e.DocType, "name": e.DocName, "field": e.Field} {
		if value != "" {
			out[key] = value
		}
	}
	return out
}

// About returns a copy of the error that names a document and a field.
func (e *Error) About(doctype, name, field string) *Error {
	c := *e
	c.DocType, c.DocName, c.Field = doctype, name, field
	return &c
}

// As finds the *Error in a chain.
func As(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// CodeOf is the code of err, Internal when it carries none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := As(err); ok {
		return e.Code
	}
	return Internal
}
