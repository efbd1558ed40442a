package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// maxHeaderBytes leaves room for a document in the URL of a GET.
	maxHeaderBytes = 64 << 10
)

// Serve answers on the listener until ctx ends, then takes no new request and
// gives those that run up to drainTime to finish; sockets are told that the server goes
// away (1001) once their queries and mutations are answered. After that their connections
// are closed and their contexts end. It returns nil after a clean stop, and never
// before the last socket has ended. The listener is closed in any case.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, drainTime time.Duration, log *slog.Logger) error {
	if log == nil {
		log = slog.Default()
	}
	// Requests outlive ctx, as they may drain, but not Serve.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	sockets := &drain{stopping: ctx, cutting: requests, idle: make(chan struct{})}
	requests = context.WithValue(requests, drainKey{}, sockets)
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		cut()
		return errors.Join(fmt.Errorf("serve: %w", err), sockets.wait(context.WithoutCancel(ctx)))
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(requests, drainTime)
	defer cancel()
	err := errors.Join(server.Shutdown(limit), sockets.wait(limit))
	if err != nil {
		// Connections first: half an answer must not look whole.
		err = fmt.Errorf("drain: %w", errors.Join(err, server.Close()))
		cut()
		<-sockets.idle // the end of their contexts ends them
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve: %w", served))
	}
	return err
}

// drain lets Serve end sockets and streams, and wait for them: net/http forgets a
// connection once a handler has taken it over. It comes to the handlers in the context of their requests.
type drain struct {
	// stopping ends when no new request is taken, cutting when those that run may no longer.
	// Both are nil where nobody drains.
	stopping, cutting context.Context //nolint:containedctx // of the server: they end it, and outlive each request
	idle              chan struct{}   // closed when the last socket has ended after wait was called

	mu      sync.Mutex
	open    int
	waiting bool
}

type drainKey struct{}

// drainOf gives the drain of the server that a request came by, or one that never stops
// where that is not Serve.
func drainOf(ctx context.Context) *drain {
	if d, ok := ctx.Value(drainKey{}).(*drain); ok {
		return d
	}
	return &drain{}
}

// whenStopping runs f, in a goroutine of its own, when the server stops; forget takes that
// back.
func (d *drain) whenStopping(f func()) (forget func() bool) { return when(d.stopping, f) }

// whenCutting runs f when the server cuts what has not ended.
func (d *drain) whenCutting(f func()) (forget func() bool) { return when(d.cutting, f) }

func when(ctx context.Context, f func()) (forget func() bool) {
	if ctx == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, f)
}

// enter counts a socket, unless the server no longer waits for new ones.
func (d *drain) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting {
		return false
	}
	d.open++
	return true
}

func (d *drain) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	d.tell()
}

// tell runs with the lock held.
func (d *drain) tell() {
	if d.waiting && d.open == 0 {
		close(d.idle)
	}
}

// wait is called once. It returns nil when no socket is open any more, or an error that
// wraps the end of ctx.
func (d *drain) wait(ctx context.Context) error {
	d.mu.Lock()
	d.waiting = true
	d.tell()
	d.mu.Unlock()
	select {
	case <-d.idle:
		return nil
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open > 0 {
		return fmt.Errorf("%d sockets: %w", d.open, ctx.Err())
	}
	return nil
}
