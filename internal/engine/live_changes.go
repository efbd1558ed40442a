package engine

import (
	"context"
	"fmt"
	"maps"
	"math"
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

// changeReader makes the events of xChanged and documentChanged: each document of a window
// is read once, with the subscribers' own credential, by a call for each type. That read
// is the access check, the filter and the payload.
type changeReader struct {
	// key stands for the stream over reconnections.
	key event.StreamKey
	// stored are documents of which the database knows that they were shown.
	stored map[docKey]bool
}

// join checks what a subscriber asks before its stream begins, and which of the documents
// that it names it may read now.
func (r *changeReader) join(ctx context.Context, c *class, m *member) error {
	x, err := c.execution(ctx)
	if err != nil {
		return err
	}
	user, err := x.set.Caller(ctx)
	if err != nil {
		return err
	}
	r.key = c.spec.streamKey(user.Name)
	if err := c.live.cfg.Shown.Touch(ctx, r.key, m.start); err != nil {
		return fmt.Errorf("keep what was shown: %w", err)
	}
	fields, err := r.compile(x, c.spec)
	if err != nil {
		return err
	}
	if err := x.checkLive(fields); err != nil {
		return err
	}
	if c.spec.typ == nil {
		return nil
	}
	if c.spec.names == nil {
		return x.mayListen(ctx, c.spec)
	}
	names := make([]string, 0, len(c.spec.names))
	for n := range c.spec.names {
		names = append(names, n)
	}
	rows, err := x.liveRows(ctx, c.spec, c.spec.typ, names)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		if err := x.mayListen(ctx, c.spec); err != nil {
			return err
		}
	}
	m.named = map[string]bool{}
	var readable []docKey
	for n := range rows {
		m.named[n] = true
		readable = append(readable, docKey{c.spec.typ.Key, n})
	}
	r.canonical(x, c.spec, m)
	return r.remember(ctx, c, readable, m.start)
}

// canonical adds the names that ERPNext has for those that the client gave: it takes names
// as equal that differ in case or accents only, and events have its own spelling.
func (r *changeReader) canonical(x *execution, s *liveSpec, m *member) {
	if s.typ.Source != doctype.Upstream || s.where != nil {
		return
	}
	for n := range maps.Clone(s.names) {
		if row, err := x.set.Document(s.typ, n); err == nil && row.Key != n && row.Text(ownerOfDocument) != "" {
			s.names[row.Key], m.named[row.Key] = true, true
		}
	}
}

// mayListen refuses a subscription to documents of which the caller may read none, and one
// whose where ERPNext does not take, while there is somebody to tell.
func (x *execution) mayListen(ctx context.Context, s *liveSpec) error {
	if s.typ.Source == doctype.Single {
		x.set.Documents(ctx, s.typ, []string{s.typ.Key})
		_, err := x.set.Document(s.typ, s.typ.Key)
		return err
	}
	if err := x.set.CheckReadable(ctx, usesOf(s.typ, s.where, nil)); err != nil {
		return err
	}
	_, err := x.set.Page(ctx, loaders.PageQuery{Type: s.typ, Where: s.where, Limit: 1})
	return err
}

// changeField is one selected field of a change.
type changeField struct {
	graphql.CollectedField

	dynamic *dynamicSelection // of document
	got     []*object
}

