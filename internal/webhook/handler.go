package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"erpgraph/internal/event"
)

const (
	// keepBody is as much of a body as is kept and read; what setup installs sends 4 KiB
	// at most. More is signed by others.
	keepBody = 16 << 10
	// maxSecrets bounds the work for a body that nobody signed.
	maxSecrets = 16
	// bodyTime is how long a body may take to come.
	bodyTime = 5 * time.Second
	// retryAfter is what a refused sender is asked to wait. Frappe has waits of its own.
	retryAfter = 2 * time.Second
)

// Config is what a Handler needs.
type Config struct {
	// Secrets are those that deliveries may be signed with, newest first. Without any
	// every delivery is refused.
	Secrets []string
	// Append logs events in one transaction, all or none, and gives how many were new:
	// the log's Append.
	Append func(ctx context.Context, events []event.Event) (int, error)
	// Watched tells the DocTypes whose events are logged; others are taken and forgotten.
	Watched func(doctype string) bool
	// MaxBody bounds a body in bytes; 0 means 256 KiB: a Webhook that is not ours may
	// send whole documents.
	MaxBody int64
	// Queue bounds the deliveries that wait for their commit; 0 means 4096.
	Queue int
	// Patience is how long a delivery waits for its commit; 0 means 4 s, for ERPNext
	// gives up after 5.
	Patience time.Duration
	Logger   *slog.Logger
}

// Handler takes deliveries. It answers nothing but 503 until Run runs.
type Handler struct {
	cfg     Config
	secrets [][]byte
	queue   chan waiting
	started atomic.Bool
	stopped chan struct{} // closed when Run has ended
	count   counters
}

// New makes a Handler. It refuses empty secrets, and more than 16.
func New(cfg Config) (*Handler, error) {
	if cfg.Append == nil || cfg.Watched == nil || cfg.Logger == nil {
		return nil, errors.New("webhook: Append, Watched and Logger are needed")
	}
	secrets, err := checkSecrets(cfg.Secrets)
	if err != nil {
		return nil, err
	}
	if len(secrets) > maxSecrets {
		return nil, errors.New("webhook: more secrets than a rotation needs: at most " + strconv.Itoa(maxSecrets))
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 256 << 10
	}
	if cfg.Queue == 0 {
		cfg.Queue = 4096
	}
	if cfg.Patience == 0 {
		cfg.Patience = 4 * time.Second
	}
	return &Handler{
		cfg: cfg, secrets: secrets,
		queue: make(chan waiting, cfg.Queue), stopped: make(chan struct{}),
	}, nil
}

// ServeHTTP takes a delivery: 204 once it is in the log. What can't be shown to come from
// ERPNext learns nothing but that. Texts of other refusals are for the administrator, who
// finds them in ERPNext's Webhook Request Log.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		h.refuse(w, NotPost, http.StatusMethodNotAllowed, "only POST")
		return
	}
	body, whole, ok := h.receive(w, r)
	if !ok {
		return
	}
	e, err := read(body, whole)
	if problem, isForeign := errors.AsType[*foreignError](err); isForeign {
		h.cfg.Logger.WarnContext(r.Context(), "a signed webhook is not erpgraph's", slog.String("why", problem.why))
		h.refuse(w, Foreign, http.StatusUnprocessableEntity, problem.Error())
		return
	}
	if err != nil {
		h.cfg.Logger.WarnContext(r.Context(), "a signed webhook is no JSON", slog.Any("error", err))
		h.refuse(w, Malformed, http.StatusBadRequest, "the body is not the JSON that is expected: "+err.Error())
		return
	}
	if !h.cfg.Watched(e.DocType) {
		h.count.unwatched.Add(1)
		h.accept(w)
		return
	}
	h.log(w, r, e)
}

// receive reads the body, as far as it is kept, and makes sure that ERPNext signed it.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) (body []byte, whole, ok bool) {
	const unsigned = "the signature is missing or wrong: the Webhook's secret must be one of ERPNEXT_WEBHOOK_SECRETS"
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime)) // not every writer has deadlines; those that have none are tests
	sum, ok := signature(r.Header)
	if !ok || len(h.secrets) == 0 {
		w.Header().Set("Connection", "close") // with the deadline left: nobody waits for the body
		h.refuse(w, Unsigned, http.StatusUnauthorized, unsigned)
		return nil, false, false
	}
	body, whole, valid, err := readSigned(http.MaxBytesReader(w, r.Body, h.cfg.MaxBody), sum, h.secrets)
	if err == nil {
		_ = control.SetReadDeadline(time.Time{}) // or the wait for the commit would end by it
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		h.refuse(w, TooLarge, http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.FormatInt(h.cfg.MaxBody, 10)+" bytes")
		return nil, false, false
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		h.refuse(w, Unread, http.StatusRequestTimeout, "the body took too long")
	case err != nil:
		w.Header().Set("Connection", "close")
		h.refuse(w, Unread, http.StatusBadRequest, "the body did not come whole")
	case !valid:
		h.refuse(w, WrongSignature, http.StatusUnauthorized, unsigned)
	default:
		return body, whole, true
	}
	return nil, false, false
}

// read gives the event of a signed body.
func read(body []byte, whole bool) (event.Event, error) {
	if !whole {
		return event.Event{}, foreign("the body is larger than any of erpgraph's")
	}
	d, err := parse(body)
	if err != nil {
		return event.Event{}, err
	}
	return d.asEvent()
}

// log hands an event to the committer and waits for its commit.
func (h *Handler) log(w http.ResponseWriter, r *http.Request, e event.Event) {
	const text = "can't be logged now"
	done := make(chan error, 1)
	select {
	case h.queue <- waiting{event: e, done: done}:
	default:
		h.refuse(w, Busy, http.StatusServiceUnavailable, text)
		return
	}
	patience := time.NewTimer(h.cfg.Patience)
	defer patience.Stop()
	select {
	case err := <-done:
		if err != nil {
			h.refuse(w, Failed, http.StatusServiceUnavailable, text)
			return
		}
		h.accept(w)
	case <-patience.C:
		h.refuse(w, Late, http.StatusServiceUnavailable, text)
	case <-h.stopped:
		h.afterStop(w, done, text)
	case <-r.Context().Done(): // the sender left; the event is logged all the same
		h.refuse(w, Late, http.StatusServiceUnavailable, text)
	}
}

// afterStop tells the outcome of a commit that ended together with Run.
func (h *Handler) afterStop(w http.ResponseWriter, done <-chan error, text string) {
	select {
	case err := <-done:
		if err == nil {
			h.accept(w)
			return
		}
	default:
	}
	h.refuse(w, Busy, http.StatusServiceUnavailable, text)
}

func (h *Handler) accept(w http.ResponseWriter) {
	h.count.accepted.Add(1)
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) refuse(w http.ResponseWriter, reason Reason, status int, text string) {
	h.count.refused[reason].Add(1)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	http.Error(w, text, status)
}
