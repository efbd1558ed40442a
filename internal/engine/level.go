package engine

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// level collects what the objects of one level ask for, grouped so that each group is
// one read. Groups keep the order in which they were first asked for.
type level struct {
	docs     []*docGroup
	kids     []*kidGroup
	lists    []*listGroup
	reverses []*reverseGroup
	snaps    *snapshotGroup
	others   []call
}

// call is one read of a level. run may take place at the same time as others; deliver
// runs alone, after all, and asks for the next level.
type call struct {
	run     func(ctx context.Context)
	deliver func()
	// local tells that rows of a local type are read, which needs to know the caller.
	local bool
	// late tells that the read may have to ask ERPNext about documents that the level's
	// other reads bring too. It waits for them, so that the number of calls does not hang
	// on which came first.
	late bool
}

func newLevel() *level { return &level{} }

func (l *level) empty() bool {
	return len(l.docs)+len(l.kids)+len(l.lists)+len(l.reverses)+len(l.others) == 0 && l.snaps == nil
}

func (l *level) calls(x *execution) []call {
	var out []call
	for _, g := range l.docs {
		out = append(out, g.call(x))
	}
	for _, g := range l.kids {
		out = append(out, g.call(x))
	}
	for _, g := range l.lists {
		out = append(out, g.call(x))
	}
	for _, g := range l.reverses {
		out = append(out, g.call(x))
	}
	if l.snaps != nil {
		out = append(out, l.snaps.call(x))
	}
	return append(out, l.others...)
}

// docGroup reads documents of one type by name.
type docGroup struct {
	typ   *doctype.Type
	names []string
	wants []docWant
}

// docWant is one place that a document goes to.
type docWant struct {
	name string
	sel  *selection
	at   place
	into func(*object)
	// nonNull keeps the name of a local row's link when the document can't be read: the
	// schema has no null for it, and the row itself may be shown.
	nonNull bool
	// single asks ERPNext why, when the document is the caller's own question.
	single bool
	err    error
}

func (l *level) document(t *doctype.Type, w docWant) {
	for _, g := range l.docs {
		if g.typ == t {
			g.names, g.wants = append(g.names, w.name), append(g.wants, w)
			return
		}
	}
	l.docs = append(l.docs, &docGroup{typ: t, names: []string{w.name}, wants: []docWant{w}})
}

func (g *docGroup) call(x *execution) call {
	return call{
		local: g.typ.Source == doctype.Local,
		late:  loaders.Guarded(g.typ, nil),
		run: func(ctx context.Context) {
			x.set.Documents(ctx, g.typ, g.names)
			for i := range g.wants {
				w := &g.wants[i]
				if _, w.err = x.set.Document(g.typ, w.name); w.err != nil && w.single && loaders.IsNotReadable(w.err) {
					w.err = x.set.Why(ctx, g.typ, w.name)
				}
			}
		},
		deliver: func() {
			n := 0
			for _, w := range g.wants {
				n += w.sel.slots
			}
			objects, slots := make([]object, len(g.wants)), make([]slot, n)
			for i := range g.wants {
				w := &g.wants[i]
				mine := slots[:w.sel.slots:w.sel.slots]
				slots = slots[w.sel.slots:]
				row, err := x.set.Document(g.typ, w.name)
				if err == nil {
					w.into(x.objectIn(&objects[i], mine, row, w.sel, w.at))
					continue
				}
				if w.err != nil {
					err = w.err
				}
				x.failOnce(err, w.at, failure{w.at.field, g.typ, failureName(err, w.name)})
				if w.nonNull {
					w.into(&object{name: w.name, sel: w.sel, at: w.at})
				}
			}
		},
	}
}

// failureName is what a failed read of a name is about: the document, or the whole call.
func failureName(err error, name string) string {
	if loaders.IsNotReadable(err) {
		return name
	}
	return ""
}

// kidGroup reads the rows of child tables: one child DocType below one parent DocType.
type kidGroup struct {
	parent, child   *doctype.Type
	fields, parents []string
	wants           []kidWant
	rows            map[loaders.ChildKey][]*loaders.Row
	err             error
}

type kidWant struct {
	key   loaders.ChildKey
	owner *object
	f     *field
}

func (l *level) children(parent, child *doctype.Type, w kidWant) {
	var g *kidGroup
	for _, have := range l.kids {
		if have.parent == parent && have.child == child {
			g = have
		}
	}
	if g == nil {
		g = &kidGroup{parent: parent, child: child}
		l.kids = append(l.kids, g)
	}
	g.fields = appendNew(g.fields, w.key.Field)
	if n := len(g.parents); n == 0 || g.parents[n-1] != w.key.Parent {
		g.parents = append(g.parents, w.key.Parent)
	}
	g.wants = append(g.wants, w)
}

func (g *kidGroup) call(x *execution) call {
	return call{
		run: func(ctx context.Context) {
			g.rows, g.err = x.set.Children(ctx, g.parent, g.child, g.fields, unique(g.parents))
		},
		deliver: func() {
			for _, w := range g.wants {
				if g.err != nil {
					x.failOnce(g.err, place{owner: w.owner, field: w.f.Field, index: -1}, failure{field: w.f.Field})
					continue
				}
				w.owner.slots[w.f.slot].list = x.objects(g.rows[w.key], w.f.sel, place{owner: w.owner, field: w.f.Field})
			}
		},
	}
}

