package e2e_test

import (
	"slices"
	"strings"
	"testing"
)

// hostileNames are docnames that break careless URLs, filters, quotes and encodings.
// 140 characters is ERPNext's limit.
var hostileNames = []string{
	`O'Brien / Sons`, `Café "Chez Zoë"`, `50% Off Outlet`, `Back\slash Ltd`, `C# Services`, `Plus+Minus Co`, `Q? Consulting`,
	`Semi;Colon`, `Ampersand & Co`, `emoji 🚀 Ventures`, `東京商事 株式会社`, `שלום בעמ`, `[bracket] Ltd`, `{brace} Ltd`,
	// Made here: what looks like paths, operators, SQL, templates, JSON.
	`a/b/../c%2Fd`, `..`, `%`, `_`, `like`, `["like","%"]`, `null`, `0`, `' OR 1=1 --`, `"; drop table x; --`, `{{ 7*7 }}`, `<script>x</script>`,
	"tab\tinside", `name=1&doctype=User`, strings.Repeat("ü", 140), strings.Repeat("x/'\"%", 28),
}

// Such a document is found by name, as a link's target, in every filter that takes a
// name, as a node, and as any document; its children and reverse links too.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for i, name := range hostileNames {
		if !slices.Contains(b.site.Names("Customer"), name) {
			if err := b.site.Insert("Customer", map[string]any{"name": name, "customer_name": name, "customer_group": "Commercial", "territory": "East"}); err != nil {
				t.Fatal(err)
			}
		}
		order := []string{"order of ", "o/"}[i%2] + name
		if len([]rune(order)) > 140 {
			order = "o" + string([]rune(name)[1:])
		}
		if err := b.site.Insert("Sales Order", map[string]any{
			"name": order, "customer": name, "company": "Graft Test Ltd", "status": "Draft", "grand_total": i,
			"items": []map[string]any{{"item_code": `PIPE 1" x 2m`, "qty": i + 1, "idx": 1}},
		}); err != nil {
			t.Fatal(err)
		}
		b.sql(t, `insert into service_contract (customer, item, start_date, notes) values ($1, $2, '2026-01-01', $1)`, name, `PIPE 1" x 2m`)
	}
	const query = `query($n: String!, $id: ID!) {
		byName: customer(name: $n) { name customerName }
		node(id: $id) { ... on Customer { name customerName } }
		nodes(ids: [$id]) { ... on Customer { name customerName } }
		eq: customers(where: {name: {eq: $n}}) { totalCount nodes { name customerName } }
		in: customers(where: {customerName: {in: [$n]}}) { nodes { name } }
		others: customers(where: {name: {ne: $n}}) { totalCount }
		link: salesOrders(where: {customer: {eq: $n}, status: {eq: DRAFT}}, first: 100) { nodes { name customer { customerName } items { qty itemCode { name itemGroup { name } } } } }
		reverse: customer(name: $n) { salesOrders(first: 100) { totalCount nodes { name } } serviceContracts { totalCount nodes { customer { name customerName } } } }
		local: serviceContracts(where: {customer: {eq: $n}, notes: {in: [$n]}}) { nodes { notes customer { customerName } } }
		or: serviceContracts(where: {or: [{customer: {eq: $n}}, {notes: {eq: $n}}]}) { totalCount }
		document(doctype: "Customer", name: $n)
		documents(doctype: "Customer", fields: ["name", "customer_name"], filters: [["name", "=", $f], ["customer_name", "in", [$f]]]) { nodes }
	}`
	total := len(b.site.Names("Customer"))
	for _, name := range hostileNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := strings.Replace(query, "$id: ID!", "$id: ID!, $f: JSON!", 1)
			got := b.query(t, sales, q, map[string]any{"n": name, "id": globalID("Customer", name), "f": name})
			type named struct{ Name, CustomerName string }
			type page struct {
				TotalCount int
				Nodes      []named
			}
			var data struct {
				ByName, Node named
				Nodes        []named
				Eq, In       page
				Others       page
				Link         struct {
					Nodes []struct {
						Name     string
						Customer named
						Items    []struct{ ItemCode struct{ Name string } }
					}
				}
				Reverse struct {
					SalesOrders      page
					ServiceContracts struct {
						TotalCount int
						Nodes      []struct{ Customer named }
					}
				}
				Local struct {
					Nodes []struct {
						Notes    string
						Customer named
					}
				}
				Or        struct{ TotalCount int }
				Document  row
				Documents struct{ Nodes []row }
			}
			got.into(t, &data)
			want := named{name, name}
			if data.ByName != want || data.Node != want || len(data.Nodes) != 1 || data.Nodes[0] != want {
				t.Errorf("by name %v, by id %v and %v", data.ByName, data.Node, data.Nodes)
			}
			if len(data.Eq.Nodes) != 1 || data.Eq.Nodes[0] != want || data.Eq.TotalCount != 1 || len(data.In.Nodes) != 1 || data.Others.TotalCount != total-1 {
				t.Errorf("filters: eq %v, in %v, all but it %d of %d", data.Eq, data.In, data.Others.TotalCount, total)
			}
			if len(data.Link.Nodes) == 0 || data.Reverse.SalesOrders.TotalCount < len(data.Link.Nodes) {
				t.Errorf("links: %d orders, %d by the reverse link", len(data.Link.Nodes), data.Reverse.SalesOrders.TotalCount)
			}
			found := false
			for _, o := range data.Link.Nodes {
				found = found || len(o.Items) == 1 && o.Items[0].ItemCode.Name == `PIPE 1" x 2m`
				if o.Customer.CustomerName != name {
					t.Errorf("order %q links to %q", o.Name, o.Customer.CustomerName)
				}
			}
			if !found {
				t.Errorf("the order made here has no rows: %+v", data.Link.Nodes)
			}
			contracts := data.Reverse.ServiceContracts
			if contracts.TotalCount != 1 || len(contracts.Nodes) != 1 || contracts.Nodes[0].Customer != want || data.Or.TotalCount != 1 {
				t.Errorf("contracts %+v, by or %d", contracts, data.Or.TotalCount)
			}
			if len(data.Local.Nodes) != 1 || data.Local.Nodes[0].Notes != name || data.Local.Nodes[0].Customer.CustomerName != name {
				t.Errorf("local %+v", data.Local)
			}
			if data.Document.text("name") != name || len(data.Documents.Nodes) != 1 || data.Documents.Nodes[0].text("customer_name") != name {
				t.Errorf("document %v, documents %v", data.Document.text("name"), data.Documents.Nodes)
			}
		})
	}
}

