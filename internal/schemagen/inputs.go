package schemagen

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
)

// inputTypes are the inputs of a type's mutations.
func inputTypes(r *doctype.Registry, t *doctype.Type) []*ast.Definition {
	var defs []*ast.Definition
	if t.Writes.Create {
		defs = append(defs, createInput(r, t))
	}
	if t.HasUpdateInput() {
		defs = append(defs, updateInput(r, t))
	}
	return defs
}

// rowInputs are the inputs of a child table's rows, as far as a document that is written
// holds such rows.
func rowInputs(r *doctype.Registry, t *doctype.Type) []*ast.Definition {
	create, update := false, false
	for _, parent := range r.Types() {
		for _, f := range parent.Fields {
			if f.Kind != doctype.Table || f.Target != t.Key {
				continue
			}
			create = create || parent.Writes.Create && f.Create != doctype.Absent
			update = update || parent.HasUpdateInput() && f.Update != doctype.Absent
		}
	}
	var defs []*ast.Definition
	if create {
		defs = append(defs, createInput(r, t))
	}
	if update {
		defs = append(defs, updateInput(r, t))
	}
	return defs
}

// createInput is the input of a new row: what must be given is non-null.
func createInput(r *doctype.Registry, t *doctype.Type) *ast.Definition {
	var fields ast.FieldList
	if t.Writes.Name != doctype.Absent {
		typ := ast.NamedType("String", nil)
		typ.NonNull = t.Writes.Name == doctype.Required
		fields = append(fields, field("name", "Name", typ))
	}
	for _, f := range t.CreateFields() {
		typ := inputType(r, f, true)
		typ.NonNull = f.Create == doctype.Required
		fields = append(fields, field(f.Name, description(f), typ))
	}
	return input(t.CreateInput(), "", fields)
}

// updateInput is the input of a change: anything may be left out.
func updateInput(r *doctype.Registry, t *doctype.Type) *ast.Definition {
	var fields ast.FieldList
	for _, f := range t.UpdateFields() {
		text := description(f)
		switch {
		case f.Standard:
			text = "The row that is kept; without it the row is new."
		case t.Source == doctype.Child || t.Submit:
			text = afterSubmit(f)
		}
		fields = append(fields, field(f.Name, text, inputType(r, f, false)))
	}
	return input(t.UpdateInput(), "", fields)
}

// afterSubmit is the description of a field that says whether it may still change when the
// document is submitted.
func afterSubmit(f *doctype.Field) string {
	if f.Facts == nil || !bool(f.Facts.AllowOnSubmit) {
		return description(f)
	}
	told := *f
	told.Label = strings.TrimSpace(strings.TrimRight(f.Label, ". ") + ". Can be changed after submission.")
	told.Label = strings.TrimPrefix(told.Label, ". ")
	return description(&told)
}

// inputType is the type by which a field is written: links by their docname or id, tables
// by their rows, all else as it is read.
func inputType(r *doctype.Registry, f *doctype.Field, create bool) *ast.Type {
	switch f.Kind {
	case doctype.DynamicLink:
		return ast.NamedType("String", nil)
	case doctype.Link:
		if r.ByKey(f.Target).Source == doctype.Local {
			return ast.NamedType("ID", nil)
		}
		return ast.NamedType("String", nil)
	case doctype.Table:
		if create {
			return listOf(r.ByKey(f.Target).CreateInput())
		}
		return listOf(r.ByKey(f.Target).UpdateInput())
	default:
		return ast.NamedType(f.GraphQLType, nil)
	}
}
