package session

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// ended is a token that nobody uses any more and ERPNext still accepts.
type ended struct {
	id    int64
	hash  []byte // of its session
	user  string
	token []byte // sealed
	// tooOld tells that ERPNext has refused to revoke it for giveUpTime.
	tooOld bool
}

const (
	// giveUpTime is how long the janitor tries to revoke a token. By then it has long
	// expired, but the refresh token that came with it has not.
	giveUpTime = 24 * time.Hour
	// batch is how many tokens the janitor takes at a time.
	batch = 20
	// grip is for how long it has them for itself: its calls time out earlier.
	grip = batch * 12 * time.Second
)

func scanEnded(from pgx.CollectableRow) (ended, error) {
	var e ended
	err := from.Scan(&e.id, &e.hash, &e.user, &e.token, &e.tooOld)
	return e, err
}

// end deletes a session and retires its token, both or nothing. The token is held back
// from the janitor for as long as the caller may take to revoke it. errNoSession: there
// was none.
func (s *store) end(ctx context.Context, hash []byte) (ended, error) {
	rows, err := s.pool.Query(ctx, `
		with gone as (delete from auth_session where id_hash = $1 returning id_hash, user_name, sealed_access)
		insert into auth_retired_token (session_hash, user_name, sealed, not_before)
		select id_hash, user_name, sealed_access, now() + $2::interval from gone
		returning id, session_hash, user_name, sealed, false`, hash, leaseTime)
	if err != nil {
		return ended{}, unavailable(ctx, "end a session", err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEnded)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ended{}, errNoSession
	case err != nil:
		return ended{}, unavailable(ctx, "end a session", err)
	}
	return e, nil
}

// sweep ends the sessions that are over and forgets sign-ins that can't come back.
func (s *store) sweep(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `
		with gone as (
			delete from auth_session where expires_at <= now() or last_seen_at <= now() - $1::interval
			returning id_hash, user_name, sealed_access
		)
		insert into auth_retired_token (session_hash, user_name, sealed, not_before)
		select id_hash, user_name, sealed_access, now() from gone`, s.idle)
	if err == nil {
		_, err = s.pool.Exec(ctx, `delete from auth_login_used where expires_at <= now()`)
	}
	if err != nil {
		return unavailable(ctx, "delete sessions that are over", err)
	}
	return nil
}

// due takes tokens that are to be revoked now, so that no other janitor does. One that
// is not revoked comes back after a while.
func (s *store) due(ctx context.Context) ([]ended, error) {
	rows, err := s.pool.Query(ctx, `
		update auth_retired_token set tries = tries + 1, not_before = now() + $1::interval
		where id in (
			select id from auth_retired_token where not_before <= now() order by not_before limit $2 for update skip locked
		)
		returning id, session_hash, user_name, sealed, created_at < now() - $3::interval`, grip, batch, giveUpTime)
	if err != nil {
		return nil, unavailable(ctx, "take retired tokens", err)
	}
	found, err := pgx.CollectRows(rows, scanEnded)
	if err != nil {
		return nil, unavailable(ctx, "take retired tokens", err)
	}
	return found, nil
}

// revoked deletes a token that is revoked, or given up.
func (s *store) revoked(ctx context.Context, id int64) error {
	if _, err := s.pool.Exec(ctx, `delete from auth_retired_token where id = $1`, id); err != nil {
		return unavailable(ctx, "delete a retired token", err)
	}
	return nil
}

// useState takes the state of a sign-in; false when it was taken before. It is kept
// until no browser can come back with it.
func (s *store) useState(ctx context.Context, hash []byte, life time.Duration) (first bool, err error) {
	tag, err := s.pool.Exec(ctx, `
		insert into auth_login_used (state_hash, expires_at) values ($1, now() + $2::interval) on conflict do nothing`, hash, life)
	if err != nil {
		return false, unavailable(ctx, "take a sign-in", err)
	}
	return tag.RowsAffected() > 0, nil
}
