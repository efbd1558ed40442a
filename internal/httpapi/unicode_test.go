package httpapi_test

import (
	"net/http"
	"net/url"
	"testing"
)

// TestHalfACharacter: an escape of half a character is refused wherever it comes from, and
// the whole ones are not.
func TestHalfACharacter(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for name, c := range map[string]struct {
		call
		data string // what it gives, "" where it is refused
	}{
		"variable":          {call{body: `{"query":"query($t: String) { echo(text: $t) }","variables":{"t":"x \ud83d x"}}`}, ""},
		"variable's name":   {call{body: `{"query":"{ a }","variables":{"\udc00":1}}`}, ""},
		"deep in a scalar":  {call{body: `{"query":"query($j: JSON) { echo(any: $j) }","variables":{"j":[{"a":{"\ude00\ud83d":1}}]}}`}, ""},
		"extensions":        {call{body: `{"query":"{ a }","extensions":{"a":"\ud800"}}`}, ""},
		"of no parameter":   {call{body: `{"query":"{ a }","other":"\ud800"}`}, ""},
		"operationName":     {call{body: `{"query":"{ a }","operationName":"\ud800"}`}, ""},
		"JSON of the query": {call{body: `{"query":"{ echo(text: \"\ud83d\") }"}`}, ""},
		"literal":           {call{body: `{"query":"{ echo(text: \"\\ud83d\") }"}`}, ""},
		"literal, reversed": {call{body: `{"query":"{ echo(text: \"\\ude00\\ud83d\") }"}`}, ""},
		"literal in a list": {call{body: `{"query":"{ echo(any: [{ a: \"\\udfff\" }]) }"}`}, ""},
		"default":           {call{body: `{"query":"query($t: String = \"\\ud83d\") { echo(text: $t) }"}`}, ""},
		"directive":         {call{body: `{"query":"mutation { change @idempotent(key: \"\\ud83d\") }"}`}, ""},
		"braces":            {call{body: `{"query":"{ echo(text: \"\\u{d83d}\") }"}`}, ""},
		"GET variables":     {call{method: http.MethodGet, path: "/graphql?" + url.Values{"query": {`query($t: String) { echo(text: $t) }`}, "variables": {`{"t":"\ud83d"}`}}.Encode()}, ""},
		"GET extensions":    {call{method: http.MethodGet, path: "/graphql?" + url.Values{"query": {`{ a }`}, "extensions": {`{"t":"\ud83d"}`}}.Encode()}, ""},
		"GET literal":       {call{method: http.MethodGet, path: "/graphql?" + url.Values{"query": {`{ echo(text: "\ud83d") }`}}.Encode()}, ""},
		"form, operations":  {call{body: formOf(t, part{name: "operations", content: `{"query":"{ a }","variables":{"a":"\ud800"}}`}, mapOf(`{}`)), header: uploadHeader("north")}, ""},
		"form, map":         {call{body: formOf(t, operations(t, storeFile, nil), mapOf(`{"\ud800":["variables.file"]}`)), header: uploadHeader("north")}, ""},

		"a pair":            {call{body: `{"query":"query($t: String) { echo(text: $t) }","variables":{"t":"\ud83d\ude00"}}`}, `{"echo":"😀"}`},
		"a literal pair":    {call{body: `{"query":"{ echo(text: \"\\ud83d\\ude00\") }"}`}, `{"echo":"😀"}`},
		"an escaped escape": {call{body: `{"query":"query($t: String) { echo(text: $t) }","variables":{"t":"\\ud83d"}}`}, `{"echo":"\\ud83d"}`},
		"block string":      {call{body: `{"query":"{ echo(text: \"\"\"\\ud83d\"\"\") }"}`}, `{"echo":"\\ud83d"}`},
		"comment":           {call{body: `{"query":"{ # \"\\ud83d\"\n echo(text: \"\\u00fc\") }"}`}, `{"echo":"ü"}`},
		"U+FFFD itself":     {call{body: `{"query":"{ echo(text: \"\\ufffd\") }"}`}, `{"echo":"` + "\ufffd" + `"}`},
		"GET pair":          {call{method: http.MethodGet, path: "/graphql?" + url.Values{"query": {`query($t: String) { echo(text: $t) }`}, "variables": {`{"t":"\uD83D\uDE00"}`}}.Encode()}, `{"echo":"😀"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := b.do(t, c.call)
			if c.data != "" {
				if string(got.has["data"]) != c.data || len(got.errors) > 0 {
					t.Errorf("%s", got.body)
				}
				return
			}
			part := "not valid Unicode"
			if name == "braces" {
				part = "Unexpected" // to the parser
			}
			got.wantError(t, "BAD_USER_INPUT", part)
			if got.has["data"] != nil {
				t.Errorf("executed: %s", got.body)
			}
		})
	}
}

// TestHalfACharacterIsFound: the error about a document says where.
func TestHalfACharacterIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	got := b.query(t, "{ # ü\r\n a: echo(text: \"\"\"ü\n\n\"\"\")\r b: echo(text: \"ü\\n\\ud83d\") }", nil)
	got.wantError(t, "BAD_USER_INPUT", `\ud83d`)
	if at := got.errors[0].Locations; len(at) != 1 || at[0]["line"] != 5 || at[0]["column"] != 20 {
		t.Errorf("%v", at)
	}
}

// TestHalfACharacterOnSockets: half a character in an operation is that operation's fault;
// elsewhere the message is none.
func TestHalfACharacterOnSockets(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	client := b.connect(t, "")
	client.send(`{"id":"1","type":"subscribe","payload":{"query":"query($t: String) { echo(text: $t) }","variables":{"t":"\ud83d"}}}`)
	client.wantError("1", "BAD_USER_INPUT", "not valid Unicode")
	client.subscribe("1", `{ echo(text: "\ud83d") }`)
	client.wantError("1", "BAD_USER_INPUT", "not valid Unicode")
	client.subscribe("1", `{ echo(text: "\ud83d\ude00") }`)
	client.want(`{"id":"1","type":"next","payload":{"data":{"echo":"😀"}}}`)
	client.want(`{"id":"1","type":"complete"}`)
	client.stillOpen()
	for _, c := range []struct{ message, reason string }{
		{`{"id":"\ud800","type":"complete"}`, `"id" is not valid Unicode`},
		{`{"id":"\ud800","type":"subscribe","payload":{"query":"{ a }"}}`, `"id" is not valid Unicode`},
		{`{"type":"ping","payload":{"x":"\ud800"}}`, `"payload" is not valid Unicode`},
		{`{"type":"connection_init","payload":{"authorization":"\ud800"}}`, `"payload" is not valid Unicode`},
	} {
		client := b.connect(t, "")
		client.send(c.message)
		client.wantClosed(4400, c.reason)
	}
}
