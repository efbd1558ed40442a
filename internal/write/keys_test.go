package write_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/write"
)

const sales, manager = "sales@example.com", "manager@example.com"

func TestKeyReplays(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	input := write.Input{"subject": "once", "customer": "Semi;Colon"}
	first := w.must(w.as(sales, "k").Create(ctx, ticket, input, write.Options{}))
	again := w.must(w.as(sales, "k").Create(ctx, ticket, write.Input{"customer": "Semi;Colon", "subject": "once"}, write.Options{}))
	if again.Name != first.Name || again.Type != ticket || !again.Replayed || w.writes.Load() != 1 {
		t.Errorf("first %+v, again %+v after %d writes", first, again, w.writes.Load())
	}
	_, err := w.as(sales, "k").Create(ctx, ticket, write.Input{"subject": "other", "customer": "Semi;Colon"}, write.Options{})
	wantCode(t, err, apierror.BadUserInput)
	_, err = w.as(sales, "k").Delete(ctx, ticket, first.Name)
	wantCode(t, err, apierror.BadUserInput)
	// Keys belong to their caller.
	if other := w.must(w.as(manager, "k").Create(ctx, ticket, input, write.Options{})); other.Name == first.Name {
		t.Error("another caller got the first one's document")
	}
	for _, key := range []string{strings.Repeat("x", 256), "a\x00b", "\xff"} {
		_, err := w.as(sales, key).Create(ctx, ticket, input, write.Options{})
		wantCode(t, err, apierror.BadUserInput)
	}
	var stored string
	if err := w.db.Pool().QueryRow(ctx, "select string_agg(coalesce(outcome::text, '') || coalesce(attempt::text, ''), '|') from idempotency_key").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"once", "Semi;Colon", "secret"} {
		if strings.Contains(stored, secret) {
			t.Errorf("the key keeps content: %s", stored)
		}
	}
}

func TestKeyRemembersRefusals(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	create := func(key, customer string) error {
		_, err := w.as(sales, key).Create(ctx, ticket, write.Input{"subject": "x", "customer": customer}, write.Options{Path: "input"})
		return err
	}
	first := wantError(t, create("k", "Nobody Ltd"), apierror.Validation)
	calls := w.writes.Load()
	again := wantError(t, create("k", "Nobody Ltd"), apierror.Validation)
	if again.Message != first.Message || again.Field != "input.customer" || again.DocType != ticket.Key || w.writes.Load() != calls {
		t.Errorf("first %+v, again %+v", first, again)
	}
	// What is not the content's fault frees the key.
	w.refuse.Store(1)
	wantCode(t, create("busy", "Semi;Colon"), apierror.RateLimited)
	if err := create("busy", "Semi;Colon"); err != nil {
		t.Errorf("after the limit: %v", err)
	}
}

// TestKeyAfterLoss loses the answer of each write after the site has made it. A retry with
// the same key finds it and writes nothing.
func TestKeyAfterLoss(t *testing.T) {
	t.Parallel()
	for _, lost := range losses() {
		t.Run(lost.name, func(t *testing.T) {
			t.Parallel()
			w := newSiteWorld(t, true)
			name := ""
			if lost.setup != nil {
				name = lost.setup(t, w)
			}
			made := w.writes.Load()
			w.lose.Store(1)
			_, err := lost.write(w.as(manager, "k"), t.Context(), w, name)
			if !write.Uncertain(err) {
				t.Fatalf("the answer was lost, and the error is %v", err)
			}
			r, err := lost.write(w.as(manager, "k"), t.Context(), w, name)
			if lost.unknown {
				if e := wantError(t, err, apierror.Conflict); e.Extensions["uncertain"] != true {
					t.Errorf("extensions %v", e.Extensions)
				}
			} else if w.must(r, err); !r.Replayed || r.Name == "" {
				t.Errorf("result %+v", r)
			}
			if n := w.writes.Load() - made; n != 1 {
				t.Errorf("%d writes", n)
			}
			if !lost.unknown { // and the third time it is known without a look
				if third := w.must(lost.write(w.as(manager, "k"), t.Context(), w, name)); third.Name != r.Name {
					t.Errorf("third %+v", third)
				}
			}
		})
	}
}

// TestKeyBeforeLoss has the gateway fail before the site has seen the write: nobody knows,
// and a look tells that nothing was made.
func TestKeyBeforeLoss(t *testing.T) {
	t.Parallel()
	for _, lost := range losses() {
		if lost.unknown {
			continue
		}
		t.Run(lost.name, func(t *testing.T) {
			t.Parallel()
			w := newSiteWorld(t, true)
			name := ""
			if lost.setup != nil {
				name = lost.setup(t, w)
			}
			made := w.writes.Load()
			w.drop.Store(1)
			_, err := lost.write(w.as(manager, "k"), t.Context(), w, name)
			if !write.Uncertain(err) {
				t.Fatalf("the connection broke, and the error is %v", err)
			}
			r := w.must(lost.write(w.as(manager, "k"), t.Context(), w, name))
			if n := w.writes.Load() - made; n != 1 || r.Replayed {
				t.Errorf("%d writes, %+v", n, r)
			}
		})
	}
}

