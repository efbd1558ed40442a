package httpapi_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/httpapi"
)

// source is a subscription's field that the test feeds: each subscription comes on begun.
type source struct {
	begun chan chan<- func(context.Context) any
	ended chan struct{}
}

func newSource() *source {
	return &source{begun: make(chan chan<- func(context.Context) any, 100), ended: make(chan struct{}, 1100)}
}

func (s *source) resolve(ctx context.Context, _ map[string]any) (any, error) {
	feed := make(chan func(context.Context) any)
	context.AfterFunc(ctx, func() { s.ended <- struct{}{} })
	s.begun <- feed
	return events(feed), nil
}

func value(v any) func(context.Context) any { return func(context.Context) any { return v } }

// TestStreamOfOneOperation follows the protocol's mode of distinct connections.
func TestStreamOfOneOperation(t *testing.T) {
	t.Parallel()
	from := newSource()
	all := echoes()
	all["changed"] = from.resolve
	b := setup(t, all, nil)
	for name, path := range map[string]string{"graph": "/graphql", "stream": "/graphql/stream"} {
		t.Run(name, func(t *testing.T) {
			client := b.stream(t, call{path: path, body: params(t, "subscription { changed }", nil)})
			if client.status != http.StatusOK {
				t.Fatal(client.status)
			}
			for header, want := range map[string]string{
				"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
			} {
				if got := client.header.Get(header); got != want {
					t.Errorf("%s %q, want %q", header, got, want)
				}
			}
			if first := await(t, client.events); first.retry == "" {
				t.Errorf("began with %+v", first)
			} else if ms, err := strconv.Atoi(first.retry); err != nil || ms < 1000 || ms > 3000 {
				t.Errorf("retry %q", first.retry)
			}
			feed := await(t, from.begun)
			give(t, feed, value(1))
			if got := client.want("next", `{"data":{"changed":1}}`); got.id != "" {
				t.Errorf("id %q", got.id)
			}
			give(t, feed, func(ctx context.Context) any {
				httpapi.NoteCursor(ctx, "first")
				httpapi.NoteCursor(ctx, "e1-42")
				for _, bad := range []string{"", "a b", "a\nb", "a\rdata: x", "ü", strings.Repeat("x", 257)} {
					httpapi.NoteCursor(ctx, bad)
				}
				return "ü\n"
			})
			if got := client.want("next", `{"data":{"changed":"ü\n"}}`); got.id != "e1-42" {
				t.Errorf("id %q", got.id)
			}
			give(t, feed, func(context.Context) any { return json.RawMessage("{\n\r\"a\":\n1}") })
			if got, _ := client.read(); got.id != "" || !json.Valid([]byte(got.data)) {
				t.Errorf("%+v", got)
			}
			close(feed)
			client.want("complete", "")
			client.wantEnd()
			await(t, from.ended)
		})
	}
}

func TestStreamOfAQuery(t *testing.T) {
	t.Parallel()
	b := setup(t, echoes(), nil)
	for name, c := range map[string]call{
		"query":    {body: params(t, "{ a }", nil)},
		"mutation": {body: params(t, "mutation { a: change }", nil)},
		"get":      {method: http.MethodGet, path: query("{ a }")},
		"quality":  {body: params(t, "{ a }", nil), header: map[string]string{"Accept": "application/json;q=0.5, text/event-stream"}},
		"any":      {body: params(t, "{ a }", nil), header: map[string]string{"Accept": "text/event-stream, */*"}},
		"urql":     {body: params(t, "{ a }", nil), header: map[string]string{"Accept": "text/event-stream, multipart/mixed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := b.stream(t, c)
			if name == "mutation" {
				client.want("next", `{"data":{"a":null}}`)
			} else {
				client.want("next", `{"data":{"a":"x"}}`)
			}
			client.want("complete", "")
			client.wantEnd()
		})
	}
	// Who reads JSON as well, and does not say that it would rather not, gets that.
	for _, accept := range []string{"", "*/*", "text/*", plainJSON, graphqlJSON, eventStream + ";q=0, */*", eventStream + ", " + plainJSON, graphqlJSON + ", " + plainJSON + ", " + eventStream + ", multipart/mixed"} {
		got := b.do(t, call{body: params(t, "{ a }", nil), header: map[string]string{"Accept": accept}})
		if strings.Contains(got.header.Get("Content-Type"), eventStream) {
			t.Errorf("%q gets events", accept)
		}
	}
}

