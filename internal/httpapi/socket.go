package httpapi

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// socketHandler opens sockets. What goes over one passes the same executor, slots,
// limits and admission as a request over HTTP.
type socketHandler struct {
	exec    *executor
	callers *callers
	limits  Limits
	slots   *slots
	seats   *seats
	alive   func(context.Context, auth.Identity) error
	userOf  func(context.Context, auth.Identity) (string, error)
}

func newSocketHandler(o Options, exec *executor, who *callers, places *slots) *socketHandler {
	return &socketHandler{
		exec: exec, callers: who, limits: o.Limits, slots: places,
		seats: newSeats(o.Limits.Sockets, o.Limits.SocketsPerCaller),
		alive: o.Alive, userOf: o.User,
	}
}

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
	defer place.leave()

	server := drainOf(r.Context())
	if !server.enter() {
		h.refuse(w, r, apierror.New(apierror.UpstreamUnavailable, "the server is stopping; connect again"))
		return
	}
	defer server.leave()

	taken := &takenConn{ResponseWriter: w}
	conn, err := websocket.Accept(taken, r, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // upgrader has checked the origin, more strictly
	})
	if err != nil {
		return // Accept has answered
	}
	// Whoever ends the request's context is not waiting for a close handshake any more.
	defer context.AfterFunc(r.Context(), taken.cut)()
	s := newSocket(h, conn, from, place, asksForTrace(r))
	s.serve(r.Context(), server)
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

// takenConn keeps the connection that a handler takes over, to be able to cut it.
type takenConn struct {
	http.ResponseWriter

	mu   sync.Mutex
	conn net.Conn
}

// Hijack is for websocket.Accept.
func (t *takenConn) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(t.ResponseWriter).Hijack()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conn = conn
	return conn, buffers, err
}

func (t *takenConn) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conn != nil {
		_ = t.conn.Close() // it may be closed already, which is as good
	}
}
