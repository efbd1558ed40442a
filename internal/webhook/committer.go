package webhook

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"erpgraph/internal/event"
)

const (
	// maxGroup bounds the events of one commit.
	maxGroup = 500
	// committers is how many commits may be under way: while one waits for the disk, the
	// next group is sent. The log makes them wait for each other where it must.
	committers = 2
)

// errRunning is a second Run of one handler.
var errRunning = errors.New("webhook: Run was called before")

// waiting is an event whose sender waits for its commit.
type waiting struct {
	event event.Event
	// done gets the outcome; it holds one, so that nobody waits for a sender who left.
	done chan<- error
}

// Run commits what the handler receives until ctx ends, then finishes the groups that are
// under way and gives nil. What waits by then is refused. It can be called once.
func (h *Handler) Run(ctx context.Context) error {
	if !h.started.CompareAndSwap(false, true) {
		return errRunning
	}
	defer close(h.stopped)
	var group sync.WaitGroup
	for range committers {
		group.Go(func() { h.commitGroups(ctx) })
	}
	group.Wait()
	return nil
}

// commitGroups takes what is there, commits it, and looks again. Nothing waits for a
// group to fill: what comes during one commit is the next.
func (h *Handler) commitGroups(ctx context.Context) {
	for ctx.Err() == nil { // with both to choose from, select would go on for a while
		select {
		case <-ctx.Done():
		case first := <-h.queue:
			h.commit(ctx, h.collect(first))
		}
	}
}

func (h *Handler) collect(first waiting) []waiting {
	group := []waiting{first}
	for len(group) < maxGroup {
		select {
		case next := <-h.queue:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// commit logs a group in one transaction. When that fails each event is tried alone, so
// that one that the log can't take does not refuse the others; but only as long as
// somebody waits for it.
func (h *Handler) commit(ctx context.Context, group []waiting) {
	// What began is finished, also when the service ends meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.Patience)
	defer cancel()
	began := time.Now()
	err := h.append(ctx, group)
	if err != nil && len(group) == 1 {
		h.lose(ctx, group[0].event, err)
	}
	if err == nil || len(group) == 1 {
		settle(group, err)
		return
	}
	h.cfg.Logger.WarnContext(ctx, "a group of webhook events can't be logged, each is tried alone",
		slog.Int("events", len(group)), slog.Duration("after", time.Since(began)), slog.Any("error", err))
	for i := range group {
		if ctx.Err() != nil {
			settle(group[i:], err)
			return
		}
		alone := h.append(ctx, group[i:i+1])
		if alone != nil {
			h.lose(ctx, group[i].event, alone)
		}
		settle(group[i:i+1], alone)
	}
}

func (h *Handler) append(ctx context.Context, group []waiting) error {
	events := make([]event.Event, len(group))
	for i, w := range group {
		events[i] = w.event
	}
	added, err := h.cfg.Append(ctx, events)
	if err != nil {
		return err
	}
	h.count.commits.Add(1)
	if old := len(group) - added; old > 0 {
		h.count.duplicates.Add(uint64(old))
	}
	return nil
}

// lose tells of an event that could not be logged. Its name may be somebody's.
func (h *Handler) lose(ctx context.Context, e event.Event, err error) {
	h.cfg.Logger.ErrorContext(ctx, "a webhook event can't be logged",
		slog.String("doctype", e.DocType), slog.String("kind", string(e.Kind)), slog.Any("error", err))
}

func settle(group []waiting, err error) {
	for _, w := range group {
		w.done <- err
	}
}
