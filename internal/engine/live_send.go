package engine

import (
	"context"
	"fmt"
	"math"

	"erpgraph/internal/event"
)

// send hands the results on, each to those whom the rule lets have it. What is shown is
// remembered before.
func (r *changeReader) send(ctx context.Context, c *class, w window, renames []event.Event, known shownBefore) error {
	var seen []docKey
	for i, e := range w.changes {
		if w.results[i] != nil && w.rows[e.key()] != nil {
			seen = append(seen, e.key())
		}
	}
	// As of the first: who comes back after any of them has seen those before it.
	if err := r.remember(ctx, c, seen, w.changes[0].Seq); err != nil {
		return err
	}
	c.follow(renames, known)
	members := c.everyone()
	told := map[docKey]bool{} // old names whose end comes with the new name
	for i, e := range w.changes {
		if from := (docKey{e.DocType, e.Previous}); w.results[i] != nil && e.Kind == event.Renamed && w.rows[from] == nil {
			told[from] = true
		}
	}
	for i, e := range w.changes {
		if w.results[i] == nil || e.Kind == event.Deleted && told[e.key()] {
			continue
		}
		now := showing{seq: e.Seq}
		if row := w.rows[e.key()]; row != nil {
			now.modified = row.Text(modifiedOfDocument)
		}
		for _, m := range members {
			if out := r.of(c, m, w, i, now, known); out != nil {
				m.push(out)
			}
		}
		c.note(e, now, told)
	}
	c.forget()
	return nil
}

// note keeps what was shown last of a document.
func (c *class) note(e change, now showing, told map[docKey]bool) {
	if e.Kind == event.Deleted {
		delete(c.shown, e.key())
		return
	}
	if from := (docKey{e.DocType, e.Previous}); e.Kind == event.Renamed && told[from] {
		delete(c.shown, from)
	}
	c.shown[e.key()] = now
}

// forget bounds what the class remembers.
func (c *class) forget() {
	for at := range c.shown {
		if len(c.shown) <= maxShown {
			break
		}
		delete(c.shown, at)
		c.forgot = true
	}
}

// of is what a member gets of change i: nil for nothing.
func (r *changeReader) of(c *class, m *member, w window, i int, now showing, known shownBefore) *liveResult {
	e := w.changes[i]
	from := docKey{e.DocType, e.Previous}
	switch {
	case e.Seq <= m.floor, !m.listens(e.Name):
		return nil
	case e.Kind == event.Deleted && !m.saw(c, e.key(), e.Seq, known):
		return nil
	case e.Kind == event.Renamed && (w.rows[from] != nil || !m.saw(c, from, e.Seq, known)):
		// Its old name is another's by now, or never was told: it is just a document.
		if !c.spec.wants(event.Updated) {
			return nil
		}
		return w.plain[i]
	case !c.spec.wants(e.Kind):
		return nil // what it turned out to be
	case e.Kind == event.Renamed && m.asked != nil:
		m.named[e.Name] = e.Seq
	case e.Kind == event.Updated && now.modified != "" && c.shown[e.key()].modified == now.modified && c.shown[e.key()].seq > m.start:
		return nil // that state came with an earlier event
	}
	return w.results[i]
}

// follow is for windows of which nothing is sent but that tell of new names.
func (r *changeReader) follow(ctx context.Context, c *class, renames []event.Event) error {
	if len(renames) == 0 {
		return nil
	}
	known, err := r.known(ctx, c, nil, renames)
	if err != nil {
		return err
	}
	c.follow(renames, known)
	return nil
}

// remember has the database know what is about to be shown, once for each document.
func (r *changeReader) remember(ctx context.Context, c *class, docs []docKey, seq int64) error {
	byType := map[string][]string{}
	for _, d := range docs {
		if !r.stored[d] {
			byType[d.doctype] = append(byType[d.doctype], d.name)
		}
	}
	for key, names := range byType {
		if err := c.live.cfg.Shown.Remember(ctx, r.key, key, names, seq); err != nil {
			return fmt.Errorf("remember what was shown: %w", err)
		}
	}
	if r.stored == nil || len(r.stored) > maxShown {
		r.stored = map[docKey]bool{}
	}
	for _, d := range docs {
		r.stored[d] = true
	}
	return nil
}

// shownBefore are, for each place at which a subscriber came again, the documents that it
// had been shown by then.
type shownBefore map[int64]map[docKey]bool

// everShown is the place in shownBefore of all that the stream has shown: for a class that
// has forgotten some of it.
const everShown = math.MaxInt64

// known asks which of the documents that end, or change their name, were shown to
// subscribers before they came again.
func (r *changeReader) known(ctx context.Context, c *class, changes []change, renames []event.Event) (shownBefore, error) {
	byType := map[string][]string{}
	for _, e := range changes {
		if e.ended { // the old names of those that were renamed among them
			byType[e.DocType] = append(byType[e.DocType], e.Name)
		}
	}
	for _, e := range renames { // of kinds that nobody asked for, too
		byType[e.DocType] = append(byType[e.DocType], e.Previous)
	}
	out := shownBefore{}
	if len(byType) == 0 {
		return out, nil
	}
	c.mu.Lock()
	for _, m := range c.members {
		if m.resumed > 0 {
			out[m.resumed] = map[docKey]bool{}
		}
	}
	c.mu.Unlock()
	if c.forgot {
		out[everShown] = map[docKey]bool{}
	}
	for at, docs := range out {
		for key, names := range byType {
			known, err := c.live.cfg.Shown.Known(ctx, r.key, key, names, at)
			if err != nil {
				return nil, fmt.Errorf("look up what was shown: %w", err)
			}
			for name, ok := range known {
				docs[docKey{key, name}] = ok
			}
		}
	}
	return out, nil
}
