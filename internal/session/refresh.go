package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/oauth"
)

const (
	// settleTime bounds the way to the next generation: the lease of a process that
	// died, and a refresh of one's own.
	settleTime = 2 * leaseTime
	// Waiting for another process: 20 ms, then half as long again each time.
	firstPoll = 20 * time.Millisecond
	maxPoll   = 250 * time.Millisecond
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
	switch {
	case errors.Is(err, oauth.ErrRevoked):
		return m.over(ctx, leased)
	case err != nil:
		if failed := m.store.cool(ctx, leased.hash, leased.generation); failed != nil {
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

// over ends a session that ERPNext has taken the grant of. If its tokens were renewed
// meanwhile it is not over.
func (m *Manager) over(ctx context.Context, r *row) (*row, error) {
	ended, err := m.store.forget(ctx, r.hash, r.generation)
	switch {
	case err != nil:
		return nil, err
	case !ended:
		return m.store.load(ctx, r.hash)
	}
	m.audit(ctx, revoked, r.user, r.hash, "ERPNext does not know the grant any more")
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
