package write

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

// likeness is how much a stored document is the one that was sent.
type likeness int

const (
	different likeness = iota
	unclear            // it differs only in what ERPNext itself may have changed
	same
)

// likenessOf compares what was sent with what is stored, but for tables. nulls says that
// a null that was sent must be stored as none; on create ERPNext has its defaults.
func likenessOf(t *doctype.Type, sent map[string]any, stored document, nulls bool) likeness {
	out := same
	for column, v := range sent {
		f := t.ByColumn(column)
		if _, rows := v.([]any); rows || f == nil || v == nil && !nulls {
			continue
		}
		if equalValue(f, v, stored[column]) {
			continue
		}
		if !mayChange(f, v) && len(stored[column]) > 0 {
			return different
		}
		out = unclear
	}
	return out
}

// mayChange tells whether ERPNext itself may store another value than was sent: numbers
// that it computes, values that it fetches through a link, text whose markup it cleans.
func mayChange(f *doctype.Field, sent any) bool {
	if f.Facts != nil && f.Facts.FetchFrom != "" {
		return true
	}
	switch f.Kind {
	case doctype.Float, doctype.Decimal:
		return true
	case doctype.String:
		text, _ := sent.(string)
		return strings.ContainsAny(text, "<>{") || text != strings.TrimSpace(text) // a title's template has braces
	default:
		return false
	}
}

// equalValue compares one value as it is written with one as it is read.
func equalValue(f *doctype.Field, sent any, stored jsontext.Value) bool {
	have := rawText(stored)
	if sent == nil {
		return have == "" || have == "0" || have == "0.0"
	}
	switch f.Kind {
	case doctype.Int, doctype.Duration, doctype.Float, doctype.Decimal, doctype.Rating, doctype.Boolean:
		return sameNumber(fmt.Sprint(sent), have)
	case doctype.Link, doctype.DynamicLink:
		return loaders.Fold(fmt.Sprint(sent)) == loaders.Fold(have)
	case doctype.DateTime:
		return strings.TrimSuffix(fmt.Sprint(sent), ".000000") == strings.TrimSuffix(have, ".000000")
	case doctype.Time:
		return clockOf(fmt.Sprint(sent)) == clockOf(have)
	case doctype.JSON:
		return sameJSON(fmt.Sprint(sent), stored)
	default:
		if linkFact(f) {
			return loaders.Fold(fmt.Sprint(sent)) == loaders.Fold(have)
		}
		return fmt.Sprint(sent) == have
	}
}

func sameNumber(a, b string) bool {
	x, err := parseDecimal(a)
	if err != nil {
		return false
	}
	y, err := parseDecimal(b)
	return err == nil && x == y
}

// clockOf brings a time of day to one form: ERPNext pads no part of it, and leaves out
// zeros at the end (utils/data.py).
func clockOf(text string) string {
	clock, fraction, _ := strings.Cut(text, ".")
	parts := strings.Split(clock, ":")
	for i, part := range parts {
		parts[i] = strings.TrimLeft(part, "0")
	}
	return strings.Join(parts, ":") + "." + strings.TrimRight(fraction, "0")
}

func sameJSON(sent string, stored jsontext.Value) bool {
	a, b := jsontext.Value(sent), stored
	if stored.Kind() == '"' {
		b = jsontext.Value(rawText(stored))
	}
	a, b = a.Clone(), b.Clone()
	return a.Canonicalize() == nil && b.Canonicalize() == nil && string(a) == string(b)
}

// rowsOf reads the rows of a table.
func rowsOf(v jsontext.Value) ([]document, error) {
	if len(v) == 0 {
		return nil, nil
	}
	var rows []document
	if err := json.Unmarshal(v, &rows); err != nil {
		return nil, fmt.Errorf("read the rows of a document: %w", err)
	}
	return rows, nil
}

// hasRows tells whether rows of child tables were sent.
func hasRows(values map[string]any) bool {
	for _, v := range values {
		if list, ok := v.([]any); ok && len(list) > 0 {
			return true
		}
	}
	return false
}

// rowsLikeness compares the rows of a new document with those that are stored. ERPNext may
// have added some, and takes none away.
func rowsLikeness(of *doctype.Type, sent []any, stored jsontext.Value) likeness {
	have, err := rowsOf(stored)
	switch {
	case err != nil:
		return unclear
	case len(have) < len(sent):
		return different
	}
	out := same
	if len(have) > len(sent) {
		out = unclear
	}
	for i, row := range sent {
		values, _ := row.(map[string]any)
		out = min(out, likenessOf(of, values, have[i], false))
	}
	return out
}
