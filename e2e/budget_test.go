package e2e_test

import (
	"fmt"
	"strings"
	"testing"
)

// Some lists are longer than their text tells, and lists within lists multiply. What an
// answer may hold is bounded while it is made.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	const contract = "00000000-0000-0000-0000-0000000000c0"
	b.sql(t, `insert into service_contract (id, customer, item, status, start_date, monthly_fee) values ($1, 'C# Services', 'NUT#8', 'ACTIVE', '2026-01-01', 1)`, contract)
	b.sql(t, `insert into service_visit (contract, technician, visited_at) select $1, 'sales@example.com', '2026-02-01'::timestamptz + n * interval '1 hour' from generate_series(1, 110) n`, contract)
	nest := func(rounds int, leaf string) string {
		return `{ serviceContracts { nodes ` + strings.Repeat(`{ visits { contract `, rounds) + `{ ` + leaf + ` }` + strings.Repeat(` } }`, rounds) + ` } }`
	}
	for _, c := range []struct{ name, query, limit string }{
		{"rows of rows of rows", nest(3, "status"), "objects"},
		{"resolvers below them", nest(2, "daysLeft"), "resolvers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, sales, c.query, nil)
			if codes := got.codes(); len(codes) == 0 || codes[0] != "COST_LIMIT" || got.Errors[0].Extensions["limit"] != c.limit {
				t.Fatalf("answered %d bytes: %.300s", len(got.raw), got.raw)
			}
		})
	}
	var two struct {
		ServiceContracts struct {
			Nodes []struct {
				Visits []struct {
					Contract struct{ Visits []struct{ Status string } }
				}
			}
		}
	}
	b.query(t, sales, nest(1, "visits { status }"), nil).into(t, &two)
	if visits := two.ServiceContracts.Nodes[0].Visits; len(visits) != 110 || len(visits[109].Contract.Visits) != 110 {
		t.Errorf("an answer within the bounds lacks rows: %d", len(visits))
	}
}

// Inputs that would be much work for ERPNext, Postgres or the answer are refused.
func TestInputsAreBounded(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	conditions := make([]any, 600)
	for i := range conditions {
		conditions[i] = map[string]any{"notes": map[string]any{"eq": fmt.Sprint(i)}}
	}
	deep := map[string]any{"notes": map[string]any{"eq": "x"}}
	for range 50 {
		deep = map[string]any{"not": deep}
	}
	fields, names := make([]string, 101), make([]string, 10_001)
	for i := range fields {
		fields[i] = fmt.Sprintf("f%d", i)
	}
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	const where = `query($w: ServiceContractWhere) { serviceContracts(where: $w) { nodes { status } } }`
	const documents = `query($f: [String!]) { documents(doctype: "Customer", fields: $f) { nodes } }`
	for _, c := range []struct {
		name, query, field string
		variables          map[string]any
	}{
		{"conditions", where, "where", map[string]any{"w": map[string]any{"or": conditions}}},
		{"nesting", where, "where", map[string]any{"w": deep}},
		{"values", where, "where", map[string]any{"w": map[string]any{"customer": map[string]any{"in": names}}}},
		{"fields of documents", documents, "fields", map[string]any{"f": fields}},
		{"a field twice", documents, "fields.1", map[string]any{"f": []string{"name", "name"}}},
		{"filters of documents", `query($f: JSON) { documents(doctype: "Customer", filters: $f) { nodes } }`, "filters", map[string]any{"f": []any{[]any{"name", "in", names}}}},
		{"a timespan of one's own", `{ documents(doctype: "Customer", filters: [["creation", "timespan", "x"]]) { nodes } }`, "filters.0.2", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := b.query(t, sales, c.query, c.variables)
			if len(got.Errors) != 1 || got.Errors[0].Extensions["code"] != "BAD_USER_INPUT" {
				t.Fatalf("answered %.300s", got.raw)
			}
			equal(t, "field", got.Errors[0].Extensions["field"], any(c.field))
			if calls := got.Extensions.Upstream.Calls; calls > 0 {
				t.Errorf("%d upstream calls", calls)
			}
		})
	}
}

// An aggregate without first means all groups: more than fit are an error, not a part.
func TestMoreGroupsThanFit(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	got := b.query(t, sales, `{ salesOrdersAggregate(groupBy: [NAME]) { count } }`, nil)
	if codes := got.codes(); len(codes) != 1 || codes[0] != "BAD_USER_INPUT" {
		t.Errorf("2,004 groups: %.300s", got.raw)
	}
	var three struct{ SalesOrdersAggregate []struct{ Count int } }
	b.query(t, sales, `{ salesOrdersAggregate(groupBy: [NAME], first: 3) { count } }`, nil).into(t, &three)
	if len(three.SalesOrdersAggregate) != 3 {
		t.Errorf("%d groups, want the first 3", len(three.SalesOrdersAggregate))
	}
}

// A cursor pages through the list of one document, or a few; each is a call of its own.
func TestCursorBelowManyParents(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	var one struct {
		Customers struct {
			Nodes []struct {
				SalesOrders struct{ PageInfo struct{ EndCursor string } }
			}
		}
	}
	b.query(t, sales, `{ customers(first: 1, where: {name: {eq: "C# Services"}}) { nodes { salesOrders(first: 1) { pageInfo { endCursor } } } } }`, nil).into(t, &one)
	after := map[string]any{"c": one.Customers.Nodes[0].SalesOrders.PageInfo.EndCursor}
	got := b.query(t, sales, `query($c: String) { customers(first: 20) { nodes { salesOrders(first: 1, after: $c) { nodes { name } } } } }`, after)
	if codes := got.codes(); len(codes) != 1 || codes[0] != "BAD_USER_INPUT" {
		t.Errorf("answered %.300s", got.raw)
	}
}

// What a where means binds a cursor, not how it is written.
func TestCursorOfTheSameList(t *testing.T) {
	t.Parallel()
	b := reading(t, options{})
	var page struct {
		Customers struct{ PageInfo struct{ EndCursor string } }
	}
	b.query(t, sales, `{ customers(first: 1) { pageInfo { endCursor } } }`, nil).into(t, &page)
	for _, where := range []string{`{}`, `{territory: null}`, `{territory: {}}`} {
		got := b.query(t, sales, `query($c: String) { customers(first: 1, after: $c, where: `+where+`) { nodes { name } } }`,
			map[string]any{"c": page.Customers.PageInfo.EndCursor})
		if len(got.Errors) > 0 {
			t.Errorf("where %s: %s", where, got.raw)
		}
	}
}

// A timespan means the same days for local rows as for ERPNext's own.
func TestTimespanOfLocalRows(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.sql(t, `insert into service_contract (customer, item, status, start_date, monthly_fee, created_at) values
		('C# Services', 'NUT#8', 'ACTIVE', current_date, 1, now()),
		('C# Services', 'NUT#8', 'ACTIVE', current_date - 800, 1, now() - interval '800 days')`)
	for _, where := range []string{`{startDate: {timespan: THIS_YEAR}}`, `{createdAt: {timespan: THIS_YEAR}}`} {
		var got struct{ ServiceContracts struct{ TotalCount int } }
		b.query(t, sales, `{ serviceContracts(where: `+where+`) { totalCount } }`, nil).into(t, &got)
		if got.ServiceContracts.TotalCount != 1 {
			t.Errorf("%s: %d rows, want 1", where, got.ServiceContracts.TotalCount)
		}
	}
}
