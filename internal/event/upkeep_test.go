package event_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"erpgraph/internal/apierror"
	"erpgraph/internal/event"
)

// withUpkeep gives a log whose upkeep calls fn.
func (b bundle) withUpkeep(stage func(event.Event) bool, fn func(context.Context, pgx.Tx, event.Event) ([]event.Event, error)) bundle {
	b.log = event.NewLog(event.LogConfig{Pool: b.db.Pool(), Upkeep: fn, Stage: stage})
	return b
}

func TestUpkeepFollows(t *testing.T) {
	t.Parallel()
	var asked []string
	b := setup(t).withUpkeep(nil, func(_ context.Context, _ pgx.Tx, e event.Event) ([]event.Event, error) {
		asked = append(asked, brief([]event.Event{e})...)
		return []event.Event{local(event.Updated, "of "+e.Name)}, nil
	})
	n := b.append(t,
		webhook(event.Updated, "A", 1), webhook(event.Deleted, "A", 1), renamed("B", "C", 1), gone("A"), local(event.Deleted, "7"), webhook(event.Created, "A", 2), gone("A"))
	if n != 6 {
		t.Errorf("%d new", n)
	}
	want := []string{"DELETED A@1 WEBHOOK", "RENAMED B>C@1 CATCHUP", "DELETED A@- CATCHUP"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	want = []string{
		"UPDATED A@1 WEBHOOK",
		"DELETED A@1 WEBHOOK", "RENAMED B>C@1 CATCHUP", "UPDATED of A@- LOCAL", "UPDATED of C@- LOCAL",
		"DELETED 7@- LOCAL", "CREATED A@2 WEBHOOK",
		"DELETED A@- CATCHUP", "UPDATED of A@- LOCAL",
	}
	if diff := cmp.Diff(want, brief(b.all(t, 0))); diff != "" {
		t.Error(diff)
	}
	if n := b.append(t, webhook(event.Deleted, "A", 2)); n != 0 || len(asked) != 3 {
		t.Errorf("%d new, upkeep ran %d times", n, len(asked))
	}
}

func TestUpkeepFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, tc := range map[string]struct {
		follow []event.Event
		err    error
		want   string
	}{
		"an error":          {nil, boom, "boom"},
		"an upstream event": {[]event.Event{webhook(event.Updated, "B", 1)}, nil, "only changes of local rows"},
		"a broken event":    {[]event.Event{local(event.Updated, "")}, nil, "name is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t).withUpkeep(nil, func(ctx context.Context, tx pgx.Tx, _ event.Event) ([]event.Event, error) {
				if _, err := tx.Exec(ctx, "create table half_done ()"); err != nil {
					return nil, err
				}
				return tc.follow, tc.err
			})
			n, err := b.log.Append(t.Context(), []event.Event{webhook(event.Deleted, "A", 1)})
			if n != 0 || err == nil || !strings.Contains(err.Error(), tc.want) || tc.err != nil && !errors.Is(err, tc.err) || apierror.CodeOf(err) == apierror.UpstreamUnavailable {
				t.Errorf("%d, %v", n, err)
			}
			var there bool
			if err := b.db.Pool().QueryRow(t.Context(), "select to_regclass('half_done') is not null").Scan(&there); err != nil || there || b.head(t).Seq != 0 {
				t.Errorf("something is left: %t, head %d, %v", there, b.head(t).Seq, err)
			}
		})
	}
}

// Webhook and catch-up tell of one deletion at the same time, in several processes.
func TestUpkeepOnce(t *testing.T) {
	t.Parallel()
	var ran atomic.Int64
	b := setup(t).withUpkeep(nil, func(ctx context.Context, tx pgx.Tx, _ event.Event) ([]event.Event, error) {
		ran.Add(1)
		_, err := tx.Exec(ctx, "select pg_sleep(0.01)")
		return nil, err
	})
	const documents = 10
	var wg sync.WaitGroup
	for i := range documents {
		name := string(rune('a' + i))
		for _, e := range []event.Event{webhook(event.Deleted, name, 1), webhook(event.Deleted, name, 1), gone(name)} {
			wg.Go(func() { b.append(t, e) })
		}
	}
	wg.Wait()
	if got := len(b.all(t, 0)); got != documents || ran.Load() != documents {
		t.Errorf("%d events, upkeep ran %d times, want %d", got, ran.Load(), documents)
	}
}

// Upkeep changes rows that local writes change, too, and they log: no deadlock is left.
func TestUpkeepAndLocalWrites(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "create table line (id int primary key, n int not null default 0)")
	b.exec(t, "insert into line select generate_series(1, 5)")
	b = b.withUpkeep(nil, func(ctx context.Context, tx pgx.Tx, _ event.Event) ([]event.Event, error) {
		_, err := tx.Exec(ctx, "update line set n = n + 1")
		return []event.Event{local(event.Updated, "all")}, err
	})
	const rounds = 40
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range rounds {
				err := b.inTx(t.Context(), true, func(tx pgx.Tx) error {
					if _, err := tx.Exec(t.Context(), "update line set n = n + 1 where id = $1", i%5+1); err != nil {
						return err
					}
					_, err := b.log.AppendTx(t.Context(), tx, []event.Event{local(event.Updated, "one")})
					return err
				})
				if err != nil {
					t.Errorf("local: %v", err)
				}
			}
		})
		wg.Go(func() {
			for i := range rounds {
				b.append(t, webhook(event.Updated, string(rune('a'+w)), i), webhook(event.Deleted, string(rune('A'+w)), i))
			}
		})
	}
	wg.Wait()
	if want := int64(4 * rounds * (1 + 3)); b.head(t).Seq != want {
		t.Errorf("%d events, want %d", b.head(t).Seq, want)
	}
}

