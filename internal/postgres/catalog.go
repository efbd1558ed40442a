package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/doctype"
)

// column is what the database tells about a column.
type column struct {
	// sqlType is the type's name without length or precision: "numeric".
	sqlType  string
	enum     bool
	nullable bool
	// typmod is the length or precision as Postgres keeps it, -1 for none.
	typmod int32
	// filled tells that a row that leaves the column out gets a value all the same.
	filled bool
	// computed tells that nobody may write the column.
	computed bool
}

// isText tells whether like works on the column as it is.
func (c column) isText() bool {
	switch c.sqlType {
	case "text", "character varying", "character", "citext":
		return true
	default:
		return false
	}
}

// maxChars is how many characters a column takes; ok is false where there is no bound.
func (c column) maxChars() (n int, ok bool) {
	if c.sqlType != "character varying" && c.sqlType != "character" || c.typmod < 4 {
		return 0, false
	}
	return int(c.typmod) - 4, true
}

// digits are how many digits a numeric column takes in all and behind the point; ok is
// false where there is no bound.
func (c column) digits() (precision, scale int, ok bool) {
	if c.sqlType != "numeric" || c.typmod < 4 {
		return 0, 0, false
	}
	packed := int(c.typmod) - 4
	// Eleven bits of two's complement: a scale may be negative.
	return packed >> 16 & 0xffff, (packed&0x7ff ^ 1024) - 1024, true
}

// secondDigits are how many digits of a second's fraction a column of times keeps.
func (c column) secondDigits() int {
	if c.typmod < 0 {
		return 6
	}
	return int(c.typmod)
}

// ruleKind says what a rule is, in the letters of pg_constraint.contype.
type ruleKind string

const (
	checkRule   ruleKind = "c"
	foreignRule ruleKind = "f"
	// indexRule is any index: a unique one refuses equal rows, and each refuses values
	// that it can't hold.
	indexRule ruleKind = "i"
)

// rule is a constraint or an index of a table.
type rule struct {
	name    string
	kind    ruleKind
	columns []string
	// target is the table that a foreign key leads to, onDelete what it does when the row
	// there goes, in the letters of pg_constraint.confdeltype.
	target, onDelete string
}

// relation is a table with its columns, and its rules by name.
type relation struct {
	columns map[string]column
	rules   map[string]rule
}

// indexed tells whether a column is in an index.
func (r relation) indexed(column string) bool {
	for _, rule := range r.rules {
		if rule.kind == indexRule && slices.Contains(rule.columns, column) {
			return true
		}
	}
	return false
}

// catalog knows the tables on the search path. It is read once: tables change by
// migrations only, and those run before the first read.
type catalog struct {
	mu     sync.Mutex
	tables map[string]relation
	// types are the local types by their tables, where CheckColumns was told of them.
	types map[string]*doctype.Type
}

const catalogSQL = `
select c.relname::text, a.attname::text, format_type(a.atttypid, null), t.typtype = 'e', not a.attnotnull, a.atttypmod,
	a.atthasdef or a.attidentity <> '' or t.typdefault is not null, a.attgenerated <> '' or a.attidentity = 'a'
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relnamespace = any(current_schemas(false)::regnamespace[])
	and pg_table_is_visible(c.oid)`

// The columns of an index over expressions are those that the expressions mention, which
// only the table of dependencies knows.
const rulesSQL = `
select c.relname::text, r.name, r.kind, r.columns, r.target, r.on_delete
from pg_class c
join lateral (
	select k.conname::text as name, k.contype::text as kind, array(
		select a.attname::text from unnest(k.conkey) with ordinality as n(num, at)
		join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.num order by n.at
	) as columns, coalesce(f.relname::text, '') as target, k.confdeltype::text as on_delete
	from pg_constraint k left join pg_class f on f.oid = k.confrelid
	where k.conrelid = c.oid and k.contype in ('c', 'f')
	union all
	select i.relname::text, 'i', array(
		select a.attname::text from pg_attribute a
		where a.attrelid = c.oid and a.attnum > 0 and (
			a.attnum = any((x.indkey::int2[])[0:x.indnkeyatts - 1])
			or x.indexprs is not null and exists (
				select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = x.indexrelid
				and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum))
		order by array_position(x.indkey::int2[], a.attnum), a.attnum
	), '', ''
	from pg_index x join pg_class i on i.oid = x.indexrelid
	where x.indrelid = c.oid
) as r on true
where c.relkind in ('r', 'p') and c.relnamespace = any(current_schemas(false)::regnamespace[])
	and pg_table_is_visible(c.oid)`

// load reads the columns and rules of all tables.
func (c *catalog) load(ctx context.Context, db querier) error {
	tables := map[string]relation{}
	var table, name string
	var col column
	err := each(ctx, db, catalogSQL, []any{
		&table, &name, &col.sqlType, &col.enum, &col.nullable, &col.typmod, &col.filled, &col.computed,
	}, func() {
		if tables[table].columns == nil {
			tables[table] = relation{map[string]column{}, map[string]rule{}}
		}
		tables[table].columns[name] = col
	})
	if err != nil {
		return err
	}
	var r rule
	err = each(ctx, db, rulesSQL, []any{&table, &r.name, &r.kind, &r.columns, &r.target, &r.onDelete}, func() {
		if known, ok := tables[table]; ok {
			r.columns = slices.Clone(r.columns)
			known.rules[r.name] = r
		}
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables = tables
	return nil
}

// each runs do for each row of a statement, with the row in scans.
func each(ctx context.Context, db querier, sql string, scans []any, do func()) error {
	rows, err := db.Query(ctx, sql)
	if err == nil {
		_, err = pgx.ForEachRow(rows, scans, func() error { do(); return nil })
	}
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	return nil
}

// table gives the columns of a type's table.
func (c *catalog) table(ctx context.Context, db querier, t *doctype.Type) (map[string]column, error) {
	if t.Source != doctype.Local || t.Table == "" {
		return nil, fmt.Errorf("postgres: %s is not a local type", t.Key)
	}
	if cols := c.known(t.Table).columns; cols != nil {
		return cols, nil
	}
	if err := c.load(ctx, db); err != nil {
		return nil, err
	}
	if cols := c.known(t.Table).columns; cols != nil {
		return cols, nil
	}
	return nil, fmt.Errorf("postgres: table %s of type %s does not exist", t.Table, t.Name)
}

func (c *catalog) known(table string) relation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tables[table]
}

// learn keeps the types of tables, for errors that one table's write meets in another.
func (c *catalog) learn(types []*doctype.Type) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.types = map[string]*doctype.Type{}
	for _, t := range types {
		if t.Source == doctype.Local {
			c.types[t.Table] = t
		}
	}
}

// typeOf is the local type of a table, nil where none is known.
func (c *catalog) typeOf(table string) *doctype.Type {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.types[table]
}
