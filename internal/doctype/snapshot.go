package doctype

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// SnapshotType is the type of a snapshot's field, in the SDL.
const SnapshotType = "LinkSnapshot"

// SnapshotName is the field that shows what is kept of a link's document: "itemSnapshot".
func (f *Field) SnapshotName() string { return f.Name + "Snapshot" }

// SnapshotByName finds the link whose snapshot a GraphQL field shows.
func (t *Type) SnapshotByName(name string) *Field { return t.snapshots[name] }

// SnapshotLinks are the links of a local type that keep a snapshot, in their order.
func (t *Type) SnapshotLinks() []*Field {
	var out []*Field
	for _, f := range t.Fields {
		if f.Snapshot {
			out = append(out, f)
		}
	}
	return out
}

// SnapshotTitle is the fieldname whose value snapshots keep as the title; "" where there is
// none. Only the DocType's title field can be it, and only while the graph shows it to all who
// may read the document: no title is kept that is hidden from the graph or has a permlevel, nor
// a text of any length.
func (t *Type) SnapshotTitle() string {
	f := t.byColumn[t.TitleField]
	if t.TitleField == "" || f == nil || f.Kind != String || f.Long || f.Standard || f.PermLevel > 0 {
		return ""
	}
	return f.Column
}

// SnapshotLinks are the local links that keep snapshots of the documents of each DocType, by
// its Key.
func (r *Registry) SnapshotLinks() map[string][]LocalLink {
	out := map[string][]LocalLink{}
	for key, links := range r.links {
		kept := slices.DeleteFunc(slices.Clone(links), func(l LocalLink) bool { return !l.Field.Snapshot })
		if len(kept) > 0 {
			out[key] = kept
		}
	}
	return out
}

// KeepsSnapshots tells whether some local link keeps snapshots of a DocType's documents.
func (r *Registry) KeepsSnapshots(key string) bool {
	return slices.ContainsFunc(r.links[key], func(l LocalLink) bool { return l.Field.Snapshot })
}

// localSnapshot reads whether a link keeps a snapshot.
func localSnapshot(t *Type, f *Field, target *Type, link *ast.Directive) error {
	a := link.Arguments.ForName("snapshot")
	if a == nil || a.Value.Kind == ast.NullValue {
		return nil
	}
	switch {
	case a.Value.Kind != ast.BooleanValue:
		return at(link.Position, "%s.%s: @link(snapshot: %s): it is true or false", t.Name, f.Name, a.Value)
	case a.Value.Raw != "true":
		return nil
	case target.Source != Upstream:
		return at(link.Position, "%s.%s: @link(snapshot: true): only of documents of ERPNext; rows of %s are in this database", t.Name, f.Name, target.Name)
	}
	f.Snapshot = true
	return nil
}
