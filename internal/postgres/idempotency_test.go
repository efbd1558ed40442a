package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
)

const (
	lease = time.Minute
	keep  = 24 * time.Hour
)

// expectClaim claims a key and compares what comes with the state and what is stored.
func (b *testBundle) expectClaim(id postgres.KeyID, hash string, claimed bool, state postgres.KeyState, outcome, attempt string) postgres.KeyRecord {
	b.Helper()
	rec, got, err := b.db.ClaimKey(b.Context(), id, []byte(hash), lease, keep)
	if err != nil {
		b.Fatal(err)
	}
	if got != claimed || rec.State != state || string(rec.Outcome) != outcome || string(rec.Attempt) != attempt {
		b.Errorf("claimed %t, %s, outcome %q, attempt %q; want %t, %s, %q, %q",
			got, rec.State, rec.Outcome, rec.Attempt, claimed, state, outcome, attempt)
	}
	if (rec.Token != "") != claimed {
		b.Errorf("token %q", rec.Token)
	}
	return rec
}

func (b *testBundle) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// leaseEnds lets the time of all leases pass.
func (b *testBundle) leaseEnds() {
	b.Helper()
	b.exec("update idempotency_key set lease_until = clock_timestamp() where lease_until is not null")
	b.exec("update outbox set lease_until = clock_timestamp() where lease_until is not null")
}

