package engine

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/write"
)

// payload is the answer of a mutation field: an object made of what the write came to, and
// of the documents that it names, which are read after it.
type payload struct {
	rootField
	typename string
	fields   []*payloadField
	done     *written
	// self tells that the answer is the document itself, without an object around it.
	self bool
}

// payloadField is one selected field of a payload.
type payloadField struct {
	graphql.CollectedField
	// typ and dynamic are of a field that shows a document or several.
	typ     *doctype.Type
	dynamic *dynamicSelection
	// got are the documents: one, or one for each name or row.
	got []*object
	// result is the field that a method's scalar is written as.
	result *doctype.Field
	// rows are the fields of each row of a bulk.
	rows []*payloadField
}

// payloadShape compiles the selection of a payload.
type payloadShape func(x *execution, t *doctype.Type, f graphql.CollectedField) (*payload, error)

// documentShape is the payload of a write of one document: the document under the name of
// its root field, its name or id, and the messages.
func documentShape(x *execution, t *doctype.Type, f graphql.CollectedField) (*payload, error) {
	return x.compilePayload(f, t.Payload(), func(p *payloadField) error { return x.documentField(p, t, t.Single) })
}

// objectShape is the document without a payload around it.
func objectShape(x *execution, t *doctype.Type, f graphql.CollectedField) (*payload, error) {
	only := &payloadField{CollectedField: f}
	p := &payload{rootField: rootField{x, f}, fields: []*payloadField{only}, self: true}
	return p, x.documentField(only, t, f.Name)
}

// manyShape is the payload of a bulk.
func manyShape(x *execution, t *doctype.Type, f graphql.CollectedField) (*payload, error) {
	return x.compilePayload(f, t.ManyPayload(), func(p *payloadField) error {
		if p.Name != "results" {
			return nil
		}
		for _, cf := range graphql.CollectFields(x.op, p.Selections, []string{t.RowResult()}) {
			row := &payloadField{CollectedField: cf}
			if err := x.documentField(row, t, t.Single); err != nil {
				return err
			}
			p.rows = append(p.rows, row)
		}
		return nil
	})
}

func deleteShape(x *execution, _ *doctype.Type, f graphql.CollectedField) (*payload, error) {
	return x.compilePayload(f, "DeletePayload", nil)
}

// methodShape is the payload of a declared server method.
func methodShape(m *doctype.Method) payloadShape {
	return func(x *execution, t *doctype.Type, f graphql.CollectedField) (*payload, error) {
		return x.compilePayload(f, m.Payload, func(p *payloadField) error {
			if m.Kind == doctype.ScalarResult && p.Name == m.Field {
				p.result = &doctype.Field{Name: m.Field, Kind: m.ResultKind(), GraphQLType: m.Result}
			}
			if m.Kind != doctype.DocumentResult {
				return nil
			}
			return x.documentField(p, t, m.Field)
		})
	}
}

// compilePayload compiles the fields of a payload; each is given to one.
func (x *execution) compilePayload(f graphql.CollectedField, typename string, each func(*payloadField) error) (*payload, error) {
	p := &payload{rootField: rootField{x, f}, typename: typename}
	for _, cf := range graphql.CollectFields(x.op, f.Selections, []string{typename}) {
		field := &payloadField{CollectedField: cf}
		if each != nil {
			if err := each(field); err != nil {
				return nil, err
			}
		}
		p.fields = append(p.fields, field)
	}
	return p, nil
}

// documentField compiles the field that shows a document of t, if p is that.
func (x *execution) documentField(p *payloadField, t *doctype.Type, name string) (err error) {
	if p.Name != name || t == nil {
		return nil
	}
	p.typ = t
	p.dynamic = &dynamicSelection{field: p.CollectedField, byTyp: map[*doctype.Type]*selection{}}
	_, err = x.comp.dynamicFor(p.dynamic, t)
	return err
}

func (p *payload) plan(plan *plan) {
	for _, f := range p.fields {
		f.plan(plan)
	}
}

