package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/app"
	"erpgraph/internal/simulator"
)

// eventSource reads a stream of events as browsers do.
type eventSource struct {
	b     *bundle
	body  io.ReadCloser
	lines *bufio.Scanner
}

// sent is an event of it; id is "" for none.
type sent struct {
	event, id string
	change
}

// source opens a stream: by GET without a body, by POST with one.
func (b *bundle) source(tb testing.TB, path, body string, header map[string]string) *eventSource {
	tb.Helper()
	begun := func() int {
		return b.log.count(`"msg":"subscribed"`) + b.log.count(`"code":"`) - b.log.count(`"code":""`)
	}
	before := begun()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		tb.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	if strings.Contains(path+body, "subscription") {
		b.until(tb, "subscribed, or refused", func() bool { return begun() > before })
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return &eventSource{b: b, body: res.Body, lines: lines}
}

// subscription is the address of a subscription by GET.
func subscription(query string, variables map[string]any) string {
	text, _ := json.Marshal(variables)
	return "/graphql?" + url.Values{"query": {query}, "variables": {string(text)}}.Encode()
}

// next is the next event that a page sees; Done at the end.
func (s *eventSource) next(tb testing.TB) sent {
	tb.Helper()
	var out sent
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			out.event = value
		case "id":
			out.id = value
		case "data":
			out.take(tb, []byte(value))
		case "":
			if s.lines.Text() == "" && out.event != "" {
				return out
			}
		}
	}
	if tb.Context().Err() == nil && s.lines.Err() != nil {
		tb.Fatalf("no event came: %v\n%s", s.lines.Err(), s.b.log)
	}
	out.Done = true
	return out
}

// take reads the data of an event, that of an operation of many too.
func (s *sent) take(tb testing.TB, data []byte) {
	tb.Helper()
	if len(data) == 0 {
		return
	}
	type result struct {
		Data   map[string]change
		Errors []struct {
			Message    string
			Extensions map[string]any
		}
	}
	var m struct {
		result

		ID      string
		Payload result
	}
	if err := json.Unmarshal(data, &m); err != nil {
		tb.Fatalf("%v in %s", err, data)
	}
	if m.ID != "" {
		m.result = m.Payload
	}
	for _, c := range m.Data {
		s.change = c
	}
	for _, e := range m.Errors {
		s.Errors = e.Message
		s.Code, _ = e.Extensions["code"].(string)
	}
	if m.ID != "" {
		s.Doctype = m.ID // the operation's
	}
}

// An EventSource gets events by GET, and after its connection broke it goes on where it was,
// with the id of the last event in a header and the same address.
func TestEventSource(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	address := subscription(customerChanges, nil)
	s := b.source(t, address, "", map[string]string{"Authorization": sales})
	first := b.newCustomer(t, "Source 1", "South")
	c := s.next(t)
	equal(t, "created", [3]string{c.event, c.Kind, c.Name}, [3]string{"next", "CREATED", first})
	equal(t, "its id", c.id, c.Cursor)
	_ = s.body.Close()

	second := b.newCustomer(t, "Source 2", "South")
	b.gone(t, "Customer", first)
	s = b.source(t, address, "", map[string]string{"Authorization": sales, "Last-Event-Id": c.id})
	got := map[string]string{}
	for range 2 {
		c = s.next(t)
		got[c.Name] = c.Kind
	}
	equal(t, "meanwhile", got, map[string]string{second: "CREATED", first: "DELETED"})
	third := b.newCustomer(t, "Source 3", "South")
	equal(t, "live", s.next(t).Name, third)
	_ = s.body.Close()

	refused := b.source(t, address, "", map[string]string{"Authorization": sales, "Last-Event-Id": "nonsense"})
	equal(t, "an id of no event", refused.next(t).Code, "BAD_USER_INPUT")
}

