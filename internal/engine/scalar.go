package engine

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
)

// appendScalar writes a stored value as its GraphQL type. Values stay text wherever
// they can: a Decimal never becomes a float. A value that does not fit its type is an
// error and null, not a failed row.
func (e *Engine) appendScalar(b []byte, f *doctype.Field, local bool, raw jsontext.Value, loc func() *time.Location) ([]byte, error) {
	if isNull(raw) {
		return append(b, "null"...), nil
	}
	switch f.Kind {
	case doctype.Boolean:
		s := textOf(raw)
		return strconv.AppendBool(b, s != "" && s != "0" && s != "false"), nil
	case doctype.Int, doctype.Duration:
		return appendInt(b, f, raw)
	case doctype.Float, doctype.Rating:
		return appendNumber(b, f, raw, false)
	case doctype.Decimal:
		return appendNumber(b, f, raw, true)
	case doctype.Date:
		return appendText(b, raw, true), nil
	case doctype.Time:
		return appendTime(b, raw), nil
	case doctype.DateTime:
		if local {
			return appendText(b, raw, true), nil
		}
		return appendDateTime(b, f, raw, loc())
	case doctype.JSON:
		return appendJSON(b, raw), nil
	case doctype.URL:
		return e.appendURL(b, raw), nil
	case doctype.Enum:
		return appendEnum(b, f, raw)
	default:
		return appendText(b, raw, false), nil
	}
}

func isNull(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

func textOf(v jsontext.Value) string {
	if len(v) > 0 && v.Kind() == '"' {
		if len(v) >= 2 && bytes.IndexByte(v, '\\') < 0 { // most are: one copy, not two
			return string(v[1 : len(v)-1])
		}
		s, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return ""
		}
		return string(s)
	}
	return string(v)
}

// appendText copies a JSON string as it is; other values become text. Where empty means
// null, as for dates, it is written as null.
func appendText(b []byte, raw jsontext.Value, emptyIsNull bool) []byte {
	switch {
	case raw.Kind() != '"':
		return appendQuoted(b, string(raw))
	case emptyIsNull && len(raw) == 2:
		return append(b, "null"...)
	default:
		return append(b, raw...)
	}
}

func appendQuoted(b []byte, s string) []byte {
	out, err := jsontext.AppendQuote(b, s)
	if err != nil { // invalid UTF-8: replaced, never cut
		out, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "\uFFFD"))
	}
	return out
}

func appendInt(b []byte, f *doctype.Field, raw jsontext.Value) ([]byte, error) {
	s := textOf(raw)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		x, ferr := strconv.ParseFloat(s, 64)
		if s == "" {
			return append(b, "null"...), nil
		}
		if ferr != nil {
			return append(b, "null"...), unfit(f, "is not a number")
		}
		if x = math.Round(x); !(math.Abs(x) <= math.MaxInt32) { // NaN too
			return append(b, "null"...), unfit(f, "is beyond the 32 bits of an Int")
		}
		n = int64(x)
	}
	if n > math.MaxInt32 || n < math.MinInt32 {
		return append(b, "null"...), unfit(f, "is beyond the 32 bits of an Int")
	}
	return strconv.AppendInt(b, n, 10), nil
}

func appendNumber(b []byte, f *doctype.Field, raw jsontext.Value, quoted bool) ([]byte, error) {
	s := string(raw)
	switch raw.Kind() {
	case '0':
	case '"':
		if s = textOf(raw); s == "" {
			return append(b, "null"...), nil
		}
		if !isDecimalText(s) {
			return append(b, "null"...), unfit(f, "is not a number")
		}
	default:
		return append(b, "null"...), unfit(f, "is not a number")
	}
	if quoted {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"'), nil
	}
	return append(b, s...), nil
}

// appendTime pads the parts: ERPNext sends 9:05:00, and 22:39:6.133911.
func appendTime(b []byte, raw jsontext.Value) []byte {
	s := textOf(raw)
	if s == "" {
		return append(b, "null"...)
	}
	parts := strings.Split(s, ":")
	for i, part := range parts {
		if digits, _, _ := strings.Cut(part, "."); len(digits) == 1 {
			parts[i] = "0" + part
		}
	}
	return appendQuoted(b, strings.Join(parts, ":"))
}

// appendDateTime gives a naive Datetime the offset that the site's zone had then, and
// keeps its microseconds, so that it can go back unchanged.
func appendDateTime(b []byte, f *doctype.Field, raw jsontext.Value, loc *time.Location) ([]byte, error) {
	s := textOf(raw)
	if s == "" {
		return append(b, "null"...), nil
	}
	if loc == nil {
		return append(b, "null"...), apierror.New(apierror.UpstreamUnavailable, "the site's time zone is not known yet, so %s has no offset", f.Name)
	}
	t, err := time.ParseInLocation("2006-01-02 15:04:05.999999", s, loc)
	if err != nil {
		if t, err = time.ParseInLocation(time.DateOnly, s, loc); err != nil {
			return append(b, "null"...), unfit(f, "is not a date and time")
		}
	}
	b = append(b, '"')
	b = t.AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00")
	return append(b, '"'), nil
}

// appendJSON embeds the JSON that a text field holds; text that is no JSON stays text.
func appendJSON(b []byte, raw jsontext.Value) []byte {
	if raw.Kind() != '"' {
		return append(b, raw...)
	}
	s := jsontext.Value(textOf(raw))
	if len(s) == 0 {
		return append(b, "null"...)
	}
	if !s.IsValid() {
		return append(b, raw...)
	}
	return append(b, s...)
}

func (e *Engine) appendURL(b []byte, raw jsontext.Value) []byte {
	s := textOf(raw)
	if s == "" {
		return append(b, "null"...)
	}
	if strings.HasPrefix(s, "/") && e.cfg.FileURL != nil {
		s = e.cfg.FileURL(s)
	}
	return appendQuoted(b, s)
}

func appendEnum(b []byte, f *doctype.Field, raw jsontext.Value) ([]byte, error) {
	s := textOf(raw)
	if s == "" {
		return append(b, "null"...), nil
	}
	for _, p := range f.Enum {
		if p.Label == s {
			return appendQuoted(b, p.Value), nil
		}
	}
	return append(b, "null"...), unfit(f, fmt.Sprintf("has the value %q, which the schema does not know; pull the site's DocTypes again", shorten(s)))
}

func unfit(f *doctype.Field, why string) error {
	return apierror.New(apierror.Validation, "%s %s", f.Name, why).About("", "", f.Name)
}
