package httpapi

import (
	"context"
	"errors"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/auth"
)

// subscribe begins an operation.
func (s *socket) subscribe(ctx context.Context, m message) {
	params, err := m.operation()
	if err != nil {
		s.end(invalid(err))
		return
	}
	if !s.acknowledged() {
		s.end(closeWith(codeUnauthorize, "Unauthorized"))
		return
	}
	o := &operation{connection: &s.connection, id: m.id, single: true, refusal: checkJSONUnicode(m.raw, "the payload")}
	// The id may be abandoned as soon as it is taken.
	own, cancel := context.WithCancelCause(ctx)
	o.cancel = cancel
	number, err := s.begin(o)
	if err != nil {
		cancel(nil)
		if why, ok := errors.AsType[*closing](err); ok {
			s.end(why)
			return
		}
		s.send(ctx, s.last(o.id, o.refused(ctx, err)))
		return
	}
	// A name of its own below that of the socket, so that logs lead from one to the other.
	requestID, _ := RequestID(ctx)
	own, log := withOperationLog(context.WithValue(own, requestIDKey{}, requestID+"."+strconv.Itoa(number)))
	go o.run(ctx, own, log, func(ctx, own context.Context) (gqlerror.List, work) { return s.execute(ctx, own, o, params) })
}

// execute sends the results of an operation.
func (s *socket) execute(ctx, own context.Context, o *operation, params *graphql.RawParams) (gqlerror.List, work) {
	id := s.caller()
	noteUser(own, id)
	if o.refusal != nil {
		return o.refused(own, o.refusal), nil
	}
	own = graphql.StartOperationTrace(context.WithValue(auth.With(own, id), traceKey{}, s.traced))
	now := graphql.Now()
	params.ReadTime = graphql.TraceTiming{Start: now, End: now}
	p, errs, err := s.prepare(own, id, params)
	switch {
	case err != nil:
		return o.refused(own, err), nil
	case len(errs) > 0:
		return errs, nil
	}
	return o.perform(ctx, own, p)
}
