package e2e_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/app"
	"erpgraph/internal/event"
)

// Who names a document that he may not read does not learn what it is called later, not even
// when he may read it by then.
func TestRenamesAreFollowedByWhoCouldRead(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, config: catchUpOften})
	secret := b.newCustomer(t, "Secret project", "South")
	b.settled(t)
	may, mayNot := b.hear(t, sales, customerChanges, map[string]any{"names": []string{secret}}),
		b.hear(t, north, customerChanges, map[string]any{"names": []string{secret}})
	b.renameCustomer(t, secret, "Public name")
	c := may.next(t)
	equal(t, "renamed", [3]string{c.Kind, c.Name, c.PreviousName}, [3]string{"RENAMED", "Public name", secret})
	b.changeCustomer(t, "Public name", map[string]any{"territory": "North"})
	c = may.next(t)
	equal(t, "goes on with it", [2]string{c.Kind, c.Name}, [2]string{"UPDATED", "Public name"})
	mayNot.silent(t)
}

// A name that is followed over a rename is followed on after the stream has joined others
// that ask the same and never knew the document.
func TestFollowedNamesOutliveJoining(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, config: catchUpOften})
	name := b.newCustomer(t, "Follow", "South")
	b.settled(t)
	named := map[string]any{"names": []string{name}}
	first := b.hear(t, sales, customerChanges, named)
	b.changeCustomer(t, name, map[string]any{"customer_name": "Follow 1"})
	before := first.next(t).Cursor
	b.renameCustomer(t, name, "Followed")
	equal(t, "renamed", first.next(t).Kind, "RENAMED")
	_ = first.socket.conn.CloseNow()

	fresh := b.hear(t, sales, customerChanges, named)
	back := b.hear(t, sales, customerChanges, map[string]any{"names": []string{name}, "after": before})
	equal(t, "renamed meanwhile", back.next(t).Kind, "RENAMED")
	fresh.silent(t)
	back.silent(t)
	fresh.silent(t)
	b.changeCustomer(t, "Followed", map[string]any{"customer_name": "Follow 2"})
	c := back.next(t)
	equal(t, "followed", [2]string{c.Kind, c.Name}, [2]string{"UPDATED", "Followed"})
	fresh.silent(t)
}

// The cursor is left out of what makes two subscriptions the same only where nothing else
// depends on it, however it is written.
func TestCursorAsAnotherArgument(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.hear(t, sales, customerChanges, nil)
	b.newCustomer(t, "Twice 1", "South")
	one := s.next(t).Cursor
	b.newCustomer(t, "Twice 2", "South")
	two := s.next(t).Cursor
	const query = `subscription($after: String) { customerChanged(after: $after, where: {customerName: {ne: $ #
after
}}) { name document { customerName } } }`
	a, z := b.hear(t, sales, query, map[string]any{"after": one}), b.hear(t, sales, query, map[string]any{"after": two})
	equal(t, "after the first", text(a.next(t).Document, "customerName"), "Twice 2")
	a.silent(t)
	z.silent(t)
	a.silent(t) // by now both follow the log
	b.newCustomer(t, two, "South")
	equal(t, "only the other's", text(a.next(t).Document, "customerName"), two)
	b.newCustomer(t, one, "South")
	equal(t, "only the other's", text(z.next(t).Document, "customerName"), one)
	a.silent(t)
}

