package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// ServeHTTP answers /graphql/stream: PUT reserves a stream that carries the events of many
// operations, GET opens it, POST (or GET, for one who reads no events) begins an operation
// on it, DELETE ends one. Without a token an operation has a stream of its own.
func (h *streamHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	noteStreamHeaders(w)
	token := tokenOf(r)
	events := asksForStream(r)
	switch {
	case r.Method == http.MethodPut:
		h.answer(w, r, h.reserve(w, r))
	case r.Method == http.MethodDelete:
		h.answer(w, r, h.stop(w, r, token))
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		h.answer(w, r, notAllowed("GET, POST, PUT, DELETE", "the method is not served here; send GET, POST, PUT or DELETE"))
	case token == "" && events:
		h.serveDistinct(w, r)
	case token == "":
		h.answer(w, r, &requestError{status: http.StatusNotFound, err: apierror.New(apierror.NotFound,
			"the request names no stream; reserve one with PUT, or accept %s for a stream of this operation's own", eventStreamType)})
	case r.Method == http.MethodGet && events:
		h.answer(w, r, h.connect(w, r, token))
	default:
		h.serveAccepted(w, r, token)
	}
}

// answer writes what an error says; nil was answered already.
func (h *streamHandler) answer(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil {
		return
	}
	result, status := h.refusal(r.Context(), w, err)
	body, err := result.encode()
	if err != nil {
		panic(err) // can't be: errors have extensions of ours
	}
	writeBody(w, status, plainJSON, body)
}

func tokenOf(r *http.Request) string {
	if token := r.Header.Get(tokenHeader); token != "" {
		return token
	}
	return r.URL.Query().Get(tokenParam)
}

// reserve keeps a place for a stream, and a seat, and answers with the token.
func (h *streamHandler) reserve(w http.ResponseWriter, r *http.Request) error {
	id, place, err := h.enter(r.Context(), r)
	if err != nil {
		return err
	}
	s := newEventStream(h.live, id, true)
	// It may have operations before it is opened, so its context is not that of a request.
	ctx, end := context.WithCancelCause(detached(r.Context()))
	s.end = end
	one, err := h.reserved.add(ctx, s, place)
	if err != nil {
		end(nil)
		place.leave()
		return err
	}
	h.text(w, http.StatusCreated, one.token)
	return nil
}

