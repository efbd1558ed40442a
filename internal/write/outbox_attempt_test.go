package write_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/write"
)

// Where nobody knows whether ERPNext made the document, the next attempt looks before it
// writes, whether it was made or not.
func TestOutboxUncertain(t *testing.T) {
	t.Parallel()
	for name, made := range map[string]bool{"made": true, "not made": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := invoiced(t)
			fail := func(string) error { return errGone }
			if made {
				w.erp.lost = fail
			} else {
				w.erp.insert = fail
			}
			d, err := w.ada().deliver(t.Context())
			if err != nil || d.State != write.Pending || d.Problem == "" {
				t.Fatalf("%+v, %v", d, err)
			}
			if got := w.tells(); !strings.HasPrefix(got, "DONE|PENDING|ERPNext did not answer in time") {
				t.Errorf("tells %s", got)
			}
			w.erp.lost, w.erp.insert = nil, nil

			// Somebody else can't find out what ada's attempt came to where ERPNext hides her
			// documents, or does not say whether it does, and must not try.
			bobby := w.bobby()
			if !made {
				bobby.uncounted = &frappe.Error{Code: apierror.Forbidden}
			}
			if _, err := bobby.deliver(t.Context()); apierror.CodeOf(err) != apierror.Conflict || strings.Contains(err.Error(), "ada") {
				t.Errorf("another user: %v", err)
			}
			if d, err := w.ada().deliver(t.Context()); err != nil || d.State != write.Done || d.Name != "INV-1" {
				t.Errorf("again: %+v, %v", d, err)
			}
			if got := w.erp.names("Sales Invoice"); got != "INV-1" {
				t.Errorf("invoices %s", got)
			}
			if got, want := w.tells(), "DONE|DONE|INV-1 / done|INV-1"; got != want {
				t.Errorf("tells %s, want %s", got, want)
			}
		})
	}
}

// Who sees all that another user makes settles his attempt, whatever came of it.
func TestOutboxOfAnotherIsSettled(t *testing.T) {
	t.Parallel()
	for name, made := range map[string]bool{"made": true, "not made": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := invoiced(t)
			fail := func(string) error { return errGone }
			if made {
				w.erp.lost = fail
			} else {
				w.erp.insert = fail
			}
			if d, err := w.ada().deliver(t.Context()); err != nil || d.State != write.Pending {
				t.Fatalf("%+v, %v", d, err)
			}
			w.erp.lost, w.erp.insert = nil, nil
			bobby := w.bobby()
			bobby.reads["Sales Invoice"] = []string{"INV-1"}
			if d, err := bobby.deliver(t.Context()); err != nil || d.State != write.Done || d.Name != "INV-1" {
				t.Errorf("%+v, %v", d, err)
			}
			owner := w.erp.docs["Sales Invoice"][0]["owner"]
			if got := w.erp.names("Sales Invoice"); got != "INV-1" || (owner == "ada@example.com") != made {
				t.Errorf("invoices %s of %v", got, owner)
			}
		})
	}
}

// ERPNext may still be at what nobody waits for any more: the outbox stays taken.
func TestOutboxWhileERPNextIsAtIt(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	ada := w.ada()
	ada.busy = time.Hour
	w.erp.insert = func(string) error { return errGone }
	if d, err := ada.deliver(t.Context()); err != nil || d.State != write.Pending {
		t.Fatalf("%+v, %v", d, err)
	}
	w.erp.insert = nil
	for _, p := range []*person{ada, w.bobby()} {
		_, err := p.deliver(t.Context())
		if e := wantError(t, err, apierror.Conflict); e.Extensions["retryAfter"] == nil || !strings.Contains(e.Message, "ERPNext may still be at work on it") {
			t.Errorf("%s %v", e.Message, e.Extensions)
		}
	}
	if got := w.erp.names("Sales Invoice"); got != "" {
		t.Errorf("invoices %s", got)
	}
	w.sql(`update outbox set lease_until = clock_timestamp()`)
	if d, err := ada.deliver(t.Context()); err != nil || d.Name != "INV-1" {
		t.Errorf("%+v, %v", d, err)
	}
}

