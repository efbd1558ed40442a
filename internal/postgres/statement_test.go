package postgres_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// exampleColumns tells of each column of the example app whether it may be NULL.
func exampleColumns() map[string]map[string]bool {
	contract, visit, part := exampleTypes()
	out := map[string]map[string]bool{}
	for _, t := range []*doctype.Type{contract, visit, part} {
		out[t.Table] = map[string]bool{}
		for _, f := range t.Fields {
			if f.Column != "" {
				out[t.Table][f.Column] = f.Nullable
			}
		}
	}
	return out
}

func TestStatements(t *testing.T) {
	t.Parallel()
	c, v, _ := exampleTypes()
	raw := func(values ...string) (out []jsontext.Value) {
		for _, s := range values {
			out = append(out, jsontext.Value(s))
		}
		return out
	}
	const from = `select t1."id" from "service_contract" as t1 where true`
	for name, tc := range map[string]struct {
		q    postgres.Query
		sql  string
		args []any
	}{
		"all": {postgres.Query{}, from + ` order by t1."id"`, nil},
		"last": {
			postgres.Query{Limit: 2, Backward: true},
			from + ` order by t1."id" desc limit $1`,
			[]any{"2"},
		},
		"columns": {
			postgres.Query{Columns: []*doctype.Field{c.Field("notes"), c.Field("id")}, Order: []criteria.Order{{Field: c.Field("status"), Desc: true}}},
			`select t1."id", t1."notes", t1."status" from "service_contract" as t1 where true order by t1."status" desc, t1."id" desc`, nil,
		},
		"tuple": {
			postgres.Query{Order: []criteria.Order{{Field: c.Field("status")}}, After: &postgres.Position{Values: raw(`"A"`), Key: "k"}},
			`select t1."id", t1."status" from "service_contract" as t1 where true and (t1."status", t1."id") > ($1, $2) order by t1."status", t1."id"`,
			[]any{"A", "k"},
		},
		"tuple before": {
			postgres.Query{Order: []criteria.Order{{Field: c.Field("status")}}, Before: &postgres.Position{Values: raw(`"A"`), Key: "k"}, Backward: true},
			`select t1."id", t1."status" from "service_contract" as t1 where true and (t1."status", t1."id") < ($1, $2) order by t1."status" desc, t1."id" desc`,
			[]any{"A", "k"},
		},
		"mixed directions": {
			postgres.Query{Order: []criteria.Order{{Field: c.Field("monthlyFee"), Desc: true}, {Field: c.Field("id")}}, After: &postgres.Position{Values: raw(`12.50`), Key: "k"}},
			`select t1."id", t1."monthly_fee" from "service_contract" as t1 where true and (t1."monthly_fee" <= $1 and ((t1."monthly_fee" < $2) or (t1."monthly_fee" = $3 and t1."id" > $4))) order by t1."monthly_fee" desc, t1."id"`,
			[]any{"12.50", "12.50", "12.50", "k"},
		},
		"NULL ascending": {
			postgres.Query{Order: []criteria.Order{{Field: c.Field("endDate")}}, After: &postgres.Position{Values: raw(`null`), Key: "k"}},
			`select t1."id", t1."end_date" from "service_contract" as t1 where true and (((t1."end_date" is not null) or (t1."end_date" is null and t1."id" > $1))) order by t1."end_date" nulls first, t1."id"`,
			[]any{"k"},
		},
		"NULL descending": {
			postgres.Query{Order: []criteria.Order{{Field: c.Field("endDate"), Desc: true}}, After: &postgres.Position{Values: raw(`null`), Key: "k"}},
			`select t1."id", t1."end_date" from "service_contract" as t1 where true and (((t1."end_date" is null and t1."id" < $1))) order by t1."end_date" desc nulls last, t1."id" desc`,
			[]any{"k"},
		},
		"value descending": {
			postgres.Query{Order: []criteria.Order{{Field: c.Field("endDate"), Desc: true}}, After: &postgres.Position{Values: raw(`"2026-01-01"`), Key: "k"}},
			`select t1."id", t1."end_date" from "service_contract" as t1 where true and ((((t1."end_date" < $1 or t1."end_date" is null)) or (t1."end_date" = $2 and t1."id" < $3))) order by t1."end_date" desc nulls last, t1."id" desc`,
			[]any{"2026-01-01", "2026-01-01", "k"},
		},
		"rows": {
			postgres.Query{Where: &criteria.Expr{Rows: &criteria.RowsExpr{Field: c.Field("visits"), Of: v, Where: cond(v, "status", criteria.Eq, "DONE")}}},
			`select t1."id" from "service_contract" as t1 where exists (select 1 from "service_visit" as t2 where t2."contract" = t1."id" and t2."status" = $1) order by t1."id"`,
			[]any{"DONE"},
		},
		"tree": {
			postgres.Query{Where: not(or(cond(c, "customer", criteria.In, []any{"a", `"`}), and(cond(c, "monthlyFee", criteria.Ne, json.Number("1")))))},
			`select t1."id" from "service_contract" as t1 where ((t1."customer" = any($1) or (t1."monthly_fee" is distinct from $2))) is not true order by t1."id"`,
			[]any{`{"a","\""}`, "1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.q.Type = c
			sql, args, err := postgres.RowsSQL(tc.q, exampleColumns())
			if err != nil || sql != tc.sql || fmt.Sprint(args) != fmt.Sprint(tc.args) {
				t.Errorf("%v\n got %s %q\nwant %s %q", err, sql, args, tc.sql, tc.args)
			}
		})
	}
}

