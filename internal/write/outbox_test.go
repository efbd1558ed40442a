package write_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

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
