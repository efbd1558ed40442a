package postgres

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/postgres/embedded"
)

// Config says which database to open.
type Config struct {
	// URL is a postgres:// URL or key=value text. Empty: an embedded server.
	URL string
	// DataDir is where an embedded server keeps its files; "" is ".erpgraph".
	DataDir string
	// Logger gets what the embedded server does; nil discards.
	Logger *slog.Logger
	// Progress is told every few seconds for how long the embedded server's first
	// download has run. nil is allowed.
	Progress func(elapsed time.Duration)
	// MaxConns bounds the pool; 0 means 16, or what the URL says.
	MaxConns int32
	// Settings are further parameters of each session, such as "search_path".
	Settings map[string]string
	// ServerSettings are parameters of the embedded server's postgresql.conf.
	ServerSettings map[string]string
}

// DB is an open database. It is safe for use by several goroutines.
type DB struct {
	pool    *pgxpool.Pool
	server  *embedded.Server // nil with a database of one's own
	logger  *slog.Logger
	catalog catalog
}

const (
	defaultMaxConns = 16
	connectTimeout  = 5 * time.Second
)

// Open opens the database. With a URL it connects when a statement first needs a
// connection, so that a server comes up while its database is down; without one it
// starts the embedded server and returns once that answers. ctx bounds the start only;
// Close ends everything.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	db := &DB{logger: cfg.Logger}
	if db.logger == nil {
		db.logger = slog.New(slog.DiscardHandler)
	}
	if cfg.DataDir == "" {
		cfg.DataDir = ".erpgraph"
	}
	if cfg.URL == "" {
		server, err := embedded.Start(ctx, embedded.Config{
			Dir: cfg.DataDir, Logger: db.logger, Progress: cfg.Progress, Settings: cfg.ServerSettings,
		})
		if err != nil {
			return nil, err
		}
		db.server, cfg.URL = server, server.URL()
	}
	if err := db.connect(ctx, cfg); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context, cfg Config) error {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		// The cause repeats the URL, and the driver can't find the password in every
		// text that is not quite one.
		return errors.New("DATABASE_URL is neither a postgres:// URL nor key=value text")
	}
	switch {
	case cfg.MaxConns > 0:
		pc.MaxConns = cfg.MaxConns
	case pc.MaxConns < defaultMaxConns && !hasPoolSize(cfg.URL):
		pc.MaxConns = defaultMaxConns
	}
	if pc.ConnConfig.ConnectTimeout == 0 {
		pc.ConnConfig.ConnectTimeout = connectTimeout
	}
	// Table relies on these; see appendTimestamp.
	params := pc.ConnConfig.RuntimeParams
	params["timezone"], params["datestyle"] = "UTC", "ISO, YMD"
	if params["application_name"] == "" {
		params["application_name"] = "erpgraph"
	}
	maps.Copy(params, cfg.Settings)
	db.pool, err = pgxpool.NewWithConfig(ctx, pc)
	return err
}

// hasPoolSize tells whether the URL itself bounds the pool.
func hasPoolSize(url string) bool { return strings.Contains(url, "pool_max_conns") }

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return convert(db.pool.Ping(ctx), nil) }

// Pool is the pool behind the database, for the parts of the house that write SQL of
// their own. Its errors are the driver's.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Embedded tells whether the database is an embedded server, and so ends with Close.
func (db *DB) Embedded() bool { return db.server != nil }

// Close waits for the connections in use, closes the pool and stops an embedded server.
func (db *DB) Close() error {
	if db.pool != nil {
		db.pool.Close()
	}
	if db.server != nil {
		return db.server.Stop()
	}
	return nil
}
