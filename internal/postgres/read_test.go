package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

func TestRowsValues(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	ctx, seen := statements(t.Context())
	table, err := b.db.Rows(ctx, postgres.Query{Type: b.contract, Limit: 2, Columns: []*doctype.Field{
		b.contract.Field("customer"), b.contract.Field("manager"), b.contract.Field("status"), b.contract.Field("startDate"),
		b.contract.Field("endDate"), b.contract.Field("monthlyFee"), b.contract.Field("notes"), b.contract.Field("createdAt"), b.contract.Field("customer"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(table.Columns, " "), "id customer manager status start_date end_date monthly_fee notes created_at"; got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	want := []string{
		`["` + uuid(1) + `","Grant Plastics","ann@example.com","ACTIVE","2026-01-01",null,12.50,"First \"quoted\" ☃","2026-01-01T08:00:00.120000Z"]`,
		`["` + uuid(2) + `","Grant Plastics",null,"DRAFT","2026-02-01","2026-12-31",0.00,null,"2026-01-02T00:00:00.000000Z"]`,
	}
	for i, row := range table.Rows {
		var parts []string
		for _, v := range row {
			parts = append(parts, string(v))
		}
		if got := "[" + strings.Join(parts, ",") + "]"; got != want[i] {
			t.Errorf("row %d\n got %s\nwant %s", i, got, want[i])
		}
	}
	if s := seen(); len(s) != 1 || s[0].Name != "rows" || s[0].Type != "ServiceContract" || s[0].Rows != 2 || s[0].Err != nil {
		t.Errorf("statements: %+v", s)
	}
}

func TestEveryColumnType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(`create table every (id bigint primary key, b boolean, i integer, f double precision, r real, n numeric, t time, j jsonb, js json, ts timestamptz, d date, s text)`)
	b.exec(`insert into every values
		(1, true, -2147483648, 0.1, 0.1, 100000000000000000000.000000001, '15:04:05.5', '{"a": [1, "x"]}', '[1, 2]', '2026-06-30 23:59:59.999999+02', '0001-01-01', E'a\nb\t"\\'),
		(2, false, 7, 'NaN', 'Infinity', 'NaN', '00:00', 'null', '"s"', 'infinity', '-infinity', '</script>'),
		(3, null, null, 1e300, null, null, null, null, null, null, null, null)`)
	typ := &doctype.Type{Name: "Every", Key: "Every", Source: doctype.Local, Table: "every"}
	kinds := map[string]doctype.Kind{
		"id": doctype.ID, "b": doctype.Boolean, "i": doctype.Int, "f": doctype.Float, "r": doctype.Float, "n": doctype.Decimal,
		"t": doctype.Time, "j": doctype.JSON, "js": doctype.JSON, "ts": doctype.DateTime, "d": doctype.Date, "s": doctype.String,
	}
	for name := range strings.FieldsSeq("id b i f r n t j js ts d s") {
		typ.Fields = append(typ.Fields, &doctype.Field{Name: name, Column: name, Kind: kinds[name], GraphQLType: "X", Nullable: name != "id"})
	}
	if err := b.db.CheckColumns(t.Context(), []*doctype.Type{typ}); err != nil {
		t.Error(err)
	}
	want := []string{
		`[1,true,-2147483648,0.1,0.1,100000000000000000000.000000001,"15:04:05.5",{"a": [1, "x"]},[1, 2],"2026-06-30T21:59:59.999999Z","0001-01-01","a\nb\t\"\\"]`,
		`[2,false,7,null,null,null,"00:00:00",null,"s",null,null,"</script>"]`,
		`[3,null,null,1e+300,null,null,null,null,null,null,null,null]`,
	}
	table := b.rows(postgres.Query{Type: typ, Columns: typ.Fields})
	for i, row := range table.Rows {
		var parts []string
		for _, v := range row {
			if !v.IsValid() {
				t.Errorf("row %d: %q is not JSON", i, v)
			}
			parts = append(parts, string(v))
		}
		if got := "[" + strings.Join(parts, ",") + "]"; got != want[i] {
			t.Errorf("row %d\n got %s\nwant %s", i, got, want[i])
		}
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	c, v, p := b.contract, b.visit, b.part
	parts := &criteria.Expr{Rows: &criteria.RowsExpr{Field: v.Field("parts"), Of: p, Where: cond(p, "qty", criteria.Gt, json.Number("1"))}}
	visits := func(where *criteria.Expr) *criteria.Expr {
		return &criteria.Expr{Rows: &criteria.RowsExpr{Field: c.Field("visits"), Of: v, Where: where}}
	}
	for name, tc := range map[string]struct {
		where *criteria.Expr
		want  string
	}{
		"nil":                {nil, "1 2 3 4"},
		"empty":              {&criteria.Expr{}, "1 2 3 4"},
		"eq":                 {cond(c, "customer", criteria.Eq, "Grant Plastics"), "1 2"},
		"eq is exact":        {cond(c, "customer", criteria.Eq, "grant plastics"), ""},
		"eq null":            {cond(c, "manager", criteria.Eq, nil), "2 4"},
		"ne":                 {cond(c, "manager", criteria.Ne, "ann@example.com"), "2 3 4"},
		"ne null":            {cond(c, "manager", criteria.Ne, nil), "1 3"},
		"id":                 {cond(c, "id", criteria.Eq, uuid(3)), "3"},
		"id in":              {cond(c, "id", criteria.In, []any{uuid(3), uuid(1)}), "1 3"},
		"decimal exact":      {cond(c, "monthlyFee", criteria.Eq, json.Number("9999999999999999.99")), "3"},
		"decimal near":       {cond(c, "monthlyFee", criteria.Gt, json.Number("9999999999999999.98")), "3"},
		"decimal as text":    {cond(c, "monthlyFee", criteria.Lte, "12.5"), "1 2"},
		"date":               {cond(c, "startDate", criteria.Gte, "2026-02-01"), "2 3 4"},
		"date null":          {cond(c, "endDate", criteria.Lt, "2027-01-01"), "2"},
		"datetime":           {cond(c, "createdAt", criteria.Lt, time.Date(2026, 1, 2, 1, 0, 0, 0, time.FixedZone("", 7200))), "1"},
		"enum":               {cond(c, "status", criteria.In, []any{"DRAFT", "ENDED"}), "2 4"},
		"in nothing":         {cond(c, "status", criteria.In, []any{}), ""},
		"not in nothing":     {cond(c, "status", criteria.NotIn, []any{}), "1 2 3 4"},
		"not in":             {cond(c, "manager", criteria.NotIn, []any{"ann@example.com", "x"}), "2 3 4"},
		"like folds case":    {cond(c, "customer", criteria.Like, "%PLAST%"), "1 2"},
		"like whole":         {cond(c, "customer", criteria.Like, "grant"), ""},
		"like underscore":    {cond(c, "item", criteria.Like, "sku00_"), "1 2 3"},
		"like backslash":     {cond(c, "item", criteria.Like, `%\`), "4"},
		"not like":           {cond(c, "manager", criteria.NotLike, "ANN%"), "2 3 4"},
		"like id":            {cond(c, "id", criteria.Like, "%3"), "3"},
		"set":                {cond(c, "notes", criteria.IsSet, true), "1 4"},
		"not set":            {cond(c, "notes", criteria.IsSet, false), "2 3"},
		"date set":           {cond(c, "endDate", criteria.IsSet, true), "2 3"},
		"date not set":       {cond(c, "endDate", criteria.IsSet, false), "1 4"},
		"and":                {and(cond(c, "customer", criteria.Eq, "Grant Plastics"), cond(c, "status", criteria.Eq, "ACTIVE")), "1"},
		"or":                 {or(cond(c, "status", criteria.Eq, "DRAFT"), cond(c, "item", criteria.Eq, "SKU001")), "1 2 3"},
		"nested":             {and(not(or(cond(c, "status", criteria.Eq, "DRAFT"), cond(c, "status", criteria.Eq, "ENDED"))), cond(c, "item", criteria.Eq, "SKU001")), "1 3"},
		"not brings nulls":   {not(cond(c, "manager", criteria.Eq, "ann@example.com")), "2 3 4"},
		"rows":               {visits(cond(v, "status", criteria.Eq, "DONE")), "1 3"},
		"no rows":            {not(visits(nil)), "2 4"},
		"rows of rows":       {visits(parts), "1"},
		"quote and drop":     {cond(c, "customer", criteria.Eq, "O'Neil; drop table service_contract; --"), "4"},
		"value like SQL":     {cond(c, "customer", criteria.Eq, "' or true --"), ""},
		"value like operand": {cond(c, "customer", criteria.In, []any{`["like","%"]`, `{},"`, `NULL`, `\`, `"`}), ""},
		"value in list":      {cond(c, "item", criteria.In, []any{`SKU%_\`, "a,b", ""}), "4"},
	} {
		t.Run(name, func(t *testing.T) {
			table := b.with(t).rows(postgres.Query{Type: c, Where: tc.where})
			if got := ids(table); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			n, err := b.db.Count(t.Context(), postgres.Query{Type: c, Where: tc.where})
			if err != nil || int(n) != len(table.Rows) {
				t.Errorf("count %d of %d rows, %v", n, len(table.Rows), err)
			}
		})
	}
}

func TestBadValues(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, v := b.contract, b.visit
	for name, tc := range map[string]struct {
		typ   *doctype.Type
		where *criteria.Expr
		field string
	}{
		"NUL":            {c, cond(c, "customer", criteria.Eq, "a\x00b"), "where.customer.eq"},
		"NUL in list":    {c, cond(c, "customer", criteria.In, []any{"a", "b\x00"}), "where.customer.in.1"},
		"NUL in pattern": {c, cond(c, "customer", criteria.Like, "\x00"), "where.customer.like"},
		"bad UTF-8":      {c, cond(c, "customer", criteria.Eq, "\xff"), "where.customer.eq"},
		"date":           {c, cond(c, "startDate", criteria.Gt, "tomorrow"), "where.startDate.gt"},
		"infinity":       {c, cond(c, "startDate", criteria.Gt, "infinity"), "where.startDate.gt"},
		"now":            {c, cond(c, "createdAt", criteria.Lt, "now"), "where.createdAt.lt"},
		"NaN":            {c, cond(c, "monthlyFee", criteria.Eq, "NaN"), "where.monthlyFee.eq"},
		"long number":    {c, cond(c, "monthlyFee", criteria.Eq, strings.Repeat("9", 1000)), "where.monthlyFee.eq"},
		"int fraction":   {v, cond(v, "durationMinutes", criteria.Eq, json.Number("1.5")), "where.durationMinutes.eq"},
		"int range":      {v, cond(v, "durationMinutes", criteria.Eq, json.Number("3000000000")), "where.durationMinutes.eq"},
		"id":             {c, cond(c, "id", criteria.Eq, "x"), "where.id.eq"},
		"id in list":     {c, and(cond(c, "status", criteria.Eq, "DRAFT"), cond(c, "id", criteria.In, []any{"x"})), "where.id.in"},
		"gt null":        {c, cond(c, "startDate", criteria.Gt, nil), "where.startDate.gt"},
		"null in list":   {c, cond(c, "status", criteria.In, []any{nil}), "where.status.in.0"},
		"map":            {c, cond(c, "status", criteria.Eq, map[string]any{}), "where.status.eq"},
		"operator":       {c, cond(c, "status", "= '' or", "x"), "where.status.= '' or"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.db.Rows(t.Context(), postgres.Query{Type: tc.typ, Where: tc.where})
			e, ok := apierror.As(err)
			if !ok || e.Code != apierror.BadUserInput || e.Field != tc.field {
				t.Errorf("got %v (%+v)", err, e)
			}
		})
	}
}

func TestRowsByKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	ctx, seen := statements(t.Context())
	table, err := b.db.RowsByKeys(ctx, postgres.KeysQuery{Type: b.contract, Keys: []string{uuid(3), uuid(1), "x", uuid(9), uuid(3), "", "\x00"}})
	if err != nil || ids(table) != "1 3" {
		t.Errorf("%q, %v", ids(table), err)
	}
	table, err = b.db.RowsByKeys(ctx, postgres.KeysQuery{
		Type: b.contract, KeyField: b.contract.Field("customer"), Keys: []string{"West View", "Grant Plastics"},
		Where: cond(b.contract, "status", criteria.Eq, "ACTIVE"),
	})
	if err != nil || ids(table) != "1 3" || table.Columns[1] != "customer" {
		t.Errorf("%q, %v", ids(table), err)
	}
	if n := len(seen()); n != 2 {
		t.Errorf("%d statements", n)
	}
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	c, v := b.contract, b.visit
	for name, tc := range map[string]struct {
		q    criteria.Aggregate
		want string
	}{
		"all": {criteria.Aggregate{Type: v, Figures: []criteria.Figure{
			{Func: criteria.Count, As: "count"},
			{Func: criteria.Sum, Field: v.Field("durationMinutes"), As: "sum_duration"},
			{Func: criteria.Min, Field: v.Field("visitedAt"), As: "min_at"},
		}}, `3,75,"2026-04-01T09:00:00.000000Z"`},
		"none": {criteria.Aggregate{Type: c, Where: cond(c, "customer", criteria.Eq, "x"), Figures: []criteria.Figure{
			{Func: criteria.Count, As: "count"}, {Func: criteria.Sum, Field: c.Field("monthlyFee"), As: "fee"},
		}}, `0,null`},
		"groups": {criteria.Aggregate{Type: c, GroupBy: []*doctype.Field{c.Field("status")}, Figures: []criteria.Figure{
			{Func: criteria.Count, As: "count"}, {Func: criteria.Max, Field: c.Field("monthlyFee"), As: "fee"},
		}}, `"ACTIVE",2,9999999999999999.99 "DRAFT",1,0.00 "ENDED",1,100.00`},
		"ordered": {criteria.Aggregate{
			Type: c, GroupBy: []*doctype.Field{c.Field("manager")}, Limit: 2,
			Figures: []criteria.Figure{{Func: criteria.Count, As: `a"lias`}},
			Order:   []criteria.AggregateOrder{{As: `a"lias`, Desc: true}, {Key: c.Field("manager"), Desc: true}},
		}, `null,2 "bob@example.com",1`},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := b.db.Aggregate(t.Context(), tc.q)
			if err != nil {
				t.Fatal(err)
			}
			var rows []string
			for _, row := range table.Rows {
				var parts []string
				for _, value := range row {
					parts = append(parts, string(value))
				}
				rows = append(rows, strings.Join(parts, ","))
			}
			if got := strings.Join(rows, " "); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
	if _, err := b.db.Aggregate(t.Context(), criteria.Aggregate{Type: c, Figures: []criteria.Figure{{Func: "pg_sleep", Field: c.Field("status"), As: "x"}}}); err == nil {
		t.Error("an unknown function ran")
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// A lock makes the read wait for as long as the test wants.
	tx, err := b.db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), "lock table service_contract in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.db.Rows(ctx, postgres.Query{Type: b.contract}); apierror.CodeOf(err) != apierror.UpstreamTimeout {
		t.Errorf("deadline: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := b.db.Rows(ctx, postgres.Query{Type: b.contract}); apierror.CodeOf(err) != apierror.Internal {
		t.Errorf("cancelled: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	contract, _, _ := exampleTypes()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: "postgres://erpgraph:hunter2@127.0.0.1:1/x?sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, err := range map[string]error{
		"ping": db.Ping(t.Context()),
		"rows": func() error {
			_, err := db.Rows(t.Context(), postgres.Query{Type: contract})
			return err
		}(),
	} {
		if apierror.CodeOf(err) != apierror.UpstreamUnavailable || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := postgres.Open(t.Context(), postgres.Config{URL: "postgres://u:hunter2@h:port/x"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("bad URL: %v", err)
	}
}

func TestForeignTypesRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, typ := range []*doctype.Type{
		{Name: "Customer", Key: "Customer", Source: doctype.Upstream},
		{Name: "Gone", Key: "Gone", Source: doctype.Local, Table: "gone"},
		{Name: "Secret", Key: "Secret", Source: doctype.Local, Table: "pg_authid"},
	} {
		if _, err := b.db.Rows(t.Context(), postgres.Query{Type: typ}); err == nil {
			t.Errorf("%s was read", typ.Name)
		}
	}
	gone := &doctype.Field{Name: "gone", Column: `id" from service_contract; drop table service_contract; --`}
	if _, err := b.db.Rows(t.Context(), postgres.Query{Type: b.contract, Columns: []*doctype.Field{gone}}); err == nil {
		t.Error("an unknown column was read")
	}
}

// A statement that compares with a list of names is planned for these names each time: a
// plan for any names would compare each row with each name.
func TestListsOfNamesArePlannedAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	kept := func(part string) (n int) {
		b.Helper()
		if err := b.db.Pool().QueryRow(t.Context(), `select count(*) from pg_prepared_statements where strpos(statement, $1) > 0`, part).Scan(&n); err != nil {
			b.Fatal(err)
		}
		return n
	}
	many := make([]any, 5000)
	for i := range many {
		many[i] = fmt.Sprint("Customer ", i)
	}
	customer := &doctype.Type{Name: "Customer", Key: "Customer", Source: doctype.Upstream}
	hop := doctype.Hop{Type: b.contract, Field: b.contract.Field("customer"), Target: customer}
	for i := range 8 {
		names := []any{"Grant Plastics"}
		if i == 7 {
			names = append(names, many...)
		}
		texts := make([]string, len(names))
		for i, n := range names {
			texts[i] = fmt.Sprint(n)
		}
		if got := ids(b.rows(postgres.Query{Type: b.contract, Where: cond(b.contract, "customer", criteria.In, names)})); got != "1 2" {
			t.Errorf("run %d: in brings %q", i, got)
		}
		if got := ids(b.rows(postgres.Query{Type: b.contract, Where: cond(b.contract, "customer", criteria.NotIn, names)})); got != "3 4" {
			t.Errorf("run %d: not in brings %q", i, got)
		}
		if got := ids(b.rows(postgres.Query{Type: b.contract, Where: &criteria.Expr{Ends: &criteria.EndsExpr{Chain: []doctype.Hop{hop}, In: texts}}})); got != "1 2" {
			t.Errorf("run %d: ends bring %q", i, got)
		}
		if got := ids(b.rows(postgres.Query{Type: b.contract, Where: cond(b.contract, "customer", criteria.Eq, "West View")})); got != "3" {
			t.Errorf("run %d: eq brings %q", i, got)
		}
	}
	if kept(`"customer" = $1`) != 1 {
		t.Error("other statements are not kept, or the connection is another one")
	}
	if n := kept("any($1)") + kept("all($1)"); n > 0 {
		t.Errorf("%d statements are kept", n)
	}
}
