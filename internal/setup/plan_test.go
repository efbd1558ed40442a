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
	set := rowsAre{field: "role", values: []string{"B", "A"}}
	for _, c := range []struct {
		name    string
		rule    rule
		current string // "" for a new document
		want    string // "" for nothing
	}{
		{"text, new", textIs("x"), "", `"x"`},
		{"text, the same", textIs("x"), `"x"`, ""},
		{"text, another", textIs("x"), `"x "`, `"x"`},
		{"text, NULL", textIs("x"), `null`, `"x"`},
		{"empty text, NULL", textIs(""), `null`, ""},
		{"check, new", checkIs(false), "", "0"},
		{"check, the same", checkIs(true), "1", ""},
		{"check, true", checkIs(true), "true", ""},
		{"check, NULL", checkIs(false), "null", ""},
		{"check, NULL to be set", checkIs(true), "null", "1"},
		{"check, set", checkIs(false), "1", "0"},
		{"word, new", hasWord("b"), "", `"b"`},
		{"word, there", hasWord("b"), `"a b c"`, ""},
		{"word, part of another", hasWord("b"), `"ab"`, `"ab b"`},
		{"word, in another line", hasWord("b"), `"a\nb\na"`, `"a b"`},
		{"word, after two blanks", hasWord("b"), `"a  b"`, ""},
		{"rows, new", set, "", `[{"role":"A"},{"role":"B"}]`},
		{"rows, the same", set, `[{"role":"B","idx":1},{"role":"A","idx":2}]`, ""},
		{"rows, one too many", set, `[{"role":"B"},{"role":"A"},{"role":"C"}]`, `[{"role":"A"},{"role":"B"}]`},
		{"rows, one twice", set, `[{"role":"B"},{"role":"A"},{"role":"A"}]`, `[{"role":"A"},{"role":"B"}]`},
		{"rows, no table", set, `"B"`, `[{"role":"A"},{"role":"B"}]`},
		{"no rows, NULL", rowsAre{field: "role"}, `null`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var current jsontext.Value
			if c.current != "" {
				current = jsontext.Value(c.current)
			}
			value, needed := c.rule.mend(current)
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
			if _, again := c.rule.mend(jsontext.Value(c.want)); needed && again {
				t.Errorf("what it wrote, it writes again")
			}
		})
	}
}

// What a site sends can't act on the terminal.
func TestQuoted(t *testing.T) {
	t.Parallel()
	escape := jsontext.Value(`"\u001b[2J\nx"`)
	for _, rule := range []rule{textIs(""), hasWord("")} {
		if got := rule.show(escape); strings.ContainsAny(got, "\x1b\n") {
			t.Errorf("%T shows %q", rule, got)
		}
	}
	if got := (rowsAre{field: "role"}).show(jsontext.Value(`[{"role":"\u001b"}]`)); got != `"\x1b"` {
		t.Errorf("rows: %s", got)
	}
}
