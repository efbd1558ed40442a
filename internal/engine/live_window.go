package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/event"
	"erpgraph/loaders"
)

// window is what came of the events of a window.
type window struct {
	changes []change
	rows    map[docKey]*loaders.Row
	// results are what is sent; nil for what may not be read. plain is what is sent of a
	// RENAMED to those who don't know the old name.
	results, plain []*liveResult
}

// window reads the documents of events, and sends what the subscribers may see of them.
func (r *changeReader) window(ctx context.Context, c *class, events []event.Event) error {
	var renames []event.Event
	changes := mergeEvents(slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool {
		if c.spec.follows(e) {
			renames = append(renames, e)
		}
		return !c.spec.passes(e)
	}))
	if len(changes) == 0 {
		return r.follow(ctx, c, renames)
	}
	x, err := c.execution(ctx)
	if err != nil {
		return err
	}
	fields, err := r.compile(x, c.spec)
	if err != nil {
		return err
	}
	rows, err := r.read(ctx, x, c.spec, fields, changes)
	if err != nil {
		return err
	}
	known, err := r.known(ctx, c, changes, renames)
	if err != nil {
		return err
	}
	x.prepareChanges(c.spec, fields, changes, rows)
	if err := x.levels(); err != nil {
		return err
	}
	w := window{changes: changes, rows: rows, results: make([]*liveResult, len(changes)), plain: make([]*liveResult, len(changes))}
	for i := range changes {
		if err := w.render(x, c, fields, i); err != nil {
			return err
		}
	}
	x.liveErrors(ctx, c.spec.field.Alias, w.results)
	for i, p := range w.plain {
		if p != nil && w.results[i] != nil {
			p.errs = w.results[i].errs
		}
	}
	return r.send(ctx, c, w, renames, known)
}

// render writes change i, once for those who know the document, and once for those who
// don't know it by its old name.
func (w *window) render(x *execution, c *class, fields []*changeField, i int) (err error) {
	now := w.changes[i]
	there := w.rows[now.key()] != nil
	switch {
	case !there && !now.ended:
		return nil // what may not be read is not told of
	case !there:
		now.Kind, now.Previous = event.Deleted, ""
	case now.Kind == event.Deleted:
		now.Kind = event.Updated // it is there again, or was never gone
	case now.Kind == event.Renamed:
		plain := now.Event
		plain.Kind, plain.Previous = event.Updated, ""
		if w.plain[i], err = x.change(c, fields, i, plain); err != nil {
			return err
		}
	}
	w.changes[i] = now
	w.results[i], err = x.change(c, fields, i, now.Event)
	return err
}

// read reads the documents of events, by type and name. Also those of deletions: who was
// deleted may be there again.
func (r *changeReader) read(
	ctx context.Context, x *execution, s *liveSpec, fields []*changeField, events []change,
) (map[docKey]*loaders.Row, error) {
	byType := map[string][]string{}
	for _, e := range events {
		if x.engine.registry.ByKey(e.DocType) != nil {
			byType[e.DocType] = append(byType[e.DocType], e.Name)
		}
	}
	for key := range byType { // before the first read, so that a document is read once with all that is selected
		for _, f := range fields {
			if f.dynamic == nil {
				continue
			}
			if _, err := x.comp.dynamicFor(f.dynamic, x.engine.registry.ByKey(key)); err != nil {
				return nil, err
			}
		}
	}
	out := map[docKey]*loaders.Row{}
	for key, names := range byType {
		t := x.engine.registry.ByKey(key)
		rows, err := x.liveRows(ctx, s, t, names)
		if err != nil {
			return nil, err
		}
		for name, row := range rows {
			out[docKey{key, name}] = row
		}
	}
	return out, nil
}

// ownerOfDocument is null in a document that may only be linked to: ERPNext lists those too.
const ownerOfDocument = "owner"

// modifiedOfDocument tells one state of a document from the next.
const modifiedOfDocument = "modified"

