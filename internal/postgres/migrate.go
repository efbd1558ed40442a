package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Migrate brings the database up to the newest of the migrations in fsys. Replicas that
// start together take turns by an advisory lock; a migration runs once, in a transaction
// of its own.
func Migrate(ctx context.Context, db *DB, fsys fs.FS) (err error) {
	conns := stdlib.OpenDBFromPool(db.pool)
	defer func() { err = errors.Join(err, conns.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, conns, fsys,
		goose.WithSessionLocker(turns{}),
		goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(db.logger),
	)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return convert(fmt.Errorf("migrate: %w", err), nil)
	}
	for _, r := range results {
		db.logger.InfoContext(ctx, "migrated", "file", r.Source.Path, "ms", r.Duration.Milliseconds())
	}
	return convert(db.catalog.load(ctx, db.pool), nil)
}

// turns is a lock for each schema of a database. goose's own locker asks every few
// seconds; this one waits in Postgres, and so goes on at once.
type turns struct{}

var _ lock.SessionLocker = turns{}

const lockKey = "hashtextextended('erpgraph.migrate.' || current_schema(), 0)"

// SessionLock waits for the lock, or for the end of ctx.
func (turns) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "select pg_advisory_lock("+lockKey+")"); err != nil {
		return fmt.Errorf("wait for the migration lock: %w", err)
	}
	return nil
}

// SessionUnlock gives the lock back.
func (turns) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "select pg_advisory_unlock("+lockKey+")"); err != nil {
		return fmt.Errorf("give back the migration lock: %w", err)
	}
	return nil
}
