package postgres

import (
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/doctype"
)

// Op is a comparison of the where language; the names are those of the GraphQL inputs.
type Op string

// The comparisons. They treat NULL as ERPNext's filters treat an empty value: ne, notIn
// and notLike match rows that have none, the others do not.
const (
	Eq      Op = "eq" // exact, also in case; nil asks for NULL
	Ne      Op = "ne"
	Gt      Op = "gt"
	Gte     Op = "gte"
	Lt      Op = "lt"
	Lte     Op = "lte"
	In      Op = "in"      // []any
	NotIn   Op = "notIn"   // []any
	Between Op = "between" // []any of two, both ends included
	// Like ignores case, as ERPNext's does; % and _ are wildcards, a backslash is only
	// a backslash.
	Like    Op = "like"
	NotLike Op = "notLike"
	IsSet   Op = "isSet" // bool; the empty text counts as not set, as in ERPNext
)

// Expr is a where tree. At most one of its parts is set; one without any matches every
// row, and so does nil.
type Expr struct {
	And, Or []*Expr
	Not     *Expr
	Cond    *Cond
	Rows    *RowsExpr
}

// Cond compares one field with a value: nil, bool, string, json.Number, time.Time or a
// []any of those.
type Cond struct {
	Field *doctype.Field
	Op    Op
	Value any
	// Path is where the client wrote it ("where.monthlyFee.gt"), for errors.
	Path string
}

// RowsExpr says that some row of a @reverse list matches.
type RowsExpr struct {
	Field *doctype.Field // the ReverseList field
	Of    *doctype.Type  // its target
	Where *Expr
}

// Order is one key of an order. NULLs are the smallest value, as in MariaDB.
type Order struct {
	Field *doctype.Field
	Desc  bool
}

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
	Where   *Expr
	// Order is the client's; the id is the last key always, in the direction of the
	// key before it.
	Order []Order
	// After and Before cut the list: only rows behind After and in front of Before.
	After, Before *Position
	// Limit bounds the rows; 0 is no bound. Ask for one more than the page holds to
	// learn whether there are more.
	Limit int
	// Backward takes the last Limit rows of the cut list instead of the first. The
	// answer is in list order all the same.
	Backward bool
}

// ReverseQuery asks for the rows of Query.Type whose ParentField links to one of
// Parents. Order, cut and limit hold for each parent's rows on their own.
type ReverseQuery struct {
	Query
	ParentField *doctype.Field
	Parents     []string
}

// Func is an aggregate function.
type Func string

// The aggregate functions.
const (
	Count Func = "count" // of rows; needs no field
	Sum   Func = "sum"
	Avg   Func = "avg"
	Min   Func = "min"
	Max   Func = "max"
)

// Figure is one aggregate to compute; As names its column in the answer.
type Figure struct {
	Func  Func
	Field *doctype.Field
	As    string
}

// AggregateOrder orders groups by a figure (As) or by a group key (Key).
type AggregateOrder struct {
	As   string
	Key  *doctype.Field
	Desc bool
}

// AggregateQuery asks for figures of each group of rows. Without GroupBy there is one
// group, also when no row matches. Groups that the order leaves equal come in the order
// of their keys.
type AggregateQuery struct {
	Type    *doctype.Type
	Where   *Expr
	GroupBy []*doctype.Field
	Figures []Figure
	Order   []AggregateOrder
	Limit   int
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
