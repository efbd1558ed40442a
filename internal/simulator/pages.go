package simulator

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// The pages for a browser, without scripts; layout.html is around each.
//
//go:embed pages/*.html
var pageFiles embed.FS

func parsePages() (*template.Template, error) {
	t, err := template.ParseFS(pageFiles, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("simulator: pages: %w", err)
	}
	return t, nil
}

// page renders one of them.
func (q *call) page(name, title string, data any) (any, error) {
	var content, out bytes.Buffer
	if err := q.s.pages.ExecuteTemplate(&content, name, data); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	err := q.s.pages.ExecuteTemplate(&out, "layout.html", struct {
		Title   string
		Content template.HTML
	}{title, template.HTML(content.String())}) //nolint:gosec // a template has just escaped it
	if err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return rawAnswer{contentType: "text/html; charset=utf-8", page: true, body: out.Bytes()}, nil
}

// browse answers what is neither API nor file.
func (q *call) browse(path string) (any, error) {
	switch {
	case path == "/" && q.arg("cmd") == "web_logout":
		return q.webLogout()
	case path == "/":
		return q.homePage()
	case path == "/login":
		return q.loginPage()
	case path == "/third_party_apps":
		return q.appsPage()
	case path == "/app", strings.HasPrefix(path, "/app/"):
		return q.deskPage()
	default:
		return nil, htmlFailure(http.StatusNotFound, "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>Not Found</title></head>\n"+
			"<body><h1>Page not found</h1></body>\n</html>\n")
	}
}

func (q *call) webLogout() (any, error) {
	if _, err := q.logout(); err != nil {
		return nil, err
	}
	return q.page("message.html", "Logged Out", "You have been logged out.")
}

// homePage says what this is.
func (q *call) homePage() (any, error) {
	return q.page("home.html", "Simulated ERPNext", struct{ User, Version string }{q.signedIn(), q.s.versions.ERPNext})
}

func (q *call) signedIn() string {
	if q.user.isGuest() {
		return ""
	}
	return q.user.name
}

// loginPage is a form for a browser that was sent to log in. The original does this by
// script.
func (q *call) loginPage() (any, error) {
	to := q.arg("redirect-to")
	failure := ""
	switch {
	case q.req.Method == http.MethodPost:
		_, err := q.login()
		if err == nil {
			return redirect{to: q.local(to)}, nil
		}
		failure = "Wrong user or password, or the user is disabled."
		q.status = http.StatusUnauthorized
	case !q.user.isGuest():
		return redirect{to: q.local(to), status: http.StatusMovedPermanently}, nil
	}
	type hint struct{ User, Text, Link string }
	var hints []hint
	for _, h := range q.s.loginHints {
		user, text, _ := strings.Cut(h, " ")
		hints = append(hints, hint{user, text, "/login?" + encodeParams(object{{"usr", user}, {"redirect-to", to}})})
	}
	return q.page("login.html", "Login", struct {
		To, User, Failure string
		Hints             []hint
	}{to, q.arg("usr"), failure, hints})
}

// deskPage stands for the desk, which is not simulated: loading it has writes of the
// session need a token from then on.
func (q *call) deskPage() (any, error) {
	if q.user.isGuest() {
		return redirect{to: "/login?redirect-to=" + quote(q.req.URL.RequestURI()), status: http.StatusMovedPermanently}, nil
	}
	csrf := ""
	if q.sid != "" {
		csrf = q.s.sessions.guard(q.sid)
		q.s.secrets.add(csrf)
	}
	return q.page("desk.html", "Desk", struct{ User, CSRF string }{q.user.name, csrf})
}
