package session

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/oauth"
)

// administrator is the one user whose name is not the email address.
const administrator = "Administrator"

// maxCode bounds a code and a state in bytes; Frappe's codes have 30.
const maxCode = 512

// login answers GET /auth/login: it sends the browser to ERPNext.
func (m *Manager) login(w http.ResponseWriter, r *http.Request) {
	returnTo, err := returnToOf(r)
	if err != nil {
		m.refuseJSON(w, r, err)
		return
	}
	if m.elsewhere(r) {
		w.Header().Set("Location", m.origin+r.URL.RequestURI())
		w.WriteHeader(http.StatusFound)
		return
	}
	a := newAttempt(returnTo, m.now())
	value, err := m.sealAttempt(a)
	if err != nil {
		m.refuseJSON(w, r, err)
		return
	}
	m.makeRoom(w, r)
	m.cookies.set(w, suffixOf(a.State), value, attemptLife)
	w.Header().Set("Location", m.oauth.AuthCodeURL(a.State, a.Nonce, a.Verifier))
	w.WriteHeader(http.StatusFound)
}

// elsewhere tells that a browser on this machine came by another name than the one that
// ERPNext sends it back to: localhost instead of 127.0.0.1. Its cookies would stay behind.
// Where a proxy stands in front the host is the proxy's affair.
func (m *Manager) elsewhere(r *http.Request) bool {
	return !m.cookies.secure && "http://"+r.Host != m.origin
}

func returnToOf(r *http.Request) (string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query["return_to"]) > 1 {
		return "", apierror.New(apierror.BadUserInput, "the address has no clear return_to").About("", "", "return_to")
	}
	return checkReturnTo(query.Get("return_to"))
}

// callback answers GET /auth/callback, to which ERPNext sends the browser back. What
// goes wrong is told on a page: a person reads it.
func (m *Manager) callback(w http.ResponseWriter, r *http.Request) {
	a, no := m.comeBack(w, r)
	if no == nil {
		no = m.signIn(w, r, a)
	}
	if no != nil {
		no.returnTo = a.ReturnTo
		m.refusePage(w, r, no)
		return
	}
	w.Header().Set("Location", a.ReturnTo)
	w.WriteHeader(http.StatusSeeOther)
}

// comeBack finds the sign-in that the browser comes back from, and takes it: no browser
// comes back from it again.
func (m *Manager) comeBack(w http.ResponseWriter, r *http.Request) (attempt, *refusal) {
	query := r.URL.Query()
	state := query.Get("state")
	if query.Has("error") && state == "" {
		// Frappe tells a refusal without the state: of whichever sign-in it was, the
		// newest is the likely one, and only the link to try again depends on it.
		var a attempt
		if good, _ := m.attempts(r); len(good) > 0 {
			a = good[0].attempt
		}
		return a, deniedBy(query.Get("error"))
	}
	if state == "" || len(state) > maxCode || len(query["state"]) > 1 || len(query["code"]) > 1 {
		return attempt{}, refuse(http.StatusBadRequest, badLink, "the address is not one that ERPNext sends to")
	}
	a, ok := m.attemptOf(r, state)
	if !ok {
		return attempt{}, refuse(http.StatusBadRequest, notBegun, "this browser has not begun this sign-in, or too long ago")
	}
	m.cookies.clear(w, suffixOf(state))
	first, err := m.store.useState(r.Context(), hashState(state), attemptLife)
	switch {
	case err != nil:
		return a, outOfOrder(err)
	case !first:
		return a, refuse(http.StatusBadRequest, notBegun, "the sign-in was used before")
	case query.Has("error"):
		return a, deniedBy(query.Get("error"))
	}
	return a, nil
}

// signIn redeems the code and makes the session.
func (m *Manager) signIn(w http.ResponseWriter, r *http.Request, a attempt) *refusal {
	code := r.URL.Query().Get("code")
	if code == "" || len(code) > maxCode || !plain(code) {
		return refuse(http.StatusBadRequest, badLink, "there is no code")
	}
	// Not given up when the browser goes away: tokens that arrive can be revoked.
	tokens, err := m.oauth.Exchange(context.WithoutCancel(r.Context()), code, a.Verifier, a.Nonce)
	switch {
	case errors.Is(err, oauth.ErrDenied):
		return refuse(http.StatusBadRequest, notBegun, "ERPNext does not take the code for this sign-in")
	case errors.Is(err, oauth.ErrUntrusted):
		m.warn(r.Context(), err)
		if _, alive := apierror.As(err); alive {
			m.audit(r.Context(), unrevoked, "", nil, "ERPNext did not answer after it gave tokens that can't be trusted")
		}
		return refuse(http.StatusForbidden, contradiction, "the id_token can't be trusted")
	case err != nil:
		return outOfOrder(err)
	}
	id, hash := newID()
	user, no := m.whose(r.Context(), tokens)
	if no != nil {
		m.discard(r.Context(), m.sealed(hash, no.user, tokens), tokens)
		return no
	}
	row := m.sealed(hash, user.Name, tokens)
	if err := m.store.create(r.Context(), row, m.lifetime); err != nil {
		m.discard(r.Context(), row, tokens)
		return outOfOrder(err)
	}
	if old, _ := m.cookies.session(r); old != nil {
		m.end(r.Context(), old, signedOut, "the browser signed in anew")
	}
	m.cookies.set(w, "", id, m.lifetime)
	m.audit(r.Context(), signedIn, user.Name, hash, "")
	return nil
}

// whose asks ERPNext whose the token is, and holds the id_token to it. For all users but
// Administrator the name is the email address, which Frappe keeps in lower case.
func (m *Manager) whose(ctx context.Context, t *oauth.Tokens) (*frappe.User, *refusal) {
	credential, err := frappe.ParseAuthorization("Bearer " + t.Access())
	if err != nil {
		return nil, outOfOrder(err)
	}
	user, err := m.whoAmI(ctx, credential)
	switch {
	case apierror.CodeOf(err) == apierror.Unauthenticated:
		return nil, refuse(http.StatusForbidden, contradiction, "ERPNext does not accept the token that it gave")
	case err != nil:
		return nil, outOfOrder(err)
	case user.Name != administrator && (t.Claims == nil || !strings.EqualFold(t.Claims.Email, user.Name)):
		no := refuse(http.StatusForbidden, contradiction, "the id_token names another user than the token is of")
		no.user = user.Name
		return nil, no
	}
	return user, nil
}
