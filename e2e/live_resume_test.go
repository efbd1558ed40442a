package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/app"
	"erpgraph/internal/event"
	"erpgraph/internal/simulator"
)

// events reads an event stream by GET, from a header on.
func (b *bundle) events(tb testing.TB, credential, query string, variables map[string]any, lastEventID string) (next func() (id string, c change)) {
	tb.Helper()
	vars, err := json.Marshal(variables)
	if err != nil {
		tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, b.url+"/graphql?query="+url.QueryEscape(query)+"&variables="+url.QueryEscape(string(vars)), nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", credential)
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewReader(res.Body)
	return func() (id string, c change) {
		tb.Helper()
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				tb.Fatalf("the stream ended: %v", err)
			}
			line = strings.TrimRight(line, "\n")
			if v, ok := strings.CutPrefix(line, "id: "); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(line, "data: "); ok && v != "" {
				var p struct {
					Data   map[string]change
					Errors []struct{ Extensions map[string]any }
				}
				if err := json.Unmarshal([]byte(v), &p); err != nil {
					tb.Fatalf("%v in %s", err, v)
				}
				for _, e := range p.Errors {
					c.Code, _ = e.Extensions["code"].(string)
					c.Resume, _ = e.Extensions["cursor"].(string)
				}
				for _, d := range p.Data {
					d.Code, d.Resume = c.Code, c.Resume
					c = d
				}
				return id, c
			}
		}
	}
}

// A browser that connects again sends the URL that it began with: what it says of the last
// event counts more than the cursor in there.
func TestLastEventIDCountsMoreThanAfter(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	s := b.subscribe(t, sales, customerChanges, nil)
	var cursors []string
	for i := range 3 {
		b.newCustomer(t, fmt.Sprintf("Last %d", i), "South")
		cursors = append(cursors, s.next(t).Cursor)
	}
	next := b.events(t, sales, customerChanges, map[string]any{"after": cursors[0]}, cursors[1])
	id, c := next()
	equal(t, "the last one only", [2]string{id, text(c.Document, "customerName")}, [2]string{cursors[2], "Last 2"})
	// Of a subscription with other arguments, it is a place like any.
	next = b.events(t, sales, customerChanges, map[string]any{"kinds": []string{"CREATED"}}, cursors[0])
	_, c = next()
	equal(t, "from there on", text(c.Document, "customerName"), "Last 1")
	next = b.events(t, sales, customerChanges, nil, "bm9uc2Vuc2U")
	_, c = next()
	equal(t, "nonsense", c.Code, "BAD_USER_INPUT")
}

// Operations whose one field directives leave out, or that have none but __typename, end
// without harm.
func TestSubscriptionsToNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	for name, query := range map[string]string{
		"skipped":      `subscription($no: Boolean!) { customerChanged @skip(if: $no) { name } }`,
		"not included": `subscription($no: Boolean!) { ...F } fragment F on Subscription { customerChanged @skip(if: $no) { name } }`,
	} {
		t.Run(name, func(t *testing.T) {
			before := b.log.count(`"msg":"`)
			s := &stream{b: b, socket: b.open(t, nil, `{"authorization":`+strconv.Quote(sales)+`}`)}
			s.socket.send(t, `{"id":"1","type":"subscribe","payload":{"query":`+strconv.Quote(query)+`,"variables":{"no":true}}}`)
			if c := s.next(t); !c.Done {
				t.Errorf("got %+v", c)
			}
			if b.log.count("panic") > 0 || before == 0 {
				t.Errorf("log: %s", b.log)
			}
		})
	}
	s := b.subscribe(t, sales, `subscription($no: Boolean!) { customerChanged { kind @skip(if: $no) ... @include(if: $no) { name } document @skip(if: $no) { name } } }`, map[string]any{"no": true})
	name := b.newCustomer(t, "Directives", "South")
	c := s.next(t)
	equal(t, "by directives", [3]any{c.Kind, c.Name, c.Document == nil}, [3]any{"", name, true})
}

// Events of more DocTypes than one operation may ask ERPNext of don't end a stream.
func TestManyDocTypesAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, config: func(cfg *app.Config) { cfg.MaxUpstreamCalls = 4 }})
	s := b.subscribe(t, manager, `subscription { documentChanged { doctype name } }`, nil)
	want := map[string]bool{}
	done := make(chan struct{})
	doctypes := []string{"Customer", "Item", "Territory", "Customer Group", "Item Group", "Sales Order", "Warehouse", "Company"}
	for _, d := range doctypes {
		want[d] = true
		body := hint(t, "on_update", d, b.site.Names(d)[0], "2026-11-25 00:00:00.000001")
		go func() {
			b.hook(t, b.webhookSecret, body)
			done <- struct{}{}
		}()
	}
	for range doctypes {
		<-done
	}
	for len(want) > 0 {
		c := s.next(t)
		if c.Done || !want[c.Doctype] {
			t.Fatalf("got %+v, while %v are to come", c, want)
		}
		delete(want, c.Doctype)
	}
}

