package httpapi

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// An escape such as \ud83d is half a character, and means one only before the other half.
// Readers of JSON and GraphQL make U+FFFD of half a character alone: another text than the
// client's, which would then be stored without a word. So it is refused.

// checkJSONUnicode checks a valid JSON text; what says of the error what it is. The error
// is a *requestError with status 400.
func checkJSONUnicode(text []byte, what string) error {
	if at := halfCharacter(text); at >= 0 {
		return badRequest("%s is not valid Unicode: the escape %s is half a character", what, text[at:at+escapeLength])
	}
	return nil
}

// checkDocumentUnicode checks the strings of a GraphQL document that has been parsed.
func checkDocumentUnicode(text string) *gqlerror.Error {
	if !strings.Contains(text, `\u`) {
		return nil
	}
	for start := 0; start < len(text); {
		length := 1
		switch rest := text[start:]; {
		case rest[0] == '#':
			length = commentLength(rest)
		case strings.HasPrefix(rest, `"""`):
			length = blockStringLength(rest) // the one escape there is \"""
		case rest[0] == '"':
			length = stringLength(rest)
			if at := halfCharacter([]byte(rest[:length])); at >= 0 {
				return halfInDocument(text, start+at)
			}
		}
		start += length
	}
	return nil
}

// escapeLength is that of \uXXXX.
const escapeLength = 6

// halfCharacter gives the place of the first escape \uXXXX that is half a character, -1
// where there is none. It wants a text in which backslashes stand in strings only, and as
// their grammar allows, which is that of JSON; GraphQL adds \u{…}, always a whole one.
func halfCharacter(text []byte) int {
	for at := 0; ; {
		next := bytes.IndexByte(text[at:], '\\')
		if next < 0 {
			return -1
		}
		at += next
		unit, ok := escapedUnit(text[at:])
		if !ok {
			at = min(at+len(`\n`), len(text))
			continue
		}
		if utf16.IsSurrogate(unit) {
			other, _ := escapedUnit(text[at+escapeLength:])
			if utf16.DecodeRune(unit, other) == unicode.ReplacementChar {
				return at
			}
			at += escapeLength
		}
		at += escapeLength
	}
}

// escapedUnit reads the escape \uXXXX that a text begins with.
func escapedUnit(text []byte) (rune, bool) {
	if len(text) < escapeLength || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:escapeLength]), 16, 16)
	return rune(unit), err == nil
}

func commentLength(text string) int {
	if end := strings.IndexAny(text, "\n\r"); end >= 0 {
		return end
	}
	return len(text)
}

// stringLength is that of the string that a text begins with, its quotes included.
func stringLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// blockStringLength is that of the block string that a text begins with. As for the
// parser, it ends with all of the quotes that stand together at its end.
func blockStringLength(text string) int {
	const quotes = `"""`
	for i := len(quotes); i < len(text); i++ {
		switch rest := text[i:]; {
		case strings.HasPrefix(rest, `\`+quotes):
			i += len(quotes)
		case strings.HasPrefix(rest, quotes):
			return len(text) - len(strings.TrimLeft(rest, `"`))
		}
	}
	return len(text)
}

// halfInDocument is the error about half a character at a byte of a document.
func halfInDocument(text string, start int) *gqlerror.Error {
	err := asGraphQL(apierror.New(apierror.BadUserInput,
		"a string of the document is not valid Unicode: the escape %s is half a character", text[start:start+escapeLength]))
	before := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text[:start])
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return at(err, &ast.Position{Line: strings.Count(before, "\n") + 1, Column: utf8.RuneCountInString(line) + 1})
}
