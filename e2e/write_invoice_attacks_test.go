package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/app"
)

// A client that leaves in the middle of a hand-written mutation, and asks for the draft
// again, must not get two.
func TestClientLeavesDuringTheInvoice(t *testing.T) {
	t.Parallel()
	worker := newSlowWorker("/api/resource/Sales Invoice")
	b := setup(t, options{between: worker.between, config: func(c *app.Config) { c.UpstreamTimeout, c.UpstreamBusy = 2*time.Second, time.Minute }})
	s := story{t, b}
	visit := s.visited(s.contracted("Semi;Colon"))
	drafts := `{ salesInvoices(where: { customer: { eq: "Semi;Colon" }, docstatus: { eq: 0 } }) { totalCount } }`
	before := s.count(drafts)
	body, err := json.Marshal(map[string]any{"query": complete, "variables": map[string]any{"id": visit, "invoice": true}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", manager)
	left := make(chan struct{})
	go func() {
		defer close(left)
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-worker.began
	leave()
	<-left
	retry := `mutation($id: ID!) { retryServiceVisitInvoice(id: $id) { serviceVisit { invoiceState invoice { name } } } }`
	for !strings.Contains(b.log.String(), `"status":499`) { // the first request has ended
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the request that was left never ends")
		}
	}
	got := b.query(t, manager, retry, map[string]any{"id": visit})
	close(worker.release)
	<-worker.finished
	if n := s.count(drafts); n != before+1 {
		t.Errorf("%d new drafts, want 1; the retry gave %s", n-before, got.raw)
	}
}

// An attempt of which nobody knows what came of it is not forgotten because the next one
// did not even get to look.
func TestUncertainInvoiceIsNotForgotten(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{signIn: true, between: site.between})
	second := setup(t, options{beside: b}) // another process, which does not know the DocType's levels yet
	s := story{t, b}
	visit := s.visited(s.contracted("Semi;Colon"))
	drafts := `{ salesInvoices(where: { customer: { eq: "Semi;Colon" }, docstatus: { eq: 0 } }) { totalCount } }`
	before := s.count(drafts)
	invoice, levels := "/Sales Invoice", "getdoctype"
	site.lose.Store(&invoice)
	b.query(t, manager, complete, map[string]any{"id": visit, "invoice": true})
	site.lose.Store(nil)
	retry := `mutation($id: ID!) { retryServiceVisitInvoice(id: $id) { serviceVisit { invoiceState invoiceProblem } } }`
	site.refuse.Store(&levels)
	one := second.query(t, manager, retry, map[string]any{"id": visit})
	site.refuse.Store(nil)
	two := second.query(t, manager, retry, map[string]any{"id": visit})
	if n := s.count(drafts); n != before+1 {
		t.Errorf("%d new drafts, want 1; the retries gave %s and %s", n-before, one.raw, two.raw)
	}
}

// A draft that somebody else retries bills what the visit shows then, and not what its
// maker has changed since.
func TestRetriedInvoiceIsWhatTheVisitShows(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	visit := s.visited(s.contracted("Semi;Colon"))
	used := text(s.do(sales, `mutation($v: ID!) { createServiceVisitPart(input: { visit: $v, item: "ITEM-00010", qty: 1, rate: "9999" }) { id } }`, map[string]any{"v": visit}), "id")
	s.do(sales, complete, map[string]any{"id": visit, "invoice": true})
	s.b.query(t, sales, `mutation($p: ID!) { updateServiceVisitPart(id: $p, input: { rate: "1" }) { id } }`, map[string]any{"p": used})
	got := part(s.do(manager, `mutation($id: ID!) { retryServiceVisitInvoice(id: $id) { serviceVisit { invoiceState parts { rate } invoice { items { rate } } } } }`, map[string]any{"id": visit}), "serviceVisit")
	shown, _ := json.Marshal(got["parts"])
	billed, _ := json.Marshal(part(got, "invoice")["items"])
	if strings.Contains(string(billed), "9999") && !strings.Contains(string(shown), "9999") {
		t.Errorf("the visit shows %s, the manager has billed %s", shown, billed)
	}
}

// However many complete a visit and retry its invoice at once, there is one.
func TestOneInvoiceOfMany(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{})}
	visit := s.visited(s.contracted("Semi;Colon"))
	drafts := `{ salesInvoices(where: { customer: { eq: "Semi;Colon" } }) { totalCount } }`
	before := s.count(drafts)
	retry := `mutation($id: ID!) { retryServiceVisitInvoice(id: $id) { serviceVisit { invoiceState } } }`
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if i%2 == 0 {
				s.b.query(t, manager, complete, map[string]any{"id": visit, "invoice": true})
			}
			s.b.query(t, manager, retry, map[string]any{"id": visit})
		})
	}
	wg.Wait()
	if n := s.count(drafts); n != before+1 {
		t.Errorf("%d new invoices, want 1", n-before)
	}
}
