package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
	"erpgraph/internal/oauth"
)

// Config is what a Manager works with. OAuth, Pool, Keys, Who, PublicURL and CheckForgery
// are required.
type Config struct {
	OAuth *oauth.Client
	// Pool is the app's database, with the tables of the migration auth_session.
	Pool *pgxpool.Pool
	Keys *Keyring
	// Who tells who a credential belongs to, by ERPNext's answer. It may keep answers for
	// half a minute, and refuse users who were disabled with auth.ErrDisabled.
	Who func(context.Context, frappe.Credential) (*frappe.User, error)
	// PublicURL is the address of this service for browsers, without a path. With http
	// its host must be the loopback one, and cookies are less protected.
	PublicURL *url.URL
	// CheckForgery refuses a request to sign out that a foreign page made the browser send,
	// with the error to answer: the rule for all that changes something with a session.
	CheckForgery func(*http.Request) error
	// Forget makes Who forget a credential: one whose session has ended, so that nobody is
	// believed to be who they were, and one that must be asked for anew. nil: Who keeps
	// nothing.
	Forget func(frappe.Credential)
	// RequestID names the request in the audit log. nil: lines have no requestId.
	RequestID func(context.Context) (string, error)
	// Logger gets the audit lines. Default slog.Default.
	Logger *slog.Logger
	// Now is the clock that tokens end by; default time.Now. Sessions end by the
	// database's clock.
	Now func() time.Time
	// Lifetime is how long a session lasts at most, by default 168 h; Idle how long
	// without being used, by default 24 h.
	Lifetime, Idle time.Duration
}

// Manager makes, finds, renews and ends sessions. Any number of them may share a
// database. It is safe for concurrent use.
type Manager struct {
	oauth        *oauth.Client
	store        *store
	keys         *Keyring
	who          func(context.Context, frappe.Credential) (*frappe.User, error)
	origin       string // of PublicURL
	checkForgery func(*http.Request) error
	forget       func(frappe.Credential)
	requestID    func(context.Context) (string, error)
	log          *slog.Logger
	now          func() time.Time
	lifetime     time.Duration
	cookies      cookies
	sweepTime    time.Duration
	// places are for sign-ins whose code is redeemed now.
	places    chan struct{}
	placeTime time.Duration
	// refreshes joins the callers in this process who wait for the same generation.
	refreshes singleflight.Group
	work      work
}

// New checks the configuration and makes a Manager. It asks neither the database nor
// ERPNext for anything.
func New(cfg Config) (*Manager, error) {
	if cfg.OAuth == nil || cfg.Pool == nil || cfg.Keys == nil || cfg.Who == nil || cfg.PublicURL == nil || cfg.CheckForgery == nil {
		return nil, errors.New("session: OAuth, Pool, Keys, Who, PublicURL and CheckForgery are required")
	}
	own, secure, err := checkPublicURL(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		oauth: cfg.OAuth, keys: cfg.Keys, who: cfg.Who,
		store:        &store{pool: cfg.Pool, idle: cmp.Or(max(cfg.Idle, 0), 24*time.Hour), timeout: statementTime},
		origin:       own,
		checkForgery: cfg.CheckForgery, requestID: cfg.RequestID, forget: cfg.Forget,
		log:      cmp.Or(cfg.Logger, slog.Default()),
		now:      cfg.Now,
		lifetime: cmp.Or(max(cfg.Lifetime, 0), 168*time.Hour),
		cookies:  cookies{secure: secure}, sweepTime: 30 * time.Second,
		places: make(chan struct{}, maxExchanges), placeTime: exchangeWait,
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.forget == nil {
		m.forget = func(frappe.Credential) {}
	}
	if m.requestID == nil {
		m.requestID = func(context.Context) (string, error) { return "", nil }
	}
	return m, nil
}

// Identity is the caller whose session's cookie a request carries; nobody, and no error,
// without a cookie. A cookie that names no session (any more) is UNAUTHENTICATED and not
// nobody: who was signed in must not silently become a stranger. UPSTREAM_* when the
// database does not answer.
func (m *Manager) Identity(r *http.Request) (auth.Identity, error) {
	hash, present := m.cookies.session(r)
	if !present {
		return auth.Identity{}, nil
	}
	row, err := m.load(r.Context(), hash)
	if err != nil {
		return auth.Identity{}, toldAsEnded(err)
	}
	m.seen(r.Context(), row)
	return auth.OfSession(m.source(row, false).credential(), string(hash)), nil
}

// seen writes that a session is used.
func (m *Manager) seen(ctx context.Context, r *row) {
	if !r.unseen {
		return
	}
	if err := m.store.touch(ctx, r.hash); err != nil {
		m.warn(ctx, err)
	}
}

// load reads a session; errNoSession when there is none.
func (m *Manager) load(ctx context.Context, hash []byte) (*row, error) {
	if hash == nil {
		return nil, errNoSession
	}
	return m.store.load(ctx, hash)
}

// Alive tells whether the session of an identity goes on: nil, UNAUTHENTICATED, or
// UPSTREAM_* when the database does not answer. An identity without a session is always
// alive here. It does not count as a use of the session.
func (m *Manager) Alive(ctx context.Context, id auth.Identity) error {
	if !id.FromSession() {
		return nil
	}
	return toldAsEnded(m.store.alive(ctx, []byte(id.Session())))
}

// EndIdentity ends the session of an identity, for a reason that the audit log tells; the
// janitor revokes its tokens. Nothing happens where there is none. What fails is logged:
// whoever has that reason will have it again at the next request.
func (m *Manager) EndIdentity(ctx context.Context, id auth.Identity, reason string) {
	if id.FromSession() {
		m.end(ctx, revoked, reason, []byte(id.Session()))
	}
}

// toldAsEnded gives errNoSession its public form; other errors have theirs.
func toldAsEnded(err error) error {
	if errors.Is(err, errNoSession) {
		return apierror.Wrap(apierror.Unauthenticated, err, "your session has ended; sign in again at %s", loginPath)
	}
	return err
}

// Close waits for the refreshes that are under way and lets no more begin. It is called
// when no more requests come, before the pool is closed.
func (m *Manager) Close() { m.work.close() }

// work counts goroutines that outlive the requests that began them.
type work struct {
	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
}

// begin tells whether work may still begin; if so, end must follow.
func (w *work) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.group.Add(1)
	}
	return !w.closed
}

func (w *work) end() { w.group.Done() }

func (w *work) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.group.Wait()
}

// Events of the audit log.
const (
	signedIn  = "sign_in"
	refused   = "refused"
	refreshed = "refresh"
	revoked   = "revoked"
	signedOut = "sign_out"
	unrevoked = "unrevoked" // ERPNext goes on accepting a token that nobody uses
)

// audit writes one event. user, hash and reason may be empty; reason is a text of ours.
func (m *Manager) audit(ctx context.Context, event, user string, hash []byte, reason string) {
	level := slog.LevelInfo
	if event == refused || event == unrevoked {
		level = slog.LevelWarn
	}
	m.auditAt(ctx, level, event, user, hash, reason)
}

func (m *Manager) auditAt(ctx context.Context, level slog.Level, event, user string, hash []byte, reason string) {
	attrs := []slog.Attr{slog.String("event", event)}
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("user", user)
	if hash != nil {
		add("session", logID(hash))
	}
	add("reason", reason)
	if id, err := m.requestID(ctx); err == nil {
		add("requestId", id)
	}
	m.log.LogAttrs(ctx, level, "audit", attrs...)
}

// Format says nothing of what is inside.
func (*Manager) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[sessions]")) }
