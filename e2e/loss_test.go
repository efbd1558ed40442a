package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"

	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/simulator"
)

// The size of the loss test: `go test ./e2e -run TestNothingIsLost -loss.changes 10000
// -loss.writers 20 -loss.subscribers 50 -timeout 30m` is the full one.
var (
	lossChanges     = flag.Int("loss.changes", 400, "changes that the loss test makes")
	lossWriters     = flag.Int("loss.writers", 8, "writers of the loss test")
	lossSubscribers = flag.Int("loss.subscribers", 10, "subscribers of the loss test")
	lossKill        = flag.Duration("loss.kill", 3*time.Second, "how often the loss test kills a process; 0: never")
)

// Changes by many writers, while a third of the webhooks are dropped, a third delivered twice
// and a fifth out of order, and one of two processes is killed now and then: subscribers of
// different rights, who come back with their cursor, end up with what ERPNext lists for each
// of them. None gets an event twice, an older state after a newer one, or a document that it
// may not read.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	l := newLoss(t)
	var subscribers sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	users := []string{sales, north, two, manager, stock}
	for i := range *lossSubscribers {
		s := &lossSubscriber{
			loss: l, credential: users[i%len(users)], number: i, view: map[string]string{}, last: map[string]string{}, cursors: map[string]bool{},
			cursor: l.eventCursor(t, users[i%len(users)]),
		}
		l.subscribers = append(l.subscribers, s)
		subscribers.Go(func() { s.run(ctx) })
	}
	killer := make(chan struct{})
	go func() { defer close(killer); l.kill(ctx, t) }()
	l.write(t)
	l.quiet.Store(true)
	<-killer
	diff := ""
	defer func() {
		if diff != "" {
			t.Log(diff, l.history(t, diff))
		}
	}()
	l.until(t, "equal to the lists", func() bool {
		diff = l.differences(t)
		return diff == ""
	})
	stop()
	subscribers.Wait()
	for _, s := range l.subscribers {
		for _, failure := range s.failures {
			t.Errorf("subscriber %d (%s): %s", s.number, s.credential[:22], failure)
		}
	}
	t.Logf("%d events to %d subscribers, %d reconnections, %d kills, %d webhooks dropped",
		l.events.Load(), len(l.subscribers), l.reconnections.Load(), l.kills.Load(), l.site.DeliveryCounts().Dropped)
}

// loss is the site, two processes, and who writes and listens.
type loss struct {
	*bundle

	addresses   [2]atomic.Pointer[string]
	pids        [2]atomic.Int64
	balancer    *httptest.Server
	subscribers []*lossSubscriber
	// restarted waits for the processes that were started again.
	restarted sync.WaitGroup
	// quiet tells that nothing is written any more, and nobody killed.
	quiet                        atomic.Bool
	events, reconnections, kills atomic.Int64
}

// prefix begins the names of the customers that the writers make.
const lossPrefix = "Loss "

func newLoss(t *testing.T) *loss {
	t.Helper()
	site, err := newSite()
	if err != nil {
		t.Fatal(err)
	}
	l := &loss{}
	t.Cleanup(l.restarted.Wait)
	l.balancer = httptest.NewServer(http.HandlerFunc(l.balance))
	t.Cleanup(l.balancer.Close)
	l.bundle = &bundle{site: site, url: l.balancer.URL, log: &logBuffer{}, db: postgrestest.New(t)}
	server := httptest.NewServer(site.Handler())
	t.Cleanup(server.Close)
	l.siteURL = server.URL
	if err := site.AddClient(simulator.OAuthClient{ID: clientID, Secret: clientSecret, RedirectURI: l.url + "/auth/callback", Scopes: "all openid"}); err != nil {
		t.Fatal(err)
	}
	l.setUpWebhooks(t, l.url)
	site.SetDelivery(simulator.Delivery{
		Workers: 8, Drop: 0.3, Duplicate: 0.3, Reorder: 0.2, Delay: 50 * time.Millisecond, Seed: 1,
		RetryWaits: []time.Duration{10 * time.Millisecond, 40 * time.Millisecond},
	})
	for i := range l.addresses {
		l.start(t, i)
	}
	return l
}

func (l *loss) start(t *testing.T, i int) {
	t.Helper()
	address := freeAddress(t)
	l.pids[i].Store(int64(l.process(t, address, l.settings()...)))
	l.addresses[i].Store(&address)
}

func (l *loss) settings() []string {
	return []string{
		"ERPNEXT_SERVICE_KEY=" + serviceKey, "ERPNEXT_WEBHOOK_SECRETS=" + l.webhookSecret,
		"CATCHUP_INTERVAL=1s", "LOG_LEVEL=warn", "MAX_UPSTREAM=32", "MAX_SOCKETS_PER_CALLER=1000",
	}
}

