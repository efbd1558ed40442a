package event

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"erpgraph/internal/apierror"
)

const (
	defaultQueue = 4096
	// tailPage is how many events the hub reads at a time.
	tailPage = 1000
	// pollEvery is how often the hub looks without being woken.
	pollEvery = time.Second
	// readTimeout bounds one reading.
	readTimeout = 10 * time.Second
	// readyWait is how long Attach waits for a hub that has not read the log yet.
	readyWait = 5 * time.Second
)

// HubConfig is what a Hub needs.
type HubConfig struct {
	Log *Log
	// Queue bounds the events that wait for one stream; 0 means 4096.
	Queue int
	// Logger gets what befalls the hub; nil discards.
	Logger *slog.Logger
}

// Hub hands the events of the log to the streams of this process. It is safe for use by
// several goroutines.
type Hub struct {
	cfg  HubConfig
	poll time.Duration
	// ready is closed once the log was read, or Run has ended.
	ready     chan struct{}
	readyOnce sync.Once

	mu sync.RWMutex
	// at is where the hub has read to.
	at Cursor
	// life is what the streams are of: it ends with the log's epoch, or with Run.
	life   *life
	topics map[topicKey]*topic
	// byType are the topics by each DocType they are of, all those of all.
	byType map[string][]*topic
	all    []*topic
}

// life is the time in which streams live on.
type life struct {
	over chan struct{} // closed at the end
	err  error         // set before
}

// errStopped ends streams with RESUME; see Stream.stop.
var errStopped = errors.New("event: the hub has stopped")

// NewHub makes a Hub. It does nothing until Run.
func NewHub(cfg HubConfig) *Hub {
	if cfg.Queue <= 0 {
		cfg.Queue = defaultQueue
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Hub{cfg: cfg, poll: pollEvery, ready: make(chan struct{}), topics: map[topicKey]*topic{}, byType: map[string][]*topic{}}
}

// Run tails the log until ctx ends: woken by NOTIFY, and by a timer. It outlives the
// database's absence. At its end all streams end with RESUME. It returns nil, and may be
// called once.
func (h *Hub) Run(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() { h.listen(ctx, wake) })
	h.tail(ctx, wake)
	wg.Wait()
	h.mu.Lock()
	h.end(errStopped)
	h.mu.Unlock()
	h.readyOnce.Do(func() { close(h.ready) })
	return nil
}

