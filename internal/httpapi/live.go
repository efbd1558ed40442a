package httpapi

import (
	"context"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// live is what every way to run an operation goes through: the same executor, slots,
// limits and admission for HTTP, sockets and streams of events; and what connections that
// stay open share beyond that.
type live struct {
	exec    *executor
	callers *callers
	limits  Limits
	slots   *slots
	seats   *seats
	alive   func(context.Context, auth.Identity) error
	userOf  func(context.Context, auth.Identity) (string, error)
}

func newLive(o Options, exec *executor, who *callers) *live {
	return &live{
		exec: exec, callers: who, limits: o.Limits,
		slots: newSlots("operations", o.Limits.Concurrent, o.Limits.QueueTime),
		seats: newSeats(o.Limits.Sockets, o.Limits.SocketsPerCaller),
		alive: o.Alive, userOf: o.User,
	}
}

// meet admits a caller and asks for his name, "" where nobody can tell. The seat counts
// as his once he has a name, and as a stranger's before: made-up credentials have no share
// of their own.
func (l *live) meet(ctx context.Context, id auth.Identity, place *seat) (string, error) {
	if err := l.callers.admit(ctx, id); err != nil {
		return "", err
	}
	if l.userOf == nil || id.IsZero() {
		return "", place.move(id.Key())
	}
	user, err := l.userOf(ctx, id)
	if err != nil {
		return "", err
	}
	return user, place.move(id.Key())
}

// hasEnded asks whether a caller's credential has ceased to count, and gives the
// UNAUTHENTICATED error then. That nobody can tell says nothing about it.
func (l *live) hasEnded(ctx context.Context, id auth.Identity) error {
	if l.alive == nil || id.IsZero() {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, callerTime)
	defer cancel()
	if err := l.alive(limited, id); apierror.CodeOf(err) == apierror.Unauthenticated {
		return err
	}
	return nil
}

// prepared is an operation that may run, and has a slot for it.
type prepared struct {
	op *graphql.OperationContext
	// deadline is of the operation; a subscription has to begin by then.
	deadline time.Time
	// release gives the slot back, once however often it is called.
	release func()
}

// prepare waits for a slot, admits the caller and measures the operation. errs is what is
// wrong with the operation itself; err is why it was not looked at. After both, nothing is
// to be released.
func (l *live) prepare(own context.Context, id auth.Identity, params *graphql.RawParams) (p *prepared, errs gqlerror.List, err error) {
	release, err := l.slots.take(own, id.Key())
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if p == nil { // also after a panic of a hook
			release()
		}
	}()
	deadline := time.Now().Add(l.limits.Time)
	limited, cancel := context.WithDeadline(own, deadline)
	defer cancel()
	if err := l.callers.admit(limited, id); err != nil {
		return nil, nil, err
	}
	op, errs := l.exec.CreateOperationContext(limited, params)
	if len(errs) > 0 {
		return nil, errs, nil
	}
	return &prepared{op: op, deadline: deadline, release: sync.OnceFunc(release)}, nil, nil
}

// again takes a slot for an operation that has given its own back before it began.
func (l *live) again(own context.Context, id auth.Identity, p *prepared) error {
	release, err := l.slots.take(own, id.Key())
	if err != nil {
		return err
	}
	p.release, p.deadline = sync.OnceFunc(release), time.Now().Add(l.limits.Time)
	return nil
}
