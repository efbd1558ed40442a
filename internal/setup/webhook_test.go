package setup_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/setup"
)

const (
	hookPath = "/webhooks/erpnext"
	hookURL  = public + hookPath
	hooks    = "ERPNEXT_WEBHOOK_SECRETS"
)

// watching are the options of a run that keeps Webhooks, with a file of settings.
func (b *bundle) watching(t *testing.T) setup.Options {
	t.Helper()
	o := b.options(t)
	o.Webhooks, o.WebhookPath = true, hookPath
	o.EnvFile = envFile(t, "", 0o600)
	o.Watched = []setup.WatchedDocType{{Name: "Customer"}, {Name: "Sales Order", Submittable: true}, {Name: "ToDo"}}
	return o
}

// hook reads a Webhook; its modified is of no interest.
func (b *bundle) hook(t *testing.T, name string) map[string]jsontext.Value {
	t.Helper()
	return b.document(t, "Webhook", name)
}

// A first run makes a Webhook for each event of each DocType, and a second one nothing.
func TestWebhooksCreated(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	r := b.must(t, o)
	want := []string{
		"erpgraph Customer after_insert", "erpgraph Customer on_trash", "erpgraph Customer on_update",
		"erpgraph Sales Order after_insert", "erpgraph Sales Order on_cancel", "erpgraph Sales Order on_change",
		"erpgraph Sales Order on_submit", "erpgraph Sales Order on_trash", "erpgraph Sales Order on_update",
		"erpgraph ToDo after_insert", "erpgraph ToDo on_trash", "erpgraph ToDo on_update",
	}
	if got := b.hookNames(); !slices.Equal(got, want) {
		t.Errorf("the Webhooks %q", got)
	}
	hook := b.hook(t, "erpgraph Sales Order on_change")
	for field, want := range map[string]string{
		"webhook_doctype": "Sales Order", "webhook_docevent": "on_change", "request_url": hookURL,
		"condition": `doc.get("_action") == "update_after_submit"`, "request_method": "POST", "request_structure": "JSON",
		"webhook_secret": strings.Repeat("*", 43),
		"webhook_json": `{"event": "on_change", "doctype": {{ doc.doctype | json }}, "name": {{ doc.name | json }}, ` +
			`"modified": {{ doc.modified | json }}, "creation": {{ doc.creation | json }}, "docstatus": {{ doc.docstatus | int }}}`,
	} {
		if got := text(hook[field]); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	for field, want := range map[string]string{"enabled": "1", "enable_security": "1", "timeout": "5"} {
		if got := string(hook[field]); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	if rows := headerRows(t, hook); len(rows) != 2 || rows["Content-Type"] != "application/json" || len(rows["X-Erpgraph-Secret-Id"]) != 16 {
		t.Errorf("the headers %v", rows)
	}
	if secret := settingOf(t, o.EnvFile, hooks); len(secret) != 43 {
		t.Errorf("the secret has %d characters", len(secret))
	}
	for _, want := range []string{
		`Webhooks to "` + hookURL + `": 12 to be created, 0 to be changed, 0 to be removed`,
		"create for Sales Order: after_insert, on_update, on_submit, on_change, on_cancel, on_trash", "12 written, 0 removed",
	} {
		if !strings.Contains(r.messages, want) {
			t.Errorf("not told %q:\n%s", want, r.messages)
		}
	}
	b.unchanged(t, o)
}

// unchanged runs setup again, which is to find nothing to do, in few calls.
func (b *bundle) unchanged(t *testing.T, o setup.Options) {
	t.Helper()
	before, _ := read(t, o.EnvFile)
	b.written()
	b.site.ResetCalls()
	r := b.must(t, o)
	if writes := b.written(); len(writes) != 0 {
		t.Errorf("the second run writes: %+v", writes)
	}
	if after, _ := read(t, o.EnvFile); after != before {
		t.Errorf("the second run changes the file:\n%s", after)
	}
	if n := strings.Count(r.messages, "nothing to change"); n != 3 {
		t.Errorf("told:\n%s", r.messages)
	}
	// Who it is, the client, the Webhooks, their headers; and what this test asks itself.
	if n := len(b.site.Calls()); n > 9 {
		t.Errorf("%d calls", n)
	}
}

func (b *bundle) hookNames() []string {
	names := b.site.Names("Webhook")
	slices.Sort(names)
	return names
}

func headerRows(t *testing.T, hook map[string]jsontext.Value) map[string]string {
	t.Helper()
	var rows []struct{ Key, Value string }
	if err := json.Unmarshal(hook["webhook_headers"], &rows); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, row := range rows {
		all[row.Key] = row.Value
	}
	return all
}

// A Single is neither inserted nor deleted.
func TestWebhookOfASingle(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	o.Watched = []setup.WatchedDocType{{Name: "Customer", Single: true}}
	b.must(t, o)
	if got := b.hookNames(); !slices.Equal(got, []string{"erpgraph Customer on_update"}) {
		t.Errorf("%q", got)
	}
}

// A dry run shows the plan and does nothing.
func TestWebhooksDryRun(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	o.DryRun = true
	r := b.must(t, o)
	if len(b.written()) != 0 || len(b.hookNames()) != 0 {
		t.Error("it wrote")
	}
	for _, want := range []string{"12 to be created", "would set", hooks, "nothing was written"} {
		if !strings.Contains(r.messages, want) {
			t.Errorf("not told %q:\n%s", want, r.messages)
		}
	}
	if content, _ := read(t, o.EnvFile); content != "" {
		t.Errorf("the file:\n%s", content)
	}
}

// What somebody changed at a Webhook is put right; what is theirs is left.
func TestWebhooksPutRight(t *testing.T) {
	t.Parallel()
	const name = "erpgraph Customer on_update"
	for field, value := range map[string]any{
		"enabled": 0, "request_url": "https://elsewhere.example.com/hook", "request_method": "PUT", "timeout": 60,
		"webhook_json": `{"name": {{ doc.name | json }}}`, "webhook_secret": "short",
		"condition": `doc.get("_action") == "update_after_submit"`,
		"webhook_headers": []map[string]any{
			{"key": "X-Proxy-Key", "value": "of-the-proxy"}, {"key": "content-type", "value": "text/plain"},
		},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			o := b.watching(t)
			b.must(t, o)
			before := b.hook(t, name)
			if _, err := b.client.Update(t.Context(), o.Credential, "Webhook", name, map[string]any{field: value, "background_jobs_queue": "long"}); err != nil {
				t.Fatal(err)
			}
			b.written()
			r := b.must(t, o)
			if writes := b.written(); len(writes) != 1 {
				t.Errorf("writes: %+v", writes)
			}
			if strings.Contains(r.messages, "of-the-proxy") || !strings.Contains(r.messages, field) {
				t.Errorf("told:\n%s", r.messages)
			}
			after := b.hook(t, name)
			if rows := headerRows(t, after); field == "webhook_headers" && rows["X-Proxy-Key"] != "of-the-proxy" {
				t.Errorf("the headers %v", rows)
			}
			if text(after["background_jobs_queue"]) != "long" {
				t.Error("the queue was changed")
			}
			for _, f := range []string{"enabled", "request_url", "request_method", "timeout", "webhook_json", "webhook_secret", "condition"} {
				if string(after[f]) != string(before[f]) {
					t.Errorf("%s is %s, was %s", f, after[f], before[f])
				}
			}
			b.unchanged(t, o)
		})
	}
}

