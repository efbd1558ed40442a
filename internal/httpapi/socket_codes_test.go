package httpapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/httpapi"
)

// TestSocketCloseCodes has a case for each code that the protocol, and this service beyond
// it, closes a socket with. TestSocketCloses has all the ways to 4400.
func TestSocketCloseCodes(t *testing.T) {
	t.Parallel()
	const begin, stream = `{"type":"connection_init"}`, `{"id":"1","type":"subscribe","payload":{"query":"subscription { changed }"}}`
	bearer := map[string]string{"Authorization": "Bearer north-1"}
	for name, c := range map[string]struct {
		limits httpapi.Limits
		alive  error
		handshake
		sent   []string
		code   int
		reason string
	}{
		"4400 invalid message":        {sent: []string{begin, `{"type":"start"}`}, code: 4400, reason: "Invalid message: "},
		"4401 subscribe before ack":   {sent: []string{stream}, code: 4401, reason: "Unauthorized"},
		"4401 the session has ended":  {limits: httpapi.Limits{SocketCheck: 20 * time.Millisecond}, alive: apierror.New(apierror.Unauthenticated, "sign in again"), handshake: handshake{header: bearer}, sent: []string{begin, stream}, code: 4401, reason: "Unauthorized: sign in again"},
		"4403 rejected":               {sent: []string{`{"type":"connection_init","payload":{"authorization":"x"}}`}, code: 4403, reason: "Forbidden: "},
		"4406 no subprotocol":         {handshake: handshake{noSubs: true}, code: 4406, reason: "Subprotocol not acceptable"},
		"4406 another subprotocol":    {handshake: handshake{subprotocols: []string{"graphql-ws"}}, code: 4406, reason: "Subprotocol not acceptable"},
		"4408 no connection_init":     {limits: httpapi.Limits{SocketInit: 20 * time.Millisecond}, sent: []string{`{"type":"ping"}`}, code: 4408, reason: "Connection initialisation timeout"},
		"4409 id in use":              {sent: []string{begin, stream, stream}, code: 4409, reason: "Subscriber for 1 already exists"},
		"4429 connection_init again":  {sent: []string{begin, begin}, code: 4429, reason: "Too many initialisation requests"},
		"4429 before the first's ack": {handshake: handshake{header: bearer}, sent: []string{begin, begin}, code: 4429, reason: "Too many initialisation requests"},
		"4499 open for too long":      {limits: httpapi.Limits{SocketLifetime: 50 * time.Millisecond}, sent: []string{begin, stream}, code: 4499, reason: "as long as one may be"},
		"4499 idle":                   {limits: httpapi.Limits{SocketIdle: 50 * time.Millisecond}, sent: []string{begin}, code: 4499, reason: "idle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, map[string]resolver{"changed": newSource().resolve}, func(o *httpapi.Options) {
				o.Limits = c.limits
				o.Alive = func(context.Context, auth.Identity) error { return c.alive }
			})
			client, _, _, err := b.tryDial(t, c.handshake)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range c.sent {
				client.send(text)
			}
			for {
				text, err := client.read()
				if err == nil && (text == `{"type":"connection_ack"}` || text == `{"type":"pong"}`) {
					continue
				}
				client.closedBy(text, err, c.code, c.reason)
				return
			}
		})
	}
}

// TestSocketIdle: a socket is idle while nothing runs on it, whatever else is said.
func TestSocketIdle(t *testing.T) {
	t.Parallel()
	from := newSource()
	all := echoes()
	all["changed"] = from.resolve
	b := setup(t, all, func(o *httpapi.Options) { o.Limits.SocketIdle = 200 * time.Millisecond })
	client := b.connect(t, "")
	client.subscribe("s", "subscription { changed }")
	feed := await(t, from.begun)
	chatty := b.connect(t, "")
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		for {
			if _, err := chatty.read(); err != nil {
				return
			}
		}
	}()
	await(t, idle)
	give(t, feed, value(1)) // though it has been open for longer
	client.want(`{"id":"s","type":"next","payload":{"data":{"changed":1}}}`)
	close(feed)
	client.want(`{"id":"s","type":"complete"}`)
	client.subscribe("q", "{ a }")
	client.want(`{"id":"q","type":"next","payload":{"data":{"a":"x"}}}`)
	client.want(`{"id":"q","type":"complete"}`)
	client.wantClosed(4499, "idle")
}

// TestSocketRules has a case for what the protocol asks beyond close codes. Each step is a
// message of the client (→) or the next of the server (←), a part of it at least.
func TestSocketRules(t *testing.T) {
	t.Parallel()
	const begin, ack = `→{"type":"connection_init"}`, `←{"type":"connection_ack"}`
	query := func(id string) string { return `→{"id":"` + id + `","type":"subscribe","payload":{"query":"{ a }"}}` }
	const bad = `→{"id":"1","type":"subscribe","payload":{"query":"{ nope }"}}`
	const next, complete = `←{"id":"1","type":"next","payload":{"data":{"a":"x"}}}`, `←{"id":"1","type":"complete"}`
	for name, steps := range map[string][]string{
		"ping before the ack":              {`→{"type":"ping"}`, `←{"type":"pong"}`, begin, ack},
		"a ping's payload comes back":      {`→{"type":"ping","payload":{"n":1}}`, `←{"type":"pong","payload":{"n":1}}`},
		"a pong that nobody asked for":     {`→{"type":"pong","payload":{}}`, begin, ack},
		"a result, then complete":          {begin, ack, query("1"), next, complete},
		"no complete after an error":       {begin, ack, bad, `←{"id":"1","type":"error","payload":[{"message":"`, `→{"type":"ping"}`, `←{"type":"pong"}`},
		"an id is free after complete":     {begin, ack, query("1"), next, complete, query("1"), next, complete},
		"an id is free after an error":     {begin, ack, bad, `←{"id":"1","type":"error"`, query("1"), next, complete},
		"complete of an unknown id":        {begin, ack, `→{"id":"9","type":"complete"}`, query("1"), next, complete},
		"complete after complete":          {begin, ack, query("1"), next, complete, `→{"id":"1","type":"complete"}`, query("1"), next, complete},
		"complete before the ack":          {`→{"id":"1","type":"complete"}`, begin, ack},
		"an error in a result is no error": {begin, ack, `→{"id":"1","type":"subscribe","payload":{"query":"{ b }"}}`, `←{"id":"1","type":"next","payload":{"errors":[`, complete},
		"members of other names":           {`→{"type":"connection_init","id":"x","more":1}`, ack, `→{"id":"1","type":"subscribe","payload":{"query":"{ a }","more":1}}`, next, complete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := setup(t, echoes(), nil).dial(t, nil)
			for _, step := range steps {
				if text, sent := strings.CutPrefix(step, "→"); sent {
					client.send(text)
					continue
				}
				want := strings.TrimPrefix(step, "←")
				if got, err := client.read(); err != nil || !strings.HasPrefix(got, want) {
					t.Fatalf("got %s, %v; want %s", got, err, want)
				}
			}
		})
	}
}
