package links

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
	"erpgraph/internal/frappe"
	"erpgraph/internal/snapshot"
)

const (
	// refreshEvery is the shortest time between two readings of one DocType's titles.
	refreshEvery = time.Second
	// attachAgain is after how long the log is followed again, once that has failed.
	attachAgain = 5 * time.Second
	// lastRetry bounds the wait after a failure; it doubles up to this.
	lastRetry = time.Minute
	// sweepEvery is how often snapshots are held against the rows.
	sweepEvery = 6 * time.Hour
	// refreshTime bounds one round, which holds a connection of the pool.
	refreshTime = time.Minute
	// sweepAge protects snapshots from a sweep that can't see the row they were made for yet.
	sweepAge = "1 hour"
)

// SnapshotsConfig is what Snapshots needs.
type SnapshotsConfig struct {
	Registry *doctype.Registry
	Pool     *pgxpool.Pool
	Hub      *event.Hub
	// Site is ERPNext as the service account sees it; nil without one: titles are then as old
	// as the last write of a row that links to the document.
	Site *trail.Site
	// Logger gets what befalls the upkeep; nil discards.
	Logger *slog.Logger
}

// Snapshots keeps link snapshots in step with ERPNext, and with the rows that they are for. Any
// number of processes may do so: one at a time reads, by a lock, and whatever it did not get to
// is still due for the next.
type Snapshots struct {
	cfg   SnapshotsConfig
	links map[string][]doctype.LocalLink // by DocType
	keys  []string                       // of links, sorted
	every time.Duration
}

// NewSnapshots makes Snapshots. It does nothing until Run.
func NewSnapshots(cfg SnapshotsConfig) *Snapshots {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	links := cfg.Registry.SnapshotLinks()
	return &Snapshots{cfg: cfg, links: links, keys: slices.Sorted(maps.Keys(links)), every: refreshEvery}
}

// Run follows the event log until ctx ends, and gives nil then. A title is read again after
// each event of its document, in one list call for each DocType and second.
func (s *Snapshots) Run(ctx context.Context) error {
	swept := time.Time{}
	for ctx.Err() == nil {
		if time.Since(swept) >= sweepEvery {
			if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.WarnContext(ctx, "link snapshots could not be swept", "error", err)
			}
			swept = time.Now()
		}
		if s.cfg.Site == nil || len(s.keys) == 0 {
			pause(ctx, sweepEvery)
			continue
		}
		if err := s.follow(ctx, swept.Add(sweepEvery)); err != nil && ctx.Err() == nil {
			s.cfg.Logger.InfoContext(ctx, "link snapshots: the event log is followed anew", "error", err)
		}
		pause(ctx, attachAgain)
	}
	return nil
}

// follow refreshes whatever is due, and what becomes due by events, until it is time to sweep.
// What the log told before is looked for first: so nothing is missed in between.
func (s *Snapshots) follow(ctx context.Context, until time.Time) error {
	stream, err := s.cfg.Hub.Attach(ctx, s.keys, nil)
	if err != nil {
		return err
	}
	defer stream.Close()
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	after, retry := int64(0), s.every
	for {
		next, done, err := s.Refresh(ctx, after)
		switch {
		case ctx.Err() != nil:
			return nil // it is time
		case err != nil:
			s.cfg.Logger.WarnContext(ctx, "link snapshots could not be refreshed: titles may be old", "error", err, "retry", retry)
			pause(ctx, retry)
			retry = min(2*retry, max(lastRetry, s.every))
			continue
		}
		after, retry = next, s.every
		if done {
			if _, err := stream.Next(ctx); err != nil {
				if ctx.Err() != nil {
					return nil // it is time
				}
				return err
			}
		}
		pause(ctx, s.every)
	}
}

// Refresh reads the titles of documents that events after a place in the log are about: at most
// 500 at once, in a call for each DocType. next is where to go on; done tells that nothing more
// is due. Another process that is at it leaves all of it due.
func (s *Snapshots) Refresh(ctx context.Context, after int64) (next int64, done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	next = after
	var failed error
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, `select pg_try_advisory_xact_lock(hashtextextended('erpgraph link snapshots ' || current_schema(), 0))`).Scan(&mine); err != nil || !mine {
			return err
		}
		due, head, err := s.due(ctx, tx, after)
		if err != nil {
			return err
		}
		failed = s.read(ctx, tx, due) // what was read is kept
		if failed == nil && len(due) < trail.PageSize {
			next, done = head, true
		}
		return nil
	})
	if err := errors.Join(err, failed); err != nil {
		return after, false, fmt.Errorf("refresh link snapshots: %w", err)
	}
	return next, done, nil
}

