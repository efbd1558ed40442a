package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/apierror"
)

const (
	// leaseTime is how long a refresh may take: longer than the calls to ERPNext.
	leaseTime = 15 * time.Second
	// coolTime keeps all processes from asking again right after a refresh failed.
	coolTime = 2 * time.Second
	// retireTime is how long a replaced token is left for the requests that still use it.
	retireTime = 2 * time.Minute
	// youngTime is how long renewed tokens are not renewed again, in the words of SQL.
	youngTime = "30 s"
	// statementTime bounds one statement and the wait for a connection: a database that
	// hangs must not keep the requests of all who have a cookie.
	statementTime = 5 * time.Second
)

// row is a session as the database has it.
type row struct {
	hash            []byte
	user            string
	access, refresh []byte // sealed
	accessExpires   time.Time
	generation      int
	lease           *time.Time // until when somebody refreshes this generation
	expires         time.Time
	unseen          bool // last seen more than a minute ago
	young           bool // renewed less than youngTime ago
}

const rowColumns = `id_hash, user_name, sealed_access, sealed_refresh, access_expires_at, generation, lease_until, expires_at,
	last_seen_at < now() - interval '1 minute', coalesce(renewed_at > now() - interval '` + youngTime + `', false)`

// store is the SQL of this package. Lives and leases go by the database's clock, the
// one that all processes share. Errors are coded, the driver's behind them.
type store struct {
	pool    *pgxpool.Pool
	idle    time.Duration
	timeout time.Duration // of each statement
}

// errNoSession says that the session is not there (any more).
var errNoSession = errors.New("session: there is none")

// unavailable is a failure of the database.
func unavailable(ctx context.Context, doing string, err error) error {
	code, text := apierror.UpstreamUnavailable, "the app's database is not available"
	if ctx.Err() != nil {
		code, text = apierror.UpstreamTimeout, "the app's database did not answer in time"
	}
	return apierror.Wrap(code, fmt.Errorf("session: %s: %w", doing, err), "%s", text)
}

// query runs a statement and reads its rows with scan.
func query[T any](ctx context.Context, s *store, doing string, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, unavailable(ctx, doing, err)
	}
	found, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, unavailable(ctx, doing, err)
	}
	return found, nil
}

// one is the session that a statement is about; errNoSession when it finds none.
func (s *store) one(ctx context.Context, doing, sql string, args ...any) (*row, error) {
	found, err := query(ctx, s, doing, scanRow, sql, args...)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, errNoSession
	}
	return found[0], nil
}

func scanRow(from pgx.CollectableRow) (*row, error) {
	var r row
	err := from.Scan(&r.hash, &r.user, &r.access, &r.refresh, &r.accessExpires, &r.generation, &r.lease, &r.expires, &r.unseen, &r.young)
	return &r, err
}

// exec runs a statement that gives no rows.
func (s *store) exec(ctx context.Context, doing, sql string, args ...any) (pgconn.CommandTag, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	tag, err := s.pool.Exec(ctx, sql, args...)
	if err != nil {
		return tag, unavailable(ctx, doing, err)
	}
	return tag, nil
}

// create writes a new session.
func (s *store) create(ctx context.Context, r *row, life time.Duration) error {
	_, err := s.exec(ctx, "write a session", `
		insert into auth_session (id_hash, user_name, sealed_access, sealed_refresh, access_expires_at, expires_at)
		values ($1, $2, $3, $4, $5, now() + $6::interval)`,
		r.hash, r.user, r.access, r.refresh, r.accessExpires, life)
	return err
}

// load reads a session that has not ended; errNoSession else.
func (s *store) load(ctx context.Context, hash []byte) (*row, error) {
	return s.one(ctx, "read a session", `
		select `+rowColumns+` from auth_session
		where id_hash = $1 and expires_at > now() and last_seen_at > now() - $2::interval`, hash, s.idle)
}

// alive tells whether a session has not ended; errNoSession else.
func (s *store) alive(ctx context.Context, hash []byte) error {
	found, err := query(ctx, s, "read a session", pgx.RowTo[bool], `
		select exists (select from auth_session
		where id_hash = $1 and expires_at > now() and last_seen_at > now() - $2::interval)`, hash, s.idle)
	switch {
	case err != nil:
		return err
	case !found[0]:
		return errNoSession
	}
	return nil
}

// touch writes that a session is used, at most once a minute.
func (s *store) touch(ctx context.Context, hash []byte) error {
	_, err := s.exec(ctx, "write that a session is used", `
		update auth_session set last_seen_at = now() where id_hash = $1 and last_seen_at < now() - interval '1 minute'`, hash)
	return err
}

// lease takes the right to refresh a generation. errNoSession: somebody else has it,
// the generation is over, or the session is.
func (s *store) lease(ctx context.Context, hash []byte, generation int) (*row, error) {
	return s.one(ctx, "take the lease of a session", `
		update auth_session set lease_until = now() + $3::interval
		where id_hash = $1 and generation = $2 and (lease_until is null or lease_until <= now())
		  and expires_at > now() and last_seen_at > now() - $4::interval
		returning `+rowColumns, hash, generation, leaseTime, s.idle)
}

// cool gives a lease back after a refresh that failed, unless it was over and somebody
// else has taken the next one.
func (s *store) cool(ctx context.Context, leased *row) error {
	_, err := s.exec(ctx, "give back the lease of a session", `
		update auth_session set lease_until = now() + $4::interval
		where id_hash = $1 and generation = $2 and lease_until = $3`,
		leased.hash, leased.generation, leased.lease, coolTime)
	return err
}

// renew stores the next generation of tokens and retires the old access token, both or
// nothing. old is the row that was leased. errNoSession: it ended meanwhile, or somebody
// else has renewed it.
func (s *store) renew(ctx context.Context, old, next *row) (*row, error) {
	return s.one(ctx, "write new tokens of a session", `
		with renewed as (
			update auth_session set sealed_access = $3, sealed_refresh = $4, access_expires_at = $5,
				generation = generation + 1, lease_until = null, renewed_at = now()
			where id_hash = $1 and generation = $2
			returning *
		), retired as (
			insert into auth_retired_token (session_hash, user_name, sealed, not_before)
			select id_hash, user_name, $6, now() + $7::interval from renewed
		)
		select `+rowColumns+` from renewed`,
		old.hash, old.generation, next.access, next.refresh, next.accessExpires, old.access, retireTime)
}

// retire leaves a sealed access token to the janitor, to be revoked at once.
func (s *store) retire(ctx context.Context, r *row) error {
	_, err := s.exec(ctx, "retire a token", `
		insert into auth_retired_token (session_hash, user_name, sealed, not_before) values ($1, $2, $3, now())`,
		r.hash, r.user, r.access)
	return err
}
