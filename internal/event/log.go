package event

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// LogConfig is what a Log needs.
type LogConfig struct {
	// Pool is the app's database, migrated. It must be at READ COMMITTED, Postgres's default.
	Pool *pgxpool.Pool
	// Upkeep runs in the transaction that logs a DELETED or RENAMED of an upstream document,
	// once for each that is new; it gives the changes of local rows that follow. It may run
	// again after a rollback. nil: none.
	Upkeep func(ctx context.Context, tx pgx.Tx, e Event) ([]Event, error)
	// Restored runs in the transaction that logs that upstream documents are there, once for
	// all of them and after they are logged: CREATED of webhooks, and whatever catch-up saw of
	// documents that it has read. It is not told which of them are new, or came late: the log
	// is to be asked, and is locked until the end of the transaction. nil: none.
	Restored func(ctx context.Context, tx pgx.Tx, events []Event) error
	// Linked tells of which DocTypes Restored is to be told; nil: of all.
	Linked func(doctype string) bool
	// Stage tells whether a DELETED that a webhook brought waits until catch-up has seen that
	// it was no merge (Pending, Settle). nil: none does.
	Stage func(e Event) bool
	// Logger gets what the log repeats; nil discards.
	Logger *slog.Logger
}

// Log is the event log in Postgres. It is safe for use by several goroutines.
//
// Errors of its methods, besides those named at each: UPSTREAM_UNAVAILABLE when the
// database can't be reached, and that of ctx.
type Log struct{ cfg LogConfig }

// NewLog makes a Log.
func NewLog(cfg LogConfig) *Log {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Log{cfg}
}

// Head is the end of the log.
func (l *Log) Head(ctx context.Context) (Cursor, error) {
	h, err := l.head(ctx)
	return Cursor{Epoch: h.epoch, Seq: h.seq}, err
}

// head is what the log spans: events after trimmed, up to seq.
type head struct {
	epoch        string
	seq, trimmed int64
}

func (l *Log) head(ctx context.Context) (h head, err error) {
	err = l.cfg.Pool.QueryRow(ctx, "select epoch::text, seq, trimmed_to from event_head").Scan(&h.epoch, &h.seq, &h.trimmed)
	return h, convert("read the head", err)
}

// check tells whether all that came after a cursor is still there. Error: CURSOR_EXPIRED.
func (h head) check(after Cursor) error {
	switch {
	case after.Epoch != h.epoch:
		return expired("the cursor is of another event log")
	case after.Seq > h.seq:
		return expired("the cursor is beyond the end of the event log")
	case after.Seq < h.trimmed:
		return expired("the cursor is older than the event log")
	default:
		return nil
	}
}

// Last gives the newest event of each of the names that has one, by name.
func (l *Log) Last(ctx context.Context, doctype string, names []string) (map[string]Event, error) {
	rows, err := l.cfg.Pool.Query(ctx, `select `+columns+` from unnest($2::text[]) n cross join lateral (
		select * from event_log where doctype = $1 and name = n order by seq desc limit 1) e`, doctype, names)
	if err != nil {
		return nil, convert("look for the last events", err)
	}
	events, err := pgx.CollectRows(rows, scanner())
	if err != nil {
		return nil, convert("look for the last events", err)
	}
	out := make(map[string]Event, len(events))
	for _, e := range events {
		out[e.Name] = e
	}
	return out, nil
}

// Counts are how many events came from where since the log was made, trimmed ones
// included.
type Counts struct {
	Webhook, Catchup, Local int64
	// OnlyCatchup are those of Catchup that no webhook has told of since.
	OnlyCatchup int64
	// Pending are the deletions that wait to be settled now.
	Pending int64
}

// Counts counts. It is cheap: the log keeps the sums.
func (l *Log) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	err := l.cfg.Pool.QueryRow(ctx, `select webhook, catchup, local, catchup - confirmed, (select count(*) from event_pending)
		from event_head`).Scan(&c.Webhook, &c.Catchup, &c.Local, &c.OnlyCatchup, &c.Pending)
	return c, convert("count", err)
}
