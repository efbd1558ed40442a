package doctype

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/gertd/go-pluralize"
	"golang.org/x/text/unicode/norm"
)

// Names of the graph are made from Frappe's by these rules alone, so that the same
// facts give the same graph everywhere:
//
//  1. Accents are dropped (é → e); every other sign that GraphQL doesn't allow, and
//     the underscore, parts two words.
//  2. Types join their words in PascalCase, fields in camelCase, enum values in
//     UPPER_SNAKE. Capitals inside a word stay: "UOM" is UOM, "ToDo" is ToDo.
//  3. A name that would begin with a digit gets a word in front: Doc, field, VALUE.
//  4. A name of which nothing is left ("客户") is spelled by its code points: U5BA2U6237.
//
// A name that is taken is resolved in Build, which says how and reports it.

var (
	typeNamePattern  = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	fieldNamePattern = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)
	tableNamePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// TypeName is the GraphQL type of a DocType: "Sales Order" → "SalesOrder".
func TypeName(doctype string) string {
	return pascal(words(doctype), "Doc")
}

// FieldName is the GraphQL field of a fieldname or SQL column: "grand_total" →
// "grandTotal".
func FieldName(fieldname string) string {
	parts := words(fieldname)
	if c := parts[0][0]; c >= '0' && c <= '9' {
		parts = append([]string{"field"}, parts...)
	}
	return lowerFirstWord(parts[0]) + pascal(parts[1:], "")
}

// EnumValue is the enum value of a Select's option: "In Progress" → "IN_PROGRESS".
func EnumValue(label string) string {
	value := strings.ToUpper(strings.Join(words(label), "_"))
	if value[0] >= '0' && value[0] <= '9' {
		value = "VALUE_" + value
	}
	return value
}

// EnumName is the value that stands for a GraphQL field in the enums of fields to
// order and group by: "grandTotal" → "GRAND_TOTAL". Two fields of a type never share
// one: the field is got back by lowering all but the letters after an underscore.
func EnumName(field string) string {
	var b strings.Builder
	for i, r := range field {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// ColumnName is the SQL column of a local field: "startDate" → "start_date".
func ColumnName(field string) string { return strings.ToLower(EnumName(field)) }

// Stem is the base name of the files of a DocType: "Sales Order" → "sales_order".
// A stem that Go would take for a build constraint gets "_doctype" at its end.
func Stem(doctype string) string {
	stem := strings.ToLower(strings.Join(words(doctype), "_"))
	if constrained(stem) {
		stem += "_doctype"
	}
	return stem
}

// constrained tells whether Go would build <stem>.gen.go only on one system or CPU,
// or take <stem>.go for a test: the last words of `go tool dist list`, past and present.
func constrained(stem string) bool {
	i := strings.LastIndexByte(stem, '_')
	return slices.Contains([]string{
		"test", "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js",
		"linux", "nacl", "netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows", "zos",
		"386", "amd64", "amd64p32", "arm", "arm64", "arm64be", "armbe", "loong64", "mips", "mips64",
		"mips64le", "mips64p32", "mips64p32le", "mipsle", "ppc", "ppc64", "ppc64le", "riscv",
		"riscv64", "s390", "s390x", "sparc", "sparc64", "wasm", "unix",
	}, stem[i+1:])
}

// rootNames are the singular and plural root fields of a DocType or local type: "salesOrder",
// "salesOrders". A name with no plural of its own ("Series") takes "List" at its end.
func rootNames(plurals *pluralize.Client, doctype string) (singular, plural string, same bool) {
	parts := words(doctype)
	if c := parts[0][0]; c >= '0' && c <= '9' {
		parts = append([]string{"doc"}, parts...)
	}
	singular = lowerFirstWord(parts[0]) + pascal(parts[1:], "")
	last := len(parts) - 1
	parts = slices.Clone(parts)
	parts[last] = pluralWord(plurals, parts[last])
	plural = lowerFirstWord(parts[0]) + pascal(parts[1:], "")
	if plural == singular {
		return singular, singular + "List", true
	}
	return singular, plural, false
}

// pluralWord keeps the capitals of a word: "Company" → "Companies", "UOM" → "UOMs".
func pluralWord(plurals *pluralize.Client, word string) string {
	plural := plurals.Plural(strings.ToLower(word))
	common := 0
	for common < len(plural) && common < len(word) && plural[common] == strings.ToLower(word)[common] {
		common++
	}
	return word[:common] + plural[common:]
}

// words splits a name by rule 1; at least one word comes back, never an empty one.
func words(name string) []string {
	var out []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			out = append(out, word.String())
			word.Reset()
		}
	}
	for _, r := range norm.NFKD.String(name) {
		switch {
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			word.WriteRune(r)
		case unicode.Is(unicode.Mn, r): // the accent of the letter before
		default:
			flush()
		}
	}
	flush()
	if len(out) > 0 {
		return out
	}
	var spelled strings.Builder
	for _, r := range name {
		fmt.Fprintf(&spelled, "U%04X", r)
	}
	if spelled.Len() == 0 {
		return []string{"U0000"}
	}
	return []string{spelled.String()}
}

// pascal joins words with a capital each; digits in front get the given word.
func pascal(parts []string, digits string) string {
	var b strings.Builder
	for i, p := range parts {
		if i == 0 && p[0] >= '0' && p[0] <= '9' {
			b.WriteString(digits)
		}
		b.WriteString(upperFirst(p))
	}
	return b.String()
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// lowerFirstWord lowers the run of capitals a word begins with, but for the last of
// them when a small letter follows: "UOM" → "uom", "ToDo" → "toDo", "CRMNote" → "crmNote".
func lowerFirstWord(word string) string {
	run := 0
	for run < len(word) && word[run] >= 'A' && word[run] <= 'Z' {
		run++
	}
	if run > 1 && run < len(word) && word[run] >= 'a' && word[run] <= 'z' && word[run:] != "s" {
		run--
	}
	return strings.ToLower(word[:run]) + word[run:]
}
