package httpapi

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzSocketMessage feeds messages as they could come from anyone. What is accepted has
// the form of its type; what is refused is refused in words that fit a close frame.
func FuzzSocketMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"connection_init"}`, `{"type":"connection_init","payload":{"authorization":"Bearer x"}}`,
		`{"type":"ping","payload":{"Authorization":1,"authorization":"token a:b"}}`, `{"type":"pong","payload":null}`,
		`{"id":"1","type":"subscribe","payload":{"query":"{ a }","variables":{"n":1e999},"extensions":null,"operationName":"A"}}`,
		`{"id":"1","type":"complete"}`, `{"id":"\ud800","type":"complete"}`, `{"type":"next"}`, `{"type":"ping"}x`, `[{}]`, "{\"type\":\"\xff\"}",
		`{"id":"1","id":"2","type":"complete"}`, `{"type":"subscribe","id":"1","payload":{"query":"","query":"{"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMessage(data)
		if err == nil {
			checkMessage(t, m, data)
		}
		if err == nil && m.kind == typeSubscribe {
			_, err = m.operation()
		}
		if err == nil {
			return
		}
		reason := invalid(err).reason
		if len(reason) > maxReason || !utf8.ValidString(reason) || !strings.HasPrefix(reason, "Invalid message: ") {
			t.Fatalf("reason %q", reason)
		}
	})
}

func checkMessage(t *testing.T, m message, data []byte) {
	t.Helper()
	if !json.Valid(data) {
		t.Fatalf("accepted %q", data)
	}
	switch m.kind {
	case typeInit, typePing, typePong:
	case typeSubscribe, typeComplete:
		if m.id == "" || len(m.id) > maxID {
			t.Fatalf("id %q of %q", m.id, data)
		}
	default:
		t.Fatalf("type %q of %q", m.kind, data)
	}
	if _, err := m.credential(); err != nil && len(forbidden(err).reason) > maxReason {
		t.Fatalf("reason %q", forbidden(err).reason)
	}
	if pong := pongMessage(m.raw); m.kind == typePing && !json.Valid(pong) {
		t.Fatalf("pong %q", pong)
	}
	if end := (*socket)(nil).last(m.id, nil); m.kind == typeComplete && !json.Valid(end) {
		t.Fatalf("complete %q", end)
	}
}