// balance sends a request to one of the processes, as a load balancer does.
func (l *loss) balance(w http.ResponseWriter, r *http.Request) {
	target := l.addresses[rand.N(2)].Load()
	if target == nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: *target})
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	proxy.ServeHTTP(w, r)
}

// kill ends a process by SIGKILL every now and then, and starts it again.
func (l *loss) kill(ctx context.Context, t *testing.T) {
	t.Helper()
	if *lossKill <= 0 {
		return
	}
	ticker := time.NewTicker(*lossKill)
	defer ticker.Stop()
	for i := 0; !l.quiet.Load(); i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if l.quiet.Load() {
			return
		}
		_ = syscall.Kill(int(l.pids[i%2].Load()), syscall.SIGKILL)
		l.kills.Add(1)
		l.restart(t, i%2) //nolint:contextcheck // the process ends with the test
	}
}

// history is what the log has of the names in a text.
func (l *loss) history(t *testing.T, text string) string {
	t.Helper()
	rows, err := l.db.Pool().Query(t.Context(), `select seq || ' ' || kind || ' ' || previous || ' > ' || name || ' ' || modified || ' ' || source
		from event_log where position(name in $1) > 0 or (previous <> '' and position(previous in $1) > 0) order by seq`, text)
	if err != nil {
		return err.Error()
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err.Error()
	}
	return "\n" + strings.Join(lines, "\n")
}

// eventCursor is where the log ends.
func (b *bundle) eventCursor(t testing.TB, credential string) string {
	t.Helper()
	var data struct{ EventCursor string }
	b.query(t, credential, `{ eventCursor }`, nil).into(t, &data)
	return data.EventCursor
}

// write makes the changes.
func (l *loss) write(t *testing.T) {
	t.Helper()
	var writers sync.WaitGroup
	for n := range *lossWriters {
		writers.Go(func() {
			w := &lossWriter{loss: l, t: t, number: n, random: rand.New(rand.NewPCG(uint64(n), 1))}
			for i := range *lossChanges / *lossWriters {
				w.change(i)
			}
		})
	}
	writers.Wait()
}

// lossWriter makes, changes, renames and deletes customers of its own.
type lossWriter struct {
	*loss

	t      *testing.T
	number int
	random *rand.Rand
	own    []string
}

func (w *lossWriter) change(i int) {
	territories := []string{"North", "North West", "South", "East"}
	pick := func() int { return w.random.IntN(len(w.own)) }
	switch n := w.random.IntN(20); {
	case len(w.own) < 3 || n < 6:
		name := fmt.Sprintf("%s%d-%d", lossPrefix, w.number, i)
		w.own = append(w.own, w.newCustomer(w.t, name, territories[w.random.IntN(len(territories))]))
	case n < 16:
		w.changeCustomer(w.t, w.own[pick()], map[string]any{"customer_details": fmt.Sprint(i)})
	case n < 18:
		at := pick()
		w.erp(w.t, admin, http.MethodDelete, "/api/resource/Customer/"+url.PathEscape(w.own[at]), nil)
		w.own = slices.Delete(w.own, at, at+1)
	default:
		at, to := pick(), fmt.Sprintf("%s%d-%d renamed", lossPrefix, w.number, i)
		if w.rest(w.t, manager, "frappe.client.rename_doc", map[string]any{"doctype": "Customer", "old_name": w.own[at], "new_name": to}, new(any)) == http.StatusOK {
			w.own[at] = to
		}
	}
}

// differences tells how the subscribers' views differ from what ERPNext lists for them.
func (l *loss) differences(t *testing.T) string {
	t.Helper()
	lists := map[string]map[string]string{}
	for _, s := range l.subscribers {
		if lists[s.credential] == nil {
			lists[s.credential] = l.listed(t, s.credential)
		}
		if diff := s.differs(lists[s.credential]); diff != "" {
			return fmt.Sprintf("subscriber %d: %s", s.number, diff)
		}
	}
	return ""
}

// listed is what ERPNext lists for a user: the modified of each customer of the writers.
func (l *loss) listed(t *testing.T, credential string) map[string]string {
	t.Helper()
	var rows []row
	out := map[string]string{}
	status := l.rest(t, credential, "frappe.client.get_list", map[string]any{
		"doctype": "Customer", "fields": []string{"name", "customer_details"}, "filters": [][]any{{"name", "like", lossPrefix + "%"}}, "limit_page_length": 0,
	}, &rows)
	if status != http.StatusOK {
		return out
	}
	for _, r := range rows {
		out[r.text("name")] = r.text("customer_details")
	}
	return out
}

