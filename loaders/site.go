package loaders

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"erpgraph/internal/apierror"
)

// Site is what a process knows of its ERPNext site: the time zone in which ERPNext
// stores its naive Datetimes. It is asked once; when the site was down at start, the
// first read that needs it asks again.
type Site struct {
	ask func(context.Context) (*time.Location, error)
	// loc holds the zone once it is known; asking holds the right to ask for it.
	loc    atomic.Pointer[time.Location]
	asking chan struct{}
}

// NewSite makes a Site that asks for the time zone by ask.
func NewSite(ask func(context.Context) (*time.Location, error)) *Site {
	return &Site{ask: ask, asking: make(chan struct{}, 1)}
}

// Location gives the site's time zone. One caller asks, others wait for him, each no
// longer than his own context lasts.
func (s *Site) Location(ctx context.Context) (*time.Location, error) {
	if loc := s.loc.Load(); loc != nil {
		return loc, nil
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the site's time zone: %w", context.Cause(ctx))
	}
	if loc := s.loc.Load(); loc != nil {
		return loc, nil
	}
	loc, err := s.ask(ctx)
	if err != nil {
		if _, ok := apierror.As(err); ok {
			return nil, fmt.Errorf("ask for the site's time zone: %w", err)
		}
		return nil, apierror.Wrap(apierror.UpstreamUnavailable, err, "ERPNext did not tell its time zone")
	}
	s.loc.Store(loc)
	return loc, nil
}
