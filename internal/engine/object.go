package engine

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// object is one object of the answer: a row seen through a selection. row is nil where
// only the name is known.
type object struct {
	name  string
	row   *loaders.Row
	sel   *selection
	at    place
	slots []slot
}

// slot holds what a field that is not in the row itself came to.
type slot struct {
	object *object
	list   []*object
	conn   *connectionResult
	value  graphql.Marshaler
	kept   *loaders.Snapshot
}

// connectionResult is a connection of the answer. page is nil where the read failed.
type connectionResult struct {
	conn  *connection
	at    place
	page  *loaders.Page
	total *int64
	lists [][]*object // for each of conn.nodes
}

// object makes the object of a row and asks for what its selection needs next.
func (x *execution) object(row *loaders.Row, sel *selection, at place) *object {
	return x.objectIn(new(object), make([]slot, sel.slots), row, sel, at)
}

// objectIn is object in memory that several objects share.
func (x *execution) objectIn(o *object, slots []slot, row *loaders.Row, sel *selection, at place) *object {
	*o = object{name: row.Key, row: row, sel: sel, at: at}
	if x.budget.object(x.ctx) && sel.slots > 0 {
		o.slots = slots
		x.expand(o)
	}
	return o
}

// objects makes the objects of a list of rows; at is the place of the list.
func (x *execution) objects(rows []*loaders.Row, sel *selection, at place) []*object {
	if x.over != nil {
		return nil
	}
	all := make([]object, len(rows))
	out := make([]*object, len(rows))
	slots := make([]slot, len(rows)*sel.slots)
	for i, row := range rows {
		at.index = i
		out[i] = x.objectIn(&all[i], slots[i*sel.slots:(i+1)*sel.slots:(i+1)*sel.slots], row, sel, at)
	}
	return out
}

// expand asks for the links, tables and lists of an object.
func (x *execution) expand(o *object) {
	for _, f := range o.sel.fields {
		if f.slot < 0 {
			continue
		}
		switch f.kind {
		case linkField:
			x.expandLink(o, f)
		case dynamicField:
			x.expandDynamic(o, f)
		case tableField:
			x.next.children(o.row.Type, x.engine.registry.ByKey(f.def.Target),
				kidWant{key: loaders.ChildKey{Parent: o.name, Field: f.def.Column}, owner: o, f: f})
		case reverseField, reverseRowField:
			result := &connectionResult{conn: f.conn, at: place{owner: o, field: f.Field, index: -1}}
			o.slots[f.slot].conn = result
			if f.conn.err != nil {
				x.failOnce(f.conn.err, result.at, failure{field: f.Field})
				continue
			}
			x.next.reverse(o.row.Type, f.conn, o.name, result)
		case customField:
			if x.resolver() {
				x.next.custom(x, o, f)
			}
		case workflowField:
			if x.resolver() {
				x.next.workflow(x, o, f)
			}
		case snapshotField:
			x.next.snapshot(o, f)
		}
	}
}

func (x *execution) expandLink(o *object, f *field) {
	name := o.row.Text(f.def.Column)
	if name == "" {
		x.checkGone(o, f)
		return
	}
	target := x.engine.registry.ByKey(f.def.Target)
	x.link(o, f, target, f.sel, name)
}

// link fills a link's slot: at once where only the name is selected, else by a read.
func (x *execution) link(o *object, f *field, target *doctype.Type, sel *selection, name string) {
	at := place{owner: o, field: f.Field, index: -1}
	if sel.shallow {
		o.slots[f.slot].object = &object{name: name, sel: sel, at: at}
		return
	}
	x.next.document(target, docWant{
		name: name, sel: sel, at: at, nonNull: nonNull(f.CollectedField),
		into: func(linked *object) { o.slots[f.slot].object = linked },
	})
}

func (x *execution) expandDynamic(o *object, f *field) {
	name, key := o.row.Text(f.def.Column), o.row.Text(f.def.Options)
	if name == "" || key == "" {
		x.checkGone(o, f)
		return
	}
	target := x.engine.registry.ByKey(key)
	if target == nil || target.Source == doctype.Child || target.Source == doctype.Local {
		target = x.comp.foreignType(key)
	}
	sel, err := x.comp.dynamicFor(f.dynamic, target)
	if err != nil {
		x.failOnce(err, place{owner: o, field: f.Field, index: -1}, failure{field: f.Field})
		return
	}
	if target.Name == foreignName {
		// Nothing but its name and DocType is known of a document outside the graph.
		o.slots[f.slot].object = &object{name: name, sel: sel, at: place{owner: o, field: f.Field, index: -1}}
		return
	}
	x.link(o, f, target, sel, name)
}

// foreignName is the type of documents whose DocType is not in the graph.
const foreignName = "ForeignDocument"

