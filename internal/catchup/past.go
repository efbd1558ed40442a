package catchup

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/event"
)

// deletions reads Deleted Documents. The end of a merge is one too: that gives RENAMED. A
// name that is in use again, or was since, gives nothing; the log would else end in a
// DELETED of a document that is there.
func (c *Catchup) deletions(ctx context.Context, m moment) error {
	return c.walk(ctx, m, deletions, trail.DeletionWalk(c.doctypes()), "", func(rows []trail.Row) error {
		byDocType := map[string][]trail.Deletion{}
		for _, row := range rows {
			// What the log can't hold was never in it.
			if d, ok := trail.DeletionOf(row); ok && event.Check(gone(d)) == nil {
				byDocType[d.DocType] = append(byDocType[d.DocType], d)
			}
		}
		for _, doctype := range slices.Sorted(maps.Keys(byDocType)) {
			if err := c.deleted(ctx, doctype, byDocType[doctype]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *Catchup) deleted(ctx context.Context, doctype string, told []trail.Deletion) error {
	was, err := c.endings(ctx, doctype, told)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(told))
	for _, d := range told {
		names = append(names, d.Name)
	}
	present, err := c.site.Present(ctx, doctype, names)
	if err != nil && !trail.Unreadable(err) {
		return err
	}
	taken, err := c.taken(ctx, doctype, names)
	if err != nil {
		return err
	}
	var events []event.Event
	for _, d := range told {
		if r, ok := was.merged[d.Name]; ok {
			events = append(events, renamed(r))
		} else if _, again := present[d.Name]; !again && taken[d.Name] <= d.Creation {
			e := gone(d)
			e.Vanished = was.doubted[d.Name]
			events = append(events, e)
		}
	}
	return c.log(ctx, events)
}

// endings is what became of documents that are told to be deleted, by name.
type endings struct {
	merged map[string]trail.Rename
	// doubted are those of which it is not sure that local rows link to the document that was
	// deleted: a Comment says that the one before it went on under another name, and the log
	// has not moved the links.
	doubted map[string]bool
}

// endings tells what deletions were. An account that may not read Comments can't tell:
// they are deletions then, as they are without an account, and Status says that Comment
// can't be read.
func (c *Catchup) endings(ctx context.Context, doctype string, told []trail.Deletion) (endings, error) {
	out := endings{map[string]trail.Rename{}, map[string]bool{}}
	p, ok, err := c.load(ctx, comments, "")
	if err != nil {
		return out, err
	}
	since := p.Time
	if ok && since == "" { // there was none when they were first read
		since = trail.Earliest
	}
	merged, earlier, err := c.site.Merges(ctx, doctype, told, since)
	if trail.Unreadable(err) {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("merges of %s: %w", doctype, err)
	}
	out.merged = merged
	if len(earlier) == 0 {
		return out, nil
	}
	followed, err := c.followed(ctx, doctype, slices.Collect(maps.Keys(earlier)))
	if err != nil {
		return out, err
	}
	for name, r := range earlier {
		out.doubted[name] = followed[name] < r.Creation
	}
	return out, nil
}

// renames reads the Comments of renames and merges, and logs those that are believed.
func (c *Catchup) renames(ctx context.Context, m moment) error {
	c.commented = false
	err := c.walk(ctx, m, comments, trail.RenameWalk(c.doctypes()), "", func(rows []trail.Row) error {
		var claims []trail.Rename
		for _, row := range rows {
			if r, ok := trail.RenameOf(row); ok {
				claims = append(claims, r)
			}
		}
		believed, err := c.believe(ctx, claims)
		if err != nil {
			return err
		}
		events := make([]event.Event, 0, len(believed))
		for _, r := range believed {
			events = append(events, renamed(r))
		}
		return c.log(ctx, events)
	})
	c.commented = err == nil
	return err
}

// believe gives those of the claims that the site bears out. What became of a document
// that was renamed again may be told on a later page, or only since this one was read; that
// is looked for.
func (c *Catchup) believe(ctx context.Context, claims []trail.Rename) ([]trail.Rename, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	believed, err := c.site.Verify(ctx, claims)
	if err != nil {
		return nil, err
	}
	doubted := slices.DeleteFunc(slices.Clone(claims), func(r trail.Rename) bool { return slices.Contains(believed, r) })
	if len(doubted) == 0 {
		return believed, nil
	}
	if doubted, err = c.site.Reread(ctx, doubted); err != nil {
		return nil, err
	}
	for _, claim := range doubted {
		if !claim.Moved() {
			continue
		}
		told, err := c.site.RenamesOf(ctx, claim.DocType, claim.Old)
		if err != nil {
			return nil, err
		}
		if slices.Contains(told, claim) {
			believed = append(believed, claim)
		}
	}
	if doubted := len(claims) - len(believed); doubted > 0 {
		c.cfg.Logger.WarnContext(ctx, "Comments tell of renames that ERPNext does not bear out: ignored", "comments", doubted)
	}
	slices.SortStableFunc(believed, func(a, b trail.Rename) int { return cmp.Compare(a.Creation, b.Creation) })
	return believed, nil
}

func gone(d trail.Deletion) event.Event {
	return event.Event{DocType: d.DocType, Name: d.Name, Kind: event.Deleted, Source: event.Catchup}
}

func renamed(r trail.Rename) event.Event {
	return event.Event{
		DocType: r.DocType, Name: r.New, Previous: r.Old, Kind: event.Renamed,
		Modified: r.Creation, Source: event.Catchup,
	}
}

// doctypes are the watched DocTypes that have more than one document.
func (c *Catchup) doctypes() []string {
	var out []string
	for _, w := range c.cfg.Watched {
		if !w.Single {
			out = append(out, w.DocType)
		}
	}
	return out
}

// renamedMeanwhile reads the Comments of renames once more where the log lacks one of the
// events of a DocType. Where they could not be read before, the step that begins with them
// has said so, and news does not wait for what may last.
func (c *Catchup) renamedMeanwhile(ctx context.Context, m moment, doctype string, events []event.Event) error {
	if len(events) == 0 || !c.commented {
		return nil
	}
	known, err := c.logged(ctx, doctype, events)
	if err != nil || known == len(events) {
		return err
	}
	if err := c.renames(ctx, m); err != nil && !trail.Unreadable(err) {
		return err
	}
	return nil
}
