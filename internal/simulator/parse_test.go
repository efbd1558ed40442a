package simulator

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCollation(t *testing.T) {
	t.Parallel()
	c := newCollation()
	for _, pair := range [][2]string{
		{"MÜLLER & SÖHNE gmbh", "Müller & Söhne GmbH"},
		{"Semi;Colon", "semi;colon   "},
		{"straße", "STRASSE"},
		{"Zoë", "zoe"},
		{"emoji 🚀", "emoji 🎈"},
	} {
		if c.key(pair[0]) != c.key(pair[1]) {
			t.Errorf("%q and %q should be equal", pair[0], pair[1])
		}
	}
	sorted := []string{"", "_x", "-x", ",x", "[x", "{x", "@x", "*x", "/x", "&x", "#x", "%x", "+x", "0x", "9", "a", "A b", "ab", "Ä c", "b", "東京"}
	shuffled := slices.Clone(sorted)
	slices.Reverse(shuffled)
	slices.SortStableFunc(shuffled, func(a, b string) int { return strings.Compare(c.key(a), c.key(b)) })
	// "A b" and "Ä c" differ in their last letter, which comes after the blank.
	want := []string{"", "_x", "-x", ",x", "[x", "{x", "@x", "*x", "/x", "&x", "#x", "%x", "+x", "0x", "9", "a", "A b", "Ä c", "ab", "b", "東京"}
	if diff := cmp.Diff(want, shuffled); diff != "" {
		t.Error(diff)
	}
	// The table for ASCII must agree with the collator.
	for _, s := range []string{"abc", "A-b_c d", `q"w'e\r`, "50% Off", "~`|"} {
		if c.key(s) != c.slowKey(s) {
			t.Errorf("%q folds in two ways", s)
		}
	}
}

func TestLike(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, pattern string
		want          bool
	}{
		{"Acme Foods", "%ACME%", true},
		{"Acme Foods", "acme", false},
		{"Acme", "acm_", true},
		{"Café Zoë", "%cafe zoe", true},
		{"50% Off", `50\% off`, true},
		{"50x Off", `50\% off`, false},
		{"abcabc", "%abc", true},
		{"a ", "a", false},
		{"", "%", true},
		{"東京商事", "%京%", true},
		{`back\slash`, `back\\slash`, true},
	} {
		if got := like(likeFold(tt.text), likeFold(tt.pattern)); got != tt.want {
			t.Errorf("%q like %q: %t", tt.text, tt.pattern, got)
		}
	}
}

func TestTimespan(t *testing.T) {
	t.Parallel()
	today := time.Date(2026, 2, 18, 0, 0, 0, 0, time.UTC) // a Wednesday
	for name, want := range map[string][2]string{
		"today":         {"2026-02-18", "2026-02-18"},
		"yesterday":     {"2026-02-17", "2026-02-17"},
		"this week":     {"2026-02-15", "2026-02-21"},
		"last month":    {"2026-01-01", "2026-01-31"},
		"this month":    {"2026-02-01", "2026-02-28"},
		"this quarter":  {"2026-01-01", "2026-03-31"},
		"last quarter":  {"2025-10-01", "2025-12-31"},
		"next quarter":  {"2026-04-01", "2026-06-30"},
		"last 6 months": {"2025-07-01", "2025-12-31"},
		"next 6 months": {"2026-04-01", "2026-09-30"},
		"next year":     {"2027-01-01", "2027-12-31"},
	} {
		from, to, ok := timespan(name, today)
		if got := [2]string{from.Format(dateLayout), to.Format(dateLayout)}; !ok || got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if _, _, ok := timespan("some day", today); ok {
		t.Error("an unknown timespan has a range")
	}
}

func TestDecodeJSONErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                         "Expecting value: line 1 column 1 (char 0)",
		`name`:                     "Expecting value: line 1 column 1 (char 0)",
		`[[name`:                   "Expecting value: line 1 column 3 (char 2)",
		`{"a":`:                    "Expecting value: line 1 column 6 (char 5)",
		`{"a" 1}`:                  "Expecting ':' delimiter: line 1 column 6 (char 5)",
		`{a: 1}`:                   "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
		`[1 2]`:                    "Expecting ',' delimiter: line 1 column 4 (char 3)",
		"[1,\n  x]":                "Expecting value: line 2 column 3 (char 6)",
		`[1] 2`:                    "Extra data: line 1 column 5 (char 4)",
		`"ab`:                      "Unterminated string starting at: line 1 column 1 (char 0)",
		`"\q"`:                     `Invalid \escape: line 1 column 2 (char 1)`,
		"\"a\nb\"":                 "Invalid control character at: line 1 column 3 (char 2)",
		strings.Repeat("[", 10000): errTooDeep.Error(),
	} {
		_, err := decodeJSON(text)
		if err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{`{"a": [1, -2.5e3, "x\ud83d\ude80", null, true]}`, `[[`, `"\u12`, `01`, `{"a":1,"a":2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := decodeJSON(text)
		if err != nil {
			var python *jsonError
			if !errors.As(err, &python) && !errors.Is(err, errTooDeep) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		again, err := decodeJSON(string(encodeJSON(v)))
		if err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if first, second := string(encodeJSON(v)), string(encodeJSON(again)); first != second {
			t.Errorf("%s became %s", first, second)
		}
	})
}

// FuzzField tries texts of select lists, orders and groups: whatever they are, they must
// be refused or answered, quickly and without a panic.
func FuzzField(f *testing.F) {
	for _, seed := range []string{
		"name", "count(name) as n", "`tabCustomer`.`name`", "items.qty as q", "customer.territory", "distinct territory", "sum(`tabX`.`y`)",
		"name desc, creation asc limit 1", "concat(name,'x')", "(select 1)", "*", "name as", "a.b.c", "count(*)", "as as as",
	} {
		f.Add(seed)
	}
	s, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	q := &call{s: s, snap: s.data.Load(), user: &account{name: administrator}}
	f.Fuzz(func(t *testing.T, text string) {
		for _, form := range []object{
			{{"doctype", "Role"}, {"fields", []any{text}}},
			{{"doctype", "Role"}, {"fields", []any{"name"}}, {"order_by", text}},
			{{"doctype", "Role"}, {"fields", []any{"count(name) as n"}}, {"group_by", text}},
			{{"doctype", "Role"}, {"filters", text}},
			{{"doctype", "Role"}, {"filters", []any{[]any{text, "=", text}, []any{"name", text, text}}}},
		} {
			args, err := q.parseListArgs(form)
			if err == nil {
				_, err = q.list(args)
			}
			var wire *wireError
			if err != nil && !errors.As(err, &wire) {
				t.Errorf("an error that is not of the wire: %v", err)
			}
		}
	})
}
