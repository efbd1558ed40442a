package write

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
	"erpgraph/internal/postgres"
	"erpgraph/loaders"
)

// Delivery is how far the document of an outbox is.
type Delivery struct {
	// State is Pending, Done or Failed. Pending after Deliver means that ERPNext did not
	// say whether it made the document: the next Deliver looks first.
	State string
	// DocType and Name are the document, once there is one.
	DocType, Name string
	// Problem is what ERPNext said against it, where State is Failed, or why it is not known
	// whether it was made, where State is Pending; else "".
	Problem string
	// Row is the row that the document is for, with what ERPNext told its user besides.
	Row *Result

	created string // its creation, as the site wrote it
}

// attemptNote is what an outbox keeps of an attempt while nobody knows what came of it.
type attemptNote struct {
	User    string  `json:"user"`
	Attempt attempt `json:"attempt"`
}

// Deliver creates the document of a row's outbox, with the caller's credential, and tells
// the row what came of it. A document that was made is not made again. Where an earlier
// attempt may have made it, ERPNext is asked first. An attempt of another user can be told
// from the caller's lists only if they have all documents that this user has made since:
// where they have not, it is a CONFLICT.
//
// With an input, that is what is written, and from then on what the outbox has; nil writes
// what it has. Who retries should give their own: what is stored was taken from the row as
// it was then, by somebody else, and shows nowhere. An attempt that may have been made is
// looked for as it was tried.
//
// That ERPNext refuses, or can't be reached, is no error: the row tells it, as Delivery
// does. Errors: FORBIDDEN without the roles to write the row, NOT_FOUND for a row that the
// caller does not see and one without such an outbox, CONFLICT with extensions.retryAfter
// (seconds) while somebody, or ERPNext, is or may be at it, UNAUTHENTICATED when ERPNext
// does not take the credential, those of looking for an earlier attempt, and those of the
// database.
func (w *Writer) Deliver(ctx context.Context, subjectType, id, slot string, input Input) (*Delivery, error) {
	d, err := w.delivery(ctx, subjectType, id, slot)
	if err != nil {
		return nil, err
	}
	if input != nil {
		if d.input, err = appendJSON(nil, input, 0); err != nil {
			return nil, fmt.Errorf("write: outbox %q: its input %w", slot, err)
		}
	}
	if d.entry.State != postgres.OutboxDone {
		var claimed bool
		if d.entry, claimed, err = w.cfg.Local.ClaimOutbox(ctx, d.entry.ID, d.user, w.cfg.taken(ctx)); err != nil {
			return nil, err
		}
		if claimed {
			return d.deliver(ctx)
		}
	}
	if d.entry.State == postgres.OutboxDone {
		return d.outcome(Delivery{State: Done, Name: d.entry.DocName}), nil
	}
	return nil, d.busy()
}

