package catchup

import (
	"context"
	"fmt"
	"slices"

	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/event"
)

// documents reads the rows of a DocType that changed.
func (c *Catchup) documents(ctx context.Context, m moment, w Watched) error {
	walk := trail.Walk{DocType: w.DocType, Key: "modified", Columns: []string{"creation", "docstatus"}}
	return c.walk(ctx, m, documents, walk, w.DocType, func(rows []trail.Row) error {
		events := make([]event.Event, 0, len(rows))
		for _, row := range rows {
			e, err := changed(w.DocType, row)
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		events = c.loggable(ctx, events)
		// A rename may have come since its Comments were read, and of some DocTypes it changes
		// modified: whoever knows the document is to hear of its new name before news of it.
		if err := c.renamedMeanwhile(ctx, m, w.DocType, events); err != nil {
			return err
		}
		events, err := c.unmoved(ctx, w.DocType, events)
		if err != nil {
			return err
		}
		if err := c.untold(ctx, w, events); err != nil {
			return err
		}
		return c.log(ctx, events)
	})
}

// changed is the event of a row with the columns creation and docstatus. That of a
// submitted document is SUBMITTED here, see untold.
func changed(doctype string, row trail.Row) (event.Event, error) {
	e := event.Event{DocType: doctype, Name: row.Name, Kind: event.Updated, Modified: row.Time, Source: event.Catchup}
	created := ""
	if row.Values[0] != "" {
		var err error
		if created, err = trail.Stamp(row.Values[0]); err != nil {
			return e, err
		}
	}
	switch {
	case created == row.Time:
		e.Kind = event.Created
	case row.Values[1] == "2":
		e.Kind = event.Cancelled
	case row.Values[1] == "1":
		e.Kind = event.Submitted
	}
	return e, nil
}

// untold mends kinds by what the log tells of the documents before.
//
// What was changed after its deletion was made anew: CREATED. It is also what was inserted
// and changed between two readings.
//
// It leaves SUBMITTED to those documents whose latest event is from before it, and whose
// submit is not in the log; others changed after it: UPDATED. It can't tell them apart
// where the submit itself is older than the log, or where a document was submitted and
// then changed between two readings; and of a document that the log has nothing of, no
// more is known than that it changed.
func (c *Catchup) untold(ctx context.Context, w Watched, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.Name
	}
	last, err := c.cfg.Log.Last(ctx, w.DocType, names)
	if err != nil {
		return fmt.Errorf("the latest events of %s: %w", w.DocType, err)
	}
	submitted := map[string]string{}
	if w.Submittable {
		if submitted, err = c.submitted(ctx, w.DocType, names); err != nil {
			return err
		}
	}
	for i, e := range events {
		before := last[e.Name]
		draft := before.Kind == event.Created || before.Kind == event.Updated
		_, told := submitted[e.Name]
		switch {
		case before.Kind == event.Deleted && before.Modified < e.Modified:
			events[i].Kind = event.Created
		case e.Kind == event.Submitted && (!draft || told):
			events[i].Kind = event.Updated
		}
	}
	return nil
}

// single reads when a Single changed.
func (c *Catchup) single(ctx context.Context, m moment, w Watched) error {
	doc, err := c.site.Upstream.Document(ctx, c.cfg.Credential, w.DocType, w.DocType)
	if err != nil {
		return fmt.Errorf("read %s: %w", w.DocType, err)
	}
	text := trail.Text(doc["modified"])
	if text == "" {
		return nil // was never saved
	}
	modified, err := trail.Stamp(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", w.DocType, err)
	}
	p, ok, err := c.load(ctx, singles, w.DocType)
	if err != nil {
		return err
	}
	if ok && p.Time != modified {
		err = c.log(ctx, []event.Event{{
			DocType: w.DocType, Name: w.DocType, Kind: event.Updated, Modified: modified, Source: event.Catchup,
		}})
		if err != nil {
			return err
		}
	}
	p.Position, p.since, p.readAt = trail.Position{Time: modified, Name: w.DocType}, m.at, m.at
	return c.store(ctx, p)
}

// loggable leaves out what the log can't hold (a name with a NUL byte, that only SQL can
// have written), or nothing after it would ever be logged.
func (c *Catchup) loggable(ctx context.Context, events []event.Event) []event.Event {
	return slices.DeleteFunc(events, func(e event.Event) bool {
		err := event.Check(e)
		if err != nil {
			c.cfg.Logger.ErrorContext(ctx, "catch-up leaves out a change that can't be logged", "doctype", e.DocType, "error", err)
		}
		return err != nil
	})
}

// log appends events; none is fine.
func (c *Catchup) log(ctx context.Context, events []event.Event) error {
	events = c.loggable(ctx, events)
	if len(events) == 0 {
		return nil
	}
	n, err := c.cfg.Log.Append(ctx, events)
	if err != nil {
		return fmt.Errorf("log %d events of %s: %w", len(events), events[0].DocType, err)
	}
	if n > 0 {
		c.cfg.Logger.InfoContext(ctx, "catch-up found changes before a webhook told them", "doctype", events[0].DocType, "events", n)
	}
	return nil
}
