package session

import (
	"context"
	"net/http"
	"time"
)

// revokeTime is how long a sign-out waits for ERPNext to take the tokens back. The
// janitor does the rest.
const revokeTime = 10 * time.Second

// logout answers POST /auth/logout: the session is over before ERPNext is asked to
// revoke its tokens, and if ERPNext does not answer now the janitor goes on asking. A
// browser with several cookies of our name, of which somebody else planted some, is
// signed out of all that they name.
func (m *Manager) logout(w http.ResponseWriter, r *http.Request) {
	if err := m.checkForgery(r); err != nil {
		m.refuseJSON(w, r, err)
		return
	}
	gone, err := m.ends(r.Context(), signedOut, "", m.cookies.sessions(r)...)
	if err != nil {
		m.refuseJSON(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), revokeTime)
	defer cancel()
	for _, e := range gone {
		if err := m.takeBack(ctx, e); err != nil {
			m.warn(ctx, err)
		}
	}
	m.cookies.clear(w, "")
	m.writeJSON(w, r, http.StatusOK, map[string]any{"signedIn": false})
}

// end ends sessions whose tokens the janitor may revoke.
func (m *Manager) end(ctx context.Context, event, reason string, hashes ...[]byte) {
	if _, err := m.ends(ctx, event, reason, hashes...); err != nil {
		m.warn(ctx, err)
	}
}

// ends is end for a caller who revokes the tokens itself. What is known of whom they
// belong to is forgotten.
func (m *Manager) ends(ctx context.Context, event, reason string, hashes ...[]byte) ([]ended, error) {
	if len(hashes) == 0 {
		return nil, nil
	}
	gone, err := m.store.end(ctx, hashes...)
	if err != nil {
		return nil, err
	}
	for _, e := range gone {
		m.forget(m.source(&row{hash: e.hash}, true).credential())
		m.audit(ctx, event, e.user, e.hash, reason)
	}
	return gone, nil
}
