package event

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/apierror"
)

// Pending are the deletions that wait to be settled, oldest first: WEBHOOK events with
// Seq 0, At being since when they wait.
func (l *Log) Pending(ctx context.Context, limit int) ([]Event, error) {
	rows, err := l.cfg.Pool.Query(ctx, `select 0::bigint, doctype, name, 'DELETED', '', modified, 'WEBHOOK', at
		from event_pending order by id limit $1`, limit)
	if err != nil {
		return nil, convert("read the pending deletions", err)
	}
	events, err := pgx.CollectRows(rows, scanner())
	return events, convert("read the pending deletions", err)
}

// Settle logs what a pending deletion turned out to be (DELETED, or the RENAMED of a
// merge), with its upkeep, and takes it off the waiting ones, in one transaction. Where
// another process settled it before, or the log has the event already, only what is
// missing is done.
func (l *Log) Settle(ctx context.Context, pending, as Event) error {
	if err := Check(as); err != nil {
		return err
	}
	if as.Source == Local || as.Kind != Deleted && as.Kind != Renamed {
		return apierror.New(apierror.BadUserInput, "a deletion is settled as DELETED or RENAMED").About("", "", "kind")
	}
	return l.repeat(ctx, "settle a deletion", func() error {
		return pgx.BeginFunc(ctx, l.cfg.Pool, func(tx pgx.Tx) error { return l.settle(ctx, tx, pending, as) })
	})
}

func (l *Log) settle(ctx context.Context, tx pgx.Tx, pending, as Event) error {
	if _, err := tx.Exec(ctx, upkeepLock); err != nil { // and so no two settle the same one
		return fmt.Errorf("wait for other upkeep: %w", err)
	}
	const which = "from event_pending where doctype = $1 and name = $2 and modified = $3"
	var waits bool
	err := tx.QueryRow(ctx, "select exists (select "+which+")", pending.DocType, pending.Name, pending.Modified).Scan(&waits)
	if err != nil || !waits {
		return err
	}
	if _, err := l.upkeepPart(ctx, tx, newBatch([]Event{as})); err != nil {
		return err
	}
	// After the head is locked: Append locks in this order.
	_, err = tx.Exec(ctx, "delete "+which, pending.DocType, pending.Name, pending.Modified)
	return err
}
