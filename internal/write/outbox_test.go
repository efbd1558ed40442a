package write_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/write"
)

var errGone = &frappe.Error{Code: apierror.UpstreamTimeout, Uncertain: true}

// invoiced is a world with a visit (11) whose invoice is asked for.
func invoiced(t *testing.T) *localWorld {
	t.Helper()
	w := newLocalWorld(t).seed()
	if err := ask(t.Context(), w.ada().writer("")); err != nil {
		t.Fatal(err)
	}
	return w
}

// ask asks for the invoice of visit 11.
func ask(ctx context.Context, writer *write.Writer) error {
	c := writer.Change()
	c.Outbox(write.OutboxSpec{
		On: c.Update("Visit", rowID(11), write.Input{"status": "DONE"}), Slot: "invoice", Create: "Sales Invoice",
		Input: write.Input{"customer": "Grant", "items": []any{map[string]any{"itemCode": "Bearing", "qty": 2, "rate": "9.90"}}},
		State: "invoiceState", Problem: "invoiceProblem", Link: "invoice",
	})
	_, err := c.Commit(ctx)
	return err
}

func (p *person) deliver(ctx context.Context) (*write.Delivery, error) {
	return p.writer("").Deliver(ctx, "Visit", rowID(11), "invoice", nil)
}

// tells is what the visit tells of its invoice, and the outbox.
func (w *localWorld) tells() string {
	w.tb.Helper()
	return w.value(`select concat_ws('|', v.status, v.invoice_state, v.invoice, v.invoice_problem) || ' / ' || concat_ws('|', o.state, o.docname, o.reason)
		from service_visit v left join outbox o on o.subject_id = v.id::text where v.id = $1`, rowID(11))
}

func TestOutboxDelivers(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	if got, want := w.tells(), "DONE|PENDING / pending"; got != want {
		t.Errorf("before: %s, want %s", got, want)
	}
	w.erp.called()
	d, err := w.ada().deliver(t.Context())
	if err != nil || d.State != write.Done || d.Name != "INV-1" {
		t.Fatalf("%+v, %v", d, err)
	}
	if got, want := w.tells(), "DONE|DONE|INV-1 / done|INV-1"; got != want {
		t.Errorf("after: %s, want %s", got, want)
	}
	doc := w.erp.docs["Sales Invoice"][0].raw()
	if string(doc["owner"]) != `"ada@example.com"` || !strings.Contains(string(doc["items"]), `"rate":9.9`) {
		t.Errorf("made %s", doc)
	}
	// Again, by whoever may: nothing more is made.
	for _, p := range []*person{w.ada(), w.bobby()} {
		if d, err := p.deliver(t.Context()); err != nil || d.State != write.Done || d.Name != "INV-1" {
			t.Errorf("again: %+v, %v", d, err)
		}
	}
	if got := w.erp.names("Sales Invoice"); got != "INV-1" {
		t.Errorf("invoices %s", got)
	}
}

// A change with an outbox stores both or neither, and a slot is used once.
func TestOutboxIsPartOfTheChange(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	w.sql(`update service_visit set invoice_state = null, status = 'PLANNED'`)
	if err := ask(t.Context(), w.ada().writer("")); apierror.CodeOf(err) != apierror.Conflict {
		t.Errorf("a second one: %v", err)
	}
	if got, want := w.tells(), "PLANNED / pending"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
	spec := func(c *write.Change) write.OutboxSpec {
		return write.OutboxSpec{On: c.Update("Visit", rowID(11), nil), Slot: "x", Create: "Sales Invoice", State: "invoiceState"}
	}
	for name, bend := range map[string]func(*write.Change, *write.OutboxSpec){
		"no row": func(_ *write.Change, s *write.OutboxSpec) { s.On = nil },
		"another change": func(_ *write.Change, s *write.OutboxSpec) {
			s.On = w.ada().writer("").Change().Update("Visit", rowID(11), nil)
		},
		"a row that goes": func(c *write.Change, s *write.OutboxSpec) { s.On = c.Delete("Visit", rowID(11)) },
		"no DocType":      func(_ *write.Change, s *write.OutboxSpec) { s.Create = "Visit" },
		"no slot":         func(_ *write.Change, s *write.OutboxSpec) { s.Slot = "" },
		"no state":        func(_ *write.Change, s *write.OutboxSpec) { s.State = "durationMinutes" },
		"no problem":      func(_ *write.Change, s *write.OutboxSpec) { s.Problem = "technician" },
		"no link":         func(_ *write.Change, s *write.OutboxSpec) { s.Link = "technician" },
		"no JSON":         func(_ *write.Change, s *write.OutboxSpec) { s.Input = write.Input{"x": make(chan int)} },
	} {
		c := w.ada().writer("").Change()
		s := spec(c)
		bend(c, &s)
		c.Outbox(s)
		if _, err := c.Commit(t.Context()); err == nil {
			t.Errorf("%s: it was committed", name)
		}
	}
}

