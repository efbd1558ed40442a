package doctype

import (
	"github.com/vektah/gqlparser/v2/ast"
)

// localUse reads the directives that say how a field of a local type is written, and
// holds them to their rules.
func localUse(t *Type, f *Field, def *ast.FieldDefinition) error {
	readOnly, filled, modified := def.Directives.ForName("readOnly"), def.Directives.ForName("default"), def.Directives.ForName("modified")
	fail := func(d *ast.Directive, why string) error {
		return at(d.Position, "%s.%s: @%s: %s", t.Name, f.Name, d.Name, why)
	}
	for _, d := range []*ast.Directive{readOnly, filled, modified} {
		switch {
		case d == nil:
		case f.Kind == ReverseList:
			return fail(d, "a list of other rows is never in an input: leave it out")
		case f.Name == "id":
			return fail(d, "the database gives every row its id: leave it out")
		case d != readOnly && readOnly != nil:
			return fail(d, "@readOnly stands beside it, and says all that inputs need: leave one of them out")
		case d == filled && modified != nil:
			return fail(d, "@modified is set by every write: leave @default out")
		}
	}
	if modified != nil {
		switch {
		case f.Kind != DateTime || !f.NonNull:
			return fail(modified, "it is a moment that every row has: make it DateTime!")
		case t.Writes.Modified != nil:
			return fail(modified, t.Writes.Modified.Name+" has it already: a row has one time of its last change")
		}
		t.Writes.Modified = f
	}
	if readOnly != nil || modified != nil || f.Kind == ReverseList || f.Name == "id" {
		return nil
	}
	f.Create, f.Update = Optional, Optional
	if f.NonNull && filled == nil {
		f.Create = Required
	}
	return nil
}

// noUse refuses the directives of writing where they say nothing.
func noUse(owner string, def *ast.FieldDefinition) error {
	for _, name := range []string{"readOnly", "default", "modified"} {
		if d := def.Directives.ForName(name); d != nil {
			return at(d.Position, "%s.%s: @%s belongs on a column of a type with @table; a hand-written field is never written", owner, def.Name, name)
		}
	}
	return nil
}

// localWrites says which mutations there are of a local type: none without a role that may
// write it.
func (b *builder) localWrites(t *Type) {
	if t.Access == nil || len(t.Access.Write) == 0 {
		return
	}
	t.Writes.Create = len(t.CreateFields()) > 0
	t.Writes.Update = len(t.UpdateFields()) > 0
	t.Writes.Delete = true
	if !t.Writes.Create {
		b.report.notef("%s: no field can be given to a new one, so there is no %s", t.Key, t.CreateRoot())
	}
}
