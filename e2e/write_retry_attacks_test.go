package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/app"
)

// slowWorker is an ERPNext whose worker goes on with a write after its caller has left, as
// a worker of gunicorn does. The first write to path waits until release.
type slowWorker struct {
	path     string
	began    chan struct{} // the write has come
	release  chan struct{} // let it go on
	finished chan struct{} // it is committed
	once     sync.Once
}

func newSlowWorker(path string) *slowWorker {
	return &slowWorker{path: path, began: make(chan struct{}), release: make(chan struct{}), finished: make(chan struct{})}
}

func (s *slowWorker) between(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := false
		if r.Method == http.MethodPost && r.URL.Path == s.path {
			s.once.Do(func() { first = true })
		}
		if !first {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		later := r.Clone(context.WithoutCancel(r.Context()))
		later.Body = io.NopCloser(bytes.NewReader(body))
		close(s.began)
		go func() {
			defer close(s.finished)
			<-s.release
			next.ServeHTTP(httptest.NewRecorder(), later)
		}()
		<-r.Context().Done()
	})
}

// A write whose answer did not come in time is still going on at ERPNext. A retry with its
// key that comes meanwhile finds nothing yet, and must not write a second time.
func TestRetryWhileERPNextIsStillAtIt(t *testing.T) {
	t.Parallel()
	worker := newSlowWorker("/api/resource/Customer")
	b := setup(t, options{between: worker.between, config: func(c *app.Config) { c.UpstreamTimeout, c.UpstreamBusy = 2*time.Second, time.Minute }})
	key := map[string]string{keyHeader: "slow"}
	name := map[string]any{"name": "Slowly"}
	if first := b.send(t, manager, createNamed, name, key); len(first.Errors) != 1 || first.Errors[0].Extensions["uncertain"] != true {
		t.Fatalf("the first try: %s", first.raw)
	}
	again := b.send(t, manager, createNamed, name, key)
	close(worker.release)
	<-worker.finished
	if n := b.customersNamed(t, "Slowly"); n != 1 {
		t.Errorf("%d customers, want 1; the retry gave %s", n, again.raw)
	}
}

// Of two equal rows of a bulk the first is lost on the way and the second is made. The
// retry must not take the second for the first.
func TestTwinsInABulk(t *testing.T) {
	t.Parallel()
	posts := new(atomic.Int32)
	b := setup(t, options{between: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Path == "/api/resource/Customer" && posts.Add(1) == 1 {
				_, _ = io.Copy(io.Discard, r.Body)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	}})
	mutation := `mutation { createCustomers(inputs: [
		{ customerName: "Twin", customerGroup: "Retail", territory: "East" }, { customerName: "Twin", customerGroup: "Retail", territory: "East" }
	]) { results { name error { code uncertain } } } }`
	key := map[string]string{keyHeader: "twins"}
	b.send(t, manager, mutation, nil, key)
	again := b.send(t, manager, mutation, nil, key)
	var data struct {
		CreateCustomers struct {
			Results []struct {
				Name  *string
				Error *struct{ Uncertain bool }
			}
		}
	}
	again.into(t, &data)
	if r := data.CreateCustomers.Results; r[0].Name != nil && r[1].Name != nil && *r[0].Name == *r[1].Name {
		t.Errorf("both rows are said to be %s: one was never written", *r[0].Name)
	}
}

// atERPNext bends what comes of a call after it is served (lose) or instead (refuse).
type atERPNext struct{ lose, refuse atomic.Pointer[string] }

func (a *atERPNext) between(next http.Handler) http.Handler {
	is := func(p *atomic.Pointer[string], r *http.Request) bool {
		path := p.Load()
		return path != nil && strings.HasSuffix(r.URL.Path, *path)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case is(&a.refuse, r):
			http.Error(w, "busy", http.StatusServiceUnavailable)
		case r.Method == http.MethodPost && is(&a.lose, r):
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ERPNext hides some documents from the very user who made them. Where a retry can't see
// what it made, it can't take its absence for an answer.
func TestRetryOfWhatCannotBeListed(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{between: site.between})
	mutation := `mutation { createToDo(input: { description: "unseen" }) { name } }`
	key := map[string]string{keyHeader: "unseen"}
	path := "/ToDo"
	site.lose.Store(&path)
	one := b.send(t, manager, mutation, nil, key)
	site.lose.Store(nil)
	two := b.send(t, manager, mutation, nil, key)
	var data struct{ ToDos struct{ TotalCount int } }
	b.query(t, admin, `{ toDos(where: { description: { like: "%unseen%" } }) { totalCount } }`, nil).into(t, &data)
	if data.ToDos.TotalCount != 1 {
		t.Errorf("%d ToDos, want 1: %s then %s", data.ToDos.TotalCount, one.raw, two.raw)
	}
}

// What a bulk came to is told where nobody asks for its rows' errors, too.
func TestOutcomeOfABulk(t *testing.T) {
	t.Parallel()
	site := &atERPNext{}
	b := setup(t, options{between: site.between})
	path := "/Customer"
	site.lose.Store(&path)
	got := b.query(t, manager, `mutation { a: createCustomers(inputs: [{ customerName: "Lost", customerGroup: "Retail", territory: "East" }]) { results { index } } }`, nil)
	if o := got.Extensions.Outcomes; len(o) != 1 || o[0].Outcome != "UNKNOWN" {
		t.Errorf("a row that may have been made is told by no outcome: %s", got.raw)
	}
}

// The operation's time ends in the second of three fields: the answer still tells what
// became of each.
func TestTimeEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	worker := newSlowWorker("/api/resource/Supplier")
	b := setup(t, options{between: worker.between, config: func(c *app.Config) { c.OperationTimeout = 2 * time.Second }})
	t.Cleanup(func() { close(worker.release) })
	b.meet(t, manager)
	got := b.query(t, admin, `mutation {
		a: createCustomer(input: { customerName: "In Time", customerGroup: "Retail", territory: "East" }) { name }
		b: createSupplier(input: { supplierName: "Too Late", supplierGroup: "Local" }) { name }
		c: createCustomer(input: { customerName: "Never", customerGroup: "Retail", territory: "East" }) { name }
	}`, nil)
	want := []string{"DONE", "UNKNOWN", "FAILED"}
	for i, o := range got.Extensions.Outcomes {
		if i >= len(want) || o.Outcome != want[i] {
			t.Errorf("%s is %s: %s", o.Field, o.Outcome, got.raw)
		}
	}
	if len(got.Extensions.Outcomes) != len(want) || !strings.Contains(string(got.Data), "In Time") {
		t.Errorf("the answer lacks what was done: %s", got.raw)
	}
}

