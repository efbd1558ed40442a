package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/doctype"
)

// Value is what a write puts into a field of a row. Nothing is converted on the way: a
// value of another kind than the field's is refused.
type Value struct {
	Field *doctype.Field
	// Value is nil for NULL, else by the field's kind: bool; json.Number (Int, Float,
	// Decimal) or Go's int, int64 and, for floats, float64; jsontext.Value for JSON;
	// string for the rest and for Decimals; time.Time for a DateTime.
	Value any
}

// Guard is what must still be so when a row is written. The zero Guard asks for nothing.
type Guard struct {
	// Field, when given, must still hold Value: the link that the caller's right to the row
	// was checked by.
	Field *doctype.Field
	Value string
	// Modified, when given, is an RFC 3339 instant that the type's Writes.Modified must
	// equal, to the microsecond.
	Modified string
}

// touched is a now() that always moves, also when the clock was set back.
const touched = "clock_timestamp()"

// Insert writes a new row and gives its id. Fields without a value take the column's
// default; Writes.Modified is set by itself.
//
// Errors are coded; those about a value have the field's GraphQL name in Field, and no
// path before it: BAD_USER_INPUT for what a column of this type can't hold, VALIDATION for
// what the database's rules refuse ("constraint", and "fields" where there are several, in
// the extensions), UPSTREAM_UNAVAILABLE, UPSTREAM_TIMEOUT.
func (tx *Tx) Insert(ctx context.Context, t *doctype.Type, values []Value) (string, error) {
	w, err := tx.writing(ctx, t, values)
	if err != nil {
		return "", err
	}
	w.write("insert into ", ident(t.Table))
	names, exprs := w.assigned(touched)
	if len(names) == 0 {
		w.write(" default values")
	} else {
		w.write(" (", strings.Join(names, ", "), ") values (", strings.Join(exprs, ", "), ")")
	}
	w.write(" returning ", ident(keyField(t).Column), "::text")
	id, _, err := w.run(ctx, operation{name: "insert", typ: t, fields: fieldsOf(values)})
	return id, err
}

// Update changes the fields given in the row with the id, where guard holds; false tells
// that there is no such row any more. Writes.Modified moves with each update, also with
// one of no fields. Where there is no such field, an update of nothing only looks whether
// the row is there. Errors as Insert, and BAD_USER_INPUT for the argument ifModified.
func (tx *Tx) Update(ctx context.Context, t *doctype.Type, id string, values []Value, guard Guard) (bool, error) {
	w, err := tx.writing(ctx, t, values)
	if err != nil {
		return false, err
	}
	modified := ""
	if f := t.Writes.Modified; f != nil {
		modified = "greatest(" + touched + ", " + ident(f.Column) + " + interval '1 microsecond')"
	}
	names, exprs := w.assigned(modified)
	if len(names) == 0 {
		w.write("select ", ident(keyField(t).Column), "::text from ", ident(t.Table))
	} else {
		w.write("update ", ident(t.Table), " set ")
		for i := range names {
			if i > 0 {
				w.write(", ")
			}
			w.write(names[i], " = ", exprs[i])
		}
	}
	if ok, err := w.guarded(id, guard); !ok || err != nil {
		return false, err
	}
	if len(names) > 0 {
		w.write(" returning ", ident(keyField(t).Column), "::text")
	}
	if slices.ContainsFunc(values, func(v Value) bool { return v.Field.Column == keyField(t).Column }) {
		tx.dropped[t.Table] = true
	}
	_, found, err := w.run(ctx, operation{name: "update", typ: t, fields: fieldsOf(values)})
	return found, err
}

// Delete deletes the row with the id, where guard holds; false tells that there is no such
// row any more. Rows that link to it go as their foreign keys say. Errors as Update:
// VALIDATION also where rows of a local type still link to it, by that type's name.
func (tx *Tx) Delete(ctx context.Context, t *doctype.Type, id string, guard Guard) (bool, error) {
	w, err := tx.writing(ctx, t, nil)
	if err != nil {
		return false, err
	}
	w.write("delete from ", ident(t.Table))
	if ok, err := w.guarded(id, guard); !ok || err != nil {
		return false, err
	}
	w.write(" returning ", ident(keyField(t).Column), "::text")
	tx.dropped[t.Table] = true
	_, found, err := w.run(ctx, operation{name: "delete", typ: t})
	return found, err
}

// operation says what a statement does, for its errors and its observer. The zero
// operation is a commit.
type operation struct {
	name   string
	typ    *doctype.Type
	fields []*doctype.Field
}

