package engine

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/loaders"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	for _, p := range []*loaders.Position{
		{Key: "SO-1", TiesNext: -1, TiesPrev: -1},
		{Key: "日本 \"x\"", TiesNext: 2, TiesPrev: 0, Values: []jsontext.Value{jsontext.Value(`null`), jsontext.Value(`1.500000000`)}},
		{Key: "a", Values: []jsontext.Value{jsontext.Value(`"<&> \u0000 "`), jsontext.Value(`true`)}},
	} {
		got, err := decodeCursor("after", encodeCursor("list", p), "list", len(p.Values))
		if err != nil {
			t.Fatal(err)
		}
		if got.Key != p.Key || got.TiesNext != p.TiesNext || got.TiesPrev != p.TiesPrev || len(got.Values) != len(p.Values) {
			t.Errorf("got %+v, want %+v", got, p)
		}
		for i, v := range p.Values {
			if textOf(got.Values[i]) != textOf(v) || got.Values[i].Kind() != v.Kind() {
				t.Errorf("value %d: got %s, want %s", i, got.Values[i], v)
			}
		}
	}
}

func TestCursorRefused(t *testing.T) {
	t.Parallel()
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for name, text := range map[string]string{
		"no base64":      "%%%",
		"padded":         base64.URLEncoding.EncodeToString([]byte(`{"l":"list","k":"a"}`)),
		"no JSON":        encode("x"),
		"a list":         encode(`[]`),
		"no key":         encode(`{"l":"list","v":[1]}`),
		"a NUL":          encode(`{"l":"list","v":[1],"k":"a\u0000"}`),
		"another list":   encode(`{"l":"other","v":[1],"k":"a"}`),
		"too few values": encode(`{"l":"list","v":[],"k":"a"}`),
		"too many":       encode(`{"l":"list","v":[1,2],"k":"a"}`),
		"an object":      encode(`{"l":"list","v":[{}],"k":"a"}`),
		"an array":       encode(`{"l":"list","v":[[]],"k":"a"}`),
		"no number":      encode(`{"l":"list","v":[1],"k":"a","n":1e99}`),
		"too long":       encode(`{"l":"list","v":["` + strings.Repeat("x", maxCursor) + `"],"k":"a"}`),
	} {
		p, err := decodeCursor("before", text, "list", 1)
		if e, ok := apierror.As(err); p != nil || !ok || e.Code != apierror.BadUserInput || e.Field != "before" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestGlobalID(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"SO-1", "日本", "a b", "x\x01y"} {
		key, got, err := decodeID(encodeID("Sales Order", name))
		if err != nil || key != "Sales Order" || got != name {
			t.Errorf("%q: %q %q %v", name, key, got, err)
		}
	}
	for _, id := range []string{"", "x", "SO-1", encodeID("", "a"), encodeID("a", ""), encodeID("a", "b\x00c"), strings.Repeat("é", 100)} {
		if _, _, err := decodeID(id); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// A digest tells lists apart by type, filter and order, not by the order of keys.
func TestDigest(t *testing.T) {
	t.Parallel()
	of := func(where string, order ...string) string {
		d, err := digest("Sales Order", parseInput(t, where), order)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if of(`{"a": 1, "b": 2}`) != of(`{"b": 2, "a": 1}`) {
		t.Error("the order of keys counts")
	}
	seen := map[string]string{}
	for _, where := range []string{`null`, `{}`, `{"a": 1}`, `{"a": "1"}`, `{"a": 1.0}`, `{"a": [1]}`, `{"a": null}`} {
		d := of(where)
		if seen[d] != "" {
			t.Errorf("%s and %s have one digest", where, seen[d])
		}
		seen[d] = where
	}
	if of(`null`, "a true") == of(`null`, "a false") {
		t.Error("the direction does not count")
	}
}

// Wheres that mean different things look different, however alike their values print.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	typ := &doctype.Type{Name: "A", Key: "A", Source: doctype.Local, Fields: []*doctype.Field{
		{Name: "x", Column: "x"},
		{Name: "y", Column: "y"},
		{Name: "n", Column: "n", Kind: doctype.Float},
		{Name: "at", Column: "at", Kind: doctype.DateTime},
		{Name: "b", Column: "b", Kind: doctype.Boolean},
		{Name: "open", Kind: doctype.ReverseList, Target: "A"},
		{Name: "closed", Kind: doctype.ReverseList, Target: "A"},
	}}
	e := &Engine{registry: doctype.NewRegistry([]*doctype.Type{typ})}
	of := func(where string) string {
		expr, err := e.whereArgument(typ, parseInput(t, where))
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		return fingerprint(expr)
	}
	seen := map[string]string{}
	for _, where := range []string{
		`{}`,
		`{"x": {"in": ["A", "B"]}}`, `{"x": {"in": ["A B"]}}`, `{"x": {"in": ["A\",\"B"]}}`, `{"x": {"in": ["B", "A"]}}`, `{"x": {"in": []}}`, `{"x": {"in": [""]}}`,
		`{"x": {"notIn": ["A", "B"]}}`, `{"x": {"eq": "[A B]"}}`, `{"x": {"eq": "A"}}`, `{"y": {"eq": "A"}}`,
		`{"x": {"eq": null}}`, `{"x": {"eq": "<nil>"}}`, `{"x": {"eq": "null"}}`, `{"x": {"eq": ""}}`,
		`{"x": {"eq": "1"}}`, `{"n": {"eq": 1}}`, `{"b": {"eq": true}}`, `{"x": {"eq": "true"}}`, `{"x": {"isSet": true}}`,
		`{"at": {"eq": "2026-01-01T00:00:00Z"}}`, `{"at": {"eq": "2026-01-01T00:00:00.000001Z"}}`, `{"x": {"eq": "2026-01-01T00:00:00Z"}}`,
		`{"open": {"x": {"eq": "A"}}}`, `{"closed": {"x": {"eq": "A"}}}`, `{"open": {"open": {"x": {"eq": "A"}}}}`,
		`{"x": {"eq": "A"}, "y": {"eq": "B"}}`, `{"x": {"eq": "A\"and(y eq \"B"}}`,
		`{"or": [{"x": {"eq": "A"}}, {"y": {"eq": "B"}}]}`, `{"or": [{"x": {"eq": "A"}, "y": {"eq": "B"}}]}`, `{"or": [{"x": {"eq": "A"}}]}`,
		`{"or": [{"x": {"eq": "A"}}, {}]}`, `{"not": {"x": {"eq": "A"}}}`, `{"not": {}}`, `{"not": {"not": {"x": {"eq": "A"}}}}`,
	} {
		text := of(where)
		if other, ok := seen[text]; ok {
			t.Errorf("%s and %s are both %q", where, other, text)
		}
		seen[text] = where
	}
	for a, b := range map[string]string{
		`{}`:                                     `null`,
		`{"x": {}}`:                              `{}`,
		`{"and": [{}, {"x": {"eq": "A"}}]}`:      `{"and": [{"x": {"eq": "A"}}, {}]}`,
		`{"at": {"eq": "2026-01-01T00:00:00Z"}}`: `{"at": {"eq": "2026-01-01T01:00:00+01:00"}}`,
	} {
		if of(a) != of(b) {
			t.Errorf("%s and %s mean the same: %q, %q", a, b, of(a), of(b))
		}
	}
}

// No text makes decoding a cursor panic; what it accepts, it gives back the same.
func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor("list", &loaders.Position{Key: "a", Values: []jsontext.Value{jsontext.Value(`1`)}}))
	f.Add("eyJsIjoibGlzdCIsInYiOlsxXSwiayI6ImEifQ")
	f.Fuzz(func(t *testing.T, text string) {
		for _, candidate := range []string{text, base64.RawURLEncoding.EncodeToString([]byte(text))} {
			p, err := decodeCursor("after", candidate, "list", 1)
			if err != nil {
				if apierror.CodeOf(err) != apierror.BadUserInput {
					t.Fatalf("%q: %v", candidate, err)
				}
				continue
			}
			if p.Key == "" || len(p.Values) != 1 {
				t.Fatalf("%q: %+v", candidate, p)
			}
			again, err := decodeCursor("after", encodeCursor("list", p), "list", 1)
			if err != nil || again.Key != p.Key || textOf(again.Values[0]) != textOf(p.Values[0]) {
				t.Fatalf("%q: %+v became %+v, %v", candidate, p, again, err)
			}
		}
		_, _, _ = decodeID(text)
	})
}
