package frappe

import (
	"regexp"
	"slices"

	"erpgraph/internal/apierror"
)

// Op is a filter operator as Frappe spells it (utils/data.py get_filter).
type Op string

// The operators. Frappe treats NULL as the type's empty value in OpNe, OpNotIn,
// OpNotLike, OpLt and OpLte on text, so those find rows without a value too.
const (
	OpEq      Op = "="        // a scalar; "" finds NULL too
	OpNe      Op = "!="       // a scalar
	OpGt      Op = ">"        // a scalar
	OpGte     Op = ">="       // a scalar
	OpLt      Op = "<"        // a scalar
	OpLte     Op = "<="       // a scalar
	OpLike    Op = "like"     // a pattern with % and _
	OpNotLike Op = "not like" // a pattern with % and _
	OpIn      Op = "in"       // a list; Frappe strips blanks around each value
	OpNotIn   Op = "not in"   // a list
	OpIs      Op = "is"       // IsSet or IsNotSet
	OpBetween Op = "between"  // a list of two; dates and datetimes only, else SQL fails
	// OpTimespan takes a name such as "last week" or "this month".
	OpTimespan Op = "timespan"
	// OpDescendantsOf and the other operators of trees take the docname of a node.
	OpDescendantsOf          Op = "descendants of"
	OpDescendantsOfInclusive Op = "descendants of (inclusive)"
	OpNotDescendantsOf       Op = "not descendants of"
	OpAncestorsOf            Op = "ancestors of"
	OpNotAncestorsOf         Op = "not ancestors of"
)

// The values of OpIs. An empty text counts as not set.
const (
	IsSet    = "set"
	IsNotSet = "not set"
)

// Filter is one condition. Value is a string, a bool (sent as 0 or 1), a number, a
// json.Number, or for OpIn, OpNotIn and OpBetween a []string or []any of those.
type Filter struct {
	// DocType is "" for a field of the list's own DocType, else a child table of it.
	// A filter on a child table repeats the parent once for each row that fits.
	DocType string
	Field   string
	Op      Op
	Value   any
}

// The functions of a Column.
const (
	FuncCount = "count"
	FuncSum   = "sum"
	FuncAvg   = "avg"
	FuncMin   = "min"
	FuncMax   = "max"
)

// Column is a column of the answer: a field, or a function over one. FuncCount
// counts rows when Field is "name".
type Column struct {
	Func    string // "" or one of the Func constants
	DocType string // "" for the list's own, else a child table of it
	Field   string
	As      string // the key in the answer; needed with a Func, else Field by default
}

// Key is the column's name in the answer.
func (c Column) Key() string {
	if c.As != "" {
		return c.As
	}
	return c.Field
}

// Order sorts by a field, or by the alias of a Column when Alias is set.
type Order struct {
	DocType string // "" for the list's own; a child table must be in a Column or Filter too
	Field   string
	Alias   bool
	Desc    bool
}

// ListQuery asks for rows of one DocType. All Filters must hold, and at least one
// of OrFilters where there are any. Without OrderBy the order is the database's.
type ListQuery struct {
	DocType string
	// Parent is the DocType whose child table is listed. Frappe 15 checks the
	// caller's roles on it but no user permissions: filter by parents that this
	// caller's own read has just returned, never by names of another origin.
	Parent    string
	Columns   []Column
	Filters   []Filter
	OrFilters []Filter
	GroupBy   []Column
	OrderBy   []Order
	Start     int
	Limit     int // rows; 0 means all
}

// Frappe keeps DocType names to letters, digits, blanks, hyphens and underscores
// (core/doctype/doctype validate_name). The pattern also keeps them from ending the
// backticks that they are sent in.
var doctypePattern = regexp.MustCompile(`^[\pL\pN\pM_](?:[\pL\pN\pM_ -]*[\pL\pN\pM_-])?$`)

var fieldPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// maxName is the length of Frappe's name columns, in characters.
const maxName = 140

func checkDocType(name string) error {
	if len(name) > 4*maxName || !doctypePattern.MatchString(name) {
		return apierror.New(apierror.BadUserInput, "not a DocType name: %.200q", name)
	}
	return nil
}

func checkField(name string) error {
	if len(name) > maxName || !fieldPattern.MatchString(name) {
		return apierror.New(apierror.BadUserInput, "not a field name: %.200q", name)
	}
	return nil
}

func checkOptional(doctype string) error {
	if doctype == "" {
		return nil
	}
	return checkDocType(doctype)
}

// validate refuses what could mean something else inside Frappe's SQL, before it
// is sent, and what Frappe would answer in a surprising way.
func (q *ListQuery) validate() error {
	if err := checkDocType(q.DocType); err != nil {
		return err
	}
	if err := checkOptional(q.Parent); err != nil {
		return err
	}
	if q.Start < 0 || q.Limit < 0 {
		return apierror.New(apierror.BadUserInput, "start and limit can't be negative")
	}
	if len(q.Columns) == 0 {
		return apierror.New(apierror.BadUserInput, "a list needs at least one column")
	}
	keys := make(map[string]struct{}, len(q.Columns))
	for _, column := range q.Columns {
		if err := column.validate(); err != nil {
			return err
		}
		if _, twice := keys[column.Key()]; twice {
			return apierror.New(apierror.BadUserInput, "two columns are named %q", column.Key())
		}
		keys[column.Key()] = struct{}{}
	}
	for _, group := range q.GroupBy {
		if group.Func != "" {
			return apierror.New(apierror.BadUserInput, "can't group by a function")
		}
		if err := group.validate(); err != nil {
			return err
		}
	}
	return validateOrder(q.OrderBy, keys)
}

func validateOrder(orders []Order, keys map[string]struct{}) error {
	for _, order := range orders {
		if err := checkField(order.Field); err != nil {
			return err
		}
		if err := checkOptional(order.DocType); err != nil {
			return err
		}
		if _, known := keys[order.Field]; order.Alias && !known {
			return apierror.New(apierror.BadUserInput, "can't sort by %q, which is no column", order.Field)
		}
	}
	return nil
}

func (c Column) validate() error {
	if err := checkOptional(c.DocType); err != nil {
		return err
	}
	if err := checkField(c.Field); err != nil {
		return err
	}
	if c.As != "" {
		if err := checkField(c.As); err != nil {
			return err
		}
	}
	switch c.Func {
	case "":
		return nil
	case FuncCount, FuncSum, FuncAvg, FuncMin, FuncMax:
		if c.As == "" {
			return apierror.New(apierror.BadUserInput, "%s of %s needs a name", c.Func, c.Field)
		}
		return nil
	default:
		return apierror.New(apierror.BadUserInput, "no such function: %.50q", c.Func)
	}
}

// joins tells whether the query touches a table besides the list's own. Frappe then
// joins, and every name that is not qualified may be ambiguous.
func (q *ListQuery) joins() bool {
	other := func(doctype string) bool { return doctype != "" && doctype != q.DocType }
	filter := func(f Filter) bool { return other(f.DocType) }
	column := func(c Column) bool { return other(c.DocType) }
	return slices.ContainsFunc(q.Filters, filter) || slices.ContainsFunc(q.OrFilters, filter) ||
		slices.ContainsFunc(q.Columns, column) || slices.ContainsFunc(q.GroupBy, column)
}
