package auth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

const (
	// believed is how long an answer of ERPNext is: a role that was taken away, a user who
	// was disabled, a token that was revoked count for that long at most.
	believed = 30 * time.Second
	// maxEntries bounds the answers kept; one takes about 2 kB, most of it roles.
	maxEntries = 10_000
	// askTimeout bounds one question to ERPNext, which is a few calls.
	askTimeout = 30 * time.Second
)

// Upstream is what the Directory asks of ERPNext; *frappe.Client does it.
type Upstream interface {
	WhoAmI(ctx context.Context, cred frappe.Credential) (*frappe.User, error)
	UserEnabled(ctx context.Context, service frappe.Credential, user string) (bool, error)
}

// ErrDisabled is behind the UNAUTHENTICATED error of [Directory.Who] for a user who is
// disabled in ERPNext, for errors.Is.
var ErrDisabled = errors.New("auth: the user is disabled")

// DirectoryConfig is what a Directory needs. Only Upstream must be given.
type DirectoryConfig struct {
	Upstream Upstream
	// Service is the credential of an account that may read users. Without it disabled
	// users can't be told from others: ERPNext itself goes on serving their tokens.
	Service frappe.Credential
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger is told when the service account is refused; nil means slog.Default.
	Logger *slog.Logger
}

// Directory knows whom credentials belong to, by ERPNext's own answer. It keeps an
// answer for 30 s, for each credential; failures are never kept. It is safe for
// concurrent use.
type Directory struct {
	upstream Upstream
	service  frappe.Credential
	now      func() time.Time
	log      *slog.Logger
	running  sync.WaitGroup // the questions under way

	mu      sync.Mutex
	entries *simplelru.LRU[string, entry] // by Credential.Key
	asking  map[string]*question          // by Credential.Key
	warned  time.Time                     // when the log was last told of the service account
}

// entry is an answer of ERPNext.
type entry struct {
	user     *frappe.User // never changed, never handed out
	disabled bool
	until    time.Time
}

// question is asked once for all who want to know the same at the same time. It is not
// singleflight.Group's, because an answer must be told from one that a Forget overtook.
type question struct {
	done   chan struct{} // closed when answer and err are set
	answer entry
	err    error

	waiting int // those who wait for done; guarded by Directory.mu
	cancel  context.CancelFunc
}

// NewDirectory makes a Directory. Call Close when no more is asked.
func NewDirectory(cfg DirectoryConfig) *Directory {
	entries, _ := simplelru.NewLRU[string, entry](maxEntries, nil) // fails only without a size
	d := &Directory{
		upstream: cfg.Upstream,
		service:  cfg.Service,
		now:      cfg.Now,
		log:      cmp.Or(cfg.Logger, slog.Default()),
		entries:  entries,
		asking:   make(map[string]*question),
	}
	if d.now == nil {
		d.now = time.Now
	}
	return d
}

// ChecksDisabled reports whether disabled users are refused.
func (d *Directory) ChecksDisabled() bool { return !d.service.IsZero() }

// Who is the user that the credential belongs to, with their roles; the caller may
// change what it gets. All who ask for one credential at the same time share one
// question, which goes on until it is answered or the last of them gives up. It carries
// the values of the first one's context: that one's observers are told of its calls.
//
// Errors: UNAUTHENTICATED for a credential that ERPNext does not know, and for a
// disabled user, then with [ErrDisabled] behind it; whatever else ERPNext fails with. Where disabled users can't be told
// because the service account is refused, the error is UPSTREAM_UNAVAILABLE and names
// ERPNEXT_SERVICE_KEY: nobody gets in by a mistake in the settings, and an operator
// without a service account has made that choice by leaving it out.
func (d *Directory) Who(ctx context.Context, cred frappe.Credential) (*frappe.User, error) {
	if cred.IsZero() {
		return nil, apierror.New(apierror.Unauthenticated, "a credential for ERPNext is needed: sign in, or send a valid token")
	}
	answer, asked := d.look(ctx, cred)
	if asked == nil {
		return answer.result()
	}
	select {
	case <-asked.done:
	case <-ctx.Done():
		d.leave(cred, asked)
		return nil, apierror.Wrap(apierror.UpstreamTimeout, context.Cause(ctx), "ERPNext did not tell in time who you are")
	}
	if asked.err != nil {
		return nil, asked.err
	}
	return asked.answer.result()
}

