package write_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/write"
)

func TestErrorsNameTheField(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	name := newTicket(t, w, sales)
	for what, c := range map[string]struct {
		input string
		field string
		code  apierror.Code
	}{
		"a link of the document": {`{"customer": "No Such"}`, "input.customer", apierror.Validation},
		"a link of a row":        {`{"lines": [{"item": "ITEM-00010"}, {"item": "NO-SUCH"}]}`, "input.lines.1.item", apierror.Validation},
		"mandatory":              {`{"subject": null}`, "input.subject", apierror.Validation},
		"set once":               {`{"setOnce": "again"}`, "input.setOnce", apierror.BadUserInput}, // not in the input at all
		"phone":                  {`{"phone": "12"}`, "input.phone", apierror.Validation},
	} {
		_, err := w.as(sales, "").Update(ctx, ticket, name, decode(t, c.input), write.Options{Path: "input"})
		e, ok := apierror.As(err)
		if !ok || e.Code != c.code || e.Field != c.field {
			t.Errorf("%s: %+v", what, err)
		}
		if ok && strings.Contains(e.Message, "<") {
			t.Errorf("%s: HTML in %q", what, e.Message)
		}
	}
	_, err := w.as("nobody@example.com", "").Update(ctx, ticket, name, write.Input{"subject": "x"}, write.Options{})
	wantCode(t, err, apierror.Forbidden)
	_, err = w.as(sales, "").Update(ctx, ticket, "NO-SUCH", write.Input{"subject": "x"}, write.Options{})
	wantCode(t, err, apierror.NotFound)
	_, err = w.as(manager, "").Delete(ctx, w.typ("Customer"), "Semi;Colon")
	wantCode(t, err, apierror.Forbidden)
}

func TestRename(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	one, two := newTicket(t, w, manager), newTicket(t, w, manager)
	if r := w.must(w.as(manager, "").Rename(ctx, ticket, one, "TKT-X", false)); r.Name != "TKT-X" {
		t.Errorf("%+v", r)
	}
	_, err := w.as(manager, "").Rename(ctx, ticket, two, "TKT-X", false)
	wantCode(t, err, apierror.Validation)
	w.must(w.as(manager, "").Rename(ctx, ticket, two, "TKT-X", true))
	_, err = w.as(manager, "").Delete(ctx, ticket, two)
	wantCode(t, err, apierror.NotFound)
	for _, to := range []string{"", strings.Repeat("x", 141), "a\x00"} {
		_, err := w.as(manager, "").Rename(ctx, ticket, "TKT-X", to, false)
		wantCode(t, err, apierror.BadUserInput)
	}
	_, err = w.as(manager, "").Rename(ctx, w.typ("Sales Order"), "SAL-ORD-2026-00001", "x", false)
	wantCode(t, err, apierror.Forbidden) // the graph has no such mutation
}

func TestSingle(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	single := w.typ("Site Note Settings")
	f := writableText(t, single)
	if err := w.site.Insert(single.Key, map[string]any{"name": single.Key, "modified": "2026-01-02 03:04:05"}); err != nil {
		t.Fatal(err)
	}
	before := w.rfc(w.read(single.Key, single.Key)["modified"])
	long := strings.Repeat("x", 200) // there is no such bound in a single DocType
	w.must(w.as("Administrator", "k").Update(t.Context(), single, "", write.Input{f.Name: long}, write.Options{IfModified: before}))
	if got := text(w.read(single.Key, single.Key)[f.Column]); got != long {
		t.Errorf("%s is %q", f.Column, got)
	}
	_, err := w.as("Administrator", "k2").Update(t.Context(), single, "", write.Input{f.Name: "y"}, write.Options{IfModified: "2026-01-02T03:04:05Z"})
	wantCode(t, err, apierror.Conflict)
	_, err = w.as("Administrator", "").Delete(t.Context(), single, single.Key)
	wantCode(t, err, apierror.Forbidden)
}