// TestStreamErrors: what is wrong with the operation is a result, before and after it began.
func TestStreamErrors(t *testing.T) {
	t.Parallel()
	all := echoes()
	all["changed"] = func(ctx context.Context, args map[string]any) (any, error) {
		feed := make(chan func(context.Context) any, 1)
		switch args["name"] {
		case "refused":
			return nil, apierror.New(apierror.Forbidden, "not for you")
		case "failing":
			feed <- value("one")
			httpapi.EndStream(ctx, apierror.New(apierror.CursorExpired, "too old"))
		case "panic":
			panic("bug")
		}
		close(feed)
		return events(feed), nil
	}
	b := setup(t, all, nil)
	for name, c := range map[string]struct{ document, first, code, part string }{
		"syntax":    {"{", "", "BAD_USER_INPUT", ""},
		"field":     {"subscription { nope }", "", "BAD_USER_INPUT", "nope"},
		"name":      {"query A { a } query B { b }", "", "BAD_USER_INPUT", "operationName"},
		"limit":     {"{ " + strings.Repeat("a ", 6000) + "}", "", "COST_LIMIT", "tokens"},
		"refused":   {`subscription { changed(name: "refused") }`, "", "FORBIDDEN", "not for you"},
		"expired":   {`subscription { changed(name: "failing") }`, `{"data":{"changed":"one"}}`, "CURSOR_EXPIRED", "too old"},
		"panic":     {`subscription { changed(name: "panic") }`, "", "INTERNAL", "internal error"},
		"no panics": {`subscription { changed }`, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := b.subscribe(t, c.document, nil)
			if client.status != http.StatusOK {
				t.Fatal(client.status)
			}
			if c.first != "" {
				client.want("next", c.first)
			}
			if c.code != "" {
				client.wantError("", c.code, c.part)
			}
			client.want("complete", "")
			client.wantEnd()
		})
	}
}

// TestStreamRefusals: what is no request of GraphQL, or of nobody who may come in, has an
// answer as any.
func TestStreamRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, echoes(), func(o *httpapi.Options) {
		o.Admit, o.User, o.Limits.BodyBytes = admitting(t), naming(t), 2000
	})
	good := params(t, "{ a }", nil)
	type headers = map[string]string
	for name, c := range map[string]struct {
		call
		status int
		code   string
	}{
		"no body":         {call{}, 400, "BAD_USER_INPUT"},
		"no query":        {call{body: `{}`}, 400, "BAD_USER_INPUT"},
		"no query, get":   {call{method: "GET", path: "/graphql"}, 400, "BAD_USER_INPUT"},
		"text":            {call{body: good, header: headers{"Content-Type": "text/plain"}}, 415, "BAD_USER_INPUT"},
		"files":           {call{body: good, header: headers{"Content-Type": "multipart/form-data; boundary=x"}}, 415, "BAD_USER_INPUT"},
		"too large":       {call{body: params(t, "{ a }"+strings.Repeat(" ", 3000), nil)}, 413, "COST_LIMIT"},
		"mutation by get": {call{method: "GET", path: query("mutation { change }")}, 405, "BAD_USER_INPUT"},
		"bad token":       {call{body: good, header: headers{"Authorization": "hunter2"}}, 401, "UNAUTHENTICATED"},
		"revoked":         {call{body: good, header: headers{"Authorization": "Bearer revoked-1"}}, 401, "UNAUTHENTICATED"},
		"disabled":        {call{body: good, header: headers{"Authorization": "Bearer disabled-1"}}, 401, "UNAUTHENTICATED"},
		"last event":      {call{body: good, header: headers{"Last-Event-ID": strings.Repeat("x", 300)}}, 400, "BAD_USER_INPUT"},
		"method":          {call{method: "PATCH", body: good}, 405, "BAD_USER_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.header == nil {
				c.header = headers{}
			}
			c.header["Accept"] = eventStream
			got := b.do(t, c.call)
			got.wantError(t, c.code, "")
			if got.status != c.status {
				t.Errorf("status %d, want %d", got.status, c.status)
			}
		})
	}
}

func TestStreamLastEventID(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{
		"a": func(ctx context.Context, _ map[string]any) (any, error) { return httpapi.LastEventID(ctx), nil },
	}, nil)
	for _, id := range []string{"", "e1-42"} {
		b.subscribe(t, "{ a }", map[string]string{"Last-Event-ID": id}).want("next", `{"data":{"a":"`+id+`"}}`)
	}
	// Only a stream can be gone on with.
	if got := b.do(t, call{body: params(t, "{ a }", nil), header: map[string]string{"Last-Event-ID": "e1-42"}}); got.body != "{\"data\":{\"a\":\"\"}}\n" {
		t.Errorf("without a stream: %s", got.body)
	}
}