// listGroup reads one page of a root list, for all equal root fields.
type listGroup struct {
	conn  *connection
	into  []*connectionResult
	page  *loaders.Page
	total *int64
	err   error
	count error
}

func (l *level) list(conn *connection, into *connectionResult) {
	for _, g := range l.lists {
		if g.conn.typ == conn.typ && g.conn.key == conn.key {
			g.conn.wantRows, g.conn.wantTotal = g.conn.wantRows || conn.wantRows, g.conn.wantTotal || conn.wantTotal
			g.into = append(g.into, into)
			return
		}
	}
	copied := *conn
	l.lists = append(l.lists, &listGroup{conn: &copied, into: []*connectionResult{into}})
}

func (g *listGroup) call(x *execution) call {
	late := loaders.Guarded(g.conn.typ, g.conn.where)
	return call{
		local: g.conn.typ.Source == doctype.Local,
		late:  late,
		run: func(ctx context.Context) {
			c := g.conn
			if g.err = x.set.CheckReadable(ctx, c.uses()); g.err != nil {
				return
			}
			g.err, g.count = both(late, c.wantRows, func() (err error) {
				g.page, err = x.set.Page(ctx, loaders.PageQuery{
					Type: c.typ, Where: c.where, Order: c.order, Limit: c.limit, After: c.after, Backward: c.backward,
				})
				return err
			}, c.wantTotal, func() error {
				n, err := x.set.Count(ctx, c.typ, c.where)
				g.total = &n
				return err
			})
		},
		deliver: func() {
			for _, into := range g.into {
				x.connection(into, g.page, g.total, g.err, g.count)
			}
		},
	}
}

// reverseGroup reads the pages of one reverse link for all parents of a level.
type reverseGroup struct {
	conn   *connection
	to     *doctype.Type
	names  []string
	into   []*connectionResult
	pages  map[string]*loaders.Page
	totals map[string]int64
	err    error
	count  error
}

func (l *level) reverse(to *doctype.Type, conn *connection, parent string, into *connectionResult) {
	var g *reverseGroup
	for _, have := range l.reverses {
		if have.to == to && have.conn.link == conn.link && have.conn.key == conn.key {
			g = have
		}
	}
	if g == nil {
		copied := *conn
		g = &reverseGroup{conn: &copied, to: to}
		l.reverses = append(l.reverses, g)
	}
	g.conn.wantRows, g.conn.wantTotal = g.conn.wantRows || conn.wantRows, g.conn.wantTotal || conn.wantTotal
	g.names, g.into = append(g.names, parent), append(g.into, into)
}

func (g *reverseGroup) call(x *execution) call {
	c := g.conn
	q := loaders.ReverseQuery{
		Link: c.link, To: g.to, From: c.typ, Parents: unique(g.names),
		Where: c.where, Order: c.order, Limit: c.limit, After: c.after, Backward: c.backward,
	}
	late := x.set.ReverseGuarded(q)
	return call{
		local: c.typ.Source == doctype.Local,
		late:  late,
		run: func(ctx context.Context) {
			if g.err = x.set.CheckReadable(ctx, c.uses()); g.err != nil {
				return
			}
			g.err, g.count = both(
				late, c.wantRows, func() (err error) { g.pages, err = x.set.Reverse(ctx, q); return err },
				c.wantTotal, func() (err error) { g.totals, err = x.set.ReverseCounts(ctx, q); return err },
			)
		},
		deliver: func() {
			for i, into := range g.into {
				var total *int64
				if n, ok := g.totals[g.names[i]]; ok {
					total = &n
				}
				x.connection(into, g.pages[g.names[i]], total, g.err, g.count)
			}
		},
	}
}

// custom runs the hand-written resolvers of a level, a goroutine for each object.
func (l *level) custom(x *execution, owner *object, f *field) {
	var value graphql.Marshaler
	var ok bool
	l.others = append(l.others, call{
		run: func(ctx context.Context) { value, ok = x.resolveCustom(ctx, owner, f) },
		deliver: func() {
			if ok {
				x.customValue(owner, f, value)
			}
		},
	})
}

// both runs what is wanted of a read of rows and one of their count, and gives the error
// of each: at the same time, or where inTurn, one after the other. The count is first
// then: what it has to ask ERPNext about serves the rows too.
func both(inTurn, wantRows bool, rows func() error, wantCount bool, count func() error) (errRows, errCount error) {
	none := func() error { return nil }
	if !wantRows {
		rows = none
	}
	if !wantCount {
		count = none
	}
	if inTurn {
		errCount = count()
		return rows(), errCount
	}
	errs := loaders.Parallel(2, func(i int) error {
		if i == 0 {
			return rows()
		}
		return count()
	})
	return errs[0], errs[1]
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func unique(names []string) []string {
	seen := make(map[string]bool, len(names))
	out := make([]string, 0, len(names))
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