// A share lets events through for as long as it is there.
func TestSharesOfSubscribers(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	name := b.newCustomer(t, "Shared", "South")
	if err := b.site.Share("Customer", name, "nobody@example.com", false); err != nil {
		t.Fatal(err)
	}
	b.settled(t)
	s := b.hear(t, nobody, customerChanges, map[string]any{"names": []string{name}})
	other := b.newCustomer(t, "Not shared", "South")
	b.changeCustomer(t, name, map[string]any{"customer_name": "Shared 1"})
	c := s.next(t)
	equal(t, "shared", [2]string{c.Kind, text(c.Document, "customerName")}, [2]string{"UPDATED", "Shared 1"})
	for _, share := range b.site.Names("DocShare") {
		if err := b.site.Delete("DocShare", share); err != nil {
			t.Fatal(err)
		}
	}
	b.changeCustomer(t, name, map[string]any{"customer_name": "Shared 2"})
	b.changeCustomer(t, other, map[string]any{"customer_name": "Not shared 2"})
	s.silent(t)
}

// A row goes with the document that it is read through, also when that becomes another.
func TestRowsMovedToAnotherCustomer(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	const query = `subscription { serviceContractChanged { kind id document { notes customer { name } } } }`
	all, nord := b.hear(t, sales, query, nil), b.hear(t, north, query, nil)
	create := func(name, territory string) string { return b.newCustomer(t, name, territory) }
	south, northern := create("Moved South", "South"), create("Moved North", "North")
	var made struct{ CreateServiceContract struct{ ID string } }
	b.query(t, manager, `mutation($c: ServiceContractCreate!) { createServiceContract(input: $c) { id } }`, map[string]any{"c": map[string]any{
		"customer": south, "item": "ITEM-00010", "startDate": "2026-11-25", "notes": "south only",
	}}).into(t, &made)
	id := made.CreateServiceContract.ID
	equal(t, "created", all.next(t).Kind, "CREATED")
	move := func(to, notes string) {
		b.query(t, manager, `mutation($id: ID!, $c: ServiceContractUpdate!) { updateServiceContract(id: $id, input: $c) { id } }`,
			map[string]any{"id": id, "c": map[string]any{"customer": to, "notes": notes}}).into(t, new(any))
		equal(t, "moved", text(all.next(t).Document, "notes"), notes)
	}
	move(south, "still south")
	nord.silent(t)
	move(northern, "north now")
	c := nord.next(t)
	equal(t, "came in", [3]string{c.Kind, c.ID, text(c.Document, "notes")}, [3]string{"UPDATED", id, "north now"})
	move(south, "south again")
	nord.silent(t)
	b.query(t, manager, `mutation($id: ID!) { deleteServiceContract(id: $id) { id } }`, map[string]any{"id": id}).into(t, new(any))
	equal(t, "deleted", all.next(t).Kind, "DELETED")
	equal(t, "deleted, for who had seen it", nord.next(t).Kind, "DELETED")
}

// While ERPNext is away, or wants fewer calls, events wait.
func TestEventsWaitForERPNext(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"down":     {Path: "frappe.client.get_list", DocType: "Customer", Drop: true},
		"too many": {Path: "frappe.client.get_list", DocType: "Customer", Status: http.StatusTooManyRequests, RetryAfter: "1"},
		"proxy":    {Path: "frappe.client.get_list", DocType: "Customer", Status: http.StatusBadGateway},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options{live: true})
			s := b.hear(t, sales, customerChanges, nil)
			list := b.hear(t, sales, `subscription { customersLive(where: {customerName: {like: "Wait%"}}) { snapshot order added { name } } }`, nil)
			equal(t, "snapshot", list.next(t).Snapshot, true)
			b.site.SetFault(fault)
			want := map[string]bool{}
			for i := range 5 {
				want[b.newCustomer(t, fmt.Sprintf("Wait %d", i), "South")] = true
			}
			s.silent(t)
			b.site.ClearFaults()
			for range 5 {
				c := s.next(t)
				if c.Done || !want[c.Name] {
					t.Fatalf("got %+v", c)
				}
				delete(want, c.Name)
			}
			for n := 0; n < 5; {
				c := list.next(t)
				if c.Done {
					t.Fatalf("got %+v", c)
				}
				n = len(c.Order)
			}
		})
	}
}

