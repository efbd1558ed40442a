package links

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/event"
)

// Restored takes the marks from links to documents that are there again, under a name that
// was deleted or given up before. It is called in the transaction that has logged the
// events, which hold what was seen of the documents.
//
// An event may come late, and tell of the document that had the name before. So the log is
// asked: it must hold the event after the name's last end, and no end may be as young as it
// is by the site's clock. A mark that another transaction is about to set or to clear is left
// to it: that one knows what comes after.
func (k *Keeper) Restored(ctx context.Context, tx pgx.Tx, events []event.Event) error {
	var doctypes, names, times []string
	for _, e := range events {
		if e.Source != event.Local && k.Linked(e.DocType) {
			doctypes, names, times = append(doctypes, e.DocType), append(names, e.Name), append(times, e.Modified)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `with restored as (
			select l.type, l.row_id, l.field from link_dangling l
			join unnest($1::text[], $2::text[], $3::text[]) u (doctype, name, modified) on l.doctype = u.doctype and l.name = u.name
			where exists (
				select from event_log e
				where e.doctype = u.doctype and e.name = u.name and e.modified = u.modified and e.kind not in ('DELETED', 'RENAMED')
					and not exists (
						select from event_log d where d.doctype = u.doctype and d.name = u.name and d.kind = 'DELETED'
							and (d.seq > e.seq or d.modified >= u.modified))
					and not exists (
						select from event_log r where r.doctype = u.doctype and r.previous = u.name and r.previous <> ''
							and (r.seq > e.seq or r.modified >= u.modified)))
			for update of l skip locked)
		delete from link_dangling l using restored r
		where l.type = r.type and l.row_id = r.row_id and l.field = r.field`, doctypes, names, times); err != nil {
		return fmt.Errorf("clear dangling links: %w", err)
	}
	return nil
}

// clearMarks takes the marks from links to the name that a RENAMED gives.
func clearMarks(ctx context.Context, tx pgx.Tx, e event.Event) error {
	if _, err := tx.Exec(ctx, `delete from link_dangling where doctype = $1 and name = $2`, e.DocType, e.Name); err != nil {
		return fmt.Errorf("clear dangling links: %w", err)
	}
	return nil
}