// text answers without JSON. Whether the client could be told is not looked at: it will ask
// again, or the place is given up.
func (h *streamHandler) text(w http.ResponseWriter, status int, body string) {
	if body != "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// owned finds the stream of a token for a caller who may use it. A credential that is
// refused by now is so again where something is done with it.
func (h *streamHandler) owned(r *http.Request, token string) (auth.Identity, *reservation, error) {
	id, err := h.callers.identify(r, h.callers.origins.checkStream)
	if err != nil {
		return id, nil, err
	}
	one, err := h.reserved.find(token, id)
	if err == nil {
		one.stream.renew(id)
	}
	return id, one, err
}

// connect opens a stream that was reserved, and serves it to its end.
func (h *streamHandler) connect(w http.ResponseWriter, r *http.Request, token string) error {
	id, one, err := h.owned(r, token)
	if err != nil {
		return err
	}
	server := drainOf(r.Context())
	if !server.enter() {
		return errStopping()
	}
	defer server.leave()
	limited, cancel := context.WithTimeout(r.Context(), callerTime)
	defer cancel()
	if err := h.callers.admit(limited, id); isRefusal(err) {
		return err
	}
	if err := h.reserved.take(one); err != nil {
		return err
	}
	s := one.stream
	defer h.reserved.remove(one)
	defer s.end(nil)
	defer context.AfterFunc(r.Context(), func() { s.end(&closing{reason: "the client has left"}) })()
	s.open(one.ctx, w, server) //nolint:contextcheck // the stream has a context of its own, which its request ends
	one.start()
	<-one.ctx.Done()
	s.close()
	s.log(one.ctx, "stream", id) //nolint:contextcheck // as above
	return nil
}

// stop ends an operation at the client's wish. It may have ended already.
func (h *streamHandler) stop(w http.ResponseWriter, r *http.Request, token string) error {
	_, one, err := h.owned(r, token)
	if err != nil {
		return err
	}
	id := r.URL.Query().Get(operationParam)
	if id == "" {
		return badRequest("the URL has no %s, which says what to end", operationParam)
	}
	one.stream.abandon(id)
	h.text(w, http.StatusOK, "")
	return nil
}

// serveAccepted begins an operation on a stream. The answer says that it was accepted, or
// why not, as over plain HTTP; its results go to the stream.
func (h *streamHandler) serveAccepted(w http.ResponseWriter, r *http.Request, token string) {
	ctx, log := withOperationLog(r.Context())
	mediaType, acceptable := negotiate(r.Header.Values("Accept"))
	if !acceptable {
		mediaType = plainJSON // the answer has no body, as a rule
	}
	errs, err := h.accept(ctx, w, r, token, log)
	switch {
	case err != nil:
		h.refuse(ctx, w, err, log)
	case len(errs) > 0:
		result := &answer{errors: errs}
		h.reply(ctx, w, result, mediaType, max(result.status(mediaType), http.StatusBadRequest), log)
	default:
		h.text(w, http.StatusAccepted, "")
	}
}

// accept hands an operation to its stream. errs is what is wrong with it.
func (h *streamHandler) accept(ctx context.Context, w http.ResponseWriter, r *http.Request, token string, log *operationLog) (errs gqlerror.List, err error) {
	id, one, err := h.owned(r, token)
	if err != nil {
		return nil, err
	}
	noteUser(ctx, id)
	params, own, err := h.begins(ctx, w, r, id)
	if err != nil {
		return nil, err
	}
	o := &operation{connection: &one.stream.connection, single: true}
	if o.id, err = operationID(params); err != nil {
		return nil, err
	}
	p, errs, err := h.prepare(own, id, params)
	if err == nil {
		err = unanswerable(errs)
	}
	if err != nil || len(errs) > 0 {
		return errs, err
	}
	// The operation goes on without this request, to the end of the stream.
	own, cancel := context.WithCancelCause(context.WithoutCancel(own))
	o.cancel = cancel
	if _, err := one.stream.begin(o); err != nil {
		p.release()
		cancel(nil)
		if why, ok := errors.AsType[*closing](err); ok {
			return nil, conflict(why.reason)
		}
		return nil, err
	}
	return nil, h.hand(own, id, one, o, p, log)
}

// hand runs an operation that has begun, or lets it wait for the stream. What waits has no
// slot.
func (h *streamHandler) hand(own context.Context, id auth.Identity, one *reservation, o *operation, p *prepared, log *operationLog) error {
	waited := false
	do := func(ctx, own context.Context) (gqlerror.List, work) {
		if waited {
			if err := h.again(own, id, p); err != nil {
				return o.refused(own, err), nil
			}
		}
		return o.perform(ctx, own, p)
	}
	run := func(ctx context.Context) {
		unfollow := context.AfterFunc(ctx, func() { o.cancel(context.Cause(ctx)) })
		o.ended = func() { unfollow() }
		o.run(ctx, own, log, do)
	}
	if one.do(run, func() { p.release(); waited = true }) {
		return nil
	}
	p.release()
	o.undo(o)
	return apierror.New(apierror.RateLimited, "%d operations wait for the stream already; open it", maxWaiting)
}

// operationID reads how the client names the operation on its stream.
func operationID(params *graphql.RawParams) (string, error) {
	id, ok := params.Extensions[operationParam].(string)
	switch {
	case !ok || id == "":
		return "", badRequest("extensions have no %s, a text that names the operation in the stream's events", operationParam)
	case len(id) > maxID:
		return "", badRequest("%s is longer than %d bytes", operationParam, maxID)
	}
	return id, nil
}
