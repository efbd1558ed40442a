package session

import "time"

// SweepEvery makes the janitor come more often; to be called before Run.
func (m *Manager) SweepEvery(d time.Duration) { m.sweepTime = d }
