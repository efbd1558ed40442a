package catchup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/event"
)

const (
	// sweepPage is how many names of a DocType a round asks for.
	sweepPage = trail.PageSize
	// sweepRest is how many rounds a DocType is left alone after all its names were asked for.
	sweepRest = 10
	// sweepDoubts bounds the single documents that one round asks for.
	sweepDoubts = 50
)

// sweep is how far a DocType's names were asked for.
type sweep struct {
	after string
	next  time.Time
}

// vanished looks whether the documents that the log tells of are still there. Some go
// without a trace: deleted by SQL, or renamed and deleted before anybody looked, since the
// Comment of a rename goes with its document. Their DELETED says that nothing is known of
// why: links to them are marked, and no more. What was renamed since its Comments were read,
// or before that began, is told as renamed.
func (c *Catchup) vanished(ctx context.Context, m moment, w Watched) error {
	s := c.sweeps[w.DocType]
	if m.at.Before(s.next) {
		return nil
	}
	names, err := c.alive(ctx, w.DocType, s.after)
	if err != nil || len(names) == 0 && s.after == "" {
		return err
	}
	present, err := c.site.Present(ctx, w.DocType, names)
	if err != nil {
		return fmt.Errorf("documents that the log tells of: %w", err)
	}
	doubts := 0
	for _, name := range names {
		if _, ok := present[name]; ok {
			s.after = name
			continue
		}
		if doubts++; doubts > sweepDoubts {
			c.sweeps[w.DocType] = s // the others are for the next round
			return nil
		}
		gone, err := c.site.Gone(ctx, w.DocType, name)
		if err != nil {
			return err
		}
		if gone {
			if err := c.ended(ctx, w.DocType, name, s.after); err != nil {
				return err
			}
		}
		s.after = name
	}
	if len(names) < sweepPage {
		s = sweep{next: m.at.Add(sweepRest * c.cfg.Every)}
	}
	c.sweeps[w.DocType] = s
	return nil
}

// ended logs that a document, the next one after the name after, is not there any more: that
// it was renamed, where a Comment tells that, and else that it is gone.
func (c *Catchup) ended(ctx context.Context, doctype, name, after string) error {
	told, err := c.site.RenamesOf(ctx, doctype, name)
	if err != nil && !trail.Unreadable(err) {
		return err
	}
	if len(told) > 0 {
		last, err := c.cfg.Log.Last(ctx, doctype, []string{name})
		if err != nil {
			return fmt.Errorf("the latest event of %s: %w", doctype, err)
		}
		// One from before the last that is known is of another document that had the name.
		if latest := told[len(told)-1]; latest.Creation >= last[name].Modified {
			if err := c.log(ctx, []event.Event{renamed(latest)}); err != nil {
				return err
			}
			names, err := c.alive(ctx, doctype, after)
			if err != nil || !slices.Contains(names, name) {
				return err
			}
		}
	}
	return c.log(ctx, []event.Event{{DocType: doctype, Name: name, Kind: event.Deleted, Source: event.Catchup, Vanished: true}})
}

// alive are names, after one, of which the last that the log tells is neither that they are
// gone nor that they are another's by now.
func (c *Catchup) alive(ctx context.Context, doctype, after string) ([]string, error) {
	rows, err := c.cfg.Pool.Query(ctx, `select name from (
			select distinct on (name) name, kind, seq from event_log where doctype = $1 and name > $2 order by name, seq desc) l
		where kind <> 'DELETED' and not exists (
			select from event_log r where r.doctype = $1 and r.previous = l.name and r.kind = 'RENAMED' and r.seq > l.seq)
		and not exists ( -- news that came late: the name was not taken again
			select from event_log d where d.doctype = $1 and d.name = l.name and d.kind = 'DELETED' and not exists (
				select from event_log c where c.doctype = $1 and c.name = l.name and c.seq > d.seq and c.kind in ('CREATED', 'RENAMED')))
		order by name limit $3`, doctype, after, sweepPage)
	if err != nil {
		return nil, fmt.Errorf("names in the log: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("names in the log: %w", err)
	}
	return names, nil
}
