package doctype_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/doctype"
)

func TestParseFactsTakesEverySpelling(t *testing.T) {
	t.Parallel()
	got, err := doctype.ParseFacts([]byte(`{
		"doctype": "DocType", "name": "Thing", "istable": 0, "is_tree": true, "issingle": "1", "custom": null,
		"search_fields": null, "__unknown": [1],
		"fields": [{"fieldname": "a", "fieldtype": "Float", "precision": 3, "permlevel": "1", "length": null,
			"default": 0, "options": ["no", "text"], "reqd": 1}]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &doctype.Facts{
		Name: "Thing", IsTree: true, Issingle: true,
		Fields: []doctype.FieldFacts{{
			Fieldname: "a", Fieldtype: "Float", Precision: "3", Permlevel: 1, Default: "0", Reqd: true,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseFactsRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"no name":   `{"fields": []}`,
		"blank":     `{"name": "  "}`,
		"list":      `[]`,
		"cut short": `{"name": "X", "fie`,
		"HTML":      `<html>`,
	} {
		if f, err := doctype.ParseFacts([]byte(in)); err == nil {
			t.Errorf("%s: read as %+v", name, f)
		}
	}
}

func TestFactsMarshalIsStable(t *testing.T) {
	t.Parallel()
	facts := &doctype.Facts{
		Name: `A "quoted" <name>`, IsTree: true, TitleField: "title",
		Fields: []doctype.FieldFacts{
			{Fieldname: "b", Fieldtype: "Data", Label: "B", Reqd: true},
			{Fieldname: "a", Fieldtype: "Select", Options: "\nx\ny"},
		},
		Permissions: []doctype.Permission{{Role: "System Manager", Read: true}},
	}
	first, err := facts.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "fields": [
    {"fieldname":"b","fieldtype":"Data","label":"B","reqd":1},
    {"fieldname":"a","fieldtype":"Select","options":"\nx\ny"}
  ],
  "is_tree": 1,
  "name": "A \"quoted\" <name>",
  "permissions": [
    {"read":1,"role":"System Manager"}
  ],
  "title_field": "title"
}
`
	if diff := cmp.Diff(want, string(first)); diff != "" {
		t.Error(diff)
	}
	back, err := doctype.ParseFacts(first)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(facts, back); diff != "" {
		t.Error(diff)
	}
	if empty, err := (&doctype.Facts{Name: "E"}).Marshal(); err != nil || !strings.Contains(string(empty), `"name": "E"`) {
		t.Errorf("%s, %v", empty, err)
	}
}
