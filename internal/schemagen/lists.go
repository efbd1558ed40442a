package schemagen

import (
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
)

// listTypes are the types around lists of t: connection, filter, orders, aggregates.
func listTypes(r *doctype.Registry, t *doctype.Type) []*ast.Definition {
	defs := []*ast.Definition{
		object(t.Connection(), "", ast.FieldList{
			field("edges", "", listOf(t.Edge())),
			field("nodes", "", listOf(t.Name)),
			field("pageInfo", "", ast.NonNullNamedType("PageInfo", nil)),
			field("totalCount", "How many rows there are on all pages; counted only when selected.", ast.NamedType("Int", nil)),
		}),
		object(t.Edge(), "", ast.FieldList{
			field("cursor", "", ast.NonNullNamedType("String", nil)),
			field("node", "", ast.NonNullNamedType(t.Name, nil)),
		}),
		where(r, t),
		fieldEnum(t.OrderField(), t),
		input(t.Order(), "", ast.FieldList{
			field("field", "", ast.NonNullNamedType(t.OrderField(), nil)),
			direction(),
		}),
		fieldEnum(t.GroupField(), t),
	}
	return append(defs, aggregateTypes(t)...)
}

// fieldEnum lists the fields by which rows can be ordered and grouped.
func fieldEnum(name string, t *doctype.Type) *ast.Definition {
	def := &ast.Definition{Kind: ast.Enum, Name: name}
	for _, f := range t.Fields {
		if f.Sortable() {
			def.EnumValues = append(def.EnumValues, &ast.EnumValueDefinition{
				Name: doctype.EnumName(f.Name),
			})
		}
	}
	return def
}

func direction() *ast.FieldDefinition {
	f := field("direction", "", ast.NonNullNamedType("OrderDirection", nil))
	f.DefaultValue = &ast.Value{Kind: ast.EnumValue, Raw: "ASC"}
	return f
}

// aggregateTypes are a group, its keys and its aggregates; sums and extremes only
// where the type has numbers or dates.
func aggregateTypes(t *doctype.Type) []*ast.Definition {
	var keys, sums, averages, extremes ast.FieldList
	for _, f := range t.Fields {
		if f.Sortable() {
			keys = append(keys, field(f.Name, "", ast.NamedType(f.GraphQLType, nil)))
		}
		if f.Summable() {
			sums = append(sums, field(f.Name, "", ast.NamedType(f.GraphQLType, nil)))
			averages = append(averages, field(f.Name, "", ast.NamedType(averageType(f), nil)))
		}
		if f.Ranged() {
			extremes = append(extremes, field(f.Name, "", ast.NamedType(f.GraphQLType, nil)))
		}
	}
	group := ast.FieldList{
		field("keys", "The values of the fields grouped by; all others are null.", ast.NonNullNamedType(t.AggregateKeys(), nil)),
		field("count", "", ast.NonNullNamedType("Int", nil)),
	}
	defs := []*ast.Definition{object(t.AggregateKeys(), "", keys)}
	if len(sums) > 0 {
		group = append(group,
			field("sum", "", ast.NamedType(t.AggregateSum(), nil)),
			field("avg", "", ast.NamedType(t.AggregateAverage(), nil)))
		defs = append(defs, object(t.AggregateSum(), "", sums), object(t.AggregateAverage(), "", averages))
	}
	if len(extremes) > 0 {
		group = append(group,
			field("min", "", ast.NamedType(t.AggregateExtremes(), nil)),
			field("max", "", ast.NamedType(t.AggregateExtremes(), nil)))
		defs = append(defs, object(t.AggregateExtremes(), "", extremes))
	}
	order := input(t.AggregateOrder(), "One order term of groups: COUNT takes no field, all else one.", ast.FieldList{
		field("by", "", ast.NonNullNamedType("AggregateOrderBy", nil)),
		field("field", "", ast.NamedType(t.OrderField(), nil)),
		direction(),
	})
	return append([]*ast.Definition{object(t.Aggregate(), "", group)}, append(defs, order)...)
}

// averageType: the average of whole numbers is not whole.
func averageType(f *doctype.Field) string {
	if f.Kind == doctype.Int || f.Kind == doctype.Duration {
		return "Float"
	}
	return f.GraphQLType
}

// where is the filter input of a type: a field for each that ERPNext or Postgres can
// filter by, and how conditions combine.
func where(r *doctype.Registry, t *doctype.Type) *ast.Definition {
	var fields ast.FieldList
	for _, f := range t.Fields {
		switch {
		case f.Kind == doctype.Table, f.Kind == doctype.ReverseList:
			fields = append(fields, field(f.Name, "Some row matches", ast.NamedType(r.ByKey(f.Target).Where(), nil)))
		case f.Filterable():
			fields = append(fields, field(f.Name, "", ast.NamedType(filterType(r, f), nil)))
		}
	}
	self := listOf(t.Where())
	switch t.Source {
	case doctype.Upstream:
		fields = append(fields, field("or", "At least one holds, beside all others here.", self))
	case doctype.Local:
		fields = append(fields,
			field("and", "All hold.", self),
			field("or", "At least one holds.", self),
			field("not", "Does not hold.", ast.NamedType(t.Where(), nil)))
	}
	return input(t.Where(), "Conditions on "+t.Noun()+" rows; all of them hold.", fields)
}

// filterType is the filter of a field's kind.
func filterType(r *doctype.Registry, f *doctype.Field) string {
	switch f.Kind {
	case doctype.Boolean:
		return "BooleanFilter"
	case doctype.Int, doctype.Duration:
		return "IntFilter"
	case doctype.Float, doctype.Rating:
		return "FloatFilter"
	case doctype.Decimal:
		return "DecimalFilter"
	case doctype.Date:
		return "DateFilter"
	case doctype.Time:
		return "TimeFilter"
	case doctype.DateTime:
		return "DateTimeFilter"
	case doctype.Enum:
		return doctype.FilterName(f.GraphQLType)
	case doctype.ID:
		return "IDFilter"
	case doctype.DynamicLink:
		return "LinkFilter"
	case doctype.Link:
		switch target := r.ByKey(f.Target); {
		case target.Source == doctype.Local:
			return "IDFilter"
		case target.Tree:
			return "TreeLinkFilter"
		default:
			return "LinkFilter"
		}
	default:
		return "StringFilter"
	}
}
