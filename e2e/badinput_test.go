package e2e_test

import (
	"slices"
	"testing"
)

// Values that do not fit their field are told by the argument's path.
func TestBadValues(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	tests := []struct{ name, query, field string }{
		{"decimal", `{ salesOrders(where: {grandTotal: {gt: "12 USD"}}) { nodes { name } } }`, "where.grandTotal.gt"},
		{"decimal, not a number", `{ salesOrders(where: {grandTotal: {in: ["1", "NaN"]}}) { nodes { name } } }`, "where.grandTotal.in.1"},
		{"date", `{ salesOrders(where: {transactionDate: {gte: "2026-02-30"}}) { nodes { name } } }`, "where.transactionDate.gte"},
		{"date, other form", `{ salesOrders(where: {transactionDate: {eq: "24.11.2026"}}) { nodes { name } } }`, "where.transactionDate.eq"},
		{"date and time without offset", `{ salesOrders(where: {creation: {gt: "2026-11-24T10:00:00"}}) { nodes { name } } }`, "where.creation.gt"},
		{"date and time", `{ salesOrders(where: {creation: {gt: "yesterday"}}) { nodes { name } } }`, "where.creation.gt"},
		{"between of three", `{ salesOrders(where: {grandTotal: {between: [1, 2, 3]}}) { nodes { name } } }`, "where.grandTotal.between"},
		{"between, second value", `{ salesOrders(where: {transactionDate: {between: ["2026-01-01", "x"]}}) { nodes { name } } }`, "where.transactionDate.between.1"},
		{"null in gt", `{ salesOrders(where: {grandTotal: {gt: null}}) { nodes { name } } }`, "where.grandTotal.gt"},
		{"in or", `{ salesOrders(where: {or: [{status: {eq: DRAFT}}, {grandTotal: {gt: "x"}}]}) { nodes { name } } }`, "where.or.1.grandTotal.gt"},
		{"of a child row", `{ salesOrders(where: {items: {deliveryDate: {eq: "x"}}}) { nodes { name } } }`, "where.items.deliveryDate.eq"},
		{"local date", `{ serviceContracts(where: {startDate: {eq: "x"}}) { nodes { id } } }`, "where.startDate.eq"},
		{"local decimal", `{ serviceContracts(where: {and: [{not: {monthlyFee: {lt: "1,5"}}}]}) { nodes { id } } }`, "where.and.0.not.monthlyFee.lt"},
		{"local date and time", `{ serviceVisits(where: {visitedAt: {gte: "2026-01-01"}}) { nodes { id } } }`, "where.visitedAt.gte"},
		{"first too large", `{ customers(first: 501) { nodes { name } } }`, "first"},
		{"first negative", `{ customers(first: -1) { nodes { name } } }`, "first"},
		{"last too large", `{ customers(last: 501) { nodes { name } } }`, "last"},
		{"first and last", `{ customers(first: 1, last: 1) { nodes { name } } }`, "last"},
		{"reverse: first too large", `{ customer(name: "C# Services") { salesOrders(first: 501) { nodes { name } } } }`, "first"},
		{"no cursor", `{ customers(after: "hello") { nodes { name } } }`, "after"},
		{"no base64", `{ customers(after: "%%%") { nodes { name } } }`, "after"},
		{"forged cursor", `{ customers(after: "eyJsIjoieCIsImsiOiJ5In0") { nodes { name } } }`, "after"},
		{"the same order key twice", `{ customers(orderBy: [{field: NAME}, {field: NAME}]) { nodes { name } } }`, "orderBy.1.field"},
		{"aggregate by a key that is none", `{ customersAggregate(groupBy: [TERRITORY], orderBy: [{by: KEY, field: NAME}]) { count } }`, "orderBy.0.field"},
		{"documents: an expression as field", `{ documents(doctype: "Customer", fields: ["count(name)"]) { nodes } }`, "fields.0"},
		{"documents: a field of another table", "{ documents(doctype: \"Customer\", fields: [\"`tabUser`.name\"]) { nodes } }", "fields.0"},
		{"documents: a field of a link", `{ documents(doctype: "Customer", fields: ["territory.name"]) { nodes } }`, "fields.0"},
		{"documents: an alias", `{ documents(doctype: "Customer", fields: ["name as x"]) { nodes } }`, "fields.0"},
		{"documents: SQL as order", `{ documents(doctype: "Customer", orderBy: [{field: "name; drop"}]) { nodes } }`, "orderBy.0.field"},
		{"documents: an unknown comparison", `{ documents(doctype: "Customer", filters: [["name", "regexp", "x"]]) { nodes } }`, "filters.0.1"},
		{"documents: a filter on another DocType", `{ documents(doctype: "Customer", filters: [["User", "name", "=", "x"]]) { nodes } }`, "filters.0"},
		{"documents: an operator as value", `{ documents(doctype: "Customer", filters: {name: ["like", "%"]}) { nodes } }`, "filters.name"},
		{"documents: no DocType", `{ documents(doctype: "") { nodes } }`, "doctype"},
		{"an id of nothing", `{ node(id: "bm90aGluZw") { id } }`, "id"},
		{"an id of a child row", `{ node(id: "` + globalID("Sales Order Item", "x") + `") { id } }`, "id"},
		{"search in nothing", `{ search(text: "x", doctypes: []) { name } }`, "doctypes"},
		{"linkOptions: a filter's flag", `{ linkOptions(doctype: "Customer", filters: [["ignore_user_permissions", "=", {a: 1}]]) { name } }`, "filters.0.2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, sales, tt.query, nil)
			if !slices.Equal(got.codes(), []string{"BAD_USER_INPUT"}) {
				t.Fatalf("codes %v: %s", got.codes(), shorten(got.raw))
			}
			if field := got.Errors[0].Extensions["field"]; tt.field != "" && field != tt.field {
				t.Errorf("field %v, want %s: %s", field, tt.field, got.Errors[0].Message)
			}
			if n := got.Extensions.Upstream.Calls; n > 1 {
				t.Errorf("%d calls were made", n)
			}
		})
	}
}

