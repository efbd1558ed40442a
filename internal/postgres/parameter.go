package postgres

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
)

// parameter is the text that stands for a value in a write, nil for NULL. It refuses what
// Postgres would store as something else than was given: a number with more digits than
// the column keeps, a finer instant, a text whose end is cut.
func parameter(v Value, col column) (any, error) {
	f := v.Field
	if v.Value == nil {
		return nil, nil
	}
	if raw, ok := v.Value.(jsontext.Value); ok && f.Kind == doctype.JSON {
		return jsonParameter(f, raw)
	}
	if want, ok := takes(f.Kind, v.Value); !ok {
		return nil, badInput(f.Name, "must be %s", want)
	}
	s, err := text(f, v.Value, f.Name)
	if err != nil {
		return nil, err
	}
	return s, keeps(f, s, col)
}

// jsonParameter checks JSON before Postgres does, which would not say what is wrong with
// it without showing it.
func jsonParameter(f *doctype.Field, raw jsontext.Value) (any, error) {
	if !raw.IsValid() {
		return nil, badInput(f.Name, "must be JSON")
	}
	return string(raw), nil
}

// takes tells whether a Go value may stand for a field's kind, and in words what may.
func takes(kind doctype.Kind, v any) (want string, ok bool) {
	switch kind {
	case doctype.Boolean:
		_, ok = v.(bool)
		return "true or false", ok
	case doctype.Int, doctype.Duration:
		switch v.(type) {
		case json.Number, int, int64:
			ok = true
		}
		return "a whole number", ok
	case doctype.Float, doctype.Rating:
		switch v.(type) {
		case json.Number, int, int64, float64:
			ok = true
		}
		return "a number", ok
	case doctype.Decimal:
		switch v.(type) {
		case json.Number, int, int64, string:
			ok = true
		}
		return "a number", ok
	case doctype.DateTime:
		switch v.(type) {
		case string, time.Time:
			ok = true
		}
		return "a date and time", ok
	case doctype.JSON:
		return "JSON", false
	default:
		_, ok = v.(string)
		return "text", ok
	}
}

// keeps checks that the column keeps all of a text. A Float in a column of binary numbers
// is rounded, as those always are.
func keeps(f *doctype.Field, s string, col column) error {
	switch f.Kind {
	case doctype.Decimal:
		return keepsDigits(f, s, col)
	case doctype.Float, doctype.Rating:
		if _, _, exact := col.digits(); exact {
			return keepsDigits(f, s, col)
		}
	case doctype.DateTime, doctype.Time:
		if n := col.secondDigits(); len(strings.TrimRight(fraction(s), "0")) > n {
			return badInput(f.Name, "must not have more than %d digits behind the second's point", n)
		}
	case doctype.Enum:
		if len(f.Enum) > 0 && !slices.ContainsFunc(f.Enum, func(p doctype.Pair) bool { return p.Label == s }) {
			return badInput(f.Name, "is not a value of %s", f.GraphQLType)
		}
	case doctype.Link:
		if !holdsKey(col.sqlType, s) {
			return noSuchRow(nil, []string{f.Name})
		}
	}
	if n, ok := col.maxChars(); ok && utf8.RuneCountInString(s) > n {
		return badInput(f.Name, "must not be longer than %d characters", n)
	}
	return nil
}

// fraction is the digits behind the point (or the comma, which Go takes too) of an instant.
func fraction(s string) string {
	i := strings.IndexAny(s, ".,")
	if i < 0 {
		return ""
	}
	s = s[i+1:]
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		return s[:i]
	}
	return s
}

func keepsDigits(f *doctype.Field, s string, col column) error {
	whole, behind := digitsOf(s)
	precision, scale, ok := col.digits()
	if !ok {
		if col.sqlType != "numeric" && behind > 0 {
			return badInput(f.Name, "must be a whole number")
		}
		return nil
	}
	switch {
	case behind > scale:
		return badInput(f.Name, "must not have more than %d digits behind the point", max(scale, 0))
	case whole > precision-scale:
		return badInput(f.Name, "must not have more than %d digits before the point", max(precision-scale, 0))
	default:
		return nil
	}
}

// digitsOf counts a number's digits before and behind the point as they are without an
// exponent; zeros at either end don't count, so behind is -2 for 1200, and whole -2 for
// 0.001. Nought has no digits at all and fits anywhere.
func digitsOf(s string) (whole, behind int) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(s, "-")), "e")
	shift, _ := strconv.Atoi(exponent) // the number was checked: three digits, or none
	before, after, _ := strings.Cut(mantissa, ".")
	digits, point := before+after, len(before)+shift
	trimmed := strings.TrimLeft(digits, "0")
	point -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		return math.MinInt, math.MinInt
	}
	return point, len(trimmed) - point
}

// invalid is a VALIDATION about fields, by their GraphQL names.
func invalid(cause error, fields []string, format string, args ...any) *apierror.Error {
	if len(fields) > 0 {
		format, args = "%s: "+format, append([]any{strings.Join(fields, ", ")}, args...)
	}
	e := apierror.Wrap(apierror.Validation, cause, format, args...)
	if len(fields) > 0 {
		e.Field = fields[0]
	}
	if len(fields) > 1 {
		e.Extensions = map[string]any{"fields": fields}
	}
	return e
}

func noSuchRow(cause error, fields []string) *apierror.Error {
	return invalid(cause, fields, "no such row")
}
