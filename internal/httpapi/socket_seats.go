package httpapi

import (
	"errors"
	"sync"

	"erpgraph/internal/apierror"
)

// errSeat says that too many sockets and streams are open.
var errSeat = errors.New("no seat")

// seats counts the open sockets and streams, in all and of each caller.
type seats struct {
	all, each int

	mu    sync.Mutex
	taken int
	byKey map[string]int
}

func newSeats(all, each int) *seats {
	return &seats{all: all, each: each, byKey: make(map[string]int)}
}

// seat is the place of one socket or stream. It is used by one goroutine.
type seat struct {
	seats *seats
	key   string
}

// take counts a socket or stream of the caller with this auth.Identity.Key. The error wraps
// errSeat: RATE_LIMITED, or UPSTREAM_UNAVAILABLE when nobody can have another.
func (s *seats) take(key string) (*seat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.all {
		return nil, apierror.Wrap(apierror.UpstreamUnavailable, errSeat, "too many sockets and streams are open; try again later")
	}
	if err := s.join(key); err != nil {
		return nil, err
	}
	s.taken++
	return &seat{seats: s, key: key}, nil
}

// join runs with the lock held.
func (s *seats) join(key string) error {
	most := s.each
	if key == "" {
		most = max(1, s.all/anonymousShare)
	}
	if s.byKey[key] >= most {
		return apierror.Wrap(apierror.RateLimited, errSeat, "too many sockets or streams of this caller are open; use one for many operations")
	}
	s.byKey[key]++
	return nil
}

// part runs with the lock held; callers come and go.
func (s *seats) part(key string) {
	if s.byKey[key]--; s.byKey[key] == 0 {
		delete(s.byKey, key)
	}
}

// move counts the socket for another caller from now on; the error is RATE_LIMITED and
// wraps errSeat.
func (p *seat) move(key string) error {
	p.seats.mu.Lock()
	defer p.seats.mu.Unlock()
	if key == p.key {
		return nil
	}
	if err := p.seats.join(key); err != nil {
		return err
	}
	p.seats.part(p.key)
	p.key = key
	return nil
}

func (p *seat) leave() {
	p.seats.mu.Lock()
	defer p.seats.mu.Unlock()
	p.seats.part(p.key)
	p.seats.taken--
}
