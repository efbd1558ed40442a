package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// origins tells the pages that may use a session apart from all others: those of the
// service itself, and those of the allow-list.
type origins struct {
	own     string // of Options.PublicURL; "" where that is not set
	allowed map[string]bool
}

// newOrigins reads Options.PublicURL and Options.Origins. The error names the option
// and how to mend it.
func newOrigins(publicURL string, allowed []string) (*origins, error) {
	o := &origins{allowed: make(map[string]bool, len(allowed))}
	if publicURL != "" {
		u, err := url.Parse(publicURL)
		if err != nil || !isOriginURL(u) {
			return nil, fmt.Errorf("httpapi: Options.PublicURL %q is no address that begins with http:// or https://", publicURL)
		}
		o.own = originOf(u)
	}
	for _, text := range allowed {
		u, err := url.Parse(text)
		if err != nil || !isOriginURL(u) || strings.Contains(text, "*") {
			return nil, fmt.Errorf("httpapi: Options.Origins: %q is no origin; write each one in full, such as https://app.example.com", text)
		}
		if exact := originOf(u); exact != text {
			return nil, fmt.Errorf("httpapi: Options.Origins: %q is not as browsers send it; write %s", text, exact)
		}
		o.allowed[text] = true
	}
	return o, nil
}

// IsOrigin tells whether a text is an origin as browsers send it: scheme and host in
// lower case, the port where it is not the scheme's own, and no more.
func IsOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && isOriginURL(u) && !strings.Contains(text, "*") && originOf(u) == text
}

// isOriginURL says whether a URL has what an origin is made of. Browsers send names beyond
// ASCII as punycode.
func isOriginURL(u *url.URL) bool {
	ascii := !strings.ContainsFunc(u.Host, func(r rune) bool { return r >= utf8.RuneSelf })
	return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && ascii
}

// originOf writes the origin of a URL as browsers do: in lower case, without path and
// without the scheme's own port (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin).
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host
}

// isOwn says whether origin is that of the service. Without a public URL it is the host
// that the request was sent to, under either scheme, as a proxy may end TLS.
func (o *origins) isOwn(r *http.Request, origin string) bool {
	if o.own != "" {
		return origin == o.own
	}
	host := strings.ToLower(r.Host)
	return host != "" && (origin == "http://"+host || origin == "https://"+host)
}

// allows says whether origin is in the allow-list. "null", which sandboxed and local
// pages send, never is.
func (o *origins) allows(origin string) bool { return o.allowed[origin] }

// site is where a request comes from, as the browser tells it.
type site int

const (
	siteUnknown site = iota // no browser, or one that does not say
	siteOwn                 // a page of the service, or the user: address bar, bookmark
	siteAllowed             // a page of the allow-list
	siteForeign
)

// siteOf reads Origin and Sec-Fetch-Site, which pages can't forge. What contradicts
// itself is foreign.
func (o *origins) siteOf(r *http.Request) site {
	given, fetch := r.Header.Values("Origin"), r.Header.Get("Sec-Fetch-Site")
	var from site
	switch {
	case len(given) > 1:
		return siteForeign
	case len(given) == 0:
	case o.allows(given[0]):
		return siteAllowed
	case o.isOwn(r, given[0]):
		from = siteOwn
	default:
		return siteForeign
	}
	switch fetch {
	case "":
		return from
	case "same-origin", "none":
		return siteOwn
	}
	return siteForeign
}
