package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// operation is one query, mutation or subscription on a socket.
type operation struct {
	*socket

	id     string
	single bool // guarded by socket.mu
	// refusal is why the operation is not executed: a text that its user typed is no reason
	// to end the others on the socket.
	refusal error
	// cancel ends the operation's context.
	cancel context.CancelFunc

	// left says that the client has left the operation. mu is held while a message of it
	// is written: the client may use its id again, so none may follow.
	left atomic.Bool
	mu   sync.Mutex
}

// subscribe begins an operation.
func (s *socket) subscribe(ctx context.Context, m message) {
	params, err := m.operation()
	if err != nil {
		s.end(invalid(err))
		return
	}
	o := &operation{socket: s, id: m.id, single: true, refusal: checkJSONUnicode(m.raw, "the payload")}
	number, err := s.begin(o)
	if why, ok := errors.AsType[*closing](err); ok {
		s.end(why)
		return
	}
	if err != nil {
		s.send(ctx, o.last(o.refused(ctx, err)))
		return
	}
	// A name of its own below that of the socket, so that logs lead from one to the other.
	requestID, _ := RequestID(ctx)
	own := context.WithValue(ctx, requestIDKey{}, requestID+"."+strconv.Itoa(number))
	own, o.cancel = context.WithCancel(own)
	s.group.Go(func() { o.run(ctx, own, params) })
}

// begin takes the id and counts the operation. An error that is a *closing ends the
// socket, any other is the operation's.
func (s *socket) begin(o *operation) (number int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.acknowledged:
		return 0, closeWith(codeUnauthorize, "Unauthorized")
	case s.operations[o.id] != nil:
		return 0, closeWith(codeDuplicateID, "Subscriber for "+o.id+" already exists")
	case s.leaving != nil:
		return 0, apierror.New(apierror.UpstreamUnavailable, "%s", s.leaving.reason)
	case s.running >= s.limits.SocketOperations:
		return 0, apierror.New(apierror.RateLimited,
			"%d operations run on this socket, which is the limit; complete some first", s.limits.SocketOperations)
	}
	s.operations[o.id] = o
	s.count++
	s.running++
	s.singles++ // until it is known to be a subscription
	return s.count, nil
}

// abandon ends an operation at the client's wish. Unknown ids are those of operations
// that have just ended.
func (s *socket) abandon(id string) {
	s.mu.Lock()
	o := s.operations[id]
	s.mu.Unlock()
	if o == nil {
		return
	}
	o.left.Store(true)
	o.cancel()
	o.mu.Lock() // a message that is being written goes out
	defer o.mu.Unlock()
	s.free(o)
}

// free gives the id back.
func (s *socket) free(o *operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.operations[o.id] == o {
		delete(s.operations, o.id)
	}
}

// run executes the operation and ends it. own is its context, ctx that of the socket:
// messages must go out after the operation's time is up.
func (o *operation) run(ctx, own context.Context, params *graphql.RawParams) {
	defer o.cancel()
	own, log := withOperationLog(own)
	errs := o.guarded(ctx, own, params)
	noteErrors(own, errs)
	LogAttrs(own, slog.String("transport", "socket"))
	log.write(own, o.exec.presenter.log, o.status(ctx, errs))
	o.finish(ctx, errs)
}

// status is what the log shows in place of an HTTP status.
func (o *operation) status(ctx context.Context, errs gqlerror.List) int {
	switch {
	case o.left.Load(), ctx.Err() != nil:
		return statusClientClosed
	case len(errs) == 0:
		return http.StatusOK
	}
	code, _ := errs[0].Extensions["code"].(string)
	return apierror.Code(code).HTTPStatus()
}

// guarded executes the operation; what panics near it is its error.
func (o *operation) guarded(ctx, own context.Context, params *graphql.RawParams) (errs gqlerror.List) {
	defer func() {
		if value := recover(); value != nil {
			errs = o.refused(own, o.exec.presenter.recovered(own, value))
		}
	}()
	return o.execute(ctx, own, params)
}

func (o *operation) refused(own context.Context, err error) gqlerror.List {
	return gqlerror.List{o.exec.presenter.present(own, err)}
}

