package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/apierror"
)

// KeyID names an idempotency key: each caller has keys of their own.
type KeyID struct {
	// Caller is the user's name.
	Caller string
	// Key is the caller's word, of 1 to 255 bytes.
	Key string
}

// KeyState is how far the write of an idempotency key has come.
type KeyState string

// The states of a key.
const (
	// KeyRunning: somebody is at it, and has the token.
	KeyRunning KeyState = "running"
	// KeyDone: it was written; Outcome tells what came of it.
	KeyDone KeyState = "done"
	// KeyFailed: it was refused, and nothing was written; Outcome is the refusal.
	KeyFailed KeyState = "failed"
	// KeyUnknown: somebody began, and nobody knows whether it was written. Attempt is what
	// was noted before the call upstream; nil when it did not come that far.
	KeyUnknown KeyState = "unknown"
)

// KeyRecord is what is stored for an idempotency key.
type KeyRecord struct {
	State KeyState
	// Hash stands for the request that the key was first used with.
	Hash []byte
	// Outcome and Attempt are JSON, byte for byte as they were given; nil where there is none.
	Outcome, Attempt []byte
	// Token is the right to note and to settle; "" for who did not claim the key.
	Token string
	// LeaseUntil is until when nobody else may take the key over, by the database's clock;
	// zero where nobody is at it, and it is not held.
	LeaseUntil time.Time
}

// ErrKeyLost says that a token holds no longer: the key was settled or released, or its
// lease was over and somebody took over.
var ErrKeyLost = errors.New("postgres: the idempotency key is held by somebody else")

const (
	maxKeyBytes = 255
	// maxClaims bounds how often a claim looks again because the key changed meanwhile.
	maxClaims = 10
)

// The expired record of a key is as good as none, unless somebody is still at it. A record
// whose holder is gone is taken over as unknown, by a request with the same hash only.
const claimKeySQL = `
insert into idempotency_key as k (caller, key, hash, state, token, lease_until, created_at, expires_at)
values ($1, $2, $3, 'running', gen_random_uuid(), clock_timestamp() + $4::interval,
	clock_timestamp(), clock_timestamp() + greatest($4::interval, $5::interval))
on conflict (caller, key) do update set
	hash = excluded.hash,
	state = case when k.expires_at <= clock_timestamp() then 'running' else 'unknown' end,
	outcome = null,
	attempt = case when k.expires_at <= clock_timestamp() then null else k.attempt end,
	token = excluded.token,
	lease_until = excluded.lease_until,
	created_at = case when k.expires_at <= clock_timestamp() then excluded.created_at else k.created_at end,
	expires_at = case when k.expires_at <= clock_timestamp() then excluded.expires_at
		else greatest(k.expires_at, excluded.lease_until) end
where (k.lease_until is null or k.lease_until <= clock_timestamp())
	and (k.expires_at <= clock_timestamp() or k.state in ('running', 'unknown') and k.hash = excluded.hash)
returning k.state, k.hash, k.outcome::text, k.attempt::text, k.token::text, k.lease_until`

// free tells whether the claim above would succeed by now.
const readKeySQL = `
select k.state, k.hash, k.outcome::text, k.attempt::text, '', k.lease_until,
	(k.lease_until is null or k.lease_until <= clock_timestamp())
	and (k.expires_at <= clock_timestamp() or k.state in ('running', 'unknown') and k.hash = $3) as free
from idempotency_key k where k.caller = $1 and k.key = $2`

