package frappe

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// errQueueFull says that one key has too many calls waiting.
var errQueueFull = errors.New("too many calls are waiting")

// limiter bounds how many calls are in flight, and shares the places fairly: those
// who wait queue by key (a credential), and the queues take turns. A caller with a
// thousand waiting calls delays another caller's first call by one turn at most.
type limiter struct {
	mu       sync.Mutex
	free     int
	maxQueue int                      // waiting calls for each key
	queues   map[string]*list.Element // of *queue, in turns
	turns    *list.List               // of *queue; the front is served next, none is empty
}

// queue holds the waiting calls of one key, first come first served.
type queue struct {
	key     string
	waiters *list.List // of *waiter
}

// waiter is closed when its place is free. granted guards against a cancellation
// that comes at the same moment.
type waiter struct {
	ready   chan struct{}
	granted bool
}

func newLimiter(places, maxQueue int) *limiter {
	return &limiter{
		free:     places,
		maxQueue: maxQueue,
		queues:   make(map[string]*list.Element),
		turns:    list.New(),
	}
}

// acquire waits for a place. The caller gives it back with release, once. It fails
// with ctx's error, or with errQueueFull at once.
func (l *limiter) acquire(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if l.free > 0 { // nobody waits: a free place goes to a waiter first
		l.free--
		l.mu.Unlock()
		return nil
	}
	w, err := l.enqueue(key)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-w.ready:
		if err := ctx.Err(); err != nil { // both at once: a call that begins now is of no use
			l.release()
			return err
		}
		return nil
	case <-ctx.Done():
		l.abandon(key, w)
		return ctx.Err()
	}
}

// enqueue adds a waiter to its key's queue; a new queue takes the last turn.
func (l *limiter) enqueue(key string) (*waiter, error) {
	turn, ok := l.queues[key]
	if !ok {
		turn = l.turns.PushBack(&queue{key: key, waiters: list.New()})
		l.queues[key] = turn
	}
	q := turn.Value.(*queue)
	if q.waiters.Len() >= l.maxQueue {
		return nil, errQueueFull
	}
	w := &waiter{ready: make(chan struct{})}
	q.waiters.PushBack(w)
	return w, nil
}

// abandon takes a cancelled waiter out of its queue, or passes on the place that it
// was granted in the meantime.
func (l *limiter) abandon(key string, w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.granted {
		l.next()
		return
	}
	turn := l.queues[key]
	q := turn.Value.(*queue)
	for e := q.waiters.Front(); e != nil; e = e.Next() {
		if e.Value.(*waiter) == w {
			q.waiters.Remove(e)
			break
		}
	}
	if q.waiters.Len() == 0 {
		l.drop(turn)
	}
}

// release gives a place back.
func (l *limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next()
}

// next hands a place to the first waiter of the queue whose turn it is, or keeps it.
func (l *limiter) next() {
	turn := l.turns.Front()
	if turn == nil {
		l.free++
		return
	}
	q := turn.Value.(*queue)
	w := q.waiters.Remove(q.waiters.Front()).(*waiter)
	w.granted = true
	close(w.ready)
	if q.waiters.Len() == 0 {
		l.drop(turn)
		return
	}
	l.turns.MoveToBack(turn)
}

func (l *limiter) drop(turn *list.Element) {
	delete(l.queues, turn.Value.(*queue).key)
	l.turns.Remove(turn)
}