// tail reads the log whenever it is woken.
func (h *Hub) tail(ctx context.Context, wake <-chan struct{}) {
	tick := time.NewTicker(h.poll)
	defer tick.Stop()
	failing := false
	for {
		err := h.catchUp(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			h.cfg.Logger.WarnContext(ctx, "the event hub can't read its log, and goes on trying", "error", err)
		}
		if err == nil && failing {
			h.cfg.Logger.InfoContext(ctx, "the event hub reads its log again")
		}
		failing = err != nil
		select {
		case <-wake:
			if failing { // its notifications must not make it hurry
				wait(ctx, tick.C)
			}
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func wait(ctx context.Context, tick <-chan time.Time) {
	select {
	case <-tick:
	case <-ctx.Done():
	}
}

// catchUp reads the log to its end.
func (h *Hub) catchUp(ctx context.Context) error {
	for more := true; more; {
		var err error
		if more, err = h.catchUpPage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// catchUpPage reads a page of the log, and tells whether there may be more.
func (h *Hub) catchUpPage(ctx context.Context) (more bool, err error) {
	// A connection that is dead and does not say so must not stop the hub.
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	at, alive := h.position()
	if !alive {
		return false, h.begin(ctx)
	}
	events, next, err := h.cfg.Log.Read(ctx, at, 0, nil, tailPage)
	if apierror.CodeOf(err) == apierror.CursorExpired {
		// Another database, one that was restored, or a trimming that overtook the hub: what
		// it has not read is gone, and no stream may go on as if nothing were missing.
		h.cfg.Logger.WarnContext(ctx, "the event log does not go on where the hub was: all streams end", "error", err)
		h.mu.Lock()
		h.end(expired("the event log does not go on where this stream was"))
		h.mu.Unlock()
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if next != at {
		h.publish(events, next)
	}
	return len(events) == tailPage, nil
}

func (h *Hub) position() (at Cursor, alive bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.at, h.life != nil
}

// begin starts at the log's end.
func (h *Hub) begin(ctx context.Context) error {
	at, err := h.cfg.Log.Head(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.at, h.life = at, &life{over: make(chan struct{})}
	h.mu.Unlock()
	h.readyOnce.Do(func() { close(h.ready) })
	return nil
}

// end ends all streams. The caller holds the lock.
func (h *Hub) end(err error) {
	if h.life == nil {
		return
	}
	h.life.err = err
	close(h.life.over)
	h.life = nil
	clear(h.topics)
	clear(h.byType)
	h.all = nil
}

// publish hands events to the topics they belong to. It costs the hub nothing for each
// stream: those that wait are woken by a channel that they share.
func (h *Hub) publish(events []Event, next Cursor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = next
	touched := make(map[*topic]struct{})
	for _, e := range events {
		for _, t := range h.byType[e.DocType] {
			t.push(e, h.cfg.Queue)
			touched[t] = struct{}{}
		}
		for _, t := range h.all {
			t.push(e, h.cfg.Queue)
			touched[t] = struct{}{}
		}
	}
	for t := range touched {
		t.announce()
	}
}

// Attach begins a stream of the events of the DocTypes (nil: of all), after a cursor, or
// from now on. It waits until the hub has read the log for the first time. The caller
// closes the stream. Errors: CURSOR_EXPIRED, UPSTREAM_UNAVAILABLE, and BAD_USER_INPUT for
// what can be no DocType.
func (h *Hub) Attach(ctx context.Context, doctypes []string, after *Cursor) (*Stream, error) {
	for _, doctype := range doctypes {
		if err := checkText("doctype", doctype); err != nil {
			return nil, err
		}
	}
	if err := h.waitReady(ctx); err != nil {
		return nil, err
	}
	if after != nil {
		// Asked of the log and not of the hub, which may be behind what another process told.
		now, err := h.cfg.Log.head(ctx)
		if err != nil {
			return nil, err
		}
		if err := now.check(*after); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.life == nil {
		return nil, apierror.New(apierror.UpstreamUnavailable, "the event log is not followed at the moment")
	}
	start := h.at
	if after != nil {
		start = *after
	}
	if start.Epoch != h.at.Epoch {
		return nil, expired("the cursor is of another event log")
	}
	types, key := normal(doctypes)
	t := h.topics[key]
	if t == nil {
		t = newTopic(types)
		h.add(key, t)
	}
	s := &Stream{
		hub: h, life: h.life, topic: t, key: key, epoch: start.Epoch, start: start.Seq, head: h.at.Seq,
		at: start.Seq, upTo: h.at.Seq, place: t.end(), excused: true, closed: make(chan struct{}),
	}
	t.streams[s] = struct{}{}
	return s, nil
}

func (h *Hub) waitReady(ctx context.Context) error {
	select {
	case <-h.ready: // without a timer, as nearly always
		return nil
	default:
	}
	timer := time.NewTimer(readyWait)
	defer timer.Stop()
	select {
	case <-h.ready:
		return nil
	case <-timer.C:
		return apierror.New(apierror.UpstreamUnavailable, "the event log is not reachable")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add puts up a topic. The caller holds the lock.
func (h *Hub) add(key topicKey, t *topic) {
	h.topics[key] = t
	if key.all {
		h.all = append(h.all, t)
	}
	for _, doctype := range t.doctypes {
		h.byType[doctype] = append(h.byType[doctype], t)
	}
}

// leave takes a stream off its topic, and takes down a topic that nobody listens to.
func (h *Hub) leave(s *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(s.topic.streams, s)
	if len(s.topic.streams) > 0 || h.topics[s.key] != s.topic {
		return
	}
	delete(h.topics, s.key)
	is := func(t *topic) bool { return t == s.topic }
	h.all = slices.DeleteFunc(h.all, is)
	for _, doctype := range s.topic.doctypes {
		if rest := slices.DeleteFunc(h.byType[doctype], is); len(rest) > 0 {
			h.byType[doctype] = rest
		} else {
			delete(h.byType, doctype)
		}
	}
}
