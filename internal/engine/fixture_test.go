package engine

import (
	"erpgraph/internal/doctype"
)

// testTypes are one type with a field of each kind, its child and its parent.
func testTypes() *doctype.Registry {
	return doctype.NewRegistry([]*doctype.Type{
		{Name: "Customer", Key: "Customer", Source: doctype.Upstream, Single: "customer", Plural: "customers", Fields: []*doctype.Field{
			{Name: "name", Column: "name", Standard: true},
		}, Reverse: []*doctype.Reverse{{Name: "salesOrders", From: "Sales Order", Field: "customer"}}},
		{Name: "SalesOrder", Key: "Sales Order", Source: doctype.Upstream, Single: "salesOrder", Plural: "salesOrders", Fields: []*doctype.Field{
			{Name: "name", Column: "name", Standard: true},
			{Name: "title", Column: "title", Nullable: true},
			{Name: "grandTotal", Column: "grand_total", Kind: doctype.Decimal},
			{Name: "qty", Column: "qty", Kind: doctype.Float},
			{Name: "days", Column: "days", Kind: doctype.Int},
			{Name: "paid", Column: "paid", Kind: doctype.Boolean},
			{Name: "due", Column: "due", Kind: doctype.Date},
			{Name: "at", Column: "at", Kind: doctype.DateTime},
			{Name: "clock", Column: "clock", Kind: doctype.Time},
			{Name: "status", Column: "status", Kind: doctype.Enum, Enum: []doctype.Pair{{Value: "TO_BILL", Label: "To Bill"}, {Value: "CLOSED", Label: "Closed"}}},
			{Name: "customer", Column: "customer", Kind: doctype.Link, Target: "Customer"},
			{Name: "items", Column: "items", Kind: doctype.Table, Target: "Sales Order Item"},
		}},
		{Name: "SalesOrderItem", Key: "Sales Order Item", Source: doctype.Child, Fields: []*doctype.Field{
			{Name: "itemCode", Column: "item_code"},
			{Name: "rate", Column: "rate", Kind: doctype.Decimal},
		}},
	})
}

func testEngine() *Engine {
	return New(Config{Registry: testTypes(), FileURL: func(path string) string { return "https://graph.example.com" + path }})
}
