package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/99designs/gqlgen/graphql"

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
		err = c.reader.join(inner, c, m) //nolint:contextcheck // with the values of the member's context
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
	m.start, m.floor, m.head = s.Start().Seq, s.Start().Seq, s.Head()
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

// everyone are the members now.
func (c *class) everyone() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.members)
}

// follow has the members go on with what they named and knew, under its new names.
func (c *class) follow(renames []event.Event, known shownBefore) {
	if len(renames) == 0 {
		return
	}
	for _, m := range c.everyone() {
		for _, e := range renames {
			m.follow(c, e, known)
		}
	}
}

// speaker gives a member whose credential is that of the class. Those that have been
// handed another meanwhile go to the class of that one.
func (c *class) speaker() *member {
	var out *member
	for _, m := range c.everyone() {
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
		at.Seq = max(at.Seq, m.floor) // what waits for the class may be from before it came
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
		return nil, errTurned
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
	for _, m := range c.everyone() {
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
