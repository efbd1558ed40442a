package doctype_test

import (
	"strings"
	"testing"

	"erpgraph/internal/doctype"
)

func TestParseConfigRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"doctypes: {A: {nmae: X}}":                    "nmae",
		"exclude_fields: ['[']":                       "exclude_fields",
		"doctypes: {A: {name: sales bill}}":           "PascalCase",
		"doctypes: {A: {plural: A}}":                  "camelCase",
		"doctypes: {A: {rename: {x: __x}}}":           "camelCase",
		"doctypes: {A: {rename: {x: 'a b'}}}":         "camelCase",
		"doctypes: [A]":                               "doctypes.yml",
		"optional: ['[']":                             "optional",
		"doctypes: {A: {writes: [amend]}}":            "A: writes: there is no \"amend\"",
		"doctypes: {A: {writes: [submit, submit]}}":   "twice",
		"doctypes: {A: {workflow: state}}":            "workflow",
		"methods: {a: {path: x}}":                     "path",
		"methods: {a: {arguments: [x]}}":              "doctypes.yml",
		"methods: {a: {arguments: {x: {kind: Int}}}}": "kind",
	} {
		_, err := doctype.ParseConfig([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something about %q", in, err, want)
		}
	}
}