func TestParentStatement(t *testing.T) {
	t.Parallel()
	_, v, _ := exampleTypes()
	sql, args, err := postgres.RowsByParentSQL(postgres.ReverseQuery{
		Query: postgres.Query{
			Type: v, Limit: 3, Backward: true,
			Columns: []*doctype.Field{v.Field("summary")}, Order: []criteria.Order{{Field: v.Field("visitedAt"), Desc: true}},
		},
		ParentField: v.Field("contract"), Parents: []string{"a", "b"},
	}, exampleColumns())
	want := `select p.n, r.c1, r.c2, r.c3 from unnest($1::text[]) with ordinality as p(key, n)` +
		` cross join lateral (select * from (select t1."id" as c1, t1."summary" as c2, t1."visited_at" as c3 from "service_visit" as t1` +
		` where t1."contract" = p.key and true offset 0) as f order by f.c3, f.c1 limit $2) as r` +
		` order by p.n, r.c3 desc, r.c1 desc`
	if err != nil || sql != want || fmt.Sprint(args) != `[{"a","b"} 3]` {
		t.Errorf("%v\n got %s %q\nwant %s", err, sql, args, want)
	}
}

func TestAppendTimestamp(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"2026-01-31 15:04:05+00":        `"2026-01-31T15:04:05.000000Z"`,
		"2026-01-31 15:04:05.1+00":      `"2026-01-31T15:04:05.100000Z"`,
		"2026-01-31 15:04:05.123456+00": `"2026-01-31T15:04:05.123456Z"`,
		"0044-03-15 00:00:00+00 BC":     `"0044-03-15 00:00:00+00 BC"`,
	} {
		if got := postgres.AppendTimestamp(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

// FuzzValues holds that no value ever becomes part of a statement: whatever a client
// writes, the SQL is the same, or there is none.
func FuzzValues(f *testing.F) {
	f.Add("Grant Plastics", `"2026-01-01"`, "k")
	f.Add("' or true --", `"' or true --"`, `"; drop table x; --`)
	f.Add("\x00", `null`, "\xff")
	f.Add(`%_\`, `{"a":1}`, "")
	f.Add("{},NULL", `1e999`, "$1")
	c, _, _ := exampleTypes()
	columns := exampleColumns()
	query := func(value, position, key string) postgres.Query {
		return postgres.Query{
			Type: c, Order: []criteria.Order{{Field: c.Field("endDate")}},
			Where: and(cond(c, "customer", criteria.Eq, value), cond(c, "item", criteria.In, []any{value}), cond(c, "notes", criteria.Like, value)),
			After: &postgres.Position{Values: []jsontext.Value{jsontext.Value(position)}, Key: key},
		}
	}
	var allowed []string
	for _, position := range []string{`"2026-01-01"`, `null`} {
		sql, _, err := postgres.RowsSQL(query("a", position, "k"), columns)
		if err != nil {
			f.Fatal(err)
		}
		allowed = append(allowed, sql)
	}
	f.Fuzz(func(t *testing.T, value, position, key string) {
		sql, args, err := postgres.RowsSQL(query(value, position, key), columns)
		if err != nil {
			return
		}
		if !slices.Contains(allowed, sql) {
			t.Errorf("the statement changed with a value: %s", sql)
		}
		for _, arg := range args {
			if s, ok := arg.(string); !ok || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Errorf("parameter %q", arg)
			}
		}
	})
}

func TestArrayTextRoundTrip(t *testing.T) {
	t.Parallel()
	b := setup(t)
	items := []string{"", "NULL", "null", ",", "{}", `"`, `\`, `\\"`, " spaced ", "\n", "☃", "a,b"}
	var got []string
	if err := b.db.Pool().QueryRow(t.Context(), "select $1::text[]", postgres.ArrayText(items)).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "|") != strings.Join(items, "|") || len(got) != len(items) {
		t.Errorf("got %q", got)
	}
}
