package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/httpapi"
)

const streamToken = "X-GraphQL-Event-Stream-Token"

// single is one stream for many operations.
type single struct {
	*testBundle

	t      *testing.T
	token  string
	header map[string]string
}

// reserve asks for a stream.
func (b *testBundle) reserve(t *testing.T, header map[string]string) *single {
	t.Helper()
	got := b.do(t, call{method: http.MethodPut, path: "/graphql/stream", header: header})
	if got.status != http.StatusCreated || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") || len(got.body) < 26 {
		t.Fatalf("%d %q", got.status, got.body)
	}
	return &single{testBundle: b, t: t, token: got.body, header: header}
}

// with is a header of the stream's owner.
func (s *single) with(more map[string]string) map[string]string {
	header := map[string]string{streamToken: s.token}
	for _, from := range []map[string]string{s.header, more} {
		maps.Copy(header, from)
	}
	return header
}

func (s *single) open() *streamClient {
	s.t.Helper()
	return s.stream(s.t, call{method: http.MethodGet, path: "/graphql/stream", header: s.with(nil)})
}

// post begins an operation.
func (s *single) post(id, document string) reply {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "extensions": map[string]any{"operationId": id}})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(s.t, call{path: "/graphql/stream", body: string(body), header: s.with(nil)})
}

func (s *single) begin(id, document string) {
	s.t.Helper()
	if got := s.post(id, document); got.status != http.StatusAccepted || got.body != "" {
		s.t.Fatalf("%d %s", got.status, got.body)
	}
}

func (s *single) stop(id string) reply {
	s.t.Helper()
	return s.do(s.t, call{method: http.MethodDelete, path: "/graphql/stream?operationId=" + id, header: s.with(nil)})
}

// TestSingleStream follows the protocol's mode of a single connection.
func TestSingleStream(t *testing.T) {
	t.Parallel()
	from := newSource()
	all := echoes()
	all["changed"] = from.resolve
	b := setup(t, all, nil)
	s := b.reserve(t, nil)
	client := s.open()
	if client.status != http.StatusOK || client.header.Get("X-Accel-Buffering") != "no" {
		t.Fatal(client.status)
	}
	s.begin("s", "subscription { changed }")
	feed := await(t, from.begun)
	give(t, feed, func(ctx context.Context) any {
		httpapi.NoteCursor(ctx, "e1-42")
		return 1
	})
	if got := client.want("next", `{"id":"s","payload":{"data":{"changed":1}}}`); got.id != "" {
		t.Errorf("id %q, which would be that of all operations", got.id)
	}
	s.begin("q", "{ a }")
	client.want("next", `{"id":"q","payload":{"data":{"a":"x"}}}`)
	client.want("complete", `{"id":"q"}`)
	s.begin("q", "mutation { change }") // the id is free again
	client.want("next", `{"id":"q","payload":{"data":{"change":null}}}`)
	client.want("complete", `{"id":"q"}`)

	if got := s.post("s", "{ a }"); got.status != http.StatusConflict {
		t.Errorf("the same id: %d %s", got.status, got.body)
	}
	if got := s.open(); got.status != http.StatusConflict {
		t.Errorf("a second stream: %d", got.status)
	}
	if got := s.stop("s"); got.status != http.StatusOK || got.body != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	await(t, from.ended)
	if got := s.stop("unknown"); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
	s.begin("s", "subscription { changed }")
	feed = await(t, from.begun)
	close(feed)
	client.want("complete", `{"id":"s"}`)
	await(t, from.ended)

	// The end of the stream ends what runs on it, and the token.
	s.begin("s", "subscription { changed }")
	await(t, from.begun)
	client.leave()
	await(t, from.ended)
	for end := time.Now().Add(patience); s.post("x", "{ a }").status != http.StatusNotFound; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the token is still good")
		}
	}
	if got := s.open(); got.status != http.StatusNotFound {
		t.Errorf("opened again: %d", got.status)
	}
	log := b.log.String()
	for _, part := range []string{`"transport":"sse"`, `"msg":"stream"`, `"reason":"the client has left"`} {
		if !strings.Contains(log, part) {
			t.Errorf("no %s in %s", part, log)
		}
	}
	if strings.Contains(log, s.token) {
		t.Error("the token was logged")
	}
}

