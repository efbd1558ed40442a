// Package scalar holds the Go types of the graph's scalars in hand-written fields,
// where a plain string or number would lose what the scalar promises.
package scalar

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// ErrDecimal means that a text is no decimal number.
var ErrDecimal = errors.New("no decimal number")

// number is a number as JSON writes it, without an exponent.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// maxDecimal bounds the text of a number: Postgres and MariaDB hold far shorter ones.
const maxDecimal = 64

// Decimal is an exact decimal number. It keeps the text it was made of, so 12.50 stays
// 12.50. The zero Decimal is 0.
type Decimal struct{ text string }

// ParseDecimal reads a number such as "12.50"; the error is ErrDecimal.
func ParseDecimal(text string) (Decimal, error) {
	if len(text) > maxDecimal || !number.MatchString(text) {
		return Decimal{}, fmt.Errorf("%w: %q", ErrDecimal, text[:min(len(text), maxDecimal)])
	}
	return Decimal{text: text}, nil
}

// String is the number as it was given.
func (d Decimal) String() string {
	if d.text == "" {
		return "0"
	}
	return d.text
}

// MarshalGQL writes a JSON string, so that no client rounds the number.
func (d Decimal) MarshalGQL(w io.Writer) { _, _ = io.WriteString(w, `"`+d.String()+`"`) }

// UnmarshalGQL reads a number or a string with a number in it.
func (d *Decimal) UnmarshalGQL(v any) error {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case int:
		text = strconv.Itoa(v)
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Errorf("%w: a %T", ErrDecimal, v)
	}
	parsed, err := ParseDecimal(text)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
