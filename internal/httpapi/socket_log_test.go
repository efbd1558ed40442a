package httpapi_test

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"erpgraph/internal/httpapi"
)

// wantSocketLog waits for the line of a socket that has ended.
func (b *testBundle) wantSocketLog(t *testing.T) map[string]any {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		for text := range strings.SplitSeq(b.log.String(), "\n") {
			var line map[string]any
			if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == "socket" {
				return line
			}
		}
	}
	t.Fatal("no line")
	return nil
}

// TestSocketLog: one line for each operation and one for the socket, which share the
// beginning of their request ids.
func TestSocketLog(t *testing.T) {
	t.Parallel()
	source := make(chan func(context.Context) any)
	b := setup(t, map[string]resolver{"changed": func(context.Context, map[string]any) (any, error) { return events(source), nil }}, func(o *httpapi.Options) {
		o.Hooks.AroundResponses = func(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
			out := next(ctx)
			if out != nil {
				httpapi.LogAttrs(ctx, intAttr("upstreamCalls", 1))
			}
			return out
		}
	})
	client := b.dial(t, map[string]string{"X-Request-Id": "socket-0001", "Authorization": "Bearer hunter2"})
	client.init("")
	client.subscribe("s", "subscription Changes { changed }")
	for range 3 {
		give(t, source, func(context.Context) any { return 1 })
		client.want(`{"id":"s","type":"next","payload":{"data":{"changed":1}}}`)
	}
	close(source)
	client.want(`{"id":"s","type":"complete"}`)
	client.subscribe("q", "{ nope }")
	client.wantError("q", "BAD_USER_INPUT", "nope")
	client.send(`nonsense-hunter2`)
	client.wantClosed(4400, "Invalid message")
	line := b.wantSocketLog(t)
	if line["requestId"] != "socket-0001" || line["operations"] != 2.0 || line["code"] != 4400.0 || line["caller"] == "" {
		t.Errorf("%v", line)
	}
	log := b.log.String()
	for _, part := range []string{
		`"requestId":"socket-0001.1","operation":"Changes","type":"subscription"`, `"requestId":"socket-0001.2"`, `"code":"BAD_USER_INPUT"`, `"transport":"socket"`,
	} {
		if !strings.Contains(log, part) {
			t.Errorf("no %s in %s", part, log)
		}
	}
	if strings.Contains(log, "upstreamCalls") || strings.Contains(log, "hunter2") {
		t.Errorf("the log of a subscription grows with its events, or shows a credential: %s", log)
	}
}