// Only the kinds that were asked for come, whatever a webhook claims.
func TestHintsAreHintsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	name := b.newCustomer(t, "Hint", "South")
	b.settled(t)
	gone := b.hear(t, sales, customerChanges, map[string]any{"names": []string{name}, "kinds": []string{"DELETED"}})
	all, none := b.hear(t, sales, customerChanges, nil), b.hear(t, north, customerChanges, nil)
	far := "9999-12-31 23:59:59.999999"
	b.tell(t, "on_update", "Customer", name, far)
	c := all.next(t)
	equal(t, "read", [3]string{c.Kind, c.Name, text(c.Document, "customerName")}, [3]string{"UPDATED", name, "Hint"})
	b.tell(t, "on_update", "Customer", "No such customer", far)
	b.tell(t, "on_trash", "Customer", "No such customer either", far)
	b.tell(t, "on_update", "Customer", "Line\nbreak\r\n\u2028", far)
	b.tell(t, "on_update", "No such DocType", "x", far)
	b.tell(t, "on_update", "ServiceContract", "1", far)
	all.silent(t)
	// The future of a hint has no hold on what happens now.
	b.changeCustomer(t, name, map[string]any{"customer_name": "Hint 2"})
	c = all.next(t)
	equal(t, "a true change", [2]string{c.Kind, text(c.Document, "customerName")}, [2]string{"UPDATED", "Hint 2"})
	gone.silent(t)
	none.silent(t)
	// The database's own check waits longer than the webhook.
	if n := b.logLength(t); n == 0 {
		t.Error("nothing was logged")
	}
}

// What is not signed with a secret that counts now leaves no trace.
func TestForgedHints(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, config: func(cfg *app.Config) {
		cfg.WebhookSecrets = append(cfg.WebhookSecrets, "the-secret-before-that-one-00000")
	}})
	name := b.site.Names("Customer")[0]
	b.settled(t)
	before := b.logLength(t)
	good := hint(t, "on_update", "Customer", name, "2026-11-25 00:00:00.000000")
	for what, c := range map[string]struct {
		secret string
		body   []byte
		status int
	}{
		"no secret":       {"", good, 401},
		"another":         {"guessed", good, 401},
		"1 MB":            {b.webhookSecret, hint(t, "on_update", "Customer", strings.Repeat("x", 1<<20), "2026-11-25 00:00:00.000000"), 413},
		"a long name":     {b.webhookSecret, hint(t, "on_update", "Customer", strings.Repeat("x", 141), "2026-11-25 00:00:00.000000"), 422},
		"NUL":             {b.webhookSecret, hint(t, "on_update", "Customer", "a\x00b", "2026-11-25 00:00:00.000000"), 422},
		"no time":         {b.webhookSecret, hint(t, "on_update", "Customer", name, "yesterday"), 422},
		"year 10000":      {b.webhookSecret, hint(t, "on_update", "Customer", name, "10000-01-01 00:00:00.000000"), 422},
		"unknown event":   {b.webhookSecret, hint(t, "RENAMED", "Customer", name, "2026-11-25 00:00:00.000000"), 422},
		"two names":       {b.webhookSecret, append(bytes.TrimSuffix(good, []byte("}")), `,"name":"x"}`...), 400},
		"something after": {b.webhookSecret, append(bytes.Clone(good), '{', '}'), 400},
	} {
		if got := b.hook(t, c.secret, c.body); got != c.status {
			t.Errorf("%s: status %d, want %d", what, got, c.status)
		}
	}
	if n := b.logLength(t) - before; n != 0 {
		t.Errorf("%d events were logged", n)
	}
	// An old secret counts for as long as it is listed, and the same hint is one event.
	for _, secret := range []string{b.webhookSecret, "the-secret-before-that-one-00000", b.webhookSecret} {
		equal(t, "accepted", b.hook(t, secret, good), http.StatusNoContent)
	}
	if n := b.logLength(t) - before; n != 1 {
		t.Errorf("%d events of one hint", n)
	}
}

