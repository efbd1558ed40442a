package schemagen_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
	"erpgraph/internal/schemagen"
	"erpgraph/schema"
)

// FuzzBuild gives the generator whatever a site might answer: it may refuse it, but it
// never panics, and what it makes of it is SDL that reads back as itself and is valid
// beside the hand-written part.
func FuzzBuild(f *testing.F) {
	for _, seed := range []string{customerDoc, limitDoc, `{"name": "X"}`, `{"name": "T", "issingle": 1, "is_tree": 1}`} {
		f.Add([]byte(seed), "Sales Order", "grand_total", "Currency", "Grand Total", "currency")
		f.Add([]byte(seed), "客户 \"", "id", "Select", `"""\`, "a\nA\n\u0000\n=\n1")
		f.Add([]byte(seed), "X Where", "name", "Link", "# x", "Customer")
		f.Add([]byte(seed), "Node", "or", "Table", " ", "Credit Limit")
		f.Add([]byte(seed), "3D", "3d", "Dynamic Link", "\u2028\n\n x", "3d_x")
	}
	var hand []*ast.Source
	for _, name := range []string{"core.graphqls", "directives.graphqls", "events.graphqls", "filters.graphqls"} {
		text, err := schema.FS.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		hand = append(hand, &ast.Source{Name: name, Input: string(text)})
	}
	f.Add([]byte(`{"name": "Note"}`), "Note", "closeNote", "[String!]!", "shop.api.close", "closes")
	f.Fuzz(func(t *testing.T, raw []byte, name, fieldname, fieldtype, label, options string) {
		first, err := doctype.ParseFacts(raw)
		if err != nil {
			first = &doctype.Facts{Name: "Customer"}
		}
		text := func(s string) doctype.Text { return doctype.Text(strings.ToValidUTF8(s, "?")) }
		second := &doctype.Facts{Name: text(name), IsSubmittable: true, AllowRename: true, Workflow: "state", Autoname: text(label), Fields: []doctype.FieldFacts{
			{Fieldname: text(fieldname), Fieldtype: text(fieldtype), Label: text(label), Options: text(options), Description: text(options), Reqd: true, AllowOnSubmit: true},
			{Fieldname: text(fieldname + "_x"), Fieldtype: "Link", Options: first.Name},
			{Fieldname: text(label), Fieldtype: "Select", Label: text(options), Options: text(options)},
		}}
		cfg := &doctype.Config{Descriptions: true, DocTypes: map[string]*doctype.TypeConfig{
			string(first.Name): nil, string(second.Name): nil,
		}}
		facts := []*doctype.Facts{first, second}
		checkBuild(t, cfg, facts, hand)
		cfg.Methods = map[string]*doctype.MethodConfig{fieldname: {
			Method: label, Description: options, Result: name, Fill: map[string]string{label: "user"},
			Arguments: doctype.ArgumentConfigs{{Name: fieldname, Type: fieldtype, As: label}},
		}}
		checkBuild(t, cfg, facts, hand)
	})
}

// checkBuild fails where a graph that could be built is not valid SDL.
func checkBuild(t *testing.T, cfg *doctype.Config, facts []*doctype.Facts, hand []*ast.Source) {
	t.Helper()
	reg, report, err := doctype.Build(cfg, facts, nil)
	if err != nil {
		return
	}
	if report.Markdown() == "" || report.Summary() == "" {
		t.Error("an empty report")
	}
	files, err := schemagen.SDL(reg)
	if errors.Is(err, schemagen.ErrUnstable) {
		t.Fatalf("%v\n%+v", err, facts)
	}
	sources := slices.Clone(hand)
	for name, text := range files {
		sources = append(sources, &ast.Source{Name: name, Input: string(text)})
	}
	if _, err := gqlparser.LoadSchema(sources...); err != nil {
		t.Errorf("%v\n%+v", err, facts)
	}
}
