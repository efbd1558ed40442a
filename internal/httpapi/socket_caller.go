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
		user, err = s.meet(limited, id, s.seat)
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
	s.who.mu.Lock()
	acknowledged, current, user := s.who.acknowledged, s.who.id, s.who.user
	s.who.mu.Unlock()
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
	next, err := s.meet(ctx, given, s.seat)
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
	s.who.mu.Lock()
	defer s.who.mu.Unlock()
	s.who.id, s.who.user, s.who.acknowledged = id, user, true
}

func (s *socket) caller() auth.Identity {
	s.who.mu.Lock()
	defer s.who.mu.Unlock()
	return s.who.id
}

func (s *socket) acknowledged() bool {
	s.who.mu.Lock()
	defer s.who.mu.Unlock()
	return s.who.acknowledged
}

// check closes the socket when the caller's credential has ceased to count.
func (s *socket) check(ctx context.Context) {
	id := s.caller()
	// Another may be handed over meanwhile; this one may end as it likes then.
	if err := s.hasEnded(ctx, id); err != nil && s.caller().Key() == id.Key() {
		s.end(closeWith(codeUnauthorize, "Unauthorized: "+publicMessage(err)))
	}
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