// compile compiles the selection of a change.
func (r *changeReader) compile(x *execution, s *liveSpec) ([]*changeField, error) {
	typename := "DocumentChange"
	if s.typ != nil {
		typename = s.typ.Change()
	}
	var out []*changeField
	for _, cf := range graphql.CollectFields(x.op, s.field.Selections, []string{typename}) {
		f := &changeField{CollectedField: cf}
		if cf.Name == "document" {
			var err error
			f.dynamic, err = x.comp.dynamic(cf)
			if err == nil && s.typ != nil {
				_, err = x.comp.dynamicFor(f.dynamic, s.typ)
			}
			if err != nil {
				return nil, err
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// checkLive refuses what needs more upstream calls for one window than an operation may make.
func (x *execution) checkLive(fields []*changeField) error {
	p := &plan{calls: map[planned]bool{}}
	for _, f := range fields {
		if f.dynamic != nil {
			for t, sel := range f.dynamic.byTyp {
				p.document(0, t)
				p.selection(1, sel)
			}
		}
	}
	if n := len(p.calls) + p.extra; n > x.set.MaxCalls() {
		return x.set.TooManyCalls(n)
	}
	return nil
}

// window reads the documents of events, and sends what the subscribers may see of them.
func (r *changeReader) window(ctx context.Context, c *class, events []event.Event) error {
	changes := mergeEvents(slices.DeleteFunc(slices.Clone(events), func(e event.Event) bool { return !c.spec.passes(e) }))
	if len(changes) == 0 {
		return nil
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
	known, err := r.known(ctx, c, changes)
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
	return r.send(ctx, c, w, known)
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

// window is what came of the events of a window.
type window struct {
	changes []change
	rows    map[docKey]*loaders.Row
	// results are what is sent; nil for what may not be read. plain is what is sent of a
	// RENAMED to those who don't know the old name.
	results, plain []*liveResult
}

// send hands the results on, each to those whom the rule lets have it. What is shown is
// remembered before.
func (r *changeReader) send(ctx context.Context, c *class, w window, known shownBefore) error {
	var seen []docKey
	for i, e := range w.changes {
		if w.results[i] != nil && w.rows[e.key()] != nil {
			seen = append(seen, e.key())
		}
	}
	// As of the first: who comes back after any of them has seen those before it.
	if err := r.remember(ctx, c, seen, w.changes[0].Seq); err != nil {
		return err
	}
	c.mu.Lock()
	members := slices.Clone(c.members)
	c.mu.Unlock()
	told := map[docKey]bool{} // old names whose end comes with the new name
	for i, e := range w.changes {
		if from := (docKey{e.DocType, e.Previous}); w.results[i] != nil && e.Kind == event.Renamed && w.rows[from] == nil {
			told[from] = true
		}
	}
	for i, e := range w.changes {
		if w.results[i] == nil || e.Kind == event.Deleted && told[e.key()] {
			continue
		}
		now := showing{seq: e.Seq}
		if row := w.rows[e.key()]; row != nil {
			now.modified = row.Text(modifiedOfDocument)
		}
		for _, m := range members {
			if out := r.of(c, m, w, i, now, known); out != nil {
				m.push(out)
			}
		}
		switch e.Kind {
		case event.Deleted:
			delete(c.shown, e.key())
			continue
		case event.Renamed:
			if from := (docKey{e.DocType, e.Previous}); told[from] {
				delete(c.shown, from)
			}
		default:
		}
		c.shown[e.key()] = now
	}
	for at := range c.shown {
		if len(c.shown) <= maxShown {
			break
		}
		delete(c.shown, at)
		c.forgot = true
	}
	return nil
}

// of is what a member gets of change i: nil for nothing.
func (r *changeReader) of(c *class, m *member, w window, i int, now showing, known shownBefore) *liveResult {
	e := w.changes[i]
	from := docKey{e.DocType, e.Previous}
	switch {
	case e.Seq <= m.floor:
		return nil
	case e.Kind == event.Deleted && (!m.saw(c, e.key(), known) || !c.spec.wants(event.Deleted)):
		return nil
	case e.Kind == event.Renamed && (w.rows[from] != nil || !m.saw(c, from, known)):
		// Its old name is another's by now, or never was told: it is just a document.
		if !c.spec.wants(event.Updated) {
			return nil
		}
		return w.plain[i]
	case e.Kind == event.Renamed && m.named[e.Previous]:
		m.named[e.Name] = true
	case e.Kind == event.Updated && now.modified != "" && c.shown[e.key()].modified == now.modified && c.shown[e.key()].seq > m.start:
		return nil // that state came with an earlier event
	}
	return w.results[i]
}

// remember has the database know what is about to be shown, once for each document.
func (r *changeReader) remember(ctx context.Context, c *class, docs []docKey, seq int64) error {
	byType := map[string][]string{}
	for _, d := range docs {
		if !r.stored[d] {
			byType[d.doctype] = append(byType[d.doctype], d.name)
		}
	}
	for key, names := range byType {
		if err := c.live.cfg.Shown.Remember(ctx, r.key, key, names, seq); err != nil {
			return fmt.Errorf("remember what was shown: %w", err)
		}
	}
	if r.stored == nil || len(r.stored) > maxShown {
		r.stored = map[docKey]bool{}
	}
	for _, d := range docs {
		r.stored[d] = true
	}
	return nil
}

// shownBefore are, for each place at which a subscriber came again, the documents that it
// had been shown by then.
type shownBefore map[int64]map[docKey]bool

// everShown is the place in shownBefore of all that the stream has shown: for a class that
// has forgotten some of it.
const everShown = math.MaxInt64

// known asks which of the documents that end, or change their name, were shown to
// subscribers before they came again.
func (r *changeReader) known(ctx context.Context, c *class, changes []change) (shownBefore, error) {
	byType := map[string][]string{}
	for _, e := range changes {
		if e.ended { // the old names of those that were renamed among them
			byType[e.DocType] = append(byType[e.DocType], e.Name)
		}
	}
	out := shownBefore{}
	if len(byType) == 0 {
		return out, nil
	}
	c.mu.Lock()
	for _, m := range c.members {
		if m.resumed > 0 {
			out[m.resumed] = map[docKey]bool{}
		}
	}
	c.mu.Unlock()
	if c.forgot {
		out[everShown] = map[docKey]bool{}
	}
	for at, docs := range out {
		for key, names := range byType {
			known, err := c.live.cfg.Shown.Known(ctx, r.key, key, names, at)
			if err != nil {
				return nil, fmt.Errorf("look up what was shown: %w", err)
			}
			for name, ok := range known {
				docs[docKey{key, name}] = ok
			}
		}
	}
	return out, nil
}
