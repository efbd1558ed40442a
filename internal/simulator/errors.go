package simulator

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
)

// wireError is an error as Frappe puts it on the wire: a status, the class of the
// exception, its text, and messages for the user.
type wireError struct {
	status int
	typ    string // exc_type: the name of the class
	class  string // the class with its module
	text   string // of the exception, may be empty
	// messages are the entries of _server_messages.
	messages []object
	// errorMessage is the _error_message, which some permission checks leave behind.
	errorMessage string
	// debug says that the database's complaint comes with the statement in _debug_messages.
	debug bool
	// silent leaves out the exception and its traceback.
	silent bool
	// html is sent instead of JSON, for answers that the HTTP layer gives by itself.
	html string
	// body is sent instead of the usual members, by the OAuth endpoints.
	body object
	// extra members of the body.
	extra object
}

func (f *wireError) Error() string { return f.exception() }

// exception is the last line of the traceback.
func (f *wireError) exception() string {
	if f.text == "" {
		return f.class
	}
	return f.class + ": " + f.text
}

// statuses are the HTTP statuses of Frappe's own classes; others are answered as 500.
var statuses = map[string]int{
	"ValidationError":              http.StatusExpectationFailed,
	"DataError":                    http.StatusExpectationFailed,
	"MandatoryError":               http.StatusExpectationFailed,
	"LinkValidationError":          http.StatusExpectationFailed,
	"CancelledLinkError":           http.StatusExpectationFailed,
	"TimestampMismatchError":       http.StatusExpectationFailed,
	"LinkExistsError":              http.StatusExpectationFailed,
	"UniqueValidationError":        http.StatusExpectationFailed,
	"UpdateAfterSubmitError":       http.StatusExpectationFailed,
	"DocstatusTransitionError":     http.StatusExpectationFailed,
	"CannotChangeConstantError":    http.StatusExpectationFailed,
	"CharacterLengthExceededError": http.StatusExpectationFailed,
	"InvalidPhoneNumberError":      http.StatusExpectationFailed,
	"NonNegativeError":             http.StatusExpectationFailed,
	"NestedSetChildExistsError":    http.StatusExpectationFailed,
	"WorkflowStateError":           http.StatusExpectationFailed,
	"WorkflowTransitionError":      http.StatusExpectationFailed,
	"WorkflowPermissionError":      http.StatusExpectationFailed,
	"MaxFileSizeReachedError":      http.StatusExpectationFailed,
	"DuplicateEntryError":          http.StatusConflict,
	"NameError":                    http.StatusConflict,
	"DoesNotExistError":            http.StatusNotFound,
	"PermissionError":              http.StatusForbidden,
	"AuthenticationError":          http.StatusUnauthorized,
	"CSRFTokenError":               http.StatusBadRequest,
	"RateLimitExceededError":       http.StatusTooManyRequests,
	"SessionStopped":               http.StatusServiceUnavailable,
}

func statusOf(typ string) int {
	if s, ok := statuses[typ]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// raised is an exception of Frappe without a message for the user.
func raised(typ, text string) *wireError {
	return &wireError{status: statusOf(typ), typ: typ, class: "frappe.exceptions." + typ, text: text}
}

// thrown is an exception of Frappe whose text is shown to the user too.
func thrown(typ, text string) *wireError { return thrownTitle(typ, text, "Message") }

func thrownTitle(typ, text, title string) *wireError {
	f := raised(typ, text)
	f.messages = []object{shown(text, title)}
	return f
}

// shown is the entry in _server_messages of a message that came with an exception.
func shown(text, title string) object {
	return object{
		{"message", text},
		{"title", title},
		{"indicator", "red"},
		{"raise_exception", int64(1)},
		{"__frappe_exc_id", excID()},
	}
}

// notice is the entry of a message without an exception.
func notice(text string) object {
	return object{{"message", text}, {"title", "Message"}}
}

func excID() string {
	var b [28]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// python is an exception of the language or of a library: always 500.
func python(class, text string) *wireError {
	typ := class[strings.LastIndexByte(class, '.')+1:]
	return &wireError{status: http.StatusInternalServerError, typ: typ, class: class, text: text}
}

// jsonFailure is Python's complaint about a text that is not JSON.
func jsonFailure(err error) *wireError {
	return python("json.decoder.JSONDecodeError", err.Error())
}

// unknownColumn is the database's complaint about a column; clause is the part of the
// statement as it names it.
func unknownColumn(column, clause string) *wireError {
	return python("pymysql.err.OperationalError", fmt.Sprintf(`(1054, "Unknown column '%s' in '%s'")`, column, clause))
}

func ambiguousColumn(column, clause string) *wireError {
	return python("pymysql.err.OperationalError", fmt.Sprintf(`(1052, "Column '%s' in %s is ambiguous")`, column, clause))
}

// syntaxError is the database's complaint about a statement, near the given text.
func syntaxError(near string, line int) *wireError {
	f := python("pymysql.err.ProgrammingError", fmt.Sprintf(`(1064, "You have an error in your SQL syntax; `+
		`check the manual that corresponds to your MariaDB server version for the right syntax to use near '%s' at line %d")`, near, line))
	f.debug = true
	return f
}

func notFound(doctype, name string) *wireError {
	return thrown("DoesNotExistError", fmt.Sprintf("%s %s not found", doctype, name))
}

func notWhitelisted(method string) *wireError {
	return thrownTitle("PermissionError", "<details><summary>You are not permitted to access this resource.</summary>"+
		"Function <strong>"+method+"</strong> is not whitelisted.</details>", "Method Not Allowed")
}

func fieldNotPermitted(field string) *wireError {
	return thrown("DataError", "Field not permitted in query: "+field)
}

// htmlFailure is an error page of the layers below Frappe.
func htmlFailure(status int, body string) *wireError {
	return &wireError{status: status, typ: http.StatusText(status), html: body}
}
