package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// operation is one query, mutation or subscription on a connection.
type operation struct {
	*connection

	id     string
	single bool // guarded by connection.mu
	// refusal is why the operation is not executed: a text that its user typed is no reason
	// to end the others on the connection.
	refusal error
	// cancel ends the operation's context, with the error that its client is to have.
	cancel context.CancelCauseFunc
	// ended is called when all is done; it may be nil.
	ended func()

	// left says that the client has left the operation. mu is held while a message of it
	// is written: the client may use its id again, so none may follow.
	left atomic.Bool
	mu   sync.Mutex
}

// work executes an operation and sends its results. The errors are why it was not
// executed, or why its stream ended. own is the operation's context, ctx that of the
// connection: messages must go out after the operation's time is up.
//
// A subscription that has begun gives the rest of its work back, to be done in a goroutine
// of its own: the stack that its beginning needed would be kept as long as it waits.
type work func(ctx, own context.Context) (errs gqlerror.List, rest work)

// run executes an operation that has begun, writes its log line and ends it.
func (o *operation) run(ctx, own context.Context, log *operationLog, do work) {
	errs, rest := o.caught(ctx, own, do)
	if rest != nil {
		go o.run(ctx, own, log, rest)
		return
	}
	defer o.group.Done()
	if o.ended != nil {
		defer o.ended()
	}
	defer o.cancel(nil)
	noteErrors(own, errs)
	LogAttrs(own, slog.String("transport", o.transport))
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

// caught executes the operation; what panics near it is its error.
func (o *operation) caught(ctx, own context.Context, do work) (errs gqlerror.List, rest work) {
	defer func() {
		if value := recover(); value != nil {
			errs = o.refused(own, o.exec.presenter.recovered(own, value))
		}
	}()
	return do(ctx, own)
}

func (o *operation) refused(own context.Context, err error) gqlerror.List {
	return gqlerror.List{o.exec.presenter.present(own, err)}
}

// perform executes what was prepared.
func (o *operation) perform(ctx, own context.Context, p *prepared) (gqlerror.List, work) {
	defer p.release()
	if p.op.Operation.Operation == ast.Subscription {
		o.streams()
		return o.stream(own, p)
	}
	limited, cancel := context.WithDeadline(own, p.deadline)
	defer cancel()
	return o.answer(ctx, limited, p.op), nil
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
	o.next(ctx, response, "")
	return nil
}

// streams says that the operation is a subscription: it does not end on its own.
func (o *operation) streams() {
	o.connection.mu.Lock()
	defer o.connection.mu.Unlock()
	if o.revoked {
		return
	}
	o.single = false
	o.singles--
	o.endIfDone()
}

// stream begins a subscription. Only that has a slot, and the time of an operation: the
// rest mostly waits.
func (o *operation) stream(own context.Context, p *prepared) (gqlerror.List, work) {
	own, cancel := context.WithCancel(following(own, o.channel))
	own, ending := withStream(own)
	late := time.AfterFunc(time.Until(p.deadline), cancel)
	responses, own := o.exec.DispatchOperation(own, p.op)
	if !late.Stop() {
		cancel()
		return o.refused(own, context.DeadlineExceeded), nil
	}
	return nil, func(ctx, _ context.Context) (gqlerror.List, work) {
		defer cancel()
		return o.events(ctx, own, responses, ending), nil
	}
}

// events sends the events of a subscription. Each is made with the credential that the
// connection has by then.
func (o *operation) events(ctx, own context.Context, responses graphql.ResponseHandler, ending *streamEnd) gqlerror.List {
	for {
		of, place := withEvent(own)
		response := responses(of)
		if response == nil {
			break
		}
		if response.Data == nil && len(response.Errors) > 0 {
			return response.Errors // the stream never began
		}
		noteErrors(own, response.Errors)
		if !o.next(ctx, response, place.cursor()) {
			return nil
		}
	}
	err := ending.cause()
	if revoked, ok := apierror.As(context.Cause(own)); ok {
		err = revoked
	}
	if err != nil {
		return o.refused(own, err)
	}
	return nil
}

// next sends a result. It reports whether the client can have it.
func (o *operation) next(ctx context.Context, response *graphql.Response, cursor string) bool {
	text, err := o.channel.next(o.id, &answer{errors: response.Errors, data: response.Data, extensions: response.Extensions}, cursor)
	if err != nil {
		panic(err) // an extension that is no JSON: a bug, answered as any panic
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.left.Load() && o.channel.send(ctx, text)
}

// finish tells the client how the operation ended, unless it has left. The id is free
// before the client can know, so that it may use it at once.
func (o *operation) finish(ctx context.Context, errs gqlerror.List) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.free(o)
	o.over()
	if !o.left.Load() {
		o.channel.send(ctx, o.channel.last(o.id, errs))
	}
	o.connection.mu.Lock()
	defer o.connection.mu.Unlock()
	if o.single {
		o.singles--
		o.endIfDone()
	}
}

// followingContext is a context whose caller is the channel's at the time of asking. The
// context of an event is made before the event is waited for, and meanwhile another
// credential may be handed over.
type followingContext struct {
	context.Context //nolint:containedctx // it is one

	channel channel
}

func following(ctx context.Context, c channel) context.Context {
	return followingContext{Context: ctx, channel: c}
}

// Value replaces the caller that ctx began with.
func (c followingContext) Value(key any) any {
	found := c.Context.Value(key)
	if _, ok := found.(auth.Identity); ok {
		return c.channel.caller()
	}
	return found
}
