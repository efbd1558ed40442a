package httpapi

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// maxWaiting bounds the operations that wait for the stream of one reservation. Clients
// open it first, as a rule.
const maxWaiting = 10

// reservations are the places of streams that carry many operations: for each a token,
// which counts only with the credential that asked for it. They are this process's own:
// all requests of one stream have to reach the same process.
type reservations struct {
	wait time.Duration
	// strangers bounds the places that wait for streams of callers without a name: they cost
	// their caller no connection, and all who have no name yet share their seats.
	strangers int

	mu      sync.Mutex
	byToken map[string]*reservation
	waiting int // of strangers
}

// reservation is the place of one stream, until it has ended.
type reservation struct {
	stream *eventStream
	ctx    context.Context //nolint:containedctx // of the stream, which more than one request is about
	token  string
	owner  string // by ownerOf
	seat   *seat

	mu       sync.Mutex
	expiry   *time.Timer // takes the place away unless the stream comes
	stranger bool        // counts as one until it is taken
	taken    bool
	open     bool // what there is to run does not wait any more
	waiting  []func(context.Context)
}

func newReservations(l Limits) *reservations {
	return &reservations{
		wait: l.StreamReservation, strangers: max(1, l.Sockets/anonymousShare/anonymousShare),
		byToken: make(map[string]*reservation),
	}
}

// ownerOf is whose a reservation is: a session's token is renewed while it lasts, any other
// credential is what it is.
func ownerOf(id auth.Identity) string {
	if id.FromSession() {
		return "session " + id.Session()
	}
	return "key " + id.Key()
}

// add keeps a place for a stream with the seat of its caller. ctx ends with the stream. The
// error is RATE_LIMITED and wraps errSeat.
func (r *reservations) add(ctx context.Context, s *eventStream, place *seat) (*reservation, error) {
	one := &reservation{stream: s, ctx: ctx, token: rand.Text(), owner: ownerOf(s.caller()), seat: place, stranger: place.key == ""}
	r.mu.Lock()
	defer r.mu.Unlock()
	if one.stranger {
		if r.waiting >= r.strangers {
			return nil, apierror.Wrap(apierror.RateLimited, errSeat, "too many streams without a credential are reserved; try again later")
		}
		r.waiting++
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	one.expiry = time.AfterFunc(r.wait, func() {
		if r.take(one) == nil {
			s.end(&closing{reason: "nobody has opened the stream"})
			s.shut()
			one.start()
			r.remove(one)
		}
	})
	r.byToken[one.token] = one
	return one, nil
}

// find gives the place of a token that belongs to the caller. The error has status 404 in
// any other case: whose a token is, is nobody else's business.
func (r *reservations) find(token string, id auth.Identity) (*reservation, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.byToken[token]
	if one == nil || one.owner != ownerOf(id) {
		return nil, &requestError{status: http.StatusNotFound, err: apierror.New(apierror.NotFound,
			"there is no stream of this token and credential here; reserve one with PUT and open it with GET")}
	}
	return one, nil
}

// remove gives up the place of a stream that has ended, once what ran on it has.
func (r *reservations) remove(one *reservation) {
	r.mu.Lock()
	delete(r.byToken, one.token)
	r.mu.Unlock()
	one.stream.group.Wait()
	one.seat.leave()
}

// take is for who opens the stream. The error has status 409 for all but the first.
func (r *reservations) take(one *reservation) error {
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.taken {
		return conflict("the stream of this token is open already, or has been")
	}
	one.taken = true
	one.expiry.Stop()
	if one.stranger {
		defer r.came()
	}
	return nil
}

// came counts a stranger whose place does not wait any more.
func (r *reservations) came() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting--
}

// start runs what has waited for the stream, and from now on what comes.
func (one *reservation) start() {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.open = true
	for _, run := range one.waiting {
		go run(one.ctx)
	}
	one.waiting = nil
}

// do runs an operation, at once if the stream is open. late is called before if not. It
// reports false, and runs nothing, when too many wait for the stream already.
func (one *reservation) do(run func(context.Context), late func()) bool {
	one.mu.Lock()
	defer one.mu.Unlock()
	switch {
	case one.open:
		go run(one.ctx)
	case len(one.waiting) >= maxWaiting:
		return false
	default:
		late()
		one.waiting = append(one.waiting, run)
	}
	return true
}

func conflict(message string) *requestError {
	return &requestError{status: http.StatusConflict, err: apierror.New(apierror.Conflict, "%s", message)}
}