type loss struct {
	name    string
	unknown bool // nobody can find out
	setup   func(testing.TB, *siteWorld) string
	write   func(*write.Writer, context.Context, *siteWorld, string) (*write.Result, error)
}

func losses() []loss {
	newOrder := func(docstatus int) func(testing.TB, *siteWorld) string {
		return func(tb testing.TB, w *siteWorld) string {
			tb.Helper()
			name := order(tb, w)
			if docstatus > 0 {
				w.must(w.as(manager, "").Submit(tb.Context(), w.typ("Sales Order"), name, write.Options{}))
			}
			if docstatus > 1 {
				w.must(w.as(manager, "").Cancel(tb.Context(), w.typ("Sales Order"), name, write.Options{}))
			}
			return name
		}
	}
	ticketOf := func(tb testing.TB, w *siteWorld) string { tb.Helper(); return newTicket(tb, w, manager) }
	return []loss{
		{name: "create", write: func(wr *write.Writer, ctx context.Context, w *siteWorld, _ string) (*write.Result, error) {
			return wr.Create(ctx, w.typ("Service Ticket"), write.Input{"subject": "a", "customer": "Semi;Colon", "amount": "1.5"}, write.Options{})
		}},
		{name: "create by name", write: func(wr *write.Writer, ctx context.Context, w *siteWorld, _ string) (*write.Result, error) {
			return wr.Create(ctx, w.typ("Service Tag"), write.Input{"tag": "Lost & Found"}, write.Options{})
		}},
		{name: "update", setup: ticketOf, write: func(wr *write.Writer, ctx context.Context, w *siteWorld, name string) (*write.Result, error) {
			return wr.Update(ctx, w.typ("Service Ticket"), name, write.Input{"subject": "b", "summary": nil, "priority": "LOW"}, write.Options{})
		}},
		{name: "update rows", setup: ticketOf, write: func(wr *write.Writer, ctx context.Context, w *siteWorld, name string) (*write.Result, error) {
			rows := []any{map[string]any{"item": "ITEM-00012", "qty": 4}}
			return wr.Update(ctx, w.typ("Service Ticket"), name, write.Input{"lines": rows}, write.Options{})
		}},
		{name: "delete", setup: ticketOf, write: func(wr *write.Writer, ctx context.Context, w *siteWorld, name string) (*write.Result, error) {
			return wr.Delete(ctx, w.typ("Service Ticket"), name)
		}},
		{name: "rename", setup: ticketOf, write: func(wr *write.Writer, ctx context.Context, w *siteWorld, name string) (*write.Result, error) {
			return wr.Rename(ctx, w.typ("Service Ticket"), name, "TKT-NEW", false)
		}},
		{name: "submit", setup: newOrder(0), write: func(wr *write.Writer, ctx context.Context, w *siteWorld, name string) (*write.Result, error) {
			return wr.Submit(ctx, w.typ("Sales Order"), name, write.Options{})
		}},
		{name: "cancel", setup: newOrder(1), write: func(wr *write.Writer, ctx context.Context, w *siteWorld, name string) (*write.Result, error) {
			return wr.Cancel(ctx, w.typ("Sales Order"), name, write.Options{})
		}},
		{name: "amend", setup: newOrder(2), write: func(wr *write.Writer, ctx context.Context, w *siteWorld, name string) (*write.Result, error) {
			return wr.Amend(ctx, w.typ("Sales Order"), name, nil, write.Options{})
		}},
		{name: "upload", write: func(wr *write.Writer, ctx context.Context, _ *siteWorld, _ string) (*write.Result, error) {
			content := []byte("the content of a file")
			return wr.Upload(ctx, write.Upload{Sum: []byte{1}, Upload: frappe.Upload{
				Filename: "a.txt", Content: bytes.NewReader(content), Size: int64(len(content)), Private: true,
			}})
		}},
		{name: "call", unknown: true, setup: ticketOf, write: func(wr *write.Writer, ctx context.Context, _ *siteWorld, name string) (*write.Result, error) {
			return wr.Call(ctx, comments(), write.Input{"doctype": "Service Ticket", "name": name, "content": "c"})
		}},
	}
}

// comments is the method addComment.
func comments() *doctype.Method {
	arg := func(name, as string) *doctype.MethodArg {
		return &doctype.MethodArg{Name: name, As: as, Type: "String!", NonNull: true}
	}
	return &doctype.Method{
		Name: "addComment", Path: "frappe.desk.form.utils.add_comment",
		Args: []*doctype.MethodArg{arg("doctype", "reference_doctype"), arg("name", "reference_name"), arg("content", "content")},
		Fill: map[string]string{"comment_email": "user", "comment_by": "fullName"},
		Kind: doctype.DocumentResult, Result: "Comment", Target: "Comment",
	}
}

// order creates a draft of a Sales Order.
func order(tb testing.TB, w *siteWorld) string {
	tb.Helper()
	return w.must(w.as(manager, "").Create(tb.Context(), w.typ("Sales Order"), orderInput(tb, w), write.Options{})).Name
}

