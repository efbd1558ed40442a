package trail_test

import (
	"context"
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/catchup/trail"
	"erpgraph/internal/catchup/trail/trailtest"
	"erpgraph/internal/frappe"
)

func TestParseRename(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		content, from, to string
	}{
		"renamed":     {"renamed from <strong>TKT-2026-00324</strong> to <strong>TKT-RENAMED-1</strong>", "TKT-2026-00324", "TKT-RENAMED-1"},
		"merged":      {"merged <strong>A &amp; B</strong> into <strong>C</strong>", "A & B", "C"},
		"translated":  {"<strong>A</strong> नाम बदलकर <strong>Ünal</strong>", "A", "Ünal"},
		"older":       {"renamed from <b>A</b> to <b>B</b>", "A", "B"},
		"quotes":      {"renamed from <strong>5\" &#39;x&#39;</strong> to <strong>B</strong>", `5" 'x'`, "B"},
		"one name":    {"renamed from <strong>A</strong>", "", ""},
		"three names": {"<strong>A</strong><strong>B</strong><strong>C</strong>", "", ""},
		"nested":      {"<strong><b>A</b></strong> to <strong>B</strong>", "", ""},
		"not closed":  {"<strong>A to <strong>B</strong>", "", ""},
		"an empty":    {"<strong></strong> to <strong>B</strong>", "", ""},
		"the same":    {"<strong>A</strong> to <strong>A</strong>", "", ""},
		"attributes":  {`<strong class="x">A</strong> to <strong>B</strong>`, "", ""},
		"plain text":  {"restored A as B", "", ""},
		"nothing":     {"", "", ""},
		"too long":    {"<strong>A</strong><strong>B</strong>" + strings.Repeat("x", 9000), "", ""},
	}
	for name, test := range tests {
		from, to, ok := trail.ParseRename(test.content)
		if from != test.from || to != test.to || ok != (test.from != "") {
			t.Errorf("%s: %q %q %v", name, from, to, ok)
		}
	}
}

func FuzzParseRename(f *testing.F) {
	f.Add("renamed from <strong>A &amp; B</strong> to <strong>C</strong>")
	f.Add("<b>A</b><strong>B</b></strong>")
	f.Fuzz(func(t *testing.T, content string) {
		from, to, ok := trail.ParseRename(content)
		if ok == (from == "" || to == "" || from == to) {
			t.Errorf("%q: %q %q %v", content, from, to, ok)
		}
		if !ok {
			return
		}
		again := fmt.Sprintf("x <strong>%s</strong> y <strong>%s</strong>", html.EscapeString(from), html.EscapeString(to))
		if a, b, ok := trail.ParseRename(again); len(again) < 8<<10 && (!ok || a != from || b != to) {
			t.Errorf("%q: %q %q %v", again, a, b, ok)
		}
	})
}

func TestStamp(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-24 22:18:24.830729": "2026-11-24 22:18:24.830729",
		"2026-11-24 22:18:24":        "2026-11-24 22:18:24.000000",
		"2026-11-24":                 "",
		"":                           "",
		"now":                        "",
	} {
		if got, err := trail.Stamp(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A list that always answers the same would be read for ever.
func TestRowsGoForward(t *testing.T) {
	t.Parallel()
	cells := []jsontext.Value{jsontext.Value(`"2026-11-24 12:00:00"`), jsontext.Value(`"A"`)}
	table := &frappe.Table{}
	for range trail.PageSize {
		table.Rows = append(table.Rows, cells)
	}
	site := trail.Site{Upstream: stuck{table}}
	pages := 0
	err := site.Rows(t.Context(), trail.Walk{DocType: "Customer", Key: "modified"}, func([]trail.Row) error { pages++; return nil })
	if err == nil || pages > 2 {
		t.Errorf("%d pages, %v", pages, err)
	}
}

type stuck struct{ table *frappe.Table }

func (s stuck) List(context.Context, frappe.Credential, frappe.ListQuery) (*frappe.Table, error) {
	return s.table, nil
}

func (s stuck) Document(context.Context, frappe.Credential, string, string) (map[string]jsontext.Value, error) {
	return nil, apierror.New(apierror.NotFound, "no")
}

func TestRenamesOf(t *testing.T) {
	t.Parallel()
	erp := trailtest.New(noon)
	erp.Insert("Customer", "A", "B & C", "Old 100%", "There", "Deleted")
	erp.Rename("Customer", "A", "A2")
	erp.Rename("Customer", "A2", "A3")
	erp.Merge("Customer", "B & C", "There")
	erp.Rename("Customer", "Old 100%", "New")
	erp.Delete("Customer", "Deleted", trailtest.User)
	erp.Pass(24 * time.Hour)
	erp.Claim("Customer", "Deleted", "There", "eve@example.com")
	site := trail.Site{Upstream: erp}
	for name, want := range map[string]string{
		"A": "A2", "A2": "A3", "B & C": "There", "Old 100%": "New", "Deleted": "", "There": "", "Nobody": "",
	} {
		got, err := site.RenamesOf(t.Context(), "Customer", name)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case want == "" && len(got) > 0, want != "" && (len(got) != 1 || got[0].New != want):
			t.Errorf("%s: %+v, want %q", name, got, want)
		}
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	erp := trailtest.New(noon)
	erp.Insert("Customer", "ABC")
	erp.Put("Customer", map[string]string{"name": "Secret", "hidden": "1"})
	site := trail.Site{Upstream: erp}
	for name, want := range map[string]bool{"ABC": false, "abc": true, "Nobody": true, "Secret": false} {
		if got, err := site.Gone(t.Context(), "Customer", name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	erp.Down(apierror.New(apierror.UpstreamUnavailable, "down"))
	if _, err := site.Gone(t.Context(), "Customer", "ABC"); err == nil {
		t.Error("an outage is no answer")
	}
}
