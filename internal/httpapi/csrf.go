package httpapi

import (
	"mime"
	"net/http"

	"erpgraph/internal/apierror"
)

// preflightHeaders are headers that a page of another origin can send only after the
// browser has asked this service first (a CORS preflight); what they say does not
// matter. The first is the one that erpgraph documents, the others are what Apollo's
// and older clients send.
var preflightHeaders = [...]string{"GraphQL-Preflight", "Apollo-Require-Preflight", "X-Requested-With"}

// NewForgeryCheck gives the rule for a request that changes something with a browser's
// session, for handlers that httpapi serves and does not know: the error of the check is
// FORBIDDEN. publicURL and allowed are as in [Options]; the error tells which is wrong.
func NewForgeryCheck(publicURL string, allowed []string) (check func(*http.Request) error, err error) {
	from, err := newOrigins(publicURL, allowed)
	if err != nil {
		return nil, err
	}
	return from.checkForgery, nil
}

// checkForgery refuses a request with a browser's session that a foreign page could
// have made the browser send. Browsers attach the cookie on their own, so the request
// must show that a script sent it which the browser lets talk to this service; and where
// the browser says what page it was, that must be one of ours or of the allow-list.
//
// The cookie is SameSite=Lax as well; this does not lean on it, as sites under one
// domain are the same site. The error is FORBIDDEN.
func (o *origins) checkForgery(r *http.Request) error {
	if o.siteOf(r) == siteForeign {
		return o.foreign()
	}
	if r.Method == http.MethodPost && isJSON(r.Header.Get("Content-Type")) {
		return nil
	}
	for _, name := range preflightHeaders {
		if r.Header.Get(name) != "" {
			return nil
		}
	}
	return apierror.New(apierror.Forbidden,
		"a request with a session's cookie needs the Content-Type application/json (POST) or the header %s: 1", preflightHeaders[0])
}

// checkStream is the rule for a stream of events that uses a browser's session. EventSource
// sends a GET without any header of its own, so the browser itself has to say that the page
// is one of ours or of the allow-list; and no page can send PUT or DELETE to another origin
// without the browser asking first. The error is FORBIDDEN.
func (o *origins) checkStream(r *http.Request) error {
	if from := o.siteOf(r); r.Method != http.MethodPost && (from == siteOwn || from == siteAllowed) {
		return nil
	}
	return o.checkForgery(r)
}

// checkDownload is the rule for a file that is read with a browser's session. It changes
// nothing, so a link may lead to it from anywhere; but no foreign page may load it as a
// part of itself. The error is FORBIDDEN.
func (o *origins) checkDownload(r *http.Request) error {
	visited := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" && len(r.Header.Values("Origin")) == 0
	if o.siteOf(r) == siteForeign && !visited {
		return o.foreign()
	}
	return nil
}

func (o *origins) foreign() error {
	return apierror.New(apierror.Forbidden,
		"the page that sent this request may not use its user's session; PUBLIC_URL or CORS_ORIGINS of the server must name its origin")
}

func isJSON(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == plainJSON
}
