package e2e_test

import (
	"net/http"
	"testing"
)

// One value stands for a list of one, in variables and their defaults as in the query.
func TestOneValueForAList(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	for _, c := range []struct {
		name, query string
		variables   map[string]any
		literal     string
	}{
		{
			"in", `query($x: [String!]) { customers(first: 3, where: {territory: {in: $x}}) { nodes { name } } }`,
			map[string]any{"x": "North"},
			`{ customers(first: 3, where: {territory: {in: ["North"]}}) { nodes { name } } }`,
		},
		{
			"in, by default", `query($x: [String!] = "North") { customers(first: 3, where: {territory: {in: $x}}) { nodes { name } } }`, nil,
			`{ customers(first: 3, where: {territory: {in: ["North"]}}) { nodes { name } } }`,
		},
		{
			"in a where", `query($w: CustomerWhere) { customers(first: 3, where: $w) { nodes { name } } }`,
			map[string]any{"w": map[string]any{"territory": map[string]any{"in": "North"}}},
			`{ customers(first: 3, where: {territory: {in: ["North"]}}) { nodes { name } } }`,
		},
		{
			"in a where by default", `query($w: CustomerWhere = {territory: {in: "North"}}) { customers(first: 3, where: $w) { nodes { name } } }`, nil,
			`{ customers(first: 3, where: {territory: {in: ["North"]}}) { nodes { name } } }`,
		},
		{
			"or", `query($w: CustomerWhere) { customers(first: 3, where: $w) { nodes { name } } }`,
			map[string]any{"w": map[string]any{"or": map[string]any{"territory": map[string]any{"eq": "North"}}}},
			`{ customers(first: 3, where: {or: [{territory: {eq: "North"}}]}) { nodes { name } } }`,
		},
		{
			"orderBy", `query($o: [CustomerOrder!]) { customers(first: 3, orderBy: $o) { nodes { name } } }`,
			map[string]any{"o": map[string]any{"field": "TERRITORY"}},
			`{ customers(first: 3, orderBy: [{field: TERRITORY}]) { nodes { name } } }`,
		},
		{
			"groupBy", `query($g: [SalesOrderGroupField!]) { salesOrdersAggregate(groupBy: $g, orderBy: {by: COUNT}) { keys { status } count } }`,
			map[string]any{"g": "STATUS"},
			`{ salesOrdersAggregate(groupBy: [STATUS], orderBy: [{by: COUNT}]) { keys { status } count } }`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got, want map[string]any
			b.query(t, sales, c.query, c.variables).into(t, &got)
			b.query(t, sales, c.literal, nil).into(t, &want)
			equal(t, "data", got, want)
		})
	}
}

// A variable that gqlparser lets pass though it is no value of its type is refused: it
// must not be taken for one that was not given.
func TestVariablesOfTheWrongKind(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	for _, c := range []struct {
		name, query, field string
		variables          map[string]any
	}{
		{"text for first", `query($n: Int) { customers(first: $n) { nodes { name } } }`, "first", map[string]any{"n": "1"}},
		{"text for last", `query($n: Int) { customers(last: $n) { nodes { name } } }`, "last", map[string]any{"n": "1"}},
		{"text for groups", `query($n: Int) { salesOrdersAggregate(first: $n, groupBy: [STATUS]) { count } }`, "first", map[string]any{"n": "1"}},
		{"direction", `query($d: OrderDirection!) { customers(orderBy: {field: NAME, direction: $d}) { nodes { name } } }`, "orderBy.0.direction", map[string]any{"d": "desc"}},
		{"direction of groups", `query($d: OrderDirection!) { salesOrdersAggregate(orderBy: {by: COUNT, direction: $d}) { count } }`, "orderBy.0.direction", map[string]any{"d": "desc"}},
		{"direction of documents", `query($d: OrderDirection!) { documents(doctype: "Customer", orderBy: {field: "name", direction: $d}) { nodes } }`, "orderBy.0.direction", map[string]any{"d": "desc"}},
		{"timespan", `query($s: Timespan) { customers(where: {creation: {timespan: $s}}) { nodes { name } } }`, "where.creation.timespan", map[string]any{"s": "last_month"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, sales, c.query, c.variables)
			if len(got.Errors) != 1 || got.Errors[0].Extensions["code"] != "BAD_USER_INPUT" {
				t.Fatalf("answered %s", got.raw)
			}
			equal(t, "field", got.Errors[0].Extensions["field"], any(c.field))
		})
	}
}

// A mutation by GET is not allowed, also where the schema has none.
func TestMutationByGET(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	for _, accept := range []string{"application/json", "application/graphql-response+json"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/graphql?query=mutation%7B__typename%7D", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", accept)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %s, Allow %q", accept, res.Status, res.Header.Get("Allow"))
		}
	}
}
