package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
	"erpgraph/internal/oauth"
)

const (
	// maxExchanges is how many codes a process redeems at a time: few users sign in at the
	// same moment, and ERPNext has few workers.
	maxExchanges = 4
	// exchangeWait is how long a sign-in waits for its turn.
	exchangeWait = 5 * time.Second
)

// maxCode bounds a code and a state in bytes; Frappe's codes have 30.
const maxCode = 512

// login answers GET /auth/login: it sends the browser to ERPNext.
func (m *Manager) login(w http.ResponseWriter, r *http.Request) {
	returnTo, err := returnToOf(r)
	if err != nil {
		m.refuseJSON(w, r, err)
		return
	}
	if m.elsewhere(w, r) {
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
	a, no := m.begunBy(r)
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

// begunBy finds the sign-in that the browser comes back from.
func (m *Manager) begunBy(r *http.Request) (attempt, *refusal) {
	query := r.URL.Query()
	state := query.Get("state")
	if query.Has("error") && state == "" {
		// Frappe tells a refusal without the state: of whichever sign-in it was, the
		// newest is the likely one, and only the link to try again depends on it.
		no := deniedBy(query.Get("error"))
		if good, _ := m.attempts(r); len(good) > 0 {
			return good[0].attempt, no
		}
		no.level = slog.LevelInfo // anybody can call this address
		return attempt{}, no
	}
	if state == "" || len(state) > maxCode || len(query["state"]) > 1 || len(query["code"]) > 1 {
		return attempt{}, refuse(http.StatusBadRequest, badLink, "the address is not one that ERPNext sends to")
	}
	a, ok := m.attemptOf(r, state)
	if !ok {
		return attempt{}, refuse(http.StatusBadRequest, notBegun, "this browser has not begun this sign-in, or too long ago")
	}
	return a, nil
}

// enter takes one of the few places for codes that are redeemed: each is a call to ERPNext,
// and anybody can begin as many sign-ins as they like. leave gives it back.
func (m *Manager) enter(ctx context.Context) (leave func(), no *refusal) {
	timer := time.NewTimer(m.placeTime)
	defer timer.Stop()
	select {
	case m.places <- struct{}{}:
		return func() { <-m.places }, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, refuse(http.StatusServiceUnavailable, busy, "too many sign-ins at the same time")
}

// redeem takes the sign-in, so that no browser comes back from it again, and gets the
// tokens for its code. Without a place nothing is taken: the browser may come again.
func (m *Manager) redeem(w http.ResponseWriter, r *http.Request, a attempt) (*oauth.Tokens, *refusal) {
	leave, no := m.enter(r.Context())
	if no != nil {
		return nil, no
	}
	defer leave()
	query := r.URL.Query()
	m.cookies.clear(w, suffixOf(a.State))
	first, err := m.store.useState(r.Context(), hashState(a.State), attemptLife)
	code := query.Get("code")
	switch {
	case err != nil:
		return nil, outOfOrder(err)
	case !first:
		return nil, refuse(http.StatusBadRequest, notBegun, "the sign-in was used before")
	case query.Has("error"):
		return nil, deniedBy(query.Get("error"))
	case code == "" || len(code) > maxCode || !plain(code):
		return nil, refuse(http.StatusBadRequest, badLink, "there is no code")
	}
	// Not given up when the browser goes away: tokens that arrive can be revoked.
	tokens, err := m.oauth.Exchange(context.WithoutCancel(r.Context()), code, a.Verifier, a.Nonce)
	if errors.Is(err, oauth.ErrStray) {
		m.audit(r.Context(), unrevoked, "", nil, "ERPNext did not answer after it gave tokens that can't be used")
	}
	switch {
	case errors.Is(err, oauth.ErrDenied):
		return nil, refuse(http.StatusBadRequest, notBegun, "ERPNext does not take the code for this sign-in")
	case errors.Is(err, oauth.ErrUntrusted):
		m.warn(r.Context(), err)
		return nil, refuse(http.StatusForbidden, contradiction, "the id_token can't be trusted")
	case err != nil:
		return nil, outOfOrder(err)
	}
	return tokens, nil
}

// signIn gets the tokens and makes the session.
func (m *Manager) signIn(w http.ResponseWriter, r *http.Request, a attempt) *refusal {
	tokens, no := m.redeem(w, r, a)
	if no != nil {
		return no
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
	m.end(r.Context(), signedOut, "the browser signed in anew", m.cookies.sessions(r)...)
	m.cookies.set(w, "", id, m.lifetime)
	m.audit(r.Context(), signedIn, user.Name, hash, "")
	return nil
}

// whose asks ERPNext whose the token is, and holds the id_token to it. For all users but
// Administrator the name is the email address, which Frappe keeps in lower case.
func (m *Manager) whose(ctx context.Context, t *oauth.Tokens) (*frappe.User, *refusal) {
	user, err := m.whoHas(ctx, t.Access())
	switch {
	case errors.Is(err, auth.ErrDisabled):
		no := refuse(http.StatusForbidden, disabledUser, "the user is disabled")
		if t.Claims != nil {
			no.user = t.Claims.Email
		}
		return nil, no
	case apierror.CodeOf(err) == apierror.Unauthenticated:
		return nil, refuse(http.StatusForbidden, contradiction, "ERPNext does not accept the token that it gave")
	case err != nil:
		return nil, outOfOrder(err)
	case user.Name != frappe.Administrator && (t.Claims == nil || !strings.EqualFold(t.Claims.Email, user.Name)):
		no := refuse(http.StatusForbidden, contradiction, "the id_token names another user than the token is of")
		no.user = user.Name
		return nil, no
	}
	return user, nil
}
