// Package app puts erpgraph together: settings, the database, the REST client, the
// engine, the HTTP door. Nothing imports it but main and the tests, which start the
// real App on port 0.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"golang.org/x/sync/errgroup"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/doctype"
	"erpgraph/internal/engine"
	"erpgraph/internal/frappe"
	"erpgraph/internal/httpapi"
	"erpgraph/internal/oauth"
	"erpgraph/internal/postgres"
	"erpgraph/internal/session"
	"erpgraph/internal/write"
	"erpgraph/loaders"
	"erpgraph/migrations"
	"erpgraph/web"
)

const drainTime = 10 * time.Second

// App is a running erpgraph.
type App struct {
	cfg      Config
	log      *slog.Logger
	db       *postgres.DB
	frappe   *frappe.Client
	site     *loaders.Site
	registry *doctype.Registry
	callers  *auth.Directory
	// oauth and sessions are for users who sign in; nil where nobody can.
	oauth    *oauth.Client
	sessions *session.Manager
	handler  http.Handler
	events   *events
	engine   *engine.Engine
	migrated atomic.Bool
	// tables is closed once the migrations have run.
	tables chan struct{}
	// reached tells that ERPNext has answered since the start.
	reached atomic.Bool
}

// Options are what tests and the demo bend.
type Options struct {
	// Playground configures the start page.
	Playground web.Options
	// Progress is told now and then for how long the embedded database's first download
	// has run.
	Progress func(elapsed time.Duration)
	// DB is used instead of opening one.
	DB *postgres.DB
	// HTTPClient reaches ERPNext; nil is a pool of its own.
	HTTPClient *http.Client
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Graph is served instead of the one that the program was built with.
	Graph *Graph
	// AfterWrite runs between ERPNext's answer to a write and anything that is kept of it.
	AfterWrite func(ctx context.Context)
	// SocketCheck is how often ERPNext is asked whether a socket's caller still counts;
	// 0 is httpapi's default.
	SocketCheck time.Duration
}

