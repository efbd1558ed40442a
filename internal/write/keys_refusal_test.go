package write_test

import (
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/write"
)

// TestKeyAfterLossMovedOn loses the answer to a submit, and somebody cancels the document:
// whether the submit was this one's, nobody can tell any more.
func TestKeyAfterLossMovedOn(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	orders, name, ctx := w.typ("Sales Order"), order(t, w), t.Context()
	submit := func() error {
		_, err := w.as(manager, "k").Submit(ctx, orders, name, write.Options{})
		return err
	}
	w.lose.Store(1)
	if err := submit(); !write.Uncertain(err) {
		t.Fatalf("the answer was lost, and the error is %v", err)
	}
	w.must(w.as(manager, "").Cancel(ctx, orders, name, write.Options{}))
	made := w.writes.Load()
	if err := submit(); !write.Uncertain(wantError(t, err, apierror.Conflict)) || w.writes.Load() != made {
		t.Errorf("%v, %d writes", err, w.writes.Load()-made)
	}
}

// TestKeyRemembersEarlyRefusals has a write refused for the state that the document was in:
// the key keeps that, though the document is in another one by now.
func TestKeyRemembersEarlyRefusals(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	orders, name, ctx := w.typ("Sales Order"), order(t, w), t.Context()
	cancel := func() *apierror.Error {
		_, err := w.as(manager, "k").Cancel(ctx, orders, name, write.Options{})
		return wantError(t, err, apierror.Validation)
	}
	first := cancel()
	w.must(w.as(manager, "").Submit(ctx, orders, name, write.Options{}))
	made := w.writes.Load()
	if again := cancel(); again.Message != first.Message || again.DocName != name || w.writes.Load() != made {
		t.Errorf("first %v, again %v, %d writes", first, again, w.writes.Load()-made)
	}
}

// TestKeyRefusedAfterLoss has the retry of a write, of which nobody knows what came, refused:
// that is no outcome of the write, which stays unknown.
func TestKeyRefusedAfterLoss(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	orders, name, ctx := w.typ("Sales Order"), order(t, w), t.Context()
	lock := write.Options{IfModified: w.rfc(w.read(orders.Key, name)["modified"])}
	w.drop.Store(1)
	if _, err := w.as(manager, "k").Submit(ctx, orders, name, lock); !write.Uncertain(err) {
		t.Fatalf("the connection broke, and the error is %v", err)
	}
	w.must(w.as(manager, "").Update(ctx, orders, name, write.Input{"deliveryDate": "2027-02-01"}, write.Options{}))
	_, err := w.as(manager, "k").Submit(ctx, orders, name, lock)
	wantCode(t, err, apierror.Conflict)
	var state string
	if err := w.db.Pool().QueryRow(ctx, "select state from idempotency_key where key = 'k'").Scan(&state); err != nil || state != "unknown" {
		t.Errorf("the key is %s, %v", state, err)
	}
}
