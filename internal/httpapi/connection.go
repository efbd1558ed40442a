package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// channel is how a client is reached: a socket, or a stream of events.
type channel interface {
	// caller is who the client is by now.
	caller() auth.Identity
	// next is the message of one result; cursor is the place of the event that it tells of,
	// "" where it has none. The error is of an extension that is no JSON.
	next(id string, a *answer, cursor string) ([]byte, error)
	// last is the message that ends an operation.
	last(id string, errs gqlerror.List) []byte
	// send writes a message, after those that are being written. It reports whether the
	// client can have it; if not, the connection ends.
	send(ctx context.Context, text []byte) bool
}

// connection is what stays open for one client and runs operations for it. Each has a
// goroutine of its own; all end before group.Wait returns.
//
// There is no queue of messages: who has one to send waits for those before it, and an
// operation makes its next event only when the last was taken. What waits is so bounded
// by the operations of the connection, and its time by Limits.SocketWrite: a client that
// does not read is closed.
type connection struct {
	*live

	channel channel
	// transport is what log lines call the channel, noun what its client is told.
	transport, noun string
	started         time.Time
	// end closes the connection; the first cause counts.
	end   context.CancelCauseFunc
	group sync.WaitGroup

	mu         sync.Mutex
	operations map[string]*operation
	running    int         // of operations, those included that the client has left
	singles    int         // of those, the ones that end on their own
	count      int         // of operations ever
	idle       *time.Timer // runs while no operation does
	leaving    *closing    // set once: no new operation, and the end when singles are done
	revoked    bool        // subscriptions end on their own too
	ended      bool
}

func newConnection(l *live, transport, noun string) connection {
	return connection{live: l, transport: transport, noun: noun, started: time.Now(), operations: make(map[string]*operation)}
}

// duties are what a connection does at its times.
type duties struct {
	// ping looks whether the client is still there.
	ping func(context.Context)
	// check looks whether its credential still counts.
	check func(context.Context)
	// hangUp is done once, when the connection has ended.
	hangUp func(context.Context)
}

// keep begins the times of the connection; nothing of them runs after hangUp, which runs
// when ctx has ended. Until then group is not empty.
func (c *connection) keep(ctx context.Context, server *drain, do duties) {
	times := &clock{group: &c.group}
	times.every(c.limits.SocketPing, func() { c.guarded(ctx, do.ping) })
	times.every(c.limits.SocketCheck, func() { c.guarded(ctx, do.check) })
	times.after(c.limits.SocketLifetime, func() {
		c.leave(closeWith(codeTerminated, "Terminated: the "+c.noun+" has been open as long as one may be; connect again"))
	})
	c.rest()
	forget := server.whenStopping(func() {
		c.leave(closeWith(websocket.StatusGoingAway, "Going away: the server is stopping; connect again"))
	})
	c.group.Add(1)
	context.AfterFunc(ctx, func() {
		defer c.group.Done()
		forget()
		times.stop()
		c.shut()
		c.guarded(ctx, do.hangUp)
	})
}

// shut lets no operation begin any more, so that group can be waited for.
func (c *connection) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.idle != nil {
		c.idle.Stop()
	}
}

// guarded ends the connection, not the process, after a panic of a hook.
func (c *connection) guarded(ctx context.Context, f func(context.Context)) {
	defer func() {
		if value := recover(); value != nil {
			_ = c.exec.presenter.recovered(ctx, value)
			c.end(closeWith(websocket.StatusInternalError, "internal error"))
		}
	}()
	f(ctx)
}

// rest ends the connection in a while, unless an operation begins.
func (c *connection) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = time.AfterFunc(c.limits.SocketIdle, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.running == 0 && c.leaving == nil {
			c.leaving = closeWith(codeTerminated, "Terminated: the "+c.noun+" is idle; connect again when there is something to ask")
			c.endIfDone()
		}
	})
	if c.running > 0 {
		c.idle.Stop()
	}
}

// begin takes the id and counts the operation, which group waits for from now on. The
// error is a *closing for an id that is taken; any other is the operation's.
func (c *connection) begin(o *operation) (number int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.operations[o.id] != nil:
		return 0, closeWith(codeDuplicateID, "Subscriber for "+o.id+" already exists")
	case c.leaving != nil:
		return 0, apierror.New(apierror.UpstreamUnavailable, "%s", c.leaving.reason)
	case c.ended:
		return 0, apierror.New(apierror.UpstreamUnavailable, "the %s is closed; connect again", c.noun)
	case c.running >= c.limits.SocketOperations:
		return 0, apierror.New(apierror.RateLimited,
			"%d operations run on this %s, which is the limit; complete some first", c.limits.SocketOperations, c.noun)
	}
	if c.idle != nil {
		c.idle.Stop()
	}
	c.operations[o.id] = o
	c.count++
	c.running++
	c.singles++ // until it is known to be a subscription
	c.group.Add(1)
	return c.count, nil
}

// abandon ends an operation at the client's wish. Unknown ids are those of operations
// that have just ended.
func (c *connection) abandon(id string) {
	c.mu.Lock()
	o := c.operations[id]
	c.mu.Unlock()
	if o == nil {
		return
	}
	o.left.Store(true)
	o.cancel(nil)
	o.mu.Lock() // a message that is being written goes out
	defer o.mu.Unlock()
	c.free(o)
}

// free gives the id back.
func (c *connection) free(o *operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.operations[o.id] == o {
		delete(c.operations, o.id)
	}
}

// over is told when an operation has ended, before its client is.
func (c *connection) over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running--; c.running == 0 && c.idle != nil && !c.ended {
		c.idle.Reset(c.limits.SocketIdle)
	}
}

// undo takes back an operation that has begun and did not run.
func (c *connection) undo(o *operation) {
	o.cancel(nil)
	c.free(o)
	c.over()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.singles--
	c.endIfDone()
	c.group.Done()
}

// leave ends the connection as soon as its queries and mutations are answered; nothing
// new begins on it.
func (c *connection) leave(why *closing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving != nil {
		return
	}
	c.leaving = why
	c.endIfDone()
}

// revoke ends what runs with err, then the connection.
func (c *connection) revoke(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revoked {
		return
	}
	c.revoked = true
	c.leaving = closeWith(codeUnauthorize, "Unauthorized: "+publicMessage(err))
	for _, o := range c.operations {
		if !o.single {
			o.single = true
			c.singles++
		}
		o.cancel(err)
	}
	c.endIfDone()
}

// endIfDone runs with the lock held.
func (c *connection) endIfDone() {
	if c.leaving != nil && c.singles == 0 {
		c.end(c.leaving)
	}
}

// log writes the line of the connection.
func (c *connection) log(ctx context.Context, line string, id auth.Identity) {
	requestID, _ := RequestID(ctx)
	code, reason := websocket.StatusCode(0), "the server has cut the connection"
	if why, ok := errors.AsType[*closing](context.Cause(ctx)); ok {
		code, reason = why.code, why.reason
		if code == codeInvalid || code == codeDuplicateID {
			reason = "" // of what the client sent
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exec.presenter.log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, line, //nolint:sloglint // one of two constants
		slog.String("requestId", requestID), slog.String("caller", id.LogID()), slog.Int("operations", c.count),
		slog.Float64("ms", float64(time.Since(c.started).Microseconds())/1000),
		slog.Int("code", int(code)), slog.String("reason", reason))
}
