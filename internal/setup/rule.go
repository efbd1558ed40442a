package setup

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// rule decides what a field of a document should hold.
type rule interface {
	// mend gives the value to write where the field holds current, and false where it is
	// as it should be. current is nil for a new document, and the JSON null for a field
	// that holds nothing: Frappe leaves those out of documents.
	mend(current jsontext.Value) (value any, needed bool)
	// show writes a value of the field as people read it.
	show(value jsontext.Value) string
}

// remarker is a rule that may have to tell what it left alone.
type remarker interface {
	// remark gives a sentence about the field's value, "" for none.
	remark(current jsontext.Value) string
}

// textIs is a field that holds exactly this.
type textIs string

// mend wants the text, byte for byte.
func (r textIs) mend(current jsontext.Value) (any, bool) {
	return string(r), current == nil || text(current) != string(r)
}

// show quotes the text, so that nothing of a site acts on a terminal.
func (textIs) show(value jsontext.Value) string { return quoted(text(value)) }

// checkIs is a field of type Check, on the wire 0 or 1.
type checkIs bool

// mend wants 1 for true, and 0 or nothing for false.
func (r checkIs) mend(current jsontext.Value) (any, bool) {
	want := 0
	if r {
		want = 1
	}
	return want, current == nil || checked(current) != bool(r)
}

// show says yes or no.
func (checkIs) show(value jsontext.Value) string {
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

// numberIs is a field that holds exactly this whole number.
type numberIs int

// mend wants the number, however it is written.
func (r numberIs) mend(current jsontext.Value) (any, bool) {
	n, err := strconv.ParseFloat(string(current), 64)
	return int(r), err != nil || n != float64(r)
}

// show writes the number, and quotes what is none.
func (numberIs) show(value jsontext.Value) string {
	if value.Kind() == '0' {
		return string(value)
	}
	return quoted(text(value))
}

// hasWord is a text of words between single blanks, this one among them. The other words are
// somebody else's, and stay.
type hasWord string

// mend adds the word at the end. Words that line ends or several blanks part are parted
// anew only when there is something to add: Frappe (oauth.py) splits redirect URIs at
// every single blank and nothing else.
func (r hasWord) mend(current jsontext.Value) (any, bool) {
	if slices.Contains(strings.Split(text(current), " "), string(r)) {
		return nil, false
	}
	words := append(r.others(current), string(r))
	return strings.Join(words, " "), true
}

// show quotes the words.
func (hasWord) show(value jsontext.Value) string { return quoted(text(value)) }

// remark tells of the words that are not this one.
func (r hasWord) remark(current jsontext.Value) string {
	others := r.others(current)
	if len(others) == 0 {
		return ""
	}
	return "kept, though not this erpgraph's; take out on the site what nothing uses: " + quotedList(others)
}

// others are the words that are not this one, each once.
func (r hasWord) others(current jsontext.Value) []string {
	var words []string
	for word := range strings.FieldsSeq(text(current)) {
		if word != string(r) && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// rowsAre is a child table with one row for each value of one field, in any order.
type rowsAre struct {
	field  string
	values []string
}

// mend wants these rows and no others. A table is written whole.
func (r rowsAre) mend(current jsontext.Value) (any, bool) {
	want := slices.Compact(slices.Sorted(slices.Values(r.values)))
	rows := make([]map[string]any, len(want))
	for i, value := range want {
		rows[i] = map[string]any{r.field: value}
	}
	have := r.valuesIn(current)
	slices.Sort(have)
	return rows, current == nil || !slices.Equal(have, want)
}

// show lists the values.
func (r rowsAre) show(value jsontext.Value) string {
	values := r.valuesIn(value)
	if len(values) == 0 {
		return quoted("")
	}
	return quotedList(values)
}

func (r rowsAre) valuesIn(table jsontext.Value) []string {
	var rows []map[string]jsontext.Value
	if json.Unmarshal(table, &rows) != nil {
		return nil // NULL or no table: no rows
	}
	values := make([]string, 0, len(rows))
	for _, row := range rows {
		values = append(values, text(row[r.field]))
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
