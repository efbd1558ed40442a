package doctype

import (
	"fmt"
	"path"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// parseLocal reads the custom app's SDL without the rest of the schema: Build needs
// its types, and the generated part does not exist yet.
func parseLocal(sources []*ast.Source) (*ast.SchemaDocument, error) {
	if len(sources) == 0 {
		return &ast.SchemaDocument{}, nil
	}
	doc, err := parser.ParseSchemas(sources...)
	if err != nil {
		return nil, fmt.Errorf("custom app's SDL: %w", err)
	}
	return doc, nil
}

// claimLocal makes a type for each object type with @table, and takes all names that
// the app's SDL defines.
func (b *builder) claimLocal(doc *ast.SchemaDocument) (err error) {
	for _, def := range doc.Definitions {
		if other, ok := b.taken[def.Name]; ok {
			return at(def.Position, "type %s is taken by %s: give one of them another name", def.Name, other)
		}
		b.taken[def.Name] = def.Name
		table := def.Directives.ForName("table")
		if table == nil {
			if d := def.Directives.ForName("access"); d != nil {
				return at(d.Position, "%s: @access guards rows of a table; this type has no @table", def.Name)
			}
			continue
		}
		if def.Kind != ast.Object || !typeNamePattern.MatchString(def.Name) {
			return at(def.Position, "@table belongs on an object type with a PascalCase name, not on %s", def.Name)
		}
		stem := strings.TrimSuffix(path.Base(def.Position.Src.Name), path.Ext(def.Position.Src.Name))
		t := &Type{
			Name: def.Name, Key: def.Name, Source: Local,
			Table: argument(table, "name"), Description: def.Description,
			// One file may hold several local types; each has its own companion.
			Stem: Stem(splitPascal(def.Name)) + "_graph",
		}
		if t.Table == "" {
			t.Table = ColumnName(lowerFirstWord(def.Name))
		}
		if !tableNamePattern.MatchString(t.Table) {
			return at(def.Position, "%s: @table(name: %q) is not a plain snake_case name", def.Name, t.Table)
		}
		if t.Description == "" {
			t.Description = splitPascal(def.Name)
		}
		if constrained(stem) {
			return at(def.Position, "file name %s ends in a word that Go takes for a build constraint: rename the file", stem)
		}
		if t.Access, err = parseAccess(def); err != nil {
			return err
		}
		if err := b.nameRoots(t, splitPascal(def.Name), ""); err != nil {
			return err
		}
		b.types[t.Key] = t
		b.order = append(b.order, t)
	}
	return nil
}

// localFields fills local types from their definitions, and hand-written fields from
// the extensions of local and upstream types alike.
func (b *builder) localFields(doc *ast.SchemaDocument) error {
	enums := map[string]*ast.Definition{}
	for _, def := range doc.Definitions {
		if def.Kind == ast.Enum {
			enums[def.Name] = def
		}
	}
	for _, def := range doc.Definitions {
		t := b.types[def.Name]
		if t == nil || t.Source != Local {
			continue
		}
		for _, f := range def.Fields {
			field, err := b.localField(t, f, enums)
			if err != nil {
				return err
			}
			if err := localUse(t, field, f); err != nil {
				return err
			}
			t.Fields = append(t.Fields, field)
		}
		if err := b.checkLocal(t, def); err != nil {
			return err
		}
	}
	if err := b.checkReverse(doc); err != nil {
		return err
	}
	if err := b.checkThrough(doc); err != nil {
		return err
	}
	for _, ext := range doc.Extensions {
		if ext.Kind != ast.Object {
			continue
		}
		if d := ext.Directives.ForName("access"); d != nil {
			return at(d.Position, "extend type %s: @access belongs on the type itself, where one place tells who may read it", ext.Name)
		}
		if err := b.extend(ext); err != nil {
			return err
		}
	}
	return nil
}

// extend adds hand-written fields to a type of the graph. Extensions of anything else
// (Query, the app's own object types) are gqlgen's business alone.
func (b *builder) extend(ext *ast.Definition) error {
	var t *Type
	for _, candidate := range b.order {
		if candidate.Name == ext.Name {
			t = candidate
		}
	}
	if t == nil {
		return nil
	}
	for _, f := range ext.Fields {
		if err := noUse(t.Name, f); err != nil {
			return err
		}
		if hasName(t, f.Name) {
			return at(f.Position, "%s already has a field %s: leave the made one out (hide, rename) or choose another name", t.Name, f.Name)
		}
		field := &Field{
			Name: f.Name, Label: f.Description, Kind: Custom,
			GraphQLType: strings.TrimSuffix(f.Type.String(), "!"), NonNull: f.Type.NonNull,
			Nullable: !f.Type.NonNull,
		}
		needs, err := b.needs(t, f)
		if err != nil {
			return err
		}
		field.Needs = needs
		t.Fields = append(t.Fields, field)
	}
	return nil
}

// needs are the columns that a hand-written field reads: those of @needs; else all
// columns of a local row, and the name of a document.
func (b *builder) needs(t *Type, f *ast.FieldDefinition) ([]string, error) {
	var columns []string
	if d := f.Directives.ForName("needs"); d != nil {
		for _, name := range arguments(d, "fields") {
			column := ""
			for _, own := range t.Fields {
				if own.Name == name {
					column = own.Column
				}
			}
			if column == "" {
				return nil, at(f.Position, "%s.%s: @needs names %s, which is no stored field of %s", t.Name, f.Name, name, t.Name)
			}
			columns = append(columns, column)
		}
		return columns, nil
	}
	if t.Source != Local {
		return []string{"name"}, nil
	}
	for _, own := range t.Fields {
		if own.Column != "" {
			columns = append(columns, own.Column)
		}
	}
	return columns, nil
}

// at is an error with its place in the SDL.
func at(pos *ast.Position, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	if pos == nil || pos.Src == nil {
		return fmt.Errorf("custom app's SDL: %s", msg)
	}
	return fmt.Errorf("%s:%d: %s", pos.Src.Name, pos.Line, msg)
}

// argument is a scalar argument of a directive as text; "" when absent.
func argument(d *ast.Directive, name string) string {
	if d == nil {
		return ""
	}
	a := d.Arguments.ForName(name)
	if a == nil || a.Value == nil {
		return ""
	}
	return a.Value.Raw
}

// arguments is a list argument of a directive.
func arguments(d *ast.Directive, name string) []string {
	a := d.Arguments.ForName(name)
	if a == nil || a.Value == nil {
		return nil
	}
	if a.Value.Kind != ast.ListValue {
		return []string{a.Value.Raw} // a single value stands for a list of one
	}
	var out []string
	for _, child := range a.Value.Children {
		out = append(out, child.Value.Raw)
	}
	return out
}