// Who does not read is told to come again, with a cursor that leaves nothing out.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	const count = 300
	detail := strings.Repeat("long ", 20_000)
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("Slow %03d", i)
		if err := b.site.Insert("Customer", map[string]any{
			"name": names[i], "customer_name": names[i], "customer_type": "Company", "customer_group": "Retail", "territory": "South", "customer_details": detail,
		}); err != nil {
			t.Fatal(err)
		}
	}
	const query = `subscription($after: String) { customerChanged(after: $after) { cursor kind name document { customerDetails } } }`
	s := b.subscribe(t, sales, query, nil)
	s.socket.conn.SetReadLimit(-1)
	next := b.events(t, sales, query, nil, "")
	// All at once: who takes ten seconds for one message is cut off, whatever waits.
	log := event.NewLog(event.LogConfig{Pool: b.db.Pool()})
	for batch := range slices.Chunk(names, 50) {
		var events []event.Event
		for _, name := range batch {
			events = append(events, event.Event{DocType: "Customer", Name: name, Kind: event.Updated, Modified: "2026-11-25 00:00:00.000001", Source: event.Webhook})
		}
		if _, err := log.Append(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	b.until(t, "ended twice", func() bool { return b.log.count(`"RESUME"`) >= 2 })
	over := map[string]func() change{
		"socket": func() change { return s.next(t) },
		"stream": func() change { _, c := next(); return c },
	}
	for how, next := range over {
		seen := map[string]int{}
		last := ""
		c := next()
		for ; c.Code == ""; c = next() {
			seen[c.Name]++
			last = c.Cursor
		}
		equal(t, how, [2]string{c.Code, c.Resume}, [2]string{"RESUME", last})
		s := b.subscribe(t, sales, query, map[string]any{"after": c.Resume})
		s.socket.conn.SetReadLimit(-1)
		for len(seen) < count {
			c := s.next(t)
			if c.Done && c.Code != "RESUME" {
				t.Fatalf("%s: %+v", how, c)
			}
			if c.Done {
				s = b.subscribe(t, sales, query, map[string]any{"after": c.Resume})
				s.socket.conn.SetReadLimit(-1)
				continue
			}
			seen[c.Name]++
		}
		for _, name := range names {
			if seen[name] != 1 {
				t.Errorf("%s: %s came %d times", how, name, seen[name])
			}
		}
	}
}

// Subscribers of one class come and go, and none of them is lost or gets another's place.
func TestSubscribersComeAndGo(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	stop := make(chan struct{})
	ended := make(chan struct{})
	var stays atomic.Int64
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				b.hook(t, b.webhookSecret, hint(t, "on_update", "Customer", "Semi;Colon", fmt.Sprintf("2026-11-25 00:00:00.%06d", i)))
				stays.Add(1)
			}
		}
	}()
	socket := b.open(t, nil, `{"authorization":`+strconv.Quote(sales)+`}`)
	for i := range 1000 {
		socket.send(t, fmt.Sprintf(`{"id":"%d","type":"subscribe","payload":{"query":"subscription { customerChanged { kind name } }"}}`, i))
		if i > 0 {
			socket.send(t, fmt.Sprintf(`{"id":"%d","type":"complete"}`, i-1))
		}
		if i%50 == 49 { // more at a time than are allowed to run would be refused
			b.until(t, "gone", func() bool { return b.log.count(`"type":"subscription"`) >= i })
		}
	}
	close(stop)
	<-ended
	b.until(t, "begun", func() bool { return b.log.count(`"msg":"subscribed"`) > 0 })
	last := b.newCustomer(t, "Come and gone", "South")
	for {
		_, raw, err := socket.conn.Read(t.Context())
		if err != nil {
			t.Fatalf("%v after %d hints\n%s", err, stays.Load(), b.log)
		}
		if strings.Contains(string(raw), last) {
			if !strings.Contains(string(raw), `"id":"999"`) {
				t.Errorf("the last one's event went to %s", raw)
			}
			return
		}
		if strings.Contains(string(raw), `"type":"error"`) {
			t.Fatalf("%s", raw)
		}
	}
}

// A process that stops closes its streams with a cursor, which goes on at another.
func TestStopWithStreamsOpen(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, signIn: true})
	var s *stream
	var cursor string
	t.Run("process", func(inner *testing.T) {
		other := setup(inner, options{live: true, beside: b})
		s = other.subscribe(t, sales, customerChanges, nil)
		b.newCustomer(t, "Stop 1", "South")
		cursor = s.next(t).Cursor
	})
	b.newCustomer(t, "Stop 2", "South")
	c := s.next(t)
	for ; c.Done && c.Code != "" && !strings.HasPrefix(c.Code, "Status"); c = s.next(t) {
		equal(t, "told to come again", c.Code, "RESUME")
		cursor = c.Resume
	}
	equal(t, "closed", [2]any{c.Done, c.Code}, [2]any{true, "StatusGoingAway"})
	back := b.subscribe(t, sales, customerChanges, map[string]any{"after": cursor})
	equal(t, "goes on", text(back.next(t).Document, "customerName"), "Stop 2")
}
