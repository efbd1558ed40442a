package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"erpgraph/internal/doctype"
)

// CheckColumns compares the local types among types with the database: table, column,
// type, nullability; for writing also defaults, the column of @modified, and what foreign
// keys do when a row is deleted. The error joins all differences, each naming both sides.
//
// From here on the database's errors name these types where they name their tables.
func (db *DB) CheckColumns(ctx context.Context, types []*doctype.Type) error {
	if err := db.catalog.load(ctx, db.pool); err != nil {
		return convert(err, nil)
	}
	db.catalog.learn(types)
	var errs []error
	for _, t := range types {
		if t.Source != doctype.Local {
			continue
		}
		table := db.catalog.known(t.Table)
		if table.columns == nil {
			errs = append(errs, fmt.Errorf("type %s is @table(name: %q), but no migration creates a table %s", t.Name, t.Table, t.Table))
			continue
		}
		for _, f := range t.Fields {
			if stored(f) {
				errs = append(errs, db.checkColumn(t, f, table, types))
			}
		}
	}
	return errors.Join(errs...)
}

// stored tells whether a field is a column.
func stored(f *doctype.Field) bool {
	switch f.Kind {
	case doctype.ReverseList, doctype.Custom, doctype.Table:
		return false
	default:
		return f.Column != ""
	}
}

func (db *DB) checkColumn(t *doctype.Type, f *doctype.Field, table relation, types []*doctype.Type) error {
	col, ok := table.columns[f.Column]
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
	if err := checkModified(t, f, col); err != nil {
		return err
	}
	if err := checkDefault(t, f, col); err != nil {
		return err
	}
	return db.checkOnDelete(t, f, table, types)
}

// checkModified holds the column of @modified to what ifModified compares: an instant to
// the microsecond that each row has.
func checkModified(t *doctype.Type, f *doctype.Field, col column) error {
	switch {
	case t.Writes.Modified == nil || t.Writes.Modified.Column != f.Column:
		return nil
	case col.sqlType != "timestamp with time zone" || col.nullable:
		return fmt.Errorf("%s.%s is @modified in the schema, but column %s.%s is not timestamptz not null",
			t.Name, f.Name, t.Table, f.Column)
	case col.typmod >= 0 && col.typmod < 6:
		return fmt.Errorf("%s.%s is @modified in the schema, but column %s.%s keeps %d digits of a second, not 6",
			t.Name, f.Name, t.Table, f.Column, col.typmod)
	default:
		return nil
	}
}

// checkDefault finds fields that an input may leave out, but no default fills, and fields
// that an input has, but nobody can write.
func checkDefault(t *doctype.Type, f *doctype.Field, col column) error {
	written := f.Create != doctype.Absent || f.Update != doctype.Absent
	modified := t.Writes.Modified != nil && t.Writes.Modified.Column == f.Column
	switch {
	case written && col.computed:
		return fmt.Errorf("%s.%s can be written in the schema, but column %s.%s is generated always (wanted: @readOnly)",
			t.Name, f.Name, t.Table, f.Column)
	case col.filled || !f.NonNull || modified:
		return nil
	case f.Create == doctype.Optional:
		return fmt.Errorf("%s.%s is @default in the schema, but column %s.%s has no default", t.Name, f.Name, t.Table, f.Column)
	case f.Create == doctype.Absent && t.Writes.Create:
		return fmt.Errorf("%s.%s is in no input of %s, but column %s.%s is not null and has no default",
			t.Name, f.Name, t.CreateRoot(), t.Table, f.Column)
	default:
		return nil
	}
}

// deleteRules are what a foreign key does for each onDelete, in pg_constraint's letters,
// and in words.
var deleteRules = map[string]struct{ letters, words string }{
	"CASCADE":  {"c", "on delete cascade"},
	"NULL":     {"n", "on delete set null"},
	"RESTRICT": {"ra", "on delete restrict"},
	"KEEP":     {"", "no foreign key"},
}

// checkOnDelete compares a link between local types with the foreign key, which is what
// carries the link's onDelete out. That the target has no table is an error already.
func (db *DB) checkOnDelete(t *doctype.Type, f *doctype.Field, table relation, types []*doctype.Type) error {
	want, ok := deleteRules[f.OnDelete]
	target := localTarget(f, types)
	if !ok || target == nil || db.catalog.known(target.Table).columns == nil {
		return nil
	}
	is := "has no foreign key to " + target.Table
	for _, r := range table.rules {
		if r.kind != foreignRule || r.target != target.Table || !slices.Equal(r.columns, []string{f.Column}) {
			continue
		}
		if slices.Contains([]byte(want.letters), r.onDelete[0]) {
			return nil
		}
		is = "has the foreign key " + r.name + " with " + deleteWords(r.onDelete)
	}
	if want.letters == "" && is == "has no foreign key to "+target.Table {
		return nil
	}
	return fmt.Errorf("%s.%s is @link(onDelete: %s) in the schema, but column %s.%s %s (wanted: %s)",
		t.Name, f.Name, f.OnDelete, t.Table, f.Column, is, want.words)
}

func deleteWords(letter string) string {
	switch letter {
	case "c":
		return "on delete cascade"
	case "n":
		return "on delete set null"
	case "d":
		return "on delete set default"
	case "r":
		return "on delete restrict"
	default:
		return "on delete no action"
	}
}

// localTarget is the local type that a field links to, nil for any other field.
func localTarget(f *doctype.Field, types []*doctype.Type) *doctype.Type {
	if f.Kind != doctype.Link {
		return nil
	}
	for _, target := range types {
		if target.Key == f.Target && target.Source == doctype.Local {
			return target
		}
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
		target := localTarget(f, types)
		if target == nil {
			return texts
		}
		if key, ok := db.catalog.known(target.Table).columns[keyField(target).Column]; ok {
			return []string{key.sqlType}
		}
		return nil
	default:
		return texts
	}
}
