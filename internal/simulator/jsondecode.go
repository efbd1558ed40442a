package simulator

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonError is a complaint with the words of Python's decoder, which reach the client.
type jsonError struct {
	reason string
	pos    int // in characters
	line   int
	column int
}

func (e *jsonError) Error() string {
	return fmt.Sprintf("%s: line %d column %d (char %d)", e.reason, e.line, e.column, e.pos)
}

// maxJSONDepth bounds nesting; Python's recursion limit does it there.
const maxJSONDepth = 200

var errTooDeep = errors.New("maximum recursion depth exceeded while decoding a JSON document")

// decodeJSON reads one JSON text into nil, bool, int64, float64, string, []any and object.
func decodeJSON(s string) (any, error) {
	d := &jsonDecoder{s: s}
	d.skip()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.skip()
	if d.i < len(s) {
		return nil, d.fail("Extra data", d.i)
	}
	return v, nil
}

type jsonDecoder struct {
	s string
	i int
}

func (d *jsonDecoder) fail(reason string, at int) error {
	before := d.s[:at]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &jsonError{reason, utf8.RuneCountInString(before), line, column}
}

func (d *jsonDecoder) skip() {
	for d.i < len(d.s) && strings.IndexByte(" \t\n\r", d.s[d.i]) >= 0 {
		d.i++
	}
}

func (d *jsonDecoder) peek() byte {
	if d.i < len(d.s) {
		return d.s[d.i]
	}
	return 0
}

func (d *jsonDecoder) value(depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, errTooDeep
	}
	rest := d.s[d.i:]
	switch c := d.peek(); {
	case c == '"':
		d.i++
		return d.str()
	case c == '{':
		d.i++
		return d.object(depth)
	case c == '[':
		d.i++
		return d.array(depth)
	case strings.HasPrefix(rest, "null"):
		d.i += 4
		return nil, nil
	case strings.HasPrefix(rest, "true"):
		d.i += 4
		return true, nil
	case strings.HasPrefix(rest, "false"):
		d.i += 5
		return false, nil
	case c == '-' || c >= '0' && c <= '9':
		return d.num()
	default:
		return nil, d.fail("Expecting value", d.i)
	}
}

func (d *jsonDecoder) num() (any, error) {
	start := d.i
	digits := func() bool {
		from := d.i
		for d.peek() >= '0' && d.peek() <= '9' {
			d.i++
		}
		return d.i > from
	}
	if d.peek() == '-' {
		d.i++
	}
	if d.peek() == '0' {
		d.i++
	} else if !digits() {
		return nil, d.fail("Expecting value", start)
	}
	whole, isFloat := d.i, false
	if d.peek() == '.' {
		d.i++
		if isFloat = digits(); !isFloat {
			d.i = whole
		}
	}
	if end := d.i; d.peek() == 'e' || d.peek() == 'E' {
		d.i++
		if d.peek() == '+' || d.peek() == '-' {
			d.i++
		}
		if digits() {
			isFloat = true
		} else {
			d.i = end
		}
	}
	raw := d.s[start:d.i]
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil && !isFloat {
		return n, nil
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil && math.IsInf(f, 0) {
		f = math.Copysign(math.MaxFloat64, f)
	}
	return f, nil
}

func (d *jsonDecoder) array(depth int) (any, error) {
	list := []any{}
	d.skip()
	if d.peek() == ']' {
		d.i++
		return list, nil
	}
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		d.skip()
		switch d.peek() {
		case ',':
			d.i++
			d.skip()
		case ']':
			d.i++
			return list, nil
		default:
			return nil, d.fail("Expecting ',' delimiter", d.i)
		}
	}
}

func (d *jsonDecoder) object(depth int) (any, error) {
	o := object{}
	d.skip()
	if d.peek() == '}' {
		d.i++
		return o, nil
	}
	for {
		if d.peek() != '"' {
			return nil, d.fail("Expecting property name enclosed in double quotes", d.i)
		}
		d.i++
		key, err := d.str()
		if err != nil {
			return nil, err
		}
		d.skip()
		if d.peek() != ':' {
			return nil, d.fail("Expecting ':' delimiter", d.i)
		}
		d.i++
		d.skip()
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o = append(o, member{key, v})
		d.skip()
		switch d.peek() {
		case ',':
			d.i++
			d.skip()
		case '}':
			d.i++
			return o, nil
		default:
			return nil, d.fail("Expecting ',' delimiter", d.i)
		}
	}
}

// str reads a string after its opening quote.
func (d *jsonDecoder) str() (string, error) {
	begin := d.i - 1
	var b strings.Builder
	for d.i < len(d.s) {
		c := d.s[d.i]
		switch {
		case c == '"':
			d.i++
			return strings.ToValidUTF8(b.String(), "\uFFFD"), nil
		case c < 0x20:
			return "", d.fail("Invalid control character at", d.i)
		case c != '\\':
			b.WriteByte(c)
			d.i++
		default:
			if err := d.escape(&b, begin); err != nil {
				return "", err
			}
		}
	}
	return "", d.fail("Unterminated string starting at", begin)
}

func (d *jsonDecoder) escape(b *strings.Builder, begin int) error {
	at := d.i
	d.i++
	if d.i >= len(d.s) {
		return d.fail("Unterminated string starting at", begin)
	}
	c := d.s[d.i]
	d.i++
	if k := strings.IndexByte(`"\/bfnrt`, c); k >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[k])
		return nil
	}
	if c != 'u' {
		return d.fail("Invalid \\escape", at)
	}
	r, ok := d.hex4()
	if !ok {
		return d.fail("Invalid \\uXXXX escape", at+1)
	}
	if utf16.IsSurrogate(r) && strings.HasPrefix(d.s[d.i:], `\u`) {
		save := d.i
		d.i += 2
		if low, ok := d.hex4(); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			b.WriteRune(utf16.DecodeRune(r, low))
			return nil
		}
		d.i = save
	}
	b.WriteRune(r)
	return nil
}

func (d *jsonDecoder) hex4() (rune, bool) {
	if d.i+4 > len(d.s) {
		return 0, false
	}
	var r rune
	for _, c := range []byte(d.s[d.i : d.i+4]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	d.i += 4
	return r, true
}
