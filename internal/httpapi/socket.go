package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// socketHandler opens sockets.
type socketHandler struct{ *live }

// asksForSocket tells a WebSocket handshake from a GET of HTTP.
func asksForSocket(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	for _, value := range r.Header.Values("Upgrade") {
		for name := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(name), "websocket") {
				return true
			}
		}
	}
	return false
}

// ServeHTTP answers the handshake and serves the socket to its end. A handshake that is
// refused here is answered by HTTP; after it, by the code of the close frame, which is
// all that a browser's script can see.
func (h *socketHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", varyGraphQL)
	from, err := h.upgrader(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	place, err := h.seats.take(from.seatKey())
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	leave := place.leave
	defer func() { leave() }() // unless the socket has taken that over
	server := drainOf(r.Context())
	if !server.enter() {
		h.refuse(w, r, errStopping())
		return
	}
	leave = func() { place.leave(); server.leave() }
	taken := &takenConn{ResponseWriter: w}
	conn, err := websocket.Accept(taken, r, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // upgrader has checked the origin, more strictly
	})
	if err != nil {
		return // Accept has answered
	}
	// The socket goes on without the request: its goroutine, its buffers and all that it
	// keeps would be kept as long, and most of what an idle socket costs is that. Whoever
	// serves waits for it by the drain.
	s := newSocket(h.live, conn, from, place, asksForTrace(r))
	ctx, end := detached(r.Context()), leave
	leave = func() {}
	go func() {
		defer end()
		s.serve(ctx, server, taken.conn)
	}()
}

// detached is a context of its own for what outlives its request, with the request's name.
func detached(ctx context.Context) context.Context {
	id, _ := RequestID(ctx)
	return context.WithValue(context.Background(), requestIDKey{}, id)
}

func (h *socketHandler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := apierror.CodeOf(err).HTTPStatus()
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	h.exec.presenter.write(w, r, status, err)
}

// upgrader is who asked for a socket.
type upgrader struct {
	id auth.Identity
	// byHeader says that the credential came in the Authorization header.
	byHeader bool
	// refused is why the cookie of the handshake does not count. A script can't see
	// the answer to a handshake, so connection_init gives it the reason.
	refused error
}

// seatKey is whose the socket is until connection_init: a session was looked up, a header
// may hold anything.
func (u upgrader) seatKey() string {
	if u.id.FromSession() {
		return u.id.Key()
	}
	return ""
}

// upgrader finds the caller of a handshake. Browsers let any page open a socket to any
// host, with its cookies and without asking before, so the page's origin decides; they
// always name it. Without one it is no browser, which has no use for a session.
func (h *socketHandler) upgrader(r *http.Request) (upgrader, error) {
	origin := r.Header.Values("Origin")
	own := h.callers.origins
	if len(origin) > 1 || len(origin) == 1 && !own.isOwn(r, origin[0]) && !own.allows(origin[0]) {
		return upgrader{}, own.foreign()
	}
	from := upgrader{byHeader: len(r.Header.Values("Authorization")) > 0}
	id, err := h.callers.identify(r, func(*http.Request) error {
		if len(origin) == 0 {
			return apierror.New(apierror.Forbidden, "a socket with a session's cookie needs the Origin header; send a token in the Authorization header instead")
		}
		return nil
	})
	if !from.byHeader && apierror.CodeOf(err) == apierror.Unauthenticated {
		from.refused = err
		return from, nil
	}
	from.id = id
	return from, err
}

// The buffers of a socket. Messages are mostly shorter; longer ones pass by them.
const (
	readBuffer  = 512
	writeBuffer = 512
)

// takenConn keeps the connection that a handler takes over, to be able to cut it, and
// gives it small buffers in place of those of net/http, 4 KiB each way.
type takenConn struct {
	http.ResponseWriter

	conn net.Conn
}

// Hijack is for websocket.Accept.
func (t *takenConn) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, old, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.conn = conn
	// What the client has sent with its handshake already is in the old buffer; Accept looks
	// for it in the new one.
	early := make([]byte, old.Reader.Buffered())
	if _, err := io.ReadFull(old.Reader, early); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(early), conn), max(readBuffer, len(early)))
	if _, err := in.Peek(len(early)); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, bufio.NewReadWriter(in, bufio.NewWriterSize(conn, writeBuffer)), nil
}
