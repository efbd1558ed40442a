package httpapi

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"
)

func TestHalfCharacter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		``:                          -1,
		`no escape`:                 -1,
		`\ud83d\ude00`:              -1,
		`\uD83D\uDE00\uD83D\uDE00`:  -1,
		`\ud7ff\ue000\ufffd`:        -1,
		`\\ud83d`:                   -1, // a backslash, and four letters
		`\\\\ud83d\"ud83d`:          -1,
		`\u{1F600}`:                 -1,
		`\ud83d`:                    0,
		`ab\ude00`:                  2,
		`\ud83d\ud83d\ude00`:        0,
		`\ude00\ud83d`:              0,
		`\ud83d\ude00\ud83d`:        12,
		`\ud83d \ude00`:             0,
		`\ud83d\\ude00`:             0,
		`\ud83d\u{de00}`:            0,
		`\\\udfff`:                  2,
		`\ud83d\u12`:                0, // what no grammar allows must do no harm
		`\u12`:                      -1,
		`\`:                         -1,
		`\ud83d` + "\U0001F600":     0,
		`{"\udc00":{"a":"\n\u0041"`: 2,
	} {
		if got := halfCharacter([]byte(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// FuzzHalfCharacter holds the search to two readers that were written by others: jsontext,
// which refuses half a character, and the lexer of GraphQL, which makes U+FFFD of it.
func FuzzHalfCharacter(f *testing.F) {
	for _, seed := range []string{
		`"\ud83d"`, `"\ud83d\ude00"`, `{"a\\":"\\\ud800"}`, `[0,"\"\udfff","\u00e9"]`, `{a(b:"\ud83d")}`, `{a(b:"\u{1F600}\udc00\"")}`,
		`{a#"\ud800` + "\n" + `(b:"""\ud83d \"""""" c:"\\\ud83d\ude00")}`, `{a(b:""""c"""" d:"" e:"""""" f:"\ud800")}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// Nested deeper than some bound is no JSON to either, but not the same bound.
		if json.Valid([]byte(text)) && utf8.ValidString(text) && strings.Count(text, "[")+strings.Count(text, "{") < 1000 {
			whole := jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true))
			if at := halfCharacter([]byte(text)); (at < 0) != whole {
				t.Errorf("%q as JSON: %d, jsontext says %v", text, at, whole)
			}
		}
		if strings.ContainsRune(text, utf8.RuneError) || strings.Contains(strings.ToLower(text), "fffd") || !utf8.ValidString(text) {
			return
		}
		whole, lex := true, lexer.New(&ast.Source{Input: text})
		for {
			token, err := lex.ReadToken()
			if err != nil {
				return // no document, so it is refused anyway
			}
			if token.Kind == lexer.EOF {
				break
			}
			if token.Kind == lexer.String && strings.ContainsRune(token.Value, utf8.RuneError) {
				whole = false
			}
		}
		if err := checkDocumentUnicode(text); (err == nil) != whole {
			t.Errorf("%q as GraphQL: %v, the lexer says %v", text, err, whole)
		}
	})
}
