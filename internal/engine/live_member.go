package engine

import (
	"context"
	"sync"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

// What waits for one subscriber is bounded: more, and it has to come again with its cursor.
const (
	maxWaiting      = 1000
	maxWaitingBytes = 4 << 20
	outBuffer       = 8
)

// member is one subscriber.
type member struct {
	ctx  context.Context //nolint:containedctx // of the subscription
	live *live
	spec *liveSpec
	out  chan *Result

	// What is between here and mu is guarded by the turn of the member's class. start is the
	// place where the stream began: what its class has shown after it was shown to this
	// subscriber. floor is the place up to which it needs no more events.
	start, floor int64
	// resumed is the place up to which an earlier stream of the same user has shown documents; 0 for none.
	resumed int64
	// head is the end of the log when it came: what it reads then is of no earlier place.
	head int64
	// asked are the names that it listens to, nil for all: those that the client gave, and (true)
	// those that documents which it knew by these have got since. Those of its class may be more.
	asked map[string]bool
	// named are the documents that it named and could read, with the place from which on it may
	// hear of their end: head, or that of the RENAMED that told it of the name.
	named map[string]int64

	mu      sync.Mutex
	class   *class
	left    bool
	ended   bool
	closed  bool
	pumping bool
	waiting []*liveResult
	bytes   int
	// reached is the cursor of the last result that the transport has or will get.
	reached string
}

// liveResult is an event on its way.
type liveResult struct {
	*Result

	cursor string
}

func newMember(ctx context.Context, l *live, spec *liveSpec) *member {
	m := &member{ctx: ctx, live: l, spec: spec, out: make(chan *Result, outBuffer)}
	if spec.names != nil {
		m.asked = make(map[string]bool, len(spec.names))
		for n := range spec.names {
			m.asked[n] = false
		}
	}
	return m
}

// push hands a result on without waiting. A subscriber for whom too much waits is ended,
// with the cursor to come back with.
func (m *member) push(r *liveResult) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended || m.left {
		return
	}
	if !m.pumping {
		select {
		case m.out <- r.Result:
			m.reached = r.cursor
			return
		default:
		}
	}
	if len(m.waiting) >= maxWaiting || m.bytes+len(r.json) > maxWaitingBytes {
		m.waiting, m.bytes = nil, 0
		m.endLocked(slow(m.reached))
		return
	}
	m.waiting, m.bytes = append(m.waiting, r), m.bytes+len(r.json)
	if !m.pumping {
		m.pumping = true
		m.live.group.Go(m.pump)
	}
}

// slow is the error of a subscriber that reads slower than events come.
func slow(cursor string) error {
	e := apierror.New(apierror.Resume, "events come faster than they are read: subscribe again after the cursor")
	if cursor != "" {
		e.Extensions = map[string]any{"cursor": cursor}
	}
	return e
}

// pump hands on what waits, until nothing does.
func (m *member) pump() {
	for {
		m.mu.Lock()
		if len(m.waiting) == 0 || m.left {
			m.pumping = false
			if m.ended || m.left {
				m.closeLocked()
			}
			m.mu.Unlock()
			return
		}
		r := m.waiting[0]
		m.waiting, m.bytes = m.waiting[1:], m.bytes-len(r.json)
		m.reached = r.cursor
		m.mu.Unlock()
		select {
		case m.out <- r.Result:
		case <-m.ctx.Done():
		}
	}
}

// end tells the subscriber why there is no more; nil where nobody asks.
func (m *member) end(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endLocked(err)
}

func (m *member) endLocked(err error) {
	if m.ended {
		return
	}
	m.ended = true
	if err != nil {
		m.live.cfg.EndStream(m.ctx, err)
	}
	if !m.pumping {
		m.closeLocked()
	}
}

func (m *member) closeLocked() {
	if !m.closed {
		m.closed = true
		close(m.out)
	}
}

// leave is called when the subscription's context has ended.
func (m *member) leave() {
	m.mu.Lock()
	m.left = true
	c := m.class
	if !m.pumping && !m.ended {
		m.ended = true
		m.closeLocked()
	}
	m.mu.Unlock()
	if c != nil {
		c.remove(m)
	}
}

// gone tells that nobody listens any more.
func (m *member) gone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left || m.ended
}

// enters notes the class that the member is in; false when it has left meanwhile.
func (m *member) enters(c *class) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.class = c
	return !m.left && !m.ended
}

// saw tells whether the stream has shown a document of the class to this member, or it
// named it and could read it, before the place seq. known are those that streams had shown
// it before it came again.
func (m *member) saw(c *class, at docKey, seq int64, known shownBefore) bool {
	since, named := m.named[at.name]
	return c.shown[at].seq > m.start || named && seq > since || m.resumed > 0 && known[m.resumed][at] || known[everShown][at]
}

// listens tells whether the member listens to a name.
func (m *member) listens(name string) bool {
	if m.asked == nil {
		return true
	}
	_, ok := m.asked[name]
	return ok
}

// follow lets the member go on with a document that it named and knew, under another name.
func (m *member) follow(c *class, e event.Event, known shownBefore) {
	followed, asked := m.asked[e.Previous]
	if asked && (followed || m.saw(c, docKey{e.DocType, e.Previous}, e.Seq, known)) {
		m.asked[e.Name] = true
	}
}