// delivery finds the outbox of a row that the caller may write.
func (w *Writer) delivery(ctx context.Context, subjectType, id, slot string) (*delivery, error) {
	if w.cfg.Local == nil {
		return nil, errNoDatabase()
	}
	t := w.cfg.Registry.ByKey(subjectType)
	if t == nil || t.Source != doctype.Local {
		return nil, fmt.Errorf("write: %q is no local type of the graph", subjectType)
	}
	if err := w.set.MayWrite(ctx, t); err != nil {
		return nil, err
	}
	user, err := w.set.Caller(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := w.set.RowsByID(ctx, t, []string{id})
	if err != nil {
		return nil, err
	}
	if rows[id] == nil {
		return nil, loaders.NotThere(t, id)
	}
	d := &delivery{w: w, subject: t, user: user.Name}
	d.entry, err = w.cfg.Local.OutboxOf(ctx, t.Key, id, slot)
	switch {
	case apierror.CodeOf(err) == apierror.NotFound:
		return nil, apierror.Wrap(apierror.NotFound, err, "%s %q never asked for this document", t.Name, id).About(t.Key, id, "")
	case err != nil:
		return nil, err
	}
	return d, nil
}

// delivery is one attempt at an outbox that is claimed.
type delivery struct {
	w       *Writer
	subject *doctype.Type
	user    string
	entry   postgres.OutboxEntry
	order   order
	input   jsontext.Value // what to write instead of the order's; nil for none
	earlier *attempt       // of which nobody knows what came
}

// outcome completes a Delivery with what it is about.
func (d *delivery) outcome(out Delivery, messages ...string) *Delivery {
	out.DocType = d.entry.DocType
	out.Row = &Result{Type: d.subject, Name: d.entry.SubjectID, Messages: messages}
	return &out
}

// busy is the error of an outbox that somebody is at.
func (d *delivery) busy() error {
	e := apierror.New(apierror.Conflict, "the %s is being made, or ERPNext may still be at work on it: wait for its outcome", d.entry.DocType).
		About(d.subject.Key, d.entry.SubjectID, "")
	e.Extensions = map[string]any{"retryAfter": d.w.cfg.retryAfter(d.entry.LeaseUntil)}
	return e
}

// read reads what the outbox holds.
func (d *delivery) read() error {
	if err := json.Unmarshal(d.entry.Input, &d.order); err != nil {
		return fmt.Errorf("read an outbox: %w", err)
	}
	if len(d.entry.Attempt) == 0 {
		return nil
	}
	var note attemptNote
	if err := json.Unmarshal(d.entry.Attempt, &note); err != nil {
		return fmt.Errorf("read the attempt of an outbox: %w", err)
	}
	d.earlier = &note.Attempt
	if note.User != d.user {
		d.earlier.by = note.User
	}
	return nil
}

// deliver makes the document, unless an earlier attempt has made it.
func (d *delivery) deliver(ctx context.Context) (*Delivery, error) {
	if err := d.read(); err != nil {
		return nil, d.giveBack(ctx, err)
	}
	if d.earlier != nil {
		made, err := d.lookBack(ctx)
		switch {
		case err != nil: // nothing more is known of it than before: its note stays
			return nil, d.giveBack(ctx, err)
		case made != nil:
			return d.made(ctx, made)
		}
	}
	op, err := d.operation(ctx, cmp.Or(string(d.input), string(d.order.Input)))
	if err != nil {
		return d.refused(ctx, err)
	}
	if err := d.note(ctx, op); err != nil {
		return d.refused(ctx, d.w.explain(ctx, op, err))
	}
	result, err := op.call(ctx, *d.earlier)
	if d.w.cfg.AfterCall != nil {
		d.w.cfg.AfterCall(ctx)
	}
	err = d.w.explain(ctx, op, err)
	switch {
	case err == nil:
		return d.made(ctx, result)
	case Uncertain(err):
		return d.settle(ctx, postgres.OutboxPending, d.outcome(Delivery{State: Pending, Problem: problemOf(err)}))
	default:
		return d.refused(ctx, err)
	}
}

// lookBack tells what became of the earlier attempt, which was made with the order's input:
// its document, or nil if it was not made.
func (d *delivery) lookBack(ctx context.Context) (*Result, error) {
	another := d.earlier.by != ""
	op, err := d.operation(ctx, string(d.order.Input))
	var made *Result
	if err == nil {
		if made, err = op.probe(ctx, *d.earlier); err != nil {
			err = d.unknown(d.w.explain(ctx, op, err))
		}
	}
	if another {
		d.earlier = nil // its state of affairs is that of another user's documents
		if refusal(err) {
			err = apierror.Wrap(apierror.Conflict, err, "it is not known yet whether an earlier attempt of another user made the %s: only that user, or one who sees all that they make, can find out", d.entry.DocType).
				About(d.subject.Key, d.entry.SubjectID, "")
		}
	}
	return made, err
}

// unknown says of an attempt, of which ERPNext does not tell what came of it, what it was
// about.
func (d *delivery) unknown(err error) error {
	e, ok := apierror.As(err)
	if !ok || e.Code != apierror.Conflict {
		return err
	}
	out := apierror.Wrap(apierror.Conflict, err, "ERPNext does not tell whether an earlier attempt made the %s: look for it there", d.entry.DocType).
		About(d.subject.Key, d.entry.SubjectID, "")
	out.Extensions = e.Extensions
	return out
}

// operation is the creation of the document, with an input in JSON.
func (d *delivery) operation(ctx context.Context, text string) (*operation, error) {
	t := d.w.cfg.Registry.ByKey(d.entry.DocType)
	if t == nil || t.Source != doctype.Upstream {
		return nil, fmt.Errorf("write: the outbox is for %q, which is no DocType of the graph", d.entry.DocType)
	}
	var input Input
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&input); err != nil {
		return nil, fmt.Errorf("read the input of an outbox: %w", err)
	}
	return d.w.creation(ctx, t, input, "input")
}

