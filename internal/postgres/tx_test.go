package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"erpgraph/internal/apierror"
	"erpgraph/internal/postgres"
)

func (b *testBundle) contracts() string {
	b.Helper()
	return b.text("select count(*)::text from service_contract")
}

func TestInTxEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	row := values(b.contract, "customer", "c", "item", "i", "startDate", "2026-01-01")
	add := func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Insert(ctx, b.contract, row)
		return err
	}
	mine := errors.New("mine")
	err := b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		return errors.Join(add(ctx, tx), mine)
	})
	if !errors.Is(err, mine) || b.contracts() != "0" {
		t.Errorf("an error: %v, %s rows", err, b.contracts())
	}

	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
			if err := add(ctx, tx); err != nil {
				t.Error(err)
			}
			panic("boom")
		})
	}()
	if n := b.contracts(); n != "0" {
		t.Errorf("after a panic: %s rows", n)
	}

	ctx, cancel := context.WithCancel(t.Context())
	err = b.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		defer cancel()
		return add(ctx, tx)
	})
	if !errors.Is(err, context.Canceled) || b.contracts() != "0" {
		t.Errorf("the caller left before the commit: %v, %s rows", err, b.contracts())
	}

	err = b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		if err := add(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Insert(ctx, b.contract, nil); apierror.CodeOf(err) != apierror.Validation {
			t.Errorf("a row of nothing: %v", err)
		}
		return nil // the error is kept from InTx
	})
	if apierror.CodeOf(err) != apierror.Internal || b.contracts() != "0" {
		t.Errorf("an error that was swallowed: %v, %s rows", err, b.contracts())
	}

	if err = b.db.InTx(t.Context(), add); err != nil || b.contracts() != "1" {
		t.Errorf("%v, %s rows", err, b.contracts())
	}
	if n := b.db.Pool().Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// TestInTxDeadlock: two transactions that wait for each other both get through.
func TestInTxDeadlock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	var both sync.WaitGroup // until each holds its first row
	both.Add(2)
	var runs [2]int
	var errs [2]error
	var done sync.WaitGroup
	for i, order := range [][]string{{uuid(1), uuid(3)}, {uuid(3), uuid(1)}} {
		done.Go(func() {
			errs[i] = b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
				runs[i]++
				if _, err := tx.Update(ctx, b.contract, order[0], values(b.contract, "notes", order[0]), postgres.Guard{}); err != nil {
					return err
				}
				if runs[i] == 1 {
					both.Done()
					both.Wait()
				}
				_, err := tx.Update(ctx, b.contract, order[1], values(b.contract, "notes", order[0]), postgres.Guard{})
				return err
			})
		})
	}
	done.Wait()
	if errs[0] != nil || errs[1] != nil || runs[0]+runs[1] < 3 {
		t.Errorf("errors %v, runs %v", errs, runs)
	}
}

// serializable opens a pool whose transactions see no change of others.
func (b *testBundle) serializable() *postgres.DB {
	b.Helper()
	cfg := b.db.Pool().Config().ConnConfig
	db, err := postgres.Open(b.Context(), postgres.Config{URL: cfg.ConnString(), Settings: map[string]string{
		"search_path": cfg.RuntimeParams["search_path"], "default_transaction_isolation": "serializable",
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return db
}

func TestInTxRepeats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	db := b.serializable()
	for name, tc := range map[string]struct {
		disturbed, runs int // how many runs lose, and how many there are
		code            apierror.Code
	}{
		"never":      {0, 1, ""},
		"once":       {1, 2, ""},
		"three":      {3, 4, ""},
		"ever again": {9, 4, apierror.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.with(t)
			b.exec("update service_contract set notes = '' where id = $1", uuid(1))
			runs := 0
			err := db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
				if runs++; runs > 9 {
					return context.Canceled
				}
				if _, err := tx.Update(ctx, b.contract, uuid(1), nil, postgres.Guard{}); err != nil { // takes the snapshot
					return err
				}
				if runs <= tc.disturbed {
					if _, err := b.db.Pool().Exec(ctx, "update service_contract set notes = 'theirs' where id = $1", uuid(1)); err != nil {
						return err
					}
				}
				_, err := tx.Update(ctx, b.contract, uuid(1), values(b.contract, "notes", "ours"), postgres.Guard{})
				return err
			})
			if runs != tc.runs || apierror.CodeOf(err) != tc.code {
				t.Errorf("%d runs, %v", runs, err)
			}
			var pg *pgconn.PgError
			if tc.code != "" && !errors.As(err, &pg) {
				t.Errorf("the cause is lost: %v", err)
			}
			want := "ours"
			if tc.code != "" {
				want = "theirs"
			}
			if got := b.text("select notes from service_contract where id = $1", uuid(1)); got != want {
				t.Errorf("notes %q, want %q", got, want)
			}
		})
	}
}

// TestInTxCommit has triggers that act only at the commit.
func TestInTxCommit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body      string
		runs      int
		code      apierror.Code
		uncertain bool
	}{
		"serialization failure": {"raise exception using errcode = '40001'", 4, apierror.Conflict, false},
		"check":                 {"raise exception using errcode = '23514', constraint = 'late_rule', table = 'service_contract'", 1, apierror.Validation, false},
		"unknown by its code":   {"raise exception using errcode = '40003'", 1, apierror.UpstreamUnavailable, true},
		"connection cut":        {"perform pg_terminate_backend(pg_backend_pid()), pg_sleep(10)", 1, apierror.UpstreamUnavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.exec("create function act() returns trigger language plpgsql as $$ begin " + tc.body + `; return null; end $$;
				create constraint trigger act after insert on service_contract deferrable initially deferred for each row execute function act()`)
			runs := 0
			err := b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
				runs++
				_, err := tx.Insert(ctx, b.contract, values(b.contract, "customer", "c", "item", "i", "startDate", "2026-01-01"))
				return err
			})
			e, ok := apierror.As(err)
			if !ok || e.Code != tc.code || runs != tc.runs {
				t.Fatalf("%d runs, %v", runs, err)
			}
			if uncertain, _ := e.Extensions["uncertain"].(bool); uncertain != tc.uncertain {
				t.Errorf("uncertain: %t", uncertain)
			}
			if n := b.contracts(); n != "0" {
				t.Errorf("%s rows", n)
			}
		})
	}
}

// TestGuardsUnderLoad: of many who read the same row and change it by ifModified, one wins
// each round, and no change is lost.
func TestGuardsUnderLoad(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	const writers = 6
	const read = `select to_char(updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') from service_visit where id = $1`
	for range 5 {
		at := b.text(read, uuid(11))
		var won [writers]bool
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				err := b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) (err error) {
					won[i], err = tx.Update(ctx, b.visit, uuid(11), nil, postgres.Guard{Modified: at})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		for _, w := range won {
			if w {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%d of %d won", n, writers)
		}
	}
}
