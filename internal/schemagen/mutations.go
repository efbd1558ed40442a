package schemagen

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
)

// mutationFields are a type's fields of Mutation.
func mutationFields(t *doctype.Type) ast.FieldList {
	w, noun := t.Writes, withArticle(t.Noun())
	key := arg("name", nonNull("String"))
	if t.Source == doctype.Local {
		key = arg("id", nonNull("ID"))
	}
	var fields ast.FieldList
	add := func(name, text string, result *ast.Type, args ...*ast.ArgumentDefinition) {
		f := field(name, text, result)
		f.Arguments = args
		fields = append(fields, f)
	}
	payload := ast.NamedType(t.Payload(), nil)
	if w.Create {
		add(t.CreateRoot(), "Creates "+noun+".", payload, arg("input", nonNull(t.CreateInput())))
		inputs := listOf(t.CreateInput())
		inputs.NonNull = true
		add(t.CreateManyRoot(), "Creates several, at most 100, one after the other, with a result for each.",
			ast.NamedType(t.ManyPayload(), nil), arg("inputs", inputs))
	}
	if w.Update {
		change := arg("input", nonNull(t.UpdateInput()))
		text := "Changes " + noun + ": null clears, what is left out stays."
		switch {
		case t.Source == doctype.Single:
			add(t.UpdateRoot(), text, payload, change, ifModified())
		case t.Source == doctype.Local && w.Modified == nil:
			add(t.UpdateRoot(), text, payload, key, change)
		default:
			add(t.UpdateRoot(), text, payload, key, change, ifModified())
		}
	}
	if w.Delete {
		add(t.DeleteRoot(), "Deletes "+noun+".", ast.NamedType("DeletePayload", nil), key)
	}
	if w.Submit {
		add(t.SubmitRoot(), "Submits a draft.", payload, key, ifModified())
		add(t.CancelRoot(), "Cancels what was submitted.", payload, key, ifModified())
		args := []*ast.ArgumentDefinition{key}
		if t.HasUpdateInput() {
			args = append(args, arg("input", ast.NamedType(t.UpdateInput(), nil)))
		}
		add(t.AmendRoot(), "Makes a new draft of what was cancelled, with these changes.", payload, args...)
	}
	if w.Rename {
		merge := arg("merge", nonNull("Boolean"))
		merge.DefaultValue = &ast.Value{Kind: ast.BooleanValue, Raw: "false"}
		add(t.RenameRoot(), "Gives "+noun+" another name, or merges it into the one that has it.",
			payload, key, arg("to", nonNull("String")), merge)
	}
	if w.Workflow {
		add(t.WorkflowRoot(), "Takes an action of the workflow: one of "+doctype.WorkflowActions+".",
			payload, key, arg("action", nonNull("String")), ifModified())
	}
	return fields
}

// ifModified is the argument of optimistic locking.
func ifModified() *ast.ArgumentDefinition { return arg("ifModified", ast.NamedType("DateTime", nil)) }

// payloadTypes are what a type's mutations give.
func payloadTypes(t *doctype.Type) []*ast.Definition {
	document := field(t.Single, "As it is after the write; null where the caller may not read it.", ast.NamedType(t.Name, nil))
	key, result := field("name", "", nonNull("String")), field("name", "", ast.NamedType("String", nil))
	if t.Source == doctype.Local {
		key, result = field("id", "", nonNull("ID")), field("id", "", ast.NamedType("ID", nil))
	}
	var defs []*ast.Definition
	if t.Writes.Answered() {
		defs = append(defs, object(t.Payload(), "", ast.FieldList{document, key, messages()}))
	}
	if t.Writes.Create {
		results := listOf(t.RowResult())
		results.NonNull = true
		defs = append(defs,
			object(t.ManyPayload(), "", ast.FieldList{field("results", "In the order of the inputs.", results)}),
			object(t.RowResult(), "", ast.FieldList{
				field("index", "", nonNull("Int")), document, result, messages(),
				field("error", "Why this one was not created.", ast.NamedType("WriteError", nil)),
			}))
	}
	return defs
}

// messages are what ERPNext told its user besides; clients know the field from every
// payload.
func messages() *ast.FieldDefinition {
	list := listOf("String")
	list.NonNull = true
	return field("messages", "", list)
}

// workflowField is the field of a document that goes through a workflow.
func workflowField() *ast.FieldDefinition {
	return field(doctype.WorkflowActions,
		"What the workflow offers the caller now. Costs one call to ERPNext for each document.", listOf("WorkflowAction"))
}

// methodTypes are the declared methods: their payloads, and the fields of Mutation.
func methodTypes(methods []*doctype.Method) *ast.SchemaDocument {
	doc := &ast.SchemaDocument{}
	var roots ast.FieldList
	for _, m := range methods {
		root := field(m.Name, m.Description, ast.NamedType(m.Payload, nil))
		for _, a := range m.Args {
			root.Arguments = append(root.Arguments, arg(a.Name, argType(a)))
		}
		roots = append(roots, root)
		var fields ast.FieldList
		if m.Kind != doctype.NoResult {
			typ := ast.NamedType(m.Result, nil)
			if m.List { // one that the caller may not read is null, and leaves the others
				typ = ast.ListType(typ, nil)
			}
			fields = append(fields, field(m.Field, "", typ))
		}
		if m.Kind == doctype.DocumentResult && !m.List {
			fields = append(fields, field("name", "Its docname, also where the caller may not read it.", ast.NamedType("String", nil)))
		}
		doc.Definitions = append(doc.Definitions, object(m.Payload, "", append(fields, messages())))
	}
	doc.Extensions = ast.DefinitionList{object("Mutation", "", roots)}
	return doc
}

// argType is the GraphQL type of a method's argument.
func argType(a *doctype.MethodArg) *ast.Type {
	typ := ast.NamedType(strings.Trim(a.Type, "[]!"), nil)
	if a.List {
		typ.NonNull = a.Item
		typ = ast.ListType(typ, nil)
	}
	typ.NonNull = a.NonNull
	return typ
}

func nonNull(name string) *ast.Type { return ast.NonNullNamedType(name, nil) }

// withArticle is "a Sales Order", "an Item".
func withArticle(noun string) string {
	if noun != "" && strings.ContainsRune("AEIOaeio", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}
