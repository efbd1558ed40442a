package links

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/doctype"
	"erpgraph/internal/snapshot"
)

// Sweep holds the snapshots against the rows: those that no row links to by a link with a
// snapshot are removed, and where there is a service account, those that are missing are made,
// for rows that were there before the link kept any, or that something else than a mutation
// has written.
func (s *Snapshots) Sweep(ctx context.Context) error {
	if _, err := s.cfg.Pool.Exec(ctx, `delete from link_snapshot where not doctype = any($1)`, s.keys); err != nil {
		return fmt.Errorf("remove link snapshots: %w", err)
	}
	var failed []error
	for _, key := range s.keys {
		if err := s.unlinked(ctx, key); err != nil {
			failed = append(failed, err)
		}
		for _, l := range s.links[key] {
			if err := s.missing(ctx, l); err != nil {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

// unlinked removes the snapshots of a DocType that no row links to.
func (s *Snapshots) unlinked(ctx context.Context, key string) error {
	var sql strings.Builder
	// A row may link to one and not be committed yet; its transaction has just set seen_at, and
	// that is looked at again once the lock is there.
	sql.WriteString(`delete from link_snapshot s where s.doctype = $1 and s.asked_at < now() - interval '` + sweepAge + `'`)
	for _, l := range s.links[key] {
		n := namesOf(l)
		fmt.Fprintf(&sql, ` and not exists (select from %s t where t.%s = s.name collate "default")`, n.table, n.column)
	}
	if _, err := s.cfg.Pool.Exec(ctx, sql.String(), key); err != nil {
		return fmt.Errorf("remove link snapshots of %s: %w", key, err)
	}
	return nil
}

// missing makes the snapshots that a link's rows lack.
func (s *Snapshots) missing(ctx context.Context, l doctype.LocalLink) error {
	if s.cfg.Site == nil {
		return nil
	}
	n := namesOf(l)
	for after := ""; ; {
		rows, err := s.cfg.Pool.Query(ctx, fmt.Sprintf(`select distinct t.%[1]s from %[2]s t
			where t.%[1]s > $1 and not exists (select from link_snapshot s where s.doctype = $2 and s.name = t.%[1]s collate "C")
			order by t.%[1]s limit $3`, n.column, n.table), after, l.Field.Target, trail.PageSize)
		if err != nil {
			return fmt.Errorf("rows without link snapshots: %w", err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("rows without link snapshots: %w", err)
		}
		if len(names) == 0 {
			return nil
		}
		documents := make([]snapshot.Document, len(names))
		for i, name := range names {
			documents[i] = snapshot.Document{DocType: l.Field.Target, Name: name}
		}
		if err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error { return s.read(ctx, tx, documents) }); err != nil {
			return err
		}
		after = names[len(names)-1]
		pause(ctx, s.every)
	}
}
