package engine

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/loaders"
)

// A cursor is the position of a row in the order of its list, with a digest of what
// list that is. It holds only what the client's own order and row showed him; a forged
// one is a filter on fields he may filter by.
type cursor struct {
	// List is the digest of type, where and order.
	List string `json:"l"`
	// Values are the order keys, Key the docname or id.
	Values []jsontext.Value `json:"v,omitempty"`
	Key    string           `json:"k"`
	// Next and Prev say how many keys the neighbours share (loaders.Position).
	Next int `json:"n"`
	Prev int `json:"p"`
}

// maxCursor bounds the text of a cursor: a few order keys and a docname.
const maxCursor = 8 << 10

func encodeCursor(list string, p *loaders.Position) string {
	b, err := json.Marshal(cursor{List: list, Values: p.Values, Key: p.Key, Next: p.TiesNext, Prev: p.TiesPrev})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor reads a cursor of the list with the given digest and number of keys.
func decodeCursor(argument, text, list string, keys int) (*loaders.Position, error) {
	if len(text) > maxCursor {
		return nil, badInput(argument, "is not a cursor of this service")
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, badInput(argument, "is not a cursor of this service")
	}
	var c cursor
	if err := json.Unmarshal(b, &c); err != nil || strings.ContainsRune(c.Key, 0) || c.Key == "" {
		return nil, badInput(argument, "is not a cursor of this service")
	}
	if c.List != list || len(c.Values) != keys {
		return nil, badInput(argument, "belongs to a list with another filter or order; use a cursor only with the where and orderBy it came from")
	}
	for _, v := range c.Values {
		if k := v.Kind(); k == '{' || k == '[' {
			return nil, badInput(argument, "is not a cursor of this service")
		}
	}
	return &loaders.Position{Values: c.Values, Key: c.Key, TiesNext: c.Next, TiesPrev: c.Prev}, nil
}

// digest is a short fingerprint of a list: equal for equal type, where and order.
func digest(parts ...any) (string, error) {
	b, err := json.Marshal(parts) // map keys come sorted
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:9]), nil
}

// fingerprint is a where tree as text: equal for trees that mean the same written
// differently, such as an absent where and an empty one, and different for any others:
// reads of equal text become one.
func fingerprint(e *criteria.Expr) string {
	if e == nil {
		return ""
	}
	var b strings.Builder
	for _, kid := range e.And {
		if text := fingerprint(kid); text != "" {
			b.WriteString("and(" + text + ")")
		}
	}
	for _, kid := range e.Or { // an alternative without conditions counts: it always holds
		b.WriteString("or(" + fingerprint(kid) + ")")
	}
	if e.Not != nil {
		b.WriteString("not(" + fingerprint(e.Not) + ")")
	}
	if e.Rows != nil {
		b.WriteString(e.Rows.Field.Name + "[" + fingerprint(e.Rows.Where) + "]")
	}
	if e.Cond != nil {
		b.WriteString(e.Cond.Field.Name + " " + string(e.Cond.Op) + " ")
		writeValue(&b, e.Cond.Value)
	}
	return b.String()
}

// writeValue writes the value of a condition so that no two values look alike.
func writeValue(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case string:
		b.WriteString(strconv.Quote(v))
	case time.Time:
		b.WriteString("time" + strconv.Quote(v.UTC().Format(time.RFC3339Nano)))
	case []any:
		b.WriteByte('[')
		for _, item := range v {
			writeValue(b, item)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	default: // bool, json.Number
		fmt.Fprintf(b, "%T%q", v, fmt.Sprint(v))
	}
}

// Global ids: an opaque text that names a type and a document or row of it.

func encodeID(typeKey, name string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(typeKey + "\x00" + name))
}

func decodeID(id string) (typeKey, name string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err == nil {
		var ok bool
		if typeKey, name, ok = strings.Cut(string(b), "\x00"); ok && typeKey != "" && name != "" && !strings.ContainsRune(name, 0) {
			return typeKey, name, nil
		}
	}
	return "", "", apierror.New(apierror.BadUserInput, "id: %q is not an id of this service", shorten(id)).About("", "", "id")
}

func shorten(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