func writableText(tb testing.TB, t *doctype.Type) *doctype.Field {
	tb.Helper()
	for _, f := range t.Fields {
		if f.Kind == doctype.String && f.Update != doctype.Absent {
			return f
		}
	}
	tb.Fatalf("%s has no text", t.Key)
	return nil
}

func TestUpload(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	name := newTicket(t, w, sales)
	content := []byte("skipped|a file")
	up := func(key string) (*write.Result, error) {
		r := bytes.NewReader(content)
		if _, err := r.Seek(8, 0); err != nil { // the content need not begin at the start
			t.Fatal(err)
		}
		return w.as(sales, key).Upload(t.Context(), write.Upload{Upload: frappe.Upload{
			Filename: "note.txt", Content: r, Size: int64(len(content) - 8), Private: true, DocType: "Service Ticket", DocName: name,
		}})
	}
	first := w.must(up("k"))
	again := w.must(up("k"))
	var file struct {
		Name     string `json:"name"`
		URL      string `json:"file_url"`
		Size     int    `json:"file_size"`
		Private  int    `json:"is_private"`
		FileName string `json:"file_name"`
	}
	for _, r := range []*write.Result{first, again} {
		if err := json.Unmarshal(r.Value, &file); err != nil {
			t.Fatal(err)
		}
		if file.Name != first.Name || !strings.HasPrefix(file.URL, "/private/files/note") || file.Size != 6 || file.Private != 1 {
			t.Errorf("%s", r.Value)
		}
	}
	if w.writes.Load() != 2 { // the ticket and the file
		t.Errorf("%d writes", w.writes.Load())
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	name, m, ctx := newTicket(t, w, sales), comments(), t.Context()
	r := w.must(w.as(sales, "").Call(ctx, m, write.Input{"doctype": "Service Ticket", "name": name, "content": "well done"}))
	doc := w.read("Comment", r.Name)
	if r.Type != w.typ("Comment") || text(doc["comment_email"]) != sales || text(doc["reference_name"]) != name {
		t.Errorf("%+v: %s", r, doc)
	}
	for what, args := range map[string]write.Input{
		"missing":         {"doctype": "Service Ticket", "name": name},
		"unknown":         {"doctype": "Service Ticket", "name": name, "content": "x", "comment_email": "boss@example.com"},
		"filled by us":    {"doctype": "Service Ticket", "name": name, "content": "x", "comment_by": "The Boss"},
		"of another kind": {"doctype": "Service Ticket", "name": name, "content": true},
	} {
		_, err := w.as(sales, "").Call(ctx, m, args)
		if apierror.CodeOf(err) != apierror.BadUserInput {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What can be no docname never reaches ERPNext.
func TestNames(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ctx, customer, order := t.Context(), w.typ("Customer"), w.typ("Sales Order")
	wr := w.as(manager, "")
	attach := func(up frappe.Upload) error {
		up.Filename, up.Content = "x.txt", strings.NewReader("x")
		_, err := wr.Upload(ctx, write.Upload{Upload: up})
		return err
	}
	for _, bad := range []string{"Semi;Colon\x00", "\xff", strings.Repeat("x", 141)} {
		for what, write := range map[string]func() (*write.Result, error){
			"update":    func() (*write.Result, error) { return wr.Update(ctx, customer, bad, write.Input{}, write.Options{}) },
			"delete":    func() (*write.Result, error) { return wr.Delete(ctx, customer, bad) },
			"rename":    func() (*write.Result, error) { return wr.Rename(ctx, customer, bad, "x", false) },
			"rename to": func() (*write.Result, error) { return wr.Rename(ctx, customer, "Semi;Colon", bad, false) },
			"submit":    func() (*write.Result, error) { return wr.Submit(ctx, order, bad, write.Options{}) },
			"cancel":    func() (*write.Result, error) { return wr.Cancel(ctx, order, bad, write.Options{}) },
			"amend":     func() (*write.Result, error) { return wr.Amend(ctx, order, bad, write.Input{}, write.Options{}) },
			"a doctype": func() (*write.Result, error) { return nil, attach(frappe.Upload{DocType: bad, DocName: "x"}) },
			"a docname": func() (*write.Result, error) { return nil, attach(frappe.Upload{DocType: "Customer", DocName: bad}) },
			"a field": func() (*write.Result, error) {
				return nil, attach(frappe.Upload{DocType: "Customer", DocName: "Semi;Colon", Field: bad})
			},
		} {
			if _, err := write(); apierror.CodeOf(err) != apierror.BadUserInput {
				t.Errorf("%s of %.20q: %v", what, bad, err)
			}
		}
	}
	if n := w.writes.Load(); n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestWorkflow(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, true)
	report, ctx := w.typ("Service Report"), t.Context()
	writes := report.Writes
	writes.Workflow = true
	moved := *report
	moved.Writes = writes
	facts := *report.Facts
	facts.Workflow = "workflow_state"
	moved.Facts = &facts
	w.reg = doctype.NewRegistry([]*doctype.Type{&moved, w.typ("Customer")})
	w.writers = w.newWriters(time.Nanosecond)
	if err := w.site.Insert("Workflow", map[string]any{
		"name": "Reports", "workflow_name": "Reports", "document_type": "Service Report", "is_active": 1, "workflow_state_field": "workflow_state",
		"states": []any{
			map[string]any{"state": "Open", "doc_status": "0", "allow_edit": "Sales Manager"},
			map[string]any{"state": "Checked", "doc_status": "0", "allow_edit": "Sales Manager"},
		},
		"transitions": []any{map[string]any{"state": "Open", "action": "Check", "next_state": "Checked", "allowed": "Sales Manager", "allow_self_approval": 1}},
	}); err != nil {
		t.Fatal(err)
	}
	name := "REP-1"
	if err := w.site.Insert("Service Report", map[string]any{"name": name, "workflow_state": "Open", "docstatus": 0}); err != nil {
		t.Fatal(err)
	}
	old := w.rfc(w.read("Service Report", name)["modified"])
	_, err := w.as(manager, "").ApplyWorkflow(ctx, &moved, name, "Nonsense", write.Options{})
	wantCode(t, err, apierror.Validation)
	_, err = w.as(manager, "").ApplyWorkflow(ctx, &moved, name, "Check", write.Options{IfModified: "2020-01-01T00:00:00Z"})
	wantCode(t, err, apierror.Conflict)
	w.lose.Store(1)
	_, err = w.as(manager, "k").ApplyWorkflow(ctx, &moved, name, "Check", write.Options{IfModified: old})
	if !write.Uncertain(err) {
		t.Fatal(err)
	}
	if r := w.must(w.as(manager, "k").ApplyWorkflow(ctx, &moved, name, "Check", write.Options{IfModified: old})); !r.Replayed {
		t.Errorf("%+v", r)
	}
	if got := text(w.read("Service Report", name)["workflow_state"]); got != "Checked" {
		t.Errorf("state %q", got)
	}
}

// TestRefusedCredential is heard by the set: what it reads afterwards is refused as well.
func TestRefusedCredential(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	wr := w.as(sales, "")
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	if _, err := wr.Set().Caller(ctx); err != nil {
		t.Fatal(err)
	}
	name := newTicket(t, w, sales)
	w.before = func(r *http.Request) { r.Header.Set("Authorization", "token 4a1c0f5be2d1101:wrong") }
	_, err := wr.Update(ctx, ticket, name, write.Input{"subject": "x"}, write.Options{})
	wantCode(t, err, apierror.Unauthenticated)
	if _, err := wr.Set().Caller(ctx); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("the set still knows the caller: %v", err)
	}
}
