package engine

import (
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/doctype"
)

// rootKind says what a generated root field does.
type rootKind int

const (
	oneRoot rootKind = iota
	listRoot
	aggregateRoot
	builtinRoot
)

// root is a root field of the graph.
type root struct {
	kind  rootKind
	typ   *doctype.Type
	build func(x *execution, f graphql.CollectedField) (task, error)
}

// task is one root field of an operation: it asks for its first reads, and writes its
// answer when all levels are read.
type task interface {
	field() graphql.CollectedField
	start()
	plan(p *plan)
	write(w *writer) *Result
}

// rootsOf lists the root fields of a registry.
func rootsOf(r *doctype.Registry) map[string]root {
	out := map[string]root{}
	for _, t := range r.Types() {
		if t.Single != "" {
			out[t.Single] = root{kind: oneRoot, typ: t}
		}
		if t.Plural != "" {
			out[t.Plural] = root{kind: listRoot, typ: t}
			out[t.Plural+"Aggregate"] = root{kind: aggregateRoot, typ: t}
		}
	}
	for name, build := range builtins {
		out[name] = root{kind: builtinRoot, build: build}
	}
	return out
}

// compileRoots makes the tasks of the operation's generated root fields. Hand-written
// ones are not among them: gqlgen runs those.
func (x *execution) compileRoots() ([]task, error) {
	var out []task
	for _, f := range graphql.CollectFields(x.op, x.op.Operation.SelectionSet, []string{"Query"}) {
		r, ok := x.engine.roots[f.Name]
		if !ok {
			continue
		}
		t, err := x.compileRoot(r, f)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func (x *execution) compileRoot(r root, f graphql.CollectedField) (task, error) {
	switch r.kind {
	case oneRoot:
		sel, err := x.comp.object(r.typ, r.typ.Name, f)
		if err != nil {
			return nil, err
		}
		args := argumentsOf(f, x.op.Variables)
		one := &oneTask{rootField: rootField{x, f}, typ: r.typ, sel: sel}
		switch r.typ.Source {
		case doctype.Single:
			one.name = r.typ.Key
		case doctype.Local:
			one.name = args.text("id")
			if key, id, err := decodeID(one.name); err == nil && key == r.typ.Key {
				one.name = id
			}
		default:
			one.name = args.text("name")
		}
		return one, nil
	case listRoot:
		conn, err := x.comp.connection(r.typ, f, nil)
		return &listTask{rootField: rootField{x, f}, conn: conn}, err
	case aggregateRoot:
		return x.aggregate(r.typ, f)
	default:
		return r.build(x, f)
	}
}

// rootField is what all tasks have.
type rootField struct {
	x *execution
	f graphql.CollectedField
}

func (r rootField) field() graphql.CollectedField { return r.f }

func (r rootField) at() place { return place{field: r.f.Field, index: -1} }

// finish makes the result of a root field; nil, which gqlgen takes as null, where
// there is none.
func (r rootField) finish(w *writer, ok bool) *Result {
	if !ok || isNull(w.b) {
		return nil
	}
	return &Result{json: w.b}
}

// oneTask reads one document, single DocType or local row.
type oneTask struct {
	rootField
	typ  *doctype.Type
	name string
	sel  *selection
	got  *object
}

func (t *oneTask) start() {
	if t.name == "" {
		t.x.fail(badInput("name", "must not be empty"), t.at())
		return
	}
	t.x.next.document(t.typ, docWant{
		name: t.name, sel: t.sel, at: t.at(), single: t.typ.Source == doctype.Upstream,
		into: func(o *object) { t.got = o },
	})
}

func (t *oneTask) plan(p *plan) {
	p.document(0, t.typ)
	p.selection(1, t.sel)
}

func (t *oneTask) write(w *writer) *Result {
	return t.finish(w, t.got != nil && w.object(t.got))
}

// listTask reads one page of a list.
type listTask struct {
	rootField
	conn *connection
	got  *connectionResult
}

func (t *listTask) start() {
	t.got = &connectionResult{conn: t.conn, at: t.at()}
	if t.conn.err != nil {
		t.x.fail(t.conn.err, t.at())
		return
	}
	t.x.next.list(t.conn, t.got)
}

func (t *listTask) plan(p *plan) { p.connection(0, t.conn, nil) }

func (t *listTask) write(w *writer) *Result { return t.finish(w, w.connection(t.got)) }

// location is the site's time zone; nil when it is not known, which shows at each
// DateTime.
func (x *execution) location() *time.Location { return x.loc() }

func (x *execution) askLocation() *time.Location {
	site := x.set.Site()
	if site == nil {
		return time.UTC
	}
	loc, err := site.Location(x.ctx)
	if err != nil {
		return nil
	}
	return loc
}

// checkPlan refuses an operation whose shape needs more upstream calls than allowed,
// before the first of them.
func (x *execution) checkPlan(tasks []task) error {
	p := &plan{calls: map[planned]bool{}}
	for _, t := range tasks {
		t.plan(p)
	}
	if n := len(p.calls) + p.extra; n > x.set.MaxCalls() {
		return x.set.TooManyCalls(n)
	}
	return nil
}

// plan counts the upstream calls that an operation's shape needs at least: one for each
// level and read, chunks apart.
type plan struct {
	calls map[planned]bool
	extra int
}

// planned identifies a call: reads of one level that are made together are one.
type planned struct {
	level       int
	typ, parent *doctype.Type
	what        string
}

func (p *plan) add(level int, t, parent *doctype.Type, what string) {
	if t != nil && t.Source != doctype.Local {
		p.calls[planned{level, t, parent, what}] = true
	}
}

func (p *plan) document(level int, t *doctype.Type) { p.add(level, t, nil, "documents") }

func (p *plan) selection(level int, sel *selection) {
	for _, f := range sel.fields {
		switch f.kind {
		case linkField:
			if !f.sel.shallow {
				p.document(level, f.sel.typ)
				p.selection(level+1, f.sel)
			}
		case dynamicField:
			for t, sel := range f.dynamic.byTyp {
				if !sel.shallow {
					p.document(level, t)
					p.selection(level+1, sel)
				}
			}
		case tableField:
			p.add(level, f.sel.typ, sel.typ, "rows")
			p.selection(level+1, f.sel)
		case reverseField, reverseRowField:
			p.connection(level, f.conn, sel.typ)
		case workflowField:
			p.extra++ // at least: it is one for each document
		}
	}
}

func (p *plan) connection(level int, conn *connection, of *doctype.Type) {
	if conn.err != nil {
		return
	}
	key := conn.key
	if conn.link != nil {
		key = conn.link.Name + " " + key
	}
	if conn.wantRows {
		p.add(level, conn.typ, of, key)
	}
	if conn.wantTotal {
		p.add(level, conn.typ, of, key+" total")
	}
	for _, sel := range conn.nodes {
		p.selection(level+1, sel)
	}
}