// One stream carries the events of several operations, which come and go.
func TestSingleConnection(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	do := func(method, query, body string, header map[string]string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, b.url+"/graphql/stream"+query, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", sales)
		req.Header.Set("Content-Type", "application/json")
		for name, value := range header {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	status, token := do(http.MethodPut, "", "", nil)
	if status != http.StatusCreated {
		t.Fatal(status, token)
	}
	named := map[string]string{"Authorization": sales, "X-GraphQL-Event-Stream-Token": token}
	s := b.source(t, "/graphql/stream", "", named)
	for id, query := range map[string]string{"customers": customerChanges, "rows": contractChanges} {
		body := jsonBody(t, map[string]any{"query": query, "extensions": map[string]any{"operationId": id}})
		if status, text := do(http.MethodPost, "", string(body), named); status != http.StatusAccepted {
			t.Fatal(status, text)
		}
	}
	b.until(t, "subscribed", func() bool { return b.log.count(`"msg":"subscribed"`) == 2 })
	name := b.newCustomer(t, "Single", "South")
	c := s.next(t)
	equal(t, "a customer", [3]string{c.Doctype, c.Kind, c.Name}, [3]string{"customers", "CREATED", name})
	if c.id != "" {
		t.Errorf("the stream has the id %q, which would be that of all operations", c.id)
	}
	if status, text := do(http.MethodDelete, "?operationId=customers", "", named); status != http.StatusOK {
		t.Fatal(status, text)
	}
	contract := b.newContract(t, map[string]any{"customer": name})
	b.query(t, manager, `mutation($id: ID!) { updateServiceContract(id: $id, input: {notes: "n"}) { id } }`, map[string]any{"id": contract}).into(t, new(any))
	for c = s.next(t); c.event == "complete"; c = s.next(t) {
	}
	equal(t, "a row, and no more of customers", [2]string{c.Doctype, c.ID}, [2]string{"rows", contract})
	if status, _ := do(http.MethodGet, "", "", map[string]string{"Authorization": north, "X-GraphQL-Event-Stream-Token": token, "Accept": "text/event-stream"}); status != http.StatusNotFound {
		t.Errorf("a stream of somebody else: %d", status)
	}
}

// accessToken is an access token of a user, as an OAuth client of the site gets it.
func (b *bundle) accessToken(tb testing.TB, user string) string {
	tb.Helper()
	b.site.AddOAuthCode(simulator.OAuthCode{Code: "code of " + user, ClientID: clientID, User: user, Scopes: "all openid"})
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, b.siteURL+"/api/method/frappe.integrations.oauth2.get_token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {"code of " + user}, "client_id": {clientID}, "client_secret": {clientSecret}, "redirect_uri": {b.url + "/auth/callback"},
	}.Encode()))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.AccessToken == "" {
		tb.Fatal(res.StatusCode, err)
	}
	return got.AccessToken
}

// When ERPNext no longer takes the token, the stream ends with the next event, or the next
// look at who it is, whichever comes first, and a socket is closed.
func TestStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	var now clock
	b := setup(t, options{live: true, signIn: true, app: app.Options{Now: now.now}})
	bearer := "Bearer " + b.accessToken(t, "sales@example.com")
	socket := b.subscribe(t, bearer, customerChanges, nil)
	events := b.source(t, subscription(customerChanges, nil), "", map[string]string{"Authorization": bearer})
	other := b.subscribe(t, sales, customerChanges, nil)
	name := b.newCustomer(t, "Token 1", "South")
	equal(t, "before, over a socket", socket.next(t).Name, name)
	equal(t, "before, over a stream of events", events.next(t).Name, name)
	equal(t, "of another credential", other.next(t).Name, name)

	b.site.RevokeTokens("sales@example.com", clientID)
	now.forward(identityTime)
	name = b.newCustomer(t, "Token 2", "South")
	equal(t, "over a socket", socket.next(t).Code, "UNAUTHENTICATED")
	equal(t, "over a stream of events", events.next(t).Code, "UNAUTHENTICATED")
	equal(t, "of another credential", other.next(t).Name, name)
}