// An attempt that may have been made is remembered by who does not even get to look, and
// is not taken for none because ERPNext hides what it made.
func TestOutboxRemembers(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	w.erp.lost = func(string) error { return errGone }
	if d, err := w.ada().deliver(t.Context()); err != nil || d.State != write.Pending {
		t.Fatalf("%+v, %v", d, err)
	}
	w.erp.lost = nil
	for name, bend := range map[string]func(*person){
		"no levels":     func(p *person) { p.levels = &frappe.Error{Code: apierror.UpstreamUnavailable} },
		"hidden":        func(p *person) { p.hides = true },
		"no count":      func(p *person) { p.hides, p.uncounted = true, &frappe.Error{Code: apierror.UpstreamTimeout} },
		"hidden to bob": func(p *person) { *p = *w.bobby() },
	} {
		p := w.ada()
		bend(p)
		if d, err := p.deliver(t.Context()); err == nil || d != nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if d, err := w.ada().deliver(t.Context()); err != nil || d.Name != "INV-1" || w.erp.names("Sales Invoice") != "INV-1" {
		t.Errorf("%+v, %v", d, err)
	}
}

// Where the site does not count, a caller's own attempt goes by the list alone.
func TestOutboxWithoutACount(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	w.erp.insert = func(string) error { return errGone }
	if d, err := w.ada().deliver(t.Context()); err != nil || d.State != write.Pending {
		t.Fatalf("%+v, %v", d, err)
	}
	w.erp.insert = nil
	ada := w.ada()
	ada.uncounted = &frappe.Error{Code: apierror.UpstreamUnavailable, Err: frappe.ErrNoMethod}
	if d, err := ada.deliver(t.Context()); err != nil || d.Name != "INV-1" {
		t.Errorf("%+v, %v", d, err)
	}
}

// Who retries writes their own input, which is the outbox's from then on, but never beside
// what was made of an earlier one.
func TestOutboxWithAnotherInput(t *testing.T) {
	t.Parallel()
	input := func(customer string) write.Input { return write.Input{"customer": customer} }
	for name, tt := range map[string]struct {
		first func(*fakeERP, func(string) error)
		want  string // the customers billed
	}{
		"refused":  {func(e *fakeERP, fail func(string) error) { e.insert = fail }, "West"},
		"not made": {func(e *fakeERP, _ func(string) error) { e.insert = func(string) error { return errGone } }, "West"},
		"made":     {func(e *fakeERP, _ func(string) error) { e.lost = func(string) error { return errGone } }, "Grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := invoiced(t)
			tt.first(w.erp, func(string) error { return &frappe.Error{Code: apierror.Validation} })
			if d, err := w.ada().deliver(t.Context()); err != nil || d.State == write.Done {
				t.Fatalf("%+v, %v", d, err)
			}
			w.erp.insert, w.erp.lost = nil, nil
			if d, err := w.ada().writer("").Deliver(t.Context(), "Visit", rowID(11), "invoice", input("West")); err != nil || d.Name != "INV-1" {
				t.Fatalf("%+v, %v", d, err)
			}
			stored := w.value(`select input->'input'->>'customer' || ' ' || (input->>'state') || ' ' || (input->>'link') from outbox`)
			if got := w.erp.docs["Sales Invoice"]; len(got) != 1 || got[0]["customer"] != tt.want || stored != tt.want+" invoiceState invoice" {
				t.Errorf("billed %v, the outbox has %s", got, stored)
			}
		})
	}
	w := invoiced(t)
	d, err := w.ada().writer("").Deliver(t.Context(), "Visit", rowID(11), "invoice", write.Input{"nonsense": 1})
	if err != nil || d.State != write.Failed || !strings.Contains(w.value(`select input::text from outbox`), "Grant") {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := w.ada().writer("").Deliver(t.Context(), "Visit", rowID(11), "invoice", write.Input{"x": make(chan int)}); err == nil {
		t.Error("no JSON")
	}
}

// A process that ends after ERPNext's answer leaves the outbox to the next one, which
// finds the document.
func TestOutboxCrash(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	crashing := w.ada()
	crashing.lease = time.Millisecond
	crashing.after = func(context.Context) { runtime.Goexit() }
	var crashed sync.WaitGroup
	crashed.Go(func() { _, _ = crashing.deliver(t.Context()) })
	crashed.Wait()
	if got, want := w.tells(), "DONE|PENDING / pending"; got != want {
		t.Errorf("after the crash: %s, want %s", got, want)
	}
	w.sql(`update outbox set lease_until = clock_timestamp() - interval '1 second'`)
	if _, err := w.bobby().deliver(t.Context()); apierror.CodeOf(err) != apierror.Conflict {
		t.Errorf("another user: %v", err)
	}
	if d, err := w.ada().deliver(t.Context()); err != nil || d.State != write.Done || d.Name != "INV-1" {
		t.Errorf("again: %+v, %v", d, err)
	}
	if got := w.erp.names("Sales Invoice"); got != "INV-1" {
		t.Errorf("invoices %s", got)
	}
}
