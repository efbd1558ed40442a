package doctype

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// localScalars are the scalars that a column of a local type can hold.
var localScalars = map[string]Kind{
	"String": String, "Boolean": Boolean, "Int": Int, "Float": Float, "Decimal": Decimal,
	"Date": Date, "Time": Time, "DateTime": DateTime, "JSON": JSON, "URL": URL, "ID": ID,
}

// localField describes one field of a local type's own definition: a column, a link
// or a list of rows that point back.
func (b *builder) localField(t *Type, def *ast.FieldDefinition, enums map[string]*ast.Definition) (*Field, error) {
	if !fieldNamePattern.MatchString(def.Name) {
		return nil, at(def.Position, "%s.%s is not camelCase", t.Name, def.Name)
	}
	if len(def.Arguments) > 0 {
		return nil, at(def.Position, "%s.%s has arguments: put it under `extend type %s` and resolve it by hand", t.Name, def.Name, t.Name)
	}
	f := &Field{
		Name: def.Name, Column: ColumnName(def.Name), Label: def.Description,
		GraphQLType: def.Type.Name(), NonNull: def.Type.NonNull, Nullable: !def.Type.NonNull,
	}
	if c := def.Directives.ForName("column"); c != nil {
		f.Column = argument(c, "name")
	}
	if !tableNamePattern.MatchString(f.Column) {
		return nil, at(def.Position, "%s.%s: column %q is not a plain snake_case name", t.Name, f.Name, f.Column)
	}
	if r := def.Directives.ForName("reverse"); r != nil {
		return b.reverseList(t, f, def, r)
	}
	if def.Type.Elem != nil {
		return nil, at(def.Position, "%s.%s: a list is either @reverse or hand-written (under `extend type %s`)", t.Name, f.Name, t.Name)
	}
	if l := def.Directives.ForName("link"); l != nil {
		return b.localLink(t, f, def, l)
	}
	if kind, ok := localScalars[f.GraphQLType]; ok {
		f.Kind, f.Long = kind, kind == JSON || kind == URL
		return f, nil
	}
	if enum := enums[f.GraphQLType]; enum != nil {
		f.Kind = Enum
		for _, v := range enum.EnumValues {
			f.Enum = append(f.Enum, Pair{Value: v.Name, Label: v.Name})
		}
		return f, nil
	}
	return nil, at(def.Position, "%s.%s: %s is no scalar or enum of the app; a link to a type takes @link", t.Name, f.Name, f.GraphQLType)
}

// localLink is a column that holds a docname, or the id of another local row.
func (b *builder) localLink(t *Type, f *Field, def *ast.FieldDefinition, link *ast.Directive) (*Field, error) {
	target := b.byGraphQL(f.GraphQLType)
	if target == nil || (target.Source != Upstream && target.Source != Local) {
		return nil, at(def.Position, "%s.%s: @link to %s, which is no document or local type of the graph", t.Name, f.Name, f.GraphQLType)
	}
	f.Kind, f.Target, f.OnDelete = Link, target.Key, OnDeleteKeep
	if a := link.Arguments.ForName("onDelete"); a != nil {
		f.OnDelete = a.Value.Raw
		known := []string{OnDeleteKeep, OnDeleteNull, OnDeleteCascade, OnDeleteRestrict}
		if a.Value.Kind != ast.EnumValue || !slices.Contains(known, f.OnDelete) {
			return nil, at(link.Position, "%s.%s: @link(onDelete: %s): it is one of %s", t.Name, f.Name, a.Value, strings.Join(known, ", "))
		}
	}
	if f.OnDelete == OnDeleteNull && f.NonNull {
		return nil, at(link.Position, "%s.%s: @link(onDelete: NULL) on a field that is never null: make it %s, or choose KEEP or CASCADE",
			t.Name, f.Name, f.GraphQLType)
	}
	return f, localSnapshot(t, f, target, link)
}

// reverseList is the list of rows of another local type that link here.
func (b *builder) reverseList(t *Type, f *Field, def *ast.FieldDefinition, reverse *ast.Directive) (*Field, error) {
	target := b.byGraphQL(f.GraphQLType)
	if target == nil || target.Source != Local || def.Type.Elem == nil || !def.Type.NonNull || !def.Type.Elem.NonNull {
		return nil, at(def.Position, "%s.%s: @reverse belongs on a list of a local type: [T!]!", t.Name, f.Name)
	}
	f.Kind, f.Column, f.Target, f.Options = ReverseList, "", target.Key, argument(reverse, "field")
	return f, nil
}

// checkReverse finds @reverse fields that no link leads back to; it runs when all
// local fields are known.
func (b *builder) checkReverse(doc *ast.SchemaDocument) error {
	for _, t := range b.order {
		for _, f := range t.Fields {
			if f.Kind != ReverseList {
				continue
			}
			ok := false
			for _, back := range b.types[f.Target].Fields {
				ok = ok || back.Name == f.Options && back.Kind == Link && back.Target == t.Key
			}
			if !ok {
				return at(doc.Definitions.ForName(t.Name).Position, "%s.%s: @reverse(field: %q): %s has no such @link to %s",
					t.Name, f.Name, f.Options, f.Target, t.Name)
			}
		}
	}
	return nil
}

// checkLocal holds a local type to what the engine relies on: an id, and one column for
// each field.
func (b *builder) checkLocal(t *Type, def *ast.Definition) error {
	if !slices.Contains(def.Interfaces, "Node") {
		return at(def.Position, "%s must say `implements Node`", t.Name)
	}
	columns, id := map[string]string{}, false
	for _, f := range t.Fields {
		if f.Column != "" && columns[f.Column] != "" {
			return at(def.Position, "%s: %s and %s share the column %s", t.Name, columns[f.Column], f.Name, f.Column)
		}
		columns[f.Column] = f.Name
		if f.Snapshot && slices.ContainsFunc(t.Fields, func(other *Field) bool { return other.Name == f.SnapshotName() }) {
			return at(def.Position, "%s.%s is the snapshot of %s (@link(snapshot: true)): give the field another name", t.Name, f.SnapshotName(), f.Name)
		}
		if f.Name == "id" {
			id = f.Kind == ID && f.NonNull
		} else if f.Kind == ID {
			return at(def.Position, "%s.%s: only id is of type ID; a link to another row takes @link", t.Name, f.Name)
		}
	}
	if !id {
		return at(def.Position, "%s needs `id: ID!`", t.Name)
	}
	return nil
}

// byGraphQL finds a type by its GraphQL name.
func (b *builder) byGraphQL(name string) *Type {
	for _, t := range b.order {
		if t.Name == name {
			return t
		}
	}
	return nil
}
