package httpapi_test

import (
	"strings"
	"testing"
)

func TestIdempotentDirective(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	const merged, misplaced = "become one", "root of a mutation"
	for name, c := range map[string]struct{ document, refused string }{
		"at the root":           {`mutation { change @idempotent(key: "k") }`, ""},
		"of each":               {`mutation { a: change @idempotent(key: "k") b: change @idempotent(key: "l") c: change }`, ""},
		"in fragments":          {`mutation { ...F ... { b: change @idempotent(key: "l") } } fragment F on Mutation { ... on Mutation { change @idempotent(key: "k") } }`, ""},
		"in a fragment of two":  {`mutation A { ...F } mutation B { ...F } fragment F on Mutation { change @idempotent(key: "k") }`, ""},
		"by a variable":         {`mutation($k: String!) { change @idempotent(key: $k) }`, ""},
		"beside @include":       {`mutation { change @include(if: true) @idempotent(key: "k") }`, ""},
		"twins":                 {`mutation { change @idempotent(key: "k") ... { change @idempotent(key: "k") } }`, ""},
		"twins of a variable":   {`mutation($k: String!) { change @idempotent(key: $k) change @idempotent(key: $k) }`, ""},
		"twins, block string":   {`mutation { change @idempotent(key: "k") change @idempotent(key: """k""") }`, ""},
		"twins without":         {`mutation { change change x: change @idempotent(key: "k") }`, ""},
		"fragment spread twice": {`mutation { ...F ...F } fragment F on Mutation { change @idempotent(key: "k") }`, ""},

		"on the first twin":      {`mutation { change @idempotent(key: "k") change }`, merged},
		"on the second twin":     {`mutation { change change @idempotent(key: "k") }`, merged},
		"on the third":           {`mutation { change change ... { change @idempotent(key: "k") } }`, merged},
		"twins of other keys":    {`mutation { change @idempotent(key: "k") change @idempotent(key: "l") }`, merged},
		"twins of variables":     {`mutation($k: String!, $l: String!) { change @idempotent(key: $k) change @idempotent(key: $l) }`, merged},
		"variable and value":     {`mutation($k: String!) { change @idempotent(key: $k) change @idempotent(key: "$k") }`, merged},
		"twins in fragments":     {`mutation { ...F ...G } fragment F on Mutation { change } fragment G on Mutation { ... { change @idempotent(key: "k") } }`, merged},
		"twins of an alias":      {`mutation { must: change(name: "x") @idempotent(key: "k") must: change(name: "x") }`, merged},
		"twins, one skipped":     {`mutation { change @skip(if: true) change @idempotent(key: "k") }`, merged},
		"in the other operation": {`mutation A { __typename } mutation B { change change @idempotent(key: "k") }`, merged},

		"below the root":       {`mutation { createCustomers(inputs: []) { messages @idempotent(key: "k") } }`, misplaced},
		"below, too":           {`mutation { createCustomers(inputs: []) @idempotent(key: "k") { messages @idempotent(key: "k") } }`, misplaced},
		"below, in a fragment": {`mutation { createCustomers(inputs: []) { ...F } } fragment F on CustomersPayload { messages @idempotent(key: "k") }`, misplaced},
		"a query":              {`{ a @idempotent(key: "k") }`, misplaced},
		"a query's fragment":   {`query A { ...F } mutation B { change } fragment F on Query { a @idempotent(key: "k") }`, misplaced},
		"a subscription":       {`subscription { changed @idempotent(key: "k") }`, misplaced},
		"on a fragment":        {`mutation { ... on Mutation @idempotent(key: "k") { change } }`, "may not be used on"},
		"on the operation":     {`mutation @idempotent(key: "k") { change }`, "may not be used on"},
		"twice":                {`mutation { change @idempotent(key: "k") @idempotent(key: "l") }`, "idempotent"},
		"without a key":        {`mutation { change @idempotent }`, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := c.document
			variables := map[string]any{"k": "1", "l": "2"}
			for range 2 { // the second time from the cache, where there is one
				got := b.do(t, call{body: strings.Replace(params(t, document, variables), `{`, `{"operationName":`+operationOf(document)+`,`, 1), header: map[string]string{"Accept": graphqlJSON}})
				if c.refused == "" {
					if got.status != 200 || len(got.errors) > 0 {
						t.Errorf("%d %s", got.status, got.body)
					}
					continue
				}
				got.wantError(t, "BAD_USER_INPUT", c.refused)
				if len(got.errors[0].Locations) == 0 || got.has["data"] != nil {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		})
	}
}

// operationOf is the name of the operation to run: A where there are two.
func operationOf(document string) string {
	if strings.Contains(document, " A { ") {
		return `"A"`
	}
	return "null"
}
