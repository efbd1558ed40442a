package schemagen

import (
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
)

// liveFields are a type's fields of Subscription.
func liveFields(t *doctype.Type) ast.FieldList {
	var fields ast.FieldList
	add := func(name, text, result string, args ...*ast.ArgumentDefinition) {
		f := field(name, text, nonNull(result))
		f.Arguments = args
		fields = append(fields, f)
	}
	kinds, after := arg("kinds", listOf("ChangeKind")), arg("after", ast.NamedType("String", nil))
	where := arg("where", ast.NamedType(t.Where(), nil))
	switch t.Source {
	case doctype.Child:
		return nil
	case doctype.Single:
		add(t.ChangedRoot(), "Changes of "+t.Noun()+".", t.Change(), kinds, after)
		return fields
	case doctype.Local:
		add(t.ChangedRoot(), "Changes of "+t.Noun()+" rows: of all that the subscriber may see, or of these, as far as they pass the filter.",
			t.Change(), arg("ids", listOf("ID")), where, kinds, after)
	default:
		add(t.ChangedRoot(), "Changes of "+t.Noun()+" documents: of all that the subscriber may read, or of these, as far as they pass the filter.",
			t.Change(), arg("names", listOf("String")), where, kinds, after)
	}
	add(t.LiveRoot(), "The list, then what is added to it, changed in it and removed from it, without a gap in between.", t.ListChange(),
		where, arg("orderBy", listOf(t.Order())), arg("first", ast.NamedType("Int", nil)))
	return fields
}

// liveTypes are what a type's subscriptions send.
func liveTypes(t *doctype.Type) []*ast.Definition {
	cursor := field("cursor", "Its place in the log: after goes on behind it.", nonNull("String"))
	at := field("at", "When this server learnt of it.", nonNull("DateTime"))
	change := ast.FieldList{cursor, field("kind", "", nonNull("ChangeKind")), at}
	switch t.Source {
	case doctype.Child:
		return nil
	case doctype.Single: // there is one, and it keeps its name
	case doctype.Local:
		change = append(change, field("id", "The global id, also of a row that is no more.", nonNull("ID")))
	default:
		change = append(change,
			field("id", "The global id, by which clients keep the document.", nonNull("ID")),
			field("name", "The docname, also of a document that is no more.", nonNull("String")),
			field("previousName", "Of RENAMED, the docname that it had.", ast.NamedType("String", nil)))
	}
	document := "As it is now; null where it is no more, or the subscriber may not read it."
	defs := []*ast.Definition{object(t.Change(), "", append(change, field("document", document, ast.NamedType(t.Name, nil))))}
	if !t.Listed() {
		return defs
	}
	ids := listOf("ID")
	ids.NonNull = true
	return append(defs, object(t.ListChange(), "", ast.FieldList{
		field("cursor", "The place in the log that the list is of.", nonNull("String")),
		field("at", "When it was read.", nonNull("DateTime")),
		field("snapshot", "The list is told whole, by added: forget what was told before.", nonNull("Boolean")),
		field("order", "The global ids of the list as it is now, in its order.", ids),
		field("added", "", listOf(t.Name)),
		field("changed", "", listOf(t.Name)),
		field("removed", "The global ids of what is no longer in the list: deleted, changed, pushed out, or no longer readable.", ids),
	}))
}
