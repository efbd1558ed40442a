package postgres

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
)

// writeError is convert for a statement that writes: what the database's rules refuse
// becomes a VALIDATION with the fields that the rule is about. Its text names rules and
// fields, never a value.
func (tx *Tx) writeError(op operation, err error, paths []string) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return convert(err, paths)
	}
	switch pg.Code {
	case "22001", // string_data_right_truncation
		"22003": // numeric_value_out_of_range, where it is no single parameter's
		if parameterPath(pg.Where, paths) == "" {
			return invalid(err, tx.suspects(op, pg.Code), "does not fit the column")
		}
	}
	return tx.violation(op, pg, err, paths)
}

// violation turns what a rule refused into a VALIDATION, and anything else into what
// convert makes of it.
func (tx *Tx) violation(op operation, pg *pgconn.PgError, err error, paths []string) error {
	r := tx.db.catalog.known(pg.TableName).rules[pg.ConstraintName]
	fields := tx.fieldsOf(op.typ, pg.TableName, r.columns)
	var e *apierror.Error
	switch pg.Code {
	case "23505": // unique_violation
		e = invalid(err, fields, "another row has %s already", these(fields, "this value", "these values"))
	case "23P01": // exclusion_violation
		e = invalid(err, fields, "does not go together with another row")
	case "23514": // check_violation
		e = invalid(err, fields, "%s", unmet(pg.ConstraintName))
	case "23503", "23001": // foreign_key_violation, restrict_violation
		e = tx.brokenLink(op, pg, r, err)
	case "23502": // not_null_violation
		e = invalid(err, tx.fieldsOf(op.typ, pg.TableName, []string{pg.ColumnName}), "must not be null")
	case "54000": // program_limit_exceeded: of a write, a value too long for an index or a row
		if len(fields) == 0 {
			fields = tx.suspects(op, pg.Code)
		}
		e = invalid(err, fields, "is too long for the app's database")
	case "54001": // statement_too_complex: of a write, JSON that goes too deep
		e = invalid(err, tx.suspects(op, pg.Code), "is too deeply nested")
	case "P0001", "44000": // raise in a trigger, with_check_option_violation
		e = invalid(err, nil, "a rule of the app's database refused the row")
	case "25006": // read_only_sql_transaction: a replica, or one being restored
		return apierror.Wrap(apierror.UpstreamUnavailable, err, "the app's database takes no writes at the moment")
	case "55P03": // lock_not_available: the server's own lock_timeout
		return apierror.Wrap(apierror.UpstreamTimeout, err, "the app's database did not answer in time")
	default:
		return refusal(pg, err, paths)
	}
	if pg.ConstraintName != "" {
		if e.Extensions == nil {
			e.Extensions = map[string]any{}
		}
		e.Extensions["constraint"] = pg.ConstraintName
	}
	return e
}

// refusal is convert, and a VALIDATION for the data exceptions that it does not know: what
// functions behind a rule or a trigger say of a value.
func refusal(pg *pgconn.PgError, err error, paths []string) error {
	converted := convert(err, paths)
	if _, coded := apierror.As(converted); !coded && strings.HasPrefix(pg.Code, "22") {
		return invalid(err, nil, "the app's database refused a value")
	}
	return converted
}

// brokenLink is a link to a row that is not there, or a row that goes while another one
// links to it: the server reports both by the table and the constraint of the link.
func (tx *Tx) brokenLink(op operation, pg *pgconn.PgError, r rule, err error) *apierror.Error {
	deleting := op.name == "delete" || op.name == "" && tx.dropped[r.target] || pg.Code == "23001"
	if op.name == "update" && op.typ.Table != pg.TableName {
		deleting = true // of a key that others link to
	}
	if !deleting {
		return noSuchRow(err, tx.fieldsOf(op.typ, pg.TableName, r.columns))
	}
	referrer := tx.db.catalog.typeOf(pg.TableName)
	if referrer == nil && op.typ != nil && op.typ.Table == pg.TableName {
		referrer = op.typ
	}
	if referrer == nil {
		return invalid(err, nil, "other rows still link to the row")
	}
	e := invalid(err, nil, "rows of %s still link to the row", referrer.Name)
	e.Extensions = map[string]any{"referrer": referrer.Name}
	return e
}

// fieldsOf are the GraphQL names of columns. Columns that no field shows are left out, and
// so are those of another table than the write's: the caller knows no such field.
func (tx *Tx) fieldsOf(t *doctype.Type, table string, columns []string) []string {
	if t == nil {
		t = tx.db.catalog.typeOf(table)
	}
	if t == nil || t.Table != table {
		return nil
	}
	var out []string
	for _, column := range columns {
		if f := fieldByColumn(t, column); f != nil {
			out = append(out, f.Name)
		}
	}
	return out
}

// suspects is the field that an error must be about which names no parameter: the only
// one of the write whose column can have it. Where there are several, it is none of them.
func (tx *Tx) suspects(op operation, code string) []string {
	if op.typ == nil {
		return nil
	}
	table := tx.db.catalog.known(op.typ.Table)
	var out []string
	for _, f := range op.fields {
		col := table.columns[f.Column]
		fits := false
		switch code {
		case "22001":
			_, fits = col.maxChars()
		case "22003":
			_, _, fits = col.digits()
		case "54000":
			fits = col.isText() && table.indexed(f.Column)
		case "54001":
			fits = f.Kind == doctype.JSON
		}
		if fits {
			out = append(out, f.Name)
		}
	}
	if len(out) > 1 {
		return nil
	}
	return out
}

// fieldByColumn finds a field by its column, also of a type that no registry holds yet.
func fieldByColumn(t *doctype.Type, column string) *doctype.Field {
	for _, f := range t.Fields {
		if f.Column == column && stored(f) {
			return f
		}
	}
	return nil
}

// unmet names the rule that a row breaks. The name is the author's, or one that Postgres
// made of table and column.
func unmet(constraint string) string {
	if constraint == "" {
		return "does not meet a rule of the app's database"
	}
	return "does not meet the rule " + constraint
}

func these(fields []string, one, several string) string {
	if len(fields) == 1 {
		return one
	}
	return several
}
