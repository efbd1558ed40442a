package e2e_test

import (
	"testing"
)

// A document that one part of a query has read with few fields is read again where
// another part, whose type only shows when its rows arrive, asks for more.
func TestDocumentsAreReadWhole(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.contracts(t, 4)
	for _, c := range []struct{ name, alone, beside string }{
		{
			"what a resolver refers to",
			`serviceContracts(first: 2) { nodes { territory { name territoryName isGroup modified } } }`,
			`territories(first: 500) { nodes { name } }`,
		},
		{
			"hits of a search",
			`search(text: "acme", doctypes: ["Customer"], first: 2) { document { name owner modified } }`,
			`customers(first: 500) { nodes { customerName } }`,
		},
		{
			"dynamic links without fragments",
			`addresses(first: 2) { nodes { links { linkName { name owner modified } } } }`,
			`customers(first: 500) { pageInfo { hasNextPage } nodes { name } }`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var alone, together map[string]any
			b.query(t, sales, `{ `+c.alone+` }`, nil).into(t, &alone)
			b.query(t, sales, `{ `+c.alone+` `+c.beside+` }`, nil).into(t, &together)
			for root := range alone {
				equal(t, root, together[root], alone[root])
			}
		})
	}
}