// ClaimKey claims the right to make the write of an idempotency key. hash stands for the
// request, in 1 to 64 bytes; lease is for how long nobody else may take over, and so must
// be longer than the write may take; keep is for how long the record is remembered.
//
//   - The key is new, or its record has expired: claimed, KeyRunning.
//   - Its holder's lease or the hold is over, or it was settled as KeyUnknown: claimed, KeyUnknown with
//     the Attempt. Who claims must find out whether it was written.
//   - Somebody is at it, or it is held (HoldKey): not claimed, KeyRunning.
//   - KeyDone, KeyFailed: not claimed, with the Outcome.
//   - Another hash: not claimed, the record as it is.
//
// Of several callers at once, one claims. Errors are coded: BAD_USER_INPUT for a key that
// is empty, too long or no text, UPSTREAM_UNAVAILABLE, UPSTREAM_TIMEOUT.
func (db *DB) ClaimKey(ctx context.Context, id KeyID, hash []byte, lease, keep time.Duration) (rec KeyRecord, claimed bool, err error) {
	if err := id.check(); err != nil {
		return KeyRecord{}, false, err
	}
	for range maxClaims {
		rec, err = scanKey(db.pool.QueryRow(ctx, claimKeySQL, id.Caller, id.Key, hash, lease, keep))
		if !errors.Is(err, pgx.ErrNoRows) {
			return rec, err == nil, keyError("claim", err)
		}
		free := false
		rec, err = scanKey(db.pool.QueryRow(ctx, readKeySQL, id.Caller, id.Key, hash), &free)
		switch {
		case errors.Is(err, pgx.ErrNoRows), free: // it was released, or the lease ended, just now
			continue
		case err != nil:
			return KeyRecord{}, false, keyError("claim", err)
		}
		if !rec.LeaseUntil.IsZero() && string(rec.Hash) == string(hash) {
			rec.State = KeyRunning // whoever found it unknown is looking
		}
		return rec, false, nil
	}
	return KeyRecord{}, false, apierror.New(apierror.Conflict, "others keep using the same idempotency key: try again")
}

// check holds a key to what the table takes.
func (id KeyID) check() error {
	switch {
	case id.Caller == "" || len(id.Caller) > maxKeyBytes || !plain(id.Caller):
		return fmt.Errorf("postgres: an idempotency key's caller is a text of 1 to %d bytes", maxKeyBytes)
	case id.Key == "" || len(id.Key) > maxKeyBytes || !plain(id.Key):
		return apierror.New(apierror.BadUserInput, "an idempotency key is a text of 1 to %d bytes", maxKeyBytes)
	default:
		return nil
	}
}

// plain tells whether Postgres takes a text.
func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if s[i] == 0 {
			return false
		}
	}
	return true
}

func scanKey(row pgx.Row, more ...any) (KeyRecord, error) {
	var rec KeyRecord
	var lease *time.Time
	err := row.Scan(append([]any{&rec.State, &rec.Hash, &rec.Outcome, &rec.Attempt, &rec.Token, &lease}, more...)...)
	if err != nil {
		return KeyRecord{}, err
	}
	if lease != nil {
		rec.LeaseUntil = lease.UTC()
	}
	return rec, nil
}

// NoteAttempt stores what is known before the call upstream, as JSON. It is committed when
// it returns, so a crash from then on leaves the note for who takes over. ErrKeyLost when
// the token holds no longer: then the call must not be made.
func (db *DB) NoteAttempt(ctx context.Context, id KeyID, token string, attempt []byte) error {
	note, err := jsonText(attempt)
	if err != nil {
		return err
	}
	return held(ctx, db.pool, ErrKeyLost, "note an attempt", `
		update idempotency_key set attempt = $4::json where caller = $1 and key = $2 and token::text = $3`,
		id.Caller, id.Key, token, note)
}

// SettleKey stores what came of the write: KeyDone or KeyFailed with the outcome, as JSON,
// or KeyUnknown, which keeps the attempt for the next who claims. It gives the token up.
// ErrKeyLost when that holds no longer.
func (db *DB) SettleKey(ctx context.Context, id KeyID, token string, state KeyState, outcome []byte) error {
	return settleKey(ctx, db.pool, id, token, state, outcome)
}

// SettleKey is that of DB in the transaction, so that a local write and its outcome are
// stored both or not at all. Until the end of the transaction, others who claim wait.
func (tx *Tx) SettleKey(ctx context.Context, id KeyID, token string, state KeyState, outcome []byte) error {
	return settleKey(ctx, tx.tx, id, token, state, outcome)
}

