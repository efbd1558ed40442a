package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/coder/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
)

// The protocol is https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, known
// by the name of its WebSocket subprotocol.
const subprotocol = "graphql-transport-ws"

// The types of messages, and who sends them.
const (
	typeInit      = "connection_init" // client
	typeAck       = "connection_ack"  // server
	typePing      = "ping"            // both
	typePong      = "pong"            // both
	typeSubscribe = "subscribe"       // client
	typeNext      = "next"            // server
	typeError     = "error"           // server
	typeComplete  = "complete"        // both
)

// The codes that a socket is closed with, beyond those of RFC 6455. Clients of the
// protocol connect again after 4403, 4408 and 4499, and after none of the others.
const (
	codeInvalid     websocket.StatusCode = 4400
	codeUnauthorize websocket.StatusCode = 4401
	codeForbidden   websocket.StatusCode = 4403
	codeSubprotocol websocket.StatusCode = 4406
	codeInitTimeout websocket.StatusCode = 4408
	codeDuplicateID websocket.StatusCode = 4409
	codeTooManyInit websocket.StatusCode = 4429
	codeTerminated  websocket.StatusCode = 4499
)

const (
	// maxReason is what fits into a close frame (RFC 6455, 5.5).
	maxReason = 123
	// maxID bounds the client's name for an operation; it is kept and repeated.
	maxID = 256
)

// closing is why a socket ends.
type closing struct {
	code   websocket.StatusCode // 0: the client has left, there is nobody to tell
	reason string
}

func (c *closing) Error() string { return c.reason }

// closeWith cuts the reason to what a close frame holds.
func closeWith(code websocket.StatusCode, reason string) *closing {
	reason = strings.ToValidUTF8(reason, "?")
	if len(reason) > maxReason {
		end := maxReason - len("…")
		for !utf8.RuneStart(reason[end]) {
			end--
		}
		reason = reason[:end] + "…"
	}
	return &closing{code: code, reason: reason}
}

func invalid(err error) *closing { return closeWith(codeInvalid, "Invalid message: "+err.Error()) }

// message is what a client sent, of a type that a client may send.
type message struct {
	kind string
	// id is there for subscribe and complete.
	id string
	// payload is an object, or nil where there was none or null.
	payload map[string]json.RawMessage
	// raw is the payload as it came.
	raw json.RawMessage
}

// parseMessage reads a message and holds it to the form that its type has. The text of
// the error is for the client and repeats nothing of the message.
func parseMessage(data []byte) (message, error) {
	members, err := readObject(data, "the message")
	if err != nil {
		return message{}, err
	}
	m := message{raw: members["payload"]}
	if err := into(members["type"], &m.kind, "type", "a string"); err != nil {
		return message{}, err
	}
	switch m.kind {
	case typeInit, typePing, typePong:
		m.payload, err = optionalObject(m.raw)
	case typeSubscribe:
		m.payload, err = readObject(m.raw, `"payload"`)
	case typeComplete:
	case "":
		return message{}, errors.New(`it has no "type"`)
	default:
		return message{}, errors.New(`its "type" is none that a client sends`)
	}
	if err == nil && (m.kind == typeSubscribe || m.kind == typeComplete) {
		m.id, err = readID(members["id"])
	}
	return m, err
}

func readID(raw json.RawMessage) (string, error) {
	var id string
	if err := into(raw, &id, "id", "a string"); err != nil {
		return "", err
	}
	switch {
	case halfCharacter(raw) >= 0: // and could not be repeated
		return "", errors.New(`its "id" is not valid Unicode`)
	case id == "":
		return "", errors.New(`it has no "id"`)
	case len(id) > maxID:
		return "", errors.New(`its "id" is too long`)
	}
	return id, nil
}

func optionalObject(raw json.RawMessage) (map[string]json.RawMessage, error) {
	if len(raw) == 0 || isNull(raw) {
		return nil, nil
	}
	payload, err := readObject(raw, `"payload"`)
	if err == nil && halfCharacter(raw) >= 0 {
		return nil, errors.New(`its "payload" is not valid Unicode`)
	}
	return payload, err
}

func readObject(data []byte, what string) (map[string]json.RawMessage, error) {
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 || trimmed[0] != '{' || !utf8.Valid(trimmed) {
		return nil, errors.New(what + " is not a JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(trimmed))
	out, err := members(dec, what)
	if err != nil {
		return nil, errors.New(publicText(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows " + what)
	}
	return out, nil
}

// publicText is the message of an error without its code.
func publicText(err error) string {
	if refused, ok := errors.AsType[*requestError](err); ok {
		return refused.err.Message
	}
	return err.Error()
}

// operation reads the payload of subscribe. A query that is empty has the right form;
// GraphQL itself says what is wrong with it.
func (m message) operation() (*graphql.RawParams, error) {
	query, ok := m.payload["query"]
	if !ok || isNull(query) {
		return nil, errors.New(`its payload has no "query"`)
	}
	p := &graphql.RawParams{}
	for _, member := range []struct {
		name, want string
		target     any
	}{
		{"query", "a string", &p.Query},
		{"operationName", "a string or null", &p.OperationName},
		{"variables", "an object or null", &p.Variables},
		{"extensions", "an object or null", &p.Extensions},
	} {
		if err := into(m.payload[member.name], member.target, member.name, member.want); err != nil {
			return nil, errors.New(publicText(err))
		}
	}
	return p, nil
}

// credential reads the member authorization of a payload, in the form of the header of
// that name; nobody when there is none. The error is UNAUTHENTICATED and repeats nothing
// of the value.
func (m message) credential() (auth.Identity, error) {
	header := http.Header{}
	for _, name := range []string{"authorization", "Authorization"} {
		raw, ok := m.payload[name]
		if !ok {
			continue
		}
		var value *string
		if err := json.Unmarshal(raw, &value); err != nil || value == nil {
			return auth.Identity{}, apierror.New(apierror.Unauthenticated, "%s of the payload is not a string", name)
		}
		header.Add("Authorization", *value)
	}
	return auth.FromHeader(header)
}

func ackMessage() []byte { return []byte(`{"type":"connection_ack"}`) }

// pongMessage gives back what the ping carried.
func pongMessage(payload json.RawMessage) []byte {
	if len(payload) == 0 || isNull(payload) {
		return []byte(`{"type":"pong"}`)
	}
	return envelope("", typePong, payload)
}

// next is for channel; a socket has no place for cursors outside of the payload.
func (*socket) next(id string, a *answer, _ string) ([]byte, error) {
	payload, err := a.encode()
	if err != nil {
		return nil, err
	}
	return envelope(id, typeNext, bytes.TrimRight(payload, "\n")), nil
}

// last is the message that ends the operation: error or complete, never both.
func (*socket) last(id string, errs gqlerror.List) []byte {
	if len(errs) > 0 {
		if payload, err := marshal(errs); err == nil { // their extensions are ours
			return envelope(id, typeError, payload)
		}
	}
	return envelope(id, typeComplete, nil)
}

// envelope puts a payload that is JSON already into a message, without passing it
// through an encoder again.
func envelope(id, kind string, payload []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(payload) + len(id) + 48)
	b.WriteByte('{')
	if id != "" {
		quoted, err := marshal(id)
		if err != nil {
			panic(err) // a string always encodes
		}
		b.WriteString(`"id":`)
		b.Write(quoted)
		b.WriteByte(',')
	}
	b.WriteString(`"type":"` + kind + `"`)
	if payload != nil {
		b.WriteString(`,"payload":`)
		b.Write(payload)
	}
	b.WriteByte('}')
	return b.Bytes()
}
