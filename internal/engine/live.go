package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

// LiveConfig is what subscriptions need.
type LiveConfig struct {
	Hub   *event.Hub
	Shown *event.Shown
	// Window is how long events are gathered before they are read together; 0 means 50 ms.
	Window time.Duration
	// Time bounds the reads of one window; 0 means 30 s.
	Time time.Duration
	// EndStream says why the stream that ctx belongs to ends.
	EndStream func(ctx context.Context, err error)
	// NoteCursor tells the transport the cursor of the response that ctx belongs to.
	NoteCursor func(ctx context.Context, cursor string)
	// LastEventID is the cursor that the transport was told of, "" for none.
	LastEventID func(ctx context.Context) string
}

// live runs the subscriptions of a process. Those of one credential that ask the same are
// a class: the events of a window are read and written once for all of them.
type live struct {
	engine *Engine
	cfg    LiveConfig
	log    *slog.Logger

	ctx   context.Context //nolint:containedctx // of all classes, until close
	stop  context.CancelFunc
	group sync.WaitGroup // the loops of classes, and what moves subscribers

	mu      sync.Mutex
	classes map[string]*class
}

func newLive(e *Engine, cfg LiveConfig) *live {
	if cfg.Window <= 0 {
		cfg.Window = 50 * time.Millisecond
	}
	if cfg.Time <= 0 {
		cfg.Time = 30 * time.Second
	}
	if cfg.EndStream == nil {
		cfg.EndStream = func(context.Context, error) {}
	}
	if cfg.NoteCursor == nil {
		cfg.NoteCursor = func(context.Context, string) {}
	}
	if cfg.LastEventID == nil {
		cfg.LastEventID = func(context.Context) string { return "" }
	}
	l := &live{engine: e, cfg: cfg, log: e.cfg.Logger, classes: map[string]*class{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// Close ends the subscriptions and waits for all that runs for them.
func (e *Engine) Close() {
	if e.live != nil {
		e.live.stop()
		e.live.group.Wait()
	}
}

// subscribe makes a subscriber and finds its class.
func (l *live) subscribe(ctx context.Context, spec *liveSpec) (<-chan *Result, error) {
	m := newMember(ctx, l, spec)
	if err := l.enter(ctx, m); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, m.leave)
	l.log.DebugContext(ctx, "subscribed", slog.String("subscription", spec.field.Name))
	return m.out, nil
}

// enter puts a subscriber into the class of the credential that it has now.
func (l *live) enter(ctx context.Context, m *member) error {
	for try := 0; ; {
		cred, err := l.engine.cfg.Credential(ctx)
		if err != nil {
			return err
		}
		key := cred.Key() + m.spec.text
		if m.spec.after != nil { // until it has caught up
			key = fmt.Sprintf("%s %s %d", key, m.spec.after, try)
		}
		c, err := l.class(key, cred.Key(), m.spec)
		if err != nil {
			return err
		}
		err = c.join(ctx, m)
		switch {
		case errors.Is(err, errClassAhead):
			try++
		case !errors.Is(err, errClassEnded) && !errors.Is(err, errTurned):
			return err
		}
	}
}

// Why a subscriber can't join a class that it has found.
var (
	errClassEnded = errors.New("the class has ended")
	errClassAhead = errors.New("the class has read on since the subscriber's cursor")
	// errTurned is of a credential that is another than a moment ago: its reader moves on.
	errTurned = errors.New("another credential was handed over")
)

// class finds the class of a key, or makes it.
func (l *live) class(key, credential string, spec *liveSpec) (*class, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, apierror.New(apierror.UpstreamUnavailable, "the server is stopping; connect again")
	}
	if c := l.classes[key]; c != nil {
		return c, nil
	}
	c := newClass(l, key, credential, spec)
	l.classes[key] = c
	return c, nil
}

// forget takes an ended class out.
func (l *live) forget(c *class) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.classes[c.key] == c {
		delete(l.classes, c.key)
	}
}

// caughtUp gives a class that has read the log after its cursor its place among those
// that follow the log: the members join the class that is there, or it becomes that.
func (l *live) caughtUp(c *class) (other *class) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := c.credential + c.spec.text
	if other = l.classes[key]; other != nil {
		return other
	}
	if l.classes[c.key] == c {
		delete(l.classes, c.key)
	}
	c.key = key
	l.classes[key] = c
	return nil
}