// execute sends the results of the operation. The errors are why it was not executed, or
// why its stream ended.
func (o *operation) execute(ctx, own context.Context, params *graphql.RawParams) gqlerror.List {
	id := o.caller()
	noteUser(own, id)
	if o.refusal != nil {
		return o.refused(own, o.refusal)
	}
	own = context.WithValue(auth.With(own, id), traceKey{}, o.traced)
	release, err := o.slots.take(own, id.Key())
	if err != nil {
		return o.refused(own, err)
	}
	release = sync.OnceFunc(release)
	defer release()
	own = graphql.StartOperationTrace(own)
	limited, cancel := context.WithTimeout(own, o.limits.Time)
	defer cancel()
	if err := o.callers.admit(limited, id); err != nil {
		return o.refused(own, err)
	}
	now := graphql.Now()
	params.ReadTime = graphql.TraceTiming{Start: now, End: now}
	op, errs := o.exec.CreateOperationContext(limited, params)
	switch {
	case len(errs) > 0:
		return errs
	case op.Operation.Operation == ast.Subscription:
		o.streams()
		return o.stream(ctx, own, op, release)
	}
	return o.answer(ctx, limited, op)
}

// answer sends the one result of a query or mutation.
func (o *operation) answer(ctx, limited context.Context, op *graphql.OperationContext) gqlerror.List {
	responses, limited := o.exec.DispatchOperation(limited, op)
	response := responses(limited)
	if response == nil {
		err := limited.Err()
		if err == nil {
			err = errors.New("the executor gave no response")
		}
		return o.refused(limited, err)
	}
	noteErrors(limited, response.Errors)
	if response.Data == nil && len(response.Errors) > 0 {
		return response.Errors
	}
	o.next(ctx, response)
	return nil
}

// streams says that the operation is a subscription: it does not end on its own.
func (o *operation) streams() {
	o.socket.mu.Lock()
	defer o.socket.mu.Unlock()
	o.single = false
	o.singles--
	o.endIfDone()
}

// stream sends the events of a subscription. Only its beginning has a slot, and the time
// of an operation: it mostly waits. Each event is made with the credential that the
// socket has by then.
func (o *operation) stream(ctx, own context.Context, op *graphql.OperationContext, release func()) gqlerror.List {
	own, cancel := context.WithCancel(o.following(own))
	defer cancel()
	own, ending := withStream(own)
	late := time.AfterFunc(o.limits.Time, cancel)
	responses, own := o.exec.DispatchOperation(own, op)
	if !late.Stop() {
		return o.refused(own, context.DeadlineExceeded)
	}
	release()
	for {
		response := responses(o.event(own))
		if response == nil {
			break
		}
		if response.Data == nil && len(response.Errors) > 0 {
			return response.Errors // the stream never began
		}
		noteErrors(own, response.Errors)
		if !o.next(ctx, response) {
			return nil
		}
	}
	if err := ending.cause(); err != nil {
		return o.refused(own, err)
	}
	return nil
}

// event is the context of one event. What its making adds to the log is left out, as
// a subscription has one line, however long it runs.
func (o *operation) event(own context.Context) context.Context {
	return context.WithValue(own, operationLogKey{}, &operationLog{})
}

// next sends a result. It reports whether the client can have it.
func (o *operation) next(ctx context.Context, response *graphql.Response) bool {
	text, err := nextMessage(o.id, &answer{errors: response.Errors, data: response.Data, extensions: response.Extensions})
	if err != nil {
		panic(err) // an extension that is no JSON: a bug, answered as any panic
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.left.Load() && o.send(ctx, text)
}

// finish tells the client how the operation ended, unless it has left. The id is free
// before the client can know, so that it may use it at once.
func (o *operation) finish(ctx context.Context, errs gqlerror.List) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.free(o)
	o.socket.mu.Lock()
	o.running--
	o.socket.mu.Unlock()
	if !o.left.Load() {
		o.send(ctx, o.last(errs))
	}
	o.socket.mu.Lock()
	defer o.socket.mu.Unlock()
	if o.single {
		o.singles--
		o.endIfDone()
	}
}

// last is the message that ends the operation: error or complete, never both.
func (o *operation) last(errs gqlerror.List) []byte {
	if len(errs) > 0 {
		if text, err := errorMessage(o.id, errs); err == nil { // their extensions are ours
			return text
		}
	}
	return completeMessage(o.id)
}

// streamEnd is why a subscription ends.
type streamEnd struct {
	mu  sync.Mutex
	err error
}

type streamKey struct{}

func withStream(ctx context.Context) (context.Context, *streamEnd) {
	end := &streamEnd{}
	return context.WithValue(ctx, streamKey{}, end), end
}

func (e *streamEnd) cause() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// EndStream says with which error the subscription that ctx belongs to ends, once its
// source has ended: a resolver calls it before it closes its channel. The last call
// counts; outside of a subscription it does nothing.
func EndStream(ctx context.Context, err error) {
	if end, ok := ctx.Value(streamKey{}).(*streamEnd); ok {
		end.mu.Lock()
		defer end.mu.Unlock()
		end.err = err
	}
}
