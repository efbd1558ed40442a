package loaders

import (
	"context"
	"fmt"
	"sync"
	"time"

	"erpgraph/internal/apierror"
)

// Site is what a process knows of its ERPNext site: the time zone in which ERPNext
// stores its naive Datetimes. It is asked once; when the site was down at start, the
// first read that needs it asks again.
type Site struct {
	ask func(context.Context) (*time.Location, error)

	mu  sync.Mutex
	loc *time.Location
}

// NewSite makes a Site that asks for the time zone by ask.
func NewSite(ask func(context.Context) (*time.Location, error)) *Site { return &Site{ask: ask} }

// Location gives the site's time zone.
func (s *Site) Location(ctx context.Context) (*time.Location, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loc != nil {
		return s.loc, nil
	}
	loc, err := s.ask(ctx)
	if err != nil {
		if _, ok := apierror.As(err); ok {
			return nil, fmt.Errorf("ask for the site's time zone: %w", err)
		}
		return nil, apierror.Wrap(apierror.UpstreamUnavailable, err, "ERPNext did not tell its time zone")
	}
	s.loc = loc
	return loc, nil
}
