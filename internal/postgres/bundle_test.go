package postgres_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) {
	code := postgrestest.Main(m)
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// testBundle is a migrated database with the descriptors of its types.
type testBundle struct {
	*testing.T
	db                    *postgres.DB
	contract, visit, part *doctype.Type
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{T: t, db: postgrestest.New(t)}
	b.contract, b.visit, b.part = exampleTypes()
	return b
}

// with is the bundle of a subtest.
func (b *testBundle) with(t *testing.T) *testBundle {
	t.Helper()
	sub := *b
	sub.T = t
	return &sub
}

// exampleTypes are the descriptors of the example app, as its SDL gives them.
func exampleTypes() (contract, visit, part *doctype.Type) {
	id := func() *doctype.Field {
		return &doctype.Field{Name: "id", Column: "id", Kind: doctype.ID, GraphQLType: "ID", NonNull: true}
	}
	field := func(name, column string, kind doctype.Kind, typ string, nonNull bool) *doctype.Field {
		return &doctype.Field{Name: name, Column: column, Kind: kind, GraphQLType: typ, NonNull: nonNull, Nullable: !nonNull}
	}
	link := func(name, target string, nonNull bool) *doctype.Field {
		f := field(name, name, doctype.Link, strings.ReplaceAll(target, " ", ""), nonNull)
		f.Target = target
		return f
	}
	list := func(name, target, follows string) *doctype.Field {
		return &doctype.Field{Name: name, Kind: doctype.ReverseList, Target: target, Options: follows, GraphQLType: target}
	}
	contract = &doctype.Type{Name: "ServiceContract", Key: "ServiceContract", Source: doctype.Local, Table: "service_contract", Fields: []*doctype.Field{
		id(), link("customer", "Customer", true), link("item", "Item", true), link("manager", "User", false),
		field("status", "status", doctype.Enum, "ServiceContractStatus", true),
		field("startDate", "start_date", doctype.Date, "Date", true),
		field("endDate", "end_date", doctype.Date, "Date", false),
		field("monthlyFee", "monthly_fee", doctype.Decimal, "Decimal", true),
		field("notes", "notes", doctype.String, "String", false),
		field("createdAt", "created_at", doctype.DateTime, "DateTime", true),
		field("updatedAt", "updated_at", doctype.DateTime, "DateTime", true),
		list("visits", "ServiceVisit", "contract"),
		{Name: "daysLeft", Kind: doctype.Custom, GraphQLType: "Int"},
	}}
	visit = &doctype.Type{Name: "ServiceVisit", Key: "ServiceVisit", Source: doctype.Local, Table: "service_visit", Fields: []*doctype.Field{
		id(), link("contract", "ServiceContract", true), link("technician", "User", true),
		field("visitedAt", "visited_at", doctype.DateTime, "DateTime", true),
		field("status", "status", doctype.Enum, "ServiceVisitStatus", true),
		field("summary", "summary", doctype.String, "String", false),
		field("durationMinutes", "duration_minutes", doctype.Int, "Int", false),
		list("parts", "ServiceVisitPart", "visit"),
		field("report", "report", doctype.String, "String", false),
		link("invoice", "Sales Invoice", false),
		field("invoiceState", "invoice_state", doctype.Enum, "ServiceVisitInvoiceState", false),
		field("invoiceProblem", "invoice_problem", doctype.String, "String", false),
		field("updatedAt", "updated_at", doctype.DateTime, "DateTime", true),
	}}
	part = &doctype.Type{Name: "ServiceVisitPart", Key: "ServiceVisitPart", Source: doctype.Local, Table: "service_visit_part", Fields: []*doctype.Field{
		id(), link("visit", "ServiceVisit", true), link("item", "Item", true),
		field("qty", "qty", doctype.Float, "Float", true),
		field("rate", "rate", doctype.Decimal, "Decimal", false),
	}}
	doctype.NewRegistry([]*doctype.Type{contract, visit, part})
	contract.Writes = doctype.Writes{Create: true, Update: true, Delete: true}
	visit.Writes = doctype.Writes{Create: true, Update: true, Delete: true, Modified: visit.Field("updatedAt")}
	part.Writes = contract.Writes
	for _, f := range []*doctype.Field{visit.Field("contract"), part.Field("visit")} {
		f.OnDelete = "CASCADE"
	}
	for _, t := range []*doctype.Type{contract, visit, part} {
		for _, f := range t.Fields {
			if f.Column == "" || f.Kind == doctype.ID || f == t.Writes.Modified {
				continue
			}
			if f.Create, f.Update = doctype.Optional, doctype.Optional; f.NonNull {
				f.Create = doctype.Required
			}
		}
	}
	for _, name := range []string{"status", "monthlyFee", "createdAt", "updatedAt"} {
		contract.Field(name).Create = doctype.Optional
	}
	visit.Field("status").Create = doctype.Optional
	return contract, visit, part
}

func (b *testBundle) exec(sql string, args ...any) {
	b.Helper()
	if _, err := b.db.Pool().Exec(b.Context(), sql, args...); err != nil {
		b.Fatal(err)
	}
}

// uuid is a readable id: uuid(3) ends in 3.
func uuid(n int) string {
	const zero = "00000000-0000-0000-0000-000000000000"
	digits := strconv.Itoa(n)
	return zero[:len(zero)-len(digits)] + digits
}

// seed inserts four contracts, their visits and parts.
func (b *testBundle) seed() {
	b.Helper()
	b.exec(`insert into service_contract (id, customer, item, manager, status, start_date, end_date, monthly_fee, notes, created_at, updated_at) values
		($1, 'Grant Plastics', 'SKU001', 'ann@example.com', 'ACTIVE', '2026-01-01', null, 12.50, 'First "quoted" ☃', '2026-01-01 10:00:00.12+02', '2026-01-01 00:00:00Z'),
		($2, 'Grant Plastics', 'SKU002', null, 'DRAFT', '2026-02-01', '2026-12-31', 0, null, '2026-01-02Z', '2026-01-02Z'),
		($3, 'West View', 'SKU001', 'bob@example.com', 'ACTIVE', '2026-03-01', '2027-02-28', 9999999999999999.99, '', '2026-01-03Z', '2026-01-03Z'),
		($4, 'O''Neil; drop table service_contract; --', 'SKU%_\', null, 'ENDED', '2026-03-01', null, 100, '100% sure_\', '2026-01-04Z', '2026-01-04Z')`,
		uuid(1), uuid(2), uuid(3), uuid(4))
	b.exec(`insert into service_visit (id, contract, technician, visited_at, status, summary, duration_minutes) values
		($1, $4, 'tom@example.com', '2026-04-01 09:00Z', 'DONE', 'oil', 30),
		($2, $4, 'tom@example.com', '2026-05-01 09:00Z', 'PLANNED', null, null),
		($3, $5, 'eve@example.com', '2026-04-01 09:00Z', 'DONE', 'filter', 45)`,
		uuid(11), uuid(12), uuid(13), uuid(1), uuid(3))
	b.exec(`insert into service_visit_part (id, visit, item, qty, rate) values ($1, $3, 'OIL', 1.5, 20), ($2, $4, 'FILTER', 1, null)`,
		uuid(21), uuid(22), uuid(11), uuid(13))
}

func (b *testBundle) rows(q postgres.Query) *postgres.Table {
	b.Helper()
	table, err := b.db.Rows(b.Context(), q)
	if err != nil {
		b.Fatal(err)
	}
	return table
}

// ids gives the last digits of the ids of rows: "1 2 3".
func ids(table *postgres.Table) string {
	var out []string
	for _, row := range table.Rows {
		id := strings.Trim(string(row[0]), `"`)
		out = append(out, strings.TrimLeft(id[strings.LastIndex(id, "-")+1:], "0"))
	}
	return strings.Join(out, " ")
}

// statements counts the SQL statements run under the context.
func statements(ctx context.Context) (context.Context, func() []postgres.Statement) {
	seen := make(chan postgres.Statement, 100)
	ctx = postgres.WithObserver(ctx, func(s postgres.Statement) { seen <- s })
	return ctx, func() []postgres.Statement {
		var out []postgres.Statement
		for len(seen) > 0 {
			out = append(out, <-seen)
		}
		return out
	}
}

func cond(t *doctype.Type, field string, op criteria.Op, v any) *criteria.Expr {
	return &criteria.Expr{Cond: &criteria.Cond{Field: t.Field(field), Op: op, Value: v, Path: "where." + field + "." + string(op)}}
}

func and(kids ...*criteria.Expr) *criteria.Expr { return &criteria.Expr{And: kids} }
func or(kids ...*criteria.Expr) *criteria.Expr  { return &criteria.Expr{Or: kids} }
func not(kid *criteria.Expr) *criteria.Expr     { return &criteria.Expr{Not: kid} }

// position is that of rows[i] of a table read with the order.
func position(table *postgres.Table, order []criteria.Order, i int) *postgres.Position {
	p := &postgres.Position{Key: strings.Trim(string(table.Rows[i][0]), `"`)}
	for _, o := range order {
		p.Values = append(p.Values, table.Rows[i][slices.Index(table.Columns, o.Field.Column)])
	}
	return p
}
