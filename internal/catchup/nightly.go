package catchup

import (
	"context"
	"fmt"
	"time"

	"erpgraph/internal/catchup/trail"
)

const (
	nightHour  = 3 * time.Hour
	nightAgain = time.Hour // after a failure
)

// nightly calls the hook when its day has come and it has not been called for it yet, by
// whichever replica. The day of the very first start counts as done.
func (c *Catchup) nightly(ctx context.Context) error {
	now := c.cfg.Now()
	zone, err := c.cfg.Location(ctx)
	if err != nil {
		return fmt.Errorf("the site's time zone: %w", err)
	}
	day := now.In(zone).Add(-nightHour).Format(time.DateOnly)
	p, ok, err := c.load(ctx, nights, "")
	if err != nil || ok && p.Time >= day {
		return err
	}
	if ok {
		if err := c.cfg.Nightly(ctx); err != nil {
			return err
		}
	}
	p.Position, p.since, p.readAt = trail.Position{Time: day}, now, now
	return c.store(ctx, p)
}

// nightShift are the nightly calls of a leader, one at a time, beside its rounds.
type nightShift struct {
	done  chan struct{} // closed when the call that is under way ends; nil before the first
	again time.Time     // not before
}

func (n *nightShift) due(now time.Time) bool {
	if n.done != nil {
		select {
		case <-n.done:
		default:
			return false
		}
	}
	return !now.Before(n.again)
}

func (n *nightShift) start(ctx context.Context, c *Catchup) {
	done := make(chan struct{})
	n.done, n.again = done, c.cfg.Now().Add(nightAgain)
	go func() {
		defer close(done)
		if err := c.nightly(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Logger.ErrorContext(ctx, "the nightly check failed: it is tried again in an hour", "error", err)
		}
	}()
}

func (n *nightShift) wait() {
	if n.done != nil {
		<-n.done
	}
}
