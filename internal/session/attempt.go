package session

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"erpgraph/internal/oauth"
)

const (
	// attemptLife is how long a user may take to log in at ERPNext and to allow.
	attemptLife = 10 * time.Minute
	// maxAttempts bounds the sign-ins that a browser has begun in several tabs, for the
	// sake of the Cookie header's length.
	maxAttempts = 5
	// attemptSuffix begins the suffix of their cookies' names.
	attemptSuffix = "-login-"
)

// attempt is a sign-in that was begun. It travels sealed in a cookie of its own, so
// that only the browser that began it can end it.
type attempt struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	ReturnTo string    `json:"returnTo"`
	Expires  time.Time `json:"expires"`
}

func newAttempt(returnTo string, now time.Time) attempt {
	return attempt{
		State: oauth.Verifier(), Nonce: oauth.Verifier(), Verifier: oauth.Verifier(),
		ReturnTo: returnTo, Expires: now.Add(attemptLife),
	}
}

// suffixOf names the cookie of a state, without telling the state.
func suffixOf(state string) string {
	return attemptSuffix + hex.EncodeToString(hashState(state)[:4])
}

func hashState(state string) []byte {
	sum := sha256.Sum256([]byte("erpgraph state\x00" + state))
	return sum[:]
}

// sealAttempt gives the cookie's value.
func (m *Manager) sealAttempt(a attempt) (string, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(m.keys.seal(forSignIn, []byte(suffixOf(a.State)), text)), nil
}

// openAttempt reads a cookie's value; false for what is not of ours or is over.
func (m *Manager) openAttempt(suffix, value string) (attempt, bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return attempt{}, false
	}
	text, err := m.keys.open(forSignIn, []byte(suffix), sealed)
	if err != nil {
		return attempt{}, false
	}
	var a attempt
	if json.Unmarshal(text, &a) != nil || !m.now().Before(a.Expires) {
		return attempt{}, false
	}
	return a, true
}

// attemptOf finds the sign-in that a callback's state belongs to.
func (m *Manager) attemptOf(r *http.Request, state string) (attempt, bool) {
	suffix := suffixOf(state)
	for _, cookie := range r.CookiesNamed(m.cookies.name(suffix)) {
		a, ok := m.openAttempt(suffix, cookie.Value)
		if ok && subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) == 1 {
			return a, true
		}
	}
	return attempt{}, false
}

// begun is a sign-in's cookie that a request carries.
type begun struct {
	suffix string
	attempt
}

// attempts lists the sign-ins that a browser has begun, the newest first, and the
// cookies among them that are good for nothing.
func (m *Manager) attempts(r *http.Request) (good []begun, bad []string) {
	prefix := m.cookies.name(attemptSuffix)
	for _, cookie := range r.Cookies() {
		rest, ok := strings.CutPrefix(cookie.Name, prefix)
		if !ok || len(rest) != 8 {
			continue
		}
		suffix := attemptSuffix + rest
		if a, ok := m.openAttempt(suffix, cookie.Value); ok {
			good = append(good, begun{suffix, a})
		} else {
			bad = append(bad, suffix)
		}
	}
	slices.SortStableFunc(good, func(a, b begun) int { return b.Expires.Compare(a.Expires) })
	return good, bad
}

// makeRoom clears cookies of sign-ins until one more has a place.
func (m *Manager) makeRoom(w http.ResponseWriter, r *http.Request) {
	good, bad := m.attempts(r)
	for _, old := range good[min(len(good), maxAttempts-1):] {
		bad = append(bad, old.suffix)
	}
	for _, suffix := range bad[:min(len(bad), 50)] { // names are the browser's word: no endless answer
		m.cookies.clear(w, suffix)
	}
}
