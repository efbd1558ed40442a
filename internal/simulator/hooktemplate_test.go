package simulator

import (
	"strings"
	"testing"
)

func hookSample(tb testing.TB) *hookDocument {
	tb.Helper()
	meta, err := parseDocType([]byte(`{"name": "Thing", "fields": [{"fieldname": "note", "fieldtype": "Data"}, {"fieldname": "rate", "fieldtype": "Float"}]}`))
	if err != nil {
		tb.Fatal(err)
	}
	row := newCollation().newRow(meta, object{
		{"name", `A "b" </ü>`}, {"creation", "2026-01-02 03:04:05.000000"}, {"modified", "2026-01-02 03:04:05.000000"}, {"rate", 1e-7}, {"docstatus", int64(1)},
	})
	return &hookDocument{d: &document{meta: meta, row: row}, snap: &snapshot{}, read: []string{"creation"}}
}

func TestHookTemplate(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		``:                                      ``,
		`{{ doc.name }}`:                        `A "b" </ü>`,
		`{{doc.name|json}}`:                     `"A \"b\" </\u00fc>"`,
		`{{ doc.name | tojson }}`:               `"A \"b\" \u003c/\u00fc\u003e"`,
		`{{ doc.get("doctype") | json }}`:       `"Thing"`,
		`{{ doc['note'] }} {{ doc.gone|json}}`:  `None null`,
		`{{ doc.docstatus | int }}{{doc.rate}}`: `11e-07`,
		`{{ doc.name | int }}`:                  `0`,
		`{{ doc.docstatus | str | json }}`:      `"1"`,
		"a\n{{ doc.creation | json }}":          "a\n\"2026-01-02 03:04:05\"",
		`{{ doc.modified }}`:                    `2026-01-02 03:04:05.000000`,
	} {
		parsed, err := parseHookTemplate(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if got := parsed.render(hookSample(t)); got != want {
			t.Errorf("%s: %s, want %s", template, got, want)
		}
	}
}

// FuzzHookTemplate checks that any text is a template or an error, that text without braces
// comes out as it went in, and that a name in JSON reads back.
func FuzzHookTemplate(f *testing.F) {
	for _, s := range []string{"", "{{ doc.name | json }}", "{{", "}} {{ doc }}", "{{ doc.get('x')|int }}{% x %}", "{# #}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := parseHookTemplate(s)
		if err != nil {
			return
		}
		out := parsed.render(hookSample(t))
		if !strings.Contains(s, "{{") && out != s {
			t.Errorf("%q became %q", s, out)
		}
		quoted := string(appendPython(nil, s))
		if v, err := decodeJSON(quoted); err != nil || v != strings.ToValidUTF8(s, "\ufffd") && strings.ToValidUTF8(s, "") == s {
			t.Errorf("%q as JSON: %s, %v, %v", s, quoted, v, err)
		}
	})
}