func fieldsOf(values []Value) []*doctype.Field {
	out := make([]*doctype.Field, len(values))
	for i, v := range values {
		out[i] = v.Field
	}
	return out
}

// writing is a statement that writes one row.
type writing struct {
	builder
	tx      *Tx
	typ     *doctype.Type
	table   map[string]column
	columns []string // of the values, quoted
	values  []string // their placeholders
}

// writing begins a statement with the values as its first parameters.
func (tx *Tx) writing(ctx context.Context, t *doctype.Type, values []Value) (*writing, error) {
	// Through the transaction: one more connection may never become free.
	table, err := tx.db.catalog.table(ctx, tx.tx, t)
	if err != nil {
		return nil, convert(err, nil)
	}
	w := &writing{tx: tx, typ: t, table: table}
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		if err := w.checkField(v.Field, seen); err != nil {
			return nil, err
		}
		col := table[v.Field.Column]
		param, err := parameter(v, col)
		if err != nil {
			return nil, err
		}
		w.columns = append(w.columns, ident(v.Field.Column))
		w.values = append(w.values, w.arg(param, v.Field.Name))
	}
	return w, nil
}

// checkField holds the fields of a write to those that the type stores, each once.
func (w *writing) checkField(f *doctype.Field, seen map[string]bool) error {
	t := w.typ
	switch {
	case f == nil || !stored(f) || fieldByColumn(t, f.Column) == nil:
		return fmt.Errorf("postgres: %s: a value for what is not a stored field of the type", t.Name)
	case seen[f.Column]:
		return fmt.Errorf("postgres: %s.%s is given twice", t.Name, f.Name)
	case t.Writes.Modified != nil && t.Writes.Modified.Column == f.Column:
		return fmt.Errorf("postgres: %s.%s is @modified and set by itself", t.Name, f.Name)
	}
	if _, ok := w.table[f.Column]; !ok {
		return fmt.Errorf("postgres: %s.%s: table %s has no column %q", t.Name, f.Name, t.Table, f.Column)
	}
	seen[f.Column] = true
	return nil
}

// assigned are the columns to write and their values, the one of @modified included.
func (w *writing) assigned(modified string) (names, exprs []string) {
	names, exprs = w.columns, w.values
	if f := w.typ.Writes.Modified; f != nil {
		names, exprs = append(names, ident(f.Column)), append(exprs, modified)
	}
	return names, exprs
}

// guarded writes which row is meant; ok is false where no row can be.
func (w *writing) guarded(id string, guard Guard) (ok bool, err error) {
	key := keyField(w.typ)
	if !holdsKey(w.table[key.Column].sqlType, id) {
		return false, nil
	}
	w.write(" where ", ident(key.Column), " = ", w.arg(id, key.Name))
	if f := guard.Field; f != nil {
		col, known := w.table[f.Column]
		if !known {
			return false, fmt.Errorf("postgres: %s: the guard %s is not a stored field of the type", w.typ.Name, f.Name)
		}
		if !holdsKey(col.sqlType, guard.Value) {
			return false, nil
		}
		w.write(" and ", ident(f.Column), " = ", w.arg(guard.Value, f.Name))
	}
	if guard.Modified == "" {
		return true, nil
	}
	const argument = "ifModified"
	at, err := time.Parse(time.RFC3339Nano, guard.Modified)
	switch f := w.typ.Writes.Modified; {
	case f == nil:
		return false, badInput(argument, "%s does not tell when a row was changed", w.typ.Name)
	case err != nil:
		return false, badInput(argument, "must be a date and time with its offset: 2006-01-31T15:04:05+01:00")
	default:
		w.write(" and ", ident(f.Column), " = ", w.arg(at.UTC().Format("2006-01-02T15:04:05.000000Z"), argument))
		return true, nil
	}
}

// run runs a statement that gives at most one text.
func (w *writing) run(ctx context.Context, op operation) (text string, found bool, err error) {
	start, rows := time.Now(), 0
	defer func() {
		observed(ctx, Statement{Name: op.name, Type: op.typ.Key, Rows: rows, Duration: time.Since(start), Err: err})
	}()
	sql := w.sql.String()
	args := append([]any{execMode(sql)}, w.args...)
	err = w.tx.tx.QueryRow(ctx, sql, args...).Scan(&text)
	switch {
	case err == nil:
		rows = 1
		return text, true, nil
	case errors.Is(err, pgx.ErrNoRows) && op.name != "insert":
		return "", false, nil
	default:
		return "", false, w.tx.writeError(op, fmt.Errorf("%s of %s: %w", op.name, op.typ.Key, err), w.paths)
	}
}