// Who signs out gets no further event: the socket is closed, and the stream of events ends.
func TestStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	var now clock
	b := setup(t, options{live: true, signIn: true, app: app.Options{Now: now.now, SocketCheck: 20 * time.Millisecond}})
	v := b.signIn(t, "sales@example.com")
	header := map[string]string{"Cookie": strings.TrimPrefix(v.credential(t), withCookie), "Origin": b.url}
	s := &stream{b: b, socket: b.open(t, header, `{}`)}
	s.begin(t, customerChanges, nil)
	events := b.source(t, subscription(customerChanges, nil), "", header)
	name := b.newCustomer(t, "Session 1", "South")
	equal(t, "before, over a socket", s.next(t).Name, name)
	equal(t, "before, over a stream of events", events.next(t).Name, name)

	v.send(t, http.MethodPost, b.url+"/auth/logout", map[string]string{"Content-Type": "application/json"}, "{}")
	b.newCustomer(t, "Session 2", "South")
	c := s.next(t)
	for !strings.HasPrefix(c.Code, "Status") {
		if c.Document != nil || c.Code != "" && c.Code != "UNAUTHENTICATED" {
			t.Fatalf("after signing out: %+v", c)
		}
		c = s.next(t)
	}
	equal(t, "closed with", c.Code, "StatusCode(4401)")
	for c := events.next(t); !c.Done; c = events.next(t) {
		if c.Document != nil {
			t.Fatalf("after signing out: %+v", c)
		}
	}
}

// Fields above the subscriber's permlevel are null in events, and no where asks for them.
func TestPermlevelsOfChanges(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	order := text(b.erp(t, manager, http.MethodPost, "/api/resource/Sales Order", newOrder()), "name")
	const query = `subscription($n: [String!], $w: SalesOrderWhere) { salesOrderChanged(names: $n, where: $w, kinds: [UPDATED]) { kind name document { poNo ignorePricingRule } } }`
	names := map[string]any{"n": []string{order}}
	low, high := b.subscribe(t, sales, query, names), b.subscribe(t, manager, query, names)
	b.erp(t, manager, http.MethodPut, "/api/resource/Sales Order/"+url.PathEscape(order), map[string]any{"ignore_pricing_rule": 1, "po_no": "7"})
	equal(t, "who may", high.next(t).Document, map[string]any{"poNo": "7", "ignorePricingRule": true})
	equal(t, "who may not", low.next(t).Document, map[string]any{"poNo": "7", "ignorePricingRule": nil})
	probe := b.subscribe(t, sales, query, map[string]any{"w": map[string]any{"ignorePricingRule": map[string]any{"eq": true}}})
	equal(t, "a where", probe.next(t).Code, "FORBIDDEN")
}

// All that changes on one stream, documents and rows of the custom app.
func TestDocumentChanged(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	const query = `subscription($d: [String!]) { documentChanged(doctypes: $d) { cursor kind doctype name document { id __typename
		... on Customer { customerName } ... on ServiceContract { notes customer { name } } ... on Item { itemName } } } }`
	some := b.subscribe(t, sales, query, map[string]any{"d": []string{"Customer", "ServiceContract"}})
	far := b.subscribe(t, north, query, map[string]any{"d": []string{"Customer", "ServiceContract"}})
	item := b.subscribe(t, sales, query, map[string]any{"d": []string{"Item"}})

	name := b.newCustomer(t, "Any South", "South")
	c := some.next(t)
	equal(t, "a customer", [4]any{c.Kind, c.Doctype, c.Name, c.Document["customerName"]}, [4]any{"CREATED", "Customer", name, "Any South"})
	contract := b.newContract(t, map[string]any{"customer": name})
	c = some.next(t)
	equal(t, "a row", [4]any{c.Kind, c.Doctype, c.Document["id"], part(c.Document, "customer")}, [4]any{"CREATED", "ServiceContract", contract, map[string]any{"name": name}})
	if globalID("ServiceContract", c.Name) != contract {
		t.Errorf("the row's name is %q", c.Name)
	}
	b.newItem(t, "Any item")
	c = item.next(t)
	equal(t, "an item", [3]any{c.Doctype, c.Name, c.Document["__typename"]}, [3]any{"Item", "Any item", "Item"})
	some.silent(t)
	far.silent(t)
}

