package postgres

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/doctype"
)

// Parameters go to Postgres as text, and Postgres infers each one's type from the column
// that it is compared with. So a Decimal never passes through a float, and an id may be
// a uuid, a number or a text.

// number is a JSON number of a length that no column exceeds. Postgres itself would take
// "Infinity", hexadecimal and 131,072 digits.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)

const (
	maxNumber = 64
	clock     = "15:04:05.999999"
)

// text converts a value to the parameter text of a field's column.
func text(f *doctype.Field, v any, path string) (string, error) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case json.Number:
		s = v.String()
	case bool:
		s = strconv.FormatBool(v)
	case int:
		s = strconv.Itoa(v)
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		s = v.UTC().Format(time.RFC3339Nano)
	default:
		return "", badInput(path, "can't be compared with a value of this kind")
	}
	if strings.ContainsRune(s, 0) {
		return "", badInput(path, "must not hold the character U+0000")
	}
	if !utf8.ValidString(s) {
		return "", badInput(path, "is not valid UTF-8")
	}
	return s, fits(f.Kind, s, path)
}

// fits checks the text of a value by its field's kind, so that the error names the
// field in the client's words and Postgres' own extensions ("infinity", "now") stay out.
func fits(kind doctype.Kind, s, path string) error {
	ok, want := true, ""
	switch kind {
	case doctype.Int, doctype.Duration:
		_, err := strconv.ParseInt(s, 10, 64)
		ok, want = err == nil, "a whole number"
	case doctype.Float, doctype.Rating, doctype.Decimal:
		ok, want = len(s) <= maxNumber && number.MatchString(s), "a number"
	case doctype.Boolean:
		ok, want = s == "true" || s == "false", "true or false"
	case doctype.Date:
		_, err := time.Parse(time.DateOnly, s)
		ok, want = err == nil, "a date: 2006-01-31"
	case doctype.DateTime:
		_, err := time.Parse(time.RFC3339Nano, s)
		ok, want = err == nil, "a date and time with its offset: 2006-01-31T15:04:05+01:00"
	case doctype.Time:
		ok, want = validClock(s), "a time of day: 15:04:05"
	}
	if !ok {
		return badInput(path, "must be %s", want)
	}
	return nil
}

// validClock accepts what ERPNext accepts of a time: an hour that is not padded, seconds
// that are left out.
func validClock(s string) bool {
	for _, layout := range []string{clock, "15:04"} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

// decode gives the text of a raw JSON value of a Position; null is true for NULL.
func decode(v jsontext.Value) (s string, null bool, err error) {
	switch v.Kind() {
	case 'n':
		return "", true, nil
	case '"':
		b, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return "", false, fmt.Errorf("unquote: %w", err)
		}
		return string(b), false, nil
	case '0', 't', 'f':
		return string(v), false, nil
	default:
		return "", false, fmt.Errorf("not a plain value")
	}
}

// arrayText is the text of a Postgres array: every element quoted, so that commas,
// braces and the word NULL are only content.
func arrayText(items []string) string {
	n := 2
	for _, s := range items {
		n += len(s) + 3
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteByte('{')
	for i, s := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for j := range len(s) {
			if s[j] == '"' || s[j] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(s[j])
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
