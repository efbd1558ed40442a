// Package frappe is the REST client for ERPNext. It speaks to a Frappe site with
// the caller's own credential, so what comes back is what ERPNext lets that caller
// see, and it turns every way in which the site can fail into one typed error.
//
// What a reader should know of the wire, because the code depends on it:
//
//   - Lists go by POST to frappe.client.get_list: a GET line over 4,094 bytes is
//     refused, and a POST to that method is a read and may be repeated.
//   - Frappe ignores an Authorization header that is not exactly two words and runs
//     the request as Guest. [ParseAuthorization] refuses such headers, and no call
//     is made without a [Credential].
//   - A session cookie beats an API key in the same request, and token answers set
//     cookies: the client never has a cookie jar.
//   - Without "Accept: application/json" errors come as HTML pages.
//   - Members of a JSON body are parameters of the request first: one called "cmd" names
//     a method to call instead of the address.
//   - Fields above the caller's permlevel are left out of rows without a word.
//
// All calls of a process share one bound on calls in flight, handed out fairly to
// the credentials that wait (limiter.go). What differs between Frappe 15 and 16
// lives in dialect.go.
//
// Reads are tried again where that may help (repeat.go). Writes are not, once they may
// have reached the site; [Error.Uncertain] says when nobody knows (write.go). What each
// error means is decided in one place (errorcode.go).
package frappe