// New opens the database and puts the parts together. Close ends it.
func New(ctx context.Context, cfg Config, log *slog.Logger, opts Options) (*App, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	a := &App{cfg: cfg, log: log, db: opts.DB, tables: make(chan struct{})}
	var err error
	if opts.Graph == nil {
		if opts.Graph, err = builtIn(); err != nil {
			return nil, err
		}
	}
	a.registry = opts.Graph.Registry
	a.frappe, err = frappe.New(frappe.Config{
		BaseURL: cfg.ERPNextURL, MaxConcurrent: cfg.MaxUpstream, Timeout: cfg.UpstreamTimeout, Logger: log, HTTPClient: opts.HTTPClient,
	})
	if err != nil {
		return nil, err
	}
	if a.db == nil {
		a.db, err = postgres.Open(ctx, postgres.Config{URL: cfg.DatabaseURL, DataDir: cfg.DataDir, Logger: log, Progress: opts.Progress})
		if err != nil {
			return nil, fmt.Errorf("open the database: %w", err)
		}
	}
	a.site = loaders.NewSite(a.frappe.TimeZone)
	if err := errors.Join(a.setUpCallers(opts), a.setUpEvents(opts)); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := a.assemble(opts); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// assemble wires engine, resolvers and HTTP.
func (a *App) assemble(opts Options) error {
	e := engine.New(engine.Config{
		Registry: a.registry,
		Loaders: loaders.Config{
			Upstream: a.frappe, Local: a.db, Site: a.site,
			Callers: a.callers, MaxCalls: a.cfg.MaxUpstreamCalls, Now: opts.Now, Snapshots: a.linkSnapshots,
		},
		Writers: write.New(write.Config{
			Registry: a.registry, Upstream: a.frappe, Local: a.db, Site: a.site, FilePath: a.cfg.filePath,
			Lease: a.cfg.OperationTimeout + a.cfg.UpstreamTimeout, Now: opts.Now, Logger: a.log, AfterCall: opts.AfterWrite,
			Busy: a.cfg.UpstreamBusy, Events: eventLog{a.events.log, a.events.keeper},
		}),
		Live:           a.live(),
		Dangling:       a.dangling,
		IdempotencyKey: httpapi.IdempotencyKey,
		Credential:     credential,
		FileURL:        a.cfg.fileURL,
		MaxPage:        a.cfg.MaxPage,
		Logger:         a.log,
	})
	a.engine = e
	executable, err := opts.Graph.Executable(e, opts)
	if err != nil {
		return err
	}
	playground, err := web.Handler(opts.Playground)
	if err != nil {
		return fmt.Errorf("playground: %w", err)
	}
	a.handler, err = httpapi.New(httpapi.Options{
		Schema:        executable,
		Introspection: a.cfg.Introspection,
		Limits: httpapi.Limits{
			BodyBytes: a.cfg.MaxBody, Depth: a.cfg.MaxDepth, Cost: a.cfg.MaxCost, Time: a.cfg.OperationTimeout,
			UploadBytes: a.cfg.MaxUpload,
			SocketCheck: opts.SocketCheck,
			Sockets:     a.cfg.MaxSockets, SocketsPerCaller: a.cfg.MaxSocketsPerCaller, SocketLifetime: a.cfg.SocketLifetime,
		},
		Hooks: httpapi.Hooks{
			AroundResponses: func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
				return traceResponse(ctx, func(ctx context.Context) *graphql.Response {
					response := e.AroundResponse(ctx, next)
					logTrace(ctx)
					return response
				})
			},
			AroundRootFields: e.AroundRootField,
			Trace:            func(ctx context.Context) any { return traceOf(ctx).report() },
		},
		UploadDir:    a.cfg.UploadDir,
		Authenticate: a.authenticate,
		Admit:        a.admit,
		Alive:        a.alive,
		User:         a.user,
		Auth:         a.signIn(),
		Origins:      a.cfg.Origins,
		PublicURL:    a.cfg.PublicURL,
		Playground:   playground,
		Webhooks:     a.webhooks(),
		Files:        fileHandler(a.frappe, a.callers.Forget),
		Ready:        a.readyChecks(),
		Logger:       a.log,
	})
	return err
}

func credential(ctx context.Context) (frappe.Credential, error) {
	id, err := auth.FromContext(ctx)
	if err != nil {
		return frappe.Credential{}, err
	}
	return id.Credential(), nil
}

// Handler is the HTTP door, for tests.
func (a *App) Handler() http.Handler { return a.handler }

// DB is the app's database, for the demo's rows and tests.
func (a *App) DB() *postgres.DB { return a.db }

// Migrate brings the database up to the migrations and checks local types against it.
func (a *App) Migrate(ctx context.Context) error {
	if err := postgres.Migrate(ctx, a.db, migrations.FS); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	var local []*doctype.Type
	for _, t := range a.registry.Types() {
		if t.Source == doctype.Local {
			local = append(local, t)
		}
	}
	if err := a.db.CheckColumns(ctx, local); err != nil {
		return fmt.Errorf("compare local types with the database: %w", err)
	}
	if !a.migrated.Swap(true) {
		close(a.tables)
	}
	return nil
}

// Run serves on the listener until ctx ends. ERPNext and a database of one's own may be
// down at the start: the server comes up, says so on /readyz, and tries again.
func (a *App) Run(ctx context.Context, listener net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.prepare(ctx) })
	group.Go(func() error { return httpapi.Serve(ctx, listener, a.handler, drainTime, a.log) })
	group.Go(func() error { return a.forgetKeys(ctx) })
	group.Go(func() error { return a.runEvents(ctx) })
	if a.sessions != nil {
		group.Go(func() error { return a.sessions.Run(ctx) })
	}
	return group.Wait()
}

