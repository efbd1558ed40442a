package session

import (
	"context"
	"time"
)

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
// ago. Each token is revoked by one process. It stops at the first outage; tokens that
// ERPNext does not take back within a day are given up, which the audit log tells.
func (m *Manager) Sweep(ctx context.Context) error {
	if err := m.store.sweep(ctx); err != nil {
		return err
	}
	for {
		due, err := m.store.due(ctx)
		if err != nil {
			return err
		}
		for _, e := range due {
			if err := m.takeBack(ctx, e); err != nil {
				return err
			}
		}
		if len(due) < batch {
			return nil
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
	return err
}
