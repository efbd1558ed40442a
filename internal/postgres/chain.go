package postgres

import (
	"context"
	"fmt"
	"strconv"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// Ends reads the docnames that a chain of links ends at, each once, in one statement.
// Rows whose chain breaks off have none. Errors as Rows.
func (db *DB) Ends(ctx context.Context, q EndsQuery) ([]string, error) {
	b := db.builder(ctx)
	if err := b.endsStatement(q); err != nil {
		return nil, convert(err, nil)
	}
	rows, _, err := db.read(ctx, "ends", q.Type, b, false)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(rows))
	for _, row := range rows {
		name, null, err := decode(row[0])
		if err != nil {
			return nil, fmt.Errorf("postgres: ends of %s: %w", q.Type.Key, err)
		}
		if !null {
			out = append(out, name)
		}
	}
	return out, nil
}

// endsStatement writes the statement of Ends. The names come in their order, so that
// equal tables give equal calls to ERPNext.
func (b *builder) endsStatement(q EndsQuery) error {
	s, err := b.source(q.Type)
	if err != nil {
		return err
	}
	c, err := b.chain(s, q.Chain)
	if err != nil {
		return err
	}
	b.write("select distinct ", c.end, " from ", s.from())
	for i, hop := range c.hops {
		b.write(" join ", hop.from(), " on ", c.keys[i], " = ", c.links[i])
	}
	b.write(" where ")
	if err := b.where(s, q.Where); err != nil {
		return err
	}
	b.write(" order by 1")
	if q.Limit > 0 {
		b.write(" limit ", b.arg(strconv.Itoa(q.Limit), ""))
	}
	return nil
}

// chain is a chain of links with its tables: keys[i] of hops[i] is what links[i], in the
// table before it, holds. end is the column that holds the docname at the chain's end,
// or the key of the local row there.
type chain struct {
	hops        []source
	keys, links []string
	end         string
}

// chain finds the tables of a chain that starts at s.
func (b *builder) chain(s source, hops []doctype.Hop) (chain, error) {
	var c chain
	if len(hops) == 0 || hops[0].Type != s.typ {
		return c, fmt.Errorf("postgres: %s: the chain of links does not start here", s.typ.Name)
	}
	for _, hop := range hops {
		link, _, err := s.column(hop.Field)
		if err != nil {
			return c, err
		}
		if c.end = link; hop.Target.Source != doctype.Local {
			break
		}
		if s, err = b.source(hop.Target); err != nil {
			return c, err
		}
		if c.end, _, err = s.column(keyField(s.typ)); err != nil {
			return c, err
		}
		c.hops, c.links, c.keys = append(c.hops, s), append(c.links, link), append(c.keys, c.end)
	}
	return c, nil
}

// from writes the chain's tables, for a subquery that starts at the first of them, and
// the condition that ties that one to the row outside.
func (b *builder) from(c chain) {
	b.write(c.hops[0].from())
	for i := 1; i < len(c.hops); i++ {
		b.write(" join ", c.hops[i].from(), " on ", c.keys[i], " = ", c.links[i])
	}
	b.write(" where ", c.keys[0], " = ", c.links[0])
}

// endOf writes the end of a chain as a value of a row.
func (b *builder) endOf(s source, hops []doctype.Hop) error {
	c, err := b.chain(s, hops)
	if err != nil {
		return err
	}
	if len(c.hops) == 0 {
		b.write(c.end)
		return nil
	}
	b.write("(select ", c.end, " from ")
	b.from(c)
	b.write(")")
	return nil
}

// ends writes that a row's chain ends at one of the names, or that its local end exists.
func (b *builder) ends(s source, e *criteria.EndsExpr) error {
	c, err := b.chain(s, e.Chain)
	if err != nil {
		return err
	}
	among := ""
	if last := e.Chain[len(e.Chain)-1]; last.Target.Source != doctype.Local {
		among = c.end + " = any(" + b.arg(arrayText(e.In), "") + ")"
	}
	if len(c.hops) == 0 {
		b.write(among)
		return nil
	}
	b.write("exists (select 1 from ")
	b.from(c)
	if among != "" {
		b.write(" and ", among)
	}
	b.write(")")
	return nil
}