// lossSubscriber keeps a view of the customers by events alone.
type lossSubscriber struct {
	*loss

	credential string
	number     int

	mu       sync.Mutex
	view     map[string]string // customer_details by name
	last     map[string]string // modified by name
	cursors  map[string]bool
	cursor   string
	failures []string
}

const lossChangesQuery = `subscription($after: String) { customerChanged(after: $after) { cursor kind name previousName document { name modified customerDetails } } }`

// run subscribes again and again, each time after the last cursor.
func (s *lossSubscriber) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.once(ctx)
		s.reconnections.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(20+rand.N(100)) * time.Millisecond):
		}
	}
}

func (s *lossSubscriber) once(ctx context.Context) {
	conn, res, err := websocket.Dial(ctx, strings.Replace(s.url, "http", "ws", 1)+"/graphql", &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		if res != nil && res.Body != nil {
			_ = res.Body.Close()
		}
		return
	}
	defer func() { _ = conn.CloseNow() }()
	variables := map[string]any{}
	if s.cursor != "" {
		variables["after"] = s.cursor
	}
	subscribe, _ := json.Marshal(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": lossChangesQuery, "variables": variables}})
	for _, text := range []string{`{"type":"connection_init","payload":{"authorization":"` + s.credential + `"}}`, string(subscribe)} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return
		}
	}
	// Subscribers come and go on their own too.
	limited, cancel := context.WithTimeout(ctx, 2*time.Second+time.Duration(rand.N(8000))*time.Millisecond)
	defer cancel()
	for {
		_, text, err := conn.Read(limited)
		if err != nil {
			return
		}
		var m struct {
			Type    string
			Payload json.RawMessage
		}
		if err := json.Unmarshal(text, &m); err != nil {
			s.failf("%v in %s", err, text)
			return
		}
		switch m.Type {
		case "next":
			s.take(m.Payload)
		case "error":
			if !strings.Contains(string(m.Payload), "UPSTREAM_UNAVAILABLE") && !strings.Contains(string(m.Payload), "FORBIDDEN") {
				s.failf("the stream ended: %s", m.Payload)
			}
			if strings.Contains(string(m.Payload), "FORBIDDEN") {
				<-ctx.Done() // who may read none has the right view, and is not told of any
			}
			return
		}
	}
}

func (s *lossSubscriber) failf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failures) < 5 {
		s.failures = append(s.failures, fmt.Sprintf(format, args...))
	}
}

// take applies an event.
func (s *lossSubscriber) take(payload json.RawMessage) {
	var p struct {
		Data struct {
			CustomerChanged struct {
				Cursor, Kind, Name, PreviousName string
				Document                         *struct{ Name, Modified, CustomerDetails string }
			}
		}
		Errors json.RawMessage
	}
	if err := json.Unmarshal(payload, &p); err != nil || len(p.Errors) > 0 {
		s.failf("%v in %s", err, payload)
		return
	}
	e := p.Data.CustomerChanged
	s.events.Add(1)
	if s.cursors[e.Cursor] {
		s.failf("twice: %s", payload)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursors[e.Cursor], s.cursor = true, e.Cursor
	if e.PreviousName != "" {
		delete(s.view, e.PreviousName)
		s.last[e.Name] = max(s.last[e.Name], s.last[e.PreviousName])
	}
	if e.Document == nil {
		delete(s.view, e.Name)
		return
	}
	if e.Document.Modified < s.last[e.Name] && len(s.failures) < 5 {
		s.failures = append(s.failures, fmt.Sprintf("older than before (%s): %s", s.last[e.Name], payload))
	}
	s.last[e.Name] = e.Document.Modified
	if strings.HasPrefix(e.Name, lossPrefix) {
		s.view[e.Name] = e.Document.CustomerDetails
	}
}

// differs compares the view with a list.
func (s *lossSubscriber) differs(list map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, details := range list {
		if have, ok := s.view[name]; !ok || have != details {
			return fmt.Sprintf("%s: %q, listed %q", name, have, details)
		}
	}
	for name := range s.view {
		if _, ok := list[name]; !ok {
			return name + " is no longer listed"
		}
	}
	return ""
}

// restart starts a killed process again, at another address: the old one may have been
// given away.
func (l *loss) restart(t *testing.T, i int) {
	t.Helper()
	address := freeAddress(t)
	cmd, err := l.command(t.Context(), address, l.settings()...)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Errorf("start again: %v", err)
		return
	}
	l.addresses[i].Store(&address)
	l.pids[i].Store(int64(cmd.Process.Pid))
	l.restarted.Go(func() { _ = cmd.Wait() })
}
