package httpapi_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"erpgraph/internal/httpapi"
)

func TestSocketOperationsAreBounded(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}, 10), make(chan struct{}, 10)
	b := setup(t, map[string]resolver{
		"changed": func(ctx context.Context, _ map[string]any) (any, error) {
			context.AfterFunc(ctx, func() { ended <- struct{}{} })
			begun <- struct{}{}
			return events(nil), nil
		},
	}, func(o *httpapi.Options) { o.Limits.SocketOperations = 2 })
	client := b.connect(t, "")
	client.subscribe("1", "subscription { changed }")
	client.subscribe("2", "subscription { changed }")
	await(t, begun)
	await(t, begun)
	client.subscribe("3", "{ a }")
	client.wantError("3", "RATE_LIMITED", "2 operations")
	client.send(`{"id":"1","type":"complete"}`)
	await(t, ended)
	// A query that is over never counts, however soon the next comes.
	freed := false
	for n := range 50 {
		id := strconv.Itoa(n + 10)
		client.subscribe(id, "{ __typename }")
		text, err := client.read()
		if !freed && strings.Contains(text, "RATE_LIMITED") {
			continue // what the client has left may take a moment to end
		}
		freed = true
		if err != nil || text != `{"id":"`+id+`","type":"next","payload":{"data":{"__typename":"Query"}}}` {
			t.Fatalf("%d: %s, %v", n, text, err)
		}
		client.want(`{"id":"` + id + `","type":"complete"}`)
	}
}

// TestSocketTakesSlots: operations on a socket share the slots with those over HTTP, but
// a subscription that waits for its events holds none.
func TestSocketTakesSlots(t *testing.T) {
	t.Parallel()
	begun, entered, leave := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b := setup(t, map[string]resolver{
		"changed": func(context.Context, map[string]any) (any, error) {
			close(begun)
			return events(nil), nil
		},
		"a": func(context.Context, map[string]any) (any, error) {
			entered <- struct{}{}
			<-leave
			return nil, nil
		},
	}, func(o *httpapi.Options) { o.Limits.Concurrent, o.Limits.QueueTime = 1, time.Millisecond })
	client := b.connect(t, "")
	client.subscribe("s", "subscription { changed }")
	await(t, begun)
	for n := 0; ; n++ { // until the subscription has begun
		id := "try" + strconv.Itoa(n)
		client.subscribe(id, "{ __typename }")
		text, err := client.read()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, `"next"`) {
			client.want(`{"id":"` + id + `","type":"complete"}`)
			break
		}
	}
	client.subscribe("1", "{ a }")
	await(t, entered)
	client.subscribe("2", "{ a }")
	client.wantError("2", "RATE_LIMITED", "without a credential")
	if got := b.query(t, "{ a }", nil); got.status != http.StatusTooManyRequests {
		t.Errorf("%d %s", got.status, got.body)
	}
	close(leave)
	client.want(`{"id":"1","type":"next","payload":{"data":{"a":null}}}`)
}

func TestSocketsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.Limits.Sockets, o.Limits.SocketsPerCaller = 16, 3 })
	north := map[string]string{"Authorization": "Bearer north"}
	// named opens a socket and gives it its name, for which a place may take a moment to
	// become free.
	named := func(header map[string]string) *socketClient {
		t.Helper()
		for end := time.Now().Add(patience); ; runtime.Gosched() {
			client := b.dialUntil(t, header)
			client.send(`{"type":"connection_init"}`)
			text, err := client.read()
			if err == nil && strings.Contains(text, "connection_ack") {
				return client
			}
			if time.Now().After(end) {
				t.Fatalf("%q, %v", text, err)
			}
		}
	}
	var open []*socketClient
	for range 3 {
		open = append(open, named(north))
	}
	// An eighth of 16 for strangers, which all are until they have a name.
	open = append(open, b.dialUntil(t, nil), b.dialUntil(t, map[string]string{"Authorization": "Bearer madeup"}))
	refused := func(header map[string]string, status int) {
		t.Helper()
		_, got, answer, err := b.tryDial(t, handshake{header: header})
		if err == nil || got != status || answer.Get("Retry-After") == "" {
			t.Errorf("%d, %v; want %d", got, err, status)
		}
	}
	for _, header := range []map[string]string{nil, north, {"Authorization": "Bearer other"}} {
		refused(header, http.StatusTooManyRequests)
	}
	open[3].send(`{"type":"connection_init","payload":{"authorization":"Bearer north"}}`)
	open[3].wantClosed(4403, "of this caller")
	open[4].init(`{}`)
	strangers := []*socketClient{b.dialUntil(t, nil), b.dialUntil(t, nil)} // both seats are free again
	refused(nil, http.StatusTooManyRequests)
	for _, s := range strangers {
		s.init(`{"authorization":"Bearer south"}`)
	}
	if err := open[0].conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	named(north)
	for _, name := range []string{"a", "b", "c"} {
		for range 3 {
			named(map[string]string{"Authorization": "Bearer " + name})
		}
	}
	named(map[string]string{"Authorization": "Bearer south"}) // the sixteenth
	refused(map[string]string{"Authorization": "Bearer west"}, http.StatusServiceUnavailable)
}

// dialUntil opens a socket whose seat may take a moment to become free.
func (b *testBundle) dialUntil(t *testing.T, header map[string]string) *socketClient {
	t.Helper()
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		client, status, _, err := b.tryDial(t, handshake{header: header})
		if err == nil {
			return client
		}
		if status != http.StatusTooManyRequests || time.Now().After(end) {
			t.Fatalf("%d, %v", status, err)
		}
	}
}

