package links

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
)

// Repair looks at every link of the local types to documents of ERPNext, as the service
// account sees these, and mends what no event did:
//
//   - What was renamed or merged, as a Comment tells that the site bears out, is followed.
//   - What was deleted, as a Deleted Document tells, is dealt with as on its DELETED.
//   - What is gone without a trace is marked dangling, and the row left alone.
//   - What is there is not dangling.
//
// What the account may not see is left alone: a document that exists for others, or a
// whole DocType, which is skipped. Events go into the log, in the transaction that changes
// the rows.
func (k *Keeper) Repair(ctx context.Context, site trail.Site, pool *pgxpool.Pool, log *event.Log) error {
	r := &repair{k, site, pool, log}
	var failed []error
	for _, t := range k.registry.Types() {
		for _, l := range k.upstream(t.Key) {
			err := r.field(ctx, l)
			if trail.Unreadable(err) {
				k.logger.WarnContext(ctx, "links are not checked: the service account can't read what it takes",
					"type", l.Type.Name, "field", l.Field.Name, "doctype", t.Key, "error", err)
			} else if err != nil {
				failed = append(failed, fmt.Errorf("check %s.%s: %w", l.Type.Name, l.Field.Name, err))
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	if err := r.sweep(ctx); err != nil {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

type repair struct {
	k    *Keeper
	site trail.Site
	pool *pgxpool.Pool
	log  *event.Log
}

// field checks the names that a link's column holds, in chunks.
func (r *repair) field(ctx context.Context, l doctype.LocalLink) error {
	n := namesOf(l)
	for after := ""; ; {
		rows, err := r.pool.Query(ctx, fmt.Sprintf(`select distinct %s from %s where %s > $1 order by %s limit $2`,
			n.column, n.table, n.column, n.column), after, trail.PageSize)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(names) == 0 {
			return err
		}
		if err := r.names(ctx, l, names); err != nil {
			return err
		}
		after = names[len(names)-1]
	}
}

func (r *repair) names(ctx context.Context, l doctype.LocalLink, names []string) error {
	target := l.Field.Target
	present, err := r.site.Present(ctx, target, names)
	if err != nil {
		return err
	}
	var there, missing []string
	for _, name := range names {
		if _, ok := present[name]; ok {
			there = append(there, name)
			continue
		}
		gone, err := r.site.Gone(ctx, target, name)
		if err != nil {
			return err
		}
		if gone {
			missing = append(missing, name)
		}
	}
	if _, err := r.pool.Exec(ctx, `delete from link_dangling where type = $1 and field = $2 and doctype = $3 and name = any($4)`,
		l.Type.Key, l.Field.Name, target, there); err != nil {
		return fmt.Errorf("clear dangling links: %w", err)
	}
	if len(missing) == 0 {
		return nil
	}
	deleted, err := r.site.Deletions(ctx, target, missing)
	if err != nil && !trail.Unreadable(err) {
		return err
	}
	for _, name := range missing {
		if err := r.name(ctx, l, name, deleted); err != nil {
			return err
		}
	}
	return nil
}

// maxChain bounds how many names in a row are followed.
const maxChain = 16

// name mends the links to a name that is gone.
func (r *repair) name(ctx context.Context, l doctype.LocalLink, name string, deleted map[string]trail.Deletion) error {
	for range maxChain {
		next, err := r.follow(ctx, l, name, deleted)
		if err != nil || next == "" {
			return err
		}
		gone, err := r.site.Gone(ctx, l.Field.Target, next)
		if err != nil || !gone {
			return err
		}
		name = next // it was renamed again
		if deleted, err = r.site.Deletions(ctx, l.Field.Target, []string{name}); err != nil && !trail.Unreadable(err) {
			return err
		}
	}
	return nil
}

// follow does what is told of a name that is gone. next is its new name, "" when it has
// none.
func (r *repair) follow(ctx context.Context, l doctype.LocalLink, name string, deleted map[string]trail.Deletion) (next string, err error) {
	renames, err := r.site.RenamesOf(ctx, l.Field.Target, name)
	if err != nil && !trail.Unreadable(err) {
		return "", err
	}
	e := event.Event{DocType: l.Field.Target, Name: name, Kind: event.Deleted, Source: event.Catchup}
	if len(renames) > 0 {
		latest := renames[len(renames)-1]
		e.Kind, e.Name, e.Previous, e.Modified, next = event.Renamed, latest.New, name, latest.Creation, latest.New
	} else if _, ok := deleted[name]; !ok || err != nil {
		// Without Comments it can't be told from a merge.
		return "", r.tx(ctx, func(tx pgx.Tx) error { return r.k.dangle(ctx, tx, l, name, "") })
	}
	r.k.logger.InfoContext(ctx, "the check of links found what no event told",
		"type", l.Type.Name, "field", l.Field.Name, "doctype", l.Field.Target, "kind", string(e.Kind))
	return next, r.mend(ctx, e)
}

// mend logs an event with its upkeep. Where the log has the event already, as when a row
// was written while its document was deleted, the upkeep is done once more.
func (r *repair) mend(ctx context.Context, e event.Event) error {
	if n, err := r.log.Append(ctx, []event.Event{e}); err != nil || n > 0 {
		return err
	}
	return r.tx(ctx, func(tx pgx.Tx) error {
		follow, err := r.k.Apply(ctx, tx, e)
		if err != nil {
			return err
		}
		_, err = r.log.AppendTx(ctx, tx, follow)
		return err
	})
}

func (r *repair) tx(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, r.pool, do)
}

// sweep removes marks that say nothing any more: of rows that are gone or link elsewhere.
func (r *repair) sweep(ctx context.Context) error {
	var types []string
	for _, t := range r.k.registry.Types() {
		if t.Source == doctype.Local {
			types = append(types, t.Key)
		}
	}
	for after := (Dangling{}); ; {
		page, err := marks(ctx, r.pool, types, after)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1]
		valid, err := r.k.valid(ctx, r.pool, page)
		if err != nil {
			return err
		}
		for _, d := range page {
			if slices.Contains(valid, d) {
				continue
			}
			if _, err := r.pool.Exec(ctx, `delete from link_dangling where type = $1 and row_id = $2 and field = $3 and name = $4`,
				d.Type, d.Row, d.Field, d.Name); err != nil {
				return fmt.Errorf("clear dangling links: %w", err)
			}
		}
	}
}
