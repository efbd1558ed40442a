package engine

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// builtins are the root fields of schema/core.graphqls.
var builtins = map[string]func(*execution, graphql.CollectedField) (task, error){
	"node":        nodeRoot,
	"nodes":       nodeRoot,
	"document":    documentRoot,
	"documents":   documentsRoot,
	"linkOptions": linkOptionsRoot,
	"search":      searchRoot,
	"me":          meRoot,

	"danglingLinks": danglingRoot,
	"eventCursor":   eventCursorRoot,
}

// nodeTask reads objects by global id.
type nodeTask struct {
	rootField
	many    bool
	ids     []string
	dynamic *dynamicSelection
	got     []*object
	err     error // what is wrong with the arguments
}

func nodeRoot(x *execution, f graphql.CollectedField) (task, error) {
	args := argumentsOf(f, x.op.Variables)
	t := &nodeTask{rootField: rootField{x, f}, many: f.Name == "nodes", ids: []string{args.text("id")}}
	if t.many {
		t.ids, t.err = args.texts("ids")
		if t.err == nil && len(t.ids) > x.engine.cfg.MaxPage {
			t.err = badInput("ids", "has %d ids; %d are allowed", len(t.ids), x.engine.cfg.MaxPage)
		}
	}
	t.got = make([]*object, len(t.ids))
	var err error
	t.dynamic, err = x.comp.dynamic(f)
	return t, err
}

func (t *nodeTask) place(i int) place {
	at := t.at()
	if t.many {
		at.index = i
	}
	return at
}

func (t *nodeTask) start() {
	if t.err != nil {
		t.x.fail(t.err, t.at())
		return
	}
	for i, id := range t.ids {
		key, name, err := decodeID(id)
		target := t.x.engine.registry.ByKey(key)
		if err == nil && (target == nil || target.Source == doctype.Child) {
			err = badInput("id", "is of a type that is not in the graph")
		}
		var sel *selection
		if err == nil {
			sel, err = t.x.comp.dynamicFor(t.dynamic, target)
		}
		if err != nil {
			t.x.fail(err, t.place(i))
			continue
		}
		t.x.next.document(target, docWant{
			name: name, sel: sel, at: t.place(i), single: !t.many && target.Source == doctype.Upstream,
			into: func(o *object) { t.got[i] = o },
		})
	}
}

func (t *nodeTask) plan(p *plan) {
	for typ, sel := range t.dynamic.byTyp {
		p.document(0, typ)
		p.selection(1, sel)
	}
}

func (t *nodeTask) write(w *writer) *Result {
	if !t.many {
		return t.finish(w, t.got[0] != nil && w.object(t.got[0]))
	}
	return t.finish(w, w.objects(t.got, t.f.Definition.Type))
}

// rawTask reads something by one function and writes it by another: for root fields
// whose answer is not made of the registry's types.
type rawTask struct {
	rootField
	calls int
	read  func(ctx context.Context) error
	show  func(w *writer)
	// empty is what is shown when the read failed: null, or an empty list where the
	// contract has no null.
	empty string
	err   error
}

func (t *rawTask) start() {
	if t.err != nil {
		t.x.fail(t.err, t.at())
		return
	}
	t.x.next.others = append(t.x.next.others, call{
		run: func(ctx context.Context) { t.err = t.read(ctx) },
		deliver: func() {
			if t.err != nil {
				t.x.fail(t.err, t.at())
			}
		},
	})
}

func (t *rawTask) plan(p *plan) { p.extra += t.calls }

func (t *rawTask) write(w *writer) *Result {
	if t.err != nil {
		w.b = append(w.b, t.empty...)
	} else {
		t.show(w)
	}
	return t.finish(w, true)
}