func TestSocketLifetime(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	leave := make(chan struct{})
	b := setup(t, map[string]resolver{
		"changed": func(context.Context, map[string]any) (any, error) { return events(nil), nil },
		"a": func(ctx context.Context, _ map[string]any) (any, error) {
			close(entered)
			<-leave
			return "done", ctx.Err()
		},
	}, func(o *httpapi.Options) { o.Limits.SocketLifetime = 50 * time.Millisecond })
	idle := b.connect(t, "")
	busy := b.connect(t, "")
	busy.subscribe("s", "subscription { changed }")
	busy.subscribe("1", "{ a }")
	await(t, entered)
	idle.wantClosed(4499, "Terminated: the socket has been open as long as one may be")
	// A query that runs is answered first.
	close(leave)
	busy.want(`{"id":"1","type":"next","payload":{"data":{"a":"done"}}}`)
	busy.want(`{"id":"1","type":"complete"}`)
	busy.wantClosed(4499, "Terminated")
}

// rawSocket is a client that reads nothing by itself, pings included.
func (b *testBundle) rawSocket(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	address, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Write([]byte("GET /graphql HTTP/1.1\r\nHost: " + address.Host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", response, err)
	}
	_ = response.Body.Close()
	return conn, reader
}

// frame is a text frame as a client masks it, by zeroes.
func frame(text string) []byte {
	head := []byte{0x81, 0x80 | 126, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}
	return append(head, text...)
}

// readFrame reads one short frame of the server.
func readFrame(t *testing.T, r *bufio.Reader) (opcode byte, payload string) {
	t.Helper()
	head := make([]byte, 2)
	if _, err := r.Read(head[:1]); err != nil {
		t.Fatal(err)
	}
	length, err := r.ReadByte()
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, length)
	for i := range text {
		if text[i], err = r.ReadByte(); err != nil {
			t.Fatal(err)
		}
	}
	return head[0] & 0x0f, string(text)
}

// TestSocketThatDoesNotAnswer: a client that is gone without a word is noticed.
func TestSocketThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.Limits.SocketPing = 20 * time.Millisecond })
	_, reader := b.rawSocket(t)
	if opcode, _ := readFrame(t, reader); opcode != 9 {
		t.Errorf("opcode %d, want a ping", opcode)
	}
	opcode, payload := readFrame(t, reader)
	for opcode == 9 { // the last may have been on its way
		opcode, payload = readFrame(t, reader)
	}
	if opcode != 8 || len(payload) < 2 || int(payload[0])<<8|int(payload[1]) != 4499 {
		t.Errorf("opcode %d %q, want a close with 4499", opcode, payload)
	}
}

// TestSocketThatAnswers: pongs keep an idle socket open.
func TestSocketThatAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(o *httpapi.Options) { o.Limits.SocketPing = 600 * time.Millisecond })
	pings := make(chan struct{}, 100)
	client, _, _, err := b.tryDial(t, handshake{pinged: func(context.Context, []byte) bool {
		pings <- struct{}{}
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() {
		text, err := client.read() // which answers pings meanwhile
		if err != nil {
			t.Errorf("closed: %v", err)
		}
		answer <- text
	}()
	for range 3 { // the third is sent only if the first was answered
		select {
		case <-pings:
		case text := <-answer:
			t.Fatalf("closed, or got %s", text)
		case <-time.After(patience):
			t.Fatal("no ping")
		}
	}
	client.send(`{"type":"ping"}`)
	if text := await(t, answer); text != `{"type":"pong"}` {
		t.Errorf("got %s", text)
	}
}

// TestSocketOfASlowReader: who does not read what he asked for is cut off, and what
// waited for him ends.
func TestSocketOfASlowReader(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 1)
	endless := func(ctx context.Context, _ map[string]any) (any, error) {
		source := make(chan func(context.Context) any)
		go func() {
			defer close(source)
			big := strings.Repeat("x", 1<<20)
			for {
				select {
				case source <- func(context.Context) any { return big }:
				case <-ctx.Done():
					ended <- struct{}{}
					return
				}
			}
		}()
		return events(source), nil
	}
	b := setup(t, map[string]resolver{"changed": endless}, func(o *httpapi.Options) { o.Limits.SocketWrite = 50 * time.Millisecond })
	conn, _ := b.rawSocket(t)
	for _, text := range []string{`{"type":"connection_init"}`, `{"id":"1","type":"subscribe","payload":{"query":"subscription { changed }"}}`} {
		if _, err := conn.Write(frame(text)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, ended)
	line := b.wantSocketLog(t)
	if line["code"] != 4499.0 && line["reason"] != "the client has left" {
		t.Errorf("%v", line)
	}
}

// TestSocketStorm: many sockets and operations come and go; nothing is left of them
// (TestMain looks for goroutines).
func TestSocketStorm(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]resolver{"changed": func(ctx context.Context, _ map[string]any) (any, error) {
		source := make(chan func(context.Context) any)
		go func() {
			defer close(source)
			for n := range 20 {
				select {
				case source <- func(context.Context) any { return n }:
				case <-ctx.Done():
					return
				}
			}
		}()
		return events(source), nil
	}}, nil)
	var group sync.WaitGroup
	for n := range 20 {
		client := b.connect(t, "")
		group.Go(func() {
			for i := range 50 {
				id := strconv.Itoa(i)
				client.subscribe(id, "subscription { changed }")
				if i%2 == 0 {
					client.send(`{"id":"` + id + `","type":"complete"}`)
					continue
				}
				if i%3 == 0 {
					if _, err := client.read(); err != nil {
						t.Error(err)
						return
					}
				}
			}
			if n%2 == 0 {
				_ = client.conn.CloseNow()
				return
			}
			if err := client.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
