package links

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
	"erpgraph/internal/snapshot"
)

// rename lets links follow a document to its new name. Where the database refuses that
// (one row for each customer, and a merge gives the survivor two), they stay and dangle.
func (k *Keeper) rename(ctx context.Context, tx pgx.Tx, e event.Event) ([]event.Event, error) {
	if e.Previous == "" || e.Previous == e.Name {
		return nil, nil
	}
	var out []event.Event
	all := true
	for _, l := range k.upstream(e.DocType) {
		var ids []string
		why, err := attempt(ctx, tx, func(tx pgx.Tx) (err error) {
			ids, err = relink(ctx, tx, l, e.Previous, &e.Name)
			return err
		})
		if err != nil {
			return nil, err
		}
		if why != "" {
			if err := k.dangle(ctx, tx, l, e.Previous, why); err != nil {
				return nil, err
			}
			all = false
			continue
		}
		out = append(out, events(l.Type, event.Updated, ids)...)
	}
	if !k.Linked(e.DocType) {
		return nil, nil
	}
	if err := snapshot.Move(ctx, tx, e, all); err != nil {
		return nil, err
	}
	// Links that led nowhere lead to the new name.
	return out, clearMarks(ctx, tx, e)
}

// delete does what each link's onDelete says; rows that are deleted go first, so that no
// change of them is told before.
func (k *Keeper) delete(ctx context.Context, tx pgx.Tx, e event.Event) ([]event.Event, error) {
	var out []event.Event
	for _, r := range []rule{cascade, null, keep} {
		for _, l := range k.upstream(e.DocType) {
			if ruleOf(l, e) != r {
				continue
			}
			var more []event.Event
			why, err := attempt(ctx, tx, func(tx pgx.Tx) (err error) {
				more, err = k.unlink(ctx, tx, l, r, e.Name)
				return err
			})
			if err != nil {
				return nil, err
			}
			if why != "" || r == keep {
				more = nil
				if err := k.dangle(ctx, tx, l, e.Name, why); err != nil {
					return nil, err
				}
			}
			out = append(out, more...)
		}
	}
	return out, nil
}

// ruleOf is what becomes of the rows of a link. What vanished may have another name now:
// its links are marked only.
func ruleOf(l doctype.LocalLink, e event.Event) rule {
	if e.Vanished {
		return keep
	}
	return onDelete(l)
}

func (k *Keeper) unlink(ctx context.Context, tx pgx.Tx, l doctype.LocalLink, r rule, name string) ([]event.Event, error) {
	switch r {
	case cascade:
		return k.cascade(ctx, tx, l, name)
	case null:
		ids, err := relink(ctx, tx, l, name, nil)
		return events(l.Type, event.Updated, ids), err
	default:
		return nil, nil
	}
}

// relink changes a link in all rows that hold from, and gives their ids.
func relink(ctx context.Context, tx pgx.Tx, l doctype.LocalLink, from string, to *string) ([]string, error) {
	n := namesOf(l)
	ids, err := texts(ctx, tx, fmt.Sprintf(`update %s set %s = $2%s where %s = $1 returning %s::text`,
		n.table, n.column, touch(l.Type), n.column, n.id), from, to)
	if err != nil {
		return nil, fmt.Errorf("change %s.%s: %w", l.Type.Name, l.Field.Name, err)
	}
	return ids, nil
}

// dangle marks the rows that hold a name. why is what the database said to a change that
// was wanted, "" when none was.
func (k *Keeper) dangle(ctx context.Context, tx pgx.Tx, l doctype.LocalLink, name, why string) error {
	n := namesOf(l)
	tag, err := tx.Exec(ctx, fmt.Sprintf(`insert into link_dangling (type, row_id, field, doctype, name)
		select $1, %s::text, $2, $3, $4 from %s where %s = $4
		on conflict (type, row_id, field) do update set doctype = excluded.doctype, name = excluded.name, since = excluded.since
		where link_dangling.name <> excluded.name or link_dangling.doctype <> excluded.doctype`, n.id, n.table, n.column),
		l.Type.Key, l.Field.Name, l.Field.Target, name)
	if err != nil {
		return fmt.Errorf("mark %s.%s: %w", l.Type.Name, l.Field.Name, err)
	}
	if why != "" {
		k.logger.WarnContext(ctx, "links can't follow what happened in ERPNext: they dangle",
			"type", l.Type.Name, "field", l.Field.Name, "doctype", l.Field.Target, "rows", tag.RowsAffected(), "reason", why)
	}
	return nil
}

// quoted are the names of a link's table and columns, quoted.
type quoted struct{ table, column, id string }

func namesOf(l doctype.LocalLink) quoted {
	return quoted{identifier(l.Type.Table), identifier(l.Field.Column), idOf(l.Type)}
}

func identifier(name string) string { return pgx.Identifier{name}.Sanitize() }

func idOf(t *doctype.Type) string {
	if f := t.Field("id"); f != nil && f.Column != "" {
		return identifier(f.Column)
	}
	return "id"
}

// touch sets the time of a row's last change, where the type has one.
func touch(t *doctype.Type) string {
	if t.Writes.Modified == nil {
		return ""
	}
	return ", " + identifier(t.Writes.Modified.Column) + " = now()"
}

func texts(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]string, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func events(t *doctype.Type, kind event.Kind, ids []string) []event.Event {
	out := make([]event.Event, 0, len(ids))
	for _, id := range ids {
		out = append(out, event.Event{DocType: t.Key, Name: id, Kind: kind, Source: event.Local})
	}
	return out
}
