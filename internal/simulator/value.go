package simulator

import (
	"math"
	"strconv"
	"strings"
)

// kind says which Go field of a value is in use.
type kind uint8

const (
	null kind = iota
	integer
	float
	text
)

// value is one column of one row. Dates, datetimes and times are text in the form in
// which Frappe answers them.
type value struct {
	kind kind
	n    int64
	f    float64
	s    string
	// key is the text folded for comparison under the database's collation. It is
	// filled when the row is stored, so that filters and sorts never fold.
	key string
}

func intValue(n int64) value     { return value{kind: integer, n: n} }
func floatValue(f float64) value { return value{kind: float, f: f} }

// textValue makes a text without key; compare folds it on demand.
func textValue(s string) value { return value{kind: text, s: s} }

func (v value) isNull() bool { return v.kind == null }

// number reads a value as the database does in a numeric comparison: text counts by
// its longest numeric prefix, and as 0 without one.
func (v value) number() float64 {
	switch v.kind {
	case integer:
		return float64(v.n)
	case float:
		return v.f
	case text:
		return numericPrefix(v.s)
	default:
		return 0
	}
}

// String is the value as text, empty for NULL.
func (v value) String() string {
	switch v.kind {
	case integer:
		return strconv.FormatInt(v.n, 10)
	case float:
		return formatFloat(v.f)
	case text:
		return v.s
	default:
		return ""
	}
}

// truthy is Python's notion, which Frappe's code leans on.
func (v value) truthy() bool {
	switch v.kind {
	case integer:
		return v.n != 0
	case float:
		return v.f != 0
	case text:
		return v.s != ""
	default:
		return false
	}
}

// native is the value as JSON knows it.
func (v value) native() any {
	switch v.kind {
	case integer:
		return v.n
	case float:
		return v.f
	case text:
		return v.s
	default:
		return nil
	}
}

// formatFloat prints a float as Python does: 16.0, 0.1, 1e+16.
func formatFloat(f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return "0.0"
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e16 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	format := byte('f')
	if a := math.Abs(f); a < 1e-4 || a >= 1e16 {
		format = 'e'
	}
	return strconv.FormatFloat(f, format, -1, 64)
}

// numericPrefix is the number that a text begins with.
func numericPrefix(s string) float64 {
	s = strings.TrimLeft(s, " \t\n")
	end, digits, dot, exp := 0, false, false, false
scan:
	for end < len(s) {
		switch c := s[end]; {
		case c >= '0' && c <= '9':
			digits = true
		case (c == '+' || c == '-') && (end == 0 || s[end-1] == 'e' || s[end-1] == 'E'):
		case c == '.' && !dot && !exp:
			dot = true
		case (c == 'e' || c == 'E') && digits && !exp:
			exp = true
		default:
			break scan
		}
		end++
	}
	for ; end > 0; end-- {
		if f, err := strconv.ParseFloat(s[:end], 64); err == nil {
			return f
		}
	}
	return 0
}

// cint is Frappe's forgiving reading of a whole number: 0 for what is none.
func cint(v any) int64 {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
	case int64:
		return v
	case float64:
		return int64(v)
	case string:
		s := strings.TrimSpace(v)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(f) && math.Abs(f) < 1e18 {
			return int64(f)
		}
	}
	return 0
}

// flt is Frappe's forgiving reading of a number.
func flt(v any) float64 {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
	case int64:
		return float64(v)
	case float64:
		return v
	case string:
		if f, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(v), ",", ""), 64); err == nil {
			return f
		}
	}
	return 0
}

// cstr is a JSON value as text, the way Python's str has it.
func cstr(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatFloat(v)
	case value:
		return v.String()
	default:
		return string(encodeJSON(v))
	}
}
