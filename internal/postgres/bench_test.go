package postgres_test

import (
	"context"
	"encoding/json"
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

// BenchmarkLocalInsert writes a row as the graph does, in a transaction of its own.
func BenchmarkLocalInsert(b *testing.B) {
	db := postgrestest.New(b)
	contract, _, _ := exampleTypes()
	row := values(contract, "customer", "West View", "item", "SKU001", "manager", "ann@example.com", "status", "ACTIVE",
		"startDate", "2026-01-01", "monthlyFee", json.Number("12.50"), "notes", "some notes, as people write them")
	b.ReportAllocs()
	for b.Loop() {
		err := db.InTx(b.Context(), func(ctx context.Context, tx *postgres.Tx) error {
			_, err := tx.Insert(ctx, contract, row)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlainPgxInsert is what a hand-written program would do: the measure of the above.
func BenchmarkPlainPgxInsert(b *testing.B) {
	db := postgrestest.New(b)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for b.Loop() {
		err := pgx.BeginFunc(b.Context(), db.Pool(), func(tx pgx.Tx) error {
			var id string
			return tx.QueryRow(b.Context(), `insert into service_contract (customer, item, manager, status, start_date, monthly_fee, notes)
				values ($1, $2, $3, $4, $5, $6, $7) returning id::text`, "West View", "SKU001", "ann@example.com", "ACTIVE", start, "12.50",
				"some notes, as people write them").Scan(&id)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
