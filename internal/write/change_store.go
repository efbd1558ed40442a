package write

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
	"erpgraph/internal/postgres"
	"erpgraph/internal/snapshot"
)

// store makes the change in one transaction, together with the outcome under its key.
func (c *Change) store(ctx context.Context, claimed *claim) (*Result, error) {
	var lost *step
	err := c.w.cfg.Local.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		lost = nil
		t := transaction{tx: tx, events: c.w.cfg.Events, through: map[string]string{}}
		for _, s := range c.steps {
			ok, err := t.make(ctx, s)
			if err != nil {
				return s.explain(err)
			}
			if !ok {
				lost = s
				return errContended
			}
		}
		for _, o := range c.outboxes {
			if err := o.add(ctx, tx); err != nil {
				return err
			}
		}
		if err := snapshot.Save(ctx, tx.SQL(), c.snapshots()); err != nil {
			return err
		}
		if err := claimed.settleTx(ctx, tx, c.result()); err != nil {
			return err
		}
		return c.w.cfg.logEvents(ctx, tx, t.logged)
	})
	switch {
	case err == nil:
		return c.result(), nil
	case Uncertain(err):
		// The key was settled in the transaction, or nothing was: once the lease is over a
		// retry finds out which.
		return nil, err
	case lost != nil:
		err = c.w.lost(ctx, lost)
	case apierror.CodeOf(err) == apierror.Conflict:
		claimed.release(ctx) // with others, and not with what the rows hold: it may go well the next time
		return nil, err
	}
	claimed.settle(ctx, nil, err)
	return nil, err
}

// transaction makes the steps of one attempt at a change. Package postgres may run it
// again from the start.
type transaction struct {
	tx     *postgres.Tx
	events EventLog
	// logged are the events of what was done.
	logged []event.Event
	// through is what earlier steps have put into the @access(through) link of a row.
	through map[string]string
}

// make makes one step; false means that its row is no longer what was checked.
func (t *transaction) make(ctx context.Context, s *step) (bool, error) {
	values := make([]postgres.Value, len(s.cells))
	for i, cell := range s.cells {
		values[i] = postgres.Value{Field: cell.field, Value: cell.stored()}
	}
	var ok bool
	var err error
	switch s.verb {
	case create:
		s.id, err = t.tx.Insert(ctx, s.typ, values)
		ok = true
	case change:
		ok, err = t.tx.Update(ctx, s.typ, s.id, values, t.guard(s))
	default:
		var gone []event.Event
		if t.events != nil {
			if gone, err = t.events.Cascade(ctx, t.tx.SQL(), s.typ, s.id); err != nil {
				return false, fmt.Errorf("look for the rows that go with it: %w", err)
			}
		}
		ok, err = t.tx.Delete(ctx, s.typ, s.id, t.guard(s))
		t.logged = append(t.logged, gone...)
	}
	if ok && err == nil {
		t.logged = append(t.logged, localEvent(s.typ, s.id, s.verb.kind()))
	}
	if f := throughField(s.typ); f != nil && ok && err == nil {
		for _, cell := range s.cells {
			if cell.field == f {
				t.through[rowID(s)], _ = cell.stored().(string)
			}
		}
	}
	return ok, err
}

// guard holds a row to the link by which the caller was seen to see it, and to what the
// client knows of it.
func (t *transaction) guard(s *step) postgres.Guard {
	g := postgres.Guard{Modified: s.ifModified}
	if f := throughField(s.typ); f != nil {
		g.Field, g.Value = f, s.through
		if moved, ok := t.through[rowID(s)]; ok {
			g.Value = moved
		}
	}
	return g
}

func rowID(s *step) string { return s.typ.Key + "\x00" + s.id }

func (c *cell) stored() any {
	if c.row != nil {
		return c.row.step.id
	}
	return c.value
}

// explain puts the client's words on what the database refused: where the input has the
// fields, and which row it was.
func (s *step) explain(err error) error {
	e, ok := apierror.As(err)
	if !ok {
		return fmt.Errorf("%s %s: %w", s.verb, s.typ.Name, err)
	}
	at, id := s.pathOf(e.Field), s.id
	if s.verb == create {
		id = ""
	}
	out := e.About(s.typ.Key, id, at)
	if rest, ok := strings.CutPrefix(e.Message, e.Field+": "); ok && e.Field != "" {
		out.Message = at + ": " + rest
	}
	if fields, ok := e.Extensions["fields"].([]string); ok {
		out.Extensions = maps.Clone(e.Extensions)
		paths := make([]string, len(fields))
		for i, name := range fields {
			paths[i] = s.pathOf(name)
		}
		out.Extensions["fields"] = paths
	}
	return out
}

// pathOf is where the client's input has a field; what is none of the type stays as it is.
func (s *step) pathOf(name string) string {
	if f := s.typ.Field(name); f != nil {
		return s.at(f)
	}
	return name
}

// lost is the CONFLICT of a row that is no longer as it was checked, or as the client
// knows it. The key remembers it only where the client's own knowledge is the reason.
func (w *Writer) lost(ctx context.Context, s *step) error {
	if s.ifModified != "" {
		m := s.typ.Writes.Modified
		rows, err := w.set.RowsByID(ctx, s.typ, []string{s.id}, append(throughFields(s.typ), m)...)
		if err != nil {
			return err
		}
		// A row that was moved need not be one that the caller still sees.
		if row := rows[s.id]; row != nil && s.still(row.Text) {
			e := apierror.New(apierror.Conflict, "%s %q has changed since it was read", s.typ.Name, s.id).About(s.typ.Key, s.id, "")
			e.Extensions = map[string]any{"modified": row.Text(m.Column)}
			if s.unchanged {
				e.Cause = errContended
			}
			return e
		}
	}
	return apierror.Wrap(apierror.Conflict, errContended, "%s %q was moved or deleted at the same moment: nothing was written", s.typ.Name, s.id).
		About(s.typ.Key, s.id, "")
}

// still tells that a row's link is the one that it was seen through.
func (s *step) still(text func(column string) string) bool {
	f := throughField(s.typ)
	return f == nil || text(f.Column) == s.through
}
