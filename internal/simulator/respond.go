package simulator

import (
	"cmp"
	"errors"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// topLevel is an answer whose members stand beside, and not under, "message".
type topLevel object

// rawAnswer is an answer that is no JSON.
type rawAnswer struct {
	contentType string
	body        []byte
	page        bool // one of our own, which loads nothing but its empty icon and is framed by nobody
}

// pagePolicy is the Content-Security-Policy of such a page. It names no targets of forms:
// the answer to a login leads, by way of the consent, to the client's own site.
const pagePolicy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &call{s: s, req: r, user: &guestAccount}
	q.log = Call{Method: r.Method, Path: r.URL.Path}
	defer q.dropUpload() //nolint:contextcheck // files are removed whoever has left
	err := q.readForm()
	if errors.Is(err, errDropped) {
		return
	}
	if f := s.takeFault(q); f != nil {
		q.log.Status = f.Status
		if f.play(w, r, func() { s.record(q.log) }) {
			return
		}
	}
	var answer any
	s.showRequestLog(q)
	q.snap = s.data.Load()
	if err == nil {
		answer, err = q.handle()
	}
	q.flushWebhooks()
	q.write(w, answer, err)                                                                                               //nolint:contextcheck // the call has its own
	s.logger.DebugContext(q.req.Context(), "simulator", "method", r.Method, "path", r.URL.Path, "doctype", q.log.DocType, //nolint:contextcheck // of the request
		"user", q.log.User, "status", q.log.Status, "rows", q.log.Rows)
}

var errDropped = errors.New("the client went away")

// handle authenticates and routes.
func (q *call) handle() (any, error) {
	path := q.req.URL.Path
	if err := q.authenticate(); err != nil {
		return nil, err
	}
	if q.req.Method == http.MethodOptions {
		return rawAnswer{contentType: "text/plain; charset=utf-8"}, nil
	}
	rest, ok := strings.CutPrefix(path, "/api/")
	switch {
	case ok && q.v2:
		return q.routeV2(strings.TrimPrefix(rest, "v2/"))
	case ok:
		return q.routeV1(strings.TrimPrefix(rest, "v1/"))
	case path == "/.well-known/openid-configuration":
		return redirect{to: "/api/method/frappe.integrations.oauth2.openid_configuration", status: http.StatusMovedPermanently}, nil
	case strings.HasPrefix(path, "/files/"), strings.HasPrefix(path, "/private/files/"):
		return q.serveFile(path)
	default:
		return q.browse(path)
	}
}

// write sends the answer or the failure.
func (q *call) write(w http.ResponseWriter, answer any, err error) {
	for _, c := range q.cookies {
		http.SetCookie(w, c)
	}
	if err != nil {
		q.writeFailure(w, err)
		return
	}
	status := q.status
	if status == 0 {
		status = http.StatusOK
	}
	if r, ok := answer.(redirect); ok {
		w.Header().Set("Location", r.to)
		q.send(w, cmp.Or(r.status, http.StatusFound), "text/html; charset=utf-8", []byte("<!doctype html>\n<title>Redirecting...</title>\n"))
		return
	}
	if f, ok := answer.(fileAnswer); ok {
		q.sendFile(w, f)
		return
	}
	if raw, ok := answer.(rawAnswer); ok {
		if raw.page {
			w.Header().Set("Content-Security-Policy", pagePolicy)
			w.Header().Set("Cache-Control", "no-store")
		}
		q.send(w, status, raw.contentType, raw.body)
		return
	}
	q.writeBody(w, status, answer)
}

// writeBody sends an answer in JSON.
func (q *call) writeBody(w http.ResponseWriter, status int, answer any) {
	body := q.sessionNote()
	switch v := answer.(type) {
	case topLevel:
		body = object(v)
	case wrapped:
		body = append(body, member{"data", v.data})
	case nil:
	default:
		key := "message"
		if q.v2 {
			key = "data"
		}
		body = append(body, member{key, v})
	}
	if len(q.notes) > 0 && !q.v2 {
		body = append(body, member{"_server_messages", jsonList(q.notes)})
	}
	q.send(w, status, "application/json", encodeJSON(body))
}

