package session

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"erpgraph/internal/origin"
)

// checkPublicURL gives the origin of the public address, and whether cookies can be of the
// protected kind.
func checkPublicURL(u *url.URL) (own string, secure bool, err error) {
	if u.Path != "" && u.Path != "/" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", false, errors.New("session: the public address must be a scheme and a host: cookies are for the whole host")
	}
	if own = origin.Of(u); own == "" {
		return "", false, errors.New("session: the public address must begin with https:// and name its host as it is in DNS: other letters than those of ASCII as xn--")
	}
	if secure = strings.HasPrefix(own, "https://"); !secure && !origin.IsLoopback(u.Hostname()) {
		return "", false, errors.New("session: the public address must begin with https://; http:// is for this machine alone")
	}
	return own, secure, nil
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
	if m.cookies.secure || origin.Of(&url.URL{Scheme: "http", Host: r.Host}) == m.origin {
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
