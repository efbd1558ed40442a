package httpapi

import (
	"fmt"
	"net/http"
	"net/url"

	"erpgraph/internal/origin"
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
		if o.own = originOf(publicURL); o.own == "" {
			return nil, fmt.Errorf("httpapi: Options.PublicURL %q is no address that begins with http:// or https://", publicURL)
		}
	}
	for _, text := range allowed {
		switch exact := originOf(text); exact {
		case "":
			return nil, fmt.Errorf("httpapi: Options.Origins: %q is no origin; write each one in full, such as https://app.example.com", text)
		case text:
			o.allowed[text] = true
		default:
			return nil, fmt.Errorf("httpapi: Options.Origins: %q is not as browsers send it; write %s", text, exact)
		}
	}
	return o, nil
}

// originOf is the origin of an address that a person wrote; "" where it has none, or has
// what no origin has: a user.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User != nil {
		return ""
	}
	return origin.Of(u)
}

// isOwn says whether from is the origin of the service. Without a public URL it is the
// host that the request was sent to, under either scheme, as a proxy may end TLS.
func (o *origins) isOwn(r *http.Request, from string) bool {
	if o.own != "" {
		return from == o.own
	}
	return from != "" && (from == origin.Of(&url.URL{Scheme: "http", Host: r.Host}) || from == origin.Of(&url.URL{Scheme: "https", Host: r.Host}))
}

// allows says whether an origin is in the allow-list. "null", which sandboxed and local
// pages send, never is.
func (o *origins) allows(from string) bool { return o.allowed[from] }

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
