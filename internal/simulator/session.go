package simulator

import (
	"crypto/subtle"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// sessions are the password sessions of browsers.
type sessions struct {
	mu   sync.Mutex
	byID map[string]session
}

type session struct {
	user string
	// csrf is what writes must send along, from the moment on that a page of the desk was
	// loaded; empty before.
	csrf string
}

// maxSessions bounds them, for a demo that runs for long.
const maxSessions = 10_000

func newSessions() *sessions { return &sessions{byID: make(map[string]session)} }

func (s *sessions) begin(user string) string {
	id := secretText()
	s.mu.Lock()
	defer s.mu.Unlock()
	for old := range s.byID {
		if len(s.byID) < maxSessions {
			break
		}
		delete(s.byID, old)
	}
	s.byID[id] = session{user: user}
	return id
}

func (s *sessions) get(id string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.byID[id]
	return v, ok
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
}

func (s *sessions) endAll(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.byID)
	maps.DeleteFunc(s.byID, func(_ string, v session) bool { return v.user == user })
	return before - len(s.byID)
}

// guard makes the session's token against forged requests, once.
func (s *sessions) guard(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.byID[id]
	if ok && v.csrf == "" {
		v.csrf = secretText()
		s.byID[id] = v
	}
	return v.csrf
}

func (s *sessions) clone() *sessions {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &sessions{byID: maps.Clone(s.byID)}
}

// Names and lifetime of the cookies that a session has.
const (
	sessionCookie = "sid"
	sessionLife   = 170 * time.Hour
)

var identityCookies = []string{sessionCookie, "system_user", "full_name", "user_id", "user_image"}

// resume finds the user of the request's session, nil for none. A session beats any other
// credential of the same request.
func (q *call) resume() *account {
	c, err := q.req.Cookie(sessionCookie)
	if err != nil || c.Value == "" || c.Value == guest {
		return nil
	}
	v, ok := q.s.sessions.get(c.Value)
	a := q.snap.users[v.user]
	if ok && a != nil && q.snap.enabled(q.s.collation, a.name) {
		q.sid, q.csrf = c.Value, v.csrf
		return a
	}
	q.s.sessions.end(c.Value)
	q.expired = true
	q.clearIdentity()
	return nil
}

func (s *snapshot) enabled(col *collation, user string) bool {
	d := s.document(col, "User", user)
	return d != nil && d.get("enabled").truthy()
}

// checkCSRF refuses a write of a session that does not bring the session's token, in a
// header or as a field.
func (q *call) checkCSRF() error {
	switch q.req.Method {
	case http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch:
	default:
		return nil
	}
	sent := q.req.Header.Get("X-Frappe-CSRF-Token")
	if sent == "" {
		sent = q.arg("csrf_token")
		q.form = q.form.without("csrf_token")
	}
	if q.csrf == "" || q.req.URL.Path == "/login" || subtle.ConstantTimeCompare([]byte(sent), []byte(q.csrf)) == 1 {
		return nil
	}
	f := thrown("CSRFTokenError", "Invalid Request")
	f.silent = true
	return f
}

// login checks a password and begins a session.
func (q *call) login() (any, error) {
	a := q.snap.users[q.arg("usr")]
	if a == nil || a.password == "" || subtle.ConstantTimeCompare([]byte(a.password), []byte(q.arg("pwd"))) != 1 {
		return nil, loginFailure("Invalid login credentials")
	}
	if !q.snap.enabled(q.s.collation, a.name) {
		return nil, loginFailure("User disabled or missing")
	}
	sid := q.s.sessions.begin(a.name)
	q.s.secrets.add(sid)
	q.setIdentity(sid, a)
	q.user = a
	if a.desk || a.isAdmin() {
		return topLevel{{"message", "Logged In"}, {"home_page", "/app/home"}, {"full_name", a.fullName}}, nil
	}
	return topLevel{{"message", "No App"}, {"home_page", "/me"}, {"full_name", a.fullName}}, nil
}

func loginFailure(message string) error {
	f := raised("AuthenticationError", "")
	f.extra = object{{"message", message}}
	return f
}

// logout ends the session, if there is one.
func (q *call) logout() (any, error) {
	q.s.sessions.end(q.sid)
	q.clearIdentity()
	q.user = &guestAccount
	return topLevel{{"message", "No App"}, {"home_page", "/login"}, {"full_name", guest}}, nil
}

// setIdentity sends the cookies that tell who the browser is: the session's, and those that
// the original's scripts read.
func (q *call) setIdentity(sid string, a *account) {
	system := "no"
	if a.desk || a.isAdmin() {
		system = "yes"
	}
	image := ""
	if d := q.snap.document(q.s.collation, "User", a.name); d != nil {
		image = d.get("user_image").s
	}
	for i, v := range []string{sid, system, a.fullName, a.name, image} {
		c := q.newCookie(identityCookies[i], quote(v)) //nolint:gosec // G124: as there
		if c.Name == sessionCookie {
			c.HttpOnly, c.MaxAge = true, int(sessionLife/time.Second)
		}
	}
}

func (q *call) clearIdentity() {
	for _, name := range identityCookies {
		q.newCookie(name, "").MaxAge = -1 //nolint:gosec // G124: as newCookie
	}
}

// newCookie adds a cookie to the answer, in place of one of the same name.
func (q *call) newCookie(name, v string) *http.Cookie {
	c := &http.Cookie{Name: name, Value: v, Path: "/", Secure: q.req.TLS != nil, SameSite: http.SameSiteLaxMode} //nolint:gosec // only the session's cookie is kept from scripts, as there
	for i := range q.cookies {
		if q.cookies[i].Name == name {
			q.cookies[i] = c
			return c
		}
	}
	q.cookies = append(q.cookies, c)
	return c
}

// local keeps a redirect on this site.
func (q *call) local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Host != "" && u.Host != q.req.Host || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return u.RequestURI()
}
