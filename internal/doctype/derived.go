package doctype

import "slices"

// The names of the types that come with an object type. SDL, engine and introspection
// meet in these, so they are made in one place.

// Connection is the type of the type's lists: "SalesOrderConnection".
func (t *Type) Connection() string { return t.Name + "Connection" }

// Edge is the type of a connection's edges: "SalesOrderEdge".
func (t *Type) Edge() string { return t.Name + "Edge" }

// Where is the filter input: "SalesOrderWhere".
func (t *Type) Where() string { return t.Name + "Where" }

// Order is the input of one order term: "SalesOrderOrder".
func (t *Type) Order() string { return t.Name + "Order" }

// OrderField is the enum of fields to order by: "SalesOrderOrderField".
func (t *Type) OrderField() string { return t.Name + "OrderField" }

// GroupField is the enum of fields to group by: "SalesOrderGroupField".
func (t *Type) GroupField() string { return t.Name + "GroupField" }

// Aggregate is the type of one aggregated group: "SalesOrderAggregate".
func (t *Type) Aggregate() string { return t.Name + "Aggregate" }

// AggregateKeys is the type of a group's keys: "SalesOrderAggregateKeys".
func (t *Type) AggregateKeys() string { return t.Name + "AggregateKeys" }

// AggregateSum is the type of sum: "SalesOrderAggregateSum".
func (t *Type) AggregateSum() string { return t.Name + "AggregateSum" }

// AggregateAverage is the type of avg: "SalesOrderAggregateAverage".
func (t *Type) AggregateAverage() string { return t.Name + "AggregateAverage" }

// AggregateExtremes is the type of min and max: "SalesOrderAggregateExtremes".
func (t *Type) AggregateExtremes() string { return t.Name + "AggregateExtremes" }

// AggregateOrder is the input of one order term of groups: "SalesOrderAggregateOrder".
func (t *Type) AggregateOrder() string { return t.Name + "AggregateOrder" }

// AggregateRoot is the root field of the aggregates: "salesOrdersAggregate".
func (t *Type) AggregateRoot() string { return t.Plural + "Aggregate" }

// Listed tells whether the type has lists of its own: root fields, filters, orders.
func (t *Type) Listed() bool { return t.Source == Upstream || t.Source == Local }

// Noun is what people call a row of the type: "Sales Order", "Service Contract".
func (t *Type) Noun() string {
	if t.Source == Local {
		return splitPascal(t.Name)
	}
	return t.Key
}

// FilterName is the filter input of an enum type: "SalesOrderStatusFilter".
func FilterName(enum string) string { return enum + "Filter" }

// names are all type names that a type claims, its enums apart.
func (t *Type) names() []string {
	switch t.Source {
	case Single:
		return slices.Concat([]string{t.Name}, t.writeNames(), t.liveNames())
	case Child:
		return []string{t.Name, t.Where(), t.CreateInput(), t.UpdateInput()}
	default:
		return slices.Concat([]string{
			t.Name, t.Connection(), t.Edge(), t.Where(), t.Order(), t.OrderField(), t.GroupField(),
			t.Aggregate(), t.AggregateKeys(), t.AggregateSum(), t.AggregateAverage(),
			t.AggregateExtremes(), t.AggregateOrder(),
		}, t.writeNames(), t.liveNames())
	}
}
