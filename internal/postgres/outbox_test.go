package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"erpgraph/internal/apierror"
	"erpgraph/internal/postgres"
)

// invoiceOf is the entry that a visit asks for.
func invoiceOf(visit string) postgres.OutboxEntry {
	return postgres.OutboxEntry{
		SubjectType: "ServiceVisit", SubjectID: visit, Slot: "invoice", DocType: "Sales Invoice",
		Input: []byte(`{"customer": "Grant Plastics",  "total":1.50}`), CreatedBy: "ann@example.com",
	}
}

func (b *testBundle) addOutbox(e postgres.OutboxEntry) (id string, err error) {
	err = b.db.InTx(b.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		id, err = tx.AddOutbox(ctx, e)
		return err
	})
	return id, err
}

func (b *testBundle) settleOutbox(id, token string, state postgres.OutboxState, docname, reason string) error {
	return b.db.InTx(b.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		return tx.SettleOutbox(ctx, id, token, postgres.OutboxOutcome{State: state, DocName: docname, Creation: docname + " made", Reason: reason})
	})
}

// claimOutbox claims an entry and compares whether it was claimed and what it is like.
func (b *testBundle) claimOutbox(id, user string, claimed bool, state postgres.OutboxState, tries int) postgres.OutboxEntry {
	b.Helper()
	e, got, err := b.db.ClaimOutbox(b.Context(), id, user, lease)
	if err != nil {
		b.Fatal(err)
	}
	if got != claimed || e.State != state || e.Tries != tries || (e.Token != "") != claimed {
		b.Errorf("claimed %t, %+v; want %t, %s, try %d", got, e, claimed, state, tries)
	}
	return e
}

