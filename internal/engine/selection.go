package engine

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/doctype"
)

// kind says how a selected field gets its value.
type kind int

const (
	typenameField kind = iota
	idField            // global id
	nameField          // docname, known without a read
	doctypeField
	scalarField
	linkField       // one object, by docname
	dynamicField    // a Dynamic Link: one Document
	tableField      // child rows
	reverseField    // connection of documents that link here
	reverseRowField // local @reverse: rows of another local type
	customField     // hand-written resolver
	workflowField   // actions that the caller may take on the document
	snapshotField   // what is kept of a local link's document; def is the link
)

// selection is a selection set compiled for one object type.
type selection struct {
	typ      *doctype.Type
	typename string
	fields   []*field
	slots    int
	// shallow: only what a link itself tells is selected, so nothing is read.
	shallow bool
}

// field is one selected field of a selection.
type field struct {
	graphql.CollectedField
	kind    kind
	def     *doctype.Field
	slot    int // where an object keeps the value, -1 for what is written from the row
	sel     *selection
	dynamic *dynamicSelection
	conn    *connection
}

// dynamicSelection is a selection set on an interface, or on what a hand-written resolver
// refers to: compiled for each object type when the first object of it turns up.
type dynamicSelection struct {
	field graphql.CollectedField
	byTyp map[*doctype.Type]*selection
}

// compiler compiles the selections of one operation.
type compiler struct {
	engine *Engine
	op     *graphql.OperationContext
	sink   columnSink
	// foreign are the types made up for DocTypes outside the graph, by DocType.
	foreign map[string]*doctype.Type
}

// columnSink is told which columns the operation reads of a type.
type columnSink interface {
	Select(t *doctype.Type, columns ...string)
}

// object compiles a selection set on an object type of the registry. typename differs
// from the type's name for aggregate keys only.
func (c *compiler) object(t *doctype.Type, typename string, set graphql.CollectedField) (*selection, error) {
	sel := &selection{typ: t, typename: typename, shallow: true}
	satisfies := []string{typename, "Node"}
	if t.IsDocument() {
		satisfies = append(satisfies, "Document")
	}
	for _, cf := range graphql.CollectFields(c.op, set.Selections, satisfies) {
		f, err := c.field(t, cf)
		if err != nil {
			return nil, err
		}
		if f.kind >= linkField {
			f.slot = sel.slots
			sel.slots++
		}
		sel.shallow = sel.shallow && f.kind <= doctypeField
		sel.fields = append(sel.fields, f)
	}
	return sel, nil
}

func (c *compiler) field(t *doctype.Type, cf graphql.CollectedField) (*field, error) {
	f := &field{CollectedField: cf, slot: -1}
	switch cf.Name {
	case "__typename":
		f.kind = typenameField
		return f, nil
	case "id":
		if t.Source != doctype.Child {
			f.kind = idField
			return f, nil
		}
	}
	if rev := t.ReverseByName(cf.Name); rev != nil {
		f.kind = reverseField
		var err error
		f.conn, err = c.connection(c.engine.registry.ByKey(rev.From), cf, rev)
		return f, err
	}
	if link := t.SnapshotByName(cf.Name); link != nil {
		f.kind, f.def = snapshotField, link
		c.sink.Select(t, link.Column)
		return f, nil
	}
	f.def = t.Field(cf.Name)
	if f.def == nil && cf.Name == doctype.WorkflowActions && t.Writes.Workflow {
		f.kind = workflowField
		return f, nil
	}
	switch {
	case f.def == nil && cf.Name == "doctype":
		f.kind = doctypeField
		return f, nil
	case f.def == nil:
		return nil, fmt.Errorf("%s.%s is in the SDL but not in the registry", t.Name, cf.Name)
	case f.def.Column == "name" && t.Source != doctype.Child && t.Source != doctype.Local:
		f.kind = nameField
		return f, nil
	case cf.Name == "doctype" && f.def.Standard:
		f.kind = doctypeField
		return f, nil
	}
	return f, c.stored(t, f)
}

// stored compiles a field that a column stands behind.
func (c *compiler) stored(t *doctype.Type, f *field) (err error) {
	switch f.def.Kind {
	case doctype.Link:
		f.kind = linkField
		c.sink.Select(t, f.def.Column)
		target := c.engine.registry.ByKey(f.def.Target)
		f.sel, err = c.object(target, target.Name, f.CollectedField)
	case doctype.DynamicLink:
		f.kind = dynamicField
		c.sink.Select(t, f.def.Column, f.def.Options)
		f.dynamic, err = c.dynamic(f.CollectedField)
	case doctype.Table:
		f.kind = tableField
		target := c.engine.registry.ByKey(f.def.Target)
		f.sel, err = c.object(target, target.Name, f.CollectedField)
	case doctype.ReverseList:
		f.kind = reverseRowField
		f.conn, err = c.rowList(f.CollectedField, f.def)
	case doctype.Custom:
		f.kind = customField
		f.dynamic = &dynamicSelection{field: f.CollectedField, byTyp: map[*doctype.Type]*selection{}}
		needs := f.def.Needs
		if len(needs) == 0 && t.Source == doctype.Local {
			needs = allColumns(t)
		}
		c.sink.Select(t, needs...)
		// What a resolver refers to is read with what is selected below it, from the start.
		if target := c.engine.registry.ByName(f.Definition.Type.Name()); target != nil {
			_, err = c.dynamicFor(f.dynamic, target)
		}
	default:
		f.kind = scalarField
		c.sink.Select(t, f.def.Column)
	}
	return err
}

// dynamic compiles a selection set on Node or Document: at once for the types that its
// fragments name, so that their columns are read in the union, later for others.
func (c *compiler) dynamic(cf graphql.CollectedField) (*dynamicSelection, error) {
	d := &dynamicSelection{field: cf, byTyp: map[*doctype.Type]*selection{}}
	for _, name := range conditionTypes(c.op, cf.Selections) {
		if t := c.engine.registry.ByName(name); t != nil {
			if _, err := c.dynamicFor(d, t); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

func (c *compiler) dynamicFor(d *dynamicSelection, t *doctype.Type) (*selection, error) {
	if sel := d.byTyp[t]; sel != nil {
		return sel, nil
	}
	sel, err := c.object(t, t.Name, d.field)
	if err == nil {
		d.byTyp[t] = sel
	}
	return sel, err
}

func allColumns(t *doctype.Type) []string {
	if t.Source != doctype.Local {
		return nil
	}
	var out []string
	for _, f := range t.Fields {
		if f.Column != "" && f.Kind != doctype.ReverseList && f.Kind != doctype.Custom {
			out = append(out, f.Column)
		}
	}
	return out
}
