package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"erpgraph/internal/httpapi"
)

func TestIntrospectionSwitch(t *testing.T) {
	t.Parallel()
	off := setup(t, nil, func(o *httpapi.Options) { o.Introspection = false })
	for _, document := range []string{
		`{ __schema { types { name } } }`, `{ __type(name: "Query") { name } }`, `{ ...A } fragment A on Query { x: __type(name: "Query") { name } }`,
	} {
		got := off.query(t, document, nil)
		got.wantError(t, "BAD_USER_INPUT", "INTROSPECTION")
		if got.status != 400 || got.has["data"] != nil {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if got := off.query(t, `{ __typename }`, nil); string(got.has["data"]) != `{"__typename":"Query"}` {
		t.Errorf("__typename: %s", got.body)
	}
	// A typo must not spell out the schema either.
	for _, typo := range []string{`{ custome(name: "x") { name } }`, `{ customer(nam: "x") { name } }`, `query($x: Limi) { echo(limit: $x) }`} {
		if got := off.query(t, typo, nil); len(got.errors) == 0 || strings.Contains(got.body, "Did you mean") {
			t.Errorf("suggests: %s", got.body)
		}
	}
	on := setup(t, nil, nil)
	if got := on.query(t, `{ custome(name: "x") { name } }`, nil); !strings.Contains(got.body, "Did you mean") {
		t.Errorf("no suggestion: %s", got.body)
	}
	if got := on.query(t, introspectionQuery, nil); got.status != 200 {
		t.Errorf("the usual introspection query: %d %s", got.status, got.body)
	}
	if got := on.query(t, "{"+aliased(45, `__schema { types { fields { args { name } } } }`)+"}", nil); got.status != 400 {
		t.Errorf("many schemas at once: %d", got.status)
	}
}

func aliased(n int, field string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " x%d: %s", i, field)
	}
	return b.String()
}

// introspectionQuery is what tools send who ask for all that there is.
const introspectionQuery = `query IntrospectionQuery {
  __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
    types { ...FullType }
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

// TestIntrospectionBound: an answer says what the schema has once, however the
// question is put.
func TestIntrospectionBound(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for name, c := range map[string]struct {
		query string
		part  string // "" for an operation that is allowed
	}{
		"tools":      {introspectionQuery, ""},
		"types":      {"{" + aliased(10, `__type(name: "Customer") { name fields { name type { name ofType { name } } } }`) + "}", ""},
		"one schema": {`{ s: __schema { t: types { n: name fields { name } } } __typename a }`, ""},
		"merged":     {`{ __schema { types { name } } ...A } fragment A on Query { __schema { types { kind } } }`, ""},
		"off":        {`query($no: Boolean = false) { __schema { types { name } } x: __schema @include(if: $no) { types { name } } }`, ""},
		"side by side": {
			`{ __schema { queryType { fields { name } } types { fields { args { type { ofType { name } } } } enumValues { name } } } }`, "",
		},

		"two schemas":  {`{ __schema { types { name } } ...A } fragment A on Query { x: __schema { types { name } } }`, "more than 1 __schema"},
		"eleven types": {"{" + aliased(11, `__type(name: "Customer") { name }`) + "}", "more than 10 __type"},
		"aliases":      {`{ __schema { types { name x: name } } }`, "name is selected twice"},
		"list aliases": {`{ __schema { types { fields { name } ...A } } } fragment A on __Type { x: fields { name } }`, "fields is selected twice"},
		"list below a list": {
			`{ __schema { types { fields { args { type { inputFields { name type { enumValues { name } } } } } } } } }`, "inputFields of a type",
		},
		"through ofType": {
			`{ __type(name: "Query") { fields { type { ofType { ofType { ...A } } } } } } fragment A on __Type { enumValues { name } }`, "enumValues of a type",
		},
		"directly": {`{ __type(name: "Query") { possibleTypes { fields { name } } } }`, "fields of a type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, c.query, nil)
			if c.part == "" {
				if got.status != 200 || got.errors != nil {
					t.Errorf("%d %s, want no error", got.status, got.body)
				}
				return
			}
			got.wantError(t, "COST_LIMIT", c.part)
			if got.status != 400 || got.errors[0].Extensions["limit"] != "introspection" {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}
