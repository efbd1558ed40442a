package simulator

import (
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// authenticate finds out who calls. No credentials and a header that is not exactly two
// words mean Guest; anything else that names no user is refused. A disabled user's key
// and tokens go on working, as they do there.
func (q *call) authenticate() error {
	q.user = &guestAccount
	if a := q.resume(); a != nil {
		q.user = a
		return q.checkCSRF()
	}
	scheme, rest, ok := strings.Cut(q.req.Header.Get("Authorization"), " ")
	if !ok || strings.Contains(rest, " ") {
		return nil
	}
	var a *account
	switch strings.ToLower(scheme) {
	case "bearer":
		if a = q.snap.bearers[rest]; a == nil {
			a = q.snap.users[q.snap.bearer(q.s.collation, rest, q.s.siteTime())]
		}
	case "basic":
		raw, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return raised("AuthenticationError", "")
		}
		a = q.snap.byKey(string(raw))
	case "token":
		a = q.snap.byKey(rest)
	}
	if a == nil {
		return raised("AuthenticationError", "")
	}
	q.user = a
	return nil
}

// byKey finds the account of "key:secret".
func (s *snapshot) byKey(pair string) *account {
	key, secret, ok := strings.Cut(pair, ":")
	if !ok || strings.Contains(secret, ":") {
		return nil
	}
	a := s.keys[key]
	if a == nil || a.secret == "" || subtle.ConstantTimeCompare([]byte(a.secret), []byte(secret)) != 1 {
		return nil
	}
	return a
}