// Forget drops what is known of a credential. Call it when ERPNext refuses it with 401.
// An answer that is on its way is still given to those who wait for it, but not kept.
func (d *Directory) Forget(cred frappe.Credential) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries.Remove(cred.Key())
	delete(d.asking, cred.Key())
}

// Close waits for the questions that are under way.
func (d *Directory) Close() { d.running.Wait() }

// result gives the user to one who asked.
func (e entry) result() (*frappe.User, error) {
	if e.disabled {
		return nil, apierror.Wrap(apierror.Unauthenticated, ErrDisabled, "the user is disabled in ERPNext")
	}
	user := *e.user
	user.Roles = slices.Clone(user.Roles)
	return &user, nil
}

// look finds an answer that is fresh, or else the question to wait for.
func (d *Directory) look(ctx context.Context, cred frappe.Credential) (entry, *question) {
	key := cred.Key()
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.entries.Get(key); ok && d.now().Before(known.until) {
		return known, nil
	}
	if asked, ok := d.asking[key]; ok {
		asked.waiting++
		return entry{}, asked
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	asked := &question{done: make(chan struct{}), waiting: 1, cancel: cancel}
	d.asking[key] = asked
	d.running.Go(func() {
		defer cancel()
		d.settle(ctx, cred, asked)
	})
	return entry{}, asked
}

// leave takes back that one waits. A question for nobody ends: otherwise whoever sends
// bad tokens and hangs up could pile up calls without an end.
func (d *Directory) leave(cred frappe.Credential, q *question) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q.waiting--
	if q.waiting > 0 {
		return
	}
	q.cancel()
	if key := cred.Key(); d.asking[key] == q {
		delete(d.asking, key)
	}
}

// settle answers a question, and keeps the answer unless a Forget came in between. Its
// time counts from the beginning: ERPNext may have looked at the roles just then.
func (d *Directory) settle(ctx context.Context, cred frappe.Credential, q *question) {
	defer close(q.done)
	until := d.now().Add(believed)
	q.answer, q.err = d.ask(ctx, cred)
	q.answer.until = until

	key := cred.Key()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asking[key] != q {
		return
	}
	delete(d.asking, key)
	if q.err != nil {
		d.entries.Remove(key)
		return
	}
	d.entries.Add(key, q.answer)
}

// ask asks ERPNext.
func (d *Directory) ask(ctx context.Context, cred frappe.Credential) (entry, error) {
	user, err := d.upstream.WhoAmI(ctx, cred)
	if err != nil {
		return entry{}, err
	}
	if !d.ChecksDisabled() {
		return entry{user: user}, nil
	}
	enabled, err := d.upstream.UserEnabled(ctx, d.service, user.Name)
	switch apierror.CodeOf(err) {
	case "":
		return entry{user: user, disabled: !enabled}, nil
	case apierror.Forbidden, apierror.Unauthenticated:
		// It is the service account that is refused, not the caller, who must not be told
		// to sign in: nothing of the error but its text goes on.
		d.warn(ctx, err)
		return entry{}, apierror.Wrap(apierror.UpstreamUnavailable, errors.New(err.Error()),
			"whether users are disabled can't be told: the account of ERPNEXT_SERVICE_KEY must be one that may read users")
	default:
		return entry{}, err
	}
}

// warn tells the operator, once in a while.
func (d *Directory) warn(ctx context.Context, err error) {
	now := d.now()
	d.mu.Lock()
	due := d.warned.IsZero() || now.Sub(d.warned) >= believed
	if due {
		d.warned = now
	}
	d.mu.Unlock()
	if due {
		d.log.LogAttrs(ctx, slog.LevelWarn, "ERPNext refuses the service account: nobody can sign in until ERPNEXT_SERVICE_KEY is one that may read users",
			slog.String("error", err.Error()))
	}
}
