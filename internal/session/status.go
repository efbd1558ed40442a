package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
)

// status answers GET /auth/session: who is signed in. It is 200 also when nobody is;
// only when the database can't tell it is 503 or 504.
//
//	{"signedIn": true, "user": …, "fullName": …, "roles": […], "expiresAt": …}
//	{"signedIn": true, "user": …, "expiresAt": …, "stale": true}    ERPNext does not tell
//	{"signedIn": false, "loginUrl": "/auth/login"}
//
// To ask is no use of the session: a page that only asks does not keep it.
func (m *Manager) status(w http.ResponseWriter, r *http.Request) {
	hash, present := m.cookies.session(r)
	if !present {
		m.signedOut(w, r)
		return
	}
	row, err := m.load(r.Context(), hash)
	var user *frappe.User
	if err == nil {
		user, err = m.ask(r.Context(), row)
	}
	switch {
	case errors.Is(err, errSealed):
		m.signedOut(w, r) // but the cookie stays: another process may have the key
	case errors.Is(err, errNoSession):
		m.cookies.clear(w, "")
		m.signedOut(w, r)
	case row == nil:
		m.refuseJSON(w, r, err)
	case err != nil:
		m.writeJSON(w, r, http.StatusOK, map[string]any{"signedIn": true, "user": row.user, "expiresAt": stamp(row.expires), "stale": true})
	default:
		m.writeJSON(w, r, http.StatusOK, map[string]any{
			"signedIn": true, "user": user.Name, "fullName": user.FullName, "roles": user.Roles, "expiresAt": stamp(row.expires),
		})
	}
}

// ask is the user of a session by ERPNext's word; errNoSession when the session is over,
// and ended. All other errors leave it as it is.
//
// Whoever stands in front of ERPNext can say no in its place, so that its no ends nothing
// by itself: ERPNext must also refuse to renew the tokens, or refuse new ones.
func (m *Manager) ask(ctx context.Context, r *row) (*frappe.User, error) {
	own := m.source(r, true)
	user, err := m.who(ctx, own.credential())
	switch {
	case errors.Is(err, auth.ErrDisabled):
		m.end(ctx, revoked, "the user is disabled in ERPNext", r.hash)
		return nil, errNoSession
	case apierror.CodeOf(err) != apierror.Unauthenticated, errors.Is(err, errNoSession):
		return user, err
	}
	if _, doubt := own.confirm(ctx, err); doubt != nil {
		return nil, doubt
	}
	return nil, err
}

// confirm asks ERPNext for new tokens because it does not know whose the present ones
// are. It gives errNoSession when the session is over. Young tokens prove nothing more,
// unless it is the token itself that ERPNext refuses.
func (s *source) confirm(ctx context.Context, refusal error) (token string, err error) {
	row, err := s.m.load(ctx, s.hash)
	if err != nil {
		return "", err
	}
	if e, ok := errors.AsType[*frappe.Error](refusal); row.young && (!ok || e.Status != http.StatusUnauthorized) {
		return "", nil
	}
	if token, err = s.m.access(row); err != nil {
		return "", err
	}
	return s.Renew(ctx, token)
}

func (m *Manager) signedOut(w http.ResponseWriter, r *http.Request) {
	m.writeJSON(w, r, http.StatusOK, map[string]any{"signedIn": false, "loginUrl": loginPath})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
