package session

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
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

// Config is what a Manager works with. OAuth, Pool, Keys, WhoAmI, Who and PublicURL are
// required.
type Config struct {
	OAuth *oauth.Client
	// Pool is the app's database, with the tables of the migration auth_session.
	Pool *pgxpool.Pool
	Keys *Keyring
	// WhoAmI asks ERPNext, without any cache, who a credential belongs to.
	WhoAmI func(context.Context, frappe.Credential) (*frappe.User, error)
	// Who is the same with a cache of half a minute, and may refuse users who were
	// disabled.
	Who func(context.Context, frappe.Credential) (*frappe.User, error)
	// PublicURL is the address of this service for browsers, without a path. With http
	// its host must be the loopback one, and cookies are less protected.
	PublicURL *url.URL
	// AllowOrigin tells whether pages of another origin may sign their user out. nil:
	// none may.
	AllowOrigin func(origin string) bool
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
	oauth       *oauth.Client
	store       *store
	keys        *Keyring
	whoAmI, who func(context.Context, frappe.Credential) (*frappe.User, error)
	origin      string
	allowOrigin func(string) bool
	requestID   func(context.Context) (string, error)
	log         *slog.Logger
	now         func() time.Time
	lifetime    time.Duration
	cookies     cookies
	sweepTime   time.Duration
	// refreshes joins the callers in this process who wait for the same generation.
	refreshes singleflight.Group
	work      work
}

// New checks the configuration and makes a Manager. It asks neither the database nor
// ERPNext for anything.
func New(cfg Config) (*Manager, error) {
	if cfg.OAuth == nil || cfg.Pool == nil || cfg.Keys == nil || cfg.WhoAmI == nil || cfg.Who == nil || cfg.PublicURL == nil {
		return nil, errors.New("session: OAuth, Pool, Keys, WhoAmI, Who and PublicURL are required")
	}
	secure, err := checkPublicURL(cfg.PublicURL)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		oauth: cfg.OAuth, keys: cfg.Keys, whoAmI: cfg.WhoAmI, who: cfg.Who,
		store:       &store{pool: cfg.Pool, idle: cmp.Or(max(cfg.Idle, 0), 24*time.Hour)},
		origin:      cfg.PublicURL.Scheme + "://" + cfg.PublicURL.Host,
		allowOrigin: cfg.AllowOrigin, requestID: cfg.RequestID,
		log:      cmp.Or(cfg.Logger, slog.Default()),
		now:      cfg.Now,
		lifetime: cmp.Or(max(cfg.Lifetime, 0), 168*time.Hour),
		cookies:  cookies{secure: secure}, sweepTime: 30 * time.Second,
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.allowOrigin == nil {
		m.allowOrigin = func(string) bool { return false }
	}
	if m.requestID == nil {
		m.requestID = func(context.Context) (string, error) { return "", nil }
	}
	return m, nil
}

// checkPublicURL tells whether cookies can be of the protected kind.
func checkPublicURL(u *url.URL) (secure bool, err error) {
	if u.Host == "" || u.Path != "" && u.Path != "/" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false, errors.New("session: the public address must be a scheme and a host: cookies are for the whole host")
	}
	switch u.Scheme {
	case "https":
		return true, nil
	case "http":
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return false, nil
		}
		return false, errors.New("session: the public address must begin with https://; http:// is for this machine alone")
	}
	return false, errors.New("session: the public address must begin with https://")
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
	if row.unseen {
		if err := m.store.touch(r.Context(), hash); err != nil {
			m.warn(r.Context(), err)
		}
	}
	return auth.OfSession(m.credential(row), logID(hash)), nil
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
	prefix, err := hex.DecodeString(id.Session())
	if err != nil || len(prefix) != logDigits/2 {
		return toldAsEnded(errNoSession)
	}
	return toldAsEnded(m.store.alive(ctx, prefix))
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
	level := slog.LevelInfo
	if event == refused || event == unrevoked {
		level = slog.LevelWarn
	}
	m.log.LogAttrs(ctx, level, "audit", attrs...)
}

// Format says nothing of what is inside.
func (*Manager) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[sessions]")) }
