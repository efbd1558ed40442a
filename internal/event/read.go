package event

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// readWindow is how far one Read looks for events of its DocTypes: rare ones must not
// make it walk over the whole log in one statement.
const readWindow = 20_000

const columns = "e.seq, e.doctype, e.name, e.kind, e.previous, e.modified, e.source, e.at"

// Read gives up to limit events after a cursor, up to upTo (0: the end), of the DocTypes
// (nil: of all), and the place that was read to: who wants more reads on from there, until
// it is upTo, or stands still. There may be none for a while where they are rare. Errors:
// CURSOR_EXPIRED.
func (l *Log) Read(ctx context.Context, after Cursor, upTo int64, doctypes []string, limit int) (events []Event, next Cursor, err error) {
	// One statement, and so one snapshot: no trimming comes between the head and the rows.
	rows, err := l.cfg.Pool.Query(ctx, `
		select h.epoch::text, h.seq, h.trimmed_to, coalesce(e.seq, 0), coalesce(e.doctype, ''), coalesce(e.name, ''),
			coalesce(e.kind, ''), coalesce(e.previous, ''), coalesce(e.modified, ''), coalesce(e.source, ''), coalesce(e.at, now())
		from event_head h left join lateral (
			select * from event_log
			where seq > $1 and seq <= $2 and ($3::text[] is null or doctype = any($3)) and h.epoch::text = $5
			order by seq limit $4
		) e on true
		order by e.seq`, after.Seq, readEnd(after.Seq, upTo), doctypes, limit, after.Epoch)
	if err != nil {
		return nil, Cursor{}, convert("read", err)
	}
	defer rows.Close()
	var h head
	scan := scanner(&h.epoch, &h.seq, &h.trimmed)
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, Cursor{}, convert("read", err)
		}
		if e.Seq > 0 {
			events = append(events, e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, Cursor{}, convert("read", err)
	}
	if err := h.check(after); err != nil {
		return nil, Cursor{}, err
	}
	next = Cursor{Epoch: h.epoch, Seq: max(after.Seq, min(readEnd(after.Seq, upTo), h.seq))}
	if len(events) == limit && limit > 0 {
		next.Seq = events[limit-1].Seq
	}
	return events, next, nil
}

// readEnd is where one Read ends at the latest.
func readEnd(after, upTo int64) int64 {
	if upTo == 0 {
		return after + readWindow
	}
	return min(upTo, after+readWindow)
}

// scanner reads events of the columns, after further ones that come before them. Their
// DocTypes and the like share one text each: the hub keeps thousands.
func scanner(before ...any) func(pgx.CollectableRow) (Event, error) {
	var e Event
	into := append(slices.Clip(before), &e.Seq, &e.DocType, &e.Name, &e.Kind, &e.Previous, &e.Modified, &e.Source, &e.At)
	texts := map[string]string{}
	shared := func(s string) string {
		if kept, ok := texts[s]; ok {
			return kept
		}
		texts[s] = s
		return s
	}
	return func(row pgx.CollectableRow) (Event, error) {
		if err := row.Scan(into...); err != nil {
			return Event{}, err
		}
		e.DocType, e.Kind, e.Source = shared(e.DocType), Kind(shared(string(e.Kind))), Source(shared(string(e.Source)))
		e.At = e.At.UTC()
		return e, nil
	}
}
