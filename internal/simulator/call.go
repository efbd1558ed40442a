package simulator

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// call is one request on its way.
type call struct {
	s       *Server
	req     *http.Request
	body    []byte
	form    object // arguments, from the query, a form or a JSON body
	snap    *snapshot
	user    *account
	v2      bool
	log     Call
	notes   []object // messages of a call that succeeds
	firings []firing // webhooks to run once it has
	status  int      // of success, 0 for 200

	cookies []*http.Cookie // to be set
	sid     string         // of the session that the request came in, empty for none
	csrf    string         // of that session
	expired bool           // the session that the request named is over

	upload *upload // the file that came with a form
}

// access makes a fresh check for the caller on the call's snapshot.
func (q *call) access() *access {
	return &access{snap: q.snap, user: q.user, col: q.s.collation}
}

// Limits of the web server in front of Frappe.
const (
	maxRequestLine = 4094
	readBuffer     = 8192 // what it has read by then, and complains of
)

// readForm gathers the arguments. A JSON body replaces the query string altogether.
func (q *call) readForm() error {
	q.v2 = strings.HasPrefix(q.req.URL.Path, "/api/v2/")
	if line := len(q.req.Method) + len(q.req.URL.RequestURI()) + len("  HTTP/1.1"); line > maxRequestLine {
		return htmlFailure(http.StatusBadRequest, fmt.Sprintf("<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  <body>\n"+
			"    <h1><p>Bad Request</p></h1>\n    Request Line is too large (%d &gt; %d)\n  </body>\n</html>\n", readBuffer, maxRequestLine))
	}
	if q.req.ContentLength > q.s.maxBody() {
		return bodyTooLarge()
	}
	kind, params, _ := mime.ParseMediaType(q.req.Header.Get("Content-Type"))
	in := &boundedBody{r: q.req.Body, left: q.s.maxBody()}
	if kind == "multipart/form-data" {
		q.form = formObject(q.req.URL.RawQuery)
		return q.readMultipart(in, params["boundary"])
	}
	body, err := io.ReadAll(in)
	switch {
	case errors.Is(err, errTooLarge):
		return bodyTooLarge()
	case err != nil:
		return errors.Join(errDropped, err)
	}
	q.body = body
	if len(body) > 0 && kind == "application/json" {
		v, err := decodeJSON(string(body))
		if err != nil {
			return jsonFailure(err)
		}
		switch v := v.(type) {
		case object:
			q.form = v
		case []any:
			q.form = object{{"data", v}}
		default:
			return thrown("ValidationError", "Invalid request arguments")
		}
		return nil
	}
	q.form = formObject(q.req.URL.RawQuery)
	if kind == "application/x-www-form-urlencoded" {
		for _, m := range formObject(string(body)) {
			q.form.set(m.key, m.value)
		}
	}
	return nil
}

// formObject reads a query string. Of a key that occurs twice the first value counts.
func formObject(raw string) object {
	var o object
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(k)
		val, err2 := url.QueryUnescape(v)
		if err1 != nil || err2 != nil {
			key, val = k, v
		}
		if _, ok := o.lookup(key); !ok {
			o = append(o, member{key, val})
		}
	}
	return o
}

// arg is a text argument, empty without it.
func (q *call) arg(name string) string { return cstr(q.form.get(name)) }

// need checks that arguments are there, as Python's call does.
func (q *call) need(function string, names ...string) error {
	for _, n := range names {
		if _, ok := q.form.lookup(n); !ok {
			return python("TypeError", function+"() missing 1 required positional argument: '"+n+"'")
		}
	}
	return nil
}
