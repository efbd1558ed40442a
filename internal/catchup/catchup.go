// Package catchup finds the changes that ERPNext's webhooks missed: it reads what the site
// itself keeps of them (the times on rows, Deleted Documents, the Comments of renames and
// merges) with the key of a service account, and puts what the event log lacks into it.
//
// One process at a time does so, the leader. It is found by an advisory lock of Postgres;
// when two should ever believe to be it, the log takes each event once all the same.
//
// What can't be found: versions between two readings (a document that changed five times in
// a minute gives one event), documents that came and went in between, which leave a
// DELETED alone, and whatever a patch wrote without touching `modified`. A document whose
// name is in use again when its deletion is read gives no DELETED.
package catchup

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/event"
	"erpgraph/internal/frappe"
)

// Watched is a DocType whose changes are events.
type Watched struct {
	DocType             string
	Single, Submittable bool
}

// Config is what catching up needs.
type Config struct {
	Upstream trail.Upstream
	// Credential is the service account's. It needs to read, without user permissions, the
	// watched DocTypes, Deleted Document and Comment.
	Credential frappe.Credential
	Log        *event.Log
	Pool       *pgxpool.Pool
	Watched    []Watched
	// Location is the site's time zone.
	Location func(context.Context) (*time.Location, error)
	// Every is how often a round begins; 0 means a minute.
	Every time.Duration
	// Overlap is how long after its time a change may be committed and still be found; 0
	// means five minutes.
	Overlap time.Duration
	// Nightly is called once a day, at about three o'clock of the site; nil for nothing.
	Nightly func(context.Context) error
	// Now is the clock; nil means time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Catchup catches up, see [Catchup.Run].
type Catchup struct {
	cfg  Config
	site trail.Site
	wake chan struct{}

	// Who is leader alone uses these.
	known map[string]seen // what the rounds before have logged, by kind and DocType
	told  map[string]bool // what was said in the log already
	// doubted are deletions that wait although the document is there, and until when.
	doubted map[event.Event]time.Time
	sweeps  map[string]sweep // by DocType
	// commented tells that the Comments of renames could be read when that was last tried.
	commented bool

	mu     sync.Mutex
	status Status
}

// Status is how catching up goes in this process.
type Status struct {
	Leader bool
	// LastRound is when the latest complete round ended; the zero time before the first.
	LastRound time.Time
	// Err is why the latest round failed, nil when it did not.
	Err error
	// Unreadable are the DocTypes that the service account may not read, in order: what
	// webhooks miss of them stays missing.
	Unreadable []string
}

// New makes a Catchup.
func New(cfg Config) *Catchup {
	cfg.Every = cmp.Or(cfg.Every, time.Minute)
	cfg.Overlap = cmp.Or(cfg.Overlap, 5*time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Catchup{
		cfg: cfg, site: trail.Site{Upstream: cfg.Upstream, Credential: cfg.Credential},
		wake: make(chan struct{}, 1), known: map[string]seen{}, told: map[string]bool{}, doubted: map[event.Event]time.Time{},
		sweeps: map[string]sweep{},
	}
}

// Wake tells that a deletion waits to be settled. It never blocks.
func (c *Catchup) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Status tells how it goes.
func (c *Catchup) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Unreadable = slices.Clone(s.Unreadable)
	return s
}

func (c *Catchup) setStatus(change func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.status)
}

// siteNow is the site's time of day by our clock, in trail.Layout.
func (c *Catchup) siteNow(ctx context.Context, at time.Time) (string, *time.Location, error) {
	zone, err := c.cfg.Location(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("the site's time zone: %w", err)
	}
	return at.In(zone).Format(trail.Layout), zone, nil
}

// once tells whether a thing is said for the first time.
func (c *Catchup) once(what string) bool {
	again := c.told[what]
	c.told[what] = true
	return !again
}