// A refusal, and an ERPNext that is down, are told by the visit; a retry tries again.
func TestOutboxFailsAndIsRetried(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	for _, refusal := range []struct {
		err  error
		want string
	}{
		{&frappe.Error{Code: apierror.Validation, Message: "Bearing is disabled\x00"}, "Bearing is disabled\uFFFD"},
		{&frappe.Error{Code: apierror.Forbidden, Message: "names what is secret"}, "ERPNext does not permit this"},
		{&frappe.Error{Code: apierror.UpstreamUnavailable}, "ERPNext is not available"},
	} {
		w.erp.insert = func(string) error { return refusal.err }
		d, err := w.ada().deliver(t.Context())
		if err != nil || d.State != write.Failed || d.Problem != refusal.want {
			t.Errorf("%+v, %v; want %s", d, err, refusal.want)
		}
		if got, want := w.tells(), "DONE|FAILED|"+refusal.want+" / failed|"+refusal.want; got != want {
			t.Errorf("tells %s, want %s", got, want)
		}
	}
	w.erp.insert = nil
	w.erp.called()
	if d, err := w.bobby().deliver(t.Context()); err != nil || d.State != write.Done {
		t.Errorf("a retry by a colleague: %+v, %v", d, err)
	}
	if got, want := w.tells(), "DONE|DONE|INV-1 / done|INV-1"; got != want {
		t.Errorf("tells %s, want %s", got, want)
	}
	if got := w.erp.docs["Sales Invoice"][0]["owner"]; got != "bobby@example.com" {
		t.Errorf("made by %v", got)
	}
}

// Who may not write the row, or not see it, can't retry, and learns nothing.
func TestOutboxOfOthers(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	w.erp.called()
	tests := map[string]struct {
		who  *person
		want apierror.Code
	}{
		"no role":        {w.eve(), apierror.Forbidden},
		"a row unseen":   {w.bob(), apierror.NotFound},
		"no credential":  {&person{w: w, err: apierror.New(apierror.Unauthenticated, "sign in")}, apierror.Unauthenticated},
		"nobody's right": {&person{w: w, user: &frappe.User{Name: "x", Roles: []string{"Sales User"}}}, apierror.NotFound},
	}
	for name, tt := range tests {
		if d, err := tt.who.deliver(t.Context()); apierror.CodeOf(err) != tt.want || d != nil {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	if strings.Contains(w.erp.called(), "insert") || w.tells() != "DONE|PENDING / pending" {
		t.Errorf("something was done: %s", w.tells())
	}
	if _, err := w.ada().writer("").Deliver(t.Context(), "Visit", rowID(11), "other", nil); apierror.CodeOf(err) != apierror.NotFound {
		t.Errorf("no such outbox: %v", err)
	}
	if _, err := w.ada().writer("").Deliver(t.Context(), "Customer", "Grant", "x", nil); err == nil {
		t.Error("an outbox of a document")
	}
}

// A refused credential is an error, and leaves the outbox for the next try.
func TestOutboxUnauthenticated(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	w.erp.insert = func(string) error { return &frappe.Error{Code: apierror.Unauthenticated} }
	if _, err := w.ada().deliver(t.Context()); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("got %v", err)
	}
	if got, want := w.tells(), "DONE|PENDING / pending"; got != want {
		t.Errorf("tells %s, want %s", got, want)
	}
	w.erp.insert = nil
	if d, err := w.ada().deliver(t.Context()); err != nil || d.State != write.Done {
		t.Errorf("the next try: %+v, %v", d, err)
	}
}

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

// Of several at once, one makes the document.
func TestOutboxTwice(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	var all sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		all.Go(func() { _, errs[i] = w.ada().deliver(t.Context()) })
	}
	all.Wait()
	for _, err := range errs {
		e, _ := apierror.As(err)
		if err != nil && (e == nil || e.Code != apierror.Conflict || e.Extensions["retryAfter"] == nil) {
			t.Errorf("got %v", err)
		}
	}
	if got := w.erp.names("Sales Invoice"); got != "INV-1" {
		t.Errorf("invoices %s", got)
	}
}

// The request may end while ERPNext answers: what it made is kept.
func TestOutboxOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	ada := w.ada()
	ctx, cancel := context.WithCancelCause(t.Context())
	ada.after = func(context.Context) { cancel(errors.New("the client left")) }
	if d, err := ada.deliver(ctx); err != nil || d.Name != "INV-1" {
		t.Errorf("%+v, %v", d, err)
	}
	if got, want := w.tells(), "DONE|DONE|INV-1 / done|INV-1"; got != want {
		t.Errorf("tells %s, want %s", got, want)
	}
}

// The row may go while the document is made: the outbox remains as the record.
func TestOutboxOfARowThatGoes(t *testing.T) {
	t.Parallel()
	w := invoiced(t)
	ada := w.ada()
	ada.after = func(ctx context.Context) {
		if _, err := w.db.Pool().Exec(ctx, `delete from service_visit where id = $1`, rowID(11)); err != nil {
			t.Error(err)
		}
	}
	if d, err := ada.deliver(t.Context()); err != nil || d.State != write.Done {
		t.Errorf("%+v, %v", d, err)
	}
	if got := w.value(`select state || docname from outbox`); got != "doneINV-1" {
		t.Errorf("the outbox says %s", got)
	}
}
