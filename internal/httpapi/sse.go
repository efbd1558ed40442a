package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// streamHandler serves operations over streams of events. In the mode of distinct
// connections (here) each operation is a request whose response is its stream; in that of
// a single connection (sse_single.go) one response carries the events of many.
type streamHandler struct {
	*transport

	reserved *reservations
}

// serveDistinct answers one operation by a stream of its results. A request that is none,
// or whose caller may not come in, is answered as over plain HTTP; what is wrong with the
// operation is a result, as the protocol wants it: EventSource shows nothing of a response
// with another status.
func (h *streamHandler) serveDistinct(w http.ResponseWriter, r *http.Request) {
	noteStreamHeaders(w)
	ctx, log := withOperationLog(r.Context())
	if err := h.distinct(ctx, w, r, log); err != nil {
		h.refuse(ctx, w, err, log)
	}
}

func noteStreamHeaders(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", varyGraphQL+", Last-Event-ID")
}

// refuse answers a request that began no operation, and writes its line.
func (h *streamHandler) refuse(ctx context.Context, w http.ResponseWriter, err error, log *operationLog) {
	result, status := h.refusal(ctx, w, err)
	h.reply(ctx, w, result, plainJSON, status, log)
}

// reply answers with one result, and writes the line of its operation.
func (h *streamHandler) reply(ctx context.Context, w http.ResponseWriter, result *answer, mediaType string, status int, log *operationLog) {
	noteErrors(ctx, result.errors)
	LogAttrs(ctx, slog.String("transport", "sse"))
	log.write(ctx, h.exec.presenter.log, status)
	body, err := result.encode()
	if err != nil {
		panic(err) // can't be: errors have extensions of ours
	}
	writeBody(w, status, mediaType, body)
}

func (h *streamHandler) distinct(ctx context.Context, w http.ResponseWriter, r *http.Request, log *operationLog) error {
	id, place, err := h.enter(ctx, r)
	if err != nil {
		return err
	}
	defer place.leave()
	server := drainOf(ctx)
	if !server.enter() {
		return errStopping()
	}
	defer server.leave()
	params, own, err := h.begins(ctx, w, r, id)
	if err != nil {
		return err
	}

	s := newEventStream(h.live, id, false)
	// Both end with the request, and with the stream.
	ctx, s.end = context.WithCancelCause(ctx)
	defer s.end(nil)
	done := make(chan struct{})
	o := &operation{connection: &s.connection, single: true, ended: func() { close(done) }}
	own, o.cancel = context.WithCancelCause(own)
	defer o.cancel(nil)
	defer context.AfterFunc(ctx, func() { o.cancel(context.Cause(ctx)) })()

	p, errs, err := h.prepare(own, id, params)
	if err == nil {
		err = unanswerable(errs)
	}
	if err != nil {
		return err
	}
	if _, err := s.begin(o); err != nil {
		if p != nil {
			p.release()
		}
		return err
	}
	s.open(ctx, w, server)
	o.run(ctx, own, log, func(ctx, own context.Context) (gqlerror.List, work) {
		if len(errs) > 0 {
			return errs, nil
		}
		return o.perform(ctx, own, p)
	})
	<-done
	s.close()
	return nil
}

// unanswerable is the error among errs that makes a request none of GraphQL, such as a
// mutation by GET.
func unanswerable(errs gqlerror.List) error {
	if len(errs) > 0 {
		if refused, ok := errors.AsType[*requestError](errs[0]); ok {
			return refused
		}
	}
	return nil
}

// enter finds out who asks and gives him a seat.
func (h *streamHandler) enter(ctx context.Context, r *http.Request) (id auth.Identity, place *seat, err error) {
	id, err = h.callers.identify(r, h.callers.origins.checkStream)
	if err != nil {
		return id, nil, err
	}
	noteUser(ctx, id)
	// A session was looked up, a header may hold anything until somebody has a name for it.
	stranger := ""
	if id.FromSession() {
		stranger = id.Key()
	}
	taken, err := h.seats.take(stranger)
	if err != nil {
		return id, nil, err
	}
	defer func() {
		if place == nil { // also after a panic of a hook
			taken.leave()
		}
	}()
	limited, cancel := context.WithTimeout(ctx, callerTime)
	defer cancel()
	// ERPNext or the database may be down: the operation will find out for itself.
	if _, err := h.meet(limited, id, taken); isRefusal(err) || errors.Is(err, errSeat) {
		return id, nil, err
	}
	return id, taken, nil
}

// begins reads an operation, and makes the context that it is to run in.
func (h *streamHandler) begins(ctx context.Context, w http.ResponseWriter, r *http.Request, id auth.Identity) (*graphql.RawParams, context.Context, error) {
	own := context.WithValue(auth.With(ctx, id), traceKey{}, asksForTrace(r))
	own, err := withIdempotencyKey(own, r.Header)
	if err != nil {
		return nil, nil, err
	}
	if own, err = withLastEventID(own, r.Header); err != nil {
		return nil, nil, err
	}
	params, err := h.read(w, r)
	if err != nil {
		return nil, nil, err
	}
	own = context.WithValue(own, readOnlyKey{}, r.Method == http.MethodGet)
	return params, graphql.StartOperationTrace(own), nil
}

func errStopping() error {
	return apierror.New(apierror.UpstreamUnavailable, "the server is stopping; connect again")
}
