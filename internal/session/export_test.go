package session

import "time"

// SweepEvery makes the janitor come more often; to be called before Run.
func (m *Manager) SweepEvery(d time.Duration) { m.sweepTime = d }

// WaitForPlace is how long a sign-in waits for its turn; to be called before any request.
func (m *Manager) WaitForPlace(d time.Duration) { m.placeTime = d }

// DatabaseTime bounds each statement; to be called while no request is served.
func (m *Manager) DatabaseTime(d time.Duration) { m.store.timeout = d }