// Webhooks that nothing needs go, but never those of others.
func TestWebhooksNoLongerWanted(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	b.must(t, o)
	for name, url := range map[string]string{
		"erpgraph Item on_update": "https://other.example.com/hook", // our name, their address
		"theirs":                  hookURL,
		"erpgraph2 Item on_trash": hookURL,
	} {
		b.insertHook(t, name, "Item", "on_update", url)
	}
	o.Watched = o.Watched[:1]
	r := b.must(t, o)
	want := []string{
		"erpgraph Customer after_insert", "erpgraph Customer on_trash", "erpgraph Customer on_update", "erpgraph Item on_update",
		"erpgraph2 Item on_trash", "theirs",
	}
	if got := b.hookNames(); !slices.Equal(got, want) {
		t.Errorf("left are %q\n%s", got, r.messages)
	}
	for _, want := range []string{"9 to be removed", `"erpgraph ToDo on_trash", `, `left alone`, `"erpgraph Item on_update"`} {
		if !strings.Contains(r.messages, want) {
			t.Errorf("not told %q:\n%s", want, r.messages)
		}
	}
	b.unchanged(t, o)
}

func (b *bundle) insertHook(t *testing.T, name, doctype, event, url string) {
	t.Helper()
	_, err := b.client.Insert(t.Context(), credential(t, "boss:"+adminSecret), "Webhook", map[string]any{
		"name": name, "webhook_doctype": doctype, "webhook_docevent": event, "request_url": url,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// All is taken back, without an address, and others' Webhooks stay.
func TestWebhooksRemoved(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	o.WebhookURL = "http://erpgraph:8080" + hookPath
	b.must(t, o)
	b.insertHook(t, "theirs", "Item", "on_update", o.WebhookURL)
	o.Remove, o.PublicURL, o.WebhookURL, o.Watched = true, "", "", nil
	o.DryRun = true
	r := b.must(t, o)
	if len(b.hookNames()) != 13 || !strings.Contains(r.messages, "12 to be removed") {
		t.Errorf("the dry run left %q:\n%s", b.hookNames(), r.messages)
	}
	o.DryRun = false
	b.must(t, o)
	if got := b.hookNames(); !slices.Equal(got, []string{"theirs"}) {
		t.Errorf("left are %q", got)
	}
	if content, _ := read(t, o.EnvFile); setting(content, hooks) != "" || setting(content, "SESSION_KEYS") == "" {
		t.Errorf("the file:\n%s", content)
	}
}

// A Webhook that the site refuses does not keep others from being made.
func TestOneWebhookRefused(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	o.Watched = append([]setup.WatchedDocType{{Name: "Customer Group", Submittable: true}}, o.Watched...)
	r := b.run(t, o)
	if r.err == nil || !strings.Contains(r.err.Error(), "erpgraph Customer Group on_submit") {
		t.Errorf("%v", r.err)
	}
	if got := len(b.hookNames()); got != 16 { // all but on_submit and on_cancel of the group
		t.Errorf("%d are there: %q", got, b.hookNames())
	}
}

// An address that means this machine is of no use to a site on another.
func TestWebhookAddresses(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	o.PublicURL, o.ERPNextURL = "http://localhost:8080", "https://erp.example.com"
	r := b.must(t, o)
	if len(b.hookNames()) != 0 || !strings.Contains(r.messages, "Webhooks: left out") {
		t.Errorf("told:\n%s", r.messages)
	}
	for _, bad := range []string{
		"erpgraph:8080", "ftp://erpgraph/x", "http://user:pw@erpgraph/x", "http://erpgraph:8080", "http://erpgraph:8080/", "http:///x",
		"http://erpgraph/x?y", "http://erpgraph/x#y", "http://erpgraph/{{ doc.name }}",
	} {
		o.WebhookURL = bad
		if r := b.run(t, o); !isOption(r.err, "--webhook-url") {
			t.Errorf("%s: %v", bad, r.err)
		}
	}
	o.WebhookURL = "http://erpgraph:8080" + hookPath
	b.must(t, o)
	if got := text(b.hook(t, "erpgraph ToDo on_trash")["request_url"]); got != o.WebhookURL {
		t.Errorf("sends to %q", got)
	}
	o.AppName = strings.Repeat("x", 130)
	if r := b.run(t, o); !isOption(r.err, "--app-name") {
		t.Errorf("a long name: %v", r.err)
	}
}

// Hundreds of Webhooks take a moment, and it is told how far they are.
func TestWebhookProgress(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	o.Watched = nil
	for _, name := range []string{"Sales Order", "Sales Invoice", "Purchase Order", "Delivery Note", "Quotation"} {
		o.Watched = append(o.Watched, setup.WatchedDocType{Name: name, Submittable: true})
	}
	r := b.must(t, o)
	if want := fmt.Sprintf("  %d of %d Webhooks\n", 25, 30); !strings.Contains(r.messages, want) {
		t.Errorf("told:\n%s", r.messages)
	}
}
