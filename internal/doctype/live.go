package doctype

import (
	"github.com/vektah/gqlparser/v2/ast"
)

// ChangedRoot is the subscription to the changes of a type: "salesOrderChanged".
func (t *Type) ChangedRoot() string { return t.Single + "Changed" }

// LiveRoot is the subscription to a list of the type and what becomes of it:
// "salesOrdersLive".
func (t *Type) LiveRoot() string { return t.Plural + "Live" }

// Change is the type of one change: "SalesOrderChange".
func (t *Type) Change() string { return t.Name + "Change" }

// ListChange is the type of what LiveRoot sends: "SalesOrderListChange".
func (t *Type) ListChange() string { return t.Name + "ListChange" }

// SubscriptionRoots are the type's subscriptions, in the order of the SDL. A child row
// changes with its parent and has none.
func (t *Type) SubscriptionRoots() []string {
	switch {
	case t.Source == Child:
		return nil
	case !t.Listed():
		return []string{t.ChangedRoot()}
	default:
		return []string{t.ChangedRoot(), t.LiveRoot()}
	}
}

// liveNames are the type names that a type's subscriptions claim.
func (t *Type) liveNames() []string {
	switch {
	case t.Source == Child:
		return nil
	case !t.Listed():
		return []string{t.Change()}
	default:
		return []string{t.Change(), t.ListChange()}
	}
}

// checkSubscriptions finds hand-written subscriptions that have the name of a made one. Made
// ones can't share a name: they are the type's root fields with a word at their end, and
// documentChanged has no such root before it, because "document" is the schema's own.
func (b *builder) checkSubscriptions(doc *ast.SchemaDocument) error {
	roots := map[string]string{"documentChanged": schemaOwn}
	for _, t := range b.order {
		for _, name := range t.SubscriptionRoots() {
			roots[name] = t.Key
		}
	}
	return checkExtension(doc, "Subscription", roots)
}

// checkExtension finds fields by which the app extends a root type under names that are taken.
func checkExtension(doc *ast.SchemaDocument, root string, taken map[string]string) error {
	for _, ext := range doc.Extensions {
		if ext.Name != root {
			continue
		}
		for _, f := range ext.Fields {
			if other, ok := taken[f.Name]; ok {
				return at(f.Position, "%s.%s is taken by %s: choose another name", root, f.Name, other)
			}
		}
	}
	return nil
}

// WatchedDocType is a DocType whose changes are events of the graph.
type WatchedDocType struct {
	Name string // "Sales Order"
	// Submittable DocTypes are submitted and cancelled, and some of their fields may change
	// in between.
	Submittable bool
	// Single DocTypes have one document, named as the DocType: it is never created, deleted
	// or renamed.
	Single bool
}

// Watched are the DocTypes of the graph whose changes are events, in a stable order: all but child
// tables, which change with their parents.
func (r *Registry) Watched() []WatchedDocType {
	var out []WatchedDocType
	for _, t := range r.types {
		if t.IsDocument() {
			out = append(out, WatchedDocType{Name: t.Key, Submittable: t.Submit, Single: t.Source == Single})
		}
	}
	return out
}

// LocalLink is a field of a local type with @link.
type LocalLink struct {
	Type  *Type
	Field *Field
}

// LinksTo are the @link fields of local types that lead to a type, given by its Key, in the
// order of types and fields. The caller may keep it, and must not change it.
func (r *Registry) LinksTo(key string) []LocalLink { return r.links[key] }

// localLinks finds all @link fields, by the Key that they lead to.
func localLinks(types []*Type) map[string][]LocalLink {
	links := map[string][]LocalLink{}
	for _, t := range types {
		if t.Source != Local {
			continue
		}
		for _, f := range t.Fields {
			if f.Kind == Link {
				links[f.Target] = append(links[f.Target], LocalLink{Type: t, Field: f})
			}
		}
	}
	return links
}
