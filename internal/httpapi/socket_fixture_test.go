package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// patience bounds what a test waits for; nothing waits that long unless it is broken.
const patience = 10 * time.Second

// await receives what must come.
func await[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// give sends what must be taken.
func give[T any](t *testing.T, to chan<- T, value T) {
	t.Helper()
	select {
	case to <- value:
	case <-time.After(patience):
		t.Fatal("not taken")
	}
}

// socketClient is a client of graphql-transport-ws that does only what it is told.
type socketClient struct {
	t    *testing.T
	conn *websocket.Conn
}

// handshake is how a socket is asked for; its zero value names the right subprotocol and
// nothing else.
type handshake struct {
	header       map[string]string
	subprotocols []string
	noSubs       bool
	pinged       func(context.Context, []byte) bool
}

// tryDial gives the status of the answer, and its header where it is a refusal; err is nil
// when the socket is open.
func (b *testBundle) tryDial(t *testing.T, h handshake) (c *socketClient, status int, refusal http.Header, err error) {
	t.Helper()
	header := http.Header{}
	for name, value := range h.header {
		header.Set(name, value)
	}
	if h.subprotocols == nil && !h.noSubs {
		h.subprotocols = []string{"graphql-transport-ws"}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(b.url, "http")+"/graphql",
		&websocket.DialOptions{HTTPHeader: header, Subprotocols: h.subprotocols, OnPingReceived: h.pinged})
	switch {
	case err != nil && response == nil:
		return nil, 0, nil, err
	case err != nil:
		_ = response.Body.Close()
		return nil, response.StatusCode, response.Header, err
	}
	conn.SetReadLimit(1 << 24)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &socketClient{t: t, conn: conn}, response.StatusCode, nil, nil
}

// dial opens a socket and does no more.
func (b *testBundle) dial(t *testing.T, header map[string]string) *socketClient {
	t.Helper()
	c, _, _, err := b.tryDial(t, handshake{header: header})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// connect opens a socket and initialises it; payload is that of connection_init.
func (b *testBundle) connect(t *testing.T, payload string) *socketClient {
	t.Helper()
	c := b.dial(t, nil)
	c.init(payload)
	return c
}

func (c *socketClient) init(payload string) {
	c.t.Helper()
	if payload == "" {
		payload = "null"
	}
	c.send(`{"type":"connection_init","payload":` + payload + `}`)
	c.want(`{"type":"connection_ack"}`)
}

func (c *socketClient) send(text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Errorf("send %s: %v", text, err)
	}
}

// subscribe begins an operation.
func (c *socketClient) subscribe(id, document string) {
	c.t.Helper()
	quoted, err := json.Marshal(document)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(`{"id":"` + id + `","type":"subscribe","payload":{"query":` + string(quoted) + `}}`)
}

func (c *socketClient) read() (string, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, data, err := c.conn.Read(ctx)
	return string(data), err
}

// want reads the next message, which must be this one, byte for byte.
func (c *socketClient) want(message string) {
	c.t.Helper()
	got, err := c.read()
	if err != nil || got != message {
		c.t.Fatalf("got %s, %v; want %s", got, err, message)
	}
}

// wantError reads the next message, which must be an error for the operation.
func (c *socketClient) wantError(id, code, part string) {
	c.t.Helper()
	text, err := c.read()
	var m struct {
		ID, Type string
		Payload  []replyError
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &m)
	}
	if err != nil || m.ID != id || m.Type != "error" || len(m.Payload) == 0 {
		c.t.Fatalf("got %s, %v; want an error for %s", text, err, id)
	}
	e := m.Payload[0]
	if e.Extensions["code"] != code || !strings.Contains(e.Message, part) || e.Extensions["requestId"] == nil {
		c.t.Errorf("got %s, want %s with %q", text, code, part)
	}
}

// wantClosed reads to the end, which must come next, with this code and reason.
func (c *socketClient) wantClosed(code int, reason string) {
	c.t.Helper()
	text, err := c.read()
	c.closedBy(text, err, code, reason)
}

// closedBy holds what was read against the end that is expected.
func (c *socketClient) closedBy(text string, err error, code int, reason string) {
	c.t.Helper()
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		c.t.Fatalf("got %s, %v; want the socket closed with %d", text, err, code)
	}
	if int(closed.Code) != code || !strings.Contains(closed.Reason, reason) {
		c.t.Errorf("closed with %d %q, want %d %q", closed.Code, closed.Reason, code, reason)
	}
}

// stillOpen shows that the socket has not been closed and nothing is on the way.
func (c *socketClient) stillOpen() {
	c.t.Helper()
	c.send(`{"type":"ping","payload":{"still":"open"}}`)
	c.want(`{"type":"pong","payload":{"still":"open"}}`)
}