func (c *compiler) foreignType(key string) *doctype.Type {
	if t := c.foreign[key]; t != nil {
		return t
	}
	t := &doctype.Type{Name: foreignName, Key: key, Source: doctype.Upstream, Fields: []*doctype.Field{
		{Name: "owner", Column: "owner", Standard: true},
		{Name: "modifiedBy", Column: "modified_by", Standard: true},
		{Name: "creation", Column: "creation", Kind: doctype.DateTime, Standard: true},
		{Name: "modified", Column: "modified", Kind: doctype.DateTime, Standard: true},
		{Name: "docstatus", Column: "docstatus", Kind: doctype.Int, Standard: true},
		{Name: "name", Column: "name", NonNull: true, Standard: true},
	}}
	doctype.NewRegistry([]*doctype.Type{t})
	c.foreign[key] = t
	return t
}

// connection fills a connection with its page.
func (x *execution) connection(into *connectionResult, page *loaders.Page, total *int64, err, countErr error) {
	conn := into.conn
	if err != nil {
		x.failOnce(err, into.at, failure{field: into.at.field})
		return
	}
	if countErr != nil {
		x.failOnce(countErr, into.at, failure{field: into.at.field, name: "totalCount"})
	} else if conn.wantTotal {
		into.total = total
	}
	if page == nil {
		page = &loaders.Page{}
	}
	into.page = page
	into.lists = make([][]*object, len(conn.nodes))
	for i, sel := range conn.nodes {
		at := into.at
		at.inner, at.leaf = conn.places[i].inner, conn.places[i].leaf
		into.lists[i] = x.objects(page.Rows, sel, at)
	}
}

// resolveCustom runs a hand-written resolver on one object.
func (x *execution) resolveCustom(ctx context.Context, o *object, f *field) (graphql.Marshaler, bool) {
	at := place{owner: o, field: f.Field, index: -1}
	if x.engine.custom == nil {
		x.fail(fmt.Errorf("no resolver for %s.%s is bound", o.sel.typename, f.Name), at)
		return nil, false
	}
	value, ok := x.engine.custom(contextAt(ctx, at), o.sel.typename, f.CollectedField, o.row)
	if !ok {
		x.fail(apierror.New(apierror.Internal, "no resolver for %s.%s", o.sel.typename, f.Name), at)
	}
	return value, ok
}

// customValue takes what a hand-written resolver gave; references become documents.
func (x *execution) customValue(o *object, f *field, value graphql.Marshaler) {
	switch v := value.(type) {
	case *Ref:
		if v != nil {
			x.ref(o, f, *v, func(linked *object) { o.slots[f.slot].object = linked }, -1)
		}
	case Ref:
		x.ref(o, f, v, func(linked *object) { o.slots[f.slot].object = linked }, -1)
	case graphql.Array:
		if !isRefs(v) {
			o.slots[f.slot].value = value
			return
		}
		list := make([]*object, len(v))
		for i, item := range v {
			if r, ok := item.(*Ref); ok && r != nil {
				x.ref(o, f, *r, func(linked *object) { list[i] = linked }, i)
			}
		}
		o.slots[f.slot].list = list
	default:
		o.slots[f.slot].value = value
	}
}

func isRefs(a graphql.Array) bool {
	for _, item := range a {
		if _, ok := item.(*Ref); !ok && item != graphql.Null {
			return false
		}
	}
	return len(a) > 0
}

// ref asks for the document that a hand-written resolver pointed at.
func (x *execution) ref(o *object, f *field, r Ref, into func(*object), index int) {
	at := place{owner: o, field: f.Field, index: index}
	target := x.engine.registry.ByKey(r.Type)
	if target == nil || target.Source == doctype.Child {
		x.fail(fmt.Errorf("resolver of %s.%s returned a reference to %q, which is no type of the graph", o.sel.typename, f.Name, r.Type), at)
		return
	}
	sel, err := x.comp.dynamicFor(f.dynamic, target)
	if err != nil {
		x.fail(err, at)
		return
	}
	x.next.document(target, docWant{name: r.Name, sel: sel, at: at, into: into})
}

// contextAt puts an object's place into gqlgen's field context, so that errors of
// hand-written resolvers carry their path.
func contextAt(ctx context.Context, at place) context.Context {
	var parent *graphql.FieldContext
	path := at.path()
	for _, element := range path[:len(path)-1] {
		fc := &graphql.FieldContext{}
		switch e := element.(type) {
		case ast.PathIndex:
			index := int(e)
			fc.Index = &index
		case ast.PathName:
			fc.Field.Field = &ast.Field{Alias: string(e)}
		}
		ctx = graphql.WithFieldContext(ctx, fc) //nolint:fatcontext // as deep as the path
		fc.Parent, parent = parent, fc
	}
	return ctx
}
