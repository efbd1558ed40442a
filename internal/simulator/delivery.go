package simulator

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Delivery says how the site's webhooks reach their receivers. The zero value delivers
// each once, at once, with the original's three tries.
type Delivery struct {
	// Workers send at the same time; 1 if zero. With several, order is not kept.
	Workers int
	// Latency passes between the commit and the first try, and up to Delay more.
	Latency, Delay time.Duration
	// Drop, Duplicate and Reorder are the shares, from 0 to 1, of deliveries that are lost
	// without a try, sent once more, or held back so that later ones overtake them.
	Drop, Duplicate, Reorder float64
	// HoldBack is for how long Reorder holds a delivery back; 100 ms if zero.
	HoldBack time.Duration
	// Seed makes the choices repeatable.
	Seed uint64
	// Client sends; one of its own if nil. Its timeout does not count, the webhook's does.
	Client *http.Client
	// RetryWaits pass before the second and further tries; 1 s and 4 s if nil. There is one
	// more try than waits. After a timeout the next try comes at once, as in the original.
	RetryWaits []time.Duration
}

// DeliveryCounts are what became of the deliveries so far.
type DeliveryCounts struct {
	Queued     int // events that webhooks fired for
	Sent       int // answered with success, duplicates included
	Failed     int // tries without success
	Dropped    int // lost on purpose
	Duplicated int // sent once more on purpose
	Reordered  int // held back on purpose
	GivenUp    int // lost after the last try, or because there was nothing to send or no room
}

// maxDeliveries bounds the queue of a site whose webhooks nobody delivers.
const maxDeliveries = 200_000

// deliveries is the queue of webhook requests.
type deliveries struct {
	mu      sync.Mutex
	how     Delivery
	random  *rand.Rand
	waiting deliveryHeap
	seq     uint64
	// blocked is the delivery before whose next try nothing else is sent: in the original a
	// worker sleeps between tries, and one alone keeps the order so. Several leave it to the
	// queue here, where the original's would be stuck.
	blocked *delivery
	open    int           // queued or being sent
	idle    chan struct{} // closed while open is 0
	wake    chan struct{} // tells the dispatcher that something was queued
	counts  DeliveryCounts
	log     requestLog
}

func newDeliveries() *deliveries {
	d := &deliveries{idle: make(chan struct{}), wake: make(chan struct{}, 1)}
	close(d.idle)
	d.set(Delivery{})
	return d
}

func (d *deliveries) set(how Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	how.Workers = max(1, how.Workers)
	how.HoldBack = cmp.Or(how.HoldBack, 100*time.Millisecond)
	if how.RetryWaits == nil {
		how.RetryWaits = []time.Duration{time.Second, 4 * time.Second}
	}
	d.how = how
	d.random = rand.New(rand.NewPCG(how.Seed, 0)) //nolint:gosec // G404: choices of a simulation, which shall be repeatable
}

// SetDelivery changes how webhooks are delivered. Workers and Client count from the next
// DeliverWebhooks on, all else from the next event.
func (s *Server) SetDelivery(how Delivery) { s.deliveries.set(how) }

// DeliveryCounts are those since the start.
func (s *Server) DeliveryCounts() DeliveryCounts {
	s.deliveries.mu.Lock()
	defer s.deliveries.mu.Unlock()
	return s.deliveries.counts
}

// DeliveriesIdle waits until all webhooks that have fired are delivered or lost. While
// nobody runs DeliverWebhooks, that takes until ctx ends.
func (s *Server) DeliveriesIdle(ctx context.Context) error {
	for {
		s.deliveries.mu.Lock()
		idle := s.deliveries.idle
		s.deliveries.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx) //nolint:wrapcheck // it is the caller's own
		case <-idle:
			return nil
		}
	}
}

// enqueue makes the request of a webhook that fired, and decides on its fate.
func (s *Server) enqueue(f firing, user string) {
	body, err := f.hook.render(f.doc)
	j := &delivery{hook: f.hook.name, doctype: f.doc.d.meta.Name, name: f.doc.d.row.name(), user: user, body: body}
	if err != nil { // in the original too nothing is heard of it but in the request log
		s.deliveries.giveUpAtOnce(j, s.siteTime(), err)
		return
	}
	s.deliveries.add(j, time.Now())
}

// add queues a delivery, twice or not at all as the dice have it.
func (d *deliveries) add(j *delivery, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.Queued++
	switch {
	case d.chance(d.how.Drop):
		d.counts.Dropped++
		return
	case d.open >= maxDeliveries:
		d.counts.GivenUp++
		return
	}
	d.push(j, d.due(now))
	if d.chance(d.how.Duplicate) {
		d.counts.Duplicated++
		again := *j
		d.push(&again, d.due(now))
	}
}

func (d *deliveries) chance(share float64) bool { return share > 0 && d.random.Float64() < share }

// due is when a delivery is to be sent.
func (d *deliveries) due(now time.Time) time.Time {
	at := now.Add(d.how.Latency)
	if d.how.Delay > 0 {
		at = at.Add(time.Duration(d.random.Int64N(int64(d.how.Delay))))
	}
	if d.chance(d.how.Reorder) {
		d.counts.Reordered++
		at = at.Add(d.how.HoldBack)
	}
	return at
}

func (d *deliveries) giveUpAtOnce(j *delivery, now string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.Queued++
	d.counts.GivenUp++
	d.log.add(j, now, "", err.Error())
}