func (f *payloadField) plan(p *plan) {
	if f.dynamic != nil {
		for t, sel := range f.dynamic.byTyp {
			p.document(0, t)
			p.selection(1, sel)
		}
	}
	for _, row := range f.rows {
		row.plan(p)
	}
}

// start asks for the documents that the payload shows.
func (p *payload) start() {
	at := p.at()
	for _, f := range p.fields {
		switch {
		case f.rows != nil:
			p.startRows(f)
		case f.typ != nil && p.done.result != nil:
			if !p.self {
				at.inner = f.Alias
			}
			names := p.done.result.Names
			if !isList(f.CollectedField) {
				names = []string{p.done.result.Name}
			}
			f.got = make([]*object, len(names))
			for i, name := range names {
				if isList(f.CollectedField) {
					at.index = i
				}
				p.read(f, name, at, &f.got[i])
			}
		}
	}
}

func (p *payload) startRows(results *payloadField) {
	for _, f := range results.rows {
		if f.typ == nil {
			continue
		}
		f.got = make([]*object, len(p.done.rows))
		for i, row := range p.done.rows {
			if row.Err == nil {
				p.read(f, row.Result.Name, place{field: p.f.Field, inner: results.Alias, index: i, leaf: f.Alias}, &f.got[i])
			}
		}
	}
}

// read asks for one document that was written. The selection may be of Document, and a
// document's type one that is not in the graph.
func (p *payload) read(f *payloadField, name string, at place, into **object) {
	if name == "" {
		return
	}
	sel, err := p.x.comp.dynamicFor(f.dynamic, f.typ)
	if err != nil {
		p.x.fail(err, at)
		return
	}
	if f.typ.Name == foreignName {
		*into = &object{name: name, sel: sel, at: at}
		return
	}
	p.x.next.document(f.typ, docWant{name: name, sel: sel, at: at, into: func(o *object) { *into = o }})
}

func isList(f graphql.CollectedField) bool { return f.Definition.Type.Elem != nil }

func (p *payload) write(w *writer) *Result {
	if p.self {
		return p.finish(w, p.fields[0].got[0] != nil && w.object(p.fields[0].got[0]))
	}
	w.b = append(w.b, '{')
	first := true
	for _, f := range p.fields {
		w.key(&first, f.Alias)
		if f.Name == "results" && p.done.result == nil {
			p.writeRows(w, f)
			continue
		}
		p.member(w, f, 0, p.typename, p.done.result, nil)
	}
	w.b = append(w.b, '}')
	return &Result{json: w.b}
}

func (p *payload) writeRows(w *writer, results *payloadField) {
	w.b = append(w.b, '[')
	for i, row := range p.done.rows {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if write.Uncertain(row.Err) || write.Running(row.Err) { // not only for those who select it
			p.x.fail(row.Err, place{field: p.f.Field, inner: results.Alias, index: i})
		}
		w.b = append(w.b, '{')
		first := true
		for _, f := range results.rows {
			w.key(&first, f.Alias)
			if f.Name == "index" {
				w.b = strconv.AppendInt(w.b, int64(i), 10)
				continue
			}
			p.member(w, f, i, results.Definition.Type.Name(), row.Result, row.Err)
		}
		w.b = append(w.b, '}')
	}
	w.b = append(w.b, ']')
}

