package httpapi

import (
	"sync"
	"time"
)

// clock runs the duties of a connection at their times. Between them nothing waits: a duty
// has a goroutine only while it runs, for connections are many and mostly idle.
type clock struct {
	// group counts the duties that run. It is not empty before stop has returned.
	group *sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	timers  []*time.Timer
}

// after runs f once.
func (c *clock) after(wait time.Duration, f func()) { c.set(wait, f, false) }

// every runs f again and again, never twice at once.
func (c *clock) every(interval time.Duration, f func()) { c.set(interval, f, true) }

func (c *clock) set(wait time.Duration, f func(), again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		if !c.enter() {
			return
		}
		defer c.group.Done()
		f()
		if again {
			c.rearm(timer, wait)
		}
	})
	c.timers = append(c.timers, timer)
}

func (c *clock) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		c.group.Add(1)
	}
	return !c.stopped
}

func (c *clock) rearm(timer *time.Timer, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		timer.Reset(wait)
	}
}

// stop lets nothing begin any more. What runs, the group waits for.
func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	for _, timer := range c.timers {
		timer.Stop()
	}
}
