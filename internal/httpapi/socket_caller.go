package httpapi

import (
	"context"
	"errors"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// callerTime bounds what is asked about a socket's caller. It is shorter than the
// default of Limits.SocketPing: the reader waits for it, and pongs wait for the reader.
const callerTime = 5 * time.Second

// initialise answers connection_init: it settles who the caller is. The credential is
// that of the Authorization header of the handshake, or of the member authorization of
// the payload, which must be the same if there are both; else the cookie's. Without any
// the socket is nobody's.
func (s *socket) initialise(ctx context.Context, m message) {
	if s.initAsked.Swap(true) {
		s.end(closeWith(codeTooManyInit, "Too many initialisation requests"))
		return
	}
	limited, cancel := context.WithTimeout(ctx, callerTime)
	defer cancel()
	id, err := s.initialCaller(m)
	var user string
	if err == nil {
		user, err = s.meet(limited, id)
	}
	if isRefusal(err) || errors.Is(err, errSeat) {
		s.end(forbidden(err))
		return
	}
	// ERPNext or the database may be down: each operation will find out for itself.
	s.settle(id, user)
	s.send(ctx, ackMessage())
}

func (s *socket) initialCaller(m message) (auth.Identity, error) {
	given, err := m.credential()
	switch {
	case err != nil:
		return auth.Identity{}, err
	case given.IsZero():
		return s.from.id, s.from.refused
	case s.from.byHeader && given.Key() != s.from.id.Key():
		return auth.Identity{}, refusal("the credential of connection_init is another than that of the Authorization header")
	}
	return given, nil
}

// meet admits a caller and asks for his name, "" where nobody can tell. The socket counts
// as his once he has a name, and as a stranger's before: made-up credentials have no share
// of their own.
func (s *socket) meet(ctx context.Context, id auth.Identity) (string, error) {
	if err := s.callers.admit(ctx, id); err != nil {
		return "", err
	}
	if s.userOf == nil || id.IsZero() {
		return "", s.seat.move(id.Key())
	}
	user, err := s.userOf(ctx, id)
	if err != nil {
		return "", err
	}
	return user, s.seat.move(id.Key())
}

// answerPing answers a ping. One whose payload has a member authorization hands over
// another credential of the same user, such as a token that was renewed; the pong says
// that it counts from now on, for operations that run as well.
func (s *socket) answerPing(ctx context.Context, m message) {
	given, err := m.credential()
	switch {
	case err != nil:
		s.end(forbidden(err))
	case given.IsZero():
		s.send(ctx, pongMessage(m.raw))
	default:
		if err := s.takeOver(ctx, given); err != nil {
			s.end(forbidden(err))
			return
		}
		s.send(ctx, pongMessage(nil))
	}
}

// takeOver puts a credential in place of the socket's. Every error closes the socket,
// so that no client believes in one that does not count.
func (s *socket) takeOver(ctx context.Context, given auth.Identity) error {
	s.mu.Lock()
	acknowledged, current, user := s.acknowledged, s.id, s.user
	s.mu.Unlock()
	switch {
	case !acknowledged:
		return refusal("send the first credential with connection_init")
	case s.userOf == nil:
		return refusal("a credential can't be handed over here; connect again")
	case current.IsZero():
		return refusal("the socket is nobody's; connect again to send a credential")
	}
	ctx, cancel := context.WithTimeout(ctx, callerTime)
	defer cancel()
	if user == "" {
		var err error
		if user, err = s.userOf(ctx, current); err != nil {
			return err
		}
	}
	next, err := s.meet(ctx, given)
	switch {
	case err != nil:
		return err
	case next == "" || next != user:
		return refusal("the credential is not of the socket's user; connect again")
	}
	s.settle(given, user)
	return nil
}

// settle makes id the caller from now on.
func (s *socket) settle(id auth.Identity, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.user, s.acknowledged = id, user, true
}

// followingContext is a context whose caller is the socket's at the time of asking. The
// context of an event is made before the event is waited for, and meanwhile another
// credential may be handed over.
type followingContext struct {
	context.Context //nolint:containedctx // it is one

	socket *socket
}

func (s *socket) following(ctx context.Context) context.Context {
	return followingContext{Context: ctx, socket: s}
}

// Value replaces the caller that ctx began with.
func (c followingContext) Value(key any) any {
	found := c.Context.Value(key)
	if _, ok := found.(auth.Identity); ok {
		return c.socket.caller()
	}
	return found
}

// checkAlive asks whether the caller's credential still counts.
func (s *socket) checkAlive(ctx context.Context) {
	id := s.caller()
	if s.alive == nil || id.IsZero() {
		return
	}
	limited, cancel := context.WithTimeout(ctx, callerTime)
	defer cancel()
	err := s.alive(limited, id)
	// Another may have been handed over meanwhile; this one may end as it likes then.
	if apierror.CodeOf(err) == apierror.Unauthenticated && s.caller().Key() == id.Key() {
		s.end(closeWith(codeUnauthorize, "Unauthorized: "+publicMessage(err)))
	}
}

func (s *socket) caller() auth.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// refusal is why a credential does not count, in words for the client.
func refusal(why string) error { return apierror.New(apierror.Forbidden, "%s", why) }

func isRefusal(err error) bool {
	code := apierror.CodeOf(err)
	return code == apierror.Unauthenticated || code == apierror.Forbidden
}

func forbidden(err error) *closing {
	return closeWith(codeForbidden, "Forbidden: "+publicMessage(err))
}

// publicMessage is what a client may read of an error.
func publicMessage(err error) string {
	if public, ok := known(err); ok {
		return public.Message
	}
	return "internal error"
}
