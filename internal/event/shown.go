package event

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// StreamKey stands for a stream over reconnections: who listens to what. It is a digest,
// and holds no credential.
type StreamKey [32]byte

// Shown remembers which documents were shown by a stream, so that their end may be told
// to it, by any process. It forgets a stream that was not seen (Remember, Touch) at a
// place of the log that is still kept.
type Shown struct{ log *Log }

// NewShown makes a Shown.
func NewShown(log *Log) *Shown { return &Shown{log} }

// Remember notes that documents are about to be shown by a stream at a place in the log.
// To tell of one again is cheap.
func (s *Shown) Remember(ctx context.Context, key StreamKey, doctype string, names []string, seq int64) error {
	// In one order, so that no two calls for one stream wait for each other. No event ever
	// tells of a name that the log can't hold.
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	sorted = slices.DeleteFunc(sorted, func(name string) bool { return checkText("name", name) != nil })
	if len(sorted) == 0 {
		return nil
	}
	return s.log.repeat(ctx, "remember what is shown", func() error {
		_, err := s.log.cfg.Pool.Exec(ctx, `
			with stream as (`+touch+` returning key)
			insert into event_shown (key, doctype, name, first_seq)
			select stream.key, $3, n, $2 from stream, unnest($4::text[]) with ordinality as t (n, i) order by i
			on conflict (key, doctype, name) do update set first_seq = excluded.first_seq
			where event_shown.first_seq > excluded.first_seq`, key[:], seq, doctype, sorted)
		return err
	})
}

const touch = `insert into event_stream as s (key, last_seq) values ($1, $2)
	on conflict (key) do update set last_seq = greatest(s.last_seq, excluded.last_seq)`

// Touch notes that a stream is alive at a place in the log: what it showed is kept as long
// as that place is. Who begins or resumes a stream calls it.
func (s *Shown) Touch(ctx context.Context, key StreamKey, seq int64) error {
	return s.log.repeat(ctx, "touch a stream", func() error {
		_, err := s.log.cfg.Pool.Exec(ctx, touch, key[:], seq)
		return err
	})
}

// Known tells which of the names the stream had shown at or before a place.
func (s *Shown) Known(ctx context.Context, key StreamKey, doctype string, names []string, at int64) (map[string]bool, error) {
	rows, err := s.log.cfg.Pool.Query(ctx, `select name from event_shown
		where key = $1 and doctype = $2 and name = any($3::text[]) and first_seq <= $4`, key[:], doctype, names, at)
	if err != nil {
		return nil, convert("look what was shown", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, convert("look what was shown", err)
	}
	known := make(map[string]bool, len(found))
	for _, name := range found {
		known[name] = true
	}
	return known, nil
}
