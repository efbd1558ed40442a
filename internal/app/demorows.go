package app

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"erpgraph/internal/frappe"
)

// seedDemo writes the example app's rows once: contracts for customers and items of the
// simulated site, visits, and the parts used on them. The rows are the same at each
// first start but for their dates, which lie around today.
func (a *App) seedDemo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, seedTime)
	defer cancel()
	if err := a.Migrate(ctx); err != nil {
		return err
	}
	var there bool
	if err := a.db.Pool().QueryRow(ctx, "select exists (select 1 from service_contract)").Scan(&there); err != nil || there {
		return err
	}
	cred, err := frappe.ParseAuthorization("token admin:demo")
	if err != nil {
		return err
	}
	names := func(doctype string, limit int, filters ...frappe.Filter) ([]string, error) {
		table, err := a.frappe.List(ctx, cred, frappe.ListQuery{
			DocType: doctype, Columns: []frappe.Column{{Field: "name"}}, Filters: filters,
			OrderBy: []frappe.Order{{Field: "name"}}, Limit: limit,
		})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", doctype, err)
		}
		out := make([]string, len(table.Rows))
		for i, row := range table.Rows {
			out[i] = textOf(row[0])
		}
		return out, nil
	}
	customers, err := names("Customer", 500)
	if err != nil {
		return err
	}
	items, err := names("Item", 60)
	if err != nil {
		return err
	}
	technicians := []string{"sales@example.com", "stock@example.com", "manager@example.com"}
	return pgx.BeginFunc(ctx, a.db.Pool(), func(tx pgx.Tx) error {
		return insertDemoRows(ctx, tx, customers, items, technicians, time.Now().UTC().Truncate(24*time.Hour))
	})
}

func insertDemoRows(ctx context.Context, tx pgx.Tx, customers, items, technicians []string, today time.Time) error {
	if len(customers) == 0 || len(items) == 0 {
		return fmt.Errorf("the site has no customers or items")
	}
	statuses := []string{"ACTIVE", "ACTIVE", "ACTIVE", "DRAFT", "SUSPENDED", "ENDED"}
	var contracts, visits, parts [][]any
	for i := range len(customers) * 3 / 2 {
		contract := demoID("contract", i)
		start := today.AddDate(0, -(i % 30), -(i % 27))
		var end any
		if i%4 != 0 {
			end = start.AddDate(1+i%3, 0, 0)
		}
		contracts = append(contracts, []any{
			contract, customers[i%len(customers)], items[(i*5)%len(items)], technicians[i%len(technicians)],
			statuses[i%len(statuses)], start, end, fmt.Sprintf("%d.%02d", 40+(i*37)%900, (i*13)%100),
		})
		for v := range 1 + i%3 {
			visit := demoID("visit", i*10+v)
			status := []string{"DONE", "DONE", "PLANNED", "CANCELLED"}[(i+v)%4]
			visits = append(visits, []any{
				visit, contract, technicians[(i+v)%len(technicians)], start.AddDate(0, v, 3).Add(time.Duration(8+v) * time.Hour),
				status, fmt.Sprintf("Visit %d: inspection and service", v+1), 45 + 15*(i%5),
			})
			for p := range 1 + (i+v)%2 {
				parts = append(parts, []any{
					demoID("part", i*100+v*10+p), visit, items[(i+v*3+p)%len(items)], fmt.Sprint(1 + p), fmt.Sprintf("%d.50", 5+(i*3)%60),
				})
			}
		}
	}
	for _, t := range []struct {
		table   string
		columns []string
		rows    [][]any
	}{
		{"service_contract", []string{"id", "customer", "item", "manager", "status", "start_date", "end_date", "monthly_fee"}, contracts},
		{"service_visit", []string{"id", "contract", "technician", "visited_at", "status", "summary", "duration_minutes"}, visits},
		{"service_visit_part", []string{"id", "visit", "item", "qty", "rate"}, parts},
	} {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.table}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("insert into %s: %w", t.table, err)
		}
	}
	return nil
}

// demoID is a stable id, so that links into the demo go on working on a fresh machine.
func demoID(kind string, n int) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "erpgraph demo %s %d", kind, n))
}

func textOf(v []byte) string {
	s, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return ""
	}
	return string(s)
}