func settleKey(ctx context.Context, db execer, id KeyID, token string, state KeyState, outcome []byte) error {
	if state != KeyDone && state != KeyFailed && state != KeyUnknown {
		return fmt.Errorf("postgres: an idempotency key can't be settled as %q", state)
	}
	result, err := jsonText(outcome)
	if err != nil {
		return err
	}
	return held(ctx, db, ErrKeyLost, "settle an idempotency key", `
		update idempotency_key set state = $4, outcome = $5::json, token = null, lease_until = null
		where caller = $1 and key = $2 and token::text = $3`,
		id.Caller, id.Key, token, string(state), result)
}

// HoldKey leaves the key KeyUnknown, as SettleKey does, but taken for as long as the write
// may still be going on upstream: who looks earlier finds nothing, and would write again.
// It gives the token up. ErrKeyLost when that holds no longer.
func (db *DB) HoldKey(ctx context.Context, id KeyID, token string, busy time.Duration) error {
	return held(ctx, db.pool, ErrKeyLost, "hold an idempotency key", `
		update idempotency_key set state = 'unknown', outcome = null, token = gen_random_uuid(),
			lease_until = clock_timestamp() + $4::interval
		where caller = $1 and key = $2 and token::text = $3`,
		id.Caller, id.Key, token, busy)
}

// OutcomesWith gives the outcomes of the caller's keys that are KeyDone and hold one of the
// texts, as they were stored. It compares text and not JSON, since Postgres reads no JSON
// that has \u0000 somewhere.
func (db *DB) OutcomesWith(ctx context.Context, caller string, texts []string) ([][]byte, error) {
	rows, err := db.pool.Query(ctx, `
		select k.outcome::text from idempotency_key k
		where k.caller = $1 and k.state = 'done'
			and exists (select from unnest($2::text[]) as t (part) where strpos(k.outcome::text, t.part) > 0)`,
		caller, texts)
	if err != nil {
		return nil, keyError("search", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	return out, keyError("search", err)
}

// ReleaseKey forgets the key: nothing was written, and the next who comes with it begins
// anew. ErrKeyLost when the token holds no longer.
func (db *DB) ReleaseKey(ctx context.Context, id KeyID, token string) error {
	return held(ctx, db.pool, ErrKeyLost, "release an idempotency key",
		`delete from idempotency_key where caller = $1 and key = $2 and token::text = $3`, id.Caller, id.Key, token)
}

// CleanKeys deletes the expired records that nobody is at, and tells how many.
func (db *DB) CleanKeys(ctx context.Context) (int64, error) {
	tag, err := db.pool.Exec(ctx, `
		delete from idempotency_key
		where expires_at <= clock_timestamp() and (lease_until is null or lease_until <= clock_timestamp())`)
	return tag.RowsAffected(), keyError("clean", err)
}

func keyError(doing string, err error) error {
	if err == nil {
		return nil
	}
	return convert(fmt.Errorf("%s idempotency keys: %w", doing, err), nil)
}

// execer is what a statement without rows needs of a pool or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// held runs a statement on the row whose token the caller holds, and gives lost where
// there is none.
func held(ctx context.Context, db execer, lost error, doing, sql string, args ...any) error {
	tag, err := db.Exec(ctx, sql, args...)
	switch {
	case err != nil:
		return convert(fmt.Errorf("%s: %w", doing, err), nil)
	case tag.RowsAffected() == 0:
		return lost
	default:
		return nil
	}
}

// jsonText is the parameter of a json column; nil is NULL. The error does not repeat it.
func jsonText(b []byte) (*string, error) {
	if b == nil {
		return nil, nil
	}
	if !jsontext.Value(b).IsValid() {
		return nil, errors.New("postgres: what is to be stored is not JSON")
	}
	s := string(b)
	return &s, nil
}
