package session

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// ended is a token that nobody uses any more and ERPNext may still accept.
type ended struct {
	id    int64
	hash  []byte // of its session
	user  string
	token []byte // sealed
	tries int
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
	err := from.Scan(&e.id, &e.hash, &e.user, &e.token, &e.tries, &e.tooOld)
	return e, err
}

// end deletes sessions and retires their tokens, both or nothing, and gives those that
// there were. The tokens are held back from the janitor for as long as the caller may
// take to revoke them.
func (s *store) end(ctx context.Context, hashes ...[]byte) ([]ended, error) {
	return query(ctx, s, "end a session", scanEnded, `
		with gone as (delete from auth_session where id_hash = any($1) returning id_hash, user_name, sealed_access)
		insert into auth_retired_token (session_hash, user_name, sealed, not_before)
		select id_hash, user_name, sealed_access, now() + $2::interval from gone
		returning id, session_hash, user_name, sealed, tries, false`, hashes, leaseTime)
}

// forget ends a session that ERPNext has ended, if it is still of that generation. Its
// token is retired all the same: what ERPNext has told is not proof that it is gone.
func (s *store) forget(ctx context.Context, hash []byte, generation int) (ended bool, err error) {
	tag, err := s.exec(ctx, "end a session", `
		with gone as (delete from auth_session where id_hash = $1 and generation = $2 returning id_hash, user_name, sealed_access)
		insert into auth_retired_token (session_hash, user_name, sealed, not_before)
		select id_hash, user_name, sealed_access, now() from gone`, hash, generation)
	return tag.RowsAffected() > 0, err
}

// sweep ends the sessions that are over and forgets sign-ins that can't come back.
func (s *store) sweep(ctx context.Context) error {
	_, err := s.exec(ctx, "delete sessions that are over", `
		with gone as (
			delete from auth_session where expires_at <= now() or last_seen_at <= now() - $1::interval
			returning id_hash, user_name, sealed_access
		)
		insert into auth_retired_token (session_hash, user_name, sealed, not_before)
		select id_hash, user_name, sealed_access, now() from gone`, s.idle)
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "delete sign-ins that are over", `delete from auth_login_used where expires_at <= now()`)
	return err
}

// due takes tokens that are to be revoked now, so that no other janitor does: those first
// that failed least. One that is not revoked comes back after a while.
func (s *store) due(ctx context.Context) ([]ended, error) {
	found, err := query(ctx, s, "take retired tokens", scanEnded, `
		update auth_retired_token set not_before = now() + $1::interval
		where id in (
			select id from auth_retired_token where not_before <= now() order by tries, not_before limit $2 for update skip locked
		)
		returning id, session_hash, user_name, sealed, tries, created_at < now() - $3::interval`, grip, batch, giveUpTime)
	slices.SortFunc(found, func(a, b ended) int { return a.tries - b.tries }) // returning keeps no order
	return found, err
}

// failed counts that a token was not revoked.
func (s *store) failed(ctx context.Context, id int64) error {
	_, err := s.exec(ctx, "count a failed revocation", `update auth_retired_token set tries = tries + 1 where id = $1`, id)
	return err
}

// revoked deletes a token that is revoked, or given up.
func (s *store) revoked(ctx context.Context, id int64) error {
	_, err := s.exec(ctx, "delete a retired token", `delete from auth_retired_token where id = $1`, id)
	return err
}

// useState takes the state of a sign-in; false when it was taken before. It is kept
// until no browser can come back with it.
func (s *store) useState(ctx context.Context, hash []byte, life time.Duration) (first bool, err error) {
	tag, err := s.exec(ctx, "take a sign-in", `
		insert into auth_login_used (state_hash, expires_at) values ($1, now() + $2::interval) on conflict do nothing`, hash, life)
	return tag.RowsAffected() > 0, err
}
