package postgres

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// builder writes one statement: identifiers from descriptors, values as parameters.
type builder struct {
	sql  strings.Builder
	args []any
	// paths tell for each parameter where the client wrote its value.
	paths   []string
	aliases int
	// columns gives what the database tells about a type's columns.
	columns func(*doctype.Type) (map[string]column, error)
}

func (b *builder) write(parts ...string) {
	for _, s := range parts {
		b.sql.WriteString(s)
	}
}

// arg adds a parameter and gives its placeholder.
func (b *builder) arg(v any, path string) string {
	b.args, b.paths = append(b.args, v), append(b.paths, path)
	return "$" + strconv.Itoa(len(b.args))
}

// source is a table in the statement, under an alias.
type source struct {
	typ     *doctype.Type
	alias   string
	columns map[string]column
}

func (b *builder) source(t *doctype.Type) (source, error) {
	columns, err := b.columns(t)
	if err != nil {
		return source{}, err
	}
	b.aliases++
	return source{t, "t" + strconv.Itoa(b.aliases), columns}, nil
}

// from is "table as alias".
func (s source) from() string { return ident(s.typ.Table) + " as " + s.alias }

// column gives the reference to a field's column and what is known of it.
func (s source) column(f *doctype.Field) (string, column, error) {
	if f == nil {
		return "", column{}, fmt.Errorf("postgres: %s: no field given", s.typ.Name)
	}
	col, ok := s.columns[f.Column]
	if !ok {
		return "", column{}, fmt.Errorf("postgres: %s.%s: table %s has no column %q", s.typ.Name, f.Name, s.typ.Table, f.Column)
	}
	return s.alias + "." + ident(f.Column), col, nil
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

// where writes a tree as one boolean expression.
func (b *builder) where(s source, e *criteria.Expr) error {
	switch {
	case e == nil:
		b.write("true")
		return nil
	case e.Cond != nil:
		return b.cond(s, e.Cond)
	case e.Rows != nil:
		return b.rows(s, e.Rows)
	case e.Ends != nil:
		return b.ends(s, e.Ends)
	case e.Not != nil:
		// A comparison with NULL is neither true nor false, and so would be its
		// negation: the row that a condition leaves out, not must bring.
		b.write("(")
		if err := b.where(s, e.Not); err != nil {
			return err
		}
		b.write(") is not true")
		return nil
	case len(e.Or) > 0:
		return b.join(s, e.Or, " or ")
	case len(e.And) > 0:
		return b.join(s, e.And, " and ")
	default:
		b.write("true")
		return nil
	}
}

func (b *builder) join(s source, kids []*criteria.Expr, glue string) error {
	b.write("(")
	for i, kid := range kids {
		if i > 0 {
			b.write(glue)
		}
		if err := b.where(s, kid); err != nil {
			return err
		}
	}
	b.write(")")
	return nil
}

// rows writes that some row of a @reverse list matches.
func (b *builder) rows(s source, r *criteria.RowsExpr) error {
	parent, _, err := s.column(keyField(s.typ))
	if err != nil {
		return err
	}
	kid, err := b.source(r.Of)
	if err != nil {
		return err
	}
	link, _, err := kid.column(r.Of.Field(r.Field.Options))
	if err != nil {
		return err
	}
	b.write("exists (select 1 from ", kid.from(), " where ", link, " = ", parent, " and ")
	if err := b.where(kid, r.Where); err != nil {
		return err
	}
	b.write(")")
	return nil
}

var operators = map[criteria.Op]string{criteria.Eq: " = ", criteria.Gt: " > ", criteria.Gte: " >= ", criteria.Lt: " < ", criteria.Lte: " <= "}

func (b *builder) cond(s source, c *criteria.Cond) error {
	ref, col, err := s.column(c.Field)
	if err != nil {
		return err
	}
	switch c.Op {
	case criteria.Eq, criteria.Ne:
		return b.equal(ref, c)
	case criteria.Gt, criteria.Gte, criteria.Lt, criteria.Lte:
		value, err := text(c.Field, c.Value, c.Path)
		if err != nil {
			return err
		}
		b.write(ref, operators[c.Op], b.arg(value, c.Path))
		return nil
	case criteria.In, criteria.NotIn:
		return b.in(ref, c)
	case criteria.Like, criteria.NotLike:
		return b.like(ref, col, c)
	case criteria.IsSet:
		return b.isSet(ref, col, c)
	default:
		return badInput(c.Path, "local types don't know the comparison %s", c.Op)
	}
}

func (b *builder) equal(ref string, c *criteria.Cond) error {
	switch {
	case c.Value == nil && c.Op == criteria.Eq:
		b.write(ref, " is null")
		return nil
	case c.Value == nil:
		b.write(ref, " is not null")
		return nil
	}
	value, err := text(c.Field, c.Value, c.Path)
	if err != nil {
		return err
	}
	if c.Op == criteria.Eq {
		b.write(ref, " = ", b.arg(value, c.Path))
	} else {
		b.write(ref, " is distinct from ", b.arg(value, c.Path))
	}
	return nil
}

func (b *builder) in(ref string, c *criteria.Cond) error {
	list, ok := c.Value.([]any)
	if !ok {
		return badInput(c.Path, "must be a list")
	}
	texts, err := textsOf(c, list)
	if err != nil {
		return err
	}
	if c.Op == criteria.In {
		b.write(ref, " = any(", b.arg(arrayText(texts), c.Path), ")")
	} else {
		b.write("(", ref, " is null or ", ref, " <> all(", b.arg(arrayText(texts), c.Path), "))")
	}
	return nil
}

func textsOf(c *criteria.Cond, list []any) ([]string, error) {
	texts := make([]string, len(list))
	for i, v := range list {
		var err error
		if texts[i], err = text(c.Field, v, c.Path+"."+strconv.Itoa(i)); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func (b *builder) like(ref string, col column, c *criteria.Cond) error {
	pattern, ok := c.Value.(string)
	if !ok {
		return badInput(c.Path, "must be text")
	}
	// Frappe escapes the backslash, so it has no special meaning there; nor here.
	pattern, err := text(&doctype.Field{}, strings.ReplaceAll(pattern, `\`, `\\`), c.Path)
	if err != nil {
		return err
	}
	subject := ref
	if !col.isText() {
		subject += "::text"
	}
	if c.Op == criteria.Like {
		b.write(subject, " ilike ", b.arg(pattern, c.Path))
	} else {
		b.write("(", ref, " is null or ", subject, " not ilike ", b.arg(pattern, c.Path), ")")
	}
	return nil
}

func (b *builder) isSet(ref string, col column, c *criteria.Cond) error {
	set, ok := c.Value.(bool)
	if !ok {
		return badInput(c.Path, "must be true or false")
	}
	switch {
	case set && col.isText():
		b.write(ref, " <> ''")
	case set:
		b.write(ref, " is not null")
	case col.isText():
		b.write("(", ref, " is null or ", ref, " = '')")
	default:
		b.write(ref, " is null")
	}
	return nil
}
