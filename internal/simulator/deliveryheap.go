package simulator

import (
	"container/heap"
	"slices"
	"time"
)

// delivery is one request to a receiver. Once it was tried, all of it stays the same.
type delivery struct {
	hook, doctype, name, user string
	body                      []byte
	request                   *hookRequest // nil before the first try
	tries                     int

	at  time.Time // when it is to be sent
	seq uint64    // among those of one moment
}

// deliveryHeap are the deliveries that wait, the next first.
type deliveryHeap []*delivery //nolint:recvcheck // as container/heap wants it

func (h deliveryHeap) Len() int { return len(h) }

func (h deliveryHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}

func (h deliveryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push adds a delivery, for container/heap.
func (h *deliveryHeap) Push(x any) {
	if j, ok := x.(*delivery); ok {
		*h = append(*h, j)
	}
}

// Pop takes the last off, for container/heap.
func (h *deliveryHeap) Pop() any {
	old := *h
	j := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return j
}

// push queues a delivery for a moment. d.mu is held.
func (d *deliveries) push(j *delivery, at time.Time) {
	if d.open == 0 {
		d.idle = make(chan struct{})
	}
	d.open++
	d.seq++
	j.at, j.seq = at, d.seq
	heap.Push(&d.waiting, j)
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// next takes the first delivery that is due; otherwise it tells for how long to wait,
// negative for until something is queued.
func (d *deliveries) next(now time.Time) (j *delivery, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == 0 {
		return nil, -1
	}
	if b := d.blocked; b != nil {
		if wait := b.at.Sub(now); wait > 0 {
			return nil, wait
		}
		d.waiting = slices.DeleteFunc(d.waiting, func(j *delivery) bool { return j == b })
		heap.Init(&d.waiting)
		d.blocked = nil
		return b, 0
	}
	if wait := d.waiting[0].at.Sub(now); wait > 0 {
		return nil, wait
	}
	j, _ = heap.Pop(&d.waiting).(*delivery)
	return j, 0
}

// done counts a delivery out. d.mu is held.
func (d *deliveries) done() {
	if d.open--; d.open == 0 {
		close(d.idle)
	}
}
