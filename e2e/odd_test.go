package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// oddTexts are inputs that no form would send.
var oddTexts = []string{
	"", " ", "\x00", "a\x00b", "\n", "\u2028", "\ufeff", "\ufffd", "\u202e", "e\u0301", strings.Repeat("x", 141), strings.Repeat("\U0001F600", 5000), "../../x", "a\\", "\x7f", "\x1b[31m",
}

// Whatever a client sends as a text, the answer is rows, nothing, or an error that says
// what is wrong; never an internal one.
func TestOddTexts(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	queries := map[string]string{
		"by name":            `query($t: String!) { customer(name: $t) { name customerName } }`,
		"by local id":        `query($t: ID!) { serviceContract(id: $t) { id } }`,
		"node":               `query($t: ID!) { node(id: $t) { id } }`,
		"node of that name":  `query($id: ID!) { node(id: $id) { ... on Customer { customerName } } }`,
		"local node":         `query($local: ID!) { node(id: $local) { ... on ServiceContract { status } } }`,
		"nodes":              `query($t: ID!, $id: ID!, $local: ID!) { nodes(ids: [$t, $id, $local]) { id } }`,
		"filters":            `query($t: String!) { customers(where: {name: {eq: $t}, customerName: {in: [$t]}, territory: {ne: $t}, taxId: {like: $t}}) { totalCount nodes { name } } }`,
		"tree filter":        `query($t: String!) { customers(where: {territory: {descendantsOf: $t}}) { nodes { name } } }`,
		"child row filter":   `query($t: String!) { salesOrders(where: {items: {itemCode: {eq: $t}}}) { totalCount nodes { name } } }`,
		"local filters":      `query($t: String!) { serviceContracts(where: {or: [{customer: {eq: $t}}, {notes: {like: $t}}, {notes: {between: [$t, $t]}}]}) { totalCount nodes { id } } }`,
		"local id filter":    `query($t: ID!) { serviceContracts(where: {id: {in: [$t]}}) { totalCount nodes { id } } }`,
		"local link filter":  `query($t: String!) { serviceVisits(where: {contract: {eq: $t}}) { totalCount nodes { id } } }`,
		"cursor":             `query($t: String!) { customers(after: $t) { nodes { name } } }`,
		"local cursor":       `query($t: String!) { serviceContracts(before: $t) { nodes { id } } }`,
		"document":           `query($t: String!) { document(doctype: "Customer", name: $t) }`,
		"document, doctype":  `query($t: String!) { document(doctype: $t, name: "x") }`,
		"documents":          `query($j: JSON!) { documents(doctype: "Customer", filters: [["name", "=", $j], ["name", "in", [$j]], ["name", "like", $j]]) { nodes } }`,
		"documents, doctype": `query($t: String!) { documents(doctype: $t) { nodes } }`,
		"documents, field":   `query($t: String!) { documents(doctype: "Customer", fields: [$t], orderBy: [{field: $t}]) { nodes } }`,
		"documents, filters": `query($j: JSON!) { documents(doctype: "Customer", filters: $j) { nodes } }`,
		"linkOptions":        `query($t: String!) { linkOptions(doctype: "Customer", text: $t) { name } }`,
		"link filter":        `query($j: JSON!) { linkOptions(doctype: "Customer", filters: {name: $j}) { name } }`,
		"search":             `query($t: String!) { search(text: $t, doctypes: ["Customer", $t]) { name } }`,
		"date":               `query($d: Date!) { salesOrders(where: {transactionDate: {eq: $d}}) { nodes { name } } }`,
		"moment":             `query($d: DateTime!) { salesOrders(where: {creation: {gt: $d}}) { nodes { name } } }`,
		"decimal":            `query($d: Decimal!) { salesOrders(where: {grandTotal: {gt: $d}}) { nodes { name } } }`,
	}
	for name, query := range queries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, text := range oddTexts {
				all := map[string]any{"t": text, "id": globalID("Customer", text), "local": globalID("ServiceContract", text), "j": text, "d": text}
				variables := map[string]any{}
				for key, value := range all {
					if strings.Contains(query, "$"+key+":") {
						variables[key] = value
					}
				}
				got := b.query(t, sales, query, variables)
				for i, code := range got.codes() {
					if code == "INTERNAL" || code == "UPSTREAM_UNAVAILABLE" || code == "" {
						t.Errorf("%.20q: %s %s", text, code, got.Errors[i].Message)
					}
				}
			}
		})
	}
}

