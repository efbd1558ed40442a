package write

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
)

// Change is a set of changes to rows of the custom app that are made together or not at
// all. Hand-written mutations collect what they do in one, and commit it once:
//
//	c := w.Change()
//	visit := c.Create("ServiceVisit", write.Input{"contract": id, …})
//	c.Create("ServiceVisitPart", write.Input{"visit": visit, "item": "SKF 6205", "qty": 2})
//	result, err := c.Commit(ctx)
//
// Input is held to what a client may write; what only the app's own code may, goes
// through [Row.Set]. A mistake of the code (a type that is none, a field that is none of
// the type) shows when the change is committed.
type Change struct {
	w        *Writer
	steps    []*step
	outboxes []*outboxStep
	err      error // the first mistake of whoever made the change
	done     bool
}

// Change begins a set of changes.
func (w *Writer) Change() *Change { return &Change{w: w} }

// verb is what a step does with its row.
type verb string

const (
	create verb = "create"
	change verb = "update"
	remove verb = "delete"
)

// kind is what the log calls it.
func (v verb) kind() event.Kind {
	switch v {
	case create:
		return event.Created
	case change:
		return event.Updated
	default:
		return event.Deleted
	}
}

// step is one row of a Change.
type step struct {
	verb       verb
	typ        *doctype.Type
	id         string // of an existing row; of a new one once it is stored
	input, set Input
	path       string
	ifModified string
	// unchanged says that ifModified is what the app's own code has read, not the client.
	unchanged bool

	cells []*cell // what is stored, coerced; see plan
	// through is what the row's @access(through) link held when the caller was seen to see
	// the row.
	through string
}

// Row is a row of a Change. It may be the value of a link in a later step of the same
// Change, also while it has no id yet.
type Row struct {
	change *Change
	step   *step
}

// ID is the row's id: of a new row, once the Change is committed.
func (r *Row) ID() string { return r.step.id }

// Set gives values of fields that clients can't write: those with @readOnly. They are
// coerced, and their links checked, as all others are. An id and a field with @modified are
// the database's own and can't be set.
func (r *Row) Set(values Input) *Row {
	if r.step.set == nil {
		r.step.set = Input{}
	}
	maps.Copy(r.step.set, values)
	return r
}

// At says where the client wrote the row's input, for errors: "input.parts.2". Without it
// errors name the field alone.
func (r *Row) At(path string) *Row {
	r.step.path = path
	return r
}

// IfModified makes the whole Change a CONFLICT if the row's field with @modified holds
// another time by now than this one (RFC 3339). "" leaves it open.
func (r *Row) IfModified(modified string) *Row {
	r.step.ifModified = modified
	return r
}

// IfUnchanged is IfModified for what the app's own code has just read of the row: that
// somebody else was quicker is nobody's fault then, and a retry with the same idempotency
// key tries again.
func (r *Row) IfUnchanged(modified string) *Row {
	r.step.unchanged = true
	return r.IfModified(modified)
}

// Create adds a row. typeKey is the name of a local type; input may lack fields that may
// be null or have a default.
func (c *Change) Create(typeKey string, input Input) *Row { return c.add(create, typeKey, "", input) }

// Update changes the named fields of a row. One that the caller may not see is NOT_FOUND,
// as when it is read.
func (c *Change) Update(typeKey, id string, input Input) *Row {
	return c.add(change, typeKey, id, input)
}

// Delete deletes a row, and with it what its foreign keys say: the onDelete rules of links
// between local types.
func (c *Change) Delete(typeKey, id string) *Row { return c.add(remove, typeKey, id, nil) }

func (c *Change) add(v verb, typeKey, id string, input Input) *Row {
	t := c.w.cfg.Registry.ByKey(typeKey)
	if t == nil || t.Source != doctype.Local {
		c.mistake(fmt.Errorf("write: %q is no local type of the graph", typeKey))
		t = &doctype.Type{Name: typeKey, Key: typeKey, Source: doctype.Local}
	}
	s := &step{verb: v, typ: t, id: id, input: input}
	c.steps = append(c.steps, s)
	return &Row{change: c, step: s}
}

// mistake keeps the first mistake of the code that makes the change.
func (c *Change) mistake(err error) { c.err = cmp.Or(c.err, err) }

// Commit makes the change, in one transaction, and settles the idempotency key in it:
// either all of it is stored or nothing. Before, and in this order: the caller's roles,
// the values, whether the caller sees the rows that are changed, and whether all documents
// and rows that it links to may be read: one call for each DocType.
//
// The Result is about the first row of the change; its Names are the ids of all of them
// where there are several.
//
// Errors: FORBIDDEN without the roles to write, BAD_USER_INPUT for a value that is none of
// its field, NOT_FOUND for a row that the caller does not see, VALIDATION for a link that
// can't be followed and for what a constraint of the database refuses, CONFLICT when a row
// has changed since IfModified, or was moved or deleted since it was checked. Extensions
// name the field.
func (c *Change) Commit(ctx context.Context) (*Result, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	hash, err := c.hash()
	if err != nil {
		return nil, cmp.Or(c.plan(ctx), err) // which tells the field, where it is a value's fault
	}
	claimed, replayed, err := c.w.claim(ctx, hash)
	if err != nil {
		return nil, err
	}
	if replayed != nil {
		return c.replay(replayed)
	}
	if err := c.check(ctx); err != nil {
		claimed.settle(ctx, nil, err)
		return nil, err
	}
	return c.store(ctx, claimed)
}

// begin refuses a change that can't be committed at all.
func (c *Change) begin() error {
	switch {
	case c.err != nil:
		return c.err
	case c.done:
		return errors.New("write: a Change is committed once")
	case len(c.steps) == 0:
		return errors.New("write: a Change without a row")
	case c.w.cfg.Local == nil:
		return errNoDatabase()
	}
	c.done = true
	return nil
}

func errNoDatabase() error {
	return apierror.New(apierror.UpstreamUnavailable, "the app has no database")
}

// check is all that can be found out before the transaction.
func (c *Change) check(ctx context.Context) error {
	if err := c.plan(ctx); err != nil {
		return err
	}
	if err := c.seeRows(ctx); err != nil {
		return err
	}
	errs, err := c.w.checkLinks(ctx, []*Change{c})
	return cmp.Or(err, errs[0])
}

// replay gives what an earlier request with the same key has made.
func (c *Change) replay(r *Result) (*Result, error) {
	ids := r.Names
	if len(c.steps) == 1 {
		ids = []string{r.Name}
	}
	if len(ids) != len(c.steps) {
		return nil, fmt.Errorf("write: the key's outcome has %d rows, the change %d", len(ids), len(c.steps))
	}
	for i, s := range c.steps {
		s.id = ids[i]
	}
	return r, nil
}

// result is what the change came to, once it is stored.
func (c *Change) result() *Result {
	first := c.steps[0]
	r := &Result{Type: first.typ, Name: first.id}
	if len(c.steps) > 1 {
		for _, s := range c.steps {
			r.Names = append(r.Names, s.id)
		}
	}
	return r
}

// types are the local types of the change, each once, in the order of its steps.
func (c *Change) types() []*doctype.Type {
	var out []*doctype.Type
	for _, s := range c.steps {
		if !slices.Contains(out, s.typ) {
			out = append(out, s.typ)
		}
	}
	return out
}
