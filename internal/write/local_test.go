package write_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/write"
)

// Each row of a bulk has its own outcome; links of all are checked in one call for each
// DocType.
func TestCreateLocalMany(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	inputs := []write.Input{
		contract("GRANT"), contract("West"), contract("Ünal"),
		{"customer": "Grant", "item": "Pump", "startDate": "2026-04-01", "monthlyFee": "-1"},
		{"customer": "Grant"},
		contract("grant "),
	}
	rows, err := w.ada().writer("").CreateMany(t.Context(), w.typ("Contract"), inputs, write.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, row := range rows {
		if (row.Result == nil) != (row.Err != nil) {
			t.Errorf("row %d: %+v", i, row)
		}
		if row.Err != nil {
			e, _ := apierror.As(row.Err)
			got = append(got, fmt.Sprint(e.Code, " ", e.Field))
			continue
		}
		got = append(got, w.value(`select customer from service_contract where id = $1`, row.Result.Name))
	}
	want := "Grant|VALIDATION inputs.1.customer|Ünal|VALIDATION inputs.3.monthlyFee|BAD_USER_INPUT inputs.4.item|Grant"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if got, want := w.erp.called(), "list Customer, list Item"; got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
}

// The same key makes one write, and answers the same, also where the row is gone by now.
func TestLocalKeys(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	ctx, typ := t.Context(), w.typ("Contract")
	first, err := w.ada().writer("k").Create(ctx, typ, contract("Grant"), write.Options{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.ada().writer("k").Create(ctx, typ, contract("Grant"), write.Options{})
	if err != nil || again.Name != first.Name || !again.Replayed || w.rows("service_contract") != "3" {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := w.ada().writer("k").Create(ctx, typ, contract("Ünal"), write.Options{}); apierror.CodeOf(err) != apierror.BadUserInput {
		t.Errorf("another input: %v", err)
	}
	other, err := w.bobby().writer("k").Create(ctx, typ, contract("Grant"), write.Options{})
	if err != nil || other.Name == first.Name {
		t.Errorf("another caller: %+v, %v", other, err)
	}
	for range 2 {
		if r, err := w.ada().writer("d").Delete(ctx, typ, first.Name); err != nil || r.Name != first.Name {
			t.Errorf("delete: %+v, %v", r, err)
		}
	}
	for range 2 {
		if _, err := w.ada().writer("v").Create(ctx, typ, contract("West"), write.Options{}); apierror.CodeOf(err) != apierror.Validation {
			t.Errorf("a refusal: %v", err)
		}
	}
	w.erp.called()
	if _, err := w.ada().writer("v").Create(ctx, typ, contract("West"), write.Options{}); apierror.CodeOf(err) != apierror.Validation || w.erp.called() != "" {
		t.Errorf("a refusal again: %v", err)
	}
}

// bobby may all that ada may.
func (w *localWorld) bobby() *person {
	p := w.ada()
	p.user.Name = "bobby@example.com"
	return p
}

// A failure on the way frees the key: the retry writes.
func TestLocalKeyAfterAFailure(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	ada := w.ada()
	ada.err = errors.New("ERPNext is down")
	if _, err := ada.writer("k").Create(t.Context(), w.typ("Contract"), contract("Grant"), write.Options{}); err == nil {
		t.Fatal("it worked")
	}
	ada.err = nil
	if r, err := ada.writer("k").Create(t.Context(), w.typ("Contract"), contract("Grant"), write.Options{}); err != nil || r.Replayed {
		t.Errorf("%+v, %v", r, err)
	}
}

// Rows of a bulk are found again by their own keys.
func TestLocalManyKeys(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	inputs := []write.Input{contract("Grant"), contract("West"), contract("Ünal")}
	ids := func() string {
		rows, err := w.ada().writer("k").CreateMany(t.Context(), w.typ("Contract"), inputs, write.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, row := range rows {
			if row.Err != nil {
				out = append(out, told(row.Err))
			} else {
				out = append(out, row.Result.Name)
			}
		}
		return strings.Join(out, " ")
	}
	if a, b := ids(), ids(); a != b || w.rows("service_contract") != "4" {
		t.Errorf("first %s\nagain %s, %s rows", a, b, w.rows("service_contract"))
	}
}

// Rows whose turn comes after the end of the request say so, and why it ended.
func TestLocalManyOutOfTime(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errOver)
	rows, err := w.ada().writer("").CreateMany(ctx, w.typ("Contract"), []write.Input{contract("Grant"), contract("West")}, write.Options{})
	if err != nil || len(rows) != 2 {
		t.Fatalf("%+v, %v", rows, err)
	}
	for _, row := range rows {
		if apierror.CodeOf(row.Err) != apierror.UpstreamTimeout || !errors.Is(row.Err, errOver) {
			t.Errorf("%v", row.Err)
		}
	}
}

// Of several mistakes of the code the first is told: the others may follow from it.
func TestFirstMistake(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t)
	c := w.ada().writer("").Change()
	c.Delete("Customer", "Grant")
	c.Delete("Nothing", "x")
	if _, err := c.Commit(t.Context()); err == nil || err.Error() != `write: "Customer" is no local type of the graph` {
		t.Errorf("%v", err)
	}
}

// A change of several rows gives the ids of all of them again.
func TestChangeKeys(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	run := func() string {
		c := w.ada().writer("k").Change()
		deal := c.Create("Contract", contract("Grant"))
		visit := c.Create("Visit", visit(deal))
		if _, err := c.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		return deal.ID() + " " + visit.ID()
	}
	if a, b := run(), run(); a != b || w.rows("service_visit") != "3" {
		t.Errorf("first %s, again %s", a, b)
	}
}

// A process that ends in the middle of a local write has stored all of it or nothing: a
// retry writes what is not there.
func TestLocalKeyAfterACrash(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	ctx, typ := t.Context(), w.typ("Contract")
	w.erp.onList = func(string) { runtime.Goexit() }
	var crashed sync.WaitGroup
	crashed.Go(func() { _, _ = w.ada().writer("k").Delete(ctx, typ, rowID(1)) })
	crashed.Wait()
	w.erp.onList = nil
	if _, err := w.ada().writer("k").Delete(ctx, typ, rowID(1)); apierror.CodeOf(err) != apierror.Conflict {
		t.Errorf("within the lease: %v", err)
	}
	w.sql(`update idempotency_key set lease_until = clock_timestamp() - interval '1 second'`)
	for _, replayed := range []bool{false, true} {
		r, err := w.ada().writer("k").Delete(ctx, typ, rowID(1))
		if err != nil || r.Name != rowID(1) || r.Replayed != replayed {
			t.Errorf("again: %+v, %v; want replayed %v", r, err, replayed)
		}
	}
}

// A conflict that is the client's is remembered by its key, one with the app's own read is
// not.
func TestConflictsAndKeys(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	const old = "2026-01-01T00:00:00Z"
	run := func(key string, lock func(*write.Row)) error {
		c := w.ada().writer(key).Change()
		lock(c.Update("Visit", rowID(11), write.Input{"summary": "x"}))
		_, err := c.Commit(t.Context())
		return err
	}
	stored := func() string {
		return w.value(`select coalesce(string_agg(key || state, ' '), '') from idempotency_key`)
	}
	for key, lock := range map[string]func(*write.Row){
		"own":    func(r *write.Row) { r.IfUnchanged(old) },
		"client": func(r *write.Row) { r.IfModified(old) },
	} {
		if err := run(key, lock); apierror.CodeOf(err) != apierror.Conflict {
			t.Errorf("%s: %v", key, err)
		}
	}
	if got, want := stored(), "clientfailed"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
}
