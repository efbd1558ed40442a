package write

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// cell is one value of a row that is to be stored.
type cell struct {
	field *doctype.Field
	value any    // as package postgres takes it
	row   *Row   // a row of the same change whose id is the value
	path  string // where the client wrote it
}

// plan checks the caller's roles and makes cells of the inputs.
func (c *Change) plan(ctx context.Context) error {
	for _, t := range c.types() {
		if err := c.w.set.MayWrite(ctx, t); err != nil {
			return err
		}
	}
	for i := range c.steps {
		if err := c.planStep(i); err != nil {
			return err
		}
	}
	return nil
}

func (c *Change) planStep(i int) error {
	s := c.steps[i]
	s.cells = nil
	if s.verb == remove {
		return nil
	}
	if err := s.known(); err != nil {
		return err
	}
	for _, f := range s.typ.Fields { // in the type's order, whatever the input's is
		v, given, err := s.value(f)
		if err != nil {
			return err
		}
		if !given {
			continue
		}
		cell := &cell{field: f, path: s.at(f)}
		if row, ok := v.(*Row); ok {
			if err := c.linkTo(cell, row, i); err != nil {
				return err
			}
		} else if v != nil {
			if cell.value, err = c.w.coerce(f, true, v, cell.path, nil); err != nil {
				return err
			}
		}
		s.cells = append(s.cells, cell)
	}
	return s.checkModified()
}

// at is the path of a field in the client's input.
func (s *step) at(f *doctype.Field) string {
	if s.path == "" {
		return f.Name
	}
	return s.path + "." + f.Name
}

// known refuses what is no field of the type, or can't be written.
func (s *step) known() error {
	for _, name := range slices.Sorted(maps.Keys(s.input)) {
		f := s.typ.Field(name)
		switch at := s.at(&doctype.Field{Name: name}); {
		case f == nil:
			return bad(at, "%s has no such field", s.typ.Name)
		case s.use(f) == doctype.Absent:
			return bad(at, "can't be written")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.set)) {
		f := s.typ.Field(name)
		_, twice := s.input[name]
		switch {
		case f == nil || f.Column == "" || f.Kind == doctype.ID || f == s.typ.Writes.Modified:
			return fmt.Errorf("write: %s.%s can't be set", s.typ.Name, name)
		case twice:
			return fmt.Errorf("write: %s.%s is both set and in the input", s.typ.Name, name)
		}
	}
	return nil
}

// use says whether the step's input has a field.
func (s *step) use(f *doctype.Field) doctype.InputUse {
	if s.verb == create {
		return f.Create
	}
	return f.Update
}

// value finds what the step stores in a field. A null on creation leaves a field that has a
// default to its default.
func (s *step) value(f *doctype.Field) (v any, given bool, err error) {
	if v, given = s.set[f.Name]; given {
		return v, true, s.nullable(f, v)
	}
	v, given = s.input[f.Name]
	switch use := s.use(f); {
	case s.verb == create && use == doctype.Required && v == nil:
		return nil, false, bad(s.at(f), "is required")
	case s.verb == create && f.NonNull && v == nil:
		return nil, false, nil
	case !given:
		return nil, false, nil
	default:
		return v, true, s.nullable(f, v)
	}
}

func (s *step) nullable(f *doctype.Field, v any) error {
	if v != nil || !f.NonNull {
		return nil
	}
	return bad(s.at(f), "must not be null")
}

// checkModified refuses an IfModified that nothing can be compared with.
func (s *step) checkModified() error {
	if s.ifModified == "" {
		return nil
	}
	if s.verb == create || s.typ.Writes.Modified == nil {
		return bad("ifModified", "%s has no field that tells when it was modified", s.typ.Name)
	}
	if _, err := time.Parse(time.RFC3339Nano, s.ifModified); err != nil {
		return bad("ifModified", "must be a date and time with its offset: 2006-01-31T15:04:05+01:00")
	}
	return nil
}

// linkTo makes a row of the same change the value of a link of step i.
func (c *Change) linkTo(to *cell, row *Row, i int) error {
	at := -1
	if row != nil && row.change == c {
		at = slices.Index(c.steps, row.step)
	}
	switch {
	case at < 0 || at >= i || row.step.verb == remove:
		return fmt.Errorf("write: %s: the row is none of an earlier step of this change", to.path)
	case to.field.Kind != doctype.Link || to.field.Target != row.step.typ.Key:
		return fmt.Errorf("write: %s is no link to a %s", to.path, row.step.typ.Name)
	}
	to.row = row
	return nil
}

// seeRows reads the rows that are to be changed, one read for each type: who does not see
// one can't change it. The transaction holds each to the link that it was seen through.
// Rows further up the chain may move in between: the change then counts as having come
// before, when the caller still saw its row.
func (c *Change) seeRows(ctx context.Context) error {
	for _, t := range c.types() {
		var ids []string
		for _, s := range c.steps {
			if s.typ == t && s.verb != create {
				ids = append(ids, s.id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		rows, err := c.w.set.RowsByID(ctx, t, ids, throughFields(t)...)
		if err != nil {
			return err
		}
		for _, s := range c.steps {
			if s.typ != t || s.verb == create {
				continue
			}
			row := rows[s.id]
			if row == nil {
				return loaders.NotThere(t, s.id)
			}
			if f := throughField(t); f != nil {
				s.through = row.Text(f.Column)
			}
		}
	}
	return nil
}

// throughField is the link that the rows of a type are read through; nil without one.
func throughField(t *doctype.Type) *doctype.Field {
	if t.Access == nil || t.Access.Through == "" {
		return nil
	}
	return t.Field(t.Access.Through)
}

func throughFields(t *doctype.Type) []*doctype.Field {
	if f := throughField(t); f != nil {
		return []*doctype.Field{f}
	}
	return nil
}

// changeRequest is what a change asks for, as far as an idempotency key is concerned.
type changeRequest struct {
	Steps []stepRequest
	// Outboxes are their rows' places, slots, DocTypes and inputs.
	Outboxes [][]any
}

type stepRequest struct {
	Verb       verb
	Type, ID   string
	Input, Set Input
	IfModified string
}

// hash tells changes apart: a key stands for one.
func (c *Change) hash() ([]byte, error) {
	var r changeRequest
	for _, s := range c.steps {
		r.Steps = append(r.Steps, stepRequest{s.verb, s.typ.Key, s.id, c.plainLinks(s.input), c.plainLinks(s.set), s.ifModified})
	}
	for _, o := range c.outboxes {
		r.Outboxes = append(r.Outboxes, []any{slices.Index(c.steps, o.row.step), o.spec.Slot, o.spec.Create, string(o.input)})
	}
	return hashOf(r)
}

// plainLinks replaces rows of the change by their place in it.
func (c *Change) plainLinks(in Input) Input {
	out := maps.Clone(in)
	for name, v := range out {
		if row, ok := v.(*Row); ok && row != nil {
			out[name] = map[string]int{"step": slices.Index(c.steps, row.step)}
		}
	}
	return out
}
