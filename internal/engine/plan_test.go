package engine

import (
	"testing"

	"erpgraph/internal/doctype"
)

// The plan counts one call for each level and read of an upstream type, however many
// fields ask for it.
func TestPlanCounts(t *testing.T) {
	t.Parallel()
	r := testTypes()
	customer, order, item := r.ByName("Customer"), r.ByName("SalesOrder"), r.ByName("SalesOrderItem")
	local := &doctype.Type{Name: "Contract", Key: "Contract", Source: doctype.Local}
	link := func(sel *selection) *field { return &field{kind: linkField, sel: sel} }
	table := func(sel *selection) *field { return &field{kind: tableField, sel: sel} }
	leaf := &field{kind: scalarField}
	on := func(t *doctype.Type, fields ...*field) *selection { return &selection{typ: t, fields: fields} }
	reverse := func(conn *connection) *field {
		conn.link = customer.Reverse[0]
		return &field{kind: reverseField, conn: conn}
	}
	list := func(key string, total bool, sel *selection) *connection {
		return &connection{typ: sel.typ, key: key, wantRows: true, wantTotal: total, nodes: []*selection{sel}}
	}
	shallow := on(customer, &field{kind: nameField})
	shallow.shallow = true
	tests := []struct {
		name string
		conn *connection
		want int
	}{
		{"a list", list("a", false, on(order, leaf)), 1},
		{"with its count", list("a", true, on(order, leaf)), 2},
		{"a count alone", &connection{typ: order, key: "a", wantTotal: true}, 1},
		{"an error", &connection{typ: order, key: "a", wantRows: true, err: errTest}, 0},
		{"a link by name", list("a", false, on(order, link(shallow))), 1},
		{"a link", list("a", false, on(order, link(on(customer, leaf)))), 2},
		{"two links to one type", list("a", false, on(order, link(on(customer, leaf)), link(on(customer, leaf)))), 2},
		{"child rows, twice", list("a", false, on(order, table(on(item, leaf)), table(on(item, leaf)))), 2},
		{"one type at two levels", list("a", false, on(customer, reverse(list("b", false, on(order, link(on(customer, leaf))))))), 3},
		{"two pages of one reverse link", list("a", false, on(customer, reverse(list("b", false, on(order, leaf))), reverse(list("c", false, on(order, leaf))))), 3},
		{"the same page twice", list("a", false, on(customer, reverse(list("b", true, on(order, leaf))), reverse(list("b", true, on(order, leaf))))), 3},
		{"local rows cost nothing", list("a", false, on(customer, reverse(list("b", true, on(local, leaf))))), 1},
		{"but what they link to does", list("a", false, on(local, link(on(customer, leaf)))), 1},
		{"an interface, for each type", list("a", false, on(order, &field{kind: dynamicField, dynamic: &dynamicSelection{byTyp: map[*doctype.Type]*selection{
			customer: on(customer, leaf), order: on(order, leaf), local: shallow,
		}}})), 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &plan{calls: map[planned]bool{}}
			p.connection(0, tt.conn, nil)
			if got := len(p.calls) + p.extra; got != tt.want {
				t.Errorf("%d calls, want %d: %v", got, tt.want, p.calls)
			}
		})
	}
}
