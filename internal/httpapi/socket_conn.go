package httpapi

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"erpgraph/internal/auth"
)

// socket is one open connection of the protocol. Its reader handles one message after
// another.
type socket struct {
	connection

	conn      *websocket.Conn
	from      upgrader
	seat      *seat
	traced    bool
	initAsked atomic.Bool

	who struct {
		mu           sync.Mutex
		acknowledged bool
		id           auth.Identity
		user         string // by Options.User; "" while it is not known
	}
}

var _ channel = (*socket)(nil)

func newSocket(l *live, conn *websocket.Conn, from upgrader, place *seat, traced bool) *socket {
	s := &socket{connection: newConnection(l, "socket", "socket"), conn: conn, from: from, seat: place, traced: traced}
	s.channel = s
	return s
}

// serve runs the socket until it is closed, then writes its log line.
func (s *socket) serve(ctx context.Context, server *drain, wire io.Closer) {
	ctx, s.end = context.WithCancelCause(ctx)
	defer s.end(nil)
	defer server.whenCutting(func() {
		s.end(nil)
		_ = wire.Close() // for no close handshake any more; it may be closed already
	})()
	s.conn.SetReadLimit(s.limits.BodyBytes)
	s.keep(ctx, server, duties{ping: s.ping, check: s.check, hangUp: s.hangUp})
	late := time.AfterFunc(s.limits.SocketInit, func() {
		if !s.initAsked.Load() {
			s.end(closeWith(codeInitTimeout, "Connection initialisation timeout"))
		}
	})
	defer late.Stop()
	if s.conn.Subprotocol() != subprotocol {
		s.end(closeWith(codeSubprotocol, "Subprotocol not acceptable"))
	}
	s.guarded(ctx, s.read)
	s.group.Wait()
	s.log(ctx, "socket", s.caller())
}

// read handles what comes until the socket ends.
func (s *socket) read(ctx context.Context) {
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

// ping asks the client for a sign of life with a frame that browsers answer themselves.
func (s *socket) ping(ctx context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.SocketPing)
	defer cancel()
	if err := s.conn.Ping(limited); err != nil && ctx.Err() == nil {
		s.end(closeWith(codeTerminated, "Terminated: the client does not answer"))
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
