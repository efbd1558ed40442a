package loaders

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/doctype"
)

// Row is a document, child row or local row as it was read: what the engine writes
// to JSON, and what a hand-written resolver gets as its object. Values stay the raw
// JSON that ERPNext or Postgres gave; a field that was not asked for, or that the
// caller may not read, is absent.
type Row struct {
	Type *doctype.Type
	// Key is the docname of a document or child row, the id of a local row.
	Key string

	header *header
	values []jsontext.Value
}

// header is what the rows of one read share: which column stands where.
type header struct{ index map[string]int }

func newHeader(columns []string) *header {
	h := &header{index: make(map[string]int, len(columns))}
	for i, name := range columns {
		h.index[name] = i
	}
	return h
}

// NewRow makes a row by hand, for tests and for rows that no list gave.
func NewRow(t *doctype.Type, key string, values map[string]jsontext.Value) *Row {
	h := &header{index: make(map[string]int, len(values))}
	r := &Row{Type: t, Key: key, header: h, values: make([]jsontext.Value, 0, len(values))}
	for name, value := range values {
		h.index[name] = len(r.values)
		r.values = append(r.values, value)
	}
	return r
}

// Raw gives the JSON of a column (a fieldname or SQL column), nil where the row has
// none: not asked for, above the caller's permlevel, or gone from the site.
func (r *Row) Raw(column string) jsontext.Value {
	if r == nil || r.header == nil {
		return nil
	}
	if i, ok := r.header.index[column]; ok && i < len(r.values) {
		return r.values[i]
	}
	return nil
}

// Text gives a column's text: the content of a JSON string, the digits of a number,
// "" for null and absent.
func (r *Row) Text(column string) string { return textOf(r.Raw(column)) }

func textOf(v jsontext.Value) string {
	switch {
	case len(v) == 0 || v.Kind() == 'n':
		return ""
	case v.Kind() == '"':
		if len(v) >= 2 && bytes.IndexByte(v, '\\') < 0 { // most are: one copy, not two
			return string(v[1 : len(v)-1])
		}
		b, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(b)
	default:
		return string(v)
	}
}

// value is that of a field by its GraphQL name for the typed accessors below.
func (r *Row) value(field string) (jsontext.Value, error) {
	f := r.Type.Field(field)
	if f == nil {
		return nil, fmt.Errorf("%s has no field %q", r.Type.Name, field)
	}
	v := r.Raw(f.Column)
	if v == nil {
		return nil, fmt.Errorf("%s.%s was not read: name it in @needs, or the caller may not read it", r.Type.Name, field)
	}
	return v, nil
}

// String gives the text of a field by its GraphQL name, "" for null. The error says
// when the field was not read.
func (r *Row) String(field string) (string, error) {
	v, err := r.value(field)
	return textOf(v), err
}

// Float gives a number by GraphQL name, 0 for null.
func (r *Row) Float(field string) (float64, error) {
	v, err := r.value(field)
	if err != nil || v.Kind() == 'n' {
		return 0, err
	}
	n, err := strconv.ParseFloat(textOf(v), 64)
	if err != nil {
		return 0, fmt.Errorf("%s.%s: %w", r.Type.Name, field, err)
	}
	return n, nil
}

// Int gives a whole number by GraphQL name, 0 for null.
func (r *Row) Int(field string) (int, error) {
	n, err := r.Float(field)
	if err != nil {
		return 0, err
	}
	if n != math.Trunc(n) {
		return 0, fmt.Errorf("%s.%s: %v is not a whole number", r.Type.Name, field, n)
	}
	return int(n), nil
}

// Bool gives a Check or boolean by GraphQL name, false for null.
func (r *Row) Bool(field string) (bool, error) {
	v, err := r.value(field)
	if err != nil {
		return false, err
	}
	s := textOf(v)
	return s == "1" || s == "true", nil
}

// Date gives a Date field by GraphQL name at midnight UTC; ok is false for null.
func (r *Row) Date(field string) (day time.Time, ok bool, err error) {
	v, err := r.value(field)
	if err != nil || textOf(v) == "" {
		return time.Time{}, false, err
	}
	day, err = time.Parse(time.DateOnly, textOf(v))
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%s.%s: %w", r.Type.Name, field, err)
	}
	return day, true, nil
}
