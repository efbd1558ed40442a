package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"erpgraph/internal/app"
)

// socket is an open graphql-transport-ws connection.
type socket struct{ conn *websocket.Conn }

func (b *bundle) dial(tb testing.TB, header map[string]string) (*socket, int) {
	tb.Helper()
	h := http.Header{}
	for name, value := range header {
		h.Set(name, value)
	}
	conn, res, err := websocket.Dial(tb.Context(), strings.Replace(b.url, "http", "ws", 1)+"/graphql", &websocket.DialOptions{
		HTTPHeader: h, Subprotocols: []string{"graphql-transport-ws"},
	})
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	if err != nil {
		if res == nil {
			tb.Fatal(err)
		}
		return nil, res.StatusCode
	}
	tb.Cleanup(func() { _ = conn.CloseNow() })
	return &socket{conn}, http.StatusSwitchingProtocols
}

func (s *socket) send(tb testing.TB, message string) {
	tb.Helper()
	if err := s.conn.Write(tb.Context(), websocket.MessageText, []byte(message)); err != nil {
		tb.Fatal(err)
	}
}

// next is the next message, or the code that the socket was closed with.
func (s *socket) next(tb testing.TB) (map[string]any, websocket.StatusCode) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	_, text, err := s.conn.Read(ctx)
	if err != nil {
		return nil, websocket.CloseStatus(err)
	}
	var message map[string]any
	if err := json.Unmarshal(text, &message); err != nil {
		tb.Fatalf("%v in %s", err, text)
	}
	return message, 0
}

// open is a socket that was acknowledged.
func (b *bundle) open(tb testing.TB, header map[string]string, payload string) *socket {
	tb.Helper()
	s, status := b.dial(tb, header)
	if s == nil {
		tb.Fatalf("the handshake failed with %d", status)
	}
	s.send(tb, `{"type":"connection_init","payload":`+payload+`}`)
	if got, code := s.next(tb); got["type"] != "connection_ack" {
		tb.Fatalf("not acknowledged: %v, %d", got, code)
	}
	return s
}

// A socket reads as whoever opened it, however he said so.
func TestSocketCallers(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	cookie := strings.TrimPrefix(b.signIn(t, "sales-north@example.com").credential(t), withCookie)
	for name, c := range map[string]struct {
		header  map[string]string
		payload string
		user    string
	}{
		"by the session":                {map[string]string{"Cookie": cookie, "Origin": b.url}, `{}`, "sales-north@example.com"},
		"by the header":                 {map[string]string{"Authorization": sales}, `{}`, "sales@example.com"},
		"by the first message":          {nil, `{"authorization":"` + manager + `"}`, "manager@example.com"},
		"by the first, not the session": {map[string]string{"Cookie": cookie, "Origin": b.url}, `{"authorization":"` + manager + `"}`, "manager@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := b.open(t, c.header, c.payload)
			s.send(t, `{"id":"1","type":"subscribe","payload":{"query":"{ me { user } }"}}`)
			got, code := s.next(t)
			equal(t, "answer", got, map[string]any{"id": "1", "type": "next", "payload": map[string]any{"data": map[string]any{"me": map[string]any{"user": c.user}}}})
			if got, _ := s.next(t); got["type"] != "complete" || code != 0 {
				t.Errorf("after the answer: %v", got)
			}
		})
	}
}

// A socket ends soon after the session, the token or the user it was opened for.
func TestSocketEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end func(*testing.T, *bundle, *visitor)
	}{
		"signed out": {func(t *testing.T, b *bundle, v *visitor) {
			t.Helper()
			v.send(t, http.MethodPost, b.url+"/auth/logout", map[string]string{"Content-Type": "application/json"}, "{}")
		}},
		"revoked at ERPNext": {func(t *testing.T, b *bundle, _ *visitor) {
			t.Helper()
			b.site.RevokeTokens("sales@example.com", clientID)
		}},
		"disabled at ERPNext": {func(t *testing.T, b *bundle, _ *visitor) {
			t.Helper()
			if err := b.site.DisableUser("sales@example.com"); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now clock
			b := setup(t, options{signIn: true, app: app.Options{Now: now.now, SocketCheck: 10 * time.Millisecond}, config: func(c *app.Config) {
				c.ServiceKey = strings.TrimPrefix(admin, "token ")
			}})
			v := b.signIn(t, "sales@example.com")
			s := b.open(t, map[string]string{"Cookie": strings.TrimPrefix(v.credential(t), withCookie), "Origin": b.url}, `{}`)
			c.end(t, b, v)
			now.forward(identityTime)
			if got, code := s.next(t); code != 4401 {
				t.Errorf("got %v, close code %d, want 4401", got, code)
			}
		})
	}
}
