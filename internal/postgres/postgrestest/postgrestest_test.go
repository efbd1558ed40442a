package postgrestest_test

import (
	"os"
	"testing"

	"erpgraph/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

func TestSchemasAreApart(t *testing.T) {
	t.Parallel()
	one, other := postgrestest.New(t), postgrestest.New(t)
	const insert = "insert into service_contract (customer, item, start_date) values ('c', 'i', now())"
	if _, err := one.Pool().Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	for name, rows := range map[string]int{"own": 1, "again": 1, "other": 0} {
		db := one
		switch name {
		case "again":
			db = postgrestest.Again(t, one)
		case "other":
			db = other
		}
		var n int
		if err := db.Pool().QueryRow(t.Context(), "select count(*) from service_contract").Scan(&n); err != nil || n != rows {
			t.Errorf("%s: %d rows, %v", name, n, err)
		}
	}
}
