package write

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"erpgraph/internal/apierror"
	"erpgraph/internal/postgres"
)

// settleTime is how long the outcome of a write may take to be stored. It is stored
// also when the request has ended: its answer may be lost, the write is not.
const settleTime = 5 * time.Second

// errContended marks a CONFLICT that is nobody's fault: the same request may well
// succeed the next time, so no key remembers it.
var errContended = errors.New("the document kept changing")

// claim is the right to make one write under one idempotency key. A nil claim is that
// of a write without a key: all its methods do nothing.
type claim struct {
	w     *Writer
	id    postgres.KeyID
	token string
	// unknown says that an earlier request began with this key and nobody knows what came
	// of it. attempt is what it noted before it called ERPNext; nil where it did not get
	// that far, so that nothing was written.
	unknown bool
	attempt *attempt
}

// attempt is what is known before a write, so that a later look can tell whether it was
// made. It is the state of affairs, never content.
type attempt struct {
	// Creation is that of the caller's newest document of the DocType, as the site wrote
	// it; "" where there was none.
	Creation string `json:"creation,omitempty"`
	// Modified is that of the document to be changed, as the site wrote it.
	Modified string `json:"modified,omitempty"`
	// State is the document's state in its workflow.
	State string `json:"state,omitempty"`
	// Next is the state that the workflow's action leads to.
	Next string `json:"next,omitempty"`
	// Blind says that the caller may not read such documents: nobody can look for one.
	Blind bool `json:"blind,omitempty"`
	// by is the user who made the attempt, "" for the caller.
	by string
}

// nextKey is the idempotency key of the Writer's next write, "" where it has none.
//
// Three keys come of the client's, each of the one before. Package engine makes the field's,
// which is the Writer's: hashed, and with the field's place where the client's is for the
// whole request. nextKey makes that of each write in the field, and rowKey that of each row
// of a bulk. Only what writes is claimed and stored, so that a field that was cut off goes
// on where it was.
func (w *Writer) nextKey() string {
	if w.key == "" {
		return ""
	}
	w.uses++
	if w.uses == 1 {
		return w.key
	}
	return w.key + "/" + strconv.Itoa(w.uses)
}

// rowKey is the key of row i of a bulk under key. It can't be the key of another write of
// the same Writer.
func rowKey(key string, i int) string {
	if key == "" {
		return ""
	}
	return key + "/row/" + strconv.Itoa(i)
}

// claim takes the right to make the Writer's next write; see claimKey.
func (w *Writer) claim(ctx context.Context, hash []byte) (*claim, *Result, error) {
	return w.claimKey(ctx, w.nextKey(), hash)
}

// claimKey takes the right to make a write under a key. Where the write was made before,
// it gives its result and no claim; where ERPNext refused it then, that error. hash stands
// for the request; that of Replay, where it was called, stands for the whole field, and the
// key that it has claimed goes to the write that uses it first.
//
// Errors: BAD_USER_INPUT for a key that was used with another request, CONFLICT with
// extensions.retryAfter (seconds) while another request with this key is at it, or ERPNext
// may be.
func (w *Writer) claimKey(ctx context.Context, key string, hash []byte) (*claim, *Result, error) {
	if key == "" {
		return nil, nil, nil
	}
	if held := w.held; held != nil && held.id.Key == key {
		w.held = nil
		return held, nil, nil
	}
	if w.cfg.Local == nil {
		return nil, nil, apierror.New(apierror.BadUserInput, "idempotency keys need the app's database, which this server does not have")
	}
	hash = w.wholeHash(hash)
	user, err := w.set.Caller(ctx)
	if err != nil {
		return nil, nil, err
	}
	id := postgres.KeyID{Caller: user.Name, Key: key}
	rec, claimed, err := w.cfg.Local.ClaimKey(ctx, id, hash, w.cfg.taken(ctx), w.cfg.Keep)
	if err != nil {
		return nil, nil, fmt.Errorf("claim an idempotency key: %w", err)
	}
	if !claimed && !bytes.Equal(rec.Hash, hash) {
		return nil, nil, apierror.New(apierror.BadUserInput, "this idempotency key was used with another request: take a new one for each")
	}
	if claimed {
		c := &claim{w: w, id: id, token: rec.Token, unknown: rec.State == postgres.KeyUnknown}
		if c.unknown && len(rec.Attempt) > 0 {
			c.attempt = new(attempt)
			if err := json.Unmarshal(rec.Attempt, c.attempt); err != nil {
				return nil, nil, fmt.Errorf("read what an idempotency key noted: %w", err)
			}
		}
		return c, nil, nil
	}
	result, err := w.recall(rec)
	return nil, result, err
}

// recall is what came of a write that was made before under the same key.
func (w *Writer) recall(rec postgres.KeyRecord) (*Result, error) {
	if rec.State == postgres.KeyRunning {
		e := apierror.New(apierror.Conflict, "a request with this idempotency key is running, or ERPNext may still be at work on it: wait for its outcome")
		e.Extensions = map[string]any{"retryAfter": w.cfg.retryAfter(rec.LeaseUntil)}
		return nil, e
	}
	var o outcome
	if err := json.Unmarshal(rec.Outcome, &o); err != nil {
		return nil, fmt.Errorf("read the outcome under an idempotency key: %w", err)
	}
	if o.Error != nil {
		return nil, o.Error.restore()
	}
	return &Result{
		Type: w.cfg.Registry.ByKey(o.Type), Name: o.Name, Names: o.Names, Messages: o.Messages, Replayed: true,
	}, nil
}

