package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// A field above the caller's permlevel can't be probed: not by a filter, an order, a
// group, a figure, nor through child rows or any-document lists. Whoever may read it may.
func TestUnreadableFieldsCantBeProbed(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	queries := map[string]string{
		"where":              `{ salesOrders(where: {ignorePricingRule: {eq: true}}) { nodes { name } } }`,
		"where, in or":       `{ salesOrders(where: {or: [{ignorePricingRule: {eq: true}}, {status: {eq: DRAFT}}]}) { nodes { name } } }`,
		"where, counted":     `{ salesOrders(where: {ignorePricingRule: {eq: true}}) { totalCount } }`,
		"order":              `{ salesOrders(orderBy: [{field: IGNORE_PRICING_RULE}]) { nodes { name } } }`,
		"reverse, where":     `{ customers { nodes { salesOrders(where: {ignorePricingRule: {ne: true}}) { nodes { name } } } } }`,
		"reverse, order":     `{ customers { nodes { salesOrders(orderBy: [{field: IGNORE_PRICING_RULE}]) { totalCount nodes { name } } } } }`,
		"aggregate, where":   `{ salesOrdersAggregate(where: {ignorePricingRule: {eq: true}}) { count } }`,
		"aggregate, group":   `{ salesOrdersAggregate(groupBy: [IGNORE_PRICING_RULE]) { count keys { ignorePricingRule } } }`,
		"aggregate, order":   `{ salesOrdersAggregate(groupBy: [IGNORE_PRICING_RULE], orderBy: [{by: KEY, field: IGNORE_PRICING_RULE}]) { count } }`,
		"documents, filter":  `{ documents(doctype: "Sales Order", filters: {ignore_pricing_rule: 1}) { nodes } }`,
		"documents, order":   `{ documents(doctype: "Sales Order", orderBy: [{field: "ignore_pricing_rule"}]) { nodes } }`,
		"documents, other":   `{ documents(doctype: "Customer", filters: {custom_risk_notes: "x"}) { nodes } }`,
		"linkOptions filter": `{ linkOptions(doctype: "Sales Order", filters: {ignore_pricing_rule: 1}) { name } }`,
	}
	for name, query := range queries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			who := sales
			if name == "documents, other" {
				who = stock // permlevel 1 of Customer is open to Sales User
			}
			got := b.query(t, who, query, nil)
			if codes := got.codes(); !slices.Equal(codes, []string{"FORBIDDEN"}) {
				t.Errorf("without the right: %v in %s", codes, shorten(got.raw))
			}
			if got := b.query(t, admin, query, nil); len(got.Errors) > 0 {
				t.Errorf("with the right: %s", shorten(got.raw))
			}
		})
	}
}

// linkOptions shows what ERPNext's link field would show this caller, and no argument of
// a client reaches ERPNext's own flags.
func TestLinkOptionsObeyPermissions(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	for _, query := range []string{
		`{ linkOptions(doctype: "Customer", first: 500) { name } }`,
		`{ linkOptions(doctype: "Customer", first: 500, filters: {name: "Acme Foods LLC"}) { name } }`,
		`{ linkOptions(doctype: "Customer", first: 500, text: "\",\"ignore_user_permissions\":1,\"x\":\"") { name } }`,
	} {
		var data struct{ LinkOptions []struct{ Name string } }
		b.query(t, two, query, nil).into(t, &data)
		for _, o := range data.LinkOptions {
			if o.Name != "Müller & Söhne GmbH" && o.Name != "Acme Traders Ltd" {
				t.Errorf("%s shows %q", query, o.Name)
			}
		}
	}
	got := b.query(t, two, `{ linkOptions(doctype: "Customer", filters: {ignore_user_permissions: 1}) { name } }`, nil)
	if strings.Contains(string(got.Data), "LLC") {
		t.Errorf("a filter named like a flag: %s", got.raw)
	}
}

// Child rows are read below their parents only: ERPNext checks roles, but no user
// permissions, when they are read by themselves.
func TestChildRowsByThemselves(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	var order struct{ Items []row }
	b.rest(t, admin, "frappe.client.get", map[string]any{"doctype": "Sales Order", "name": b.site.Names("Sales Order")[20]}, &order)
	for _, query := range []string{
		`query($n: String!) { documents(doctype: "Sales Order Item", filters: {name: $f}) { nodes } document(doctype: "Sales Order Item", name: $n) }`,
		`query($n: String!) { document(doctype: "Sales Order Item", name: $n) }`,
		`query($n: String!) { documents(doctype: "Sales Order Item") { nodes } }`,
		`query($n: String!) { linkOptions(doctype: "Sales Order Item", text: $n) { name } }`,
	} {
		if strings.Contains(query, "$f") {
			query = strings.Replace(query, "$n: String!", "$n: String!, $f: JSON", 1)
		}
		got := b.query(t, two, query, map[string]any{"n": order.Items[0].text("name"), "f": order.Items[0].text("name")})
		codes := got.codes()
		if len(codes) == 0 || slices.ContainsFunc(codes, func(c string) bool { return c != "FORBIDDEN" && c != "BAD_USER_INPUT" }) ||
			strings.Contains(string(got.Data), order.Items[0].text("item_code")) {
			t.Errorf("codes %v: %s", codes, shorten(got.raw))
		}
	}
}
