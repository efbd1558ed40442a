package event

import (
	"context"
	"errors"
	"sync"

	"erpgraph/internal/apierror"
)

// nextLimit bounds what Next gives at a time.
const nextLimit = 500

// ErrClosed is what Next gives once the stream is closed.
var ErrClosed = errors.New("event: the stream is closed")

// Stream is what one listener gets. Its methods are for one goroutine, but for Close.
type Stream struct {
	hub   *Hub
	life  *life
	topic *topic
	key   topicKey
	epoch string
	start int64
	head  int64

	// at is how far the stream has handed out all there was; upTo is where the log's part of
	// the way ends, and place is the topic's first event after it. The hub reads place with
	// its lock held; so it is written with it held for reading.
	at, upTo int64
	place    int
	// excused tells that more events than the bound are no fault of the listener's: he reads
	// the log, or was waiting when they all came at once.
	excused bool
	// err ends the stream for good.
	err error

	closing sync.Once
	closed  chan struct{}
}

// Start is where the stream began: its first event comes after it.
func (s *Stream) Start() Cursor { return Cursor{Epoch: s.epoch, Seq: s.start} }

// Head is how far the log was followed when the stream began: the start, unless the stream
// goes on behind a cursor.
func (s *Stream) Head() int64 { return s.head }

// At is how far the stream has handed out all there was. Like Next, it is for the one
// goroutine that reads the stream.
func (s *Stream) At() int64 { return s.at }

// Next waits for events and gives all that are there, at most 500: first those of the log
// after the cursor, then those that came since; no event twice, none left out. The slice
// may be shared with other streams: it must not be changed.
//
// Errors that end the stream: RESUME with extensions.cursor, which is after the last event
// that Next gave, once more waited than the bound or when the process stops;
// CURSOR_EXPIRED; ErrClosed. After UPSTREAM_UNAVAILABLE, and the end of ctx, Next may be
// called again.
func (s *Stream) Next(ctx context.Context) ([]Event, error) {
	for {
		if err := s.over(); err != nil {
			return nil, err
		}
		var events []Event
		var wake <-chan struct{}
		var err error
		if s.at < s.upTo {
			events, err = s.backlog(ctx)
		} else {
			events, wake, err = s.take()
		}
		if err != nil || len(events) > 0 {
			return events, err
		}
		if wake == nil {
			continue
		}
		select {
		case <-wake:
			s.excused = true
		case <-s.closed:
		case <-s.life.over:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// over tells why the stream has ended, nil while it has not.
func (s *Stream) over() error {
	select {
	case <-s.closed:
		return ErrClosed
	default:
	}
	if s.err != nil {
		return s.err
	}
	select {
	case <-s.life.over:
		if errors.Is(s.life.err, errStopped) {
			s.err = s.resume("this process stops")
		} else {
			s.err = s.life.err
		}
		return s.err
	default:
		return nil
	}
}

func (s *Stream) resume(why string) error {
	e := apierror.New(apierror.Resume, "%s: go on with the cursor", why)
	e.Extensions = map[string]any{"cursor": Cursor{Epoch: s.epoch, Seq: s.at}.String()}
	return e
}

// backlog reads a page of the log. It may be empty where the DocTypes are rare.
func (s *Stream) backlog(ctx context.Context) ([]Event, error) {
	events, next, err := s.hub.cfg.Log.Read(ctx, Cursor{Epoch: s.epoch, Seq: s.at}, s.upTo, s.topic.doctypes, nextLimit)
	if apierror.CodeOf(err) == apierror.CursorExpired {
		s.err = err
	}
	if err != nil {
		return nil, err
	}
	s.at = next.Seq
	return events, nil
}

// take gives what waits, or what to wait for, or neither where there is more to take.
func (s *Stream) take() ([]Event, <-chan struct{}, error) {
	s.hub.mu.RLock()
	defer s.hub.mu.RUnlock()
	t := s.topic
	events, ok := t.take(s.place, s.hub.cfg.Queue, nextLimit)
	if !ok && s.excused { // there is more of the log to read
		s.upTo, s.place = s.hub.at.Seq, t.end()
		return nil, nil, nil
	}
	if !ok {
		s.err = s.resume("more events waited for this stream than it may keep")
		return nil, nil, s.err
	}
	s.excused = false
	s.place += len(events)
	for len(events) > 0 && events[0].Seq <= s.at { // the cursor was ahead of the hub
		events = events[1:]
	}
	if s.place < t.end() {
		if len(events) > 0 {
			s.at = events[len(events)-1].Seq
		}
		return events, nil, nil
	}
	if s.life == s.hub.life {
		s.at = max(s.at, s.hub.at.Seq) // also past what others listen to
	} else if len(events) > 0 {
		s.at = events[len(events)-1].Seq
	}
	return events, t.wake, nil
}

// Close ends the stream. It may be called more than once, and while Next waits.
func (s *Stream) Close() {
	s.closing.Do(func() {
		close(s.closed)
		s.hub.leave(s)
	})
}
