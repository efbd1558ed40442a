package session

import (
	"context"
	"time"
)

// maxOutages is how many revocations may fail in a row before the janitor takes it for an
// outage of ERPNext. One token that ERPNext can't revoke must not keep all others.
const maxOutages = 3

// Run cleans up every 30 seconds until ctx ends: see [Manager.Sweep]. What fails is
// logged, and tried again the next time.
func (m *Manager) Run(ctx context.Context) error {
	ticker := time.NewTicker(m.sweepTime)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := m.Sweep(ctx); err != nil && ctx.Err() == nil {
			m.warn(ctx, err)
		}
	}
}

// Sweep ends sessions that are over, and revokes at ERPNext the tokens that nobody uses
// any more: those of sessions that ended, and those that a refresh replaced two minutes
// ago. Each token is revoked by one process. A token that can't be revoked now is tried
// again after some minutes, and with three in a row so are all others. What ERPNext does
// not take back within a day is given up, which the audit log tells. The error is that of
// the latest token that was not revoked.
func (m *Manager) Sweep(ctx context.Context) error {
	if err := m.store.sweep(ctx); err != nil {
		return err
	}
	var failed error
	for outages := 0; ; {
		due, err := m.store.due(ctx)
		if err != nil {
			return err
		}
		for _, e := range due {
			err := m.takeBack(ctx, e)
			if err == nil {
				outages = 0
				continue
			}
			failed = err
			if outages++; outages == maxOutages || ctx.Err() != nil {
				return failed
			}
		}
		if len(due) < batch {
			return failed
		}
	}
}

// takeBack revokes a token at ERPNext and forgets it.
func (m *Manager) takeBack(ctx context.Context, e ended) error {
	token, err := m.keys.open(forAccess, e.hash, e.token)
	switch {
	case err != nil && !e.tooOld:
		return nil // another process may have the key
	case err != nil:
		m.audit(ctx, unrevoked, e.user, e.hash, "the key that sealed the token is gone")
		return m.store.revoked(ctx, e.id)
	}
	err = m.oauth.Revoke(ctx, string(token))
	switch {
	case err == nil:
		return m.store.revoked(ctx, e.id)
	case e.tooOld:
		m.audit(ctx, unrevoked, e.user, e.hash, "ERPNext did not take the token back for a day")
		return m.store.revoked(ctx, e.id)
	}
	if failed := m.store.failed(ctx, e.id); failed != nil {
		m.warn(ctx, failed)
	}
	return err
}
