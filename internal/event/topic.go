package event

import (
	"slices"
	"strings"
)

// topic is one set of DocTypes that is listened to: the events of it that some stream has
// still to take. Streams of one topic share them. The hub's lock guards it.
type topic struct {
	doctypes []string // nil: all
	// events are those from the place base on: the first event since the topic began has the
	// place 0. Slices of it are in the hands of readers: it is added to, never changed.
	events []Event
	base   int
	// cleanAt is the length at which what all streams have taken is let go.
	cleanAt int
	streams map[*Stream]struct{}
	// wake is closed when there is something new.
	wake chan struct{}
}

const firstClean = 64

func newTopic(doctypes []string) *topic {
	return &topic{doctypes: doctypes, cleanAt: firstClean, streams: map[*Stream]struct{}{}, wake: make(chan struct{})}
}

// topicKey tells topics apart.
type topicKey struct {
	all   bool
	types string
}

// normal gives the DocTypes sorted, each once, and the key of their topic.
func normal(doctypes []string) ([]string, topicKey) {
	if doctypes == nil {
		return nil, topicKey{all: true}
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(doctypes)))
	if sorted == nil {
		sorted = []string{} // of none
	}
	return sorted, topicKey{types: strings.Join(sorted, "\x00")}
}

// end is the place of the next event.
func (t *topic) end() int { return t.base + len(t.events) }

// push adds an event, and lets those go that are taken or beyond the bound.
func (t *topic) push(e Event, bound int) {
	t.events = append(t.events, e)
	if len(t.events) < t.cleanAt {
		return
	}
	oldest := t.end()
	for s := range t.streams {
		oldest = min(oldest, s.place)
	}
	oldest = max(oldest, t.base, t.end()-bound)
	t.events = slices.Clone(t.events[oldest-t.base:])
	t.base = oldest
	t.cleanAt = max(firstClean, 2*len(t.events))
}

// take gives up to limit events from a place on; ok is false when more wait than the
// bound allows.
func (t *topic) take(place, bound, limit int) (events []Event, ok bool) {
	if place < t.base || t.end()-place > bound {
		return nil, false
	}
	events = t.events[place-t.base:]
	n := min(len(events), limit)
	return events[:n:n], true
}

// announce wakes who waits.
func (t *topic) announce() {
	close(t.wake)
	t.wake = make(chan struct{})
}
