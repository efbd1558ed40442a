// Package auth says who calls: it takes the one credential that a request may
// carry and hands it on in the context. erpgraph has no users of its own: the
// credential belongs to ERPNext, goes there with every call, and is never
// printed, stored or compared in clear. Whose it is and which roles they have,
// ERPNext tells; the [Directory] remembers it for seconds.
//
// Strictness matters because ERPNext is lax: a header that is not exactly two
// words is ignored there and the request runs as Guest (frappe/auth.py,
// validate_auth). What erpgraph does not understand is therefore refused here
// and never forwarded.
package auth

import (
	"fmt"
	"log/slog"
	"net/http"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// redacted is what every way of printing an Identity gives.
const redacted = "[identity]"

// logDigits is how much of a key a log line shows: enough to tell lines of one
// credential from those of another.
const logDigits = 16

// Identity is one caller, by their credential and the way it came. The zero value is
// nobody. It prints as "[identity]" in every format, log and encoding.
type Identity struct {
	// A pointer to what is itself a pointer inside: fmt follows one, without
	// asking for String, when the field of a foreign struct gets a wrong verb.
	caller *caller
}

type caller struct {
	credential  frappe.Credential
	fromSession bool
	session     string // the session's handle
}

// FromHeader reads the credential of a request, as frappe.ParseAuthorization
// does. It returns nobody and no error when the request carries none, and an
// UNAUTHENTICATED *apierror.Error when it carries one that is malformed, empty,
// or more than one. Its text repeats no part of the header. Cookies and URL
// parameters are never looked at.
func FromHeader(h http.Header) (Identity, error) {
	values := h.Values("Authorization")
	switch len(values) {
	case 0:
		return Identity{}, nil
	case 1:
		credential, err := frappe.ParseAuthorization(values[0])
		if err != nil {
			return Identity{}, fmt.Errorf("identity: %w", err)
		}
		return Of(credential), nil
	}
	return Identity{}, apierror.New(apierror.Unauthenticated,
		"the request carries %d Authorization headers; send one", len(values))
}

// Of is the identity of a credential that the caller sent with the request itself: in a
// header, or in the first message of a socket.
func Of(credential frappe.Credential) Identity {
	return Identity{caller: &caller{credential: credential}}
}

// OfSession is the identity of a browser's session, whose credential the browser does
// not know: it sent a cookie, which browsers also send for pages of others. handle is what
// the keeper of sessions finds this one by.
func OfSession(credential frappe.Credential, handle string) Identity {
	return Identity{caller: &caller{credential: credential, fromSession: true, session: handle}}
}

// Credential is what upstream calls of this caller are made with.
func (i Identity) Credential() frappe.Credential {
	if i.caller == nil {
		return frappe.Credential{}
	}
	return i.caller.credential
}

// FromSession reports whether a cookie is all that the caller has shown. Such requests
// need a proof that a page of this origin made them.
func (i Identity) FromSession() bool { return i.caller != nil && i.caller.fromSession }

// Session is the handle that the session's keeper gave to [OfSession], "" for other
// callers. It means nothing to anybody else and is not for logs: those take
// [Identity.LogID].
func (i Identity) Session() string {
	if i.caller == nil {
		return ""
	}
	return i.caller.session
}

// IsZero reports whether this is nobody.
func (i Identity) IsZero() bool { return i.Credential().IsZero() }

// Key tells callers apart: equal for equal credentials, different for different
// ones, "" for nobody. Loaders and caches of two callers are kept apart by it.
func (i Identity) Key() string { return i.Credential().Key() }

// LogID is a short one-way name of the credential for logs, "" for nobody. It
// tells that two lines are of one credential, not whose it is.
func (i Identity) LogID() string {
	key := i.Key()
	return key[:min(len(key), logDigits)]
}

// String never shows the credential.
func (Identity) String() string { return redacted }

// GoString never shows the credential.
func (Identity) GoString() string { return redacted }

// Format covers every verb of fmt, %x and %d included.
func (Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue never shows the credential.
func (Identity) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText covers encodings: JSON, XML, YAML, text handlers.
func (Identity) MarshalText() ([]byte, error) { return []byte(redacted), nil }
