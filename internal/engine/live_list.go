package engine

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/event"
	"erpgraph/loaders"
)

// listReader makes the events of xsLive. ERPNext (or Postgres) gives the list anew when
// something of its type changed, and the subscribers get how it differs from the last one:
// so they see what the list itself would show them, with its order, its where and its
// length, by one call for each window however much has changed.
type listReader struct {
	rows []listRow
}

// listRow is a row of the list as it was last sent.
type listRow struct{ name, json string }

// listField is one selected field of a list's change.
type listField struct {
	graphql.CollectedField

	sel *selection // of added, changed
	got []*object
}

// join gives a subscriber the list as it is now.
func (r *listReader) join(ctx context.Context, c *class, m *member) error {
	// Before the read: what happens from here on is told.
	at := event.Cursor{Epoch: c.at.Epoch, Seq: m.start}.String()
	x, fields, err := r.read(ctx, c)
	if err != nil {
		return err
	}
	rows := r.render(x, c, fields)
	all := make([]int, len(rows))
	for i := range all {
		all[i] = i
	}
	first, err := x.listChange(c, fields, listDiff{snapshot: true, added: all}, rows, at)
	if err != nil {
		return err
	}
	diff := r.diff(rows)
	var rest *liveResult
	if !diff.empty() {
		if rest, err = x.listChange(c, fields, diff, rows, at); err != nil {
			return err
		}
	}
	x.listErrors(ctx, fields, listDiff{added: all}, first)
	if rest != nil {
		x.listErrors(ctx, fields, diff, rest)
		c.send(rest, func(*member) bool { return true })
	}
	r.rows = rows
	m.push(first)
	return nil
}

// window compares the list with the last one.
func (r *listReader) window(ctx context.Context, c *class, events []event.Event) error {
	x, fields, err := r.read(ctx, c)
	if err != nil {
		return err
	}
	rows := r.render(x, c, fields)
	diff := r.diff(rows)
	if x.over != nil {
		return x.over
	}
	if diff.empty() {
		return nil
	}
	cursor := event.Cursor{Epoch: c.at.Epoch, Seq: events[len(events)-1].Seq}.String()
	out, err := x.listChange(c, fields, diff, rows, cursor)
	if err != nil {
		return err
	}
	x.listErrors(ctx, fields, diff, out)
	r.rows = rows
	c.send(out, func(*member) bool { return true })
	return nil
}