// sessionNote tells a client of version 1 that its session is over.
func (q *call) sessionNote() object {
	if !q.expired || q.v2 {
		return object{}
	}
	return object{{"session_expired", int64(1)}}
}

// wrapped is an answer that stands under "data", as those of /api/resource do.
type wrapped struct{ data any }

func (q *call) writeFailure(w http.ResponseWriter, err error) {
	var f *wireError
	if !errors.As(err, &f) {
		q.s.logger.ErrorContext(q.req.Context(), "simulator", "error", err)
		f = python("RuntimeError", err.Error())
	}
	switch {
	case f.body != nil:
		q.send(w, f.status, "application/json", encodeJSON(f.body))
	case f.html != "":
		q.send(w, f.status, "text/html", []byte(f.html))
	case strings.HasPrefix(q.req.Header.Get("Accept"), "text"):
		q.send(w, f.status, "text/html; charset=utf-8", errorPage(f))
	case q.v2:
		q.send(w, f.status, "application/json", encodeJSON(f.bodyV2()))
	default:
		q.send(w, f.status, "application/json", encodeJSON(append(q.sessionNote(), f.bodyV1()...)))
	}
}

// send puts the call on record and then sends its answer: whoever has the answer finds
// the call in Calls.
func (q *call) send(w http.ResponseWriter, status int, contentType string, body []byte) {
	q.log.User, q.log.Status = cmp.Or(q.log.User, q.user.name), status
	q.s.record(q.log)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if q.req.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have gone; nobody else is to be told
	}
}

// bodyV1 is the error of /api and /api/v1. An exception that means 404 is not shown.
func (f *wireError) bodyV1() object {
	var o object
	shown := f.status != http.StatusNotFound && !f.silent
	if shown {
		o = append(o, member{"exception", f.exception()})
	}
	o = append(o, member{"exc_type", f.typ})
	if shown {
		trace := "Traceback (most recent call last):\n  File \"apps/frappe/frappe/app.py\", line 1, in application\n" + f.exception() + "\n"
		o = append(o, member{"exc", string(encodeJSON([]string{trace}))})
	}
	if f.debug {
		o = append(o, member{"_debug_messages", string(encodeJSON([]string{"Error in query:\nselect ..."}))})
	}
	if len(f.messages) > 0 {
		o = append(o, member{"_server_messages", jsonList(f.messages)})
	}
	if f.errorMessage != "" {
		o = append(o, member{"_error_message", f.errorMessage})
	}
	return append(o, f.extra...)
}

// bodyV2 is the error of /api/v2: the message that came with the exception is merged in.
func (f *wireError) bodyV2() object {
	e := object{{"type", f.typ}}
	if f.status != http.StatusNotFound {
		e = append(e, member{"exception", "Traceback (most recent call last):\n" + f.exception() + "\n"})
	}
	// The message that came with the exception is the last; of messages before it that
	// carry no identifier the first is taken for it.
	rest := slices.Clone(f.messages)
	if len(rest) > 0 {
		own := 0
		if _, ok := rest[0].lookup("__frappe_exc_id"); ok {
			own = len(rest) - 1
		}
		e = append(e, rest[own].without("__frappe_exc_id", "raise_exception")...)
		rest = slices.Delete(rest, own, own+1)
	}
	o := object{{"errors", []object{e}}}
	if len(rest) > 0 {
		o = append(o, member{"messages", rest})
	}
	return o
}

// jsonList is a list of objects, each as JSON in a text, the list as JSON in a text.
func jsonList(list []object) string {
	texts := make([]string, len(list))
	for i, o := range list {
		texts[i] = string(encodeJSON(o))
	}
	return string(encodeJSON(texts))
}

func errorPage(f *wireError) []byte {
	title := "Server Error"
	switch f.status {
	case http.StatusUnauthorized:
		title = "Session Expired"
	case http.StatusForbidden:
		title = "Not Permitted"
	case http.StatusNotFound:
		title = "Not Found"
	}
	return []byte("<!DOCTYPE html>\n<!-- Built on Frappe. https://frappeframework.com/ -->\n<html lang=\"en\">\n<head>\n<title>" +
		title + "</title>\n</head>\n<body><pre>" + html.EscapeString(f.exception()) + "</pre></body>\n</html>\n")
}