// member writes one field of a payload, or of a row of a bulk.
func (p *payload) member(w *writer, f *payloadField, i int, typename string, r *write.Result, err error) {
	switch {
	case f.Name == "__typename":
		w.b = appendQuoted(w.b, typename)
	case f.Name == "error":
		p.writeError(w, f, err)
	case f.Name == "messages":
		w.texts(messagesOf(r))
	case r == nil:
		w.null()
	case f.typ != nil && isList(f.CollectedField):
		w.objects(f.got, f.Definition.Type)
	case f.typ != nil:
		if f.got[i] == nil || !w.object(f.got[i]) {
			w.null()
		}
	case f.result != nil:
		p.scalar(w, f, r.Value)
	case f.Name == "id" && r.Type != nil:
		w.b = appendQuoted(w.b, encodeID(r.Type.Key, r.Name))
	case f.Name == "doctype" && r.Type != nil:
		w.b = appendQuoted(w.b, r.Type.Key)
	case f.Name == "name" && r.Name == "": // a method that gave no document
		w.null()
	case f.Name == "name":
		w.b = appendQuoted(w.b, r.Name)
	default:
		p.uploaded(w, f, r)
	}
}

func messagesOf(r *write.Result) []string {
	if r == nil {
		return nil
	}
	return r.Messages
}

func (w *writer) texts(list []string) {
	w.b = append(w.b, '[')
	for i, s := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendQuoted(w.b, s)
	}
	w.b = append(w.b, ']')
}

// writeError writes the error of a row: what the errors of the answer tell, without a
// place there, since the other rows are no failure.
func (p *payload) writeError(w *writer, f *payloadField, err error) {
	if err == nil {
		w.null()
		return
	}
	public, ok := apierror.As(err)
	if !ok {
		p.x.engine.cfg.Logger.ErrorContext(p.x.ctx, "a row of a bulk failed", "error", err)
		public = apierror.New(apierror.Internal, "internal error")
	}
	uncertain, _ := public.Extensions["uncertain"].(bool)
	w.b = append(w.b, '{')
	first := true
	for _, cf := range graphql.CollectFields(p.x.op, f.Selections, []string{"WriteError"}) {
		w.key(&first, cf.Alias)
		switch cf.Name {
		case "__typename":
			w.b = appendQuoted(w.b, "WriteError")
		case "code":
			w.b = appendQuoted(w.b, string(public.Code))
		case "message":
			w.b = appendQuoted(w.b, public.Message)
		case "uncertain":
			w.b = strconv.AppendBool(w.b, uncertain)
		default:
			text := map[string]string{"doctype": public.DocType, "name": public.DocName, "field": public.Field}[cf.Name]
			if text == "" {
				w.null()
			} else {
				w.b = appendQuoted(w.b, text)
			}
		}
	}
	w.b = append(w.b, '}')
}

// scalar writes what a method answered.
func (p *payload) scalar(w *writer, f *payloadField, value jsontext.Value) {
	if isNull(value) {
		w.null()
		return
	}
	values := []jsontext.Value{value}
	list := isList(f.CollectedField)
	if list {
		values = nil
		if err := json.Unmarshal(value, &values); err != nil {
			values = []jsontext.Value{value}
		}
		w.b = append(w.b, '[')
	}
	for i, v := range values {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		var err error
		if f.result.Kind == doctype.JSON {
			w.b = append(w.b, orNullValue(v)...) // an answer is JSON itself, not a text of it
		} else if w.b, err = p.x.engine.appendScalar(w.b, f.result, false, v, p.x.location); err != nil {
			p.x.fail(err, place{field: p.f.Field, inner: f.Alias, index: -1})
		}
	}
	if list {
		w.b = append(w.b, ']')
	}
}

func orNullValue(v jsontext.Value) jsontext.Value {
	if len(v) == 0 {
		return jsontext.Value("null")
	}
	return v
}

// uploaded writes what is known of a stored file.
func (p *payload) uploaded(w *writer, f *payloadField, r *write.Result) {
	var file map[string]jsontext.Value
	if err := json.Unmarshal(r.Value, &file); err != nil {
		w.null()
		return
	}
	switch f.Name {
	case "url":
		w.b = p.x.engine.appendURL(w.b, file["file_url"])
	case "size":
		w.b = append(w.b, orNullValue(file["file_size"])...)
	case "private":
		w.b = strconv.AppendBool(w.b, !slices.Contains([]string{"", "0", "null", "false"}, string(file["is_private"])))
	default:
		w.null()
	}
}
