package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/criteria"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
)

const benchRows = `insert into service_contract (customer, item, manager, status, start_date, end_date, monthly_fee, notes)
	select 'Customer ' || n, 'Item ' || n, 'user' || n || '@example.com', 'ACTIVE', date '2026-01-01' + n, null, n * 1.25, 'some notes, as people write them'
	from generate_series(1, 1000) n`

// BenchmarkLocalList100 reads a page of 100 rows as the graph does.
func BenchmarkLocalList100(b *testing.B) {
	db := postgrestest.New(b)
	if _, err := db.Pool().Exec(b.Context(), benchRows); err != nil {
		b.Fatal(err)
	}
	contract, _, _ := exampleTypes()
	q := postgres.Query{Type: contract, Limit: 100, Order: []criteria.Order{{Field: contract.Field("startDate")}}}
	for _, name := range []string{"customer", "item", "manager", "status", "startDate", "endDate", "monthlyFee", "notes", "createdAt"} {
		q.Columns = append(q.Columns, contract.Field(name))
	}
	b.ReportAllocs()
	for b.Loop() {
		table, err := db.Rows(b.Context(), q)
		if err != nil || len(table.Rows) != 100 {
			b.Fatal(len(table.Rows), err)
		}
	}
}

// BenchmarkPlainPgx100 is what a hand-written program would do: the measure of the above.
func BenchmarkPlainPgx100(b *testing.B) {
	db := postgrestest.New(b)
	if _, err := db.Pool().Exec(b.Context(), benchRows); err != nil {
		b.Fatal(err)
	}
	type contract struct {
		ID, Customer, Item string
		Manager            *string
		Status             string
		StartDate          time.Time
		EndDate            *time.Time
		MonthlyFee         string
		Notes              *string
		CreatedAt          time.Time
	}
	b.ReportAllocs()
	for b.Loop() {
		rows, err := db.Pool().Query(b.Context(), `select id::text, customer, item, manager, status, start_date, end_date, monthly_fee::text, notes, created_at
			from service_contract order by start_date, id limit 100`)
		if err != nil {
			b.Fatal(err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[contract])
		if err != nil || len(list) != 100 {
			b.Fatal(len(list), err)
		}
	}
}
