package setup

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Each rule leaves alone what is right, and says what to write where it is not.
func TestRules(t *testing.T) {
	t.Parallel()
	set := RowSet{Field: "role", Values: []string{"B", "A"}}
	for _, c := range []struct {
		name    string
		rule    Rule
		current string // "" for a new document
		want    string // "" for nothing
	}{
		{"text, new", Text("x"), "", `"x"`},
		{"text, the same", Text("x"), `"x"`, ""},
		{"text, another", Text("x"), `"x "`, `"x"`},
		{"text, NULL", Text("x"), `null`, `"x"`},
		{"empty text, NULL", Text(""), `null`, ""},
		{"check, new", Check(false), "", "0"},
		{"check, the same", Check(true), "1", ""},
		{"check, true", Check(true), "true", ""},
		{"check, NULL", Check(false), "null", ""},
		{"check, NULL to be set", Check(true), "null", "1"},
		{"check, set", Check(false), "1", "0"},
		{"word, new", Word("b"), "", `"b"`},
		{"word, there", Word("b"), `"a b c"`, ""},
		{"word, part of another", Word("b"), `"ab"`, `"ab b"`},
		{"word, in another line", Word("b"), `"a\nb\na"`, `"a b"`},
		{"word, after two blanks", Word("b"), `"a  b"`, ""},
		{"rows, new", set, "", `[{"role":"A"},{"role":"B"}]`},
		{"rows, the same", set, `[{"role":"B","idx":1},{"role":"A","idx":2}]`, ""},
		{"rows, one too many", set, `[{"role":"B"},{"role":"A"},{"role":"C"}]`, `[{"role":"A"},{"role":"B"}]`},
		{"rows, one twice", set, `[{"role":"B"},{"role":"A"},{"role":"A"}]`, `[{"role":"A"},{"role":"B"}]`},
		{"rows, no table", set, `"B"`, `[{"role":"A"},{"role":"B"}]`},
		{"no rows, NULL", RowSet{Field: "role"}, `null`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var current jsontext.Value
			if c.current != "" {
				current = jsontext.Value(c.current)
			}
			value, needed := c.rule.Mend(current)
			got := ""
			if needed {
				b, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				got = string(b)
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if _, again := c.rule.Mend(jsontext.Value(c.want)); needed && again {
				t.Errorf("what it wrote, it writes again")
			}
		})
	}
}

// The values of a secret field are never told.
func TestSecretField(t *testing.T) {
	t.Parallel()
	d := Document{DocType: "Webhook", Fields: []Field{{Name: "webhook_secret", Rule: Text("new-word"), Secret: true}}}
	for _, current := range []map[string]jsontext.Value{nil, {"webhook_secret": jsontext.Value(`"old-word"`)}} {
		fields, err := d.compare(current)
		if err != nil || len(fields) != 1 {
			t.Fatalf("%+v, %v", fields, err)
		}
		var told strings.Builder
		name := ""
		if current != nil {
			name = "hook"
		}
		report{w: &told}.change(Change{Document: d, Name: name, Fields: fields})
		if strings.Contains(told.String(), "word") || !strings.Contains(told.String(), "webhook_secret: (secret)") {
			t.Errorf("told:\n%s", told.String())
		}
	}
}

// What a site sends can't act on the terminal.
func TestQuoted(t *testing.T) {
	t.Parallel()
	escape := jsontext.Value(`"\u001b[2J\nx"`)
	for _, rule := range []Rule{Text(""), Word("")} {
		if got := rule.Show(escape); strings.ContainsAny(got, "\x1b\n") {
			t.Errorf("%T shows %q", rule, got)
		}
	}
	if got := (RowSet{Field: "role"}).Show(jsontext.Value(`[{"role":"\u001b"}]`)); got != `"\x1b"` {
		t.Errorf("rows: %s", got)
	}
}
