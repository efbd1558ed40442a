package setup

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Rule decides what a field of a document should hold.
type Rule interface {
	// Mend gives the value to write where the field holds current, and false where it is
	// as it should be. current is nil for a new document, and the JSON null for a field
	// that holds nothing: Frappe leaves those out of documents.
	Mend(current jsontext.Value) (value any, needed bool)
	// Show writes a value of the field as people read it.
	Show(value jsontext.Value) string
}

// Remarker is a Rule that may have to tell what it left alone.
type Remarker interface {
	// Remark gives a sentence about the field's value, "" for none.
	Remark(current jsontext.Value) string
}

// Text is a field that holds exactly this.
type Text string

// Mend wants the text, byte for byte.
func (r Text) Mend(current jsontext.Value) (any, bool) {
	return string(r), current == nil || text(current) != string(r)
}

// Show quotes the text, so that nothing of a site acts on a terminal.
func (Text) Show(value jsontext.Value) string { return quoted(text(value)) }

// Check is a field of type Check, on the wire 0 or 1.
type Check bool

// Mend wants 1 for true, and 0 or nothing for false.
func (r Check) Mend(current jsontext.Value) (any, bool) {
	want := 0
	if r {
		want = 1
	}
	return want, current == nil || checked(current) != bool(r)
}

// Show says yes or no.
func (Check) Show(value jsontext.Value) string {
	if checked(value) {
		return "yes"
	}
	return "no"
}

// checked reads a Check, which is a number, or true where a hook made it so.
func checked(value jsontext.Value) bool {
	n, err := strconv.ParseFloat(string(value), 64)
	return string(value) == "true" || (err == nil && n != 0)
}

// Word is a text of words between single blanks, this one among them. The other words are
// somebody else's, and stay.
type Word string

// Mend adds the word at the end. Words that line ends or several blanks part are parted
// anew only when there is something to add: Frappe (oauth.py) splits redirect URIs at
// every single blank and nothing else.
func (r Word) Mend(current jsontext.Value) (any, bool) {
	if slices.Contains(strings.Split(text(current), " "), string(r)) {
		return nil, false
	}
	words := append(r.others(current), string(r))
	return strings.Join(words, " "), true
}

// Show quotes the words.
func (Word) Show(value jsontext.Value) string { return quoted(text(value)) }

// Remark tells of the words that are not this one.
func (r Word) Remark(current jsontext.Value) string {
	others := r.others(current)
	if len(others) == 0 {
		return ""
	}
	return "kept, though not this erpgraph's; take out on the site what nothing uses: " + quotedList(others)
}

// others are the words that are not this one, each once.
func (r Word) others(current jsontext.Value) []string {
	var words []string
	for word := range strings.FieldsSeq(text(current)) {
		if word != string(r) && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// RowSet is a child table with one row for each value of one field, in any order.
type RowSet struct {
	Field  string
	Values []string
}

// Mend wants these rows and no others. A table is written whole.
func (r RowSet) Mend(current jsontext.Value) (any, bool) {
	want := slices.Compact(slices.Sorted(slices.Values(r.Values)))
	rows := make([]map[string]any, len(want))
	for i, value := range want {
		rows[i] = map[string]any{r.Field: value}
	}
	have := r.values(current)
	slices.Sort(have)
	return rows, current == nil || !slices.Equal(have, want)
}

// Show lists the values.
func (r RowSet) Show(value jsontext.Value) string {
	values := r.values(value)
	if len(values) == 0 {
		return quoted("")
	}
	return quotedList(values)
}

func (r RowSet) values(table jsontext.Value) []string {
	var rows []map[string]jsontext.Value
	if json.Unmarshal(table, &rows) != nil {
		return nil // NULL or no table: no rows
	}
	values := make([]string, 0, len(rows))
	for _, row := range rows {
		values = append(values, text(row[r.Field]))
	}
	return values
}

// text is the text of a JSON string, and "" for all else.
func text(value jsontext.Value) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

func quoted(s string) string {
	if s == "" {
		return "nothing"
	}
	return strconv.Quote(s)
}

func quotedList(list []string) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = strconv.Quote(s)
	}
	return strings.Join(parts, ", ")
}
