package schemagen

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/parser"

	"erpgraph/internal/doctype"
)

// ErrUnstable means that printed SDL did not read back as what was printed: a bug of
// the generator, never of the facts.
var ErrUnstable = errors.New("generated SDL does not read back as itself")

// SDL prints the generated SDL of a graph: the files by their path below schema/.
// An upstream type has its whole definition in erpnext/<stem>.graphqls; a local type
// has what its hand-written definition lacks in app/generated/<stem>.graphqls.
func SDL(r *doctype.Registry) (map[string][]byte, error) {
	files := map[string][]byte{}
	filtered := map[string]bool{} // enums whose filter stands somewhere
	for _, t := range r.Types() {
		doc := &ast.SchemaDocument{}
		dir := doctype.FactsDir
		switch t.Source {
		case doctype.Upstream:
			doc.Definitions = append(documentType(r, t), listTypes(r, t)...)
			doc.Definitions = append(doc.Definitions, writeTypes(r, t)...)
		case doctype.Child:
			doc.Definitions = append(childTypes(r, t), rowInputs(r, t)...)
		case doctype.Single:
			doc.Definitions = append(documentType(r, t), writeTypes(r, t)...)
		case doctype.Local:
			dir = doctype.GeneratedDir
			doc.Definitions = append(listTypes(r, t), writeTypes(r, t)...)
			doc.Extensions = append(snapshots(t), companions(r, t)...)
		}
		doc.Definitions = append(doc.Definitions, liveTypes(t)...)
		doc.Definitions = append(doc.Definitions, enumTypes(t, filtered)...)
		if roots := rootFields(t); len(roots) > 0 {
			doc.Extensions = append(doc.Extensions, object("Query", "", roots))
		}
		if roots := mutationFields(t); len(roots) > 0 {
			doc.Extensions = append(doc.Extensions, object("Mutation", "", roots))
		}
		if roots := liveFields(t); len(roots) > 0 {
			doc.Extensions = append(doc.Extensions, object("Subscription", "", roots))
		}
		text, err := printStable(doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Key, err)
		}
		files[dir+"/"+t.Stem+".graphqls"] = text
	}
	if methods := r.Methods(); len(methods) > 0 {
		text, err := printStable(methodTypes(methods))
		if err != nil {
			return nil, fmt.Errorf("methods: %w", err)
		}
		files[doctype.FactsDir+"/"+doctype.MethodsStem+".graphqls"] = text
	}
	return files, nil
}

// fileNotice tells a reader who owns the file; the formatter drops comments, so it is
// put in front.
const fileNotice = "# Made by `schemagen generate` from the facts beside it and schema/doctypes.yml. Change those.\n\n"

// printStable prints a document and checks the invariant: what was printed reads back
// and prints as the same text.
func printStable(doc *ast.SchemaDocument) ([]byte, error) {
	first := format(doc)
	back, err := parser.ParseSchema(&ast.Source{Name: "generated", Input: first})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnstable, err)
	}
	if second := format(back); second != first {
		return nil, ErrUnstable
	}
	text := compact(first)
	back, err = parser.ParseSchema(&ast.Source{Name: "generated", Input: text})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnstable, err)
	}
	if format(back) != first {
		return nil, ErrUnstable
	}
	return []byte(fileNotice + text), nil
}