// note stores what is known before the write, so that it outlives this process.
func (c *claim) note(ctx context.Context, a attempt) error {
	if c == nil {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("note a write: %w", err)
	}
	err = c.w.cfg.Local.NoteAttempt(ctx, c.id, c.token, b)
	if errors.Is(err, postgres.ErrKeyLost) {
		return apierror.Wrap(apierror.Conflict, err, "another request with this idempotency key has taken over")
	}
	if err != nil {
		return fmt.Errorf("note a write: %w", err)
	}
	c.attempt = &a
	return nil
}

// settle stores what came of the write, by the error's meaning: a refusal that would come
// again is the outcome, a failure on the way is none and frees the key, and what nobody
// knows stays unknown.
func (c *claim) settle(ctx context.Context, r *Result, failure error) {
	if c == nil {
		return
	}
	switch {
	case failure == nil:
		c.store(ctx, postgres.KeyDone, outcomeOf(r))
	case Uncertain(failure):
		c.hold(ctx)
	case refusal(failure):
		c.store(ctx, postgres.KeyFailed, outcome{Error: newOutcomeError(failure)})
	default:
		c.release(ctx)
	}
}

func (c *claim) store(ctx context.Context, state postgres.KeyState, o outcome) {
	c.w.background(ctx, "store the outcome of a write", func(ctx context.Context) error {
		b, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("write it as JSON: %w", err)
		}
		return c.w.cfg.Local.SettleKey(ctx, c.id, c.token, state, b)
	})
}

// hold ends the claim of a write that ERPNext may still be at: nobody looks for what came
// of it before that can be told.
func (c *claim) hold(ctx context.Context) {
	c.w.background(ctx, "leave a write unknown", func(ctx context.Context) error {
		return c.w.cfg.Local.HoldKey(ctx, c.id, c.token, c.w.cfg.Busy)
	})
}

// leaveUnknown ends the claim after a look that did not tell whether the write was made:
// the next request with the key looks again before it writes.
func (c *claim) leaveUnknown(ctx context.Context) {
	if c == nil {
		return
	}
	c.w.background(ctx, "leave a write unknown", func(ctx context.Context) error {
		return c.w.cfg.Local.SettleKey(ctx, c.id, c.token, postgres.KeyUnknown, nil)
	})
}

// settleTx stores the outcome together with a local write: both are there or neither.
func (c *claim) settleTx(ctx context.Context, tx *postgres.Tx, r *Result) error {
	if c == nil {
		return nil
	}
	b, err := json.Marshal(outcomeOf(r))
	if err != nil {
		return fmt.Errorf("store the outcome of a write: %w", err)
	}
	err = tx.SettleKey(ctx, c.id, c.token, postgres.KeyDone, b)
	if errors.Is(err, postgres.ErrKeyLost) {
		return apierror.Wrap(apierror.Conflict, err, "another request with this idempotency key has taken over")
	}
	if err != nil {
		return fmt.Errorf("store the outcome of a write: %w", err)
	}
	return nil
}

// release frees the key: nothing was written under it. A key whose earlier write is still
// unknown stays so.
func (c *claim) release(ctx context.Context) {
	switch {
	case c == nil:
	case c.unknown && c.attempt != nil:
		c.leaveUnknown(ctx)
	default:
		c.w.background(ctx, "free an idempotency key", func(ctx context.Context) error {
			return c.w.cfg.Local.ReleaseKey(ctx, c.id, c.token)
		})
	}
}

// background runs what has to be stored whether or not the request still waits. Where it
// fails, the lease runs out and the write counts as unknown: that is safe, so it is only
// logged.
func (w *Writer) background(ctx context.Context, what string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := do(ctx); err != nil {
		w.cfg.Logger.ErrorContext(ctx, "the end of a write could not be stored", slog.String("task", what), slog.Any("error", err))
	}
}

// hashOf stands for a request: equal requests have equal hashes. Map keys are sorted, and
// numbers keep the digits that they were written with.
func hashOf(request any) ([]byte, error) {
	b, err := json.Marshal(request, json.Deterministic(true))
	if err != nil {
		return nil, apierror.Wrap(apierror.BadUserInput, err, "the request holds what can't be written as JSON")
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// wholeHash is that of a write's own content, or of its field where Replay was called,
// together with the rest of the request.
func (w *Writer) wholeHash(hash []byte) []byte {
	if w.hash != nil {
		hash = w.hash
	}
	sum := sha256.Sum256(append(bytes.Clone(hash), w.request...)) // a hash has one length, so the two can't run together
	return sum[:]
}

// Replay begins a hand-written mutation that has a key: request stands for all its
// arguments, and for all its writes, whose content may be another at a retry ("now"). It
// gives the result of the Writer's first write where an earlier request has made it, and
// the error where that was refused. nil and nil mean that the body is to run: nothing was
// made yet, or nobody knows; each of its writes then finds out for itself.
//
// Errors: those of a key that is running or was used with another request.
func (w *Writer) Replay(ctx context.Context, request any) (*Result, error) {
	if w.key == "" || w.hash != nil {
		return nil, nil //nolint:nilnil // the body runs
	}
	hash, err := hashOf(request)
	if err != nil {
		return nil, err
	}
	w.hash = hash
	c, done, err := w.claimKey(ctx, w.key, hash)
	w.held = c
	return done, err
}

// Close ends the Writer's field: a key that Replay has claimed, and that no write has
// used, is free again.
func (w *Writer) Close(ctx context.Context) {
	w.held.release(ctx)
	w.held = nil
}