func TestOutboxStory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	ctx := t.Context()
	want := invoiceOf(uuid(11))
	id, err := b.addOutbox(want)
	b.must(err)
	_, err = b.addOutbox(want)
	if e, ok := apierror.As(err); !ok || e.Code != apierror.Conflict || strings.Contains(e.Message, uuid(11)) {
		t.Errorf("a second entry: %v", err)
	}

	e := b.claimOutbox(id, "ann@example.com", true, postgres.OutboxPending, 1)
	if e.ID != id || e.SubjectType != want.SubjectType || e.SubjectID != want.SubjectID || e.Slot != want.Slot || e.DocType != want.DocType ||
		string(e.Input) != string(want.Input) || e.CreatedBy != want.CreatedBy || e.AttemptedBy != "ann@example.com" ||
		e.Attempt != nil || e.Reason != "" || e.DocName != "" || !e.LeaseUntil.After(e.UpdatedAt) || e.UpdatedAt.Before(e.CreatedAt) {
		t.Errorf("%+v", e)
	}
	b.claimOutbox(id, "bob@example.com", false, postgres.OutboxPending, 1)
	b.must(b.db.NoteOutboxAttempt(ctx, id, e.Token, []byte(`{"a":  1}`), nil))

	// A crash: who comes next sees what was noted, and the first one's token is worth nothing.
	b.leaseEnds()
	next := b.claimOutbox(id, "bob@example.com", true, postgres.OutboxPending, 2)
	if string(next.Attempt) != `{"a":  1}` || next.AttemptedBy != "bob@example.com" {
		t.Errorf("%+v", next)
	}
	if err := b.db.NoteOutboxAttempt(ctx, id, e.Token, nil, nil); !errors.Is(err, postgres.ErrOutboxLost) {
		t.Errorf("note: %v", err)
	}
	if err := b.settleOutbox(id, e.Token, postgres.OutboxDone, "X", ""); !errors.Is(err, postgres.ErrOutboxLost) {
		t.Errorf("settle: %v", err)
	}
	b.must(b.settleOutbox(id, next.Token, postgres.OutboxFailed, "", "no such customer"))
	e, err = b.db.OutboxOf(ctx, "ServiceVisit", uuid(11), "invoice")
	if err != nil || e.State != postgres.OutboxFailed || e.Reason != "no such customer" || e.Token != "" || !e.LeaseUntil.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
	e = b.claimOutbox(id, "ann@example.com", true, postgres.OutboxFailed, 3)
	b.must(b.db.NoteOutboxAttempt(ctx, id, e.Token, nil, nil))
	b.must(b.settleOutbox(id, e.Token, postgres.OutboxPending, "", ""))
	e = b.claimOutbox(id, "ann@example.com", true, postgres.OutboxPending, 4)
	if e.Attempt != nil || e.Reason != "" {
		t.Errorf("%+v", e)
	}
	b.must(b.settleOutbox(id, e.Token, postgres.OutboxDone, "ACC-SINV-2026-00001", ""))
	e = b.claimOutbox(id, "ann@example.com", false, postgres.OutboxDone, 4)
	if e.DocName != "ACC-SINV-2026-00001" {
		t.Errorf("%+v", e)
	}

	// The entry outlives its subject.
	if ok, err := b.delete(b.contract, uuid(1), postgres.Guard{}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if e, err = b.db.OutboxOf(ctx, "ServiceVisit", uuid(11), "invoice"); err != nil || e.DocName != "ACC-SINV-2026-00001" {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestOutboxInTx: the entry is there only with the local write that asks for it, and its
// outcome only with what the subject says of it.
func TestOutboxInTx(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	undone := errors.New("undone")
	complete := func(end error) (id string, err error) {
		err = b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
			if _, err := tx.Update(ctx, b.visit, uuid(11), values(b.visit, "invoiceState", "PENDING"), postgres.Guard{}); err != nil {
				return err
			}
			if id, err = tx.AddOutbox(ctx, invoiceOf(uuid(11))); err != nil {
				return err
			}
			return end
		})
		return id, err
	}
	if _, err := complete(undone); !errors.Is(err, undone) {
		t.Error(err)
	}
	if _, err := b.db.OutboxOf(t.Context(), "ServiceVisit", uuid(11), "invoice"); apierror.CodeOf(err) != apierror.NotFound {
		t.Errorf("after a rollback: %v", err)
	}
	id, err := complete(nil)
	b.must(err)
	e := b.claimOutbox(id, "ann@example.com", true, postgres.OutboxPending, 1)
	err = b.db.InTx(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		if err := tx.SettleOutbox(ctx, id, e.Token, postgres.OutboxOutcome{State: postgres.OutboxDone, DocName: "X"}); err != nil {
			return err
		}
		_, err := tx.Update(ctx, b.visit, uuid(11), values(b.visit, "invoiceState", "NONSENSE"), postgres.Guard{})
		return err
	})
	expect(t, err, apierror.Validation, "invoiceState: does not meet the rule service_visit_invoice_state_check", "invoiceState", "service_visit_invoice_state_check")
	b.claimOutbox(id, "ann@example.com", false, postgres.OutboxPending, 1)
}

