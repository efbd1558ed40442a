package write

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// A local change and the document of ERPNext that follows from it can't be one
// transaction. So the wish to create the document is stored in an outbox, in the
// transaction of the change, and the row tells what became of it: PENDING from then on,
// DONE with the docname, or FAILED with the reason. Deliver makes the document, with the
// credential of whoever calls it: right after the change, and again whenever somebody who
// may write the row retries.

// The states of an outbox, as the subject's state field has them.
const (
	Pending = "PENDING"
	Done    = "DONE"
	Failed  = "FAILED"
)

// OutboxSpec is a document of ERPNext that is to be created because of a row.
type OutboxSpec struct {
	// On is the row of the same Change that the document is for. For a row that does not
	// change otherwise, it is an Update without input.
	On *Row
	// Slot tells several outboxes of one row apart: "invoice".
	Slot string
	// Create is the DocType.
	Create string
	// Input is that of the DocType's create mutation, of values that JSON has: no time.Time,
	// which other inputs take. It is stored, and sent by whoever retries without an input of
	// their own: take it from the row and what the row links to, which they can see too.
	Input Input
	// State, Problem and Link are fields of the row that follow the document: an enum (or
	// text) with PENDING, DONE and FAILED, a text for the reason, a link to the document.
	// Problem and Link may be "".
	State, Problem, Link string
}

// order is what an outbox stores.
type order struct {
	Input   jsontext.Value `json:"input"`
	State   string         `json:"state"`
	Problem string         `json:"problem,omitempty"`
	Link    string         `json:"link,omitempty"`
}

// stored is the order as the outbox keeps it.
func (o order) stored() ([]byte, error) {
	text, err := json.Marshal(o, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write an order: %w", err)
	}
	return text, nil
}

type outboxStep struct {
	row   *Row
	spec  OutboxSpec
	input []byte
}

// Outbox adds the creation of a document to the change: nothing is sent to ERPNext before
// Deliver is called, and nothing is stored of it unless the change is. A row has one
// outbox in a slot for good; a second one makes the change a CONFLICT.
func (c *Change) Outbox(spec OutboxSpec) {
	stored, err := c.outbox(spec)
	if err != nil {
		c.mistake(fmt.Errorf("write: outbox %q: %w", spec.Slot, err))
		return
	}
	c.outboxes = append(c.outboxes, stored)
	state := Input{spec.State: Pending}
	if spec.Problem != "" {
		state[spec.Problem] = nil
	}
	spec.On.Set(state)
}

func (c *Change) outbox(spec OutboxSpec) (*outboxStep, error) {
	if spec.On == nil || spec.On.change != c || spec.On.step.verb == remove {
		return nil, errors.New("its row is none of this change")
	}
	target := c.w.cfg.Registry.ByKey(spec.Create)
	if target == nil || target.Source != doctype.Upstream {
		return nil, fmt.Errorf("%q is no DocType of the graph", spec.Create)
	}
	if spec.Slot == "" {
		return nil, errors.New("it has no slot")
	}
	if err := followers(spec.On.step.typ, order{State: spec.State, Problem: spec.Problem, Link: spec.Link}, target); err != nil {
		return nil, err
	}
	input, err := appendJSON(nil, spec.Input, 0)
	if err != nil {
		return nil, fmt.Errorf("its input %w", err)
	}
	text, err := order{Input: input, State: spec.State, Problem: spec.Problem, Link: spec.Link}.stored()
	return &outboxStep{row: spec.On, spec: spec, input: text}, err
}

// followers checks the fields that tell on a row what became of its document.
func followers(t *doctype.Type, o order, target *doctype.Type) error {
	state := t.Field(o.State)
	if state == nil || state.Kind != doctype.Enum && state.Kind != doctype.String {
		return fmt.Errorf("%s has no enum or text %q for its state", t.Name, o.State)
	}
	if f := t.Field(o.Problem); o.Problem != "" && (f == nil || f.Kind != doctype.String || f.NonNull) {
		return fmt.Errorf("%s has no text %q for its problem that may be null", t.Name, o.Problem)
	}
	if f := t.Field(o.Link); o.Link != "" && (f == nil || f.Kind != doctype.Link || f.Target != target.Key) {
		return fmt.Errorf("%s has no link %q to a %s", t.Name, o.Link, target.Key)
	}
	return nil
}

// add stores the outbox in the transaction of its change.
func (o *outboxStep) add(ctx context.Context, tx *postgres.Tx) error {
	w, s := o.row.change.w, o.row.step
	user, err := w.set.Caller(ctx)
	if err != nil {
		return err
	}
	_, err = tx.AddOutbox(ctx, postgres.OutboxEntry{
		SubjectType: s.typ.Key, SubjectID: s.id, Slot: o.spec.Slot,
		DocType: o.spec.Create, Input: o.input, CreatedBy: user.Name,
	})
	if apierror.CodeOf(err) == apierror.Conflict {
		return err
	}
	if err != nil {
		return fmt.Errorf("add an outbox: %w", err)
	}
	return nil
}
