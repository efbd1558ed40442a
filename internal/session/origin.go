package session

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"erpgraph/internal/apierror"
)

// originOf writes a scheme and a host, with a port or without, as browsers write an
// origin: in lower case, without the scheme's own port, and an IPv6 address in its
// shortest form (URL Standard, host serializing; HTML, 7.1.1).
func originOf(scheme, host string) string {
	scheme = strings.ToLower(scheme)
	u := url.URL{Host: host}
	name, port := strings.ToLower(u.Hostname()), u.Port()
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		name = "[" + ip.String() + "]"
	}
	port = strings.TrimLeft(port, "0")
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + name
	}
	return scheme + "://" + name + ":" + port
}

// checkPublicURL tells whether cookies can be of the protected kind.
func checkPublicURL(u *url.URL) (secure bool, err error) {
	if u.Host == "" || u.Path != "" && u.Path != "/" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false, errors.New("session: the public address must be a scheme and a host: cookies are for the whole host")
	}
	host := strings.ToLower(u.Hostname())
	ip := net.ParseIP(host)
	if ip == nil && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return false, errors.New("session: the public address must name its host as it is in DNS: other letters than those of ASCII as xn--")
	}
	switch u.Scheme {
	case "https":
		return true, nil
	case "http":
		if host == "localhost" || ip != nil && ip.IsLoopback() {
			return false, nil
		}
		return false, errors.New("session: the public address must begin with https://; http:// is for this machine alone")
	}
	return false, errors.New("session: the public address must begin with https://")
}

// checkOrigin refuses what a page of another site can make a browser send: a form, or a
// request without the server's consent.
func (m *Manager) checkOrigin(r *http.Request) error {
	if r.Header.Get("GraphQL-Preflight") == "" && !isJSON(r) {
		return apierror.New(apierror.Forbidden, "this needs Content-Type: application/json or a header GraphQL-Preflight, as protection from other sites' forms")
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 {
		return apierror.New(apierror.Forbidden, "the request has %d Origin headers", len(origins))
	}
	if len(origins) == 1 {
		if origin := origins[0]; origin == "null" || origin != m.origin && !m.allowOrigin(origin) {
			return apierror.New(apierror.Forbidden, "pages of this origin may not do this")
		}
		return nil
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return nil
	}
	return apierror.New(apierror.Forbidden, "pages of other sites may not do this")
}

const (
	// movedSuffix ends the name of the cookie of a browser that was sent elsewhere.
	movedSuffix = "-moved"
	// movedTime is how long it is kept: to follow a redirect takes no time.
	movedTime = 5 * time.Second
)

// elsewhere sends a browser on this machine that came by another name than the one that
// ERPNext sends it back to, localhost instead of 127.0.0.1, to that one: its cookies would
// stay behind. A browser that brings the mark along was there already, and it is a proxy
// that writes another Host: to send it again would be for ever. With https the host is the
// proxy's affair.
func (m *Manager) elsewhere(w http.ResponseWriter, r *http.Request) bool {
	if m.cookies.secure || originOf("http", r.Host) == m.origin {
		return false
	}
	if len(r.CookiesNamed(m.cookies.name(movedSuffix))) > 0 {
		m.cookies.clear(w, movedSuffix)
		return false
	}
	m.cookies.set(w, movedSuffix, "1", movedTime)
	w.Header().Set("Location", m.origin+r.URL.RequestURI())
	w.WriteHeader(http.StatusFound)
	return true
}
