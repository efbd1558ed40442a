package httpapi_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"erpgraph/internal/auth"
	"erpgraph/internal/httpapi"
)

// storm is how many subscriptions come and go.
const storm = 1000

// TestSubscriptionsLeaveNothing: after a thousand over each transport no source is left,
// and no goroutine, for which TestMain looks. Seats
// are fewer than the streams, so those were given back.
func TestSubscriptionsLeaveNothing(t *testing.T) {
	t.Parallel()
	const each = 50
	for name, run := range map[string]func(*testing.T, *testBundle, <-chan struct{}) (noticed int){
		"socket": func(t *testing.T, b *testBundle, _ <-chan struct{}) int {
			t.Helper()
			for range storm / each {
				client := b.connect(t, "")
				for n := range each {
					client.subscribe(strconv.Itoa(n), "subscription { changed }")
				}
				for range each {
					if text, err := client.read(); err != nil || !strings.Contains(text, `"next"`) {
						t.Fatal(text, err)
					}
				}
				for n := range each / 2 { // the others end with the socket
					client.send(`{"id":"` + strconv.Itoa(n) + `","type":"complete"}`)
				}
				if err := client.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
					t.Error(err)
				}
			}
			return 0
		},
		"stream": func(t *testing.T, b *testBundle, ended <-chan struct{}) int {
			t.Helper()
			var group sync.WaitGroup
			for range storm / each {
				group.Go(func() {
					for range each {
						client := b.subscribe(t, "subscription { changed }", nil)
						client.want("next", `{"data":{"changed":1}}`)
						client.leave()
						await(t, ended) // of this or another: a busy server notices late who left
					}
				})
			}
			group.Wait()
			return storm
		},
		"single stream": func(t *testing.T, b *testBundle, _ <-chan struct{}) int {
			t.Helper()
			for range storm / each {
				s := b.reserve(t, nil)
				client := s.open()
				for n := range each {
					s.begin(strconv.Itoa(n), "subscription { changed }")
					client.want("next", `{"id":"`+strconv.Itoa(n)+`","payload":{"data":{"changed":1}}}`)
				}
				for n := range each / 2 {
					s.stop(strconv.Itoa(n))
				}
				client.leave()
			}
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{}, storm)
			b := setup(t, map[string]resolver{"changed": func(ctx context.Context, _ map[string]any) (any, error) {
				context.AfterFunc(ctx, func() { ended <- struct{}{} })
				source := make(chan func(context.Context) any, 1)
				source <- value(1)
				return events(source), nil
			}}, func(o *httpapi.Options) {
				// An eighth of each is for those without a name. Seats are given back a moment after the
				// end of what ran, so more than may be open are needed. All may begin at once: who waits for a
				// slot is not served in turn, and may wait for long where many come and go.
				o.Limits.Sockets, o.Limits.Concurrent, o.Limits.QueueTime = 8*storm/4, 8*storm/each, patience
			})
			for range storm - run(t, b, ended) {
				await(t, ended)
			}
			for end := time.Now().Add(patience); ; runtime.Gosched() {
				if strings.Count(b.log.String(), `"type":"subscription"`) == storm {
					break
				}
				if time.Now().After(end) {
					t.Fatal("lines are missing")
				}
			}
		})
	}
}

// TestStreamOfASlowReader: who does not read is cut off, and what waited for him ends.
func TestStreamOfASlowReader(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 1)
	b := setup(t, map[string]resolver{"changed": func(ctx context.Context, _ map[string]any) (any, error) {
		source := make(chan func(context.Context) any)
		go func() {
			defer close(source)
			for {
				select {
				case source <- value(strings.Repeat("x", 1<<20)):
				case <-ctx.Done():
					ended <- struct{}{}
					return
				}
			}
		}()
		return events(source), nil
	}}, func(o *httpapi.Options) { o.Limits.SocketWrite = 50 * time.Millisecond })
	address := strings.TrimPrefix(b.url, "http://")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET "+strings.ReplaceAll(query("subscription{changed}"), "+", "%20")+" HTTP/1.1\r\nHost: "+address+"\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	defer response.Body.Close()
	await(t, ended)
}

// TestWebhooksStandApart: their handler gets what was sent, from anywhere, and answers alone.
func TestWebhooksStandApart(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) {
		withSessions(t)(o)
		o.Webhooks = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if id, err := httpapi.RequestID(r.Context()); err != nil || id == "" {
				t.Errorf("request id %q, %v", id, err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write(body)
		})
	})
	const path = "/webhooks/erpnext"
	got := b.do(t, call{path: path, body: "{}", header: map[string]string{
		"Authorization": "not a credential", "Cookie": "__Host-erpgraph=down", "Origin": appOrigin, "Content-Type": "text/plain",
	}})
	if got.status != http.StatusAccepted || got.body != "{}" || got.header.Get("X-Request-Id") == "" || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %s %v", got.status, got.body, got.header)
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "OPTIONS"} {
		if got := b.do(t, call{method: method, path: path}); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, got.status, got.header.Get("Allow"))
		}
	}
	if got := setup(t, nil, nil).do(t, call{path: path, body: "{}"}); got.status != http.StatusNotFound {
		t.Errorf("without a handler: %d", got.status)
	}
}

// TestSeatsAfterAPanic: a bug of a hook costs no seat.
func TestSeatsAfterAPanic(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) {
		o.Limits.Sockets = 8 // one for those without a name
		o.User = func(context.Context, auth.Identity) (string, error) { panic("bug") }
	})
	north := map[string]string{"Authorization": "Bearer north", "Accept": eventStream}
	for range 3 {
		if got := b.do(t, call{body: params(t, "{ a }", nil), header: north}); got.status != http.StatusInternalServerError {
			t.Errorf("%d %s", got.status, got.body)
		}
		if got := b.do(t, call{method: http.MethodPut, path: "/graphql/stream", header: north}); got.status != http.StatusInternalServerError {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}
