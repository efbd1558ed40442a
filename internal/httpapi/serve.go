package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// maxHeaderBytes leaves room for a document in the URL of a GET.
	maxHeaderBytes = 64 << 10
)

// Serve answers on the listener until ctx ends, then takes no new request and
// gives those that run up to drain to finish. After that their contexts end and
// their connections are closed. It returns nil after a clean stop. The listener
// is closed in any case.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, drain time.Duration, log *slog.Logger) error {
	if log == nil {
		log = slog.Default()
	}
	// Requests outlive ctx, as they may drain, but not Serve.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
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
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(requests, drain)
	defer cancel()
	err := server.Shutdown(limit)
	if err != nil {
		cut()
		err = fmt.Errorf("drain: %w", errors.Join(err, server.Close()))
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve: %w", served))
	}
	return err
}
