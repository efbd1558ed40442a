package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault makes matching requests go wrong.
type Fault struct {
	// DocType and Path choose requests; empty matches all. Path is a part of the URL's path.
	DocType string
	Path    string
	// Count is how many requests are hit, 0 for all of them.
	Count int

	// Latency passes before anything else happens; the request's context cuts it short.
	Latency time.Duration
	// Status is answered with Body, or, if that is empty, with the body that Frappe or the
	// proxy in front of it gives with such a status.
	// 0 lets the request be answered as usual, after Latency.
	Status int
	// RetryAfter is sent as the header of that name, in seconds.
	RetryAfter string
	// ContentType of Body, "application/json" if empty.
	ContentType string
	Body        string
	// Cut announces the whole body but sends half of it and closes the connection.
	Cut bool
	// Drop closes the connection without any answer.
	Drop bool
}

// SetFault adds a fault; faults are tried in the order in which they were set.
func (s *Server) SetFault(f Fault) {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	s.faults = nil
}

// takeFault returns the fault that hits the request, if any, and counts it.
func (s *Server) takeFault(q *call) *Fault {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	i := slices.IndexFunc(s.faults, func(f *Fault) bool { return f.hits(q) })
	if i < 0 {
		return nil
	}
	f := *s.faults[i]
	if s.faults[i].Count == 1 {
		s.faults = slices.Delete(s.faults, i, i+1)
	} else if f.Count > 0 {
		s.faults[i].Count--
	}
	return &f
}

func (f *Fault) hits(q *call) bool {
	if f.Path != "" && !strings.Contains(q.req.URL.Path, f.Path) {
		return false
	}
	return f.DocType == "" || q.doctype() == f.DocType
}

// doctype is the DocType that a request is about, as its path or its arguments say.
func (q *call) doctype() string {
	for _, prefix := range []string{"/api/resource/", "/api/v1/resource/", "/api/v2/document/"} {
		if rest, ok := strings.CutPrefix(q.req.URL.Path, prefix); ok {
			doctype, _, _ := strings.Cut(rest, "/")
			return doctype
		}
	}
	return q.arg("doctype")
}

// play acts the fault out; false lets the request go on, and done is not called then.
func (f *Fault) play(w http.ResponseWriter, r *http.Request, done func()) bool {
	if f.Latency > 0 {
		timer := time.NewTimer(f.Latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			done()
			return true
		}
	}
	if f.Drop {
		done()
		panic(http.ErrAbortHandler) // the way to close a connection, by net/http's own rules
	}
	if f.Status == 0 {
		return false
	}
	done()
	h := w.Header()
	if f.RetryAfter != "" {
		h.Set("Retry-After", f.RetryAfter)
	}
	contentType, body := f.content()
	h.Set("Content-Type", contentType)
	if f.Cut {
		// Without a length the answer is chunked; an aborted one lacks its last chunk.
		w.WriteHeader(f.Status)
		_, _ = w.Write([]byte(body[:len(body)/2]))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(body))
	return true
}

// content is what is sent: what the test gave, or what the real parts answer with such a
// status. The proxy in front of Frappe speaks HTML.
func (f *Fault) content() (contentType, body string) {
	switch {
	case f.Body != "":
		return cmp.Or(f.ContentType, "application/json"), f.Body
	case f.Status == http.StatusBadGateway || f.Status == http.StatusGatewayTimeout:
		title := fmt.Sprintf("%d %s", f.Status, http.StatusText(f.Status))
		return "text/html", "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
			"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	}
	var e *wireError
	switch f.Status {
	case http.StatusTooManyRequests:
		e = raised("TooManyRequestsError", "")
	case http.StatusServiceUnavailable:
		e = raised("SessionStopped", "Session Stopped")
	case http.StatusUnauthorized:
		e = raised("AuthenticationError", "")
	case http.StatusForbidden:
		e = raised("PermissionError", "")
	default:
		e = python("pymysql.err.OperationalError", `(2006, "Server has gone away")`)
	}
	return "application/json", string(encodeJSON(e.bodyV1()))
}
