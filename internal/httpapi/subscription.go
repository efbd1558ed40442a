package httpapi

import (
	"context"
	"net/http"
	"sync"
)

// streamEnd is why a subscription ends.
type streamEnd struct {
	mu  sync.Mutex
	err error
}

type streamKey struct{}

func withStream(ctx context.Context) (context.Context, *streamEnd) {
	end := &streamEnd{}
	return context.WithValue(ctx, streamKey{}, end), end
}

func (e *streamEnd) cause() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// EndStream says with which error the subscription that ctx belongs to ends, once its
// source has ended: a resolver calls it before it closes its channel. The last call
// counts; outside of a subscription it does nothing.
func EndStream(ctx context.Context, err error) {
	if end, ok := ctx.Value(streamKey{}).(*streamEnd); ok {
		end.mu.Lock()
		defer end.mu.Unlock()
		end.err = err
	}
}

// maxCursor bounds the cursor of an event, in bytes: clients send it back in a header.
const maxCursor = 256

// eventPlace is the cursor of one event.
type eventPlace struct {
	mu   sync.Mutex
	text string
}

type eventKey struct{}

// withEvent is the context of one event. What its making adds to the log is left out, as
// a subscription has one line, however long it runs.
func withEvent(own context.Context) (context.Context, *eventPlace) {
	place := &eventPlace{}
	own = context.WithValue(own, operationLogKey{}, (*operationLog)(nil))
	return context.WithValue(own, eventKey{}, place), place
}

func (p *eventPlace) cursor() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text
}

// NoteCursor says at which place of its stream the event that ctx is of stands. A stream
// of events carries it as the event's id, and a browser that connects again after the
// connection broke sends it with the header Last-Event-ID. A text that is longer than 256
// bytes or not of visible ASCII characters is not noted. The last call counts; outside of
// an event it does nothing.
func NoteCursor(ctx context.Context, cursor string) {
	if place, ok := ctx.Value(eventKey{}).(*eventPlace); ok && isCursor(cursor) {
		place.mu.Lock()
		defer place.mu.Unlock()
		place.text = cursor
	}
}

type lastEventKey struct{}

// LastEventID is the cursor of the last event that the client has had before it connected
// again, as it says; "" where it says nothing. A client may send anything, so it is to be
// read as an argument is: only its form is checked, which is that of NoteCursor.
func LastEventID(ctx context.Context) string {
	id, _ := ctx.Value(lastEventKey{}).(string)
	return id
}

// withLastEventID takes over the header; one that no event can have had is no place at all.
// The error is a *requestError with status 400: to begin somewhere else would lose events.
func withLastEventID(ctx context.Context, h http.Header) (context.Context, error) {
	given := h.Values("Last-Event-ID")
	if len(given) == 0 || len(given) == 1 && given[0] == "" {
		return ctx, nil
	}
	if len(given) > 1 || !isCursor(given[0]) {
		return nil, badRequest("the header Last-Event-ID is not the id of an event")
	}
	return context.WithValue(ctx, lastEventKey{}, given[0]), nil
}

// isCursor accepts 1 to maxCursor visible characters of ASCII.
func isCursor(s string) bool {
	if s == "" || len(s) > maxCursor {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
