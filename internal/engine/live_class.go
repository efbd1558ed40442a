package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

// class are the subscribers of one credential that ask the same.
type class struct {
	live       *live
	key        string // guarded by live.mu
	credential string // its key
	spec       *liveSpec
	reader     liveReader

	ctx    context.Context //nolint:containedctx // until the last member has left
	cancel context.CancelFunc

	// turn is held by a join or a window: one at a time. It guards what follows.
	turn   chan struct{}
	stream *event.Stream
	at     event.Cursor // of the last event that was handled
	shown  map[docKey]showing
	// forgot tells that not all that was shown is in shown any more.
	forgot bool
	ended  bool

	mu      sync.Mutex
	members []*member
}

// docKey names a document.
type docKey struct{ doctype, name string }

// showing is when a document was last shown, and its modified then.
type showing struct {
	seq      int64
	modified string
}

// liveReader makes what the subscribers of a class get.
type liveReader interface {
	// join readies a subscriber: what it gets first, and what is wrong with what it asks.
	join(ctx context.Context, c *class, m *member) error
	// window handles events, in their order.
	window(ctx context.Context, c *class, events []event.Event) error
}

// maxShown bounds what a class remembers to have shown; what it forgets, the database knows.
const maxShown = 20_000

func newClass(l *live, key, credential string, spec *liveSpec) *class {
	c := &class{live: l, key: key, credential: credential, spec: spec, turn: make(chan struct{}, 1), shown: map[docKey]showing{}}
	c.ctx, c.cancel = context.WithCancel(l.ctx)
	c.reader = &changeReader{}
	if spec.kind == liveList {
		c.reader = &listReader{}
	}
	return c
}

func (c *class) take(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *class) give() { <-c.turn }

// join takes a subscriber in. The first one starts the class.
func (c *class) join(ctx context.Context, m *member) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.give()
	if c.ended {
		return errClassEnded
	}
	first := c.stream == nil
	if after := m.spec.after; after != nil && !first && c.at != *after {
		return errClassAhead
	}
	err := c.attach(ctx, m)
	if err == nil {
		inner, done := c.reading(m)
		err = c.reader.join(inner, c, m)
		done()
	}
	switch {
	case err != nil && first:
		c.finish(nil)
		return err
	case err != nil:
		return err
	}
	c.mu.Lock()
	c.members = append(c.members, m)
	c.mu.Unlock()
	if first {
		c.live.group.Go(c.run)
	}
	if !m.enters(c) {
		c.remove(m)
	}
	return nil
}

// attach begins the stream, or finds out where it is: the subscriber's events come after
// that place.
func (c *class) attach(ctx context.Context, m *member) error {
	s, err := c.live.cfg.Hub.Attach(ctx, m.spec.doctypes, m.spec.after)
	if err != nil {
		return err
	}
	m.start, m.floor = s.Start().Seq, s.Start().Seq
	if m.spec.after != nil {
		m.resumed = m.spec.after.Seq
	}
	if c.stream != nil {
		s.Close()
		return nil
	}
	c.stream, c.at = s, s.Start()
	return nil
}

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
			return nil, nil
		case !passing(err):
			return nil, err
		}
		c.live.log.WarnContext(c.ctx, "the event log can't be read", slog.Any("error", err))
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
		if !passing(err) {
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

// speaker gives a member whose credential is that of the class. Those that have been
// handed another meanwhile go to the class of that one.
func (c *class) speaker() *member {
	c.mu.Lock()
	all := slices.Clone(c.members)
	c.mu.Unlock()
	var out *member
	for _, m := range all {
		cred, err := c.live.engine.cfg.Credential(m.ctx)
		switch {
		case m.gone():
		case err != nil:
			c.drop(m)
			m.end(err)
		case cred.Key() != c.credential:
			c.drop(m)
			c.move(m)
		case out == nil:
			out = m
		}
	}
	return out
}

// move sends a member to the class of its new credential, at the place where it is.
func (c *class) move(m *member) {
	spec, at := *m.spec, c.at
	spec.names = maps.Clone(c.spec.names)
	if spec.kind != liveList {
		spec.after = &at
	}
	m.spec = &spec
	c.live.group.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, c.live.cfg.Time)
		defer cancel()
		if err := c.live.enter(ctx, m); err != nil && m.ctx.Err() == nil {
			m.end(err)
		}
	})
}

// reading is the context of the reads of a window: with the values of a member's, and with
// a response of its own for what hand-written resolvers report.
func (c *class) reading(m *member) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), c.live.cfg.Time)
	stop := context.AfterFunc(c.ctx, cancel)
	ctx = graphql.WithResponseContext(ctx, graphql.DefaultErrorPresenter, c.spec.op.RecoverFunc)
	return ctx, func() {
		stop()
		cancel()
	}
}

// execution is what one window, or one join, reads with.
func (c *class) execution(ctx context.Context) (*execution, error) {
	x := &execution{engine: c.live.engine}
	var err error
	if x.set, err = x.newSet(ctx); err != nil {
		return nil, err
	}
	if x.set.Credential().Key() != c.credential {
		return nil, fmt.Errorf("the credential changed while it was read with")
	}
	if _, err := x.set.Caller(ctx); err != nil {
		return nil, err
	}
	x.prepare(ctx)
	x.op = c.spec.op
	x.comp.op = c.spec.op
	return x, nil
}

// send gives a result to the members that it is for.
func (c *class) send(r *liveResult, to func(*member) bool) {
	c.mu.Lock()
	all := slices.Clone(c.members)
	c.mu.Unlock()
	for _, m := range all {
		if to(m) {
			m.push(r)
		}
	}
}

// result makes what goes out of JSON.
func (c *class) result(json []byte, cursor string) *liveResult {
	note := c.live.cfg.NoteCursor
	return &liveResult{cursor: cursor, Result: &Result{json: json, note: func(ctx context.Context) { note(ctx, cursor) }}}
}

// drop takes a member off the list, and lives on.
func (c *class) drop(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.members, m); i >= 0 {
		c.members = slices.Delete(c.members, i, i+1)
	}
}

// remove takes a member out; with the last one the class ends.
func (c *class) remove(m *member) {
	c.drop(m)
	c.mu.Lock()
	none := len(c.members) == 0
	c.mu.Unlock()
	if !none || c.take(c.ctx) != nil {
		return
	}
	defer c.give()
	c.mu.Lock()
	none = len(c.members) == 0
	c.mu.Unlock()
	if none {
		c.finish(nil)
	}
}

// finish ends the class, whose turn the caller has.
func (c *class) finish(err error) {
	if c.ended {
		return
	}
	c.ended = true
	c.live.forget(c)
	c.cancel()
	if c.stream != nil {
		c.stream.Close()
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	c.mu.Lock()
	all := c.members
	c.members = nil
	c.mu.Unlock()
	for _, m := range all {
		m.end(err)
	}
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
