package httpapi_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/httpapi"
)

// TestSocketOrigin: browsers let any page open a socket with its user's cookie, so the
// page's origin decides before the handshake is answered.
func TestSocketOrigin(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, withSessions(t))
	type headers = map[string]string
	for name, c := range map[string]struct {
		header headers
		status int
	}{
		"no browser":                      {nil, 101},
		"no browser, token":               {headers{"Authorization": "Bearer north-1"}, 101},
		"own":                             {headers{"Origin": ownOrigin}, 101},
		"own, cookie":                     {headers{"Origin": ownOrigin, "Cookie": sessionCookie}, 101},
		"allowed, cookie":                 {headers{"Origin": appOrigin, "Cookie": sessionCookie}, 101},
		"foreign":                         {headers{"Origin": "https://evil.example"}, 403},
		"foreign, cookie":                 {headers{"Origin": "https://evil.example", "Cookie": sessionCookie}, 403},
		"foreign, token":                  {headers{"Origin": "https://evil.example", "Authorization": "Bearer north-1"}, 403},
		"foreign, ended session":          {headers{"Origin": "https://evil.example", "Cookie": "__Host-erpgraph=ended"}, 403},
		"foreign host that is asked for":  {headers{"Origin": b.url, "Cookie": sessionCookie}, 403},
		"sibling":                         {headers{"Origin": "https://x.graph.example.com", "Cookie": sessionCookie}, 403},
		"null":                            {headers{"Origin": "null", "Cookie": sessionCookie}, 403},
		"cookie without an origin":        {headers{"Cookie": sessionCookie}, 403},
		"cookie and token, no origin":     {headers{"Cookie": sessionCookie, "Authorization": "Bearer south-1"}, 101},
		"own, ended session":              {headers{"Origin": ownOrigin, "Cookie": "__Host-erpgraph=ended"}, 101},
		"own, session can't be looked up": {headers{"Origin": ownOrigin, "Cookie": "__Host-erpgraph=down"}, 503},
		"malformed token":                 {headers{"Authorization": "hunter2"}, 401},
		"huge token":                      {headers{"Authorization": "Bearer " + strings.Repeat("hunter2", 3000)}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, status, _, err := b.tryDial(t, handshake{header: c.header})
			if status != c.status || (err == nil) != (c.status == 101) {
				t.Fatalf("%d, %v; want %d", status, err, c.status)
			}
			if err == nil && c.header["Cookie"] != "__Host-erpgraph=ended" {
				client.init("")
			}
		})
	}
	if strings.Contains(b.log.String(), "hunter2") {
		t.Error("a credential was logged")
	}
}

// TestSocketCaller: whose a socket is, by all ways to say so.
func TestSocketCaller(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"c": keyOfCaller}, func(o *httpapi.Options) {
		withSessions(t)(o)
		o.Admit, o.User = admitting(t), naming(t)
	})
	key := func(token string) string { return auth.Of(credentialOf(t, token)).Key() }
	type headers = map[string]string
	const nobody = "nobody"
	own := headers{"Origin": ownOrigin, "Cookie": sessionCookie}
	for name, c := range map[string]struct {
		header  headers
		payload string
		want    string // the caller's key, or the reason of the refusal
	}{
		"nobody":                       {nil, "", nobody},
		"nobody, payload":              {nil, `{}`, nobody},
		"header":                       {headers{"Authorization": "Bearer north-1"}, "", key("north-1")},
		"cookie":                       {own, "", key("north-session")},
		"payload":                      {nil, `{"authorization":"Bearer north-1"}`, key("north-1")},
		"payload, capital":             {nil, `{"Authorization":"Bearer north-1"}`, key("north-1")},
		"payload, api key":             {nil, `{"authorization":"token key:secret"}`, auth.Of(apiKey(t)).Key()},
		"header and payload":           {headers{"Authorization": "Bearer north-1"}, `{"authorization":"bearer north-1"}`, key("north-1")},
		"header and another":           {headers{"Authorization": "Bearer north-1"}, `{"authorization":"Bearer north-2"}`, "another than that of the Authorization header"},
		"cookie and payload":           {own, `{"authorization":"Bearer south-1"}`, key("south-1")},
		"payload twice":                {nil, `{"authorization":"Bearer north-1","Authorization":"Bearer north-1"}`, "2 Authorization"},
		"payload empty":                {nil, `{"authorization":""}`, "Authorization"},
		"payload null":                 {nil, `{"authorization":null}`, "not a string"},
		"payload an object":            {nil, `{"authorization":{"token":"x"}}`, "not a string"},
		"payload malformed":            {nil, `{"authorization":"hunter2"}`, "Authorization"},
		"payload huge":                 {nil, `{"authorization":"Bearer ` + strings.Repeat("hunter2", 3000) + `"}`, "Authorization"},
		"cookie does not save payload": {own, `{"authorization":"hunter2"}`, "Authorization"},
		"ended session":                {headers{"Origin": ownOrigin, "Cookie": "__Host-erpgraph=ended"}, "", "your session has ended; sign in again"},
		"ended session and payload":    {headers{"Origin": ownOrigin, "Cookie": "__Host-erpgraph=ended"}, `{"authorization":"Bearer south-1"}`, key("south-1")},
		"disabled":                     {headers{"Authorization": "Bearer disabled-1"}, "", "the user is disabled"},
		"unknown upstream":             {nil, `{"authorization":"Bearer revoked-1"}`, "the token is revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := b.dial(t, c.header)
			if len(c.want) != len(key("x")) && c.want != nobody {
				payload := c.payload
				if payload == "" {
					payload = "null"
				}
				client.send(`{"type":"connection_init","payload":` + payload + `}`)
				client.wantClosed(4403, c.want)
				return
			}
			client.init(c.payload)
			client.subscribe("1", "{ c }")
			if c.want == nobody {
				got, err := client.read()
				if err != nil || !strings.Contains(got, "UNAUTHENTICATED") {
					t.Errorf("%s, %v", got, err)
				}
				return
			}
			client.want(`{"id":"1","type":"next","payload":{"data":{"c":"` + c.want + `"}}}`)
		})
	}
	t.Cleanup(func() {
		if strings.Contains(b.log.String(), "hunter2") || strings.Contains(b.log.String(), "north-1") {
			t.Error("a credential was logged")
		}
	})
}

