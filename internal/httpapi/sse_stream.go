package httpapi

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/auth"
)

// eventStream is one response of events: of one operation, or of all that name its token.
type eventStream struct {
	connection

	// many says that the events name their operations.
	many bool

	writing sync.Mutex
	w       http.ResponseWriter

	known sync.Mutex
	id    auth.Identity
}

var _ channel = (*eventStream)(nil)

func newEventStream(l *live, id auth.Identity, many bool) *eventStream {
	s := &eventStream{connection: newConnection(l, "sse", "stream"), id: id, many: many}
	s.channel = s
	return s
}

// open begins the response and the stream's times. What it begins has ended when
// group.Wait returns, after ctx.
func (s *eventStream) open(ctx context.Context, w http.ResponseWriter, server *drain) {
	h := w.Header()
	h.Set("Content-Type", eventStreamType+"; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back until it has a pageful
	// Nothing more is read of the request; that nobody sends must not end it.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	s.writing.Lock()
	s.w = w
	s.writing.Unlock()
	s.keep(ctx, server, duties{ping: s.ping, check: s.check, hangUp: func(context.Context) {}})
	// Some browsers take a response for open with its first bytes only.
	s.send(ctx, retryLine())
}

// retryLine tells a browser how long to wait before it connects again, in milliseconds:
// not the same for all, or those of a server that has stopped would all come at once.
func retryLine() []byte {
	after := 1000 + rand.IntN(2000) //nolint:gosec // G404: nobody gains by guessing it
	return []byte("retry: " + strconv.Itoa(after) + "\n\n")
}

func (s *eventStream) caller() auth.Identity {
	s.known.Lock()
	defer s.known.Unlock()
	return s.id
}

// renew takes over the credential of a later request of the same owner: that of a session
// is another when its token was renewed.
func (s *eventStream) renew(id auth.Identity) {
	s.known.Lock()
	defer s.known.Unlock()
	s.id = id
}

func (s *eventStream) next(id string, a *answer, cursor string) ([]byte, error) {
	payload, err := a.encode()
	if err != nil {
		return nil, err
	}
	if s.many {
		cursor = "" // it is the place of one operation, and a browser would send it for all
	}
	return sseNext(id, bytes.TrimRight(payload, "\n"), cursor), nil
}

func (s *eventStream) last(id string, errs gqlerror.List) []byte { return sseLast(id, errs) }

// send writes an event and waits until it is on its way.
func (s *eventStream) send(ctx context.Context, text []byte) bool {
	s.writing.Lock()
	defer s.writing.Unlock()
	if ctx.Err() != nil {
		return false
	}
	control := http.NewResponseController(s.w)
	// Not every writer has deadlines; those that have none are tests.
	_ = control.SetWriteDeadline(time.Now().Add(s.limits.SocketWrite))
	_, err := s.w.Write(text) // no HTML, and nosniff says so
	if err == nil {
		err = control.Flush()
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.end(closeWith(codeTerminated, "Terminated: the client reads too slowly"))
	default:
		s.end(&closing{reason: "the client has left"})
	}
	return false
}

// ping shows proxies that the stream is in use; a client that is gone is noticed by it.
func (s *eventStream) ping(ctx context.Context) { s.send(ctx, ssePing()) }

// check ends the stream when the caller's credential has ceased to count: what runs ends
// with the error. That of a session may have been renewed meanwhile, so its browser had
// better connect again: the cookie has the new one, or the answer says that it has ended.
func (s *eventStream) check(ctx context.Context) {
	id := s.caller()
	err := s.hasEnded(ctx, id)
	switch {
	case err == nil, s.caller().Key() != id.Key():
	case id.FromSession():
		s.end(closeWith(codeUnauthorize, "Unauthorized: "+publicMessage(err)))
	default:
		s.revoke(err)
	}
}

// close ends the stream and waits for all that it has begun.
func (s *eventStream) close() {
	s.end(closeWith(websocket.StatusNormalClosure, "done"))
	s.group.Wait()
	// net/http writes the end of the response yet.
	_ = http.NewResponseController(s.w).SetWriteDeadline(time.Now().Add(s.limits.SocketWrite))
}
