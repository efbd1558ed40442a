package catchup

import (
	"context"
	"slices"
	"time"

	"erpgraph/internal/catchup/trail"
)

// moment is the time of a round: what every reading of it takes for now.
type moment struct {
	at      time.Time
	zone    *time.Location
	siteNow string
}

// seen are the rows of a reading that are dealt with, by name, with their time: what the
// overlap brings again is not logged again.
type seen map[string]string

// walk reads what is new of a DocType's rows since its position, hands each page to log,
// and moves the position behind it. The first reading only finds the position.
func (c *Catchup) walk(ctx context.Context, m moment, kind string, w trail.Walk, key string, log func([]trail.Row) error) error {
	p, ok, err := c.load(ctx, kind, key)
	if err != nil {
		return err
	}
	if !ok {
		newest, err := c.site.Newest(ctx, w, m.siteNow)
		if err != nil {
			return err
		}
		p.Position, p.floor, p.since, p.readAt = newest, newest.Time, m.at, m.at
		return c.store(ctx, p)
	}
	if setBack(p.readAt, m.at, m.zone) > 0 {
		p.floor = ""
	}
	w.From, w.Again = p.begin(m.at, m.zone, c.cfg.Overlap)
	before, now := c.known[kind+" "+key], seen{}
	err = c.site.Rows(ctx, w, func(rows []trail.Row) error {
		fresh := slices.DeleteFunc(slices.Clone(rows), func(r trail.Row) bool { return before[r.Name] == r.Time })
		if err := log(fresh); err != nil {
			return err
		}
		for _, r := range rows {
			now[r.Name] = r.Time
		}
		p.reach(rows, m.siteNow, m.at)
		if len(rows) < trail.PageSize {
			return nil // stored below
		}
		return c.store(ctx, p)
	})
	if err != nil {
		return err
	}
	c.known[kind+" "+key] = now
	p.reach(nil, m.siteNow, m.at)
	p.readAt = m.at
	return c.store(ctx, p)
}