// JSON arguments of shapes that no ERPNext filter has.
func TestOddJSON(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	for i, filters := range []any{
		1, true, "x", "{", `{"name":`, `"\"x\""`,
		[]any{},
		map[string]any{},
		[]any{[]any{}},
		[]any{nil},
		[]any{1, 2, 3},
		[]any{"name", "=", "x"},
		[]any{[]any{"name", "=", map[string]any{"a": 1}}},
		[]any{[]any{"name", "in", []any{[]any{"x"}}}},
		[]any{[]any{"name", "in", "x"}},
		[]any{[]any{"Customer", "name", "=", "x", false}},
		map[string]any{"name": map[string]any{}},
		map[string]any{"": "x"},
		map[string]any{"name": []any{"=", "x"}},
		[]any{[]any{"name", "is", "maybe"}},
		[]any{[]any{"name", "=", 1e400 / 10 * 0}},
		map[string]any{"name; drop": 1},
		map[string]any{"ignore_permissions": 1},
		[]any{map[string]any{"name": "x"}},
		map[string]any{"name": strings.Repeat("[", 10_000)},
	} {
		for _, query := range []string{
			`query($j: JSON) { documents(doctype: "Customer", filters: $j, first: 1) { nodes } }`,
			`query($j: JSON) { linkOptions(doctype: "Customer", filters: $j, first: 1) { name } }`,
		} {
			got := b.query(t, sales, query, map[string]any{"j": filters})
			for n, code := range got.codes() {
				if code == "INTERNAL" || code == "UPSTREAM_UNAVAILABLE" || code == "" {
					t.Errorf("%d %v: %s %s", i, filters, code, got.Errors[n].Message)
				}
			}
		}
	}
}

// A root field with bad arguments fails alone.
func TestBadArgumentsOfOneRoot(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	ids := make([]string, 501)
	for i := range ids {
		ids[i] = globalID("Customer", fmt.Sprint(i))
	}
	for name, root := range map[string]string{
		"nodes":       `bad: nodes(ids: $ids) { id }`,
		"node":        `bad: node(id: "x") { id }`,
		"list":        `bad: customers(first: 1000) { nodes { name } }`,
		"aggregate":   `bad: customersAggregate(first: 0) { count }`,
		"documents":   `bad: documents(doctype: "Customer", fields: ["*"]) { nodes }`,
		"linkOptions": `bad: linkOptions(doctype: "Customer", first: 0) { name }`,
		"search":      `bad: search(text: "x", doctypes: []) { name }`,
		"local":       `bad: serviceContracts(where: {monthlyFee: {eq: "x"}}) { nodes { id } }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			query, variables := `{ `+root+` customer(name: "C# Services") { customerName } }`, map[string]any(nil)
			if strings.Contains(root, "$ids") {
				query, variables = `query($ids: [ID!]!) `+query, map[string]any{"ids": ids}
			}
			got := b.query(t, sales, query, variables)
			if !slices.Equal(got.codes(), []string{"BAD_USER_INPUT"}) {
				t.Errorf("codes %v: %s", got.codes(), shorten(got.raw))
			}
			if find(t, got.Data, "customerName") != "C# Services" {
				t.Errorf("the other root field is gone: %s", shorten(got.raw))
			}
		})
	}
}

// first: 0 asks for no row, and whether there is one.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	b.contracts(t, 2)
	for _, query := range []string{
		`{ customers(first: 0) { totalCount nodes { name } edges { cursor } pageInfo { hasNextPage startCursor endCursor } } }`,
		`{ serviceContracts(first: 0) { totalCount nodes { id } edges { cursor } pageInfo { hasNextPage startCursor endCursor } } }`,
		`{ customer(name: "C# Services") { salesOrders(first: 0) { totalCount nodes { name } edges { cursor } pageInfo { hasNextPage startCursor endCursor } } } }`,
	} {
		got := b.query(t, sales, query, nil)
		if len(got.Errors) > 0 || find(t, got.Data, "hasNextPage") != true || find(t, got.Data, "startCursor") != nil {
			t.Errorf("%s", got.raw)
		}
		if nodes, ok := find(t, got.Data, "nodes").([]any); !ok || len(nodes) != 0 {
			t.Errorf("nodes: %s", got.raw)
		}
	}
}