func TestKeyStory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, id := t.Context(), postgres.KeyID{Caller: "ann@example.com", Key: "k1"}
	rec := b.expectClaim(id, "h", true, postgres.KeyRunning, "", "")
	if string(rec.Hash) != "h" || time.Until(rec.LeaseUntil) > 2*lease {
		t.Errorf("%+v", rec)
	}
	b.expectClaim(id, "h", false, postgres.KeyRunning, "", "")
	if other := b.expectClaim(id, "other", false, postgres.KeyRunning, "", ""); string(other.Hash) != "h" {
		t.Errorf("hash %q", other.Hash)
	}
	b.expectClaim(postgres.KeyID{Caller: "bob@example.com", Key: "k1"}, "other", true, postgres.KeyRunning, "", "")

	// What is stored comes back byte for byte.
	const attempt, outcome = `{"b": 1.50,  "a":"\u0000"}`, `{"z":1,"a":[1e5,  "☃"]}`
	b.must(b.db.NoteAttempt(ctx, id, rec.Token, []byte(attempt)))
	b.expectClaim(id, "h", false, postgres.KeyRunning, "", attempt)
	b.must(b.db.SettleKey(ctx, id, rec.Token, postgres.KeyDone, []byte(outcome)))
	b.expectClaim(id, "h", false, postgres.KeyDone, outcome, attempt)
	b.expectClaim(id, "other", false, postgres.KeyDone, outcome, attempt)

	// The token went with the outcome.
	for name, err := range map[string]error{
		"note":    b.db.NoteAttempt(ctx, id, rec.Token, nil),
		"settle":  b.db.SettleKey(ctx, id, rec.Token, postgres.KeyFailed, nil),
		"release": b.db.ReleaseKey(ctx, id, rec.Token),
		"none":    b.db.ReleaseKey(ctx, id, ""),
		"no uuid": b.db.ReleaseKey(ctx, id, "x' or true --"),
	} {
		if !errors.Is(err, postgres.ErrKeyLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.expectClaim(id, "h", false, postgres.KeyDone, outcome, attempt)
}

func TestKeyTakeover(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, id := t.Context(), postgres.KeyID{Caller: "ann@example.com", Key: "k1"}
	first := b.expectClaim(id, "h", true, postgres.KeyRunning, "", "")
	b.must(b.db.NoteAttempt(ctx, id, first.Token, []byte(`"note"`)))
	b.leaseEnds()
	b.expectClaim(id, "other", false, postgres.KeyRunning, "", `"note"`)
	second := b.expectClaim(id, "h", true, postgres.KeyUnknown, "", `"note"`)
	b.expectClaim(id, "h", false, postgres.KeyRunning, "", `"note"`) // second is looking
	if err := b.db.SettleKey(ctx, id, first.Token, postgres.KeyDone, nil); !errors.Is(err, postgres.ErrKeyLost) {
		t.Errorf("first settles: %v", err)
	}
	// Whose lease is over may go on while nobody took over.
	b.leaseEnds()
	b.must(b.db.NoteAttempt(ctx, id, second.Token, []byte(`"again"`)))
	b.must(b.db.SettleKey(ctx, id, second.Token, postgres.KeyUnknown, nil))
	third := b.expectClaim(id, "h", true, postgres.KeyUnknown, "", `"again"`)
	b.must(b.db.ReleaseKey(ctx, id, third.Token))
	fourth := b.expectClaim(id, "another", true, postgres.KeyRunning, "", "")
	b.must(b.db.SettleKey(ctx, id, fourth.Token, postgres.KeyFailed, []byte(`{}`)))
	b.expectClaim(id, "another", false, postgres.KeyFailed, "{}", "")
}

// A key is held while the write may still be going on: by nobody who could settle it.
func TestKeyHeld(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, id := t.Context(), postgres.KeyID{Caller: "ann@example.com", Key: "k1"}
	rec := b.expectClaim(id, "h", true, postgres.KeyRunning, "", "")
	b.must(b.db.NoteAttempt(ctx, id, rec.Token, []byte(`"note"`)))
	b.must(b.db.HoldKey(ctx, id, rec.Token, time.Hour))
	held := b.expectClaim(id, "h", false, postgres.KeyRunning, "", `"note"`)
	if left := time.Until(held.LeaseUntil); left < 50*time.Minute || left > 70*time.Minute {
		t.Errorf("held for %s", left)
	}
	for name, err := range map[string]error{
		"settle": b.db.SettleKey(ctx, id, rec.Token, postgres.KeyDone, nil),
		"hold":   b.db.HoldKey(ctx, id, rec.Token, time.Hour),
	} {
		if !errors.Is(err, postgres.ErrKeyLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.leaseEnds()
	b.expectClaim(id, "h", true, postgres.KeyUnknown, "", `"note"`)
}

// The outcomes of a caller's keys are found by what they hold, whatever else that is.
func TestOutcomesWith(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, k := range []struct {
		caller, key, outcome string
		state                postgres.KeyState
	}{
		{"ann", "1", `{"name":"A\"%","messages":["\u0000"]}`, postgres.KeyDone},
		{"ann", "2", `{"name":"B"}`, postgres.KeyDone},
		{"ann", "3", `{"name":"C"}`, postgres.KeyDone},
		{"ann", "4", `{"name":"B"}`, postgres.KeyFailed},
		{"bob", "1", `{"name":"B"}`, postgres.KeyDone},
	} {
		id := postgres.KeyID{Caller: k.caller, Key: k.key}
		rec, _, err := b.db.ClaimKey(t.Context(), id, []byte("h"), lease, keep)
		b.must(err)
		b.must(b.db.SettleKey(t.Context(), id, rec.Token, k.state, []byte(k.outcome)))
	}
	for want, texts := range map[string][]string{
		`{"name":"A\"%","messages":["\u0000"]} {"name":"B"}`: {`"A\"%"`, `"B"`, `"_"`},
		"": {`"c"`},
	} {
		outcomes, err := b.db.OutcomesWith(t.Context(), "ann", texts)
		b.must(err)
		slices.SortFunc(outcomes, bytes.Compare)
		if got := string(bytes.Join(outcomes, []byte(" "))); got != want {
			t.Errorf("%s: %s, want %s", texts, got, want)
		}
	}
	if outcomes, err := b.db.OutcomesWith(t.Context(), "ann", nil); err != nil || len(outcomes) > 0 {
		t.Errorf("%s, %v", outcomes, err)
	}
}

func TestKeyExpiry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, id := t.Context(), postgres.KeyID{Caller: "ann@example.com", Key: "k1"}
	clean := func(want int64) {
		t.Helper()
		if n, err := b.db.CleanKeys(ctx); n != want || err != nil {
			t.Errorf("cleaned %d, %v; want %d", n, err, want)
		}
	}
	const expire = "update idempotency_key set expires_at = clock_timestamp()"
	rec := b.expectClaim(id, "h", true, postgres.KeyRunning, "", "")
	b.must(b.db.NoteAttempt(ctx, id, rec.Token, []byte(`1`)))
	b.exec(expire)
	clean(0) // somebody is at it
	b.expectClaim(id, "h", false, postgres.KeyRunning, "", "1")
	b.must(b.db.SettleKey(ctx, id, rec.Token, postgres.KeyDone, []byte(`2`)))
	rec = b.expectClaim(id, "other", true, postgres.KeyRunning, "", "") // as good as none
	b.must(b.db.SettleKey(ctx, id, rec.Token, postgres.KeyDone, []byte(`3`)))
	clean(0)
	b.exec(expire)
	clean(1)
	if rec, _, err := b.db.ClaimKey(ctx, id, []byte("h"), lease, 0); err != nil || rec.State != postgres.KeyRunning {
		t.Error(rec, err)
	}
	if ok := b.text("select (expires_at >= lease_until)::text from idempotency_key"); ok != "true" {
		t.Error("a record expires before its lease ends")
	}
}

func TestKeyInTx(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := postgres.KeyID{Caller: "ann@example.com", Key: "k1"}
	rec := b.expectClaim(id, "h", true, postgres.KeyRunning, "", "")
	write := func(token string, end error) error {
		return b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
			row := values(b.contract, "customer", "c", "item", "i", "startDate", "2026-01-01")
			if _, err := tx.Insert(ctx, b.contract, row); err != nil {
				return err
			}
			return errors.Join(tx.SettleKey(ctx, id, token, postgres.KeyDone, []byte(`1`)), end)
		})
	}
	undone := errors.New("undone")
	if err := write(rec.Token, undone); !errors.Is(err, undone) || b.contracts() != "0" {
		t.Errorf("%v, %s rows", err, b.contracts())
	}
	b.expectClaim(id, "h", false, postgres.KeyRunning, "", "")
	if err := write(uuid(1), nil); !errors.Is(err, postgres.ErrKeyLost) || b.contracts() != "0" {
		t.Errorf("a lost token writes: %v, %s rows", err, b.contracts())
	}
	b.must(write(rec.Token, nil))
	b.expectClaim(id, "h", false, postgres.KeyDone, "1", "")
	if n := b.contracts(); n != "1" {
		t.Errorf("%s rows", n)
	}
}

func TestKeyRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for name, tc := range map[string]struct {
		id   postgres.KeyID
		want apierror.Code
	}{
		"255 bytes":     {postgres.KeyID{Caller: "a", Key: strings.Repeat("k", 255)}, ""},
		"quotes":        {postgres.KeyID{Caller: "a'b", Key: `' or true; -- "\`}, ""},
		"empty":         {postgres.KeyID{Caller: "a"}, apierror.BadUserInput},
		"256 bytes":     {postgres.KeyID{Caller: "a", Key: strings.Repeat("k", 256)}, apierror.BadUserInput},
		"many snowmen":  {postgres.KeyID{Caller: "a", Key: strings.Repeat("☃", 86)}, apierror.BadUserInput},
		"U+0000":        {postgres.KeyID{Caller: "a", Key: "k\x00"}, apierror.BadUserInput},
		"invalid UTF-8": {postgres.KeyID{Caller: "a", Key: "k\xff"}, apierror.BadUserInput},
		"no caller":     {postgres.KeyID{Key: "k"}, apierror.Internal},
	} {
		_, claimed, err := b.db.ClaimKey(ctx, tc.id, []byte("h"), lease, keep)
		if apierror.CodeOf(err) != tc.want || claimed != (err == nil) {
			t.Errorf("%s: %t, %v", name, claimed, err)
		}
	}
	id := postgres.KeyID{Caller: "ann@example.com", Key: "k1"}
	rec := b.expectClaim(id, "h", true, postgres.KeyRunning, "", "")
	for name, err := range map[string]error{
		"a note that is no JSON":     b.db.NoteAttempt(ctx, id, rec.Token, []byte(`{`)),
		"an outcome that is no JSON": b.db.SettleKey(ctx, id, rec.Token, postgres.KeyDone, []byte(``)),
		"settled as running":         b.db.SettleKey(ctx, id, rec.Token, postgres.KeyRunning, nil),
	} {
		if apierror.CodeOf(err) != apierror.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeyClaimedOnce: of many on several replicas, one claims, whether the key is new, its
// lease is over or its record has expired.
func TestKeyClaimedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replicas := []*postgres.DB{b.db, postgrestest.Again(t, b.db)}
	id := postgres.KeyID{Caller: "ann@example.com", Key: "k1"}
	const claimers = 8
	race := func(want postgres.KeyState) (winner postgres.KeyRecord) {
		t.Helper()
		var recs [claimers]postgres.KeyRecord
		var won [claimers]bool
		var wg sync.WaitGroup
		for i := range claimers {
			wg.Go(func() {
				var err error
				if recs[i], won[i], err = replicas[i%2].ClaimKey(t.Context(), id, []byte("h"), lease, keep); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n := 0
		for i, rec := range recs {
			switch {
			case won[i]:
				n, winner = n+1, rec
			case rec.State != postgres.KeyRunning:
				t.Errorf("a loser sees %s", rec.State)
			}
		}
		if n != 1 || winner.State != want {
			t.Fatalf("%d of %d claimed, %s; want %s", n, claimers, winner.State, want)
		}
		return winner
	}
	for range 5 {
		race(postgres.KeyRunning)
		b.leaseEnds()
		rec := race(postgres.KeyUnknown)
		b.must(b.db.SettleKey(t.Context(), id, rec.Token, postgres.KeyUnknown, nil))
		rec = race(postgres.KeyUnknown)
		b.must(b.db.SettleKey(t.Context(), id, rec.Token, postgres.KeyDone, nil))
		b.exec("update idempotency_key set expires_at = clock_timestamp()")
		rec = race(postgres.KeyRunning)
		b.must(b.db.ReleaseKey(t.Context(), id, rec.Token))
	}
}