// A filter or an order by a field that the caller may not read is refused, and in a
// document it is null.
func TestHiddenFieldsOfSubscriptions(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	for name, query := range map[string]string{
		"where":       `subscription { salesOrderChanged(where: {ignorePricingRule: {eq: true}}) { name } }`,
		"in or":       `subscription { salesOrderChanged(where: {or: [{ignorePricingRule: {eq: true}}, {status: {eq: DRAFT}}]}) { name } }`,
		"and names":   `subscription { salesOrderChanged(names: ["` + b.site.Names("Sales Order")[0] + `"], where: {ignorePricingRule: {eq: true}}) { name } }`,
		"of a list":   `subscription { salesOrdersLive(where: {ignorePricingRule: {eq: true}}) { order } }`,
		"list, order": `subscription { salesOrdersLive(orderBy: [{field: IGNORE_PRICING_RULE}]) { order } }`,
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "refused", b.subscribe(t, sales, query, nil).next(t).Code, "FORBIDDEN")
		})
	}
	order := b.site.Names("Sales Order")[0]
	if err := b.site.Update("Sales Order", map[string]any{"name": order, "ignore_pricing_rule": 1}); err != nil {
		t.Fatal(err)
	}
	const query = `subscription { documentChanged(doctypes: ["Sales Order"]) { name document { ... on SalesOrder { ignorePricingRule } } } }`
	hidden, shown := b.subscribe(t, sales, query, nil), b.subscribe(t, manager, query, nil)
	b.tell(t, "on_update", "Sales Order", order, "2026-11-25 00:00:00.000001")
	equal(t, "hidden", hidden.next(t).Document, map[string]any{"ignorePricingRule": nil})
	equal(t, "shown", shown.next(t).Document, map[string]any{"ignorePricingRule": true})
}

// A cursor, of whomever and of whatever place, tells nobody of what he was not shown.
func TestForgedCursors(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.subscribe(t, sales, customerChanges, nil)
	old := b.newCustomer(t, "Cursor 1", "South")
	first := s.next(t).Cursor
	gone := b.newCustomer(t, "Cursor 2", "South")
	s.next(t)
	b.erp(t, admin, http.MethodDelete, "/api/resource/Customer/"+url.PathEscape(gone), nil)
	c := s.next(t)
	equal(t, "deleted", c.Kind, "DELETED")
	at, err := event.ParseCursor(c.Cursor)
	if err != nil {
		t.Fatal(err)
	}
	beginning := event.Cursor{Epoch: at.Epoch}.String()
	for name, who := range map[string]string{"of another user's stream": north, "of a user's other stream": sales} {
		t.Run(name, func(t *testing.T) {
			// For sales another where is another stream: it never showed what is gone.
			where := map[string]any{"customerName": map[string]any{"like": "Cursor%"}}
			for _, after := range []string{beginning, first} {
				s := b.subscribe(t, who, customerChanges, map[string]any{"after": after, "where": where})
				for {
					c, ok := s.within(t, 700*time.Millisecond)
					if !ok {
						break
					}
					if c.Name != old || who == north {
						t.Errorf("got %+v", c)
					}
				}
			}
		})
	}
	t.Run("of names", func(t *testing.T) {
		s := b.subscribe(t, sales, customerChanges, map[string]any{"after": beginning, "names": []string{gone}})
		s.silent(t)
	})
	for name, after := range map[string]event.Cursor{
		"of the future":       {Epoch: at.Epoch, Seq: at.Seq + 1},
		"of the far future":   {Epoch: at.Epoch, Seq: 1<<63 - 1},
		"of another log":      {Epoch: "00000000-0000-4000-8000-000000000000", Seq: at.Seq},
		"from before trimmed": {Epoch: at.Epoch, Seq: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "from before trimmed" {
				if _, err := event.NewLog(event.LogConfig{Pool: b.db.Pool()}).Trim(t.Context(), 0, 1); err != nil {
					t.Fatal(err)
				}
			}
			s := b.subscribe(t, sales, customerChanges, map[string]any{"after": after.String()})
			equal(t, "code", s.next(t).Code, "CURSOR_EXPIRED")
		})
	}
	// Where the log begins now is as far back as one may go.
	var trimmed int64
	if err := b.db.Pool().QueryRow(t.Context(), "select trimmed_to from event_head").Scan(&trimmed); err != nil {
		t.Fatal(err)
	}
	s = b.subscribe(t, sales, customerChanges, map[string]any{"after": event.Cursor{Epoch: at.Epoch, Seq: trimmed}.String()})
	equal(t, "what is left", s.next(t).Kind, "DELETED")
}