// documentRoot gives any document as JSON.
func documentRoot(x *execution, f graphql.CollectedField) (task, error) {
	args := argumentsOf(f, x.op.Variables)
	var doc map[string]jsontext.Value
	t := &rawTask{rootField: rootField{x, f}, calls: 1, empty: "null"}
	t.read = func(ctx context.Context) (err error) {
		doc, err = x.set.AnyDocument(ctx, args.text("doctype"), args.text("name"))
		return err
	}
	t.show = func(w *writer) { w.rawObject(doc) }
	return t, nil
}

// rawObject writes a document as ERPNext sent it, keys in their order.
func (w *writer) rawObject(doc map[string]jsontext.Value) {
	w.b = append(w.b, '{')
	keys := make([]string, 0, len(doc))
	for k := range doc {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(appendQuoted(w.b, k), ':')
		if v := doc[k]; len(v) > 0 {
			w.b = append(w.b, v...)
		} else {
			w.null()
		}
	}
	w.b = append(w.b, '}')
}

// linkOptionsRoot gives what ERPNext's own link field would show the caller.
func linkOptionsRoot(x *execution, f graphql.CollectedField) (task, error) {
	args := argumentsOf(f, x.op.Variables)
	t := &rawTask{rootField: rootField{x, f}, calls: 1, empty: "[]"}
	limit, err := x.pageSize(args)
	q := frappe.LinkQuery{DocType: args.text("doctype"), Text: args.text("text"), Limit: limit}
	if err == nil {
		q.Filters, err = plainFilters(args["filters"])
	}
	t.err = err
	fields := graphql.CollectFields(x.op, f.Selections, []string{"LinkOption"})
	var options []frappe.LinkOption
	t.read = func(ctx context.Context) (err error) {
		if err = x.set.CheckAnyReadable(ctx, q.DocType, filterFields(q.Filters)); err == nil {
			options, err = x.set.LinkOptions(ctx, q)
		}
		return err
	}
	t.show = func(w *writer) {
		w.b = append(w.b, '[')
		for i, o := range options {
			if i > 0 {
				w.b = append(w.b, ',')
			}
			w.strings(fields, map[string]string{
				"__typename": "LinkOption", "name": o.Name, "label": o.Label, "description": o.Description,
			}, nil)
		}
		w.b = append(w.b, ']')
	}
	return t, nil
}

// strings writes an object of text fields; empty texts are null but for names. other
// writes the fields that are no text.
func (w *writer) strings(fields []graphql.CollectedField, values map[string]string, other func(f graphql.CollectedField)) {
	w.b = append(w.b, '{')
	first := true
	for _, f := range fields {
		w.key(&first, f.Alias)
		value, ok := values[f.Name]
		switch {
		case ok && (value != "" || nonNull(f)):
			w.b = appendQuoted(w.b, value)
		case !ok && other != nil:
			other(f)
		default:
			w.null()
		}
	}
	w.b = append(w.b, '}')
}

func (x *execution) pageSize(args arguments) (int, error) {
	n, ok, err := args.int("first")
	if err != nil {
		return 0, err
	}
	if !ok {
		return x.engine.cfg.DefaultPage, nil
	}
	if n < 1 || n > x.engine.cfg.MaxPage {
		return 0, badInput("first", "must be between 1 and %d", x.engine.cfg.MaxPage)
	}
	return n, nil
}

// searchTask looks for text in several DocTypes, as their link fields would. A DocType
// that fails is an error of its own; the hits of the others stand.
type searchTask struct {
	rootField
	doctypes []string
	query    frappe.LinkQuery
	err      error
	fields   []graphql.CollectedField
	found    [][]frappe.LinkOption
	errs     []error
	// documents are the objects of the document field, by alias, DocType and name.
	documents map[hit]*object
	// selections are what is selected of them, by alias.
	selections map[string]*dynamicSelection
}

type hit struct{ alias, doctype, name string }

// maxSearchTypes bounds the calls of one search.
const maxSearchTypes = 10

