package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"erpgraph/internal/apierror"
)

const (
	// leaseTime is how long a refresh may take: longer than the call to ERPNext.
	leaseTime = 15 * time.Second
	// coolTime keeps all processes from asking again right after a refresh failed.
	coolTime = 2 * time.Second
	// retireTime is how long a replaced token is left for the requests that still use it.
	retireTime = 2 * time.Minute
)

// row is a session as the database has it.
type row struct {
	hash            []byte
	user            string
	access, refresh []byte // sealed
	accessExpires   time.Time
	generation      int
	expires         time.Time
	unseen          bool // last seen more than a minute ago
}

const rowColumns = `id_hash, user_name, sealed_access, sealed_refresh, access_expires_at, generation, expires_at,
	last_seen_at < now() - interval '1 minute'`

// store is the SQL of this package. Lives and leases go by the database's clock, the
// one that all processes share. Errors are coded, the driver's behind them.
type store struct {
	pool *pgxpool.Pool
	idle time.Duration
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

func collect(ctx context.Context, doing string, rows pgx.Rows, err error) (*row, error) {
	if err != nil {
		return nil, unavailable(ctx, doing, err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, func(from pgx.CollectableRow) (*row, error) {
		var r row
		err := from.Scan(&r.hash, &r.user, &r.access, &r.refresh, &r.accessExpires, &r.generation, &r.expires, &r.unseen)
		return &r, err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, errNoSession
	case err != nil:
		return nil, unavailable(ctx, doing, err)
	}
	return r, nil
}

// create writes a new session.
func (s *store) create(ctx context.Context, r *row, life time.Duration) error {
	_, err := s.pool.Exec(ctx, `
		insert into auth_session (id_hash, user_name, sealed_access, sealed_refresh, access_expires_at, expires_at)
		values ($1, $2, $3, $4, $5, now() + $6::interval)`,
		r.hash, r.user, r.access, r.refresh, r.accessExpires, life)
	if err != nil {
		return unavailable(ctx, "write a session", err)
	}
	return nil
}

// load reads a session that has not ended; errNoSession else.
func (s *store) load(ctx context.Context, hash []byte) (*row, error) {
	rows, err := s.pool.Query(ctx, `
		select `+rowColumns+` from auth_session
		where id_hash = $1 and expires_at > now() and last_seen_at > now() - $2::interval`, hash, s.idle)
	return collect(ctx, "read a session", rows, err)
}

// alive tells whether there is a session whose hash begins so; errNoSession if not.
func (s *store) alive(ctx context.Context, prefix []byte) error {
	var found bool
	err := s.pool.QueryRow(ctx, `
		select exists (select from auth_session
		where id_hash >= $1 and id_hash < $1 || '\xffffffffffffffffffffffffffffffffffffffffffffffffff'::bytea
		  and expires_at > now() and last_seen_at > now() - $2::interval)`, prefix, s.idle).Scan(&found)
	switch {
	case err != nil:
		return unavailable(ctx, "read a session", err)
	case !found:
		return errNoSession
	}
	return nil
}

// touch writes that a session is used, at most once a minute.
func (s *store) touch(ctx context.Context, hash []byte) error {
	_, err := s.pool.Exec(ctx, `
		update auth_session set last_seen_at = now() where id_hash = $1 and last_seen_at < now() - interval '1 minute'`, hash)
	if err != nil {
		return unavailable(ctx, "write that a session is used", err)
	}
	return nil
}

// lease takes the right to refresh a generation. errNoSession: somebody else has it,
// the generation is over, or the session is.
func (s *store) lease(ctx context.Context, hash []byte, generation int) (*row, error) {
	rows, err := s.pool.Query(ctx, `
		update auth_session set lease_until = now() + $3::interval
		where id_hash = $1 and generation = $2 and (lease_until is null or lease_until <= now())
		  and expires_at > now() and last_seen_at > now() - $4::interval
		returning `+rowColumns, hash, generation, leaseTime, s.idle)
	return collect(ctx, "take the lease of a session", rows, err)
}

// cool gives a lease back after a refresh that failed.
func (s *store) cool(ctx context.Context, hash []byte, generation int) error {
	_, err := s.pool.Exec(ctx, `
		update auth_session set lease_until = now() + $3::interval where id_hash = $1 and generation = $2`, hash, generation, coolTime)
	if err != nil {
		return unavailable(ctx, "give back the lease of a session", err)
	}
	return nil
}

// renew stores the next generation of tokens and retires the old access token, both or
// nothing. old is the row that was leased. errNoSession: it ended meanwhile, or somebody
// else has renewed it.
func (s *store) renew(ctx context.Context, old, next *row) (*row, error) {
	rows, err := s.pool.Query(ctx, `
		with renewed as (
			update auth_session set sealed_access = $3, sealed_refresh = $4, access_expires_at = $5,
				generation = generation + 1, lease_until = null
			where id_hash = $1 and generation = $2
			returning *
		), retired as (
			insert into auth_retired_token (session_hash, user_name, sealed, not_before)
			select id_hash, user_name, $6, now() + $7::interval from renewed
		)
		select `+rowColumns+` from renewed`,
		old.hash, old.generation, next.access, next.refresh, next.accessExpires, old.access, retireTime)
	return collect(ctx, "write new tokens of a session", rows, err)
}

// retire leaves a sealed access token to the janitor, to be revoked at once.
func (s *store) retire(ctx context.Context, r *row) error {
	_, err := s.pool.Exec(ctx, `
		insert into auth_retired_token (session_hash, user_name, sealed, not_before) values ($1, $2, $3, now())`,
		r.hash, r.user, r.access)
	if err != nil {
		return unavailable(ctx, "retire a token", err)
	}
	return nil
}

// forget deletes a session whose grant is gone, if it is still of that generation.
func (s *store) forget(ctx context.Context, hash []byte, generation int) (ended bool, err error) {
	tag, err := s.pool.Exec(ctx, `delete from auth_session where id_hash = $1 and generation = $2`, hash, generation)
	if err != nil {
		return false, unavailable(ctx, "end a session", err)
	}
	return tag.RowsAffected() > 0, nil
}