// due are the documents with a snapshot that was not tried to be read since an event. Deletions
// are none: there is nothing to read any more, and the title is kept as long as a row links
// there.
func (s *Snapshots) due(ctx context.Context, tx pgx.Tx, after int64) (due []snapshot.Document, head int64, err error) {
	if err := tx.QueryRow(ctx, `select seq from event_head`).Scan(&head); err != nil {
		return nil, 0, fmt.Errorf("end of the event log: %w", err)
	}
	rows, err := tx.Query(ctx, `select distinct s.doctype, s.name
		from event_log e join link_snapshot s on s.doctype = e.doctype and s.name = e.name
		where e.seq > $1 and e.doctype = any($2) and e.kind <> 'DELETED' and e.at > s.asked_at
		order by s.doctype, s.name limit $3`, after, s.keys, trail.PageSize)
	if err != nil {
		return nil, 0, fmt.Errorf("what is due: %w", err)
	}
	due, err = pgx.CollectRows(rows, pgx.RowToStructByPos[snapshot.Document])
	if err != nil {
		return nil, 0, fmt.Errorf("what is due: %w", err)
	}
	return due, head, nil
}

// read asks ERPNext for the titles of documents, and keeps them. Documents that the account does
// not see keep the title that they have.
func (s *Snapshots) read(ctx context.Context, tx pgx.Tx, documents []snapshot.Document) error {
	byType := map[string][]string{}
	for _, d := range documents {
		byType[d.DocType] = append(byType[d.DocType], d.Name)
	}
	var failed []error
	for _, key := range slices.Sorted(maps.Keys(byType)) {
		// Taken before the reading: an event that comes meanwhile calls for another one.
		began, err := snapshot.Clock(ctx, tx)
		if err != nil {
			return err
		}
		seen, err := s.titles(ctx, key, byType[key])
		switch {
		case trail.Unreadable(err):
			s.cfg.Logger.WarnContext(ctx, "link snapshots: the service account can't read the titles", "doctype", key, "error", err)
		case err != nil:
			failed = append(failed, err)
			continue
		}
		if err := snapshot.Keep(ctx, tx, seen, began); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update link_snapshot set asked_at = greatest(asked_at, $3) where doctype = $1 and name = any($2)`,
			key, byType[key], began); err != nil {
			return fmt.Errorf("note the reading of titles: %w", err)
		}
	}
	return errors.Join(failed...)
}

// titles are one list call. Names are compared exactly, as the rows' are.
func (s *Snapshots) titles(ctx context.Context, key string, names []string) ([]snapshot.Seen, error) {
	columns := []frappe.Column{{Field: "name"}}
	if title := s.cfg.Registry.ByKey(key).SnapshotTitle(); title != "" {
		columns = append(columns, frappe.Column{Field: title})
	}
	table, err := s.cfg.Site.Upstream.List(ctx, s.cfg.Site.Credential, frappe.ListQuery{
		DocType: key, Columns: columns, Limit: len(names),
		Filters: []frappe.Filter{{Field: "name", Op: frappe.OpIn, Value: names}},
	})
	if err != nil {
		return nil, fmt.Errorf("titles of %s: %w", key, err)
	}
	out := make([]snapshot.Seen, 0, len(table.Rows))
	for _, row := range table.Rows {
		name := textOf(row[0])
		if name == nil || !slices.Contains(names, *name) {
			continue
		}
		seen := snapshot.Seen{Document: snapshot.Document{DocType: key, Name: *name}}
		if len(row) > 1 {
			if row[1] == nil {
				continue // the account may not read it
			}
			seen.Title = textOf(row[1])
		}
		out = append(out, seen)
	}
	return out, nil
}

// textOf is the text of a JSON string; nil for null, for "", and for anything else.
func textOf(v jsontext.Value) *string {
	if v.Kind() != '"' {
		return nil
	}
	b, err := jsontext.AppendUnquote(nil, v)
	if err != nil || len(b) == 0 {
		return nil
	}
	text := string(b)
	return &text
}

// pause waits, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
