package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"erpgraph/internal/apierror"
	"erpgraph/internal/httpapi"
)

// echoes answers queries of the socket tests.
func echoes() map[string]resolver {
	return map[string]resolver{
		"a": func(context.Context, map[string]any) (any, error) { return "x", nil },
		"b": func(context.Context, map[string]any) (any, error) { return nil, errors.New("hidden") },
		"c": keyOfCaller,
	}
}

// TestSocketCloses has one case for each way in which the protocol wants a socket closed
// by what the client sends. The messages are sent one after another; answers before the
// close are listed.
func TestSocketCloses(t *testing.T) {
	t.Parallel()
	const (
		begin = `{"type":"connection_init"}`
		ack   = `{"type":"connection_ack"}`
	)
	b := setup(t, map[string]resolver{"changed": func(context.Context, map[string]any) (any, error) { return events(nil), nil }},
		func(o *httpapi.Options) { o.Limits.BodyBytes = 2000 })
	long := strings.Repeat("ü", 100)
	stream := `{"id":"1","type":"subscribe","payload":{"query":"subscription { changed }"}}`
	for name, c := range map[string]struct {
		sent    []string
		answers []string
		code    int
		reason  string
	}{
		"4400 no json":                {[]string{`nonsense`}, nil, 4400, "Invalid message: the message is not a JSON object"},
		"4400 empty":                  {[]string{``}, nil, 4400, "Invalid message"},
		"4400 half":                   {[]string{`{"type":"ping"`}, nil, 4400, "ends too early"},
		"4400 array":                  {[]string{`[]`}, nil, 4400, "not a JSON object"},
		"4400 more than one":          {[]string{`{"type":"ping"}{"type":"ping"}`}, nil, 4400, "follows"},
		"4400 twice":                  {[]string{`{"type":"ping","type":"pong"}`}, nil, 4400, "twice"},
		"4400 bad utf-8":              {[]string{"{\"type\":\"ping\xff\"}"}, nil, 4400, "not a JSON object"},
		"4400 no type":                {[]string{`{}`}, nil, 4400, `no "type"`},
		"4400 type null":              {[]string{`{"type":null}`}, nil, 4400, `no "type"`},
		"4400 type a number":          {[]string{`{"type":1}`}, nil, 4400, `"type" is not a string`},
		"4400 unknown type":           {[]string{begin, `{"type":"start","id":"1","payload":{}}`}, []string{ack}, 4400, `"type"`},
		"4400 of the server":          {[]string{`{"type":"connection_ack"}`}, nil, 4400, `"type"`},
		"4400 next":                   {[]string{begin, `{"type":"next","id":"1","payload":{}}`}, []string{ack}, 4400, `"type"`},
		"4400 init payload":           {[]string{`{"type":"connection_init","payload":"x"}`}, nil, 4400, `"payload" is not a JSON object`},
		"4400 ping payload":           {[]string{`{"type":"ping","payload":[]}`}, nil, 4400, `"payload"`},
		"4400 pong payload":           {[]string{`{"type":"pong","payload":1}`}, nil, 4400, `"payload"`},
		"4400 no id":                  {[]string{begin, `{"type":"subscribe","payload":{"query":"{ a }"}}`}, []string{ack}, 4400, `no "id"`},
		"4400 empty id":               {[]string{begin, `{"id":"","type":"subscribe","payload":{"query":"{ a }"}}`}, []string{ack}, 4400, `no "id"`},
		"4400 id a number":            {[]string{begin, `{"id":1,"type":"subscribe","payload":{"query":"{ a }"}}`}, []string{ack}, 4400, `"id" is not a string`},
		"4400 id too long":            {[]string{begin, `{"id":"` + long + long + `","type":"complete"}`}, []string{ack}, 4400, `"id" is too long`},
		"4400 complete without id":    {[]string{begin, `{"type":"complete"}`}, []string{ack}, 4400, `no "id"`},
		"4400 no payload":             {[]string{begin, `{"id":"1","type":"subscribe"}`}, []string{ack}, 4400, `"payload"`},
		"4400 no query":               {[]string{begin, `{"id":"1","type":"subscribe","payload":{}}`}, []string{ack}, 4400, `no "query"`},
		"4400 query null":             {[]string{begin, `{"id":"1","type":"subscribe","payload":{"query":null}}`}, []string{ack}, 4400, `no "query"`},
		"4400 query a number":         {[]string{begin, `{"id":"1","type":"subscribe","payload":{"query":1}}`}, []string{ack}, 4400, `"query" is not a string`},
		"4400 variables a list":       {[]string{begin, `{"id":"1","type":"subscribe","payload":{"query":"{ a }","variables":[]}}`}, []string{ack}, 4400, `"variables"`},
		"4400 extensions a text":      {[]string{begin, `{"id":"1","type":"subscribe","payload":{"query":"{ a }","extensions":"x"}}`}, []string{ack}, 4400, `"extensions"`},
		"4400 operationName an array": {[]string{begin, `{"id":"1","type":"subscribe","payload":{"query":"{ a }","operationName":[]}}`}, []string{ack}, 4400, `"operationName"`},
		"4401 subscribe before init":  {[]string{stream}, nil, 4401, "Unauthorized"},
		"4401 query before init":      {[]string{`{"id":"1","type":"subscribe","payload":{"query":"{ a }"}}`}, nil, 4401, "Unauthorized"},
		"4409 same id":                {[]string{begin, stream, stream}, []string{ack}, 4409, "Subscriber for 1 already exists"},
		"4409 same id, query":         {[]string{begin, stream, `{"id":"1","type":"subscribe","payload":{"query":"{ a }"}}`}, []string{ack}, 4409, "Subscriber for 1 already exists"},
		"4409 long id": {
			[]string{begin, strings.Replace(stream, `"1"`, `"`+long+`"`, 1), strings.Replace(stream, `"1"`, `"`+long+`"`, 1)},
			[]string{ack},
			4409, "Subscriber for " + strings.Repeat("ü", 40),
		},
		"4429 init twice":  {[]string{begin, begin}, []string{ack}, 4429, "Too many initialisation requests"},
		"1009 too large":   {[]string{`{"type":"ping","payload":{"x":"` + strings.Repeat("x", 2000) + `"}}`}, nil, 1009, "limit"},
		"4403 bad payload": {[]string{`{"type":"connection_init","payload":{"authorization":"hunter2"}}`}, nil, 4403, "Forbidden: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := b.dial(t, nil)
			for _, text := range c.sent {
				client.send(text)
			}
			for _, text := range c.answers {
				client.want(text)
			}
			client.wantClosed(c.code, c.reason)
		})
	}
}

