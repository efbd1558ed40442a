package links

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
)

// fall is what goes down with rows that are deleted.
type fall struct {
	tx      pgx.Tx
	k       *Keeper
	gone    map[string]map[string]bool // ids by type
	changed map[string]map[string]bool // rows that lose a link
	out     []event.Event              // of what is gone
	after   []event.Event              // of what changed
}

// cascade deletes the rows that link to a document, and tells of them and of all local
// rows that their foreign keys delete or change. Each row is locked before its children
// are looked for, so that none can be added meanwhile.
func (k *Keeper) cascade(ctx context.Context, tx pgx.Tx, l doctype.LocalLink, name string) ([]event.Event, error) {
	n := namesOf(l)
	ids, err := texts(ctx, tx, fmt.Sprintf(`select %s::text from %s where %s = $1 for update`, n.id, n.table, n.column), name)
	if err != nil {
		return nil, fmt.Errorf("lock rows of %s: %w", l.Type.Name, err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	f := &fall{tx: tx, k: k, gone: map[string]map[string]bool{}, changed: map[string]map[string]bool{}}
	if err := f.down(ctx, l.Type, ids); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(`delete from %s where %s = $1`, n.table, n.column), name); err != nil {
		return nil, fmt.Errorf("delete rows of %s: %w", l.Type.Name, err)
	}
	for _, e := range f.after {
		if !f.gone[e.DocType][e.Name] {
			f.out = append(f.out, e)
		}
	}
	return f.out, nil
}

// down notes rows that are about to be deleted, and goes on to their children.
func (f *fall) down(ctx context.Context, t *doctype.Type, ids []string) error {
	ids = add(f.gone, t.Key, ids)
	if len(ids) == 0 {
		return nil
	}
	f.out = append(f.out, events(t, event.Deleted, ids)...)
	for _, child := range f.k.registry.LinksTo(t.Key) {
		n := namesOf(child)
		switch child.Field.OnDelete {
		case doctype.OnDeleteCascade:
			rows, err := texts(ctx, f.tx, fmt.Sprintf(`select %s::text from %s where %s = any($1) for update`, n.id, n.table, n.column), ids)
			if err != nil {
				return fmt.Errorf("lock rows of %s: %w", child.Type.Name, err)
			}
			if err := f.down(ctx, child.Type, rows); err != nil {
				return err
			}
		case doctype.OnDeleteNull:
			rows, err := texts(ctx, f.tx, fmt.Sprintf(`update %s set %s = null%s where %s = any($1) returning %s::text`,
				n.table, n.column, touch(child.Type), n.column, n.id), ids)
			if err != nil {
				return fmt.Errorf("change rows of %s: %w", child.Type.Name, err)
			}
			f.after = append(f.after, events(child.Type, event.Updated, add(f.changed, child.Type.Key, rows))...)
		default: // the foreign key refuses, or there is none and the row keeps the id
		}
	}
	return nil
}

// add puts ids into a set and gives those that were not there.
func add(set map[string]map[string]bool, key string, ids []string) []string {
	if set[key] == nil {
		set[key] = make(map[string]bool, len(ids))
	}
	var fresh []string
	for _, id := range ids {
		if !set[key][id] {
			set[key][id] = true
			fresh = append(fresh, id)
		}
	}
	return fresh
}
