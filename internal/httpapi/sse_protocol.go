package httpapi

import (
	"bytes"
	"net/http"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// The protocol is https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, over
// the streams of events that browsers read with EventSource
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
const eventStreamType = "text/event-stream"

const (
	// tokenHeader and tokenParam carry the token of a reservation, one or the other:
	// EventSource can't send headers.
	tokenHeader = "X-GraphQL-Event-Stream-Token" //nolint:gosec // G101: the name of a header
	tokenParam  = "token"
	// operationParam is the member of extensions, and the parameter of a DELETE, that names
	// an operation of a stream which has many.
	operationParam = "operationId"
)

// asksForStream tells a client that wants events from one that wants one answer. It has to
// name the type: clients that take anything read JSON, and so do those that name both
// unless they prefer events.
func asksForStream(r *http.Request) bool {
	accept := joined(r.Header.Values("Accept"))
	wanted, named := quality(accept, eventStreamType)
	if !named || wanted <= 0 {
		return false
	}
	for _, other := range []string{graphqlJSON, plainJSON} {
		if q, named := quality(accept, other); named && q >= wanted {
			return false
		}
	}
	return true
}

// sseNext is an event with a result. Of an operation that has an id, the data says whose
// it is; place is that of the event in the stream, "" for none.
func sseNext(id string, payload []byte, place string) []byte {
	var b bytes.Buffer
	b.Grow(len(payload) + len(id) + len(place) + 64)
	b.WriteString("event: next\n")
	if place != "" {
		b.WriteString("id: " + place + "\n")
	}
	b.WriteString("data: ")
	b.Write(oneLine(wrapped(id, payload)))
	b.WriteString("\n\n")
	return b.Bytes()
}

// sseComplete is the event that ends an operation. Where it has no id the data is empty,
// but there: EventSource gives no event without data to its page.
func sseComplete(id string) []byte {
	b := append([]byte("event: complete\ndata: "), wrapped(id, nil)...)
	return append(b, "\n\n"...)
}

// ssePing is a comment, which clients skip and proxies count as life.
func ssePing() []byte { return []byte(": ping\n\n") }

func wrapped(id string, payload []byte) []byte {
	if id == "" {
		return payload
	}
	quoted, err := marshal(id)
	if err != nil {
		panic(err) // a string always encodes
	}
	b := append([]byte(`{"id":`), quoted...)
	if payload != nil {
		b = append(append(b, `,"payload":`...), payload...)
	}
	return append(b, '}')
}

// oneLine replaces the line breaks of a JSON text, which are all between its tokens: in a
// stream of events a line ends the field.
func oneLine(text []byte) []byte {
	if !bytes.ContainsAny(text, "\r\n") {
		return text
	}
	out := bytes.Clone(text)
	for i, c := range out {
		if c == '\n' || c == '\r' {
			out[i] = ' '
		}
	}
	return out
}

// sseLast ends an operation: a result with the errors, if there are some, and the end.
func sseLast(id string, errs gqlerror.List) []byte {
	end := sseComplete(id)
	if len(errs) == 0 {
		return end
	}
	payload, err := (&answer{errors: errs}).encode()
	if err != nil {
		return end // can't be: their extensions are ours
	}
	return append(sseNext(id, bytes.TrimRight(payload, "\n"), ""), end...)
}
