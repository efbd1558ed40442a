package postgres

import (
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// Position is the place of a row in an ordered list.
type Position struct {
	// Values are the raw JSON values of the order's fields, as a Table gave them.
	Values []jsontext.Value
	// Key is the row's id.
	Key string
}

// Query asks for rows of one local type.
type Query struct {
	Type *doctype.Type
	// Columns are the fields to read. The id comes first in the answer in any case,
	// and the fields of the order come with it, so that positions can be made.
	Columns []*doctype.Field
	Where   *criteria.Expr
	// Order is the client's, NULLs the smallest value, as in MariaDB; the id is the last key always, in the direction of the
	// key before it.
	Order []criteria.Order
	// After and Before cut the list: only rows behind After and in front of Before.
	After, Before *Position
	// Limit bounds the rows; 0 is no bound. Ask for one more than the page holds to
	// learn whether there are more.
	Limit int
	// Backward takes the last Limit rows of the cut list instead of the first. The
	// answer is in list order all the same.
	Backward bool
	// End, when given, is a chain of links from the type to an upstream one: the docname
	// that it ends at comes with each row, as EndColumn, null where the chain breaks off.
	End []doctype.Hop
}

// EndColumn is the name of the column for Query.End: no column of a table has it.
const EndColumn = "(end)"

// EndsQuery asks for the docnames that a chain of links ends at, for the rows of Type
// that Where matches.
type EndsQuery struct {
	Type  *doctype.Type
	Chain []doctype.Hop
	Where *criteria.Expr
	// Limit bounds the docnames; 0 is no bound.
	Limit int
}

// ReverseQuery asks for the rows of Query.Type whose ParentField links to one of
// Parents. Order, cut and limit hold for each parent's rows on their own.
type ReverseQuery struct {
	Query
	ParentField *doctype.Field
	Parents     []string
}

// Table is what a read gives: rows of raw JSON values, in the order of Columns.
//
// A Decimal is the number's exact text, as 12.50; a Date "2006-01-02"; a DateTime RFC 3339
// in UTC with microseconds; a Time "15:04:05"; JSON the column's own text; NULL, and the
// NaN and infinities that JSON lacks, are null. The values must not be changed.
type Table struct {
	// Columns are SQL column names (doctype.Field.Column), the id's first. In an
	// aggregate: the columns of the group keys, then the figures' aliases.
	Columns []string
	Rows    [][]jsontext.Value
}

// ParentTable is the answer to a ReverseQuery.
type ParentTable struct {
	Table
	// Parent tells for each row which of ReverseQuery.Parents it belongs to, by index.
	// Rows of one parent stand together, in list order.
	Parent []int
}

// keyField is the field of the primary key.
func keyField(t *doctype.Type) *doctype.Field {
	for _, f := range t.Fields {
		if f.Kind == doctype.ID && f.Column != "" {
			return f
		}
	}
	return &doctype.Field{Name: "id", Column: "id", Kind: doctype.ID, NonNull: true}
}
