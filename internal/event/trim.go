package event

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// trimChunk is how many events go in one transaction: the log is locked meanwhile.
const trimChunk = 2000

// Trim removes what is older than age, and the oldest beyond rows; 0 for no bound. Only
// whole beginnings go: cursors before the oldest event that is kept are expired. What
// streams showed is forgotten with the last place they were seen at. It gives how many
// events were removed, those before an error included.
func (l *Log) Trim(ctx context.Context, age time.Duration, rows int64) (removed int64, err error) {
	for {
		var n int64
		err := l.repeat(ctx, "trim", func() error {
			return pgx.BeginFunc(ctx, l.cfg.Pool, func(tx pgx.Tx) (err error) {
				n, err = trim(ctx, tx, age, rows)
				return err
			})
		})
		if err != nil {
			return removed, err
		}
		if removed += n; n < trimChunk {
			return removed, l.forget(ctx)
		}
	}
}

// trim removes up to a chunk. The head is locked first, as Append does.
func trim(ctx context.Context, tx pgx.Tx, age time.Duration, rows int64) (int64, error) {
	var h head
	if err := tx.QueryRow(ctx, "select seq, trimmed_to from event_head for update").Scan(&h.seq, &h.trimmed); err != nil {
		return 0, err
	}
	var end *int64
	err := tx.QueryRow(ctx, `
		with oldest as (select seq, at from event_log where seq > $1 order by seq limit $2),
		kept as (select min(seq) as seq from oldest
			where not ($3::float8 > 0 and at < clock_timestamp() - make_interval(secs => $3) or $4::bigint > 0 and seq <= $5::bigint))
		select max(oldest.seq) from oldest, kept where kept.seq is null or oldest.seq < kept.seq`,
		h.trimmed, trimChunk, age.Seconds(), rows, h.seq-rows).Scan(&end)
	if err != nil || end == nil {
		return 0, err
	}
	tag, err := tx.Exec(ctx, "delete from event_log where seq <= $1", *end)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, "update event_head set trimmed_to = $1", *end)
	return tag.RowsAffected(), err
}

// forget removes what streams showed whose cursors are all expired.
func (l *Log) forget(ctx context.Context) error {
	_, err := l.cfg.Pool.Exec(ctx, "delete from event_stream where last_seq < (select trimmed_to from event_head)")
	return convert("forget what streams showed", err)
}