// prepare migrates and asks the site what it is, again and again until both have
// worked once.
func (a *App) prepare(ctx context.Context) error {
	const retry = 5 * time.Second
	ticker := time.NewTicker(retry)
	defer ticker.Stop()
	for {
		if !a.migrated.Load() {
			if err := a.Migrate(ctx); err != nil {
				if apierror.CodeOf(err) != apierror.UpstreamUnavailable && ctx.Err() == nil {
					return err // a broken migration does not mend itself
				}
				a.log.WarnContext(ctx, "the database can't be reached; local types don't answer yet", "error", err)
			}
		}
		if !a.reached.Load() {
			if err := a.meetSite(ctx); err != nil && ctx.Err() == nil {
				a.log.WarnContext(ctx, "ERPNext can't be reached; upstream types don't answer yet", "setting", "ERPNEXT_URL", "url", a.cfg.ERPNextURL, "error", err)
			}
		}
		if a.migrated.Load() && a.reached.Load() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// meetSite asks the site for its time zone, and with a service account for its version.
func (a *App) meetSite(ctx context.Context) error {
	loc, err := a.site.Location(ctx)
	if err != nil {
		return err
	}
	if a.cfg.ServiceKey == "" {
		a.reached.Store(true)
		a.log.InfoContext(ctx, "ERPNext answers", "timeZone", loc.String(), "version", "not asked (no ERPNEXT_SERVICE_KEY), taken as 15")
		return nil
	}
	cred, err := frappe.ParseAuthorization("token " + a.cfg.ServiceKey)
	if err != nil {
		return fmt.Errorf("ERPNEXT_SERVICE_KEY: %w", err)
	}
	versions, err := a.frappe.Versions(ctx, cred)
	if err != nil {
		return fmt.Errorf("ask for the site's version: %w", err)
	}
	a.frappe.SetVersion(versions)
	a.reached.Store(true)
	a.log.InfoContext(ctx, "ERPNext answers", "timeZone", loc.String(), "frappe", versions.Frappe, "erpnext", versions.ERPNext)
	return nil
}

func (a *App) readyChecks() []httpapi.ReadyCheck {
	checks := []httpapi.ReadyCheck{
		{Name: "postgres", Required: true, Check: a.checkPostgres},
		{Name: "erpnext", Check: a.checkERPNext},
		{Name: "start", Required: true, Check: a.checkStart},
	}
	if a.events.catchup != nil {
		checks = append(checks, httpapi.ReadyCheck{Name: "catchup", Check: a.checkCatchup})
	}
	return checks
}

func (a *App) checkPostgres(ctx context.Context) error {
	if err := a.db.Ping(ctx); err != nil {
		return err
	}
	if !a.migrated.Load() {
		return apierror.New(apierror.UpstreamUnavailable, "the migrations have not run yet")
	}
	return nil
}

func (a *App) checkERPNext(ctx context.Context) error {
	_, err := a.frappe.TimeZone(ctx)
	return err
}

// checkStart fails until ERPNext has answered once: a wrong address must not pass for a
// running service. Later outages are ERPNext's, and degrade every process alike.
func (a *App) checkStart(context.Context) error {
	if !a.reached.Load() {
		return apierror.New(apierror.UpstreamUnavailable, "ERPNext has not answered since the start; see ERPNEXT_URL")
	}
	return nil
}

// Close ends what New opened.
func (a *App) Close() error {
	if a.engine != nil {
		a.engine.Close()
	}
	if a.sessions != nil {
		a.sessions.Close() // a refresh under way has yet to be written
	}
	if a.oauth != nil {
		a.oauth.Close()
	}
	if a.callers != nil {
		a.callers.Close()
	}
	if a.frappe != nil {
		a.frappe.Close()
	}
	if a.db != nil {
		return a.db.Close()
	}
	return nil
}

// NewLogger makes the logger of a process.
func NewLogger(w io.Writer, cfg Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