// An entry is held while the write may still be going on, and knows what it last sent.
func TestOutboxHeld(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	id, err := b.addOutbox(invoiceOf(uuid(11)))
	b.must(err)
	e := b.claimOutbox(id, "ann@example.com", true, postgres.OutboxPending, 1)
	const note, sent = `{"a":  1}`, `{"customer":  "West"}`
	b.must(b.db.NoteOutboxAttempt(ctx, id, e.Token, []byte(note), []byte(sent)))
	hold := func() error {
		return b.db.InTx(ctx, func(ctx context.Context, tx *postgres.Tx) error {
			return tx.HoldOutbox(ctx, id, e.Token, "no answer", time.Hour)
		})
	}
	b.must(hold())
	got := b.claimOutbox(id, "ann@example.com", false, postgres.OutboxPending, 1)
	if left := time.Until(got.LeaseUntil); left < 50*time.Minute || left > 70*time.Minute || got.Reason != "no answer" ||
		string(got.Attempt) != note || string(got.Input) != sent {
		t.Errorf("%+v", got)
	}
	for name, err := range map[string]error{
		"hold":   hold(),
		"settle": b.settleOutbox(id, e.Token, postgres.OutboxDone, "X", ""),
		"note":   b.db.NoteOutboxAttempt(ctx, id, e.Token, nil, nil),
		"no id":  b.db.NoteOutboxAttempt(ctx, "x", e.Token, nil, nil),
	} {
		if !errors.Is(err, postgres.ErrOutboxLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.leaseEnds()
	e = b.claimOutbox(id, "bob@example.com", true, postgres.OutboxPending, 2)
	b.must(b.settleOutbox(id, e.Token, postgres.OutboxDone, "ACC-SINV-1", ""))
	for doctype, want := range map[string]int{"Sales Invoice": 1, "Sales Order": 0} {
		if names, err := b.db.OutboxDocuments(ctx, doctype, []string{"ACC-SINV-1", "ACC-SINV-2"}); err != nil || len(names) != want {
			t.Errorf("%s: %v, %v", doctype, names, err)
		}
	}
}

func TestOutboxRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for name, bend := range map[string]func(*postgres.OutboxEntry){
		"no subject":  func(e *postgres.OutboxEntry) { e.SubjectID = "" },
		"no slot":     func(e *postgres.OutboxEntry) { e.Slot = "" },
		"no DocType":  func(e *postgres.OutboxEntry) { e.DocType = "" },
		"no user":     func(e *postgres.OutboxEntry) { e.CreatedBy = "" },
		"U+0000":      func(e *postgres.OutboxEntry) { e.SubjectID = "\x00" },
		"not UTF-8":   func(e *postgres.OutboxEntry) { e.Slot = "\xff" },
		"no input":    func(e *postgres.OutboxEntry) { e.Input = nil },
		"half a JSON": func(e *postgres.OutboxEntry) { e.Input = []byte(`{"a"`) },
	} {
		e := invoiceOf(uuid(11))
		bend(&e)
		if _, err := b.addOutbox(e); apierror.CodeOf(err) != apierror.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"", uuid(99), "x' or true --", "\x00"} {
		if _, _, err := b.db.ClaimOutbox(ctx, id, "ann@example.com", lease); apierror.CodeOf(err) != apierror.NotFound {
			t.Errorf("claim %q: %v", id, err)
		}
		if err := b.db.NoteOutboxAttempt(ctx, id, uuid(1), nil, nil); !errors.Is(err, postgres.ErrOutboxLost) {
			t.Errorf("note %q: %v", id, err)
		}
		if err := b.settleOutbox(id, uuid(1), postgres.OutboxDone, "", ""); !errors.Is(err, postgres.ErrOutboxLost) {
			t.Errorf("settle %q: %v", id, err)
		}
		if _, err := b.db.OutboxOf(ctx, "ServiceVisit", id, "invoice"); apierror.CodeOf(err) != apierror.NotFound {
			t.Errorf("read %q: %v", id, err)
		}
	}
	id, err := b.addOutbox(invoiceOf(uuid(11)))
	b.must(err)
	e := b.claimOutbox(id, "ann@example.com", true, postgres.OutboxPending, 1)
	if err := b.settleOutbox(id, e.Token, "gone", "", ""); apierror.CodeOf(err) != apierror.Internal {
		t.Errorf("an unknown state: %v", err)
	}
	// A failure is stored whatever the site wrote about it.
	b.must(b.settleOutbox(id, e.Token, postgres.OutboxFailed, "", "a\x00b\xff"+strings.Repeat("☃", 5000)))
	e = b.claimOutbox(id, "ann@example.com", true, postgres.OutboxFailed, 2)
	if !strings.HasPrefix(e.Reason, "a\uFFFDb\uFFFD☃") || !strings.HasSuffix(e.Reason, "☃…") || len(e.Reason) > 4000 || !utf8.ValidString(e.Reason) {
		t.Errorf("%d bytes: %q…", len(e.Reason), e.Reason[:20])
	}
}

func TestOutboxClaimedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, err := b.addOutbox(invoiceOf(uuid(11)))
	b.must(err)
	for round := range 5 {
		var won [8]bool
		var wg sync.WaitGroup
		for i := range won {
			wg.Go(func() {
				var err error
				if _, won[i], err = b.db.ClaimOutbox(t.Context(), id, "ann@example.com", lease); err != nil {
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
			t.Fatalf("round %d: %d claimed", round, n)
		}
		b.leaseEnds()
	}
}
