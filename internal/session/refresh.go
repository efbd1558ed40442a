package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/oauth"
)

const (
	// settleTime bounds the way to the next generation: the lease of a process that
	// died, and a refresh of one's own.
	settleTime = 2 * leaseTime
	// Waiting for another process: 20 ms, then half as long again each time.
	firstPoll = 20 * time.Millisecond
	maxPoll   = 250 * time.Millisecond
	// doubtTime bounds the call that a revocation is confirmed by: with that for new tokens
	// it must be over before the lease is.
	doubtTime = 4 * time.Second
)

// renewed is the session with its next generation of tokens, whoever gets it from
// ERPNext. With must unset the row may come back as it is when another process is at
// it, as its token still does for now. errNoSession when the session is over, UPSTREAM_*
// when ERPNext or the database does not answer; ctx bounds only how long it is waited
// for.
func (m *Manager) renewed(ctx context.Context, r *row, must bool) (*row, error) {
	key := fmt.Sprintf("%x %d %t", r.hash, r.generation, must)
	done := m.refreshes.DoChan(key, func() (any, error) {
		if !m.work.begin() {
			return nil, apierror.New(apierror.UpstreamUnavailable, "erpgraph is shutting down")
		}
		defer m.work.end()
		// Others wait for this too: it does not end with the request that began it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
		return m.settle(ctx, r, must)
	})
	select {
	case got := <-done:
		next, _ := got.Val.(*row)
		return next, got.Err
	case <-ctx.Done():
		return nil, apierror.Wrap(apierror.UpstreamTimeout, context.Cause(ctx), "the session's token was not renewed in time")
	}
}

// settle refreshes the session when it gets the lease, and otherwise waits for who has
// it. A process without the session's key does not take the lease from one that has it.
func (m *Manager) settle(ctx context.Context, r *row, must bool) (*row, error) {
	if _, err := m.refreshToken(r); err != nil {
		return nil, err
	}
	for wait := firstPoll; ; wait = min(wait+wait/2, maxPoll) {
		leased, err := m.store.lease(ctx, r.hash, r.generation)
		if err == nil {
			return m.refresh(ctx, leased)
		}
		if !errors.Is(err, errNoSession) {
			return nil, err
		}
		now, err := m.store.load(ctx, r.hash)
		if err != nil {
			return nil, err
		}
		if now.generation != r.generation || !must {
			return now, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, apierror.Wrap(apierror.UpstreamTimeout, ctx.Err(), "the session's token was not renewed in time")
		}
	}
}

// refresh gets new tokens for a session that this process has the lease of. No
// connection of the database is held meanwhile.
func (m *Manager) refresh(ctx context.Context, leased *row) (*row, error) {
	old, err := m.refreshToken(leased)
	if err != nil {
		return nil, err
	}
	tokens, err := m.oauth.Refresh(ctx, old)
	if errors.Is(err, oauth.ErrRevoked) {
		if err = m.doubt(ctx, leased); err == nil {
			return m.over(ctx, leased, "ERPNext does not know the grant any more")
		}
	}
	if err != nil {
		if errors.Is(err, oauth.ErrStray) {
			m.audit(ctx, unrevoked, leased.user, leased.hash, "ERPNext did not answer after it gave tokens that can't be used")
		}
		if failed := m.store.cool(ctx, leased); failed != nil {
			m.warn(ctx, failed)
		}
		return nil, err
	}
	next := m.sealed(leased.hash, leased.user, tokens)
	stored, err := m.store.renew(ctx, leased, next)
	if err == nil {
		m.audit(ctx, refreshed, leased.user, leased.hash, "")
		return stored, nil
	}
	// The session ended meanwhile, or the database is gone: nobody will use these.
	m.discard(ctx, next, tokens)
	if errors.Is(err, errNoSession) {
		return m.store.load(ctx, leased.hash)
	}
	return nil, err
}

// doubt tells why a session may have its grant though ERPNext does not know it; nil when
// there is no doubt. ERPNext answers alike for a grant and for an OAuth Client that it
// does not have, and with a mistake in the settings all sessions would end. As long as it
// accepts the access token, the grant is there.
func (m *Manager) doubt(ctx context.Context, r *row) error {
	if !m.now().Before(r.accessExpires) {
		return nil
	}
	token, err := m.access(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, doubtTime)
	defer cancel()
	_, err = m.whoHas(ctx, token)
	switch {
	case apierror.CodeOf(err) == apierror.Unauthenticated:
		return nil
	case err != nil:
		return err
	}
	m.log.LogAttrs(ctx, slog.LevelError, "ERPNext does not know the OAuth client, though it accepts its tokens: sessions can't be renewed until ERPNEXT_OAUTH_CLIENT_ID is right",
		slog.String("session", logID(r.hash)))
	return apierror.New(apierror.UpstreamUnavailable, "ERPNext does not know this app at the moment")
}

// whoHas asks ERPNext anew whose an access token is. Nothing is kept of the answer.
func (m *Manager) whoHas(ctx context.Context, token string) (*frappe.User, error) {
	credential, err := frappe.ParseAuthorization("Bearer " + token)
	if err != nil {
		return nil, err
	}
	m.forget(credential)
	defer m.forget(credential)
	return m.who(ctx, credential)
}

// over ends a session that ERPNext has ended. If its tokens were renewed meanwhile it is
// not over.
func (m *Manager) over(ctx context.Context, r *row, reason string) (*row, error) {
	ended, err := m.store.forget(ctx, r.hash, r.generation)
	switch {
	case err != nil:
		return nil, err
	case !ended:
		return m.store.load(ctx, r.hash)
	}
	m.forget(m.source(r, true).credential())
	m.audit(ctx, revoked, r.user, r.hash, reason)
	return nil, errNoSession
}

// discard revokes tokens that no session will have; the janitor does it if ERPNext does
// not answer now. The request that brought them may be over.
func (m *Manager) discard(ctx context.Context, r *row, t *oauth.Tokens) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTime)
	defer cancel()
	err := m.oauth.Revoke(ctx, t.Access())
	if err == nil {
		return
	}
	if err := m.store.retire(ctx, r); err != nil {
		m.warn(ctx, err)
		m.audit(ctx, unrevoked, r.user, r.hash, "neither ERPNext nor the database answered")
	}
}

func (m *Manager) warn(ctx context.Context, err error) {
	m.log.LogAttrs(ctx, slog.LevelWarn, "session failure", slog.String("cause", err.Error()))
}
