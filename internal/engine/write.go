package engine

import (
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// writer writes finished objects as JSON, in the order of the query.
type writer struct {
	x *execution
	b []byte
}

func (w *writer) key(first *bool, alias string) {
	if !*first {
		w.b = append(w.b, ',')
	}
	*first = false
	w.b = append(w.b, '"')
	w.b = append(w.b, alias...) // a GraphQL name needs no escapes
	w.b = append(w.b, '"', ':')
}

func (w *writer) null() { w.b = append(w.b, "null"...) }

// object writes an object; false means that a non-null field of it has no value, so
// that the object itself has to be null. Nothing is left of it in the buffer then.
func (w *writer) object(o *object) bool {
	start := len(w.b)
	if !w.x.bytes(start) {
		return false
	}
	w.b = append(w.b, '{')
	first := true
	for _, f := range o.sel.fields {
		w.key(&first, f.Alias)
		if !w.field(o, f) {
			w.b = w.b[:start]
			return false
		}
	}
	w.b = append(w.b, '}')
	return true
}

func (w *writer) field(o *object, f *field) bool {
	switch f.kind {
	case typenameField:
		w.b = appendQuoted(w.b, o.sel.typename)
	case idField, nameField:
		switch {
		case o.name == "" && !nonNull(f.CollectedField): // a group that is not by name
			w.null()
		case f.kind == idField:
			w.b = appendQuoted(w.b, encodeID(o.sel.typ.Key, o.name))
		default:
			w.b = appendQuoted(w.b, o.name)
		}
	case doctypeField:
		w.b = appendQuoted(w.b, o.sel.typ.Key)
	case scalarField:
		return w.scalar(o, f)
	case linkField, dynamicField:
		return w.orNull(o.slot(f).object, f)
	case tableField:
		return w.list(o.slot(f).list, f)
	case reverseField:
		return w.connection(o.connection(f))
	case reverseRowField:
		return w.rowList(o, f)
	case customField, workflowField:
		return w.customValue(o, f)
	case snapshotField:
		w.snapshot(o, f)
	}
	return true
}

// slot gives a field's slot; an object of which only the name is known has none.
func (o *object) slot(f *field) slot {
	if f.slot < len(o.slots) {
		return o.slots[f.slot]
	}
	return slot{}
}

func (o *object) connection(f *field) *connectionResult {
	if c := o.slot(f).conn; c != nil {
		return c
	}
	return &connectionResult{conn: f.conn, at: place{owner: o, field: f.Field, index: -1}}
}

func (w *writer) scalar(o *object, f *field) bool {
	raw := o.row.Raw(f.def.Column)
	start := len(w.b)
	var err error
	if w.b, err = w.x.engine.appendScalar(w.b, f.def, o.sel.typ.Source == doctype.Local, raw, w.x.location); err != nil {
		if e, ok := apierror.As(err); ok {
			err = e.About(o.sel.typ.Key, o.name, f.Name)
		}
		w.x.fail(err, place{owner: o, field: f.Field, index: -1})
	}
	if raw == nil {
		w.x.checkGone(o, f)
	}
	return !nonNull(f.CollectedField) || string(w.b[start:]) != "null"
}

// checkGone reports a field that the row lacks because the site no longer has it, once
// for each place in the query.
func (x *execution) checkGone(o *object, f *field) {
	t := o.sel.typ
	if o.row == nil {
		return
	}
	if cause := x.set.Gone(t, f.def.Column); cause != nil {
		err := apierror.Wrap(apierror.NotFound, cause,
			"ERPNext no longer has the field %s of %s; the schema needs a new pull from the site", f.def.Column, t.Key).About(t.Key, "", f.Name)
		x.failOnce(err, place{owner: o, field: f.Field, index: -1}, failure{field: f.Field})
	}
}

// orNull writes an object or null; false where the schema has no null for it.
func (w *writer) orNull(o *object, f *field) bool {
	if o != nil && w.object(o) {
		return true
	}
	w.null()
	return !nonNull(f.CollectedField)
}

func nonNull(f graphql.CollectedField) bool { return f.Definition.Type.NonNull }

// list writes a list of objects. A list that could not be read is empty; its error is
// in the answer.
func (w *writer) list(list []*object, f *field) bool {
	return w.objects(list, f.Definition.Type)
}

func (w *writer) objects(list []*object, t *ast.Type) bool {
	start := len(w.b)
	w.b = append(w.b, '[')
	for i, o := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if o != nil && w.object(o) {
			continue
		}
		if t.Elem != nil && t.Elem.NonNull {
			w.b = w.b[:start]
			w.null()
			return !t.NonNull
		}
		w.null()
	}
	w.b = append(w.b, ']')
	return true
}

