package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/embedded"
	"erpgraph/migrations"
)

func TestOpenEmbedded(t *testing.T) {
	t.Parallel()
	parent, err := os.MkdirTemp("", "erpgraph-open-") // t.TempDir is closed to other accounts
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(parent, 0o711); err != nil {
		t.Fatal(err)
	}
	cfg := postgres.Config{DataDir: filepath.Join(parent, "data")}
	db, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	contract, _, _ := exampleTypes()
	if _, err := postgres.Open(t.Context(), cfg); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("second process: %v", err)
	}
	if err := postgres.Migrate(t.Context(), db, migrations.FS); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Pool().Exec(t.Context(), "insert into service_contract (customer, item, start_date) values ('c', 'i', now())"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	if db, err = postgres.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if n, err := db.Count(t.Context(), postgres.Query{Type: contract}); err != nil || n != 1 || !db.Embedded() {
		t.Errorf("after a restart: %d rows, %v", n, err)
	}
	if err := db.StopServer(); err != nil {
		t.Fatal(err)
	}
	// The pool notices broken connections one by one: whatever it finds is "not reachable".
	for range 3 {
		if _, err := db.Count(t.Context(), postgres.Query{Type: contract}); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
			t.Errorf("while down: %v", err)
		}
	}
	if err := db.Ping(t.Context()); apierror.CodeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("ping while down: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
