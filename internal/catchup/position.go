package catchup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/catchup/trail"
)

// The kinds of readings that have a position.
const (
	documents = "document"
	singles   = "single"
	deletions = "deleted"
	comments  = "comment"
	nights    = "nightly"
)

// position is how far a reading came, as event_poll keeps it.
type position struct { //nolint:recvcheck // begin does not change it, reach does
	kind, doctype string
	trail.Position

	floor         string
	since, readAt time.Time
}

// load gives a position; ok is false before the first reading.
func (c *Catchup) load(ctx context.Context, kind, doctype string) (p position, ok bool, err error) {
	p = position{kind: kind, doctype: doctype}
	err = c.cfg.Pool.QueryRow(ctx,
		`select position, name, floor, since, read_at from event_poll where kind = $1 and doctype = $2`, kind, doctype).
		Scan(&p.Time, &p.Name, &p.floor, &p.since, &p.readAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read the position of %s: %w", doctype, err)
	}
	return p, true, nil
}

// store keeps a position. It is called after the events up to it are in the log, so that
// one that is lost costs a second reading and never an event. A NUL byte, that Postgres
// can't hold, is left out of the name.
func (c *Catchup) store(ctx context.Context, p position) error {
	_, err := c.cfg.Pool.Exec(ctx,
		`insert into event_poll (kind, doctype, position, name, floor, since, read_at) values ($1, $2, $3, $4, $5, $6, $7)
		 on conflict (kind, doctype) do update set position = excluded.position, name = excluded.name,
		   floor = excluded.floor, since = excluded.since, read_at = excluded.read_at`,
		p.kind, p.doctype, p.Time, strings.ReplaceAll(p.Name, "\x00", ""), p.floor, p.since, p.readAt)
	if err != nil {
		return fmt.Errorf("keep the position of %s: %w", p.doctype, err)
	}
	return nil
}

// begin is where the next reading begins, at the time now: as far before the position as a
// change of before may have been committed since. Once nothing can be missing before it,
// that is the position itself; a bulk update of the past is not read again and again. again
// tells that rows of exactly that time are included.
func (p position) begin(now time.Time, zone *time.Location, overlap time.Duration) (from trail.Position, again bool) {
	from = p.Position
	if from.Time == "" {
		return from, false
	}
	if missing := overlap - now.Sub(p.since); missing > 0 {
		from, again = trail.Position{Time: trail.Shift(p.Time, -missing)}, true
	}
	if back := setBack(p.readAt, now, zone); back > 0 {
		// The hour that comes twice: what was written since is older by the clock.
		wall := p.readAt.In(zone).Format(trail.Layout)
		if early := trail.Shift(min(wall, p.Time), -back-overlap); early < from.Time {
			from, again = trail.Position{Time: early}, true
		}
	}
	if from.Time <= p.floor {
		from, again = trail.Position{Time: p.floor}, false
	}
	return from, again
}

// setBack is by how much the zone's clocks were set back between two times.
func setBack(from, to time.Time, zone *time.Location) time.Duration {
	_, before := from.In(zone).Zone()
	_, after := to.In(zone).Zone()
	return time.Duration(before-after) * time.Second
}

// reach moves the position over rows that were read, in their order. Rows of the future
// don't move it: they were not written by the site's clock, and what is written now would
// be before them.
func (p *position) reach(rows []trail.Row, siteNow string, now time.Time) {
	newest := p.Position
	if newest.Time > siteNow {
		newest = trail.Position{Time: siteNow} // the clocks were set back
	}
	for _, row := range rows {
		if row.Time <= siteNow && row.Time >= newest.Time {
			newest = row.Position
		}
	}
	if newest != p.Position {
		p.Position, p.since = newest, now
	}
}
