package engine

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// connection is a compiled Relay connection: a root list or a reverse link.
type connection struct {
	field    graphql.CollectedField
	typ      *doctype.Type
	link     *doctype.Reverse // nil for a root list
	where    *criteria.Expr
	order    []criteria.Order
	limit    int
	after    *loaders.Position
	backward bool
	// list is the digest of type, where and order: cursors carry it. key tells equal
	// reads apart from others, so that equal ones of a level become one.
	list, key string
	// err is what is wrong with the arguments: the list is null then, and nothing is read.
	err error

	fields              []*connectionField
	nodes               []*selection
	places              []nodePlace // of nodes
	wantRows, wantTotal bool
}

// connectionField is a selected field of a connection.
type connectionField struct {
	graphql.CollectedField
	// node is the index in connection.nodes of what is selected on each row (nodes), or
	// within edges.
	node  int
	edges []*edgeField
	page  []graphql.CollectedField
}

// nodePlace is where a connection shows its rows: under "nodes", or "edges" and "node".
type nodePlace struct{ inner, leaf string }

type edgeField struct {
	graphql.CollectedField
	node int
}

// connection compiles a list field.
func (c *compiler) connection(t *doctype.Type, cf graphql.CollectedField, link *doctype.Reverse) (*connection, error) {
	conn := &connection{field: cf, typ: t, link: link}
	conn.err = conn.arguments(c.engine, argumentsOf(cf, c.op.Variables))
	for _, f := range graphql.CollectFields(c.op, cf.Selections, []string{t.Name + "Connection"}) {
		out := &connectionField{CollectedField: f}
		conn.fields = append(conn.fields, out)
		var err error
		switch f.Name {
		case "nodes":
			out.node, err = c.nodeSelection(conn, f, nodePlace{inner: f.Alias})
		case "edges":
			err = c.edges(conn, out)
		case "pageInfo":
			out.page = graphql.CollectFields(c.op, f.Selections, []string{"PageInfo"})
			conn.wantRows = true
		case "totalCount":
			conn.wantTotal = true
		}
		if err != nil {
			return nil, err
		}
	}
	if link != nil && link.Through == "" {
		c.sink.Select(t, link.Field)
	}
	return conn, nil
}

func (c *compiler) edges(conn *connection, out *connectionField) error {
	conn.wantRows = true
	for _, f := range graphql.CollectFields(c.op, out.Selections, []string{conn.typ.Name + "Edge"}) {
		edge := &edgeField{CollectedField: f}
		if f.Name == "node" {
			var err error
			if edge.node, err = c.nodeSelection(conn, f, nodePlace{inner: out.Alias, leaf: f.Alias}); err != nil {
				return err
			}
		}
		out.edges = append(out.edges, edge)
	}
	return nil
}

func (c *compiler) nodeSelection(conn *connection, f graphql.CollectedField, at nodePlace) (int, error) {
	sel, err := c.object(conn.typ, conn.typ.Name, f)
	if err != nil {
		return 0, err
	}
	conn.wantRows = true
	conn.nodes, conn.places = append(conn.nodes, sel), append(conn.places, at)
	return len(conn.nodes) - 1, nil
}

// rowList compiles a local @reverse list: all rows of another local type, as one page.
func (c *compiler) rowList(cf graphql.CollectedField, def *doctype.Field) (*connection, error) {
	link := c.engine.rowLinks[def]
	t := c.engine.registry.ByKey(def.Target)
	conn := &connection{field: cf, typ: t, link: link, limit: maxRowList, key: "all"}
	c.sink.Select(t, link.Field)
	_, err := c.nodeSelection(conn, cf, nodePlace{})
	return conn, err
}

// maxRowList bounds a local @reverse list, which has no pages; a longer one is an error
// that points at the connection.
const maxRowList = 2000

