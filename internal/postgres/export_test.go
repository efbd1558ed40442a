package postgres

import (
	"erpgraph/internal/doctype"
)

// RowsSQL gives the statement of a query against the tables given: table, column, and
// whether it may be NULL.
func RowsSQL(q Query, nullable map[string]map[string]bool) (sql string, args []any, err error) {
	b := offline(nullable)
	_, err = b.rowsStatement(q)
	return b.sql.String(), b.args, err
}

// RowsByParentSQL is RowsSQL for a ReverseQuery.
func RowsByParentSQL(q ReverseQuery, nullable map[string]map[string]bool) (sql string, args []any, err error) {
	b := offline(nullable)
	_, err = b.rowsByParentStatement(q)
	return b.sql.String(), b.args, err
}

func offline(nullable map[string]map[string]bool) *builder {
	return &builder{columns: func(t *doctype.Type) (map[string]column, error) {
		out := map[string]column{}
		for name, null := range nullable[t.Table] {
			out[name] = column{sqlType: "text", nullable: null}
		}
		return out, nil
	}}
}

// StopServer stops the embedded server under the pool.
func (db *DB) StopServer() error { return db.server.Stop() }

// AppendTimestamp is appendTimestamp.
func AppendTimestamp(raw string) string { return string(appendTimestamp(nil, []byte(raw))) }

// ArrayText is arrayText.
func ArrayText(items []string) string { return arrayText(items) }

// KeepsDigits tells whether a numeric column of a precision and scale keeps all of a
// Decimal; ok is false for what is no number.
func KeepsDigits(s string, precision, scale int) (keeps, ok bool) {
	f := &doctype.Field{Name: "f", Kind: doctype.Decimal}
	if fits(f.Kind, s, "") != nil {
		return false, false
	}
	typmod := int32(precision<<16|scale&0x7ff) + 4
	return keepsDigits(f, s, column{sqlType: "numeric", typmod: typmod}) == nil, true
}
