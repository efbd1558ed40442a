package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"erpgraph/internal/event"
	"erpgraph/internal/webhook"
)

// The kind of an event follows from one body alone, whatever came before.
func TestKinds(t *testing.T) {
	t.Parallel()
	const early, late = "2026-11-01 08:00:00.000001", "2026-11-24 22:40:02.467387"
	for _, c := range []struct {
		fired     string
		creation  any
		docstatus int
		want      event.Kind
	}{
		{"after_insert", late, 0, event.Created},
		{"after_insert", late, 1, event.Created},
		{"on_update", late, 0, event.Created},
		{"on_update", late, 1, event.Submitted},
		{"on_update", early, 0, event.Updated},
		{"on_update", nil, 0, event.Updated},
		{"on_update", early, 1, event.Submitted},
		{"on_change", early, 1, event.Updated},
		{"on_change", late, 0, event.Updated},
		{"on_submit", early, 1, event.Submitted},
		{"on_cancel", early, 2, event.Cancelled},
		{"on_trash", early, 0, event.Deleted},
		{"on_trash", late, 2, event.Deleted},
	} {
		body, err := json.Marshal(map[string]any{
			"event": c.fired, "doctype": "Sales Order", "name": "SO-1", "modified": late, "creation": c.creation, "docstatus": c.docstatus,
		})
		if err != nil {
			t.Fatal(err)
		}
		e, err := webhook.Parse(body)
		if err != nil || e.Kind != c.want {
			t.Errorf("%s: %s, %v, want %s", body, e.Kind, err, c.want)
		}
	}
}

// Times have six digits of a second, whatever digits came, so that equal times are equal.
func TestModified(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-24 22:40:02":         "2026-11-24 22:40:02.000000",
		"2026-11-24 22:40:02.5":       "2026-11-24 22:40:02.500000",
		"2026-11-24 22:40:02.467387":  "2026-11-24 22:40:02.467387",
		"0001-01-01 00:00:00":         "0001-01-01 00:00:00.000000",
		"9999-12-31 23:59:59.999999":  "9999-12-31 23:59:59.999999",
		"2026-11-24 22:40:02.":        "",
		"2026-11-24 22:40:02.4673871": "",
		"2026-11-24T22:40:02":         "2026-11-24 22:40:02.000000",
		"2026-11-24 22:40":            "",
		"2026-11-24":                  "",
		"2026-02-30 00:00:00":         "",
		" 2026-11-24 22:40:02":        "",
		"":                            "",
	} {
		e, err := webhook.Parse([]byte(strings.ReplaceAll(body, "2026-11-24 22:40:02.467387", text)))
		if e.Modified != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, e.Modified, err)
		}
	}
}

// Some DocTypes count their documents.
func TestNumberForAName(t *testing.T) {
	t.Parallel()
	e, err := webhook.Parse([]byte(strings.Replace(body, `"ACME"`, "17", 1)))
	if err != nil || e.Name != "17" {
		t.Errorf("%+v, %v", e, err)
	}
}

// No body makes an event that the log can't take.
func FuzzParse(f *testing.F) {
	f.Add([]byte(body))
	f.Add([]byte(`{"event":"on_trash","doctype":"Item","name":5,"modified":"2026-11-24 22:40:02","docstatus":null}`))
	f.Add([]byte(`{"event":"on_update","doctype":"Item","name":"\ud83d\ude00","modified":"2026-11-24 22:40:02","x":{"a":[1,{}]}}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"event":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := webhook.Parse(body)
		if err != nil {
			if e != (event.Event{}) {
				t.Errorf("an event beside %v: %+v", err, e)
			}
			return
		}
		if e.Kind == "" || e.Source != event.Webhook || len(e.Modified) != len("2006-01-02 15:04:05.000000") {
			t.Errorf("%+v", e)
		}
		for _, name := range []string{e.DocType, e.Name} {
			if name == "" || len([]rune(name)) > 140 || strings.ContainsRune(name, 0) || strings.ToValidUTF8(name, "") != name {
				t.Errorf("the name %q", name)
			}
		}
		if !json.Valid(body) {
			t.Errorf("no JSON, and an event: %q", body)
		}
	})
}
