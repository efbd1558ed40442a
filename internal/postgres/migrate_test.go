package postgres_test

import (
	"sync"
	"testing"
	"testing/fstest"

	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/migrations"
)

func TestReplicasMigrateTogether(t *testing.T) {
	t.Parallel()
	first := postgrestest.NewEmpty(t)
	replicas := []*postgres.DB{first, postgrestest.Again(t, first), postgrestest.Again(t, first), postgrestest.Again(t, first)}
	errs := make([]error, len(replicas))
	var wg sync.WaitGroup
	for i, db := range replicas {
		wg.Go(func() { errs[i] = postgres.Migrate(t.Context(), db, migrations.FS) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("replica %d: %v", i, err)
		}
	}
	var versions, distinct int
	err := first.Pool().QueryRow(t.Context(), "select count(*), count(distinct version_id) from goose_db_version").Scan(&versions, &distinct)
	if err != nil || versions != distinct || versions < 3 {
		t.Errorf("%d versions applied, %d of them distinct, %v", versions, distinct, err)
	}
	if err := postgres.Migrate(t.Context(), first, migrations.FS); err != nil {
		t.Errorf("again: %v", err)
	}
}

func TestBrokenMigration(t *testing.T) {
	t.Parallel()
	db := postgrestest.NewEmpty(t)
	fsys := fstest.MapFS{
		"00001_good.sql": {Data: []byte("-- +goose Up\ncreate table good (id int);\n")},
		"00002_bad.sql":  {Data: []byte("-- +goose Up\ncreate table half (id int);\ncreate tabel bad (id int);\n")},
	}
	if err := postgres.Migrate(t.Context(), db, fsys); err == nil {
		t.Fatal("no error")
	}
	var good, half bool
	err := db.Pool().QueryRow(t.Context(), "select to_regclass('good') is not null, to_regclass('half') is not null").Scan(&good, &half)
	if err != nil || !good || half {
		t.Errorf("good %t, half %t, %v", good, half, err)
	}
	delete(fsys, "00002_bad.sql")
	if err := postgres.Migrate(t.Context(), db, fsys); err != nil {
		t.Errorf("the lock was not given back: %v", err)
	}
}

func TestCheckColumns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.db.CheckColumns(t.Context(), []*doctype.Type{b.contract, b.visit, b.part}); err != nil {
		t.Errorf("the example app: %v", err)
	}
	for name, tc := range map[string]struct {
		bend func()
		want string
	}{
		"table":       {func() { b.contract.Table = "contracts" }, `type ServiceContract is @table(name: "contracts"), but no migration creates a table contracts`},
		"column":      {func() { b.contract.Field("notes").Column = "note" }, `ServiceContract.notes needs a column service_contract.note, but the migrations make none`},
		"type":        {func() { b.contract.Field("monthlyFee").Kind = doctype.Date }, `ServiceContract.monthlyFee is Decimal in the schema, but column service_contract.monthly_fee is numeric (wanted: date)`},
		"nullability": {func() { b.contract.Field("endDate").NonNull = true }, `ServiceContract.endDate is Date! in the schema, but column service_contract.end_date allows NULL`},
		"link":        {func() { b.visit.Field("contract").Target = "Customer" }, `ServiceVisit.contract is ServiceContract in the schema, but column service_visit.contract is uuid (wanted: text)`},
	} {
		t.Run(name, func(t *testing.T) {
			b.contract, b.visit, b.part = exampleTypes()
			tc.bend()
			err := b.db.CheckColumns(t.Context(), []*doctype.Type{b.contract, b.visit, b.part})
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}
