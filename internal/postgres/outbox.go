package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/apierror"
)

// OutboxState is how far the upstream write of an outbox entry has come.
type OutboxState string

// The states of an entry.
const (
	OutboxPending OutboxState = "pending" // not tried, or begun and not known to have ended
	OutboxDone    OutboxState = "done"    // written: DocName is the document
	OutboxFailed  OutboxState = "failed"  // refused: Reason tells why
)

// OutboxEntry is a document that is to be written upstream because of a local write. It
// outlives its subject: when the local row is deleted, the entry stays, as the record of
// what was written upstream.
type OutboxEntry struct {
	ID string
	// SubjectType and SubjectID are the local row that asked for it, Slot which of its
	// entries this is: "invoice". There is one entry for the three.
	SubjectType, SubjectID, Slot string
	// DocType is what to write, Input its values, a JSON object, as they were given.
	DocType string
	Input   []byte
	State   OutboxState
	// Reason is why it failed, DocName the document that was written; "" where there is none.
	Reason, DocName string
	// Attempt is what NoteOutboxAttempt stored, JSON; nil where nothing was tried yet.
	Attempt []byte
	// AttemptedBy is the user who claimed it last, Tries how often it was claimed.
	AttemptedBy string
	Tries       int
	// Token is the right to note and to settle; "" for who did not claim the entry.
	Token string
	// LeaseUntil is until when nobody else may claim it, by the database's clock; zero
	// where nobody is at it.
	LeaseUntil time.Time
	CreatedBy  string
	// CreatedAt and UpdatedAt are the database's times.
	CreatedAt, UpdatedAt time.Time
}

// ErrOutboxLost says that a token holds no longer: the entry was settled, or its lease was
// over and somebody took over.
var ErrOutboxLost = errors.New("postgres: the outbox entry is held by somebody else")

// maxReason bounds the reason of a failure in bytes.
const maxReason = 4000

const outboxColumns = `id::text, subject_type, subject_id, slot, doctype, input::text, state, coalesce(reason, ''),
	coalesce(docname, ''), attempt::text, coalesce(attempted_by, ''), tries, lease_until, created_by, created_at, updated_at`

// AddOutbox adds an entry in the transaction of the local write that asks for it, and
// gives its id. Of e it takes SubjectType, SubjectID, Slot, DocType, Input and CreatedBy.
// CONFLICT when the subject has an entry in this slot already; other errors as Insert.
func (tx *Tx) AddOutbox(ctx context.Context, e OutboxEntry) (string, error) {
	for _, s := range []string{e.SubjectType, e.SubjectID, e.Slot, e.DocType, e.CreatedBy} {
		if s == "" || !plain(s) {
			return "", errors.New("postgres: an outbox entry needs a subject, a slot, a DocType and a user, all plain texts")
		}
	}
	input, err := jsonText(e.Input)
	if err == nil && input == nil {
		err = errors.New("postgres: an outbox entry needs an input")
	}
	if err != nil {
		return "", err
	}
	var id string
	err = tx.tx.QueryRow(ctx, `
		insert into outbox (subject_type, subject_id, slot, doctype, input, created_by)
		values ($1, $2, $3, $4, $5::json, $6) returning id::text`,
		e.SubjectType, e.SubjectID, e.Slot, e.DocType, input, e.CreatedBy).Scan(&id)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.ConstraintName == "outbox_subject" {
		return "", apierror.Wrap(apierror.Conflict, err, "this was asked for before: there is an entry %s already", e.Slot)
	}
	return id, outboxError("add", err)
}

// ClaimOutbox claims the right to write the entry upstream, for user. It claims what is
// pending or failed and has no live lease: of several callers at once, one claims. Where
// it does not claim, it gives the entry as it is. An Attempt says that somebody began
// before: who claims must find out whether it was written.
//
// Whether the user may is not asked here. NOT_FOUND when there is no such entry.
func (db *DB) ClaimOutbox(ctx context.Context, id, user string, lease time.Duration) (e OutboxEntry, claimed bool, err error) {
	if !isUUID(id) {
		return OutboxEntry{}, false, noOutbox()
	}
	e, err = scanOutbox(db.pool.QueryRow(ctx, `
		update outbox set token = gen_random_uuid(), lease_until = clock_timestamp() + $3::interval, attempted_by = $2,
			tries = tries + 1, updated_at = clock_timestamp()
		where id = $1 and state <> 'done' and (lease_until is null or lease_until <= clock_timestamp())
		returning token::text, `+outboxColumns, id, user, lease))
	if !errors.Is(err, pgx.ErrNoRows) {
		return e, err == nil, outboxError("claim", err)
	}
	e, err = scanOutbox(db.pool.QueryRow(ctx, "select '', "+outboxColumns+" from outbox where id = $1", id))
	return e, false, outboxError("claim", err)
}