// A cursor is good for its own list only.
func TestCursorsOfOtherLists(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	var data map[string]struct{ PageInfo struct{ EndCursor string } }
	b.query(t, sales, `{ list: customers(first: 2, where: {disabled: {eq: false}}, orderBy: [{field: TERRITORY}]) { pageInfo { endCursor } } }`, nil).into(t, &data)
	cursor := data["list"].PageInfo.EndCursor
	if cursor == "" {
		t.Fatal("no cursor")
	}
	tests := map[string]string{
		"another filter":   `query($c: String!) { customers(after: $c, first: 2, where: {disabled: {eq: true}}, orderBy: [{field: TERRITORY}]) { nodes { name } } }`,
		"no filter":        `query($c: String!) { customers(after: $c, first: 2, orderBy: [{field: TERRITORY}]) { nodes { name } } }`,
		"another order":    `query($c: String!) { customers(after: $c, first: 2, where: {disabled: {eq: false}}, orderBy: [{field: NAME}]) { nodes { name } } }`,
		"another way":      `query($c: String!) { customers(after: $c, first: 2, where: {disabled: {eq: false}}, orderBy: [{field: TERRITORY, direction: DESC}]) { nodes { name } } }`,
		"another type":     `query($c: String!) { suppliers(after: $c, first: 2) { nodes { name } } }`,
		"a local type":     `query($c: String!) { serviceContracts(after: $c, first: 2) { nodes { id } } }`,
		"a reverse link":   `query($c: String!) { territory(name: "East") { customers(after: $c, first: 2, where: {disabled: {eq: false}}, orderBy: [{field: TERRITORY}]) { nodes { name } } } }`,
		"cut short":        `query($c: String!) { customers(after: "` + cursor[:len(cursor)-3] + `", first: 2, where: {disabled: {eq: false}}, orderBy: [{field: TERRITORY}]) { nodes { name } } __typename @skip(if: false) x: customers(after: $c, first: 2, where: {disabled: {eq: false}}, orderBy: [{field: TERRITORY}]) { nodes { name } } }`,
		"before and first": `query($c: String!) { customers(before: $c, first: 2, where: {disabled: {eq: false}}, orderBy: [{field: TERRITORY}]) { nodes { name } } }`,
	}
	for name, query := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := b.query(t, admin, query, map[string]any{"c": cursor}); !slices.Equal(got.codes(), []string{"BAD_USER_INPUT"}) {
				t.Errorf("codes %v: %s", got.codes(), shorten(got.raw))
			}
		})
	}
	// Another page size, and a variable in place of a literal, are the same list.
	b.query(t, sales, `query($c: String!, $w: CustomerWhere) { customers(after: $c, first: 5, where: $w, orderBy: [{field: TERRITORY}]) { nodes { name } } }`,
		map[string]any{"c": cursor, "w": map[string]any{"disabled": map[string]any{"eq": false}}}).into(t, new(any))
}