// TestSingleStreamByURL: EventSource sends no header.
func TestSingleStreamByURL(t *testing.T) {
	t.Parallel()
	b := setup(t, echoes(), nil)
	path := "/graphql/stream?token=" + b.reserve(t, nil).token
	client := b.stream(t, call{method: http.MethodGet, path: path})
	if got := b.do(t, call{path: path, body: `{"query":"{ a }","extensions":{"operationId":"1"}}`}); got.status != http.StatusAccepted {
		t.Fatalf("%d %s", got.status, got.body)
	}
	client.want("next", `{"id":"1","payload":{"data":{"a":"x"}}}`)
}

// TestSingleStreamWaits: what is asked before the stream is open comes when it is.
func TestSingleStreamWaits(t *testing.T) {
	t.Parallel()
	s := setup(t, echoes(), func(o *httpapi.Options) { o.Limits.Concurrent = 1 }).reserve(t, nil)
	for n := range 10 {
		s.begin(strconv.Itoa(n), "{ a }")
	}
	if got := s.post("10", "{ a }"); got.status != http.StatusTooManyRequests {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.stop("0"); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
	client := s.open()
	seen := make(map[string]bool)
	for range 2 * 9 {
		event, _ := client.read()
		seen[event.name+event.data] = true
	}
	for n := range 10 {
		id := strconv.Itoa(n)
		want := n > 0
		if seen[`next{"id":"`+id+`","payload":{"data":{"a":"x"}}}`] != want || seen[`complete{"id":"`+id+`"}`] != want {
			t.Errorf("%d: %v", n, seen)
		}
	}
}

// TestSingleStreamExpires: a place that nobody takes is free again.
func TestSingleStreamExpires(t *testing.T) {
	t.Parallel()
	b := setup(t, echoes(), func(o *httpapi.Options) {
		o.Limits.StreamReservation, o.Limits.Sockets = 50*time.Millisecond, 8 // one for those without a name
	})
	s := b.reserve(t, nil)
	s.begin("1", "{ a }")
	if got := b.do(t, call{method: http.MethodPut, path: "/graphql/stream"}); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("a second place: %d", got.status)
	}
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		if got := b.do(t, call{method: http.MethodPut, path: "/graphql/stream"}); got.status == http.StatusCreated {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the place is still taken")
		}
	}
	if got := s.open(); got.status != http.StatusNotFound {
		t.Errorf("%d", got.status)
	}
}

