package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

// run handles events until the class ends.
func (c *class) run() {
	for {
		events, err := c.gather()
		if len(events) > 0 {
			// Also before an error: its cursor lies after them.
			if failed := c.handle(events); failed != nil {
				err = failed
			}
		} else if err == nil {
			var merged bool
			if merged, err = c.settle(); merged {
				return
			}
		}
		if err != nil {
			_ = c.take(context.Background()) // who has it gives it back
			c.finish(err)
			c.give()
			return
		}
	}
}

// gather waits for an event and then, for a moment, for those that come with it.
func (c *class) gather() ([]event.Event, error) {
	wait := c.ctx
	if c.spec.after != nil && !c.settled() {
		// With nothing after the cursor it has caught up.
		limited, cancel := context.WithTimeout(c.ctx, settleAfter)
		defer cancel()
		wait = limited
	}
	events, err := c.next(wait)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	window, cancel := context.WithTimeout(c.ctx, c.live.cfg.Window)
	defer cancel()
	for len(events) < maxWindow {
		more, err := c.next(window)
		if err != nil || len(more) == 0 {
			return events, err
		}
		events = slices.Concat(events, more) // the slices are shared with other streams
	}
	return events, nil
}

// next gives the events that are there, or come before wait ends; none after that.
func (c *class) next(wait context.Context) ([]event.Event, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		events, err := c.stream.Next(wait)
		switch {
		case err == nil:
			return events, nil
		case c.ctx.Err() != nil:
			return nil, c.ctx.Err()
		case wait.Err() != nil:
			return nil, nil //nolint:nilerr // its time is over, which is no failure
		case !passing(err):
			return nil, err
		}
		c.live.log.WarnContext(wait, "the event log can't be read", slog.Any("error", err))
		select {
		case <-time.After(pause):
		case <-wait.Done():
		}
	}
}

// settleAfter is how long a class that began after a cursor waits for more of the log before
// it takes itself for one that has caught up. To read a page of it must be possible meanwhile.
const settleAfter = time.Second

// maxWindow bounds the events that are read together: their documents are named in one call.
const maxWindow = 500

// The pauses between tries to read what ERPNext or the database did not give.
const (
	firstPause = time.Second
	lastPause  = 30 * time.Second
)

// handle reads and sends events; while ERPNext can't be reached it tries again, with what
// the documents are by then. Events that come meanwhile wait in the stream, which is bounded.
func (c *class) handle(events []event.Event) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := c.once(events)
		switch half := len(events) / 2; {
		case errors.Is(err, errTurned):
			continue
		case apierror.CodeOf(err) == apierror.CostLimit && half > 0 && c.spec.kind != liveList:
			// Of more DocTypes than an operation may ask for: fewer at once.
			if err := c.handle(events[:half]); err != nil {
				return err
			}
			return c.handle(events[half:])
		case !passing(err):
			return err
		}
		c.live.log.WarnContext(c.ctx, "events wait: their documents can't be read", slog.String("subscription", c.spec.field.Name), slog.Any("error", err))
		select {
		case <-time.After(pause):
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

// passing tells of errors that go by without the client's doing.
func passing(err error) bool {
	switch apierror.CodeOf(err) {
	case apierror.UpstreamUnavailable, apierror.UpstreamTimeout, apierror.RateLimited:
		return true
	default:
		return false
	}
}

func (c *class) once(events []event.Event) (err error) {
	if err := c.take(c.ctx); err != nil {
		return err
	}
	defer c.give()
	defer func() {
		if p := recover(); p != nil {
			err = c.spec.op.Recover(c.ctx, p)
		}
	}()
	m := c.speaker()
	if m == nil {
		return nil // the last one has left, or will have by the next event
	}
	ctx, done := c.reading(m)
	defer done()
	if err := c.reader.window(ctx, c, events); err != nil {
		return err
	}
	c.at.Seq = events[len(events)-1].Seq
	return nil
}

// settled tells that the class follows the log as those do that began without a cursor.
func (c *class) settled() bool {
	c.live.mu.Lock()
	defer c.live.mu.Unlock()
	return c.key == c.credential+c.spec.text
}

// settle lets a class that has read all after its cursor go on with those that follow the
// log: its members join the class that is there, or it becomes that. merged tells that it
// has no members any more.
func (c *class) settle() (merged bool, err error) {
	if c.settled() {
		return false, nil
	}
	if err := c.take(c.ctx); err != nil {
		return false, err
	}
	defer c.give()
	c.at.Seq = max(c.at.Seq, c.stream.At()) // past what is of others
	other := c.live.caughtUp(c)
	if other == nil {
		return false, nil
	}
	// Only this way round: a class that follows the log never waits for one that does not.
	if err := other.take(c.ctx); err != nil {
		return false, err
	}
	defer other.give()
	if other.ended || other.stream == nil || other.at.Seq > c.at.Seq {
		return false, nil // it is ahead by an event that comes here in a moment
	}
	for at, s := range c.shown {
		if s.seq > other.shown[at].seq {
			other.shown[at] = s
		}
	}
	for n := range c.spec.names { // also those that documents have got since
		other.spec.names[n] = true
	}
	c.mu.Lock()
	all := c.members
	c.members = nil
	c.mu.Unlock()
	for _, m := range all {
		m.floor = c.at.Seq
		other.mu.Lock()
		other.members = append(other.members, m)
		other.mu.Unlock()
		if !m.enters(other) {
			other.drop(m)
		}
	}
	c.finish(nil)
	return true, nil
}