func TestSocketRefusesBinary(t *testing.T) {
	t.Parallel()
	client := setup(t, nil, nil).dial(t, nil)
	if err := client.conn.Write(t.Context(), websocket.MessageBinary, []byte(`{"type":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	client.wantClosed(4400, "not text")
}

func TestSocketSubprotocol(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for name, c := range map[string]struct {
		handshake
		ok bool
	}{
		"none":   {handshake{noSubs: true}, false},
		"old":    {handshake{subprotocols: []string{"graphql-ws"}}, false},
		"case":   {handshake{subprotocols: []string{"GraphQL-Transport-WS"}}, false},
		"among":  {handshake{subprotocols: []string{"graphql-ws", "graphql-transport-ws"}}, true},
		"proper": {handshake{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, _, err := b.tryDial(t, c.handshake)
			if err != nil {
				t.Fatal(err)
			}
			if !c.ok {
				client.wantClosed(4406, "Subprotocol not acceptable")
				return
			}
			if got := client.conn.Subprotocol(); got != "graphql-transport-ws" {
				t.Errorf("subprotocol %q", got)
			}
			client.init("")
		})
	}
}

func TestSocketInitTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.Limits.SocketInit = 20 * time.Millisecond })
	late := b.dial(t, nil)
	late.send(`{"type":"ping"}`) // is no initialisation
	late.want(`{"type":"pong"}`)
	late.wantClosed(4408, "Connection initialisation timeout")
}

func TestSocketPings(t *testing.T) {
	t.Parallel()
	client := setup(t, nil, nil).dial(t, nil)
	for _, c := range []struct{ ping, pong string }{
		{`{"type":"ping"}`, `{"type":"pong"}`}, // before the ack as well
		{`{"type":"ping","payload":null}`, `{"type":"pong"}`},
		{`{"type":"ping","payload":{"n":1.0}}`, `{"type":"pong","payload":{"n":1.0}}`},
		{`{"type":"ping","id":"x","more":[]}`, `{"type":"pong"}`},
	} {
		client.send(c.ping)
		client.want(c.pong)
	}
	client.send(`{"type":"pong"}`)
	client.send(`{"type":"pong","payload":{"unsolicited":true}}`)
	client.init("")
	client.stillOpen()
}

func TestSocketQueries(t *testing.T) {
	t.Parallel()
	b := setup(t, echoes(), nil)
	client := b.connect(t, `{"anything":["else"]}`)

	client.subscribe("1", "{ a }")
	client.want(`{"id":"1","type":"next","payload":{"data":{"a":"x"}}}`)
	client.want(`{"id":"1","type":"complete"}`)

	// The id is free again, and any text will do.
	client.send(`{"id":"1","type":"subscribe","payload":{"query":"query A($t: String) { echo(text: $t) } query B { a }","operationName":"A","variables":{"t":"<ü>"},"extensions":{"x":1}}}`)
	client.want(`{"id":"1","type":"next","payload":{"data":{"echo":"\u003cü\u003e"}}}`)
	client.want(`{"id":"1","type":"complete"}`)
	client.send(`{"id":"\"ü<","type":"subscribe","payload":{"query":"mutation { change }","operationName":null,"variables":null}}`)
	client.want(`{"id":"\"ü<","type":"next","payload":{"data":{"change":null}}}`)
	client.want(`{"id":"\"ü<","type":"complete"}`)

	// An executed operation has a result, errors and all.
	client.subscribe("2", "{ b }")
	got, err := client.read()
	if err != nil || !strings.HasPrefix(got, `{"id":"2","type":"next","payload":{"errors":[{"message":"internal error"`) || !strings.Contains(got, `"data":{"b":null}`) || strings.Contains(got, "hidden") {
		t.Errorf("%s, %v", got, err)
	}
	client.want(`{"id":"2","type":"complete"}`)

	// One that was not executed has an error, and no complete.
	for _, c := range []struct{ document, code, part string }{
		{"", "BAD_USER_INPUT", "no operation"},
		{"{", "BAD_USER_INPUT", ""},
		{"{ nope }", "BAD_USER_INPUT", "nope"},
		{"query A { a } query B { b }", "BAD_USER_INPUT", "operationName"},
		{"{ " + strings.Repeat("a ", 6000) + "}", "COST_LIMIT", "tokens"},
		{"subscription { changed nope }", "BAD_USER_INPUT", "nope"},
	} {
		client.subscribe("3", c.document)
		client.wantError("3", c.code, c.part)
	}
	// What is over already may be completed, what never was as well.
	client.send(`{"id":"3","type":"complete"}`)
	client.send(`{"id":"unknown","type":"complete"}`)
	client.stillOpen()
	if err := client.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

// TestSocketOfAPanic: a bug costs one operation, not the socket.
func TestSocketOfAPanic(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) {
		o.Hooks.Trace = func(context.Context) any { return func() {} } // is no JSON
	})
	client := b.dial(t, map[string]string{"X-Erpgraph-Trace": "1"})
	client.init("")
	client.subscribe("1", "{ a }")
	client.wantError("1", "INTERNAL", "internal error")
	client.stillOpen()
}

// TestSocketLeft: after the client's complete nothing more comes for the id, though the
// query still runs, and its context has ended.
func TestSocketLeft(t *testing.T) {
	t.Parallel()
	entered, ended := make(chan struct{}), make(chan struct{})
	b := setup(t, map[string]resolver{
		"a": func(ctx context.Context, _ map[string]any) (any, error) {
			close(entered)
			<-ctx.Done()
			close(ended)
			return "late", nil
		},
		"b": func(context.Context, map[string]any) (any, error) { return "x", nil },
	}, nil)
	client := b.connect(t, "")
	client.subscribe("1", "{ a }")
	await(t, entered)
	client.send(`{"id":"1","type":"complete"}`)
	await(t, ended)
	client.subscribe("1", "{ b }")
	client.want(`{"id":"1","type":"next","payload":{"data":{"b":"x"}}}`)
	client.want(`{"id":"1","type":"complete"}`)
	client.stillOpen()
}

// TestSocketDeadline: a query has its time, and the client hears of its end.
func TestSocketDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"a": func(ctx context.Context, _ map[string]any) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, func(o *httpapi.Options) { o.Limits.Time = 20 * time.Millisecond })
	client := b.connect(t, "")
	client.subscribe("1", "{ a }")
	got, err := client.read()
	if err != nil || !strings.Contains(got, `"code":"UPSTREAM_TIMEOUT"`) || !strings.HasPrefix(got, `{"id":"1","type":"next"`) {
		t.Errorf("%s, %v", got, err)
	}
	client.want(`{"id":"1","type":"complete"}`)
}

// TestSocketSubscription is about a source of events: they come in order, between those
// of others, to the end of the source or the client's interest.
func TestSocketSubscription(t *testing.T) {
	t.Parallel()
	sources := make(chan chan<- func(context.Context) any, 10)
	ended := make(chan any, 10)
	b := setup(t, map[string]resolver{
		"a": func(context.Context, map[string]any) (any, error) { return "x", nil },
		"changed": func(ctx context.Context, args map[string]any) (any, error) {
			switch args["name"] {
			case "refused":
				return nil, apierror.New(apierror.Forbidden, "not for you")
			case "failing":
				source := make(chan func(context.Context) any, 1)
				source <- func(context.Context) any { return "one" }
				httpapi.EndStream(ctx, apierror.New(apierror.CursorExpired, "too old"))
				close(source)
				return events(source), nil
			}
			source := make(chan func(context.Context) any)
			context.AfterFunc(ctx, func() { ended <- args["name"] })
			sources <- source
			return events(source), nil
		},
	}, func(o *httpapi.Options) { o.Limits.Time = 50 * time.Millisecond })
	client := b.connect(t, "")

	client.subscribe("s", `subscription { changed(name: "s") }`)
	source := await(t, sources)
	give(t, source, func(context.Context) any { return 1 })
	client.want(`{"id":"s","type":"next","payload":{"data":{"changed":1}}}`)
	client.subscribe("q", "{ a }")
	client.want(`{"id":"q","type":"next","payload":{"data":{"a":"x"}}}`)
	client.want(`{"id":"q","type":"complete"}`)
	source <- func(ctx context.Context) any {
		if _, limited := ctx.Deadline(); limited {
			t.Error("a subscription has the time of a query")
		}
		return 2
	}
	client.want(`{"id":"s","type":"next","payload":{"data":{"changed":2}}}`)
	close(source)
	client.want(`{"id":"s","type":"complete"}`)
	await(t, ended)

	// Both ends may let go of the id, which may be used again at once.
	client.subscribe("s", `subscription { changed(name: "again") }`)
	await(t, sources)
	client.send(`{"id":"s","type":"complete"}`)
	if name := await(t, ended); name != "again" {
		t.Errorf("%v has ended", name)
	}
	client.subscribe("s", `subscription { changed(name: "refused") }`)
	client.wantError("s", "FORBIDDEN", "not for you")
	client.subscribe("s", `subscription { changed(name: "failing") }`)
	client.want(`{"id":"s","type":"next","payload":{"data":{"changed":"one"}}}`)
	client.wantError("s", "CURSOR_EXPIRED", "too old")
	client.stillOpen()

	// The end of the socket ends what runs on it.
	client.subscribe("s", `subscription { changed(name: "last") }`)
	await(t, sources)
	if err := client.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	if name := await(t, ended); name != "last" {
		t.Errorf("%v has ended", name)
	}
}

// TestSubscriptionBeginsInTime: a source that does not come is given up, and its slot is
// free again.
func TestSubscriptionBeginsInTime(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"changed": func(ctx context.Context, _ map[string]any) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, func(o *httpapi.Options) { o.Limits.Time, o.Limits.Concurrent = 20*time.Millisecond, 1 })
	client := b.connect(t, "")
	client.subscribe("1", "subscription { changed }")
	client.wantError("1", "UPSTREAM_TIMEOUT", "time limit")
	client.subscribe("1", "{ a }")
	client.want(`{"id":"1","type":"next","payload":{"data":{"a":null}}}`)
}

// TestSubscriptionNeedsASocket: over HTTP the answer says where it is served.
func TestSubscriptionNeedsASocket(t *testing.T) {
	t.Parallel()
	got := setup(t, nil, nil).query(t, "subscription { changed }", nil)
	got.wantError(t, "BAD_USER_INPUT", "graphql-transport-ws")
	if got.status != http.StatusBadRequest {
		t.Errorf("status %d", got.status)
	}
}
