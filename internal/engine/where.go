package engine

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
)

// The bounds of a where argument: every condition is work for ERPNext's or Postgres' parser
// and planner, which are shared by all.
const (
	maxConditions = 500
	maxValues     = 10_000
	maxNesting    = 20
)

// whereArgument reads the where argument of a list, within the bounds.
func (e *Engine) whereArgument(t *doctype.Type, v any) (*criteria.Expr, error) {
	if err := (&inputSize{}).check("where", v, 0); err != nil {
		return nil, err
	}
	return e.where(t, v, "where")
}

// inputSize counts what an input holds.
type inputSize struct{ keys, values int }

func (s *inputSize) check(name string, v any, depth int) error {
	if depth > 2*maxNesting { // an or is two deep: the object and its list
		return badInput(name, "nests deeper than %d", maxNesting)
	}
	switch v := v.(type) {
	case map[string]any:
		if s.keys += len(v); s.keys > 2*maxConditions { // a field and its comparison
			return badInput(name, "has more than %d conditions", maxConditions)
		}
		for _, kid := range v {
			if err := s.check(name, kid, depth+1); err != nil {
				return err
			}
		}
	case []any:
		if s.values += len(v); s.values > maxValues {
			return badInput(name, "has more than %d values", maxValues)
		}
		for _, kid := range v {
			if err := s.check(name, kid, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// where reads a where argument of type t into a tree of checked conditions. Keys come
// in the order of their names, so that equal arguments make equal trees.
func (e *Engine) where(t *doctype.Type, v any, path string) (*criteria.Expr, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, nil // absent or null: no condition
	}
	out := &criteria.Expr{}
	for _, key := range sortedKeys(object) {
		at := path + "." + key
		kid, err := e.whereKey(t, key, object[key], at)
		if err != nil {
			return nil, err
		}
		if kid != nil {
			out.And = append(out.And, kid)
		}
	}
	return out, nil
}

func (e *Engine) whereKey(t *doctype.Type, key string, v any, at string) (*criteria.Expr, error) {
	f := t.Field(key)
	switch {
	case f != nil && (f.Kind == doctype.Table || f.Kind == doctype.ReverseList):
		return e.whereRows(f, v, at)
	case f != nil:
		return whereField(f, v, at)
	case key == "or" || key == "and":
		if v == nil {
			return nil, nil
		}
		var kids []*criteria.Expr
		for i, item := range (arguments{key: v}).list(key) {
			kid, err := e.where(t, item, fmt.Sprintf("%s.%d", at, i))
			if err != nil {
				return nil, err
			}
			if kid != nil {
				kids = append(kids, kid)
			}
		}
		if len(kids) == 0 {
			return nil, badInput(at, "must not be an empty list")
		}
		if key == "or" {
			return &criteria.Expr{Or: kids}, nil
		}
		return &criteria.Expr{And: kids}, nil
	case key == "not":
		kid, err := e.where(t, v, at)
		if err != nil || kid == nil {
			return nil, err
		}
		return &criteria.Expr{Not: kid}, nil
	default:
		return nil, badInput(at, "%s has no such field", t.Name)
	}
}

// whereRows reads the condition that some row of a child table matches.
func (e *Engine) whereRows(f *doctype.Field, v any, at string) (*criteria.Expr, error) {
	of := e.registry.ByKey(f.Target)
	kid, err := e.where(of, v, at)
	if err != nil || kid == nil {
		return nil, err
	}
	if kid.IsEmpty() {
		return nil, nil
	}
	return &criteria.Expr{Rows: &criteria.RowsExpr{Field: f, Of: of, Where: kid, Path: at}}, nil
}

// whereField reads the comparisons of one field.
func whereField(f *doctype.Field, v any, at string) (*criteria.Expr, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return nil, nil
	}
	out := &criteria.Expr{}
	for _, op := range sortedKeys(object) {
		conds, err := comparison(f, op, object[op], at+"."+op)
		if err != nil {
			return nil, err
		}
		for _, c := range conds {
			out.And = append(out.And, &criteria.Expr{Cond: c})
		}
	}
	if len(out.And) == 1 {
		return out.And[0], nil
	}
	return out, nil
}

func comparison(f *doctype.Field, op string, v any, at string) ([]*criteria.Cond, error) {
	cond := func(op criteria.Op, v any) *criteria.Cond {
		return &criteria.Cond{Field: f, Op: op, Value: v, Path: at}
	}
	one := func(op criteria.Op, v any) []*criteria.Cond { return []*criteria.Cond{cond(op, v)} }
	switch op {
	case "isSet":
		if v == nil {
			return nil, nil
		}
		set, ok := v.(bool)
		if !ok {
			return nil, badInput(at, "must be true or false")
		}
		return one(criteria.IsSet, set), nil
	case "in", "notIn":
		if v == nil {
			return nil, badInput(at, "must be a list; use isSet to look for empty values")
		}
		var values []any
		for i, item := range (arguments{op: v}).list(op) {
			value, err := checkValue(f, item, fmt.Sprintf("%s.%d", at, i))
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		return one(criteria.Op(op), values), nil
	case "between":
		pair := (arguments{op: v}).list(op)
		if len(pair) != 2 {
			return nil, badInput(at, "must be a list of two: the lowest and the highest value")
		}
		low, err := checkValue(f, pair[0], at+".0")
		if err != nil {
			return nil, err
		}
		high, err := checkValue(f, pair[1], at+".1")
		if err != nil {
			return nil, err
		}
		// ERPNext's own between fails on numbers; two bounds mean the same.
		return []*criteria.Cond{cond(criteria.Gte, low), cond(criteria.Lte, high)}, nil
	case "timespan":
		span, ok := v.(string)
		if !ok {
			return nil, nil
		}
		name := strings.ToLower(strings.ReplaceAll(span, "_", " "))
		if span != strings.ToUpper(span) || !criteria.IsTimespan(name) {
			return nil, badInput(at, "%q is no timespan", shorten(span))
		}
		return one(criteria.Timespan, name), nil
	case "eq", "ne":
		if v == nil {
			return one(criteria.Op(op), nil), nil
		}
	case "like", "notLike":
		s, ok := v.(string)
		if !ok {
			return nil, badInput(at, "must be text; %% stands for any text, _ for any character")
		}
		if strings.ContainsRune(s, 0) {
			return nil, badInput(at, "must not hold a NUL character")
		}
		return one(criteria.Op(op), s), nil
	case "gt", "gte", "lt", "lte", "descendantsOf", "notDescendantsOf", "ancestorsOf", "notAncestorsOf":
	default:
		return nil, badInput(at, "is no comparison")
	}
	value, err := checkValue(f, v, at)
	if err != nil {
		return nil, err
	}
	return one(criteria.Op(op), value), nil
}

var clockPattern = regexp.MustCompile(`^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$`)

// checkValue checks a value against a field's kind and brings it to the one form that
// the loaders know. A value is only ever a value: nothing in it can become an operator
// or SQL.
func checkValue(f *doctype.Field, v any, at string) (any, error) {
	if v == nil {
		return nil, badInput(at, "must not be null; use isSet to look for empty values")
	}
	text, isText := v.(string)
	if strings.ContainsRune(text, 0) {
		return nil, badInput(at, "must not hold a NUL character")
	}
	num, isNumber := v.(json.Number)
	switch f.Kind {
	case doctype.Boolean:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, badInput(at, "must be true or false")
	case doctype.Int, doctype.Duration, doctype.Float, doctype.Rating, doctype.Decimal:
		if isText && f.Kind == doctype.Decimal {
			num, isNumber = json.Number(strings.TrimSpace(text)), true
		}
		if !isNumber || !isDecimalText(num.String()) {
			return nil, badInput(at, "%v is not a number", v)
		}
		return num, nil
	case doctype.Date:
		if _, err := time.Parse(time.DateOnly, text); !isText || err != nil {
			return nil, badInput(at, "%v is not a date: write it as 2006-01-31", v)
		}
		return text, nil
	case doctype.DateTime:
		t, err := time.Parse(time.RFC3339Nano, text)
		if !isText || err != nil {
			return nil, badInput(at, "%v is not a date and time: write it with its offset, as 2006-01-31T15:04:05+01:00", v)
		}
		return t, nil
	case doctype.Time:
		if !isText || !clockPattern.MatchString(text) {
			return nil, badInput(at, "%v is not a time of day: write it as 15:04:05", v)
		}
		return text, nil
	case doctype.Enum:
		i := slices.IndexFunc(f.Enum, func(p doctype.Pair) bool { return p.Value == text })
		if i < 0 {
			return nil, badInput(at, "%v is not one of the values", v)
		}
		return f.Enum[i].Label, nil
	default:
		if isNumber {
			return num.String(), nil
		}
		if !isText {
			return nil, badInput(at, "must be text")
		}
		if f.Kind == doctype.ID || f.Kind == doctype.Link {
			return rowName(f, text), nil
		}
		return text, nil
	}
}

// rowName takes a global id for the row's own id or docname where one is compared: a
// client has local rows' global ids only.
func rowName(f *doctype.Field, text string) string {
	if key, name, err := decodeID(text); err == nil && (f.Kind == doctype.ID || key == f.Target) {
		return name
	}
	return text
}

// numberPattern is a JSON number; decimalDigits is the most that ERPNext's
// decimal(21,9) columns hold, with room to spare.
var numberPattern = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?$`)

const decimalDigits = 64

func isDecimalText(s string) bool { return len(s) <= decimalDigits && numberPattern.MatchString(s) }

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
