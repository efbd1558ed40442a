// Package postgrestest gives tests a real Postgres: one server for each test process,
// one migrated schema for each test.
//
// The server is DATABASE_URL when set, else an embedded one over files in the user's
// cache directory, so only the first run on a machine downloads and creates anything.
// Test processes that run at the same time each take a server of their own.
package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/embedded"
	"erpgraph/migrations"
)

const (
	maxServers   = 64
	setupTimeout = 5 * time.Minute // the first download included
	dropTimeout  = 30 * time.Second
	prefix       = "erpgraph_test_"
)

// server is a process's server. It lives until Main stops it or, without Main, until the
// process ends: the kernel tells it then (Linux), or the next run does.
type server struct {
	once sync.Once
	err  error
	url  string
	stop func() error
	// admin creates and drops schemas.
	admin *postgres.DB
}

// shared is this process's server: package testing offers no other place for what
// outlives a test.
var shared server

// New gives a database with a fresh, migrated schema, dropped when the test ends. Tests
// that use it may run in parallel.
func New(tb testing.TB) *postgres.DB {
	tb.Helper()
	db := NewEmpty(tb)
	if err := postgres.Migrate(tb.Context(), db, migrations.FS); err != nil {
		tb.Fatalf("migrate: %v", err)
	}
	return db
}

// NewEmpty is New without the migrations.
func NewEmpty(tb testing.TB) *postgres.DB {
	tb.Helper()
	s := running(tb)
	schema := prefix + strings.ToLower(rand.Text())
	name := pgx.Identifier{schema}.Sanitize()
	if _, err := s.admin.Pool().Exec(tb.Context(), "create schema "+name); err != nil {
		tb.Fatalf("create a schema: %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
		defer cancel()
		if _, err := s.admin.Pool().Exec(ctx, "drop schema "+name+" cascade"); err != nil {
			tb.Errorf("drop the schema: %v", err)
		}
	})
	return open(tb, s, schema)
}

// Again opens a further pool on the schema of db: another replica of the service.
func Again(tb testing.TB, db *postgres.DB) *postgres.DB {
	tb.Helper()
	s := running(tb)
	return open(tb, s, db.Pool().Config().ConnConfig.RuntimeParams["search_path"])
}

func open(tb testing.TB, s *server, schema string) *postgres.DB {
	tb.Helper()
	db, err := postgres.Open(tb.Context(), postgres.Config{
		URL: s.url, MaxConns: 8, Settings: map[string]string{"search_path": schema},
	})
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return db
}

// Main runs a package's tests and stops the server after them:
//
//	func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }
//
// Only packages that check for leaked goroutines need it.
func Main(m *testing.M) int {
	code := m.Run()
	if shared.admin == nil { // no test needed it
		return code
	}
	if err := errors.Join(shared.admin.Close(), shared.stop()); err != nil {
		fmt.Fprintln(os.Stderr, "stop Postgres:", err)
		return max(code, 1)
	}
	return code
}

// running gives the server, started when the first test asks for it.
func running(tb testing.TB) *server {
	tb.Helper()
	shared.once.Do(func() { shared.err = shared.start() })
	if shared.err != nil {
		tb.Fatalf("start Postgres: %v", shared.err)
	}
	return &shared
}

func (s *server) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	s.url, s.stop = os.Getenv("DATABASE_URL"), func() error { return nil }
	own := s.url == ""
	if own {
		pg, err := startEmbedded(ctx)
		if err != nil {
			return err
		}
		s.url, s.stop = pg.URL(), pg.Stop
	}
	admin, err := postgres.Open(ctx, postgres.Config{URL: s.url, MaxConns: 4})
	if err != nil {
		return errors.Join(err, s.stop())
	}
	if own {
		if err := dropLeftovers(ctx, admin); err != nil {
			return errors.Join(err, admin.Close(), s.stop())
		}
	}
	s.admin = admin
	return nil
}

// startEmbedded takes the first server that no other test process uses.
func startEmbedded(ctx context.Context) (*embedded.Server, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	for i := range maxServers {
		pg, err := embedded.Start(ctx, embedded.Config{
			Dir: filepath.Join(cache, "erpgraph", "test-servers", strconv.Itoa(i)),
			// Nobody misses these data after a power cut.
			Settings: map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"},
		})
		if !errors.Is(err, embedded.ErrInUse) {
			return pg, err
		}
	}
	return nil, fmt.Errorf("%d test servers are in use", maxServers)
}

// dropLeftovers drops the schemas of test processes that were killed.
func dropLeftovers(ctx context.Context, db *postgres.DB) error {
	rows, err := db.Pool().Query(ctx, "select nspname::text from pg_namespace where starts_with(nspname::text, $1)", prefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := db.Pool().Exec(ctx, "drop schema "+pgx.Identifier{name}.Sanitize()+" cascade"); err != nil {
			return err
		}
	}
	return nil
}