func searchRoot(x *execution, f graphql.CollectedField) (task, error) {
	args := argumentsOf(f, x.op.Variables)
	t := &searchTask{
		rootField: rootField{x, f}, documents: map[hit]*object{}, selections: map[string]*dynamicSelection{},
		fields: graphql.CollectFields(x.op, f.Selections, []string{"SearchHit"}),
	}
	t.query.Text = args.text("text")
	if t.doctypes, t.err = args.texts("doctypes"); t.err != nil {
		return t, nil //nolint:nilerr // start tells it, at the field
	}
	if t.query.Limit, t.err = x.pageSize(args); t.err != nil {
		return t, nil //nolint:nilerr // likewise
	}
	t.doctypes = unique(t.doctypes)
	if len(t.doctypes) == 0 || len(t.doctypes) > maxSearchTypes {
		t.err = badInput("doctypes", "must name 1 to %d DocTypes", maxSearchTypes)
		return t, nil
	}
	// Compiled before anything is read, so that the columns are in the union.
	for _, field := range t.fields {
		if field.Name != "document" {
			continue
		}
		d := &dynamicSelection{field: field, byTyp: map[*doctype.Type]*selection{}}
		t.selections[field.Alias] = d
		for _, key := range t.doctypes {
			if _, err := x.comp.dynamicFor(d, t.target(key)); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (t *searchTask) plan(p *plan) { p.extra += len(t.doctypes) }

func (t *searchTask) start() {
	if t.err != nil {
		t.x.fail(t.err, t.at())
		return
	}
	t.found = make([][]frappe.LinkOption, len(t.doctypes))
	t.x.next.others = append(t.x.next.others, call{
		run: func(ctx context.Context) {
			t.errs = loaders.Parallel(len(t.doctypes), func(i int) (err error) {
				q := t.query
				q.DocType = t.doctypes[i]
				t.found[i], err = t.x.set.LinkOptions(ctx, q)
				return err
			})
		},
		deliver: t.deliver,
	})
}

// deliver asks for the documents of the hits, where they are selected.
func (t *searchTask) deliver() {
	index := 0
	for i, options := range t.found {
		if t.errs[i] != nil {
			t.x.fail(t.errs[i], t.at())
		}
		for _, o := range options {
			t.expand(index, t.doctypes[i], o.Name)
			index++
		}
	}
}

// target is the type of a DocType's hits.
func (t *searchTask) target(key string) *doctype.Type {
	if target := t.x.engine.registry.ByKey(key); target != nil && target.IsDocument() {
		return target
	}
	return t.x.comp.foreignType(key)
}

func (t *searchTask) expand(index int, key, name string) {
	for _, f := range t.fields {
		if f.Name != "document" {
			continue
		}
		at := place{field: t.f.Field, index: index, leaf: f.Alias}
		target := t.target(key)
		sel, err := t.x.comp.dynamicFor(t.selections[f.Alias], target)
		if err != nil {
			t.x.failOnce(err, at, failure{field: f.Field})
			continue
		}
		into := func(o *object) { t.documents[hit{f.Alias, key, name}] = o }
		if sel.shallow || target.Name == foreignName {
			into(&object{name: name, sel: sel, at: at})
			continue
		}
		t.x.next.document(target, docWant{name: name, sel: sel, at: at, into: into})
	}
}

func (t *searchTask) write(w *writer) *Result {
	w.b = append(w.b, '[')
	first := true
	for i, options := range t.found {
		for _, o := range options {
			if !first {
				w.b = append(w.b, ',')
			}
			first = false
			w.strings(t.fields, map[string]string{
				"__typename": "SearchHit", "doctype": t.doctypes[i], "name": o.Name, "label": o.Label, "description": o.Description,
			}, func(f graphql.CollectedField) {
				linked := t.documents[hit{f.Alias, t.doctypes[i], o.Name}]
				if linked == nil || !w.object(linked) {
					w.null()
				}
			})
		}
	}
	w.b = append(w.b, ']')
	return t.finish(w, true)
}