// NoteOutboxAttempt stores what is known before the call upstream, as JSON, or forgets it
// when attempt is nil: the call is known to have written nothing. An input, unless it is
// nil, takes the place of the entry's: it is what the attempt sends. Both are committed
// when it returns. ErrOutboxLost when the token holds no longer: then the call must not be
// made.
func (db *DB) NoteOutboxAttempt(ctx context.Context, id, token string, attempt, input []byte) error {
	note, err := jsonText(attempt)
	if err != nil {
		return err
	}
	sent, err := jsonText(input)
	if err != nil {
		return err
	}
	if !isUUID(id) {
		return ErrOutboxLost
	}
	return held(ctx, db.pool, ErrOutboxLost, "note an outbox attempt", `
		update outbox set attempt = $3::json, input = coalesce($4::json, input), updated_at = clock_timestamp()
		where id = $1 and token::text = $2`,
		id, token, note, sent)
}

// OutboxOutcome is what came of an entry.
type OutboxOutcome struct {
	State OutboxState
	// DocName is the document of one that is OutboxDone, Creation when it was made, as the
	// site wrote it.
	DocName, Creation string
	Reason            string
}

// SettleOutbox stores what came of the entry, in the transaction that tells its subject
// the same, and gives the token up: OutboxDone with the docname, OutboxFailed with the
// reason, or OutboxPending where nobody knows, which the next claim finds out by the
// Attempt. The reason is cut to 4000 bytes. ErrOutboxLost when the token holds no longer.
func (tx *Tx) SettleOutbox(ctx context.Context, id, token string, out OutboxOutcome) error {
	if out.State != OutboxPending && out.State != OutboxDone && out.State != OutboxFailed {
		return fmt.Errorf("postgres: an outbox entry can't be settled as %q", out.State)
	}
	if !isUUID(id) {
		return ErrOutboxLost
	}
	return held(ctx, tx.tx, ErrOutboxLost, "settle an outbox entry", `
		update outbox set state = $3, docname = nullif($4, ''), doc_creation = nullif($5, ''), reason = nullif($6, ''),
			token = null, lease_until = null, updated_at = clock_timestamp()
		where id = $1 and token::text = $2`,
		id, token, string(out.State), out.DocName, out.Creation, storable(out.Reason))
}

// HoldOutbox leaves the entry OutboxPending with the reason, as SettleOutbox does, but
// taken for as long as the write may still be going on upstream: who looks earlier finds
// nothing, and would write again. ErrOutboxLost when the token holds no longer.
func (tx *Tx) HoldOutbox(ctx context.Context, id, token, reason string, busy time.Duration) error {
	if !isUUID(id) {
		return ErrOutboxLost
	}
	return held(ctx, tx.tx, ErrOutboxLost, "hold an outbox entry", `
		update outbox set state = 'pending', reason = nullif($3, ''), token = gen_random_uuid(),
			lease_until = clock_timestamp() + $4::interval, updated_at = clock_timestamp()
		where id = $1 and token::text = $2`,
		id, token, storable(reason), busy)
}

// storable makes a text of another program's one that Postgres takes: a failure must be
// stored, whatever the site wrote about it.
func storable(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= maxReason {
		return s
	}
	const more = "…"
	cut := maxReason - len(more)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}

// OutboxOf reads the entry of a subject's slot. NOT_FOUND when there is none.
func (db *DB) OutboxOf(ctx context.Context, subjectType, subjectID, slot string) (OutboxEntry, error) {
	if !plain(subjectType) || !plain(subjectID) || !plain(slot) {
		return OutboxEntry{}, noOutbox()
	}
	e, err := scanOutbox(db.pool.QueryRow(ctx, "select '', "+outboxColumns+` from outbox
		where subject_type = $1 and subject_id = $2 and slot = $3`, subjectType, subjectID, slot))
	return e, outboxError("read", err)
}

// OutboxDocuments gives those of the names that are documents of entries that are done,
// each as name and creation, as SettleOutbox was told them.
func (db *DB) OutboxDocuments(ctx context.Context, doctype string, names []string) ([][2]string, error) {
	rows, err := db.pool.Query(ctx, `
		select docname, coalesce(doc_creation, '') from outbox
		where state = 'done' and doctype = $1 and docname = any($2)`, doctype, names)
	if err != nil {
		return nil, outboxError("search", err)
	}
	var out [][2]string
	var name, creation string
	_, err = pgx.ForEachRow(rows, []any{&name, &creation}, func() error {
		out = append(out, [2]string{name, creation})
		return nil
	})
	return out, outboxError("search", err)
}

func scanOutbox(row pgx.Row) (OutboxEntry, error) {
	var e OutboxEntry
	var lease *time.Time
	err := row.Scan(&e.Token, &e.ID, &e.SubjectType, &e.SubjectID, &e.Slot, &e.DocType, &e.Input, &e.State, &e.Reason,
		&e.DocName, &e.Attempt, &e.AttemptedBy, &e.Tries, &lease, &e.CreatedBy, &e.CreatedAt, &e.UpdatedAt)
	if err != nil {
		return OutboxEntry{}, err
	}
	e.CreatedAt, e.UpdatedAt = e.CreatedAt.UTC(), e.UpdatedAt.UTC()
	if lease != nil {
		e.LeaseUntil = lease.UTC()
	}
	return e, nil
}

func outboxError(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return noOutbox()
	default:
		return convert(fmt.Errorf("%s an outbox entry: %w", doing, err), nil)
	}
}

func noOutbox() error {
	return apierror.New(apierror.NotFound, "there is no such outbox entry")
}
