package write

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/doctype"
)

var (
	errNoNumber = errors.New("is not a number")
	errNotWhole = errors.New("must be a whole number of at most 32 bits")
	errDigits   = errors.New("has more digits than ERPNext keeps: at most 12 before the point and 9 after it")
	// ERPNext computes with binary floating point numbers of 64 bits, and stores what they
	// come to.
	errInexact = errors.New("has more digits than ERPNext computes with: it would be stored as another number")
	errRating  = errors.New("must be from 0 to 1, with at most 2 digits after the point")
)

// The room of MariaDB's decimal(21,9), in which Frappe keeps Currency, Float, Percent and
// Duration (database/mariadb/database.py).
const (
	wholeDigits    = 12
	fractionDigits = 9
)

// maxNumber bounds the text of a number.
const maxNumber = 64

// numberPattern is a number as JSON writes it.
var numberPattern = regexp.MustCompile(`^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$`)

// decimal is a number by its digits: no exponent, no zeros that mean nothing.
type decimal struct {
	negative        bool
	whole, fraction string // whole is "0" where there is none
}

// parseDecimal reads a number's text.
func parseDecimal(text string) (decimal, error) {
	m := numberPattern.FindStringSubmatch(text)
	if m == nil || len(text) > maxNumber {
		return decimal{}, errNoNumber
	}
	whole, fraction := m[2], m[3]
	exponent, _ := strconv.Atoi(m[4]) // at most three digits, or none
	if exponent > 0 {
		fraction += strings.Repeat("0", max(0, exponent-len(fraction)))
		whole, fraction = whole+fraction[:exponent], fraction[exponent:]
	} else if exponent < 0 {
		whole = strings.Repeat("0", max(0, 1-exponent-len(whole))) + whole
		whole, fraction = whole[:len(whole)+exponent], whole[len(whole)+exponent:]+fraction
	}
	d := decimal{
		negative: m[1] == "-",
		whole:    strings.TrimLeft(whole, "0"),
		fraction: strings.TrimRight(fraction, "0"),
	}
	if d.whole == "" {
		d.whole = "0"
	}
	if d.whole == "0" && d.fraction == "" {
		d.negative = false // there is one zero
	}
	return d, nil
}

// String writes the number without an exponent.
func (d decimal) String() string {
	text := d.whole
	if d.fraction != "" {
		text += "." + d.fraction
	}
	if d.negative {
		text = "-" + text
	}
	return text
}

// fits tells whether a decimal(21,9) holds the number, and a float64 the same digits.
func (d decimal) fits() error {
	if len(d.whole) > wholeDigits || len(d.fraction) > fractionDigits {
		return errDigits
	}
	text := d.String()
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || strconv.FormatFloat(x, 'f', -1, 64) != text {
		return errInexact
	}
	return nil
}

// int32 is the number, where it is a whole one of 32 bits. The lowest is refused as
// Frappe does (model/base_document.py _validate_length).
func (d decimal) int32() (int64, error) {
	n, err := strconv.ParseInt(d.String(), 10, 64)
	if err != nil || n > math.MaxInt32 || n < -math.MaxInt32 {
		return 0, errNotWhole
	}
	return n, nil
}

// numberOf is a number of an input; text counts as one for a Decimal only.
func numberOf(f *doctype.Field, v any) (decimal, error) {
	switch v := v.(type) {
	case json.Number:
		return parseDecimal(v.String())
	case int:
		return parseDecimal(strconv.Itoa(v))
	case int32:
		return parseDecimal(strconv.FormatInt(int64(v), 10))
	case int64:
		return parseDecimal(strconv.FormatInt(v, 10))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return decimal{}, errNoNumber
		}
		return parseDecimal(strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		if f.Kind == doctype.Decimal {
			return parseDecimal(v)
		}
	}
	return decimal{}, errNoNumber
}

// coerceNumber brings a number to the form that is written: raw JSON for ERPNext, a
// json.Number of the same digits for the app's own tables, whose columns are exact.
func coerceNumber(f *doctype.Field, local bool, v any) (any, error) {
	d, err := numberOf(f, v)
	if err != nil {
		return nil, err
	}
	switch f.Kind {
	case doctype.Int, doctype.Duration:
		_, err = d.int32()
	case doctype.Rating:
		// Frappe keeps it as decimal(3,2).
		if len(d.fraction) > 2 || d.negative || d.whole != "0" && d.String() != "1" {
			err = errRating
		}
	default:
		if !local {
			err = d.fits()
		}
	}
	switch {
	case err != nil:
		return nil, err
	case local:
		return json.Number(d.String()), nil
	default:
		return jsontext.Value(d.String()), nil
	}
}
