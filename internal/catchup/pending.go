package catchup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/event"
)

// pendingPage is how many deletions are settled at a time.
const pendingPage = 500

// doubtFor is how long a deletion waits that ERPNext does not bear out.
const doubtFor = time.Minute

// settle settles the deletions that webhooks told of and that wait because they may have
// been merges. What can't be settled waits on.
func (c *Catchup) settle(ctx context.Context) error {
	waiting, err := c.cfg.Log.Pending(ctx, pendingPage)
	if err != nil {
		return fmt.Errorf("pending deletions: %w", err)
	}
	byDocType := map[string][]event.Event{}
	for _, e := range waiting {
		if c.cfg.Now().Before(c.doubted[e]) {
			continue
		}
		delete(c.doubted, e)
		byDocType[e.DocType] = append(byDocType[e.DocType], e)
	}
	var failed []error
	for _, doctype := range slices.Sorted(maps.Keys(byDocType)) {
		if err := c.settleAll(ctx, doctype, byDocType[doctype]); err != nil {
			failed = append(failed, fmt.Errorf("pending deletions of %s: %w", doctype, err))
		}
	}
	return errors.Join(failed...)
}

func (c *Catchup) settleAll(ctx context.Context, doctype string, waiting []event.Event) error {
	var names []string
	for _, e := range waiting {
		names = append(names, e.Name)
	}
	present, err := c.site.Present(ctx, doctype, names)
	if err != nil && !trail.Unreadable(err) {
		return err
	}
	told, err := c.site.Deletions(ctx, doctype, names)
	if err != nil && !trail.Unreadable(err) {
		return err
	}
	var gone []trail.Deletion
	for _, e := range waiting {
		// One from before the document's last change is of another that had its name.
		if d, ok := told[e.Name]; ok && d.Creation >= e.Modified {
			gone = append(gone, d)
		}
	}
	was, err := c.endings(ctx, doctype, gone)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range waiting {
		if err := c.settleOne(ctx, e, was, present); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// settleOne settles a deletion. present has the creation of those whose name is in use.
func (c *Catchup) settleOne(ctx context.Context, e event.Event, was endings, present map[string]string) error {
	as := e
	as.Vanished = was.doubted[e.Name]
	born, there := present[e.Name]
	switch r, ok := was.merged[e.Name]; {
	case ok:
		as = renamed(r)
	case there && born <= e.Modified:
		// The very document is there: the webhook is wrong, or ERPNext's answer is old.
		c.doubted[e] = c.cfg.Now().Add(doubtFor)
		c.cfg.Logger.WarnContext(ctx, "a webhook told of a deletion, but the document is there: it waits", "doctype", e.DocType)
		return nil
	case there:
		// The name was taken again. Once the log knows that, it knows the deletion for one
		// of before, and does nothing to what links to the name.
		err := c.log(ctx, []event.Event{{
			DocType: e.DocType, Name: e.Name, Kind: event.Created, Modified: born, Source: event.Catchup,
		}})
		if err != nil {
			return err
		}
	}
	if err := c.cfg.Log.Settle(ctx, e, as); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}
