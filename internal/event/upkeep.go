package event

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// upkeepLock is taken before any upkeep, and so before the rows that it changes and the
// log's head. Local writes take rows and then the head: no two wait for each other.
const upkeepLock = "select pg_advisory_xact_lock(hashtextextended('erpgraph.event.upkeep.' || current_schema(), 0))"

// upkeep logs a batch with deletions and renames in a transaction: for each that is new
// it runs LogConfig.Upkeep, and logs the local events that follow from it. Only one
// transaction does so at a time, hence each is new once.
func (l *Log) upkeep(ctx context.Context, tx pgx.Tx, b batch) (count int, err error) {
	if _, err := tx.Exec(ctx, upkeepLock); err != nil {
		return 0, fmt.Errorf("wait for other upkeep: %w", err)
	}
	for rest := b; len(rest.events) > 0; {
		var part batch
		part, rest = rest.split()
		n, err := l.upkeepPart(ctx, tx, part)
		if err != nil {
			return 0, err
		}
		count += n
	}
	return count, nil
}

// split takes off the events up to the first end of a document that has an event before
// it: whether that end is new is known only once the other one is logged. That is rare,
// since it takes two changes of one document in one batch.
func (b batch) split() (first, rest batch) {
	type document struct{ doctype, name string }
	seen := make(map[document]bool, len(b.events))
	for i, e := range b.events {
		d := document{e.DocType, e.Name}
		if seen[d] && b.isEnd(i) {
			return b.slice(0, i), b.slice(i, len(b.events))
		}
		seen[d] = true
	}
	return b, batch{}
}

func (b batch) slice(from, to int) batch {
	return batch{b.events[from:to], b.stage[from:to], b.fresh[from:to]}
}

// upkeepPart logs events of which none tells whether another is new.
func (l *Log) upkeepPart(ctx context.Context, tx pgx.Tx, b batch) (int, error) {
	fresh, err := b.look(ctx, tx)
	if err != nil {
		return 0, err
	}
	var follow []Event
	for i, e := range b.events {
		if fresh[i] == nil || !*fresh[i] || l.cfg.Upkeep == nil {
			continue
		}
		changes, err := l.cfg.Upkeep(ctx, tx, e)
		if err != nil {
			return 0, fmt.Errorf("upkeep of %s %q: %w", e.DocType, e.Name, err)
		}
		follow = append(follow, changes...)
	}
	if err := checkFollow(follow); err != nil {
		return 0, err
	}
	all := newBatch(slices.Concat(b.events, follow))
	copy(all.stage, b.stage)
	copy(all.fresh, fresh)
	count, err := all.write(ctx, tx)
	if err != nil {
		return 0, err
	}
	return count - len(follow), l.restored(ctx, tx, b.events)
}

// checkFollow wants local changes: an upstream one would need upkeep of its own.
func checkFollow(follow []Event) error {
	for _, e := range follow {
		if e.Source != Local {
			return fmt.Errorf("upkeep gave a %s event of %s: only changes of local rows may follow", e.Source, e.DocType)
		}
	}
	return checkAll(follow)
}

// look asks of each end whether it is new; nil for other events. Errors are the driver's.
func (b batch) look(ctx context.Context, tx pgx.Tx) ([]*bool, error) {
	fresh := make([]*bool, len(b.events))
	var at []int
	var ends []Event
	for i, e := range b.events {
		if b.isEnd(i) {
			at, ends = append(at, i), append(ends, e)
		}
	}
	if len(ends) == 0 {
		return fresh, nil
	}
	c := newBatch(ends).columns()
	rows, err := tx.Query(ctx, `select event_twin(d, e, k, p, m, s) is null
		from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) with ordinality as t (d, e, k, p, m, s, n)
		order by n`, c.doctype, c.name, c.kind, c.previous, c.modified, c.source)
	if err != nil {
		return nil, err
	}
	answers, err := pgx.CollectRows(rows, pgx.RowTo[bool])
	if err != nil {
		return nil, err
	}
	for i := range answers {
		fresh[at[i]] = &answers[i]
	}
	return fresh, nil
}
