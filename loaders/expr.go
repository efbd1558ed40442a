package loaders

import "erpgraph/internal/doctype"

// Op is a comparison of the where language; the names are those of the GraphQL inputs.
type Op string

// The comparisons.
const (
	Eq               Op = "eq"
	Ne               Op = "ne"
	Gt               Op = "gt"
	Gte              Op = "gte"
	Lt               Op = "lt"
	Lte              Op = "lte"
	In               Op = "in"
	NotIn            Op = "notIn"
	Like             Op = "like"
	NotLike          Op = "notLike"
	IsSet            Op = "isSet"
	DescendantsOf    Op = "descendantsOf"
	NotDescendantsOf Op = "notDescendantsOf"
	AncestorsOf      Op = "ancestorsOf"
	NotAncestorsOf   Op = "notAncestorsOf"
	Timespan         Op = "timespan"
)

// Expr is a where tree: exactly one of its parts is set. The engine checks values
// against the field's kind before it builds one, so a Cond's Value is nil, bool,
// string, json.Number, time.Time (DateTime) or a []any of those.
type Expr struct {
	And, Or []*Expr
	Not     *Expr
	Cond    *Cond
	// Rows says that some row of a child table (upstream) or of a reverse list
	// (local) matches all of And.
	Rows *RowsExpr
}

// Cond compares one field with a value.
type Cond struct {
	Field *doctype.Field
	Op    Op
	Value any
	// Path is where the client wrote it ("where.grandTotal.gt"), for errors.
	Path string
}

// RowsExpr is a condition on the rows of a table field.
type RowsExpr struct {
	Field *doctype.Field
	Of    *doctype.Type
	Conds []*Cond
	Path  string
}

// Order is one key of an order.
type Order struct {
	Field *doctype.Field
	Desc  bool
}

// Fields visits every field that the tree compares, with the type it belongs to.
func (e *Expr) Fields(t *doctype.Type, visit func(*doctype.Type, *doctype.Field)) {
	if e == nil {
		return
	}
	for _, kid := range append(append([]*Expr{}, e.And...), e.Or...) {
		kid.Fields(t, visit)
	}
	e.Not.Fields(t, visit)
	if e.Cond != nil {
		visit(t, e.Cond.Field)
	}
	if e.Rows != nil {
		if e.Rows.Field != nil {
			visit(t, e.Rows.Field)
		}
		for _, c := range e.Rows.Conds {
			visit(e.Rows.Of, c.Field)
		}
	}
}
