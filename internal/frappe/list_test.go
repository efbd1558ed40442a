package frappe_test

import (
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// decodeJSON is v as encoding/json sees it, to compare by.
func decodeJSON(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// cells are the rows as text; an absent cell is "-".
func cells(table *frappe.Table) [][]string {
	rows := make([][]string, len(table.Rows))
	for i, row := range table.Rows {
		for _, cell := range row {
			text := "-"
			if cell != nil {
				text = string(cell)
			}
			rows[i] = append(rows[i], text)
		}
	}
	return rows
}

// What was sent to the real site and answered is sent again in meaning: the same
// columns and limits, filters and orders with their DocType.
func TestListTranscripts(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		query frappe.ListQuery
		sent  string
		rows  [][]string // the first ones
		count int
	}{
		{
			name: "174-list-post-client",
			query: frappe.ListQuery{
				DocType: "Customer",
				Columns: []frappe.Column{{Field: "name"}, {Field: "territory"}},
				Filters: []frappe.Filter{{Field: "territory", Op: frappe.OpDescendantsOf, Value: "North"}},
				OrderBy: []frappe.Order{{Field: "name"}},
				Limit:   3,
			},
			sent: `{"doctype": "Customer", "fields": ["name", "territory"],
				"filters": [["Customer", "territory", "descendants of", "North"]],
				"order_by": "` + "`tabCustomer`.`name` asc" + `", "limit_start": 0, "limit_page_length": 3}`,
			rows:  [][]string{{`"50% Off Outlet"`, `"North East"`}},
			count: 3,
		},
		{
			name:  "177-list-post-client-limit-none",
			query: frappe.ListQuery{DocType: "Territory", Columns: []frappe.Column{{Field: "name"}}},
			sent:  `{"doctype": "Territory", "fields": ["name"], "limit_start": 0, "limit_page_length": 0}`,
			rows:  [][]string{{`"All Territories"`}},
			count: 13,
		},
		{
			name: "178-list-post-client-child",
			query: frappe.ListQuery{
				DocType: "Sales Order Item", Parent: "Sales Order",
				Columns: []frappe.Column{{Field: "name"}, {Field: "parent"}, {Field: "item_code"}},
				Filters: []frappe.Filter{{Field: "parent", Op: frappe.OpIn, Value: []string{"SAL-ORD-2026-00020"}}},
				OrderBy: []frappe.Order{{Field: "parent"}, {Field: "idx"}},
			},
			sent: `{"doctype": "Sales Order Item", "parent": "Sales Order", "fields": ["name", "parent", "item_code"],
				"filters": [["Sales Order Item", "parent", "in", ["SAL-ORD-2026-00020"]]],
				"order_by": "` + "`tabSales Order Item`.`parent` asc, `tabSales Order Item`.`idx` asc" + `",
				"limit_start": 0, "limit_page_length": 0}`,
			rows:  [][]string{{`"it970pa3k9"`, `"SAL-ORD-2026-00020"`, `"ITEM-00331"`}},
			count: 8,
		},
		{
			name: "152-fields-group-by",
			query: frappe.ListQuery{
				DocType: "Sales Order",
				Columns: []frappe.Column{
					{Field: "status"},
					{Func: frappe.FuncCount, Field: "name", As: "n"},
					{Func: frappe.FuncSum, Field: "grand_total", As: "total"},
					{Func: frappe.FuncAvg, Field: "grand_total", As: "a"},
					{Func: frappe.FuncMax, Field: "modified", As: "m"},
				},
				GroupBy: []frappe.Column{{Field: "status"}},
				OrderBy: []frappe.Order{{Field: "n", Alias: true, Desc: true}},
				Start:   0, Limit: 20,
			},
			sent: `{"doctype": "Sales Order",
				"fields": ["status", "count(name) as n", "sum(grand_total) as total", "avg(grand_total) as a", "max(modified) as m"],
				"group_by": "` + "`tabSales Order`.`status`" + `", "order_by": "n desc", "limit_start": 0, "limit_page_length": 20}`,
			rows:  [][]string{{`"Draft"`, "1002", "3703666.67", "3696.274121756487", `"2026-11-24 22:33:11.401375"`}},
			count: 3,
		},
		{
			name: "154-fields-group-by-child-backtick",
			query: frappe.ListQuery{
				DocType: "Sales Order",
				Columns: []frappe.Column{
					{DocType: "Sales Order Item", Field: "item_code"},
					{Func: frappe.FuncSum, DocType: "Sales Order Item", Field: "qty", As: "q"},
				},
				GroupBy: []frappe.Column{{DocType: "Sales Order Item", Field: "item_code"}},
				Start:   5,
			},
			sent: `{"doctype": "Sales Order",
				"fields": ["` + "`tabSales Order Item`.`item_code`" + `", "` + "sum(`tabSales Order Item`.`qty`) as q" + `"],
				"group_by": "` + "`tabSales Order Item`.`item_code`" + `", "limit_start": 5, "limit_page_length": 2147483647}`,
			rows:  [][]string{{`"A+B & C"`, "58.0"}},
			count: 3,
		},
		{
			name: "148-fields-permlevel-dropped",
			query: frappe.ListQuery{
				DocType: "Service Ticket",
				Columns: []frappe.Column{{Field: "name"}, {Field: "internal_cost"}, {Field: "internal_token"}, {Field: "secret"}},
				Limit:   2,
			},
			sent: `{"doctype": "Service Ticket", "fields": ["name", "internal_cost", "internal_token", "secret"],
				"limit_start": 0, "limit_page_length": 2}`,
			rows:  [][]string{{`"TKT-2026-00002"`, "-", `"tok1"`, "null"}, {`"TKT-2026-00003"`, "-", `"tok2"`, "null"}},
			count: 2,
		},
		{
			name:  "150-fields-only-permlevel",
			query: frappe.ListQuery{DocType: "Service Ticket", Columns: []frappe.Column{{Field: "internal_cost"}}, Limit: 2},
			sent:  `{"doctype": "Service Ticket", "fields": ["internal_cost"], "limit_start": 0, "limit_page_length": 2}`,
			rows:  [][]string{{"-"}, {"-"}},
			count: 2,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			response := loadTranscript(t, c.name).Response
			response.Body = asMessage(response.Body)
			b := setup(t, frappe.Config{}, response)
			table, err := b.List(t.Context(), cred(t), c.query)
			if err != nil {
				t.Fatal(err)
			}
			last := b.last(t)
			if last.method != http.MethodPost || last.uri != "/api/method/frappe.client.get_list" ||
				last.header.Get("Content-Type") != "application/json" {
				t.Errorf("sent %s %s %v", last.method, last.uri, last.header)
			}
			if diff := cmp.Diff(decodeJSON(t, c.sent), decodeJSON(t, last.body)); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			got := cells(table)
			if len(got) != c.count || table.Bytes != int64(len(response.Body)) {
				t.Errorf("%d rows of %d bytes", len(got), table.Bytes)
			}
			if diff := cmp.Diff(c.rows, got[:len(c.rows)]); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// asMessage turns an answer of /api/resource into that of the method: they differ in
// the one key.
func asMessage(body string) string { return strings.Replace(body, `{"data":`, `{"message":`, 1) }

// query is a list of names with one filter.
func query(filters ...frappe.Filter) frappe.ListQuery {
	return frappe.ListQuery{DocType: "Customer", Columns: []frappe.Column{{Field: "name"}}, Filters: filters}
}

func TestFilterValues(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		filter frappe.Filter
		sent   string
	}{
		"text":         {frappe.Filter{Field: "territory", Op: frappe.OpEq, Value: `a"b`}, `["Customer", "territory", "=", "a\"b"]`},
		"bool":         {frappe.Filter{Field: "disabled", Op: frappe.OpEq, Value: true}, `["Customer", "disabled", "=", 1]`},
		"false":        {frappe.Filter{Field: "disabled", Op: frappe.OpNe, Value: false}, `["Customer", "disabled", "!=", 0]`},
		"int":          {frappe.Filter{Field: "idx", Op: frappe.OpGt, Value: 5}, `["Customer", "idx", ">", 5]`},
		"int64":        {frappe.Filter{Field: "idx", Op: frappe.OpGte, Value: int64(5)}, `["Customer", "idx", ">=", 5]`},
		"uint64":       {frappe.Filter{Field: "idx", Op: frappe.OpLt, Value: uint64(5)}, `["Customer", "idx", "<", 5]`},
		"float":        {frappe.Filter{Field: "x", Op: frappe.OpLte, Value: 1e21}, `["Customer", "x", "<=", 1e+21]`},
		"number":       {frappe.Filter{Field: "x", Op: frappe.OpEq, Value: json.Number("12.50")}, `["Customer", "x", "=", 12.50]`},
		"commas":       {frappe.Filter{Field: "name", Op: frappe.OpIn, Value: []string{"a,b", ""}}, `["Customer", "name", "in", ["a,b", ""]]`},
		"mixed list":   {frappe.Filter{Field: "x", Op: frappe.OpNotIn, Value: []any{"a", 1, true}}, `["Customer", "x", "not in", ["a", 1, 1]]`},
		"in nothing":   {frappe.Filter{Field: "territory", Op: frappe.OpIn, Value: []string{}}, `["Customer", "name", "is", "not set"]`},
		"not in":       {frappe.Filter{Field: "territory", Op: frappe.OpNotIn, Value: []any{}}, `["Customer", "name", "is", "set"]`},
		"child":        {frappe.Filter{DocType: "Sales Team", Field: "sales_person", Op: frappe.OpLike, Value: "%x%"}, `["Sales Team", "sales_person", "like", "%x%"]`},
		"child in no":  {frappe.Filter{DocType: "Sales Team", Field: "idx", Op: frappe.OpIn, Value: []any{}}, `["Customer", "name", "is", "not set"]`},
		"between":      {frappe.Filter{Field: "creation", Op: frappe.OpBetween, Value: []any{"2026-01-01", "2026-02-01"}}, `["Customer", "creation", "between", ["2026-01-01", "2026-02-01"]]`},
		"is set":       {frappe.Filter{Field: "tax_id", Op: frappe.OpIs, Value: frappe.IsSet}, `["Customer", "tax_id", "is", "set"]`},
		"timespan":     {frappe.Filter{Field: "creation", Op: frappe.OpTimespan, Value: "last week"}, `["Customer", "creation", "timespan", "last week"]`},
		"tree":         {frappe.Filter{Field: "territory", Op: frappe.OpNotAncestorsOf, Value: "X"}, `["Customer", "territory", "not ancestors of", "X"]`},
		"private user": {frappe.Filter{Field: "_assign", Op: frappe.OpNotLike, Value: "%a%"}, `["Customer", "_assign", "not like", "%a%"]`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, ok(`{"message": []}`))
			q := query()
			q.OrFilters = []frappe.Filter{c.filter}
			if _, err := b.List(t.Context(), cred(t), q); err != nil {
				t.Fatal(err)
			}
			want := []any{decodeJSON(t, c.sent)}
			if diff := cmp.Diff(want, b.last(t).json(t)["or_filters"]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever could be read as something else than meant is refused before it is sent.
func TestListRefuses(t *testing.T) {
	t.Parallel()
	name := frappe.Column{Field: "name"}
	cases := map[string]frappe.ListQuery{
		"no DocType":        {Columns: []frappe.Column{name}},
		"backtick DocType":  {DocType: "Customer` join `tabUser", Columns: []frappe.Column{name}},
		"dotted DocType":    {DocType: "a.b", Columns: []frappe.Column{name}},
		"blank DocType":     {DocType: "Customer ", Columns: []frappe.Column{name}},
		"control DocType":   {DocType: "Cust\nomer", Columns: []frappe.Column{name}},
		"parent":            {DocType: "Customer", Parent: "x;y", Columns: []frappe.Column{name}},
		"no columns":        {DocType: "Customer"},
		"star":              {DocType: "Customer", Columns: []frappe.Column{{Field: "*"}}},
		"SQL in a field":    {DocType: "Customer", Columns: []frappe.Column{{Field: "name, sleep(1)"}}},
		"dot in a field":    {DocType: "Customer", Columns: []frappe.Column{{Field: "customer.territory"}}},
		"SQL in an alias":   {DocType: "Customer", Columns: []frappe.Column{{Field: "name", As: "a b"}}},
		"child DocType":     {DocType: "Customer", Columns: []frappe.Column{{DocType: "x`", Field: "name"}}},
		"unknown function":  {DocType: "Customer", Columns: []frappe.Column{{Func: "sleep", Field: "name", As: "n"}}},
		"nameless function": {DocType: "Customer", Columns: []frappe.Column{{Func: "sum", Field: "x"}}},
		"same column":       {DocType: "Customer", Columns: []frappe.Column{name, name}},
		"function group":    {DocType: "Customer", Columns: []frappe.Column{name}, GroupBy: []frappe.Column{{Func: "sum", Field: "x", As: "y"}}},
		"SQL in group":      {DocType: "Customer", Columns: []frappe.Column{name}, GroupBy: []frappe.Column{{Field: "1,2"}}},
		"SQL in order":      {DocType: "Customer", Columns: []frappe.Column{name}, OrderBy: []frappe.Order{{Field: "1;"}}},
		"order DocType":     {DocType: "Customer", Columns: []frappe.Column{name}, OrderBy: []frappe.Order{{DocType: "`", Field: "x"}}},
		"order alias":       {DocType: "Customer", Columns: []frappe.Column{name}, OrderBy: []frappe.Order{{Field: "n", Alias: true}}},
		"negative limit":    {DocType: "Customer", Columns: []frappe.Column{name}, Limit: -1},
		"negative start":    {DocType: "Customer", Columns: []frappe.Column{name}, Start: -1},
		"child max": {
			DocType: "Customer", Columns: []frappe.Column{{Func: "max", Field: "idx", As: "m"}},
			Filters: []frappe.Filter{{DocType: "Sales Team", Field: "idx", Op: frappe.OpEq, Value: 1}},
		},
		"filter field":     query(frappe.Filter{Field: "a`b", Op: frappe.OpEq, Value: ""}),
		"filter DocType":   query(frappe.Filter{DocType: "a`b", Field: "a", Op: frappe.OpEq, Value: ""}),
		"operator":         query(frappe.Filter{Field: "a", Op: "regexp", Value: ""}),
		"no operator":      query(frappe.Filter{Field: "a", Value: ""}),
		"null":             query(frappe.Filter{Field: "a", Op: frappe.OpEq}),
		"list for one":     query(frappe.Filter{Field: "a", Op: frappe.OpEq, Value: []string{"x"}}),
		"text for list":    query(frappe.Filter{Field: "a", Op: frappe.OpIn, Value: "x,y"}),
		"object":           query(frappe.Filter{Field: "a", Op: frappe.OpEq, Value: map[string]any{}}),
		"nested list":      query(frappe.Filter{Field: "a", Op: frappe.OpIn, Value: []any{[]any{}}}),
		"between one":      query(frappe.Filter{Field: "a", Op: frappe.OpBetween, Value: []any{1}}),
		"is something":     query(frappe.Filter{Field: "a", Op: frappe.OpIs, Value: "x"}),
		"tree of a number": query(frappe.Filter{Field: "a", Op: frappe.OpAncestorsOf, Value: 1}),
		"timespan":         query(frappe.Filter{Field: "a", Op: frappe.OpTimespan, Value: ""}),
		"NaN":              query(frappe.Filter{Field: "a", Op: frappe.OpEq, Value: math.NaN()}),
		"no number":        query(frappe.Filter{Field: "a", Op: frappe.OpEq, Value: json.Number(`1,"x"`)}),
		"invalid UTF-8":    query(frappe.Filter{Field: "a", Op: frappe.OpEq, Value: "\xff"}),
	}
	b := setup(t, frappe.Config{}, ok(`{"message": []}`))
	for name, q := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := b.List(t.Context(), cred(t), q); apierror.CodeOf(err) != apierror.BadUserInput {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if n := b.count(); n > 0 {
			t.Errorf("%d requests were sent", n)
		}
	})
}

func TestDialects(t *testing.T) {
	t.Parallel()
	q := frappe.ListQuery{
		DocType: "Sales Order",
		Columns: []frappe.Column{
			{Field: "status", As: "s"},
			{Func: frappe.FuncCount, Field: "name", As: "n"},
			{Func: frappe.FuncSum, Field: "grand_total", As: "total"},
		},
	}
	child := q
	child.Filters = []frappe.Filter{{DocType: "Sales Order Item", Field: "qty", Op: frappe.OpGt, Value: 1}}
	columns16 := `["status as s", {"COUNT": "*", "as": "n"}, {"SUM": "grand_total", "as": "total"}]`
	cases := []struct {
		version     string
		plain, join string
	}{
		{
			"15.44.2", `["status as s", "count(name) as n", "sum(grand_total) as total"]`,
			"[\"status as s\", \"count(`tabSales Order`.`name`) as n\", \"sum(`tabSales Order`.`grand_total`) as total\"]",
		},
		{"nonsense", `["status as s", "count(name) as n", "sum(grand_total) as total"]`, ""},
		{"16.0.0-beta.1", columns16, columns16},
		{"v17.x-develop", columns16, columns16},
	}
	for _, c := range cases {
		t.Run(c.version, func(t *testing.T) {
			t.Parallel()
			b := setup(t, frappe.Config{}, ok(`{"message": []}`))
			b.SetVersion(frappe.Versions{Frappe: c.version})
			for text, q := range map[string]frappe.ListQuery{c.plain: q, c.join: child} {
				if text == "" {
					continue
				}
				if _, err := b.List(t.Context(), cred(t), q); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(decodeJSON(t, text), b.last(t).json(t)["fields"]); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}
}

// Frappe 15 refuses letters outside ASCII in order_by and group_by.
func TestForeignDocType(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, ok(`{"message": []}`))
	_, err := b.List(t.Context(), cred(t), frappe.ListQuery{
		DocType: "客户", Columns: []frappe.Column{{Field: "name"}}, OrderBy: []frappe.Order{{Field: "name", Desc: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.last(t).json(t)["order_by"]; got != "name desc" {
		t.Errorf("order_by %q", got)
	}
}