func (w *writer) rowList(o *object, f *field) bool {
	r := o.slot(f).conn
	if r == nil || len(r.lists) == 0 {
		return w.list(nil, f)
	}
	if r.page.More {
		w.x.failOnce(apierror.New(apierror.BadUserInput,
			"%s has more than %d rows; read them through a connection, page by page", f.Name, maxRowList), r.at, failure{field: f.Field})
	}
	return w.list(r.lists[0], f)
}

func (w *writer) customValue(o *object, f *field) bool {
	s := o.slot(f)
	switch {
	case s.object != nil:
		return w.orNull(s.object, f)
	case s.list != nil:
		return w.list(s.list, f)
	case s.value != nil:
		buf := &sliceWriter{w.b}
		s.value.MarshalGQL(buf)
		start := len(w.b)
		w.b = buf.b
		return !nonNull(f.CollectedField) || string(w.b[start:]) != "null"
	default:
		w.null()
		return !nonNull(f.CollectedField)
	}
}

type sliceWriter struct{ b []byte }

func (s *sliceWriter) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// connection writes a connection. One that could not be read still is an object: its
// nodes and edges are null, and the error is in the answer.
func (w *writer) connection(r *connectionResult) bool {
	start := len(w.b)
	w.b = append(w.b, '{')
	first := true
	for _, f := range r.conn.fields {
		w.key(&first, f.Alias)
		ok := true
		switch f.Name {
		case "__typename":
			w.b = appendQuoted(w.b, r.conn.typ.Name+"Connection")
		case "nodes":
			if r.page == nil {
				w.null()
			} else {
				ok = w.objects(r.lists[f.node], f.Definition.Type)
			}
		case "edges":
			w.edges(r, f)
		case "pageInfo":
			w.pageInfo(r, f.page)
		case "totalCount":
			if r.total == nil {
				w.null()
			} else {
				w.b = strconv.AppendInt(w.b, *r.total, 10)
			}
		}
		if !ok {
			w.b = w.b[:start]
			return false
		}
	}
	w.b = append(w.b, '}')
	return true
}

// edges writes the list of edges, or null where one can't be: the field may be null.
func (w *writer) edges(r *connectionResult, f *connectionField) {
	if r.page == nil {
		w.null()
		return
	}
	start := len(w.b)
	w.b = append(w.b, '[')
	for i := range r.page.Rows {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if !w.edge(r, f, i) {
			w.b = w.b[:start]
			w.null()
			return
		}
	}
	w.b = append(w.b, ']')
}

func (w *writer) edge(r *connectionResult, f *connectionField, i int) bool {
	w.b = append(w.b, '{')
	first := true
	for _, e := range f.edges {
		w.key(&first, e.Alias)
		switch e.Name {
		case "__typename":
			w.b = appendQuoted(w.b, r.conn.typ.Name+"Edge")
		case "cursor":
			w.b = appendQuoted(w.b, r.cursor(i))
		case "node":
			if !w.object(r.lists[e.node][i]) {
				return false
			}
		}
	}
	w.b = append(w.b, '}')
	return true
}

// cursor is the cursor of row i of the page.
func (r *connectionResult) cursor(i int) string {
	return encodeCursor(r.conn.list, r.page.Position(r.conn.order, i))
}

func (w *writer) pageInfo(r *connectionResult, fields []graphql.CollectedField) {
	w.b = append(w.b, '{')
	first := true
	conn, page := r.conn, r.page
	if page == nil {
		page = &loaders.Page{}
	}
	for _, f := range fields {
		w.key(&first, f.Alias)
		switch f.Name {
		case "__typename":
			w.b = appendQuoted(w.b, "PageInfo")
		case "hasNextPage":
			w.b = strconv.AppendBool(w.b, (!conn.backward && page.More) || (conn.backward && conn.after != nil))
		case "hasPreviousPage":
			w.b = strconv.AppendBool(w.b, (conn.backward && page.More) || (!conn.backward && conn.after != nil))
		case "startCursor", "endCursor":
			at := 0
			if f.Name == "endCursor" {
				at = len(page.Rows) - 1
			}
			if len(page.Rows) == 0 {
				w.null()
			} else {
				w.b = appendQuoted(w.b, r.cursor(at))
			}
		}
	}
	w.b = append(w.b, '}')
}
