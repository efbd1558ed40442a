package schemagen

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/codegen/config"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
)

// The stand-ins of the pruned schema; gqlgen.yml binds them to types of the engine.
const (
	resultScalar = "_Result"
	refScalar    = "_Ref"
	inputScalar  = "_Input"
	rowModel     = "erpgraph/internal/engine.Row"
)

// ErrReference means that a hand-written field has a type of the graph where the
// engine could not read it: fields of the graph's own types can refer to documents, and
// to lists of one level; root fields to one document, or to the payload of one.
var ErrReference = errors.New("a type of the graph can't stand here")

// pruner is a gqlgen plugin that cuts the schema down to what gqlgen must write code
// for. A root field of the graph is answered by the engine, which executes the whole
// selection below it; gqlgen only copies the finished answer. So gqlgen needs none of
// the thousands of generated fields, inputs and enums:
//
//   - An engine root field keeps its name; its type becomes _Result, its arguments go.
//   - A hand-written root field whose type is one of the graph, or the payload of one,
//     becomes _Result too: the resolver does the work, and lets the engine answer.
//   - A type of the graph stays only with its hand-written fields, bound to engine.Row.
//   - Where a hand-written field has a type of the graph, it becomes _Ref: the resolver
//     says which document, the engine reads it.
//   - An argument whose type is a filter of the graph becomes _Input: a map, as sent.
//   - All else that hand-written fields reach stays as stock gqlgen has it.
//
// Only this in-memory copy is cut. The SDL files that the server embeds for validation
// and introspection stay whole.
type pruner struct {
	cfg *config.Config
	reg *doctype.Registry

	// engineRoots are the root fields that the engine answers.
	engineRoots []string
	// custom are the types of the graph with hand-written fields, by name.
	custom map[string][]string
}

// Name is the plugin's name in gqlgen's messages.
func (p *pruner) Name() string { return "erpgraph-prune" }

// MutateSchema runs before models are made, so that they see the pruned schema.
func (p *pruner) MutateSchema(schema *ast.Schema) error {
	p.custom = map[string][]string{}
	keep := map[string]*ast.Definition{}
	for _, name := range []string{resultScalar, refScalar, inputScalar} {
		schema.Types[name] = &ast.Definition{Kind: ast.Scalar, Name: name, Position: schema.Query.Position}
		keep[name] = schema.Types[name]
	}
	var reach []*ast.FieldDefinition
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		if root != nil {
			reach = append(reach, p.root(root, root != schema.Subscription)...)
			keep[root.Name] = root
		}
	}
	for _, t := range p.reg.Types() {
		fields := p.handWritten(schema.Types[t.Name], t)
		if len(fields) == 0 {
			continue
		}
		keep[t.Name] = schema.Types[t.Name]
		for _, f := range fields {
			if p.refers(schema, f.Type.Name()) && (f.Type.Elem == nil || f.Type.Elem.Elem == nil) {
				named(f.Type).NamedType = refScalar
			}
		}
		reach = append(reach, fields...)
	}
	if err := p.closure(schema, keep, reach); err != nil {
		return err
	}
	dropDirectives(schema, keep)
	for name, def := range schema.Types {
		if _, ok := keep[name]; ok || def.BuiltIn || strings.HasPrefix(name, "__") {
			continue
		}
		delete(schema.Types, name)
		delete(schema.PossibleTypes, name)
		delete(schema.Implements, name)
	}
	gone := func(d *ast.Definition) bool { return schema.Types[d.Name] == nil }
	for name := range schema.Implements {
		schema.Implements[name] = slices.DeleteFunc(schema.Implements[name], gone)
	}
	for name := range schema.PossibleTypes {
		schema.PossibleTypes[name] = slices.DeleteFunc(schema.PossibleTypes[name], gone)
	}
	return nil
}

// dropDirectives takes away the directives that only the generator and the engine
// read, so that gqlgen makes nothing of them or of their arguments' types.
func dropDirectives(schema *ast.Schema, keep map[string]*ast.Definition) {
	ours := map[string]bool{}
	for name, d := range schema.Directives {
		if d.Position != nil && strings.HasSuffix(d.Position.Src.Name, "schema/directives.graphqls") {
			ours[name] = true
			delete(schema.Directives, name)
		}
	}
	drop := func(d *ast.Directive) bool { return ours[d.Name] }
	for _, def := range keep {
		def.Directives = slices.DeleteFunc(def.Directives, drop)
		for _, f := range def.Fields {
			f.Directives = slices.DeleteFunc(f.Directives, drop)
		}
	}
}

// root turns the engine's fields of a root type into stand-ins and returns the rest. Of
// those, the ones that the engine can answer for their resolver get its answer's type.
func (p *pruner) root(def *ast.Definition, answer bool) []*ast.FieldDefinition {
	var hand []*ast.FieldDefinition
	for _, f := range def.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		if own(f.Position) {
			if answer && f.Type.Elem == nil && p.answered(f.Type.NamedType) {
				f.Type.NamedType = resultScalar
			}
			hand = append(hand, f)
			continue
		}
		p.engineRoots = append(p.engineRoots, def.Name+"."+f.Name)
		f.Arguments = nil
		f.Type = &ast.Type{NamedType: resultScalar, NonNull: f.Type.NonNull, Position: f.Type.Position}
	}
	return hand
}

