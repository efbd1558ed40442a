package write

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
)

var (
	errNoText  = errors.New("must be text")
	errNoBool  = errors.New("must be true or false")
	errNUL     = errors.New("must not hold a NUL character")
	errUTF8    = errors.New("is not valid UTF-8")
	errNoDate  = errors.New("is not a date of the years 1000 to 9999: write it as 2006-01-31")
	errNoClock = errors.New("is not a time of day: write it as 15:04:05, with at most 6 digits of a second")
	errNoURL   = errors.New("must be /files/…, /private/files/… or an absolute http or https URL")
	errBlank   = errors.New("must not be blank: ERPNext takes that for no value in a field of unique values; write null")
	errDeep    = errors.New("nests too deeply")
	errNoJSON  = errors.New("is not a JSON value")
)

// bad is the error of an input that can't be written, with the place where it stands.
func bad(path, format string, args ...any) *apierror.Error {
	e := apierror.New(apierror.BadUserInput, "%s: %s", path, fmt.Sprintf(format, args...))
	e.Field = path
	return e
}

// coerce brings one value of an input to the form that is written, or refuses it: what is
// stored reads back as the same value. Null has no meaning here. zone is the site's, for
// DateTime; local rows need none.
//
// For ERPNext: text as it is, a Check as 0 or 1, numbers as raw JSON, a DateTime as the
// site's clock shows it, an enum's label, JSON as its text. For a local row: numbers as
// json.Number, a DateTime as RFC 3339 in UTC, an enum's value, JSON raw.
func (w *Writer) coerce(f *doctype.Field, local bool, v any, path string, zone *time.Location) (any, error) {
	out, err := w.coerced(f, local, v, zone)
	if err != nil {
		return nil, bad(path, "%s", err)
	}
	return out, nil
}

func (w *Writer) coerced(f *doctype.Field, local bool, v any, zone *time.Location) (any, error) {
	switch f.Kind {
	case doctype.Int, doctype.Duration, doctype.Float, doctype.Decimal, doctype.Rating:
		return coerceNumber(f, local, v)
	case doctype.Boolean:
		return coerceBool(local, v)
	case doctype.DateTime:
		return coerceInstant(local, v, zone)
	case doctype.JSON:
		return coerceJSON(local, v)
	}
	text, err := textOf(v)
	if err != nil {
		return nil, err
	}
	switch f.Kind {
	case doctype.Date:
		if day, err := time.Parse(time.DateOnly, text); err != nil || day.Year() < 1000 {
			return nil, errNoDate
		}
	case doctype.Time:
		return coerceClock(text)
	case doctype.Enum:
		return coerceEnum(f, local, text)
	case doctype.URL:
		return w.coerceURL(text)
	case doctype.String, doctype.ID, doctype.Link, doctype.DynamicLink:
		if !local && f.Facts != nil && bool(f.Facts.Unique) && strings.TrimSpace(text) == "" {
			return nil, errBlank
		}
	default:
		return nil, errors.New("can't be written")
	}
	return text, nil
}

// textOf is a value that must be text which both databases keep as it is.
func textOf(v any) (string, error) {
	text, ok := v.(string)
	switch {
	case !ok:
		return "", errNoText
	case !utf8.ValidString(text):
		return "", errUTF8
	case strings.ContainsRune(text, 0):
		return "", errNUL
	}
	return text, nil
}

func coerceBool(local bool, v any) (any, error) {
	b, ok := v.(bool)
	switch {
	case !ok:
		return nil, errNoBool
	case local:
		return b, nil
	case b:
		return jsontext.Value("1"), nil
	default:
		return jsontext.Value("0"), nil
	}
}

func coerceInstant(local bool, v any, zone *time.Location) (any, error) {
	t, err := parseInstant(v)
	if err != nil {
		return nil, err
	}
	if local {
		if year := t.UTC().Year(); year < 1 || year > 9999 {
			return nil, errYear
		}
		return t.UTC().Format(rfcLayout), nil
	}
	return toSite(t, zone)
}

var clockPattern = regexp.MustCompile(`^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$`)

func coerceClock(text string) (any, error) {
	if !clockPattern.MatchString(text) {
		return nil, errNoClock
	}
	if text[1] == ':' {
		text = "0" + text
	}
	if len(text) == len("15:04") {
		text += ":00"
	}
	return text, nil
}

func coerceEnum(f *doctype.Field, local bool, text string) (any, error) {
	i := slices.IndexFunc(f.Enum, func(p doctype.Pair) bool { return p.Value == text })
	switch {
	case i < 0:
		return nil, fmt.Errorf("%.100q is not one of the values", text)
	case local:
		return text, nil
	default:
		return f.Enum[i].Label, nil
	}
}

// coerceURL takes a file's path, our own URL of one, which is what reading gives, or the
// URL of any other place.
func (w *Writer) coerceURL(text string) (any, error) {
	if w.cfg.FilePath != nil {
		if path, ok := w.cfg.FilePath(text); ok {
			text = path
		}
	}
	u, err := url.Parse(text)
	if err != nil || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return nil, errNoURL
	}
	file := strings.HasPrefix(text, "/files/") || strings.HasPrefix(text, "/private/files/")
	web := (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	if !web && (!file || slices.Contains(strings.Split(text, "/"), "..")) {
		return nil, errNoURL
	}
	return text, nil
}

// maxJSONDepth bounds how deep a JSON value may nest.
const maxJSONDepth = 64

// coerceJSON writes a JSON value. ERPNext gets it as text, which it keeps as it is; an
// object it would write anew, and a list it would refuse (model/base_document.py).
func coerceJSON(local bool, v any) (any, error) {
	b, err := appendJSON(nil, v, 0)
	if err != nil {
		return nil, err
	}
	if local {
		return jsontext.Value(b), nil
	}
	return string(b), nil
}

func appendJSON(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxJSONDepth {
		return nil, errDeep
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		if _, err := textOf(v); err != nil {
			return nil, err
		}
		return jsontext.AppendQuote(b, v)
	case map[string]any:
		return appendObject(b, v, depth)
	case []any:
		return appendList(b, v, depth)
	case []map[string]any:
		return appendList(b, v, depth)
	default:
		d, err := numberOf(&doctype.Field{Kind: doctype.Float}, v)
		if err != nil {
			return nil, errNoJSON
		}
		return append(b, d.String()...), nil
	}
}

func appendList[T any](b []byte, list []T, depth int) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, v, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject(b []byte, object map[string]any, depth int) ([]byte, error) {
	b = append(b, '{')
	var err error
	for i, key := range sortedKeys(object) {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, key, depth+1); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendJSON(b, object[key], depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
