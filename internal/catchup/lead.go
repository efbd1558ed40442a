package catchup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// competeEvery is how often who is not leader tries to be.
	competeEvery = 2 * time.Second
	// watchEvery is how often the leader looks whether its connection still answers; that it
	// was closed shows at once.
	watchEvery = 2 * time.Second
	// settleEvery is how often the leader looks for deletions that wait.
	settleEvery = time.Second
	// firstRetry and lastRetry bound the wait after a failed round; it doubles.
	firstRetry = 2 * time.Second
	lastRetry  = 15 * time.Second
)

// errLost ends a leader's term.
var errLost = errors.New("catchup: the connection that holds the leader's lock is lost")

// Run catches up while this process is the leader, and competes to be it while it is not,
// until ctx ends. It gives nil then; nothing else ends it.
func (c *Catchup) Run(ctx context.Context) error {
	failing := false
	for ctx.Err() == nil {
		err := c.term(ctx)
		if err != nil && ctx.Err() == nil && (!failing || errors.Is(err, errLost)) {
			c.cfg.Logger.WarnContext(ctx, "catch-up: this process can't be the leader for now", "error", err)
		}
		failing = err != nil && !errors.Is(err, errLost)
		wait(ctx, competeEvery)
	}
	return nil
}

// term opens a connection, waits until it has the lock, and leads.
func (c *Catchup) term(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, c.cfg.Pool.Config().ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		// A connection that does not close in time is closed by the server's end of it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), watchEvery)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			c.cfg.Logger.DebugContext(ctx, "catch-up: close the connection", "error", err)
		}
	}()
	for {
		if got, err := lock(ctx, conn); err != nil {
			return err
		} else if got {
			break
		}
		if !wait(ctx, competeEvery) {
			return nil
		}
	}
	return c.lead(ctx, conn)
}

// lock tries to take the leader's lock, which lasts as long as the connection. Advisory
// locks are those of a database, which may hold several services in schemas of their own.
func lock(ctx context.Context, conn *pgx.Conn) (got bool, err error) {
	err = conn.QueryRow(ctx, `select pg_try_advisory_lock(hashtextextended('erpgraph catch-up ' || current_schema(), 0))`).Scan(&got)
	if err != nil {
		return false, fmt.Errorf("compete for the lock: %w", err)
	}
	return got, nil
}

// lead does the leader's work until ctx ends or the lock is lost.
func (c *Catchup) lead(ctx context.Context, conn *pgx.Conn) error {
	leading, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		stop(watch(leading, conn))
	}()
	c.setStatus(func(s *Status) { s.Leader = true })
	c.cfg.Logger.InfoContext(ctx, "catch-up: this process is the leader")
	c.work(leading)
	err := context.Cause(leading)
	c.setStatus(func(s *Status) { s.Leader = false })
	stop(nil)
	<-watched
	return err
}

// watch waits until the connection is lost, or ctx ends.
func watch(ctx context.Context, conn *pgx.Conn) error {
	for ctx.Err() == nil {
		// Nothing is listened to: this only notices when the server hangs up.
		quiet, cancel := context.WithTimeout(ctx, watchEvery)
		_, err := conn.WaitForNotification(quiet)
		cancel()
		if err == nil || ctx.Err() != nil {
			continue
		}
		if quiet.Err() == nil || conn.IsClosed() {
			return fmt.Errorf("%w: %w", errLost, err)
		}
		answer, cancel := context.WithTimeout(ctx, watchEvery)
		err = conn.Ping(answer)
		cancel()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
	return ctx.Err()
}

// work does rounds, settles deletions between them, and starts the nightly check.
func (c *Catchup) work(ctx context.Context) {
	clear(c.known) // another leader may have logged since
	clear(c.told)
	var shift nightShift
	defer shift.wait()
	round := time.NewTimer(0)
	defer round.Stop()
	look := time.NewTicker(settleEvery)
	defer look.Stop()
	retry := firstRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-round.C:
			next := c.cfg.Every
			if err := c.rounds(ctx); err != nil {
				next, retry = min(retry, next), min(2*retry, lastRetry)
			} else {
				retry = firstRetry
			}
			round.Reset(next)
			if c.cfg.Nightly != nil && shift.due(c.cfg.Now()) {
				shift.start(ctx, c)
			}
			continue
		case <-look.C:
		case <-c.wake:
		}
		if c.Status().Err != nil {
			continue // the next round tells whether it works again
		}
		if err := c.pending(ctx); outage(err) {
			round.Reset(min(retry, c.cfg.Every))
		}
	}
}

// rounds does a round and what waits for it, and says in the log when that begins to fail
// and when it works again.
func (c *Catchup) rounds(ctx context.Context) error {
	before := c.Status().Err
	err := c.round(ctx)
	if err == nil {
		err = c.pending(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // it is over, which is no failure
	case err != nil && before == nil:
		c.cfg.Logger.WarnContext(ctx, "catch-up fails: it is tried again every few seconds", "error", err)
	case err == nil && before != nil:
		c.cfg.Logger.InfoContext(ctx, "catch-up works again")
	}
	return err
}

// pending settles deletions; Status tells when that fails.
func (c *Catchup) pending(ctx context.Context) error {
	err := c.settle(ctx)
	if err != nil && ctx.Err() == nil {
		c.setStatus(func(s *Status) { s.Err = err })
	}
	return err
}

// wait waits, and tells whether ctx still lasts.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