// answered tells whether the engine can answer with a type once the resolver of a
// hand-written root field has told it which document or local row: the type of one, or the
// payload of its mutations.
func (p *pruner) answered(name string) bool {
	if t := p.reg.ByName(name); t != nil {
		return t.Source != doctype.Child
	}
	return slices.ContainsFunc(p.reg.Types(), func(t *doctype.Type) bool {
		return t.Writes.Answered() && name == t.Payload()
	})
}

// made tells whether a definition is in generated SDL.
func made(pos *ast.Position) bool {
	name := filepath.ToSlash(pos.Src.Name)
	return strings.Contains(name, "schema/"+doctype.FactsDir+"/") || strings.Contains(name, "schema/"+doctype.GeneratedDir+"/")
}

// own tells whether a definition is in the custom app's hand-written SDL.
func own(pos *ast.Position) bool {
	name := filepath.ToSlash(pos.Src.Name)
	return strings.Contains(name, "schema/"+doctype.AppDir+"/") && !strings.Contains(name, "schema/"+doctype.GeneratedDir+"/")
}

// handWritten cuts a type of the graph down to its hand-written fields.
func (p *pruner) handWritten(def *ast.Definition, t *doctype.Type) []*ast.FieldDefinition {
	var fields ast.FieldList
	for _, f := range def.Fields {
		if own := t.Field(f.Name); own != nil && own.Kind == doctype.Custom {
			fields = append(fields, f)
			p.custom[t.Name] = append(p.custom[t.Name], f.Name)
		}
	}
	if len(fields) == 0 {
		return nil
	}
	def.Fields, def.Interfaces, def.Directives = fields, nil, nil
	// The file of the first hand-written field owns the type's resolvers.
	def.Position = fields[0].Position
	bound := config.TypeMapEntry{Model: config.StringList{rowModel}, Fields: map[string]config.TypeMapField{}}
	for _, f := range fields {
		// Never bound to a method or field of engine.Row that happens to have the name.
		bound.Fields[f.Name] = config.TypeMapField{Resolver: true}
	}
	p.cfg.Models[t.Name] = bound
	return fields
}

// closure keeps all types that hand-written fields lead to.
func (p *pruner) closure(schema *ast.Schema, keep map[string]*ast.Definition, reach []*ast.FieldDefinition) error {
	for len(reach) > 0 {
		f := reach[0]
		reach = reach[1:]
		for _, a := range f.Arguments {
			reach = append(reach, p.input(schema, keep, a.Type)...)
		}
		if p.unfit(schema, f.Type.Name()) {
			return fmt.Errorf("%s:%d: %s: %s: %w", f.Position.Src.Name, f.Position.Line, f.Name, f.Type, ErrReference)
		}
		reach = append(reach, p.input(schema, keep, f.Type)...)
	}
	return nil
}

// input keeps a type; a filter of the graph gives way to its stand-in.
func (p *pruner) input(schema *ast.Schema, keep map[string]*ast.Definition, t *ast.Type) []*ast.FieldDefinition {
	def := schema.Types[t.Name()]
	if def != nil && def.Kind == ast.InputObject && !own(def.Position) {
		named(t).NamedType = inputScalar
		return nil
	}
	return p.visit(schema, keep, t.Name())
}

// visit keeps a type and returns its fields the first time.
func (p *pruner) visit(schema *ast.Schema, keep map[string]*ast.Definition, name string) []*ast.FieldDefinition {
	def := schema.Types[name]
	if def == nil || keep[name] != nil {
		return nil
	}
	keep[name] = def
	// Interfaces of the graph are pruned; an app type that implements one loses only
	// the Go interface.
	def.Interfaces = slices.DeleteFunc(slices.Clone(def.Interfaces), func(i string) bool { return p.refers(schema, i) })
	fields := slices.Clone(def.Fields)
	for _, member := range schema.PossibleTypes[name] { // of a union or interface
		fields = append(fields, p.visit(schema, keep, member.Name)...)
	}
	return fields
}

// unfit tells whether a type, or a member of it, is one that only the engine answers.
func (p *pruner) unfit(schema *ast.Schema, name string) bool {
	def := schema.Types[name]
	if def == nil {
		return false
	}
	return p.refers(schema, name) || def.Kind == ast.Object && made(def.Position) ||
		slices.ContainsFunc(schema.PossibleTypes[name], func(m *ast.Definition) bool { return p.refers(schema, m.Name) })
}

// refers tells whether values of an output type are read by the engine: a type of the
// graph, or an interface that only such types implement.
func (p *pruner) refers(schema *ast.Schema, name string) bool {
	if p.reg.ByName(name) != nil || name == "ForeignDocument" {
		return true
	}
	def := schema.Types[name]
	return def != nil && def.Kind == ast.Interface && strings.HasSuffix(def.Position.Src.Name, "schema/core.graphqls")
}

// named is the innermost type of a list.
func named(t *ast.Type) *ast.Type {
	for t.Elem != nil {
		t = t.Elem
	}
	return t
}
