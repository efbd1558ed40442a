package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"

	"erpgraph/internal/apierror"
)

// refusal is a sign-in that did not come to its end.
type refusal struct {
	status int
	// text is for the person; reason and user are for the audit log.
	text, reason, user string
	// returnTo is where the person wanted to go; "" where it is not known.
	returnTo string
	cause    error // an outage
	level    slog.Level
}

// What a person reads.
const (
	denied        = "You did not allow this app to use your ERPNext account. Nothing was changed, and nobody is signed in."
	badLink       = "This address is not complete."
	notBegun      = "This sign-in was begun in another browser, was used before, or took too long."
	contradiction = "ERPNext’s answers contradict each other, so nobody was signed in. Please tell the administrator."
	disabledUser  = "Your user is disabled in ERPNext. Please ask the administrator."
	busy          = "Too many users are signing in at this moment; please try again."
	noService     = "ERPNext or the app’s database does not answer at the moment."
)

func refuse(status int, text, reason string) *refusal {
	return &refusal{status: status, text: text, reason: reason, level: slog.LevelWarn}
}

// deniedBy is a refusal by ERPNext. Its word comes by the browser, so that it is
// repeated only if it is one that OAuth knows (RFC 6749, 4.1.2.1).
func deniedBy(code string) *refusal {
	switch code {
	case "access_denied":
		return refuse(http.StatusForbidden, denied, code)
	case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error", "temporarily_unavailable":
		return refuse(http.StatusForbidden, contradiction, code)
	}
	return refuse(http.StatusForbidden, denied, "an unknown error")
}

func outOfOrder(err error) *refusal {
	no := refuse(apierror.CodeOf(err).HTTPStatus(), noService, "an outage")
	no.cause = err
	return no
}

const pageStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}` +
	`@media(prefers-color-scheme:dark){body{background:#15181d;color:#e6e6e6}a{color:#8ab4f8}}`

// page has no script, and its one style is named by its hash in the policy.
var page = template.Must(template.New("refusal").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Not signed in</title>
<style>` + pageStyle + `</style>
<h1>Not signed in</h1>
<p>{{.Text}}</p>
<p><a id="again" href="{{.Again}}">Try again</a></p>
</html>
`))

// refusePage answers a callback that did not sign in.
func (m *Manager) refusePage(w http.ResponseWriter, r *http.Request, no *refusal) {
	if no.cause != nil {
		m.warn(r.Context(), no.cause)
	}
	m.auditAt(r.Context(), no.level, refused, no.user, nil, no.reason)
	again := loginPath
	if no.returnTo != "" && no.returnTo != "/" {
		again += "?" + url.Values{"return_to": {no.returnTo}}.Encode()
	}
	var body bytes.Buffer
	if err := page.Execute(&body, map[string]string{"Text": no.text, "Again": again}); err != nil {
		m.refuseJSON(w, r, err)
		return
	}
	sum := sha256.Sum256([]byte(pageStyle))
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(no.status)
	_, _ = w.Write(body.Bytes()) // who does not listen can't be told
}