func TestDeadlockIsRepeated(t *testing.T) {
	t.Parallel()
	tries := 0
	b := setup(t).withUpkeep(nil, func(ctx context.Context, tx pgx.Tx, _ event.Event) ([]event.Event, error) {
		if tries++; tries < 3 {
			_, err := tx.Exec(ctx, "do $$ begin raise exception 'lost' using errcode = '40P01'; end $$")
			return nil, err
		}
		return []event.Event{local(event.Updated, "7")}, nil
	})
	if n := b.append(t, webhook(event.Deleted, "A", 1)); n != 1 || tries != 3 || b.head(t).Seq != 2 {
		t.Errorf("%d new after %d tries, head %d", n, tries, b.head(t).Seq)
	}
	tries = -10
	_, err := b.log.Append(t.Context(), []event.Event{webhook(event.Deleted, "B", 1)})
	if apierror.CodeOf(err) != apierror.UpstreamUnavailable || tries != -6 {
		t.Errorf("after %d: %v", tries, err)
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	var asked []string
	b := setup(t).withUpkeep(func(e event.Event) bool { return e.Name != "Z" }, func(_ context.Context, _ pgx.Tx, e event.Event) ([]event.Event, error) {
		asked = append(asked, brief([]event.Event{e})...)
		return []event.Event{local(event.Updated, "7")}, nil
	})
	n := b.append(t, webhook(event.Deleted, "A", 1), webhook(event.Deleted, "B", 1), webhook(event.Deleted, "Z", 1), webhook(event.Updated, "C", 1), webhook(event.Deleted, "C", 1))
	if n != 5 {
		t.Errorf("%d new", n)
	}
	if n := b.append(t, webhook(event.Deleted, "A", 1)); n != 0 {
		t.Errorf("a webhook that came again: %d new", n)
	}
	pending, err := b.log.Pending(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"DELETED A@1 WEBHOOK", "DELETED B@1 WEBHOOK"}, brief(pending)); diff != "" || pending[0].At.IsZero() {
		t.Error(diff, pending[0].At)
	}
	// A was merged into D, B is gone, and C is, too, as catch-up says meanwhile.
	for _, s := range []struct{ pending, as event.Event }{
		{pending[0], renamed("A", "D", 2)},
		{pending[0], renamed("A", "D", 2)},
		{pending[1], pending[1]},
	} {
		if err := b.log.Settle(t.Context(), s.pending, s.as); err != nil {
			t.Error(err)
		}
	}
	b.append(t, gone("C"))
	if err := b.log.Settle(t.Context(), webhook(event.Deleted, "C", 1), webhook(event.Deleted, "C", 1)); err != nil {
		t.Error(err)
	}
	want := []string{
		"DELETED Z@1 WEBHOOK", "UPDATED C@1 WEBHOOK", "UPDATED 7@- LOCAL",
		"RENAMED A>D@2 CATCHUP", "UPDATED 7@- LOCAL",
		"DELETED B@1 WEBHOOK", "UPDATED 7@- LOCAL",
		"DELETED C@- CATCHUP", "UPDATED 7@- LOCAL",
	}
	if diff := cmp.Diff(want, brief(b.all(t, 0))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"DELETED Z@1 WEBHOOK", "RENAMED A>D@2 CATCHUP", "DELETED B@1 WEBHOOK", "DELETED C@- CATCHUP"}, asked); diff != "" {
		t.Error(diff)
	}
	counts, err := b.log.Counts(t.Context())
	if diff := cmp.Diff(event.Counts{Webhook: 3, Catchup: 2, Local: 4, OnlyCatchup: 1}, counts); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, as := range []event.Event{webhook(event.Updated, "A", 1), local(event.Deleted, "A"), {}} {
		if err := b.log.Settle(t.Context(), pending[0], as); apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("settled as %v: %v", as, err)
		}
	}
}

// A deletion waits while its name is taken again: it must not end the new document.
func TestPendingOfAnEarlierDocument(t *testing.T) {
	t.Parallel()
	b := setup(t).withUpkeep(func(event.Event) bool { return true }, func(context.Context, pgx.Tx, event.Event) ([]event.Event, error) {
		return nil, errors.New("no upkeep is due")
	})
	b.append(t, webhook(event.Deleted, "A", 1), webhook(event.Created, "A", 2))
	if err := b.log.Settle(t.Context(), webhook(event.Deleted, "A", 1), webhook(event.Deleted, "A", 1)); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"CREATED A@2 WEBHOOK"}, brief(b.all(t, 0))); diff != "" {
		t.Error(diff)
	}
	if pending, err := b.log.Pending(t.Context(), 1); err != nil || len(pending) != 0 {
		t.Errorf("%v, %v", pending, err)
	}
}
