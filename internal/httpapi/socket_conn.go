package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"erpgraph/internal/auth"
)

// socket is one open connection of the protocol. Its reader, the goroutine of the
// request, handles one message after another; watch keeps time; each operation has a
// goroutine of its own. All end before serve returns.
//
// There is no queue of messages: who has one to send waits for those before it, and an
// operation makes its next event only when the last was taken. What waits is so bounded
// by the operations of the socket, and its time by Limits.SocketWrite: a client that
// does not read is closed.
type socket struct {
	*socketHandler

	conn    *websocket.Conn
	from    upgrader
	seat    *seat
	traced  bool
	started time.Time
	// end closes the socket; the first cause counts.
	end       context.CancelCauseFunc
	group     sync.WaitGroup
	initAsked atomic.Bool

	mu           sync.Mutex
	acknowledged bool
	id           auth.Identity
	user         string // by Options.User; "" while it is not known
	operations   map[string]*operation
	running      int      // of operations, those included that the client has left
	singles      int      // of those, the ones that end on their own
	count        int      // of operations ever
	leaving      *closing // set once: no new operation, and the end when singles are done
}

func newSocket(h *socketHandler, conn *websocket.Conn, from upgrader, place *seat, traced bool) *socket {
	return &socket{
		socketHandler: h, conn: conn, from: from, seat: place, traced: traced, started: time.Now(),
		operations: make(map[string]*operation),
	}
}

// serve runs the socket until it is closed, then writes its log line.
func (s *socket) serve(ctx context.Context, server *drain) {
	ctx, s.end = context.WithCancelCause(ctx)
	defer s.end(nil)
	s.conn.SetReadLimit(s.limits.BodyBytes)
	s.group.Go(func() { s.watch(ctx, server.stopping) })
	if s.conn.Subprotocol() != subprotocol {
		s.end(closeWith(codeSubprotocol, "Subprotocol not acceptable"))
	}
	s.read(ctx)
	s.group.Wait()
	s.log(ctx)
}

// read handles what comes until the socket ends.
func (s *socket) read(ctx context.Context) {
	defer s.guard(ctx)
	for ctx.Err() == nil {
		// Read must not end with ctx: that would cut the connection before it is told why.
		kind, data, err := s.conn.Read(context.WithoutCancel(ctx))
		switch {
		case errors.Is(err, websocket.ErrMessageTooBig):
			s.end(closeWith(websocket.StatusMessageTooBig, "a message is too large")) // Read has told the client
		case err != nil:
			s.end(&closing{reason: "the client has left"})
		case kind != websocket.MessageText:
			s.end(closeWith(codeInvalid, "Invalid message: it is not text"))
		default:
			s.receive(ctx, data)
		}
	}
}

func (s *socket) receive(ctx context.Context, data []byte) {
	m, err := parseMessage(data)
	if err != nil {
		s.end(invalid(err))
		return
	}
	switch m.kind {
	case typeInit:
		s.initialise(ctx, m)
	case typePing:
		s.answerPing(ctx, m)
	case typeSubscribe:
		s.subscribe(ctx, m)
	case typeComplete:
		s.abandon(m.id)
	}
}

// guard ends the socket, not the process, after a panic of a hook.
func (s *socket) guard(ctx context.Context) {
	if value := recover(); value != nil {
		_ = s.exec.presenter.recovered(ctx, value)
		s.end(closeWith(websocket.StatusInternalError, "internal error"))
	}
}

// send writes a message, after those that are being written. It reports whether the
// client can have it; if not, the socket ends.
func (s *socket) send(ctx context.Context, text []byte) bool {
	if ctx.Err() != nil {
		return false
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.SocketWrite)
	defer cancel()
	err := s.conn.Write(limited, websocket.MessageText, text)
	switch {
	case err == nil:
		return true
	case limited.Err() != nil:
		s.end(closeWith(codeTerminated, "Terminated: the client reads too slowly"))
	default:
		s.end(&closing{reason: "the client has left"})
	}
	return false
}

// watch keeps the socket's times and closes the connection when it ends.
func (s *socket) watch(ctx context.Context, stopping <-chan struct{}) {
	defer s.hangUp(ctx)
	late, old := time.NewTimer(s.limits.SocketInit), time.NewTimer(s.limits.SocketLifetime)
	defer late.Stop()
	defer old.Stop()
	ping, check := time.NewTicker(s.limits.SocketPing), time.NewTicker(s.limits.SocketCheck)
	defer ping.Stop()
	defer check.Stop()
	var pinging, checking atomic.Bool
	for {
		select {
		case <-ctx.Done():
			return
		case <-stopping:
			stopping = nil
			s.leave(closeWith(websocket.StatusGoingAway, "Going away: the server is stopping; connect again"))
		case <-old.C:
			s.leave(closeWith(codeTerminated, "Terminated: the socket has been open as long as one may be; connect again"))
		case <-late.C:
			if !s.initAsked.Load() {
				s.end(closeWith(codeInitTimeout, "Connection initialisation timeout"))
			}
		case <-ping.C:
			s.once(ctx, &pinging, s.ping)
		case <-check.C:
			s.once(ctx, &checking, s.checkAlive)
		}
	}
}

// once runs f beside the socket unless it still runs.
func (s *socket) once(ctx context.Context, running *atomic.Bool, f func(context.Context)) {
	if !running.CompareAndSwap(false, true) {
		return
	}
	s.group.Go(func() {
		defer running.Store(false)
		defer s.guard(ctx)
		f(ctx)
	})
}

// ping asks the client for a sign of life with a frame that browsers answer themselves.
func (s *socket) ping(ctx context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.SocketPing)
	defer cancel()
	if err := s.conn.Ping(limited); err != nil && ctx.Err() == nil {
		s.end(closeWith(codeTerminated, "Terminated: the client does not answer"))
	}
}

// leave ends the socket as soon as its queries and mutations are answered; nothing new
// begins on it.
func (s *socket) leave(why *closing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving != nil {
		return
	}
	s.leaving = why
	s.endIfDone()
}

// endIfDone runs with the lock held.
func (s *socket) endIfDone() {
	if s.leaving != nil && s.singles == 0 {
		s.end(s.leaving)
	}
}

// hangUp tells the client why, where there is somebody to tell, and waits a little for
// it to say goodbye. What Close says is not looked at: the connection is gone in any case.
func (s *socket) hangUp(ctx context.Context) {
	why, ok := errors.AsType[*closing](context.Cause(ctx))
	if !ok || why.code == 0 {
		_ = s.conn.CloseNow()
		return
	}
	_ = s.conn.Close(why.code, why.reason)
}

func (s *socket) log(ctx context.Context) {
	requestID, _ := RequestID(ctx)
	code, reason := websocket.StatusCode(0), "the server has cut the connection"
	if why, ok := errors.AsType[*closing](context.Cause(ctx)); ok {
		code, reason = why.code, why.reason
		if code == codeInvalid || code == codeDuplicateID {
			reason = "" // of what the client sent
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exec.presenter.log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "socket",
		slog.String("requestId", requestID), slog.String("caller", s.id.LogID()), slog.Int("operations", s.count),
		slog.Float64("ms", float64(time.Since(s.started).Microseconds())/1000),
		slog.Int("code", int(code)), slog.String("reason", reason))
}