// A name is ERPNext's, in which case and accents do not count.
func TestChangesOfNames(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	name, other := b.newCustomer(t, "Names Ünique", "South"), b.newCustomer(t, "Names other", "South")
	kinds := []string{"UPDATED", "DELETED"} // a subscription may get what happened just before it
	exact := b.subscribe(t, sales, customerChanges, map[string]any{"names": []string{name}, "kinds": kinds})
	loose := b.subscribe(t, sales, customerChanges, map[string]any{"names": []string{"NAMES unique"}, "kinds": kinds})
	unseen := b.subscribe(t, north, customerChanges, map[string]any{"names": []string{name, "Names to come"}})
	b.changeCustomer(t, other, map[string]any{"customer_details": "x"})
	b.changeCustomer(t, name, map[string]any{"customer_details": "x"})
	for _, s := range []*stream{exact, loose} {
		c := s.next(t)
		equal(t, "changed", [2]string{c.Kind, c.Name}, [2]string{"UPDATED", name})
	}
	b.gone(t, "Customer", name)
	for _, s := range []*stream{exact, loose} {
		c := s.next(t)
		equal(t, "deleted", [2]string{c.Kind, c.Name}, [2]string{"DELETED", name})
		s.silent(t)
	}
	come := b.newCustomer(t, "Names to come", "North")
	equal(t, "one that was not there, and no other", unseen.next(t).Name, come)
}

// A cursor, then a list, then the changes after the cursor: nothing is missed between them but
// the end of what this stream never showed, which is told to nobody.
func TestListThenSubscribe(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	before := b.newCustomer(t, "Gap before", "South")
	b.until(t, "in the log", func() bool { return b.logged(t, "Customer", before) })
	cursor := b.eventCursor(t, sales)
	during := b.newCustomer(t, "Gap during", "South")
	view := map[string]string{}
	for _, r := range b.list(t, sales, "customers", `where: {name: {like: "Gap %"}},`, "name customerName") {
		view[r.text("name")] = r.text("customerName")
	}
	after := b.newCustomer(t, "Gap after", "South")
	b.changeCustomer(t, before, map[string]any{"customer_name": "Gap changed"})
	want := map[string]string{before: "Gap changed", during: "Gap during", after: "Gap after"}
	s := b.subscribe(t, sales, customerChanges, map[string]any{"after": cursor, "names": []string{before, during, after}})
	for !maps.Equal(view, want) {
		c := s.next(t)
		view[c.Name] = text(c.Document, "customerName")
	}
	b.gone(t, "Customer", before)
	for c := s.next(t); c.Kind != "DELETED"; c = s.next(t) {
	}
}

// logged tells whether the log has an event of a document.
func (b *bundle) logged(tb testing.TB, doctype, name string) (ok bool) {
	tb.Helper()
	if err := b.db.Pool().QueryRow(tb.Context(), "select exists (select from event_log where doctype = $1 and name = $2)", doctype, name).Scan(&ok); err != nil {
		tb.Fatal(err)
	}
	return ok
}

// A live list of each of two processes follows what either is told of.
func TestLiveListsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true, signIn: true})
	other := setup(t, options{live: true, beside: b})
	const query = `subscription { customersLive(where: {name: {like: "Replica %"}}, orderBy: [{field: NAME}], first: 10) { cursor snapshot order added { id name } removed } }`
	lists := []*stream{b.subscribe(t, sales, query, nil), other.subscribe(t, sales, query, nil)}
	for _, s := range lists {
		if c := s.next(t); !c.Snapshot || len(c.Order) > 0 {
			t.Errorf("at first: %+v", c)
		}
	}
	var names []string
	for i := range 3 {
		names = append(names, b.newCustomer(t, fmt.Sprint("Replica ", i), "South"))
		for _, s := range lists {
			c := s.next(t)
			equal(t, "order", len(c.Order), len(names))
			equal(t, "added", c.Added[0]["name"], any(names[i]))
		}
	}
	b.gone(t, "Customer", names[1])
	for _, s := range lists {
		c := s.next(t)
		equal(t, "left", [2][]string{c.Order, c.Removed}, [2][]string{
			{globalID("Customer", names[0]), globalID("Customer", names[2])}, {globalID("Customer", names[1])},
		})
	}
}