// admitting refuses what the app's Directory would.
func admitting(t *testing.T) func(context.Context, auth.Identity) error {
	t.Helper()
	disabled := auth.Of(credentialOf(t, "disabled-1")).Key()
	return func(_ context.Context, id auth.Identity) error {
		if id.Key() == disabled {
			return apierror.New(apierror.Unauthenticated, "the user is disabled")
		}
		return nil
	}
}

// naming tells whose a token is.
func naming(t *testing.T) func(context.Context, auth.Identity) (string, error) {
	t.Helper()
	users := map[string]string{auth.Of(apiKey(t)).Key(): "key"}
	for token, user := range map[string]string{
		"north-session": "north", "north-1": "north", "north-2": "north", "south-session": "south", "south-1": "south",
	} {
		users[auth.Of(credentialOf(t, token)).Key()] = user
	}
	return func(_ context.Context, id auth.Identity) (string, error) {
		if user, ok := users[id.Key()]; ok {
			return user, nil
		}
		return "", apierror.New(apierror.Unauthenticated, "the token is revoked")
	}
}

// TestSocketHandover: a ping may bring another credential of the same user, which then
// counts for operations that run already as well.
func TestSocketHandover(t *testing.T) {
	t.Parallel()
	source := make(chan func(context.Context) any)
	b := setup(t, map[string]resolver{
		"c":       keyOfCaller,
		"changed": func(context.Context, map[string]any) (any, error) { return events(source), nil },
	}, func(o *httpapi.Options) { o.User, o.Admit = naming(t), admitting(t) })
	client := b.connect(t, `{"authorization":"Bearer north-1"}`)
	client.subscribe("s", "subscription { changed }")
	for _, token := range []string{"north-1", "north-2"} {
		key := auth.Of(credentialOf(t, token)).Key()
		client.send(`{"type":"ping","payload":{"authorization":"Bearer ` + token + `"}}`)
		client.want(`{"type":"pong"}`) // without the credential
		source <- func(ctx context.Context) any {
			id, err := auth.FromContext(ctx)
			if err != nil {
				t.Error(err)
			}
			return id.Key()
		}
		client.want(`{"id":"s","type":"next","payload":{"data":{"changed":"` + key + `"}}}`)
		client.subscribe("q", "{ c }")
		client.want(`{"id":"q","type":"next","payload":{"data":{"c":"` + key + `"}}}`)
		client.want(`{"id":"q","type":"complete"}`)
	}
}

func TestSocketHandoverRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.User, o.Admit = naming(t), admitting(t) })
	for name, c := range map[string]struct{ init, ping, reason string }{
		"another user":   {`{"authorization":"Bearer north-1"}`, `{"authorization":"Bearer south-1"}`, "not of the socket's user"},
		"revoked":        {`{"authorization":"Bearer north-1"}`, `{"authorization":"Bearer revoked-1"}`, "revoked"},
		"disabled":       {`{"authorization":"Bearer north-1"}`, `{"authorization":"Bearer disabled-1"}`, "disabled"},
		"malformed":      {`{"authorization":"Bearer north-1"}`, `{"authorization":"hunter2"}`, "Authorization"},
		"nobody's":       {`{}`, `{"authorization":"Bearer north-1"}`, "the socket is nobody's"},
		"before the ack": {``, `{"authorization":"Bearer north-1"}`, "connection_init"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := b.dial(t, nil)
			if c.init != "" {
				client.init(c.init)
			}
			client.send(`{"type":"ping","payload":` + c.ping + `}`)
			client.wantClosed(4403, c.reason)
		})
	}
	without := setup(t, nil, nil).connect(t, `{"authorization":"Bearer north-1"}`)
	without.send(`{"type":"ping","payload":{"authorization":"Bearer north-1"}}`)
	without.wantClosed(4403, "can't be handed over")
}

// TestSocketOutlivesAnOutage: while nobody can tell who a caller is, the socket is open
// and each operation finds out for itself; a handover waits for the answer.
func TestSocketOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	down := true
	name := naming(t)
	b := setup(t, map[string]resolver{"c": keyOfCaller}, func(o *httpapi.Options) {
		outage := func() error {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return apierror.New(apierror.UpstreamUnavailable, "ERPNext does not answer")
			}
			return nil
		}
		o.Admit = func(context.Context, auth.Identity) error { return outage() }
		o.User = func(ctx context.Context, id auth.Identity) (string, error) {
			if err := outage(); err != nil {
				return "", err
			}
			return name(ctx, id)
		}
	})
	client := b.connect(t, `{"authorization":"Bearer north-1"}`)
	client.subscribe("1", "{ c }")
	client.wantError("1", "UPSTREAM_UNAVAILABLE", "ERPNext does not answer")
	early := b.connect(t, `{"authorization":"Bearer north-1"}`)
	early.send(`{"type":"ping","payload":{"authorization":"Bearer north-2"}}`)
	early.wantClosed(4403, "ERPNext does not answer")
	mu.Lock()
	down = false
	mu.Unlock()
	client.send(`{"type":"ping","payload":{"authorization":"Bearer north-2"}}`)
	client.want(`{"type":"pong"}`)
	client.send(`{"type":"ping","payload":{"authorization":"Bearer south-1"}}`)
	client.wantClosed(4403, "not of the socket's user")
}

// TestSocketIsClosedWithItsSession: within a check the socket of a credential that does
// not count any more is closed; an outage says nothing.
func TestSocketIsClosedWithItsSession(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1000)
	answers := make(chan error, 10)
	b := setup(t, map[string]resolver{"changed": func(context.Context, map[string]any) (any, error) { return events(nil), nil }}, func(o *httpapi.Options) {
		withSessions(t)(o)
		o.Limits.SocketCheck = 5 * time.Millisecond
		o.Alive = func(ctx context.Context, id auth.Identity) error {
			if _, limited := ctx.Deadline(); !limited || !id.FromSession() {
				t.Error("asked without a time limit, or about another")
			}
			asked <- struct{}{}
			select {
			case err := <-answers:
				return err
			default:
				return nil
			}
		}
	})
	b.connect(t, "") // nobody's, so nothing is asked
	client := b.dial(t, map[string]string{"Origin": ownOrigin, "Cookie": sessionCookie})
	client.init("")
	client.subscribe("1", "subscription { changed }")
	answers <- apierror.New(apierror.UpstreamUnavailable, "ERPNext does not answer")
	answers <- apierror.New(apierror.Forbidden, "a hiccup")
	for range 5 {
		await(t, asked)
	}
	client.stillOpen()
	answers <- apierror.New(apierror.Unauthenticated, "your session has ended; sign in again")
	client.wantClosed(4401, "Unauthorized: your session has ended; sign in again")
}

// TestSocketHandshakeIsNoRequest: an upgrade by another method is a request of HTTP.
func TestSocketHandshakeIsNoRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	upgrade := map[string]string{"Upgrade": "websocket", "Connection": "Upgrade"}
	if got := b.do(t, call{body: `{"query":"{ a }"}`, header: upgrade}); got.status != http.StatusOK {
		t.Errorf("POST: %d %s", got.status, got.body)
	}
	if got := b.do(t, call{method: "GET", header: upgrade}); got.status != http.StatusBadRequest {
		t.Errorf("GET without a key: %d %s", got.status, got.body)
	}
}
