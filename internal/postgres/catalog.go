package postgres

import (
	"context"
	"errors"
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

// catalog knows the columns of the tables on the search path. It is read once: tables
// change by migrations only, and those run before the first read.
type catalog struct {
	mu     sync.Mutex
	tables map[string]map[string]column
}

const catalogSQL = `
select c.relname::text, a.attname::text, format_type(a.atttypid, null), t.typtype = 'e', not a.attnotnull
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relnamespace = any(current_schemas(false)::regnamespace[])
  and pg_table_is_visible(c.oid)`

// load reads the columns of all tables.
func (c *catalog) load(ctx context.Context, db querier) error {
	rows, err := db.Query(ctx, catalogSQL)
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	tables := map[string]map[string]column{}
	var table, name string
	var col column
	_, err = pgx.ForEachRow(rows, []any{&table, &name, &col.sqlType, &col.enum, &col.nullable}, func() error {
		if tables[table] == nil {
			tables[table] = map[string]column{}
		}
		tables[table][name] = col
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables = tables
	return nil
}

// table gives the columns of a type's table.
func (c *catalog) table(ctx context.Context, db querier, t *doctype.Type) (map[string]column, error) {
	if t.Source != doctype.Local || t.Table == "" {
		return nil, fmt.Errorf("postgres: %s is not a local type", t.Key)
	}
	if cols := c.known(t.Table); cols != nil {
		return cols, nil
	}
	if err := c.load(ctx, db); err != nil {
		return nil, err
	}
	if cols := c.known(t.Table); cols != nil {
		return cols, nil
	}
	return nil, fmt.Errorf("postgres: table %s of type %s does not exist", t.Table, t.Name)
}

func (c *catalog) known(table string) map[string]column {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tables[table]
}

// CheckColumns compares the local types among types with the database: table, column,
// type, nullability. The error joins all differences, each naming both sides.
func (db *DB) CheckColumns(ctx context.Context, types []*doctype.Type) error {
	if err := db.catalog.load(ctx, db.pool); err != nil {
		return convert(err, nil)
	}
	var errs []error
	for _, t := range types {
		if t.Source != doctype.Local {
			continue
		}
		columns := db.catalog.known(t.Table)
		if columns == nil {
			errs = append(errs, fmt.Errorf("type %s is @table(name: %q), but no migration creates a table %s", t.Name, t.Table, t.Table))
			continue
		}
		for _, f := range t.Fields {
			if f.Column == "" || f.Kind == doctype.ReverseList || f.Kind == doctype.Custom || f.Kind == doctype.Table {
				continue
			}
			errs = append(errs, db.checkColumn(t, f, columns, types))
		}
	}
	return errors.Join(errs...)
}

func (db *DB) checkColumn(t *doctype.Type, f *doctype.Field, columns map[string]column, types []*doctype.Type) error {
	col, ok := columns[f.Column]
	if !ok {
		return fmt.Errorf("%s.%s needs a column %s.%s, but the migrations make none", t.Name, f.Name, t.Table, f.Column)
	}
	want := db.wantedTypes(f, types)
	if len(want) > 0 && !slices.Contains(want, col.sqlType) && (f.Kind != doctype.Enum || !col.enum) {
		return fmt.Errorf("%s.%s is %s in the schema, but column %s.%s is %s (wanted: %s)",
			t.Name, f.Name, f.GraphQLType, t.Table, f.Column, col.sqlType, want[0])
	}
	if col.nullable && (f.NonNull || !f.Nullable) {
		return fmt.Errorf("%s.%s is %s! in the schema, but column %s.%s allows NULL",
			t.Name, f.Name, f.GraphQLType, t.Table, f.Column)
	}
	return nil
}

// wantedTypes are the column types that hold a field's values, the usual one first; none
// for a link to a type whose own table is missing, which is an error already.
func (db *DB) wantedTypes(f *doctype.Field, types []*doctype.Type) []string {
	texts := []string{"text", "character varying", "character", "citext"}
	switch f.Kind {
	case doctype.Boolean:
		return []string{"boolean"}
	case doctype.Int, doctype.Duration:
		return []string{"integer", "smallint", "bigint"}
	case doctype.Float, doctype.Rating:
		return []string{"double precision", "real", "numeric"}
	case doctype.Decimal:
		return []string{"numeric", "integer", "smallint", "bigint"}
	case doctype.Date:
		return []string{"date"}
	case doctype.Time:
		return []string{"time without time zone"}
	case doctype.DateTime:
		return []string{"timestamp with time zone"}
	case doctype.JSON:
		return []string{"jsonb", "json"}
	case doctype.ID:
		return append([]string{"uuid", "bigint", "integer"}, texts...)
	case doctype.Link:
		for _, target := range types {
			if target.Key != f.Target || target.Source != doctype.Local {
				continue
			}
			if key, ok := db.catalog.known(target.Table)[keyField(target).Column]; ok {
				return []string{key.sqlType}
			}
			return nil
		}
		return texts
	default:
		return texts
	}
}