// arguments reads where, orderBy, first, after, last, before.
func (conn *connection) arguments(e *Engine, args arguments) (err error) {
	if conn.where, err = e.whereArgument(conn.typ, args["where"]); err != nil {
		return err
	}
	if conn.order, err = orderOf(conn.typ, args.list("orderBy")); err != nil {
		return err
	}
	first, hasFirst, err := args.int("first")
	if err != nil {
		return err
	}
	last, hasLast, err := args.int("last")
	if err != nil {
		return err
	}
	if hasFirst && hasLast {
		return badInput("last", "can't be used together with first")
	}
	after, before := args.text("after"), args.text("before")
	if after != "" && (hasLast || before != "") {
		return badInput("after", "goes with first only; page backward by last and before")
	}
	if before != "" && hasFirst {
		return badInput("before", "goes with last only; page forward by first and after")
	}
	conn.backward = hasLast || before != ""
	conn.limit = e.cfg.DefaultPage
	argument := "first"
	if hasLast {
		first, hasFirst, argument = last, true, "last"
	}
	if hasFirst {
		conn.limit = first
	}
	if conn.limit < 0 || conn.limit > e.cfg.MaxPage {
		return badInput(argument, "must be between 0 and %d; page through longer lists by cursor", e.cfg.MaxPage)
	}
	return conn.position(after, before)
}

func (conn *connection) position(after, before string) (err error) {
	order := make([]string, len(conn.order))
	for i, o := range conn.order {
		order[i] = fmt.Sprintf("%s %t", o.Field.Name, o.Desc)
	}
	scope := conn.typ.Key
	if conn.link != nil {
		scope += " by " + conn.link.Name
	}
	if conn.list, err = digest(scope, fingerprint(conn.where), order); err != nil {
		return badInput("where", "can't be read")
	}
	argument, text := "after", after
	if conn.backward {
		argument, text = "before", before
	}
	if text != "" {
		if conn.after, err = decodeCursor(argument, text, conn.list, len(conn.order)); err != nil {
			return err
		}
	}
	conn.key = fmt.Sprintf("%s|%d|%t|%s", conn.list, conn.limit, conn.backward, text)
	return nil
}

// orderOf reads an orderBy list.
func orderOf(t *doctype.Type, list []any) ([]criteria.Order, error) {
	var out []criteria.Order
	for i, item := range list {
		object, _ := item.(map[string]any)
		name, _ := object["field"].(string)
		f := fieldByEnum(t, name)
		if f == nil {
			return nil, badInput(fmt.Sprintf("orderBy.%d.field", i), "%s can't be ordered by %q", t.Name, name)
		}
		for _, o := range out {
			if o.Field == f {
				return nil, badInput(fmt.Sprintf("orderBy.%d.field", i), "%s is in the order already", name)
			}
		}
		desc, err := descending(fmt.Sprintf("orderBy.%d", i), object)
		if err != nil {
			return nil, err
		}
		out = append(out, criteria.Order{Field: f, Desc: desc})
	}
	return out, nil
}

func fieldByEnum(t *doctype.Type, name string) *doctype.Field {
	for _, f := range t.Fields {
		if doctype.EnumName(f.Name) == name {
			return f
		}
	}
	return nil
}

// uses lists the fields that the connection's where and order look at.
func (conn *connection) uses() []loaders.Use {
	uses := usesOf(conn.typ, conn.where, conn.order)
	if conn.link == nil {
		return uses
	}
	// A reverse link filters by the field that holds it: who may not read that may not
	// learn who links here.
	column := conn.link.Field
	if conn.link.Through != "" {
		column = conn.link.ThroughField
	}
	if f := conn.typ.ByColumn(column); f != nil {
		uses = append(uses, loaders.Use{Type: conn.typ, Field: f})
	}
	return uses
}

func usesOf(t *doctype.Type, where *criteria.Expr, order []criteria.Order) []loaders.Use {
	var out []loaders.Use
	where.Fields(t, func(of *doctype.Type, f *doctype.Field) {
		use := loaders.Use{Type: of, Field: f}
		if of != t {
			use.Parent = t
		}
		out = append(out, use)
	})
	for _, o := range order {
		out = append(out, loaders.Use{Type: t, Field: o.Field})
	}
	return out
}