// read reads the list.
func (r *listReader) read(ctx context.Context, c *class) (*execution, []*listField, error) {
	x, err := c.execution(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, t := c.spec.list, c.spec.typ
	p := &plan{calls: map[planned]bool{}}
	p.add(0, t, nil, "list")
	var fields []*listField
	for _, cf := range graphql.CollectFields(x.op, c.spec.field.Selections, []string{t.ListChange()}) {
		f := &listField{CollectedField: cf}
		if cf.Name == "added" || cf.Name == "changed" {
			if f.sel, err = x.comp.object(t, t.Name, cf); err != nil {
				return nil, nil, err
			}
			p.selection(1, f.sel)
		}
		fields = append(fields, f)
	}
	if n := len(p.calls) + p.extra; n > x.set.MaxCalls() {
		return nil, nil, x.set.TooManyCalls(n)
	}
	if err := x.set.CheckReadable(ctx, list.uses()); err != nil {
		return nil, nil, err
	}
	page, err := x.set.Page(ctx, loaders.PageQuery{Type: t, Where: list.where, Order: list.order, Limit: list.limit})
	if err != nil {
		return nil, nil, err
	}
	for _, f := range fields {
		if f.sel != nil {
			f.got = x.objects(page.Rows, f.sel, place{field: c.spec.field.Field, inner: f.Alias})
		}
	}
	if err := x.levels(); err != nil {
		return nil, nil, err
	}
	x.page = page
	return x, fields, nil
}

// render writes each row as the client selects it: rows that look the same have not changed.
func (r *listReader) render(x *execution, c *class, fields []*listField) []listRow {
	rows := make([]listRow, len(x.page.Rows))
	for i, row := range x.page.Rows {
		w := &writer{x: x}
		selected := false
		for _, f := range fields {
			if f.sel != nil {
				selected = true
				if !w.object(f.got[i]) {
					w.null()
				}
			}
		}
		if m := c.spec.typ.ByColumn("modified"); !selected && m != nil {
			w.b = append(w.b, row.Text("modified")...)
		}
		rows[i] = listRow{name: row.Key, json: string(w.b)}
	}
	return rows
}

// listDiff is how a list differs from the last one: indexes of its rows, and what is gone.
type listDiff struct {
	snapshot, moved bool
	added, changed  []int
	removed         []string
}

func (d listDiff) empty() bool {
	return !d.moved && len(d.added)+len(d.changed)+len(d.removed) == 0
}

// diff compares rows with those that were last sent.
func (r *listReader) diff(rows []listRow) listDiff {
	var d listDiff
	before := make(map[string]string, len(r.rows))
	for _, row := range r.rows {
		before[row.name] = row.json
	}
	var stayed []string
	for i, row := range rows {
		last, ok := before[row.name]
		switch {
		case !ok:
			d.added = append(d.added, i)
			continue
		case last != row.json:
			d.changed = append(d.changed, i)
		}
		stayed = append(stayed, row.name)
		delete(before, row.name)
	}
	var kept []string
	for _, row := range r.rows {
		if _, gone := before[row.name]; gone {
			d.removed = append(d.removed, row.name)
		} else {
			kept = append(kept, row.name)
		}
	}
	d.moved = !slices.Equal(stayed, kept)
	return d
}

// listChange writes an event of a list.
func (x *execution) listChange(c *class, fields []*listField, d listDiff, rows []listRow, cursor string) (*liveResult, error) {
	key := c.spec.typ.Key
	w := &writer{x: x}
	first := true
	w.b = append(w.b, '{')
	for _, f := range fields {
		w.key(&first, f.Alias)
		switch f.Name {
		case "__typename":
			w.b = appendQuoted(w.b, c.spec.typ.ListChange())
		case "cursor":
			w.b = appendQuoted(w.b, cursor)
		case "at":
			w.b = appendQuoted(w.b, time.Now().UTC().Format(time.RFC3339Nano))
		case "snapshot":
			w.b = strconv.AppendBool(w.b, d.snapshot)
		case "order":
			ids := make([]string, len(rows))
			for i, row := range rows {
				ids[i] = encodeID(key, row.name)
			}
			w.texts(ids)
		case "removed":
			ids := make([]string, len(d.removed))
			for i, name := range d.removed {
				ids[i] = encodeID(key, name)
			}
			w.texts(ids)
		case "added":
			w.some(f, d.added)
		case "changed":
			w.some(f, d.changed)
		}
	}
	if x.over != nil {
		return nil, x.over
	}
	w.b = append(w.b, '}')
	return c.result(slices.Clip(w.b), cursor), nil
}

// listErrors gives an event the errors of the rows that are in it, at their places there.
func (x *execution) listErrors(ctx context.Context, fields []*listField, d listDiff, r *liveResult) {
	x.reportErrors(ctx)
	x.errs = nil
	for _, e := range graphql.GetErrors(ctx) {
		own := *e
		if len(e.Path) > 2 {
			at := -1
			row, _ := e.Path[2].(ast.PathIndex)
			for _, f := range fields {
				if e.Path[1] != ast.PathName(f.Alias) {
					continue
				}
				shown := d.added
				if f.Name == "changed" {
					shown = d.changed
				}
				at = slices.Index(shown, int(row))
			}
			if at < 0 {
				continue
			}
			own.Path = slices.Concat(e.Path[:2], ast.Path{ast.PathIndex(at)}, e.Path[3:])
		}
		r.errs = append(r.errs, &own)
	}
}

// some writes those of the rows that are meant; null where a row can't be written.
func (w *writer) some(f *listField, indexes []int) {
	list := make([]*object, len(indexes))
	for i, n := range indexes {
		list[i] = f.got[n]
	}
	w.objects(list, f.Definition.Type)
}
