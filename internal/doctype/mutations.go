package doctype

import (
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// WorkflowActions is the field of a document that lists what its workflow offers the
// caller. It is no stored field, so no type has a Field for it.
const WorkflowActions = "workflowActions"

// MutationRoots are the type's mutations, in the order of the SDL.
func (t *Type) MutationRoots() []string {
	w := t.Writes
	var roots []string
	add := func(is bool, names ...string) {
		if is {
			roots = append(roots, names...)
		}
	}
	add(w.Create, t.CreateRoot(), t.CreateManyRoot())
	add(w.Update, t.UpdateRoot())
	add(w.Delete, t.DeleteRoot())
	add(w.Submit, t.SubmitRoot(), t.CancelRoot(), t.AmendRoot())
	add(w.Rename, t.RenameRoot())
	add(w.Workflow, t.WorkflowRoot())
	return roots
}

// Answered tells whether a mutation of the type gives its payload: all but deletion do.
func (w Writes) Answered() bool {
	return w.Create || w.Update || w.Submit || w.Rename || w.Workflow
}

// HasUpdateInput tells whether the type's update input stands in the graph: to change a
// document, or to change it while it is amended.
func (t *Type) HasUpdateInput() bool {
	return t.Writes.Update || t.Writes.Submit && len(t.UpdateFields()) > 0
}

// writeNames are the type names that a type's mutations claim.
func (t *Type) writeNames() []string {
	var names []string
	if t.Writes.Create {
		names = append(names, t.CreateInput(), t.ManyPayload(), t.RowResult())
	}
	if t.HasUpdateInput() {
		names = append(names, t.UpdateInput())
	}
	if t.Writes.Answered() {
		names = append(names, t.Payload())
	}
	return names
}

// payloadWords are the other fields of the types that hold a written document.
var payloadWords = []string{"id", "name", "index", "messages", "error"}

// checkMutations finds mutations of one name, and documents that have no name of their own
// in a payload. It runs when all type names are checked.
func (b *builder) checkMutations(doc *ast.SchemaDocument) error {
	roots := map[string]string{"uploadFile": schemaOwn}
	claim := func(name, key string) error {
		if other, ok := roots[name]; ok {
			return fmt.Errorf("%s: mutation %s is taken by %s: set another name, plural or writes for one of them in doctypes.yml", key, name, other)
		}
		roots[name] = key
		return nil
	}
	for _, t := range b.order {
		if t.Writes.Answered() && slices.Contains(payloadWords, t.Single) {
			return fmt.Errorf("%s: %s would stand twice in %s: set another name in doctypes.yml", t.Key, t.Single, t.Payload())
		}
		for _, name := range t.MutationRoots() {
			if err := claim(name, t.Key); err != nil {
				return err
			}
		}
	}
	for _, m := range b.methods {
		if err := claim(m.Name, "methods."+m.Name); err != nil {
			return err
		}
	}
	return checkExtension(doc, "Mutation", roots)
}
