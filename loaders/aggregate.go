package loaders

import (
	"context"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

// Aggregate computes figures in one call; the rows have the group keys by column and
// the figures by alias. Only rows that the caller may read count.
func (s *Set) Aggregate(ctx context.Context, q criteria.Aggregate) ([]*Row, error) {
	if q.Type.Source == doctype.Local {
		return s.localAggregate(ctx, q)
	}
	f, err := s.filters(ctx, q.Where)
	if err != nil {
		return nil, err
	}
	if f.joins {
		return nil, apierror.New(apierror.BadUserInput,
			"an aggregate can't filter by child rows: ERPNext would count a document once for each matching row").About(q.Type.Key, "", "where")
	}
	list := frappe.ListQuery{DocType: q.Type.Key, Filters: f.and, OrFilters: f.or, Limit: q.Limit}
	for _, key := range q.GroupBy {
		list.Columns = append(list.Columns, frappe.Column{Field: key.Column})
		list.GroupBy = append(list.GroupBy, frappe.Column{Field: key.Column})
	}
	for _, fig := range q.Figures {
		column := frappe.Column{Func: string(fig.Func), Field: "name", As: fig.As}
		if fig.Field != nil {
			column.Field = fig.Field.Column
		}
		list.Columns = append(list.Columns, column)
	}
	for _, o := range q.Order {
		if o.Key != nil {
			list.OrderBy = append(list.OrderBy, frappe.Order{Field: o.Key.Column, Desc: o.Desc})
		} else {
			list.OrderBy = append(list.OrderBy, frappe.Order{Field: o.As, Alias: true, Desc: o.Desc})
		}
	}
	table, err := s.list(ctx, q.Type, list)
	if err != nil {
		return nil, err
	}
	return rowsOf(q.Type, table), nil
}

func number(v jsontext.Value) float64 {
	n, err := strconv.ParseFloat(textOf(v), 64)
	if err != nil {
		return 0
	}
	return n
}