// note keeps the state of affairs before the call, and the input of it. Before a repeated
// call it is that of the first attempt: a document of either must be found.
func (d *delivery) note(ctx context.Context, op *operation) error {
	if d.earlier == nil || !op.oldest {
		a, err := op.before(ctx)
		if err != nil {
			return err
		}
		d.earlier = &a
	}
	note, err := json.Marshal(attemptNote{User: d.user, Attempt: *d.earlier})
	if err != nil {
		return fmt.Errorf("note an attempt: %w", err)
	}
	var sent []byte
	if d.input != nil {
		d.order.Input = d.input
		if sent, err = d.order.stored(); err != nil {
			return err
		}
	}
	return d.lost(d.w.cfg.Local.NoteOutboxAttempt(ctx, d.entry.ID, d.entry.Token, note, sent))
}

// lost says in public words that the claim ran out.
func (d *delivery) lost(err error) error {
	if errors.Is(err, postgres.ErrOutboxLost) {
		return apierror.Wrap(apierror.Conflict, err, "another request has taken over the making of the %s", d.entry.DocType).
			About(d.subject.Key, d.entry.SubjectID, "")
	}
	return err
}

func (d *delivery) made(ctx context.Context, r *Result) (*Delivery, error) {
	return d.settle(ctx, postgres.OutboxDone, d.outcome(Delivery{State: Done, Name: r.Name, created: r.created}, r.Messages...))
}

// refused is an attempt that has surely made nothing. What is the credential's fault, or
// our own, is an error and leaves the outbox as it was.
func (d *delivery) refused(ctx context.Context, err error) (*Delivery, error) {
	if errors.Is(err, postgres.ErrOutboxLost) {
		return nil, err
	}
	settled, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if noted := d.w.cfg.Local.NoteOutboxAttempt(settled, d.entry.ID, d.entry.Token, nil, nil); noted != nil {
		return nil, errors.Join(d.lost(noted), err)
	}
	if code := apierror.CodeOf(err); code == apierror.Unauthenticated || code == apierror.Internal {
		return nil, d.giveBack(ctx, err)
	}
	return d.settle(ctx, postgres.OutboxFailed, d.outcome(Delivery{State: Failed, Problem: problemOf(err)}))
}

// settle stores what came of the attempt, and tells the row in the same transaction. What
// is pending stays taken while ERPNext may be at it. It does so also when the request has ended: the document is made or not.
func (d *delivery) settle(ctx context.Context, state postgres.OutboxState, out *Delivery) (*Delivery, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	err := d.w.cfg.Local.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var err error
		if state == postgres.OutboxPending {
			err = tx.HoldOutbox(ctx, d.entry.ID, d.entry.Token, out.Problem, d.w.cfg.Busy)
		} else {
			err = tx.SettleOutbox(ctx, d.entry.ID, d.entry.Token, postgres.OutboxOutcome{
				State: state, DocName: out.Name, Creation: out.created, Reason: out.Problem,
			})
		}
		if err != nil {
			return d.lost(err)
		}
		// The row may be gone by now: the outbox is the record then.
		there, err := tx.Update(ctx, d.subject, d.entry.SubjectID, d.followers(out), postgres.Guard{})
		if err != nil || !there {
			return err
		}
		return d.w.cfg.logEvents(ctx, tx, []event.Event{localEvent(d.subject, d.entry.SubjectID, event.Updated)})
	})
	if err != nil {
		return nil, fmt.Errorf("settle an outbox: %w", err)
	}
	return out, nil
}

// followers are the row's fields that tell the state.
func (d *delivery) followers(out *Delivery) []postgres.Value {
	values := []postgres.Value{{Field: d.subject.Field(d.order.State), Value: out.State}}
	if f := d.subject.Field(d.order.Problem); f != nil {
		values = append(values, postgres.Value{Field: f, Value: orNull(out.Problem)})
	}
	if f := d.subject.Field(d.order.Link); f != nil && out.State == Done {
		values = append(values, postgres.Value{Field: f, Value: out.Name})
	}
	return values
}

// giveBack ends the claim and leaves the outbox as it was.
func (d *delivery) giveBack(ctx context.Context, cause error) error {
	state := d.entry.State
	d.w.background(ctx, "give an outbox back", func(ctx context.Context) error {
		return d.w.cfg.Local.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
			return tx.SettleOutbox(ctx, d.entry.ID, d.entry.Token, postgres.OutboxOutcome{State: state, Reason: d.entry.Reason})
		})
	})
	return cause
}

// maxProblem bounds the reason that a row tells, in characters.
const maxProblem = 1000

// problemOf is the public text of an error, in a form that a column holds.
func problemOf(err error) string {
	text := "the document could not be made"
	if e, ok := apierror.As(err); ok {
		text = e.Message
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if runes := []rune(text); len(runes) > maxProblem {
		text = string(runes[:maxProblem-1]) + "…"
	}
	return text
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