func orderInput(tb testing.TB, w *siteWorld) write.Input {
	tb.Helper()
	return decode(tb, fmt.Sprintf(`{"customer": "Semi;Colon", "company": %q, "deliveryDate": "2027-01-31", "currency": "USD", "conversionRate": 1,
		"sellingPriceList": "Standard Selling", "items": [{"itemCode": "ITEM-00010", "qty": 2, "rate": "10.5", "warehouse": %q}]}`,
		w.site.Names("Company")[0], warehouse(tb, w)))
}

// TestKeyWhileERPNextIsAtIt loses the answer of a write that the site is not known to have
// ended: nobody looks, let alone writes, before it must have.
func TestKeyWhileERPNextIsAtIt(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	w.writers = w.newWriters(time.Hour)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	create := func() (*write.Result, error) {
		return w.as(sales, "k").Create(ctx, ticket, write.Input{"subject": "slow", "customer": "Semi;Colon"}, write.Options{})
	}
	w.drop.Store(1)
	if _, err := create(); !write.Uncertain(err) {
		t.Fatal(err)
	}
	_, err := create()
	e := wantError(t, err, apierror.Conflict)
	if !write.Running(err) {
		t.Errorf("not running: %v", err)
	}
	if after, _ := e.Extensions["retryAfter"].(int); after < 3500 || after > 3600 || !strings.Contains(e.Message, "ERPNext may still be at work on it") || w.writes.Load() != 0 {
		t.Errorf("%s %v after %d writes", e.Message, e.Extensions, w.writes.Load())
	}
	w.leaseEnds()
	if r := w.must(create()); r.Replayed || w.writes.Load() != 1 {
		t.Errorf("%+v after %d writes", r, w.writes.Load())
	}
	// A process that dies while ERPNext is at it leaves the key taken for as long.
	w.after = func(context.Context) { panic("killed") }
	func() {
		defer func() { _ = recover() }()
		_, _ = w.as(sales, "killed").Create(ctx, ticket, write.Input{"subject": "killed", "customer": "Semi;Colon"}, write.Options{})
	}()
	var held bool
	if err := w.db.Pool().QueryRow(ctx, "select lease_until > now() + interval '1 hour' from idempotency_key where key = 'killed'").Scan(&held); err != nil || !held {
		t.Errorf("held %t, %v", held, err)
	}
}

// TestKeyKilled ends the process between the answer and the record of it: all that is left
// is the claim. Its lease is over by the time of the retry.
func TestKeyKilled(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	input := write.Input{"subject": "killed", "customer": "Semi;Colon"}
	w.after = func(context.Context) { panic("killed") }
	func() {
		defer func() { _ = recover() }()
		_, _ = w.as(sales, "k").Create(ctx, ticket, input, write.Options{})
	}()
	w.after = nil
	_, err := w.as(sales, "k").Create(ctx, ticket, input, write.Options{})
	if e := wantError(t, err, apierror.Conflict); e.Extensions["retryAfter"] == nil {
		t.Errorf("while it may run: %v", e.Extensions)
	}
	w.leaseEnds()
	r := w.must(w.as(sales, "k").Create(ctx, ticket, input, write.Options{}))
	if !r.Replayed || w.writes.Load() != 1 {
		t.Errorf("%+v after %d writes", r, w.writes.Load())
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	body := func(key, subject string, request any) (*write.Result, error) {
		wr := w.as(sales, key)
		defer wr.Close(ctx)
		if r, err := wr.Replay(ctx, request); r != nil || err != nil {
			return r, err
		}
		if subject == "" {
			return nil, apierror.New(apierror.Validation, "the body refuses")
		}
		return wr.Create(ctx, ticket, write.Input{"subject": subject, "customer": "Semi;Colon"}, write.Options{})
	}
	_, err := body("k", "", map[string]any{"a": 1})
	wantCode(t, err, apierror.Validation)
	first := w.must(body("k", "at one time", map[string]any{"a": 1}))
	second := w.must(body("k", "at another time", map[string]any{"a": 1}))
	if first.Name != second.Name || !second.Replayed {
		t.Errorf("first %+v, second %+v", first, second)
	}
	_, err = body("k", "x", map[string]any{"a": 2})
	wantCode(t, err, apierror.BadUserInput)
	if r, err := w.as(sales, "").Replay(ctx, 1); r != nil || err != nil {
		t.Errorf("without a key: %v %v", r, err)
	}
}

// TestKeyRace has several requests with one key at the same time: one writes, the others
// get its result or are told to wait.
func TestKeyRace(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	ticket := w.typ("Service Ticket")
	var group sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wr := w.as(sales, "k")
		group.Go(func() {
			_, errs[i] = wr.Create(t.Context(), ticket, write.Input{"subject": "race", "customer": "Semi;Colon"}, write.Options{})
		})
	}
	group.Wait()
	for _, err := range errs {
		if code := apierror.CodeOf(err); err != nil && code != apierror.Conflict {
			t.Error(err)
		}
	}
	if n := w.writes.Load(); n != 1 {
		t.Errorf("%d writes", n)
	}
}