// TestStreamOrigin: EventSource sends the cookie from any page, and nothing that shows it
// was a script of ours; so the browser has to say where it comes from.
func TestStreamOrigin(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"a": func(context.Context, map[string]any) (any, error) { return "x", nil }}, withSessions(t))
	type headers = map[string]string
	for name, c := range map[string]struct {
		header headers
		status int
	}{
		"own page":             {headers{"Sec-Fetch-Site": "same-origin"}, 200},
		"own page, by Origin":  {headers{"Origin": ownOrigin}, 200},
		"allowed page":         {headers{"Origin": appOrigin, "Sec-Fetch-Site": "cross-site"}, 200},
		"foreign page":         {headers{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403},
		"foreign, no Origin":   {headers{"Sec-Fetch-Site": "cross-site"}, 403},
		"sibling":              {headers{"Sec-Fetch-Site": "same-site"}, 403},
		"null":                 {headers{"Origin": "null"}, 403},
		"nobody says":          {nil, 403},
		"preflighted":          {headers{"GraphQL-Preflight": "1"}, 200},
		"foreign, preflighted": {headers{"Origin": "https://evil.example", "GraphQL-Preflight": "1"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := headers{"Cookie": sessionCookie}
			maps.Copy(header, c.header)
			client := b.stream(t, call{method: http.MethodGet, path: query("{ a }"), header: header})
			if client.status != c.status {
				t.Errorf("status %d, want %d", client.status, c.status)
			}
		})
	}
	if got := b.stream(t, call{body: params(t, "{ a }", nil), header: headers{"Cookie": sessionCookie, "Content-Type": "text/plain", "Origin": ownOrigin}}); got.status != http.StatusForbidden {
		t.Errorf("a form's POST: %d", got.status)
	}
}

func TestStreamPings(t *testing.T) {
	t.Parallel()
	from := newSource()
	b := setup(t, map[string]resolver{"changed": from.resolve}, func(o *httpapi.Options) { o.Limits.SocketPing = 10 * time.Millisecond })
	client := b.subscribe(t, "subscription { changed }", nil)
	for range 3 {
		if got := client.comment(); got != "ping" {
			t.Errorf("comment %q", got)
		}
	}
	client.leave()
	await(t, from.ended)
}

// TestStreamLifetime: the response just ends, so that a browser connects again; a query is
// answered first.
func TestStreamLifetime(t *testing.T) {
	t.Parallel()
	from, entered, leave := newSource(), make(chan struct{}), make(chan struct{})
	b := setup(t, map[string]resolver{"changed": from.resolve, "a": func(ctx context.Context, _ map[string]any) (any, error) {
		close(entered)
		<-leave
		return "done", ctx.Err()
	}}, func(o *httpapi.Options) { o.Limits.SocketLifetime = 100 * time.Millisecond })
	slow := b.subscribe(t, "{ a }", nil)
	await(t, entered)
	b.subscribe(t, "subscription { changed }", nil).wantEnd()
	await(t, from.ended)
	close(leave)
	slow.want("next", `{"data":{"a":"done"}}`)
	slow.want("complete", "")
	slow.wantEnd()
}

// TestStreamOfAnEndedCredential: the client hears why.
func TestStreamOfAnEndedCredential(t *testing.T) {
	t.Parallel()
	from := newSource()
	b := setup(t, map[string]resolver{"changed": from.resolve}, func(o *httpapi.Options) {
		o.Limits.SocketCheck = 10 * time.Millisecond
		o.Alive = func(context.Context, auth.Identity) error {
			return apierror.New(apierror.Unauthenticated, "your session has ended")
		}
	})
	client := b.subscribe(t, "subscription { changed }", map[string]string{"Authorization": "Bearer north-1"})
	client.wantError("", "UNAUTHENTICATED", "has ended")
	client.want("complete", "")
	client.wantEnd()
	await(t, from.ended)
}

// TestStreamOfAnEndedSession: the browser connects again and is told then, or goes on with
// a token that was renewed.
func TestStreamOfAnEndedSession(t *testing.T) {
	t.Parallel()
	from := newSource()
	b := setup(t, map[string]resolver{"changed": from.resolve}, func(o *httpapi.Options) {
		withSessions(t)(o)
		o.Limits.SocketCheck = 10 * time.Millisecond
		o.Alive = func(context.Context, auth.Identity) error {
			return apierror.New(apierror.Unauthenticated, "your session has ended")
		}
	})
	header := map[string]string{"Cookie": sessionCookie, "Sec-Fetch-Site": "same-origin"}
	b.stream(t, call{method: http.MethodGet, path: query("subscription { changed }"), header: header}).wantEnd()
	await(t, from.ended)
}
