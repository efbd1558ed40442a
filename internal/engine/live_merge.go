package engine

import (
	"cmp"
	"maps"
	"slices"

	"erpgraph/internal/event"
)

// change is all that a window has of a document.
type change struct {
	event.Event

	// ended tells that the document of the name was deleted, or went on under another name: if
	// it can't be read now, it is gone.
	ended bool
}

func (c change) key() docKey { return docKey{c.DocType, c.Name} }

// mergeEvents makes one change of all that a window has of a document, in the order of their
// last events. A RENAMED is two: the end of the old name, and the document under its new one.
func mergeEvents(events []event.Event) []change {
	merged := map[docKey]change{}
	put := func(c change) {
		before, ok := merged[c.key()]
		if ok {
			c.Kind, c.Previous = mergeKinds(before.Event, c.Event)
		}
		c.ended = before.ended || c.ended
		merged[c.key()] = c
	}
	for _, e := range events {
		if e.Kind == event.Renamed {
			end := e
			end.Kind, end.Name, end.Previous = event.Deleted, e.Previous, ""
			put(change{end, true})
		}
		put(change{e, e.Kind == event.Deleted})
	}
	return slices.SortedFunc(maps.Values(merged), func(a, b change) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Name, b.Name))
	})
}

// mergeKinds is the kind of two events of one name in their order. News that come late don't
// undo what came before: only a read tells whether the document is there.
func mergeKinds(first, then event.Event) (kind event.Kind, previous string) {
	switch {
	case then.Kind == event.Deleted, then.Kind == event.Renamed:
		return then.Kind, then.Previous
	case first.Kind == event.Renamed:
		return first.Kind, first.Previous
	case then.Kind == event.Created, first.Kind == event.Deleted:
		return then.Kind, ""
	case first.Kind == event.Created, then.Kind == event.Updated:
		return first.Kind, "" // as a submit, and what it changes afterwards
	default:
		return then.Kind, ""
	}
}
