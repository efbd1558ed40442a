package session

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/oauth"
)

const (
	// refreshAhead is how long before its end a token is replaced.
	refreshAhead = time.Minute
	// stillGood is what a token must have left to be used though a refresh is due: the
	// time for a request to arrive, and for clocks that differ.
	stillGood = 5 * time.Second
	// freshTime is how long a row that was read is believed. Within one request it is
	// read once; a socket lives longer, and must learn that its session has ended.
	freshTime = time.Second
)

// What sealed texts are for; see [Keyring].
const (
	forAccess  = "access token"
	forRefresh = "refresh token"
	forSignIn  = "sign-in"
)

// source is that of a session whose row was read just now.
func (m *Manager) source(r *row, quiet bool) *source {
	return &source{m: m, hash: r.hash, quiet: quiet, row: r, read: m.now()}
}

// source gives the tokens of one session: a [frappe.TokenSource].
type source struct {
	m    *Manager
	hash []byte
	// quiet is set where a call is no use of the session.
	quiet bool

	mu   sync.Mutex
	row  *row
	read time.Time
}

// credential is the one of the session: its token changes, its key does not.
func (s *source) credential() frappe.Credential {
	return frappe.Renewable("session "+hex.EncodeToString(s.hash), s)
}

// Token is the access token to use now. It is replaced when it ends soon; when that
// fails and the token is still good, it is used nevertheless. One that was renewed just
// now is used whatever our clock says: it is the clock that is wrong.
func (s *source) Token(ctx context.Context) (string, error) {
	row, err := s.current(ctx)
	if err != nil {
		return "", toldAsEnded(err)
	}
	left := row.accessExpires.Sub(s.m.now())
	if left >= refreshAhead || row.young {
		return s.m.access(row)
	}
	next, err := s.m.renewed(ctx, row, left < stillGood)
	switch {
	case err == nil:
		s.keep(next)
		return s.m.access(next)
	case left >= stillGood && outage(err):
		return s.m.access(row)
	}
	return "", toldAsEnded(err)
}

// Renew replaces a token that ERPNext refused, unless that was done meanwhile. A token
// that ERPNext has just made and refuses ends the session: it would refuse the next one
// too, as when the client's scopes were narrowed, and each call would make a new pair.
func (s *source) Renew(ctx context.Context, refused string) (string, error) {
	current, err := s.m.load(ctx, s.hash)
	if err != nil {
		return "", toldAsEnded(err)
	}
	token, err := s.m.access(current)
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(refused)) == 0 {
		s.keep(current)
		return token, nil
	}
	var next *row
	if current.young {
		next, err = s.m.over(ctx, current, "ERPNext refuses a token that it has just made")
	} else {
		next, err = s.m.renewed(ctx, current, true)
	}
	if err != nil {
		return "", toldAsEnded(err)
	}
	s.keep(next)
	return s.m.access(next)
}

// current is the session's row, read again when it is not fresh.
func (s *source) current(ctx context.Context) (*row, error) {
	s.mu.Lock()
	row, age := s.row, s.m.now().Sub(s.read)
	s.mu.Unlock()
	if age < freshTime {
		return row, nil
	}
	row, err := s.m.load(ctx, s.hash)
	if err != nil {
		return nil, err
	}
	if !s.quiet {
		s.m.seen(ctx, row)
	}
	s.keep(row)
	return row, nil
}

func (s *source) keep(r *row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.row, s.read = r, s.m.now()
}

// outage tells that an error says nothing about the session.
func outage(err error) bool {
	code := apierror.CodeOf(err)
	return code == apierror.UpstreamUnavailable || code == apierror.UpstreamTimeout
}

// access opens a session's access token. A session that no key opens is over for its
// browser; the row stays, as another process may have the key.
func (m *Manager) access(r *row) (string, error) {
	text, err := m.keys.open(forAccess, r.hash, r.access)
	if err != nil {
		return "", toldAsEnded(errors.Join(errNoSession, err))
	}
	return string(text), nil
}

// refreshToken is the same for the refresh token; its error is errNoSession.
func (m *Manager) refreshToken(r *row) (string, error) {
	text, err := m.keys.open(forRefresh, r.hash, r.refresh)
	if err != nil {
		return "", errors.Join(errNoSession, err)
	}
	return string(text), nil
}

// sealed is a row with the given tokens.
func (m *Manager) sealed(hash []byte, user string, t *oauth.Tokens) *row {
	return &row{
		hash: hash, user: user, accessExpires: t.Expiry,
		access:  m.keys.seal(forAccess, hash, []byte(t.Access())),
		refresh: m.keys.seal(forRefresh, hash, []byte(t.Refresh())),
	}
}
