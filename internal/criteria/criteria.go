// Package criteria is the language of reads: which rows are wanted, in which order, and
// what is to be computed of groups of them. The engine checks a client's arguments and
// writes them down in it; loaders turn it into ERPNext's filters, postgres into SQL.
package criteria

import "erpgraph/internal/doctype"

// Op is a comparison; the names are those of the GraphQL inputs.
type Op string

// The comparisons. ne, notIn and notLike match rows that have no value, as ERPNext's
// filters do; the others don't. In and NotIn take a []any, IsSet a bool, for which the
// empty text counts as not set. In Like and NotLike, which ignore case, % and _ are
// wildcards. Eq and Ne take nil: not set, set.
const (
	Eq      Op = "eq"
	Ne      Op = "ne"
	Gt      Op = "gt"
	Gte     Op = "gte"
	Lt      Op = "lt"
	Lte     Op = "lte"
	In      Op = "in"
	NotIn   Op = "notIn"
	Like    Op = "like"
	NotLike Op = "notLike"
	IsSet   Op = "isSet"
)

// The comparisons that only ERPNext evaluates.
const (
	DescendantsOf    Op = "descendantsOf"
	NotDescendantsOf Op = "notDescendantsOf"
	AncestorsOf      Op = "ancestorsOf"
	NotAncestorsOf   Op = "notAncestorsOf"
	Timespan         Op = "timespan"
)

// Expr is a where tree. At most one of its parts is set; one without any matches every
// row, and so does nil.
type Expr struct {
	And, Or []*Expr
	Not     *Expr
	Cond    *Cond
	Rows    *RowsExpr
	Ends    *EndsExpr
}

// Cond compares one field with a value: nil, bool, string, json.Number, time.Time for a
// DateTime, or a []any of those. It was checked against the field's kind.
type Cond struct {
	Field *doctype.Field
	Op    Op
	Value any
	// Path is where the client wrote it ("where.grandTotal.gt"), for errors.
	Path string
}

// RowsExpr says that some row of a child table (upstream) or of a @reverse list (local)
// matches.
type RowsExpr struct {
	Field *doctype.Field // the Table or ReverseList
	Of    *doctype.Type  // its target
	Where *Expr
	Path  string
}

// EndsExpr says that a chain of links, followed from a local row, ends where the caller
// may read. Loaders add it to what a client asked for; no client can write it.
type EndsExpr struct {
	Chain []doctype.Hop
	// In are the docnames that the chain may end at, in the spelling of the rows. They
	// don't matter to a chain that ends at a local type: its row has to exist.
	In []string
}

// Order is one key of an order.
type Order struct {
	Field *doctype.Field
	Desc  bool
}

// Func is an aggregate function, by the name that ERPNext and Postgres share.
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
	Field *doctype.Field // nil for Count
	As    string
}

// AggregateOrder orders groups by a figure (As) or by a group key (Key).
type AggregateOrder struct {
	As   string
	Key  *doctype.Field
	Desc bool
}

// Aggregate asks for figures of each group of rows. Without GroupBy there is one group,
// also when no row matches. Groups that the order leaves equal come in the order of
// their keys where the rows are local, in any order where they are ERPNext's.
type Aggregate struct {
	Type    *doctype.Type
	Where   *Expr
	GroupBy []*doctype.Field
	Figures []Figure
	Order   []AggregateOrder
	Limit   int
}

// IsEmpty tells whether the tree compares nothing, and so matches every row.
func (e *Expr) IsEmpty() bool {
	if e == nil {
		return true
	}
	for _, kids := range [][]*Expr{e.And, e.Or} {
		for _, kid := range kids {
			if !kid.IsEmpty() {
				return false
			}
		}
	}
	return e.Cond == nil && e.Rows == nil && e.Ends == nil && e.Not.IsEmpty()
}

// Fields visits every field that the tree compares, with the type it belongs to.
func (e *Expr) Fields(t *doctype.Type, visit func(*doctype.Type, *doctype.Field)) {
	if e == nil {
		return
	}
	for _, kids := range [][]*Expr{e.And, e.Or} {
		for _, kid := range kids {
			kid.Fields(t, visit)
		}
	}
	e.Not.Fields(t, visit)
	if e.Cond != nil {
		visit(t, e.Cond.Field)
	}
	if e.Rows != nil {
		if e.Rows.Field != nil {
			visit(t, e.Rows.Field)
		}
		e.Rows.Where.Fields(e.Rows.Of, visit)
	}
}