// A client that loses patience sends its request again while the first one is still at its
// first field. The second one must not run the later fields before their time: what it is
// refused there would be kept as the outcome of both.
func TestImpatientRetryKeepsTheOrder(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b := setup(t, options{between: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Path == "/api/resource/Customer" {
				once.Do(func() {
					close(began)
					<-release
				})
			}
			next.ServeHTTP(w, r)
		})
	}})
	mutation := `mutation {
		a: createCustomer(input: { customerName: "Impatient", customerGroup: "Retail", territory: "East" }) { name }
		b: createServiceContract(input: { customer: "Impatient", item: "ITEM-00010", startDate: "2026-01-01" }) { messages }
	}`
	key := map[string]string{keyHeader: "impatient"}
	first := make(chan answer, 1)
	go func() { first <- b.send(t, manager, mutation, nil, key) }()
	<-began
	second := b.send(t, manager, mutation, nil, key)
	close(release)
	if got := <-first; len(got.Errors) > 0 {
		t.Errorf("the first request: %s\nafter the second: %s", got.raw, second.raw)
	}
	if o := second.Extensions.Outcomes; len(o) == 0 || o[0].Outcome != "UNKNOWN" {
		t.Errorf("what another request is doing is told as %v", o)
	}
}

// Who leaves in the middle of a generated mutation finds its outcome under the key.
func TestClientLeavesDuringAWrite(t *testing.T) {
	t.Parallel()
	began, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b := setup(t, options{between: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.URL.Path == "/api/resource/Customer" {
				once.Do(func() {
					close(began)
					<-release
				})
			}
			next.ServeHTTP(w, r)
		})
	}})
	body, err := json.Marshal(map[string]any{"query": createNamed, "variables": map[string]any{"name": "Left Behind"}})
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
	req.Header.Set(keyHeader, "left")
	left := make(chan struct{})
	go func() {
		defer close(left)
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-began
	leave()
	<-left
	close(release)
	b.sendUntilDone(t, map[string]any{"name": "Left Behind"}, "left").into(t, new(any))
	if n := b.customersNamed(t, "Left Behind"); n != 1 {
		t.Errorf("%d customers, want 1", n)
	}
}

// sendUntilDone creates a customer under a key that another request may still hold.
func (b *bundle) sendUntilDone(t *testing.T, name map[string]any, key string) answer {
	t.Helper()
	for {
		got := b.send(t, manager, createNamed, name, map[string]string{keyHeader: key})
		if len(got.Errors) != 1 || got.Errors[0].Extensions["retryAfter"] == nil || t.Context().Err() != nil {
			return got
		}
	}
}

// A key counts wherever execution takes the field from, and one that can't count is refused:
// a client that believes to be protected must not be mistaken.
func TestKeyIsNeverPassedOver(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	s := story{t, b}
	const input = `createCustomer(input: { customerName: $name, customerGroup: "Retail", territory: "East" })`
	for name, mutation := range map[string]string{
		"in a fragment":       `mutation($name: String!) { ...F } fragment F on Mutation { ` + input + ` @idempotent(key: "in-a-fragment") { name } }`,
		"on the second twin":  `mutation($name: String!) { ` + input + ` { name } ` + input + ` @idempotent(key: "second-twin") { messages } }`,
		"with a default":      `mutation($name: String!, $key: String = "default") { ` + input + ` @idempotent(key: $key) { name } }`,
		"beside @include":     `mutation($name: String!) { ` + input + ` @include(if: true) @idempotent(key: "include") { name } }`,
		"below the root":      `mutation($name: String!) { ` + input + ` { name customer @idempotent(key: "below") { name } } }`,
		"on the whole bundle": `mutation($name: String!) { ... on Mutation @include(if: true) { ` + input + ` @idempotent(key: "bundle") { name } } }`,
	} {
		vars := map[string]any{"name": "Keyed " + name}
		first := b.query(t, manager, mutation, vars)
		second := b.query(t, manager, mutation, vars)
		if n := b.customersNamed(t, "Keyed "+name); n > 1 {
			t.Errorf("%s: %d customers: %.200s then %.200s", name, n, first.raw, second.raw)
		}
	}
	visit := s.visited(s.contracted("Semi;Colon"))
	closing := `mutation($id: ID!) { completeServiceVisit(id: $id, report: "r", invoice: true) @idempotent(key: "closing") { id } }`
	for range 2 {
		b.query(t, manager, closing, map[string]any{"id": visit}).into(t, new(any))
	}
}
