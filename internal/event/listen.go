package event

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// channel is what event_append notifies.
	channel = "erpgraph_event"
	// listenerName is the application_name of the connection that listens.
	listenerName = "erpgraph events"
	// pingAfter is how long the listener believes in a connection that is silent.
	pingAfter    = 30 * time.Second
	pingTimeout  = 5 * time.Second
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 10 * time.Second
)

// listen wakes the tail at each notification until ctx ends. Its connection is none of the
// pool's, which would be one short for good. While it has none, the tail's timer does.
func (h *Hub) listen(ctx context.Context, wake chan<- struct{}) {
	for backoff := firstBackoff; ; {
		started := time.Now()
		err := h.listenOnce(ctx, wake)
		if ctx.Err() != nil {
			return
		}
		h.cfg.Logger.WarnContext(ctx, "the event hub lost its notifications, and listens anew", "error", err)
		if time.Since(started) > maxBackoff {
			backoff = firstBackoff
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// listenOnce listens on one connection until that breaks.
func (h *Hub) listenOnce(ctx context.Context, wake chan<- struct{}) (err error) {
	cfg := h.cfg.Log.cfg.Pool.Config().ConnConfig.Copy()
	cfg.RuntimeParams["application_name"] = listenerName
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
		defer cancel()
		_ = conn.Close(end) // the server notices anyway
	}()
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		// At first for what came before.
		select {
		case wake <- struct{}{}:
		default: // it is about to look
		}
		if err := waitNotified(ctx, conn); err != nil {
			return err
		}
	}
}

// waitNotified waits for a notification, and makes sure of the connection meanwhile.
func waitNotified(ctx context.Context, conn *pgx.Conn) error {
	for {
		quiet, cancel := context.WithTimeout(ctx, pingAfter)
		_, err := conn.WaitForNotification(quiet)
		timedOut := errors.Is(quiet.Err(), context.DeadlineExceeded)
		cancel()
		if err == nil {
			return nil
		}
		if !timedOut || ctx.Err() != nil || conn.IsClosed() {
			return fmt.Errorf("wait for a notification: %w", err)
		}
		ping, cancel := context.WithTimeout(ctx, pingTimeout)
		err = conn.Ping(ping)
		cancel()
		if err != nil {
			return fmt.Errorf("ping: %w", err)
		}
	}
}
