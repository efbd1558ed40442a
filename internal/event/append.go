package event

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// maxRepeats is how often a transaction that lost against another one runs again.
	maxRepeats = 3
	// firstPause is before the first repeat, and doubles.
	firstPause = 10 * time.Millisecond
)

// Append logs events in one transaction, and gives how many were new: logged, or put to
// wait (LogConfig.Stage). All or none: an event that Check refuses fails all of them.
// Upkeep runs for the deletions and renames among them; its errors are given as they are.
//
// Without such, and without events for LogConfig.Restored, it is one statement: one round
// trip and one commit, whatever the number of events. The log is locked meanwhile, so
// callers that have many at once log them together.
func (l *Log) Append(ctx context.Context, events []Event) (int, error) {
	if err := checkAll(events); err != nil || len(events) == 0 {
		return 0, err
	}
	b := l.batch(events)
	count := 0
	err := l.repeat(ctx, "append", func() (err error) {
		ends := l.cfg.Upkeep != nil && b.hasEnds()
		if !ends && len(l.seen(events)) == 0 {
			count, err = b.write(ctx, l.cfg.Pool)
			return err
		}
		return pgx.BeginFunc(ctx, l.cfg.Pool, func(tx pgx.Tx) (err error) {
			if ends {
				count, err = l.upkeep(ctx, tx, b)
				return err
			}
			if count, err = b.write(ctx, tx); err != nil {
				return err
			}
			return l.restored(ctx, tx, events)
		})
	})
	if err != nil {
		return 0, err
	}
	return count, nil
}

// seen are the events that LogConfig.Restored is to be told of. Of webhooks, which may come
// when the document is gone, CREATED alone says that a name is taken again.
func (l *Log) seen(events []Event) []Event {
	if l.cfg.Restored == nil {
		return nil
	}
	var out []Event
	for _, e := range events {
		there := e.Kind == Created && e.Source == Webhook || e.Source == Catchup && e.Kind != Deleted && e.Kind != Renamed
		if there && (l.cfg.Linked == nil || l.cfg.Linked(e.DocType)) {
			out = append(out, e)
		}
	}
	return out
}

// restored tells LogConfig.Restored of events that were just logged.
func (l *Log) restored(ctx context.Context, tx pgx.Tx, events []Event) error {
	seen := l.seen(events)
	if len(seen) == 0 {
		return nil
	}
	if err := l.cfg.Restored(ctx, tx, seen); err != nil {
		return fmt.Errorf("documents that are there again: %w", err)
	}
	return nil
}

// AppendTx logs events in the caller's transaction, as its last statement before the
// commit: the log is locked until then. It runs neither Upkeep nor Restored, and lets no
// deletion wait. It gives how many were new. After an error the transaction can only be
// rolled back.
//
// The caller repeats the transaction after a deadlock, as postgres.DB.InTx does.
func (l *Log) AppendTx(ctx context.Context, tx pgx.Tx, events []Event) (int, error) {
	if err := checkAll(events); err != nil || len(events) == 0 {
		return 0, err
	}
	count, err := newBatch(events).write(ctx, tx)
	return count, convert("append", err)
}

func checkAll(events []Event) error {
	for i, e := range events {
		if err := Check(e); err != nil {
			return fmt.Errorf("event %d of %d: %w", i+1, len(events), err)
		}
	}
	return nil
}

// repeat runs a transaction, again where it lost against another one.
func (l *Log) repeat(ctx context.Context, doing string, run func() error) error {
	for n := 0; ; n++ {
		err := run()
		if !again(err) || n == maxRepeats {
			return convert(doing, err)
		}
		l.cfg.Logger.DebugContext(ctx, "the event log repeats a transaction", "doing", doing, "error", err)
		select {
		case <-time.After(firstPause << n):
		case <-ctx.Done():
			return convert(doing, ctx.Err())
		}
	}
}

// batch is what goes into one call of event_append.
type batch struct {
	events []Event
	// stage tells of each event whether it is to wait, fresh whether it is known to be new
	// (nil: event_append finds out).
	stage []bool
	fresh []*bool
}

func newBatch(events []Event) batch {
	return batch{events, make([]bool, len(events)), make([]*bool, len(events))}
}

// batch is newBatch with the deletions that are to wait.
func (l *Log) batch(events []Event) batch {
	b := newBatch(events)
	for i, e := range events {
		b.stage[i] = l.cfg.Stage != nil && e.Kind == Deleted && e.Source == Webhook && l.cfg.Stage(e)
	}
	return b
}

// isEnd tells whether an event calls for upkeep: an upstream name came to its end, now.
func (b batch) isEnd(i int) bool {
	e := b.events[i]
	return e.Source != Local && (e.Kind == Deleted || e.Kind == Renamed) && !b.stage[i]
}

func (b batch) hasEnds() bool {
	for i := range b.events {
		if b.isEnd(i) {
			return true
		}
	}
	return false
}

// querier is a pool, or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// write logs the batch and gives how many were new. Errors are the driver's.
func (b batch) write(ctx context.Context, q querier) (int, error) {
	c := b.columns()
	var count int
	err := q.QueryRow(ctx, "select event_append($1, $2, $3, $4, $5, $6, $7, $8)",
		c.doctype, c.name, c.kind, c.previous, c.modified, c.source, b.stage, b.fresh).Scan(&count)
	return count, err
}

// eventColumns are the fields of events, as the arrays that Postgres takes.
type eventColumns struct{ doctype, name, kind, previous, modified, source []string }

func (b batch) columns() eventColumns {
	n := len(b.events)
	all := make([]string, 6*n)
	c := eventColumns{all[:n], all[n : 2*n], all[2*n : 3*n], all[3*n : 4*n], all[4*n : 5*n], all[5*n:]}
	for i, e := range b.events {
		c.doctype[i], c.name[i], c.kind[i] = e.DocType, e.Name, string(e.Kind)
		c.previous[i], c.modified[i], c.source[i] = e.Previous, e.Modified, string(e.Source)
	}
	return c
}