// MariaDB takes upper and lower case and accents as one, so a name in another case
// finds the document, which answers with its own name.
func TestNamesInAnotherCase(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	b.sql(t, `insert into service_contract (customer, item, start_date) values ('MÜLLER & söhne gmbh', 'bolt m6/20', '2026-01-01')`)
	for given, want := range map[string]string{
		"c# services": "C# Services", "MÜLLER & SÖHNE gmbh": "Müller & Söhne GmbH", "muller & sohne gmbh": "Müller & Söhne GmbH",
		"CAFE \"chez zoe\"": "Café \"Chez Zoë\"", "EMOJI 🚀 ventures": "emoji 🚀 Ventures", "C# Services  ": "C# Services",
	} {
		got := b.query(t, sales, `query($n: String!, $id: ID!) { customer(name: $n) { name customerName salesOrders(first: 1) { nodes { name } } } node(id: $id) { ... on Customer { name customerGroup { name } } } }`,
			map[string]any{"n": given, "id": globalID("Customer", given)})
		var data struct {
			Customer struct {
				Name, CustomerName string
				SalesOrders        struct{ Nodes []row }
			}
			Node struct {
				Name          string
				CustomerGroup row
			}
		}
		got.into(t, &data)
		if data.Customer.Name != want || data.Customer.CustomerName != want || data.Node.Name != want || data.Node.CustomerGroup == nil || len(data.Customer.SalesOrders.Nodes) == 0 {
			t.Errorf("%q finds %+v", given, data)
		}
	}
	var data struct {
		ServiceContracts struct {
			Nodes []struct {
				Customer struct{ CustomerName string }
				Item     struct{ ItemName string }
			}
		}
	}
	b.query(t, sales, `{ serviceContracts { nodes { customer { customerName } item { itemName } } } }`, nil).into(t, &data)
	if n := data.ServiceContracts.Nodes; len(n) != 1 || n[0].Customer.CustomerName == "" || n[0].Item.ItemName == "" {
		t.Errorf("a local link in another case: %+v", n)
	}
}

// A value that looks like an operator, a list or SQL is a value: it matches nothing
// here, or what is named so, and never all rows.
func TestFilterValuesStayValues(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	b.contracts(t, 3)
	values := []string{
		`["like", "%"]`, `["!=", ""]`, `["is", "set"]`, `["in", ["C# Services"]]`, `{"": 1}`, `%`, `like %`, `!= x`, `> `, `is set`, `not null`,
		`' or '1'='1`, `" or ""="`, `x' union select name from tabUser -- `, `\`, `\' or 1=1 -- `, `0; drop table service_contract`, `$1`, `%s`, `{0}`,
		`{{ frappe.session.user }}`, `(select name from tabUser limit 1)`, `now()`, `__user`, `name`, `Customer.name`, "`name`", `null`, `true`, `*`,
	}
	for _, v := range values {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, sales, `query($v: String!, $list: [String!]!, $j: JSON!) {
				a: customers(where: {customerName: {eq: $v}}) { totalCount nodes { name } }
				b: customers(where: {customerName: {in: $list}}) { totalCount nodes { name } }
				c: customers(where: {territory: {eq: $v}}) { totalCount nodes { name } }
				d: customers(where: {or: [{name: {eq: $v}}, {taxId: {eq: $v}}]}) { totalCount nodes { name } }
				e: customers(where: {customerName: {between: [$v, $v]}}) { totalCount nodes { name } }
				f: salesOrders(where: {items: {itemCode: {eq: $v}}}) { totalCount nodes { name } }
				g: serviceContracts(where: {customer: {eq: $v}}) { totalCount nodes { id } }
				h: serviceContracts(where: {notes: {in: $list}}) { totalCount nodes { id } }
				i: serviceContracts(where: {or: [{customer: {eq: $v}}, {not: {customer: {isSet: true}}}]}) { totalCount nodes { id } }
				j: documents(doctype: "Customer", filters: {customer_name: $j}) { nodes }
				k: documents(doctype: "Customer", filters: [["customer_name", "=", $j]]) { nodes }
				l: documents(doctype: "Customer", filters: [["customer_name", "in", [$j]]]) { nodes }
				m: customersAggregate(where: {customerName: {eq: $v}}) { count }
			}`, map[string]any{"v": v, "list": []string{v}, "j": v})
			var data map[string]any
			got.into(t, &data)
			for key, found := range data {
				object, _ := found.(map[string]any)
				if nodes, _ := object["nodes"].([]any); len(nodes) > 0 {
					t.Errorf("%s finds %v", key, nodes)
				}
				if n := object["totalCount"]; n != nil && n != 0.0 {
					t.Errorf("%s counts %v", key, n)
				}
			}
			if m := find(t, got.Data, "count"); m != 0.0 {
				t.Errorf("the aggregate counts %v", m)
			}
		})
	}
}