// liveRows are the documents of the names that the caller may read, and that match.
func (x *execution) liveRows(ctx context.Context, s *liveSpec, t *doctype.Type, names []string) (map[string]*loaders.Row, error) {
	if t.Source == doctype.Upstream {
		x.set.Select(t, ownerOfDocument, modifiedOfDocument)
	}
	out := map[string]*loaders.Row{}
	keep := func(name string, row *loaders.Row) {
		if row != nil && (t.Source != doctype.Upstream || row.Text(ownerOfDocument) != "") {
			out[name] = row
		}
	}
	if s.where == nil {
		x.set.Documents(ctx, t, names)
		for _, name := range names {
			row, err := x.set.Document(t, name)
			switch code := apierror.CodeOf(err); {
			case err == nil && (row.Key == name || t.Source == doctype.Single):
				keep(name, row)
			case err == nil, code == apierror.Forbidden, code == apierror.NotFound:
			default:
				return nil, err
			}
		}
		return out, nil
	}
	if err := x.set.CheckReadable(ctx, usesOf(t, s.where, nil)); err != nil {
		return nil, err
	}
	key := t.ByColumn("name")
	if t.Source == doctype.Local {
		key = t.Field("id")
	}
	values := make([]any, len(names))
	for i, n := range names {
		values[i] = n
	}
	page, err := x.set.Page(ctx, loaders.PageQuery{Type: t, Limit: len(names), Where: &criteria.Expr{And: []*criteria.Expr{
		{Cond: &criteria.Cond{Field: key, Op: criteria.In, Value: values, Path: "names"}}, s.where,
	}}})
	if err != nil {
		return nil, err
	}
	for _, row := range page.Rows {
		if slices.Contains(names, row.Key) {
			keep(row.Key, row)
		}
	}
	return out, nil
}

// prepareChanges makes the objects of what was read.
func (x *execution) prepareChanges(s *liveSpec, fields []*changeField, changes []change, rows map[docKey]*loaders.Row) {
	for _, f := range fields {
		f.got = make([]*object, len(changes))
	}
	for i, e := range changes {
		row := rows[e.key()]
		for _, f := range fields {
			if f.dynamic == nil || row == nil {
				continue
			}
			at := place{field: s.field.Field, inner: f.Alias, index: i}
			sel, err := x.comp.dynamicFor(f.dynamic, x.engine.registry.ByKey(e.DocType))
			if err != nil {
				x.fail(err, at)
				continue
			}
			f.got[i] = x.object(row, sel, at)
		}
	}
}

// change writes event i.
func (x *execution) change(c *class, fields []*changeField, i int, e event.Event) (*liveResult, error) {
	cursor := event.Cursor{Epoch: c.at.Epoch, Seq: e.Seq}.String()
	w := &writer{x: x}
	first := true
	w.b = append(w.b, '{')
	for _, f := range fields {
		w.key(&first, f.Alias)
		switch f.Name {
		case "__typename":
			w.b = appendQuoted(w.b, f.ObjectDefinition.Name)
		case "cursor":
			w.b = appendQuoted(w.b, cursor)
		case "kind":
			w.b = appendQuoted(w.b, string(e.Kind))
		case "at":
			w.b = appendQuoted(w.b, e.At.UTC().Format(time.RFC3339Nano))
		case "doctype":
			w.b = appendQuoted(w.b, e.DocType)
		case "name":
			w.b = appendQuoted(w.b, e.Name)
		case "id":
			w.b = appendQuoted(w.b, encodeID(e.DocType, e.Name))
		case "previousName":
			if e.Previous == "" {
				w.null()
			} else {
				w.b = appendQuoted(w.b, e.Previous)
			}
		case "document":
			if f.got[i] == nil || !w.object(f.got[i]) {
				w.null()
			}
		default:
			return nil, fmt.Errorf("%s.%s is in the SDL but not in the engine", f.ObjectDefinition.Name, f.Name)
		}
	}
	if x.over != nil {
		return nil, x.over
	}
	w.b = append(w.b, '}')
	return c.result(slices.Clip(w.b), cursor), nil
}

// liveErrors gives each event its errors. Those that came up before there was an event of
// them have its place as the index of a list, which is taken out.
func (x *execution) liveErrors(ctx context.Context, alias string, results []*liveResult) {
	x.reportErrors(ctx)
	for _, e := range graphql.GetErrors(ctx) {
		own := *e
		at := -1
		if len(e.Path) > 2 && e.Path[0] == ast.PathName(alias) {
			if i, ok := e.Path[2].(ast.PathIndex); ok {
				at = int(i)
				own.Path = append(slices.Clone(e.Path[:2]), e.Path[3:]...)
			}
		}
		for i, r := range results {
			if r != nil && (at == i || at < 0) {
				r.errs = append(r.errs, &own)
			}
		}
	}
	for _, r := range results {
		if r != nil {
			slices.SortStableFunc(r.errs, func(a, b *gqlerror.Error) int { return strings.Compare(a.Path.String(), b.Path.String()) })
		}
	}
}
