package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// snapshotGroup reads what is kept of the documents that the local rows of a level link to,
// whatever their types.
type snapshotGroup struct {
	documents []loaders.LinkedDocument
	asked     map[loaders.LinkedDocument]bool
	wants     []snapshotWant
	kept      map[loaders.LinkedDocument]loaders.Snapshot
	err       error
}

type snapshotWant struct {
	document loaders.LinkedDocument
	owner    *object
	f        *field
}

// snapshot asks for what is kept of a row's link. The row was read as the caller, who sees it:
// that is all that a snapshot asks of him.
func (l *level) snapshot(owner *object, f *field) {
	document := loaders.LinkedDocument{DocType: f.def.Target, Name: owner.row.Text(f.def.Column)}
	if document.Name == "" {
		return
	}
	if l.snaps == nil {
		l.snaps = &snapshotGroup{asked: map[loaders.LinkedDocument]bool{}}
	}
	g := l.snaps
	if !g.asked[document] {
		g.asked[document] = true
		g.documents = append(g.documents, document)
	}
	g.wants = append(g.wants, snapshotWant{document, owner, f})
}

func (g *snapshotGroup) call(x *execution) call {
	return call{
		run: func(ctx context.Context) { g.kept, g.err = x.set.Snapshots(ctx, g.documents) },
		deliver: func() {
			for _, w := range g.wants {
				if g.err != nil {
					x.failOnce(g.err, place{owner: w.owner, field: w.f.Field, index: -1}, failure{field: w.f.Field})
					continue
				}
				if kept, ok := g.kept[w.document]; ok {
					w.owner.slots[w.f.slot].kept = &kept
				}
			}
		},
	}
}

// snapshot writes what is kept of a link's document, or null. By now the whole answer is read,
// and it is known of which DocTypes ERPNext could not be asked.
func (w *writer) snapshot(o *object, f *field) {
	kept := o.slot(f).kept
	if kept == nil {
		w.null()
		return
	}
	title := ""
	if kept.Title != nil {
		title = *kept.Title
	}
	w.strings(graphql.CollectFields(w.x.op, f.Selections, []string{doctype.SnapshotType}), map[string]string{
		"__typename": doctype.SnapshotType, "name": kept.Name, "title": title, "seenAt": kept.SeenAt.UTC().Format(time.RFC3339Nano),
	}, func(graphql.CollectedField) {
		w.b = strconv.AppendBool(w.b, kept.Dangling || w.x.set.Unasked(kept.DocType))
	})
}