// compact is the formatter's output as people write SDL: short descriptions on one
// line, a blank line between definitions.
func compact(text string) string {
	const quotes = `"""`
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var b strings.Builder
	for i := 0; i < len(lines); i++ {
		switch {
		case strings.TrimSpace(lines[i]) != quotes:
			b.WriteString(lines[i])
		case i+2 < len(lines) && strings.TrimSpace(lines[i+2]) == quotes:
			b.WriteString(lines[i] + strings.TrimSpace(lines[i+1]) + quotes)
			i += 2
		default: // a long description: as it is, to its end
			b.WriteString(lines[i])
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != quotes; i++ {
				b.WriteString("\n" + lines[i])
			}
			if i < len(lines) {
				b.WriteString("\n" + lines[i])
			}
		}
		b.WriteByte('\n')
		if i+1 < len(lines) && lines[i] == "}" {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func format(doc *ast.SchemaDocument) string {
	var b strings.Builder
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchemaDocument(doc)
	return b.String()
}

// documentType is the object type of a document, its reverse connections included.
func documentType(r *doctype.Registry, t *doctype.Type) []*ast.Definition {
	def := object(t.Name, t.Description, append(ownFields(t), reverseFields(r, t)...))
	if t.Writes.Workflow {
		def.Fields = append(def.Fields, workflowField())
	}
	def.Interfaces = []string{"Node", "Document"}
	return []*ast.Definition{def}
}

// writeTypes are the types around mutations of t.
func writeTypes(r *doctype.Registry, t *doctype.Type) []*ast.Definition {
	return append(inputTypes(r, t), payloadTypes(t)...)
}

// childTypes are the object type of a child row and its filter.
func childTypes(r *doctype.Registry, t *doctype.Type) []*ast.Definition {
	return []*ast.Definition{object(t.Name, t.Description, ownFields(t)), where(r, t)}
}

// ownFields are the fields that the engine answers from the row itself; hand-written
// ones are in the custom app's own files.
func ownFields(t *doctype.Type) ast.FieldList {
	var fields ast.FieldList
	for _, f := range t.Fields {
		if f.Kind == doctype.Custom {
			continue
		}
		typ := ast.NamedType(f.GraphQLType, nil)
		if f.Kind == doctype.Table || f.Kind == doctype.ReverseList {
			typ = ast.ListType(ast.NonNullNamedType(f.GraphQLType, nil), nil)
		}
		typ.NonNull = f.NonNull
		fields = append(fields, field(f.Name, description(f), typ))
	}
	return fields
}

// description is the label, and the site's help text under it where it is wanted.
func description(f *doctype.Field) string {
	text := f.Label
	if f.Help != "" {
		text = strings.TrimSpace(text + "\n\n" + f.Help)
	}
	return clean(text)
}

// clean makes foreign text fit for a description: the formatter writes block strings,
// which read back without the blanks at their ends, and cut common indentation.
func clean(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(strings.Map(printable, line)), " ")
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// printable drops control characters, which SDL does not allow, and mends what would
// end a block string early.
func printable(r rune) rune {
	switch {
	case r == '"':
		return '\''
	case r == '\\' || r == '\t':
		return ' '
	case r < ' ' || r == 0x7f || r == 0xfeff || r == 0xfffd:
		return -1
	}
	return r
}

// reverseFields are the connections back to the upstream types that link here.
// Those of a local type stand in its own companion, so that erpnext/ changes only
// when ERPNext or the settings do.
func reverseFields(r *doctype.Registry, t *doctype.Type) ast.FieldList {
	var fields ast.FieldList
	for _, rev := range t.Reverse {
		if from := r.ByKey(rev.From); from.Source != doctype.Local {
			fields = append(fields, connectionField(rev.Name, rev.Label, from))
		}
	}
	return fields
}

// companions extend the types that a local type links to by its connections.
func companions(r *doctype.Registry, local *doctype.Type) ast.DefinitionList {
	var exts ast.DefinitionList
	for _, t := range r.Types() {
		var fields ast.FieldList
		for _, rev := range t.Reverse {
			if rev.From == local.Key {
				fields = append(fields, connectionField(rev.Name, rev.Label, local))
			}
		}
		if len(fields) > 0 {
			exts = append(exts, object(t.Name, "", fields))
		}
	}
	return exts
}

// snapshots extend a local type by what is kept of the documents that it links to.
func snapshots(t *doctype.Type) ast.DefinitionList {
	var fields ast.FieldList
	for _, f := range t.SnapshotLinks() {
		fields = append(fields, field(f.SnapshotName(),
			"What is kept of "+f.Name+"; null where it links to nothing, or nothing is known yet.", ast.NamedType(doctype.SnapshotType, nil)))
	}
	if len(fields) == 0 {
		return nil
	}
	return ast.DefinitionList{object(t.Name, "", fields)}
}

// enumTypes are the enums of a type's Select fields, each with its filter. An enum of
// the custom app is the author's own and may serve several types: its filter stands
// beside the first of them.
func enumTypes(t *doctype.Type, filtered map[string]bool) []*ast.Definition {
	var defs []*ast.Definition
	for _, f := range t.Fields {
		if f.Kind != doctype.Enum {
			continue
		}
		if t.Source != doctype.Local {
			def := &ast.Definition{Kind: ast.Enum, Name: f.GraphQLType, Description: clean(f.Label)}
			for _, p := range f.Enum {
				def.EnumValues = append(def.EnumValues, &ast.EnumValueDefinition{Name: p.Value, Description: clean(p.Label)})
			}
			defs = append(defs, def)
		}
		if t.Source == doctype.Single || filtered[f.GraphQLType] {
			continue // one document has nothing to filter
		}
		filtered[f.GraphQLType] = true
		value, list := ast.NamedType(f.GraphQLType, nil), listOf(f.GraphQLType)
		defs = append(defs, input(doctype.FilterName(f.GraphQLType), "", ast.FieldList{
			field("eq", "", value), field("ne", "", value), field("in", "", list), field("notIn", "", list),
			field("isSet", "", ast.NamedType("Boolean", nil)),
		}))
	}
	return defs
}

// rootFields are a type's fields of Query.
func rootFields(t *doctype.Type) ast.FieldList {
	switch t.Source {
	case doctype.Child:
		return nil
	case doctype.Single:
		return ast.FieldList{field(t.Single, t.Description, ast.NamedType(t.Name, nil))}
	}
	key := arg("name", ast.NonNullNamedType("String", nil))
	if t.Source == doctype.Local {
		key = arg("id", ast.NonNullNamedType("ID", nil))
	}
	one := field(t.Single, "", ast.NamedType(t.Name, nil))
	one.Arguments = ast.ArgumentDefinitionList{key}
	groups := field(t.AggregateRoot(), "", listOf(t.Aggregate()))
	groups.Arguments = ast.ArgumentDefinitionList{
		arg("where", ast.NamedType(t.Where(), nil)),
		arg("groupBy", listOf(t.GroupField())),
		arg("orderBy", listOf(t.AggregateOrder())),
		maxGroups(),
	}
	return ast.FieldList{one, connectionField(t.Plural, "", t), groups}
}

// maxGroups is the first of groups. Its default is printed, unlike that of lists, so
// that who counts the cost of an operation knows how many groups there may be.
func maxGroups() *ast.ArgumentDefinition {
	first := arg("first", ast.NamedType("Int", nil))
	first.DefaultValue = &ast.Value{Kind: ast.IntValue, Raw: "500"}
	return first
}

func connectionField(name, text string, of *doctype.Type) *ast.FieldDefinition {
	f := field(name, text, ast.NonNullNamedType(of.Connection(), nil))
	f.Arguments = ast.ArgumentDefinitionList{
		arg("where", ast.NamedType(of.Where(), nil)),
		arg("orderBy", listOf(of.Order())),
		arg("first", ast.NamedType("Int", nil)),
		arg("after", ast.NamedType("String", nil)),
		arg("last", ast.NamedType("Int", nil)),
		arg("before", ast.NamedType("String", nil)),
	}
	return f
}

func object(name, text string, fields ast.FieldList) *ast.Definition {
	return &ast.Definition{Kind: ast.Object, Name: name, Description: clean(text), Fields: fields}
}

func input(name, text string, fields ast.FieldList) *ast.Definition {
	return &ast.Definition{Kind: ast.InputObject, Name: name, Description: clean(text), Fields: fields}
}

func field(name, text string, typ *ast.Type) *ast.FieldDefinition {
	return &ast.FieldDefinition{Name: name, Description: clean(text), Type: typ}
}

func arg(name string, typ *ast.Type) *ast.ArgumentDefinition {
	return &ast.ArgumentDefinition{Name: name, Type: typ}
}

// listOf is [name!].
func listOf(name string) *ast.Type { return ast.ListType(ast.NonNullNamedType(name, nil), nil) }
