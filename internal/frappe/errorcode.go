package frappe

import (
	"net/http"
	"regexp"
	"strings"

	"erpgraph/internal/apierror"
)

// Classes of exceptions that mean more than their HTTP status (exceptions.py).
const (
	excData           = "DataError"
	excDeadlock       = "QueryDeadlockError"
	excDocumentLocked = "DocumentLockedError" // a background job has the document
	excDoesNotExist   = "DoesNotExistError"
	excFrappeType     = "FrappeTypeError" // an argument of a method; its text is Python's
	excImport         = "ImportError"     // a read of a DocType that does not exist
	excInvalidKey     = "InvalidKeyError" // 401, but of the site's own encryption key
	excMandatory      = "MandatoryError"
	excName           = "NameError" // a docname that is not allowed, with 409; Python's own has 500
	excOperational    = "OperationalError"
	excPermission     = "PermissionError"
	excQueryTimeout   = "QueryTimeoutError"
	excTimestamp      = "TimestampMismatchError"
	excUnique         = "UniqueValidationError"
	excValidation     = "ValidationError"
	excWorkflowState  = "WorkflowStateError" // model/workflow.py
)

// refusal is what an answer says of why a call failed.
type refusal struct {
	status    int
	excType   string
	exception string // the class and its text, as Frappe prints it
	thrown    bool   // with a message to the user

	method   string // that was called
	declared bool   // the method is one of the configuration, not of this package
	write    bool   // the call was to change something
}

// code is the policy: what each answer of Frappe means to a client.
func (r refusal) code() apierror.Code {
	switch r.excType {
	case excTimestamp, excDocumentLocked, excDeadlock:
		return apierror.Conflict
	case excQueryTimeout:
		return apierror.UpstreamTimeout
	case excImport:
		return apierror.NotFound
	case excInvalidKey:
		return apierror.UpstreamUnavailable // as 401 it would end the caller's session
	}
	if strings.HasPrefix(r.excType, "InvalidAuthorization") {
		return apierror.Unauthenticated
	}
	switch {
	case r.noMethod():
		return apierror.UpstreamUnavailable
	case (r.status == http.StatusNotFound || r.status == http.StatusUnauthorized) && r.excType == "":
		return apierror.UpstreamUnavailable // JSON, but not Frappe's
	case r.status == http.StatusConflict && r.excType == excName:
		return apierror.Validation
	case r.status == http.StatusInternalServerError && r.write:
		return r.codeOfFailedWrite()
	default:
		return codeOfStatus(r.status)
	}
}

// noMethod tells whether the site lacks the method or does not let it be called: of a
// method of this package every ERPNext has it, so the site is none. Frappe translates
// both messages, so those of a declared method are known by what it puts into them: the
// path as it was asked for (handler.py execute_cmd), and a page's markup around the path
// of a function (__init__.py is_whitelisted).
func (r refusal) noMethod() bool {
	if strings.Contains(r.exception, "Failed to get method for command") {
		return true
	}
	if !r.declared {
		return false
	}
	switch r.excType {
	case excValidation:
		return strings.Contains(r.exception, r.method)
	case excPermission:
		return strings.HasPrefix(r.exception, "frappe.exceptions.PermissionError: <details><summary>")
	default:
		return false
	}
}

// codeOfFailedWrite tells a write whose values brought ERPNext's code or database down
// from an outage: the first a client can mend. A read is written by this package, so
// there the same exceptions are no client's fault.
func (r refusal) codeOfFailedWrite() apierror.Code {
	if number, ok := r.databaseError(); ok {
		return codeOfDatabaseError(number, r.exception)
	}
	if r.thrown {
		return apierror.Validation
	}
	switch r.excType {
	case "TypeError", "ValueError", "KeyError", "AttributeError", "IndexError", // None where a value was expected
		"ZeroDivisionError", "OverflowError", "InvalidOperation",
		"JSONDecodeError", "ParserError", "UnicodeDecodeError", "UnicodeEncodeError":
		return apierror.Validation
	default:
		return apierror.UpstreamUnavailable
	}
}

// mariaDB is an error of the database as its driver prints it. The classes vary: 1292 is
// an OperationalError, 1406 a DataError, 1048 an IntegrityError.
var mariaDB = regexp.MustCompile(`^(?:pymysql\.err|MySQLdb(?:\._exceptions)?)\.[A-Za-z]+: \((\d+), `)

func (r refusal) databaseError() (number string, ok bool) {
	match := mariaDB.FindStringSubmatch(r.exception)
	if match == nil {
		return "", false
	}
	return match[1], true
}

// codeOfDatabaseError goes by MariaDB's error numbers.
func codeOfDatabaseError(number, exception string) apierror.Code {
	switch {
	case number == "1062" && strings.Contains(exception, "for key 'PRIMARY'"):
		return apierror.Conflict // a duplicate that Frappe has not put in its own words
	case number == "1062", isValueError(number):
		return apierror.Validation
	default:
		return apierror.UpstreamUnavailable
	}
}

// isValueError tells whether the database could not store a value.
func isValueError(number string) bool {
	switch number {
	case "1048", // NULL in a column without
		"1264", "1265", "1292", "1366", "1406", // out of range, cut off, no date, no number, too long
		"1451", "1452", // a foreign key
		"3140", "4025": // no JSON; a CHECK, such as that of a JSON column
		return true
	default:
		return false
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
