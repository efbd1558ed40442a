package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// chains are the links that the example app's types are read through.
func chains() (contract, visit, part []doctype.Hop, c, v, p *doctype.Type) {
	c, v, p = exampleTypes()
	customer := &doctype.Type{Name: "Customer", Key: "Customer", Source: doctype.Upstream}
	contract = []doctype.Hop{{Type: c, Field: c.Field("customer"), Target: customer}}
	visit = append([]doctype.Hop{{Type: v, Field: v.Field("contract"), Target: c}}, contract...)
	part = append([]doctype.Hop{{Type: p, Field: p.Field("visit"), Target: v}}, visit...)
	return contract, visit, part, c, v, p
}

func endsIn(chain []doctype.Hop, names ...string) *criteria.Expr {
	return &criteria.Expr{Ends: &criteria.EndsExpr{Chain: chain, In: names}}
}

func TestChainStatements(t *testing.T) {
	t.Parallel()
	contract, visit, part, c, v, p := chains()
	for name, tc := range map[string]struct {
		q    postgres.Query
		sql  string
		args string
	}{
		"the end is a column": {
			postgres.Query{Type: c, End: contract, Limit: 2},
			`select t1."id", t1."customer" from "service_contract" as t1 where true order by t1."id" limit $1`, `["2"]`,
		},
		"the end is behind others": {
			postgres.Query{Type: p, End: part},
			`select t1."id", (select t3."customer" from "service_visit" as t2 join "service_contract" as t3 on t3."id" = t2."contract" where t2."id" = t1."visit") from "service_visit_part" as t1 where true order by t1."id"`, `[]`,
		},
		"one link": {
			postgres.Query{Type: c, Where: endsIn(contract, "a", `"`)},
			`select t1."id" from "service_contract" as t1 where t1."customer" = any($1) order by t1."id"`, `["{\"a\",\"\\\"\"}"]`,
		},
		"several links": {
			postgres.Query{Type: p, Where: and(cond(p, "item", criteria.Eq, "OIL"), endsIn(part, "a"))},
			`select t1."id" from "service_visit_part" as t1 where (t1."item" = $1 and exists (select 1 from "service_visit" as t2 join "service_contract" as t3 on t3."id" = t2."contract" where t2."id" = t1."visit" and t3."customer" = any($2))) order by t1."id"`,
			`["OIL" "{\"a\"}"]`,
		},
		"nobody": {
			postgres.Query{Type: v, Where: endsIn(visit)},
			`select t1."id" from "service_visit" as t1 where exists (select 1 from "service_contract" as t2 where t2."id" = t1."contract" and t2."customer" = any($1)) order by t1."id"`, `["{}"]`,
		},
		"the end is a local row": {
			postgres.Query{Type: p, Where: endsIn(part[:2])},
			`select t1."id" from "service_visit_part" as t1 where exists (select 1 from "service_visit" as t2 join "service_contract" as t3 on t3."id" = t2."contract" where t2."id" = t1."visit") order by t1."id"`, `[]`,
		},
		"within a condition on rows": {
			postgres.Query{Type: c, Where: &criteria.Expr{Rows: &criteria.RowsExpr{Field: c.Field("visits"), Of: v, Where: endsIn(visit, "a")}}},
			`select t1."id" from "service_contract" as t1 where exists (select 1 from "service_visit" as t2 where t2."contract" = t1."id" and exists (select 1 from "service_contract" as t3 where t3."id" = t2."contract" and t3."customer" = any($1))) order by t1."id"`,
			`["{\"a\"}"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sql, args, err := postgres.RowsSQL(tc.q, exampleColumns())
			if got := fmt.Sprintf("%q", args); err != nil || sql != tc.sql || got != tc.args {
				t.Errorf("%v\n got %s %s\nwant %s %s", err, sql, got, tc.sql, tc.args)
			}
		})
	}
	if _, _, err := postgres.RowsSQL(postgres.Query{Type: v, Where: endsIn(contract, "a")}, exampleColumns()); err == nil {
		t.Error("a chain that starts elsewhere was taken")
	}
}

// Rows bring where their chains end, in each kind of read that looks through them.
func TestEndsOfRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	contract, visit, part, c, v, p := chains()
	endsOf := func(table *postgres.Table) string {
		var out []string
		for _, row := range table.Rows {
			if table.Columns[len(row)-1] != postgres.EndColumn {
				t.Fatalf("columns %q", table.Columns)
			}
			out = append(out, strings.Trim(string(row[len(row)-1]), `"`))
		}
		return strings.Join(out, "|")
	}
	for name, tc := range map[string]struct {
		typ   *doctype.Type
		chain []doctype.Hop
		want  string
	}{
		"contracts": {c, contract, "Grant Plastics|Grant Plastics|West View|O'Neil; drop table service_contract; --"},
		"visits":    {v, visit, "Grant Plastics|Grant Plastics|West View"},
		"parts":     {p, part, "Grant Plastics|West View"},
	} {
		rows := b.rows(postgres.Query{Type: tc.typ, End: tc.chain, Limit: 100})
		if got := endsOf(rows); got != tc.want {
			t.Errorf("%s: %s", name, got)
		}
		keys, err := b.db.RowsByKeys(t.Context(), postgres.KeysQuery{Type: tc.typ, End: tc.chain, Keys: idsOf(rows)})
		if err != nil || endsOf(keys) != tc.want {
			t.Errorf("%s by keys: %v", name, err)
		}
	}
}

func idsOf(table *postgres.Table) []string {
	var out []string
	for _, row := range table.Rows {
		out = append(out, strings.Trim(string(row[0]), `"`))
	}
	return out
}

func TestEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	contract, _, part, c, _, p := chains()
	for name, tc := range map[string]struct {
		q    postgres.EndsQuery
		want string
	}{
		"all, each once":   {postgres.EndsQuery{Type: c, Chain: contract}, "Grant Plastics|O'Neil; drop table service_contract; --|West View"},
		"of some rows":     {postgres.EndsQuery{Type: c, Chain: contract, Where: cond(c, "status", criteria.Eq, "ACTIVE")}, "Grant Plastics|West View"},
		"bounded":          {postgres.EndsQuery{Type: c, Chain: contract, Limit: 1}, "Grant Plastics"},
		"through others":   {postgres.EndsQuery{Type: p, Chain: part}, "Grant Plastics|West View"},
		"of some of these": {postgres.EndsQuery{Type: p, Chain: part, Where: cond(p, "item", criteria.Eq, "FILTER")}, "West View"},
		"of no rows":       {postgres.EndsQuery{Type: p, Chain: part, Where: cond(p, "item", criteria.Eq, "x")}, ""},
	} {
		ctx, seen := statements(t.Context())
		got, err := b.db.Ends(ctx, tc.q)
		if err != nil || strings.Join(got, "|") != tc.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if s := seen(); len(s) != 1 || s[0].Name != "ends" || s[0].Rows != len(got) {
			t.Errorf("%s: statements %+v", name, s)
		}
	}
}

// What is restricted by ends is restricted in every kind of read.
func TestRestrictedByEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	contract, visit, part, c, v, p := chains()
	west := "West View"
	for name, tc := range map[string]struct {
		where *criteria.Expr
		typ   *doctype.Type
		want  string
	}{
		"contracts":                  {endsIn(contract, west), c, "3"},
		"visits":                     {endsIn(visit, west), v, "13"},
		"parts":                      {endsIn(part, west, "nowhere"), p, "22"},
		"the local row must exist":   {endsIn(part[:2]), p, "21 22"},
		"none":                       {endsIn(contract), c, ""},
		"the rest":                   {not(endsIn(contract, west)), c, "1 2 4"},
		"no row that may be seen":    {not(&criteria.Expr{Rows: &criteria.RowsExpr{Field: c.Field("visits"), Of: v, Where: endsIn(visit, west)}}), c, "1 2 4"},
		"some row that may be seen":  {&criteria.Expr{Rows: &criteria.RowsExpr{Field: c.Field("visits"), Of: v, Where: endsIn(visit, west)}}, c, "3"},
		"quotes are nothing special": {endsIn(contract, "O'Neil; drop table service_contract; --"), c, "4"},
	} {
		rows := b.rows(postgres.Query{Type: tc.typ, Where: tc.where})
		if got := ids(rows); got != tc.want {
			t.Errorf("%s: rows %q, want %q", name, got, tc.want)
		}
		n, err := b.db.Count(t.Context(), postgres.Query{Type: tc.typ, Where: tc.where})
		if err != nil || int(n) != len(rows.Rows) {
			t.Errorf("%s: counted %d, %v", name, n, err)
		}
	}
	byItem, err := b.db.RowsByParent(t.Context(), postgres.ReverseQuery{
		Query: postgres.Query{Type: c, Where: endsIn(contract, west), Limit: 10}, ParentField: c.Field("item"), Parents: []string{"SKU001", "SKU002"},
	})
	if err != nil || ids(&byItem.Table) != "3" {
		t.Errorf("by parent: %v", err)
	}
	sums, err := b.db.Aggregate(t.Context(), criteria.Aggregate{Type: v, Where: endsIn(visit, west), Figures: []criteria.Figure{{Func: criteria.Sum, Field: v.Field("durationMinutes"), As: "n"}}})
	if err != nil || string(sums.Rows[0][0]) != "45" {
		t.Errorf("aggregate: %v, %v", sums, err)
	}
}

// A page within a caller's reach starts from an index, also when the reach is wide.
func TestReachUsesIndexes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`insert into service_contract (customer, item, start_date)
		select 'Customer ' || n % 5000, 'Item', date '2026-01-01' + n % 300 from generate_series(1, 20000) n`)
	b.exec(`insert into service_visit (contract, technician, visited_at) select id, 'x', now() from service_contract`)
	b.exec("analyze service_contract")
	b.exec("analyze service_visit")
	contract, visit, _, c, v, _ := chains()
	few, many := []string{}, []string{}
	for i := range 1000 {
		many = append(many, fmt.Sprintf("Customer %d", i))
	}
	few = append(few, many[:3]...)
	byStart := []criteria.Order{{Field: c.Field("startDate")}}
	for name, q := range map[string]postgres.Query{
		"few names":                {Type: c, Where: endsIn(contract, few...), Limit: 21, Order: byStart},
		"many names":               {Type: c, Where: endsIn(contract, many...), Limit: 21, Order: byStart},
		"few, behind another type": {Type: v, Where: endsIn(visit, few...), Limit: 21},
		"the end of a page's rows": {Type: v, End: visit, Limit: 21},
	} {
		if plan := b.explain(q); strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s reads a whole table:\n%s", name, plan)
		}
	}
}

// explain gives the plan of a query.
func (b *testBundle) explain(q postgres.Query) string {
	b.Helper()
	sql, args, err := postgres.RowsSQL(q, exampleColumns())
	if err != nil {
		b.Fatal(err)
	}
	rows, err := b.db.Pool().Query(b.Context(), "explain "+sql, args...)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			b.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return plan.String()
}
