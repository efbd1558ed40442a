// Package snapshot keeps titles of documents that local rows link to, in the table
// link_snapshot: one for each document, whatever the number of rows. Who may see them is
// asked by those who read the rows.
package snapshot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/event"
)

// Document says which document: its DocType and docname.
type Document struct{ DocType, Name string }

// Snapshot is what is kept of a document that local rows link to.
type Snapshot struct {
	Document

	// Title is nil where the DocType or the document has none.
	Title *string
	// SeenAt is when the title was read.
	SeenAt time.Time
	// Dangling tells that the document is known to be gone.
	Dangling bool
}

// Seen is a title that was read from ERPNext.
type Seen struct {
	Document

	Title *string
	// Began is when the reading of it began, or before, by this process's clock.
	Began time.Time
}

// maxTitle bounds a title, in bytes: a Data field of Frappe's holds 140 characters, unless
// its length was raised.
const maxTitle = 2048

// Read gives what is kept of the documents, in one statement. Documents of which
// nothing is kept are left out. It does not ask who may see the rows that link to them.
func Read(ctx context.Context, pool *pgxpool.Pool, documents []Document) (map[Document]Snapshot, error) {
	doctypes, names := columnsOf(documents)
	rows, err := pool.Query(ctx, `select s.doctype, s.name, s.title, s.seen_at,
			exists (select from link_dangling d where d.doctype = s.doctype and d.name = s.name)
		from link_snapshot s
		where (s.doctype, s.name) in (select * from unnest($1::text[], $2::text[]))`, doctypes, names)
	if err != nil {
		return nil, fmt.Errorf("read link snapshots: %w", err)
	}
	out := make(map[Document]Snapshot, len(documents))
	var s Snapshot
	if _, err := pgx.ForEachRow(rows, []any{&s.DocType, &s.Name, &s.Title, &s.SeenAt, &s.Dangling}, func() error {
		out[s.Document] = s
		s.Title = nil
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read link snapshots: %w", err)
	}
	return out, nil
}

// Save keeps titles, each unless it is known that it was read later. Times are those of
// the database, by which events are compared with them: all titles count as read when the
// reading of the first began, or a moment before.
func Save(ctx context.Context, tx pgx.Tx, seen []Seen) error {
	if len(seen) == 0 {
		return nil
	}
	now, err := Clock(ctx, tx)
	if err != nil {
		return err
	}
	first := slices.MinFunc(seen, func(a, b Seen) int { return a.Began.Compare(b.Began) })
	return Keep(ctx, tx, seen, now.Add(-time.Since(first.Began)))
}

// Clock is the database's time.
func Clock(ctx context.Context, tx pgx.Tx) (now time.Time, err error) {
	if err := tx.QueryRow(ctx, `select clock_timestamp()`).Scan(&now); err != nil {
		return now, fmt.Errorf("the database's clock: %w", err)
	}
	return now, nil
}

// Keep keeps titles that were read at a time. The rows are locked in one order, so that
// two transactions don't wait for each other.
func Keep(ctx context.Context, tx pgx.Tx, seen []Seen, at time.Time) error {
	seen = slices.Clone(seen)
	slices.SortStableFunc(seen, func(a, b Seen) int { return compare(a.Document, b.Document) })
	seen = slices.CompactFunc(seen, func(a, b Seen) bool { return a.Document == b.Document })
	documents, titles := make([]Document, len(seen)), make([]*string, len(seen))
	for i, s := range seen {
		documents[i], titles[i] = s.Document, storable(s.Title)
	}
	doctypes, names := columnsOf(documents)
	if _, err := tx.Exec(ctx, `insert into link_snapshot as s (doctype, name, title, seen_at, asked_at)
		select d, n, t, $4, $4 from unnest($1::text[], $2::text[], $3::text[]) with ordinality as u (d, n, t, place)
		order by place
		on conflict (doctype, name) do update
			set title = excluded.title, seen_at = excluded.seen_at, asked_at = greatest(s.asked_at, excluded.asked_at)
			where s.seen_at < excluded.seen_at`, doctypes, names, titles, at); err != nil {
		return fmt.Errorf("keep link snapshots: %w", err)
	}
	return nil
}

// Move lets a snapshot follow its document to a new name. Where some link could not
// follow, the old name keeps one too.
func Move(ctx context.Context, tx pgx.Tx, e event.Event, all bool) error {
	if _, err := tx.Exec(ctx, `insert into link_snapshot (doctype, name, title, seen_at, asked_at)
		select doctype, $3, title, seen_at, asked_at from link_snapshot where doctype = $1 and name = $2
		on conflict do nothing`, e.DocType, e.Previous, e.Name); err != nil {
		return fmt.Errorf("move a link snapshot: %w", err)
	}
	if !all {
		return nil
	}
	if _, err := tx.Exec(ctx, `delete from link_snapshot where doctype = $1 and name = $2`, e.DocType, e.Previous); err != nil {
		return fmt.Errorf("move a link snapshot: %w", err)
	}
	return nil
}

// storable is a title as the database can hold it, cut to its bound.
func storable(title *string) *string {
	if title == nil {
		return nil
	}
	text := strings.ReplaceAll(*title, "\x00", "")
	if len(text) > maxTitle {
		text = strings.ToValidUTF8(text[:maxTitle], "")
	}
	return &text
}

func columnsOf(documents []Document) (doctypes, names []string) {
	doctypes, names = make([]string, len(documents)), make([]string, len(documents))
	for i, d := range documents {
		doctypes[i], names[i] = d.DocType, d.Name
	}
	return doctypes, names
}

func compare(a, b Document) int {
	return cmp.Or(cmp.Compare(a.DocType, b.DocType), cmp.Compare(a.Name, b.Name))
}
