package catchup

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/event"
)

// taken gives, of each of the names that was deleted and used again, the latest modified
// since, as the log has it.
func (c *Catchup) taken(ctx context.Context, doctype string, names []string) (map[string]string, error) {
	return c.pairs(ctx, `select e.name, max(e.modified) from event_log e
		where e.doctype = $1 and e.name = any($2) and e.kind not in ('DELETED', 'RENAMED') and exists (
			select from event_log d where d.doctype = e.doctype and d.name = e.name and d.kind = 'DELETED' and d.seq < e.seq)
		group by e.name`, doctype, names)
}

// logged counts the events whose version the log has.
func (c *Catchup) logged(ctx context.Context, doctype string, events []event.Event) (n int, err error) {
	names, times := make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		names[i], times[i] = e.Name, e.Modified
	}
	err = c.cfg.Pool.QueryRow(ctx, `select count(*) from unnest($2::text[], $3::text[]) u (n, m) where exists (
		select from event_log where doctype = $1 and name = n and modified = m and kind not in ('DELETED', 'RENAMED'))`,
		doctype, names, times).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("what the log has of %s: %w", doctype, err)
	}
	return n, nil
}

// unmoved leaves out what the log has under a document's earlier name: a rename does not
// touch modified, and so the row comes again under its new name.
func (c *Catchup) unmoved(ctx context.Context, doctype string, events []event.Event) ([]event.Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	names := make([]string, 0, len(events))
	for _, e := range events {
		names = append(names, e.Name)
	}
	known, err := c.pairs(ctx, `select r.name, max(e.modified) from event_log r
		join event_log e on e.doctype = r.doctype and e.name = r.previous and e.kind not in ('DELETED', 'RENAMED')
		where r.doctype = $1 and r.name = any($2) and r.kind = 'RENAMED' group by r.name`, doctype, names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(events, func(e event.Event) bool { return known[e.Name] == e.Modified }), nil
}

// followed gives, of each of the names that a document gave up for another, when it last did,
// as the log has it.
func (c *Catchup) followed(ctx context.Context, doctype string, names []string) (map[string]string, error) {
	return c.pairs(ctx, `select previous, max(modified) from event_log
		where doctype = $1 and previous = any($2) and kind = 'RENAMED' group by previous`, doctype, names)
}

// submitted tells which of the names have a SUBMITTED in the log.
func (c *Catchup) submitted(ctx context.Context, doctype string, names []string) (map[string]string, error) {
	return c.pairs(ctx, `select distinct name, '' from event_log
		where doctype = $1 and name = any($2) and kind = 'SUBMITTED'`, doctype, names)
}

// pairs is a query for a text by name.
func (c *Catchup) pairs(ctx context.Context, sql, doctype string, names []string) (map[string]string, error) {
	out := map[string]string{}
	rows, err := c.cfg.Pool.Query(ctx, sql, doctype, names)
	if err != nil {
		return nil, fmt.Errorf("what the log has of %s: %w", doctype, err)
	}
	var name, text string
	if _, err := pgx.ForEachRow(rows, []any{&name, &text}, func() error { out[name] = text; return nil }); err != nil {
		return nil, fmt.Errorf("what the log has of %s: %w", doctype, err)
	}
	return out, nil
}
