package httpapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzEvent holds that an event is one block of a stream whatever its parts are, and that
// nothing of them becomes a field of its own.
func FuzzEvent(f *testing.F) {
	f.Add("", `{"data":{"a":1}}`, "e1-42")
	f.Add("1", "{\n\"data\":\r\n{\"a\":\"x\\ny\"}}", "")
	f.Add("a\ndata: b\n\nevent: complete", `null`, "x\nretry: 1")
	f.Add("\u2028\"", `{"a":"\u2028"}`, strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, id, payload, place string) {
		if !json.Valid([]byte(payload)) {
			return
		}
		if !isCursor(place) {
			place = ""
		}
		for _, event := range [][]byte{sseNext(id, []byte(payload), place), sseComplete(id)} {
			block, ok := strings.CutSuffix(string(event), "\n\n")
			if !ok || strings.ContainsAny(block, "\r") || strings.Contains(block, "\n\n") {
				t.Fatalf("%q is not one block", event)
			}
			checkFields(t, strings.Split(block, "\n"), id, payload, place)
		}
	})
}

func checkFields(t *testing.T, lines []string, id, payload, place string) {
	t.Helper()
	name, next := strings.CutPrefix(lines[0], "event: ")
	data, ok := strings.CutPrefix(lines[len(lines)-1], "data: ")
	if !next || !ok {
		t.Fatalf("%q", lines)
	}
	switch {
	case name == "next" && place != "":
		if len(lines) != 3 || lines[1] != "id: "+place {
			t.Fatalf("%q, want the id %q", lines, place)
		}
	case len(lines) != 2:
		t.Fatalf("%q", lines)
	}
	if id != "" {
		var wrapped struct{ Payload json.RawMessage }
		if err := json.Unmarshal([]byte(data), &wrapped); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		data = string(wrapped.Payload)
	}
	if name == "complete" {
		if data != "" {
			t.Fatalf("data %q", data)
		}
		return
	}
	var got, want bytes.Buffer
	if json.Compact(&got, []byte(data)) != nil || json.Compact(&want, []byte(payload)) != nil || got.String() != want.String() {
		t.Fatalf("%q became %q", payload, data)
	}
}
