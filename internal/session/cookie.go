package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"
)

const (
	// idBytes is the length of a session id: it can't be guessed.
	idBytes = 32
	// logDigits is how much of an id's hash a log line shows.
	logDigits = 16
	// cookieName is the session's cookie, where it can't be a __Host- one.
	cookieName = "erpgraph"
	// hostPrefix makes browsers take a cookie only from an encrypted connection to this
	// very host, for all paths: no subdomain can plant one (RFC 6265bis, 4.1.3.2).
	hostPrefix = "__Host-"
)

// newID makes a session id and its hash.
func newID() (id string, hash []byte) {
	raw := make([]byte, idBytes)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw), hashID(raw)
}

func hashID(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:]
}

// logID names a session in logs.
func logID(hash []byte) string { return hex.EncodeToString(hash)[:logDigits] }

// cookies knows how this service names and protects its cookies.
type cookies struct {
	// secure is false only on loopback over plain http, where browsers would not keep
	// a __Host- cookie.
	secure bool
}

func (c cookies) name(suffix string) string {
	if c.secure {
		return hostPrefix + cookieName + suffix
	}
	return cookieName + suffix
}

// set gives the browser a cookie that scripts can't read and other sites' forms don't
// send. Lax and not Strict: the way back from ERPNext begins on its site.
func (c cookies) set(w http.ResponseWriter, suffix, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure, but over plain http on loopback
		Name: c.name(suffix), Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (c cookies) clear(w http.ResponseWriter, suffix string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: as above
		Name: c.name(suffix), Path: "/", MaxAge: -1,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// session gives the hash of the session id that a request carries. present tells
// whether there is a cookie, hash is nil where it is none of ours: malformed, or more
// than one, of which somebody else planted one.
func (c cookies) session(r *http.Request) (hash []byte, present bool) {
	all := c.sessions(r)
	if n := len(r.CookiesNamed(c.name(""))); n != 1 || len(all) != 1 {
		return nil, n > 0
	}
	return all[0], true
}

// sessions gives the hashes of all session ids that a request carries.
func (c cookies) sessions(r *http.Request) (hashes [][]byte) {
	for _, found := range r.CookiesNamed(c.name("")) {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(found.Value)
		if err == nil && len(raw) == idBytes {
			hashes = append(hashes, hashID(raw))
		}
	}
	return hashes
}