// TestSingleStreamRefusals: whose a stream is, and what is no operation of it.
func TestSingleStreamRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, echoes(), func(o *httpapi.Options) {
		withSessions(t)(o)
		o.Admit, o.User = admitting(t), naming(t)
	})
	type headers = map[string]string
	north := headers{"Authorization": "Bearer north-1"}
	s := b.reserve(t, north)
	const path = "/graphql/stream"
	good := `{"query":"{ a }","extensions":{"operationId":"1"}}`
	own := s.with(nil)
	stranger := headers{streamToken: s.token, "Authorization": "Bearer south-1"}
	for name, c := range map[string]struct {
		call
		status int
	}{
		"no token":                 {call{path: path, body: good, header: north}, 404},
		"unknown token":            {call{path: path, body: good, header: headers{streamToken: "x", "Authorization": "Bearer north-1"}}, 404},
		"another's token":          {call{path: path, body: good, header: stranger}, 404},
		"another's token, open":    {call{method: "GET", path: path, header: headers{streamToken: s.token, "Authorization": "Bearer south-1", "Accept": eventStream}}, 404},
		"another's token, stop":    {call{method: "DELETE", path: path + "?operationId=1", header: stranger}, 404},
		"another of the same user": {call{path: path, body: good, header: headers{streamToken: s.token, "Authorization": "Bearer north-2"}}, 404},
		"nobody":                   {call{path: path, body: good, header: headers{streamToken: s.token}}, 404},
		"bad credential":           {call{path: path, body: good, header: headers{streamToken: s.token, "Authorization": "hunter2"}}, 401},
		"no id":                    {call{path: path, body: `{"query":"{ a }"}`, header: own}, 400},
		"id a number":              {call{path: path, body: `{"query":"{ a }","extensions":{"operationId":1}}`, header: own}, 400},
		"id empty":                 {call{path: path, body: `{"query":"{ a }","extensions":{"operationId":""}}`, header: own}, 400},
		"id long":                  {call{path: path, body: `{"query":"{ a }","extensions":{"operationId":"` + strings.Repeat("x", 257) + `"}}`, header: own}, 400},
		"stop without id":          {call{method: "DELETE", path: path, header: own}, 400},
		"no such field":            {call{path: path, body: `{"query":"{ nope }","extensions":{"operationId":"1"}}`, header: own}, 400},
		"no such field, JSON":      {call{path: path, body: `{"query":"{ nope }","extensions":{"operationId":"1"}}`, header: s.with(headers{"Accept": plainJSON})}, 400},
		"mutation by get":          {call{method: "GET", path: path + `?query=mutation{change}&extensions={"operationId":"1"}`, header: own}, 405},
		"method":                   {call{method: "PATCH", path: path, header: own}, 405},
		"reserve, bad credential":  {call{method: "PUT", path: path, header: headers{"Authorization": "hunter2"}}, 401},
		"reserve, disabled":        {call{method: "PUT", path: path, header: headers{"Authorization": "Bearer disabled-1"}}, 401},
		"reserve, forged":          {call{method: "PUT", path: path, header: headers{"Cookie": sessionCookie, "Origin": "https://evil.example"}}, 403},
		"reserve, nobody says":     {call{method: "PUT", path: path, header: headers{"Cookie": sessionCookie}}, 403},
		"reserve, own page":        {call{method: "PUT", path: path, header: headers{"Cookie": sessionCookie, "Origin": ownOrigin}}, 201},
		"by get":                   {call{method: "GET", path: path + `?query={a}&extensions={"operationId":"get"}`, header: own}, 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := b.do(t, c.call); got.status != c.status || got.status >= 400 && len(got.errors) == 0 {
				t.Errorf("status %d, want %d: %s", got.status, c.status, got.body)
			}
		})
	}
}

// TestStreamSeats: streams of all kinds have the seats of sockets.
func TestStreamSeats(t *testing.T) {
	t.Parallel()
	from := newSource()
	b := setup(t, map[string]resolver{"changed": from.resolve}, func(o *httpapi.Options) { o.Limits.SocketsPerCaller = 3 })
	north := map[string]string{"Authorization": "Bearer north"}
	b.dial(t, north).init("")
	b.reserve(t, north)
	b.subscribe(t, "subscription { changed }", north)
	await(t, from.begun)
	if got := b.subscribe(t, "subscription { changed }", north); got.status != http.StatusTooManyRequests {
		t.Errorf("a fourth: %d", got.status)
	}
	if got := b.do(t, call{method: http.MethodPut, path: "/graphql/stream", header: north}); got.status != http.StatusTooManyRequests {
		t.Errorf("a fourth, reserved: %d", got.status)
	}
}

// TestStrangersReserveFew: a place costs its caller no connection, so those without a name
// have few.
func TestStrangersReserveFew(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.Limits.Sockets = 64 })
	s := b.reserve(t, nil)
	if got := b.do(t, call{method: http.MethodPut, path: "/graphql/stream"}); got.status != http.StatusTooManyRequests {
		t.Errorf("%d %s", got.status, got.body)
	}
	b.reserve(t, map[string]string{"Authorization": "Bearer north"})
	s.open()
	b.reserve(t, nil)
}

// TestSingleStreamIdle: a stream on which nothing runs does not stay for ever.
func TestSingleStreamIdle(t *testing.T) {
	t.Parallel()
	s := setup(t, echoes(), func(o *httpapi.Options) { o.Limits.SocketIdle = 50 * time.Millisecond }).reserve(t, nil)
	s.open().wantEnd()
}
