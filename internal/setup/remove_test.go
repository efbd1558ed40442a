package setup_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/setup"
	"erpgraph/internal/simulator"
)

// signIn leaves tokens and a code of the client on the site, as sign-ins do.
func (b *bundle) signIn(t *testing.T, client string, n int) {
	t.Helper()
	for i := range n {
		for doctype, doc := range map[string]map[string]any{
			"OAuth Bearer Token": {
				"name": fmt.Sprintf("access-%s-%d", client, i), "access_token": fmt.Sprintf("access-%s-%d", client, i),
				"refresh_token": fmt.Sprintf("refresh-%s-%d", client, i), "status": "Active",
			},
			"OAuth Authorization Code": {"name": fmt.Sprintf("code-%s-%d", client, i), "validity": "Invalid"},
		} {
			doc["client"], doc["user"] = client, "sales@example.com"
			if err := b.site.Insert(doctype, doc); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Removing takes the client, its tokens and its settings back, and nothing else.
func TestRemove(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	if err := b.site.AddClient(simulator.OAuthClient{ID: "other", Name: "another app", RedirectURI: "https://x.example.com", Scopes: "all"}); err != nil {
		t.Fatal(err)
	}
	o := b.options(t)
	o.EnvFile = envFile(t, "# mine\nOTHER=1\n", 0o600)
	b.must(t, o)
	keys := settingOf(t, o.EnvFile, "SESSION_KEYS")
	b.signIn(t, text(b.theClient(t)["name"]), 3)
	b.signIn(t, "other", 2)

	o.Remove, o.PublicURL = true, ""
	r := b.must(t, o)
	if !strings.Contains(r.messages, "removed, with 3 of OAuth Bearer Token, 3 of OAuth Authorization Code") {
		t.Errorf("told:\n%s", r.messages)
	}
	if got := b.clients(t, "erpgraph"); len(got) != 0 {
		t.Errorf("still there: %q", got)
	}
	if n, m := len(b.site.Names("OAuth Bearer Token")), len(b.site.Names("OAuth Authorization Code")); n != 2 || m != 2 {
		t.Errorf("of the other app %d tokens and %d codes are left", n, m)
	}
	content, mode := read(t, o.EnvFile)
	want := "# mine\nOTHER=1\nERPNEXT_URL=" + b.url + "\nPUBLIC_URL=" + public + "\nSESSION_KEYS=" + keys + "\n"
	if content != want || mode != 0o600 {
		t.Errorf("the file (%o):\n%s", mode, content)
	}

	b.written()
	r = b.must(t, o)
	if writes := b.written(); len(writes) != 0 || !strings.Contains(r.messages, "not there") || !strings.Contains(r.messages, "nothing to change") {
		t.Errorf("a second time: %+v\n%s", writes, r.messages)
	}
	o.Remove, o.PublicURL = false, public
	b.must(t, o)
	if settingOf(t, o.EnvFile, "SESSION_KEYS") != keys || settingOf(t, o.EnvFile, "ERPNEXT_OAUTH_CLIENT_ID") != text(b.theClient(t)["name"]) {
		t.Error("set up again, the file does not fit")
	}
}

func settingOf(t *testing.T, path, name string) string {
	t.Helper()
	content, _ := read(t, path)
	return setting(content, name)
}

// Settings of another client or another site are in use, and stay.
func TestRemoveKeepsForeignSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file func(b *bundle, id string) string
		kept bool
	}{
		"another client of the site": {func(*bundle, string) string { return "ERPNEXT_OAUTH_CLIENT_ID=erpgraph-demo\n" }, true},
		"another site": {func(*bundle, string) string {
			return "ERPNEXT_URL=https://erp.example.com\nERPNEXT_OAUTH_CLIENT_ID=abc\n"
		}, true},
		"a client that is gone": {func(*bundle, string) string { return "ERPNEXT_OAUTH_CLIENT_ID=abc\n" }, false},
		"this one":              {func(_ *bundle, id string) string { return "export ERPNEXT_OAUTH_CLIENT_ID='" + id + "'\n" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			b.must(t, b.options(t))
			o := b.options(t)
			content := c.file(b, text(b.theClient(t)["name"]))
			o.Remove, o.EnvFile = true, envFile(t, content, 0o600)
			r := b.must(t, o)
			after, _ := read(t, o.EnvFile)
			if kept := after == content; kept != c.kept || kept != strings.Contains(r.messages, "left alone") {
				t.Errorf("the file:\n%s\ntold:\n%s", after, r.messages)
			}
		})
	}
}

// A user who signs in meanwhile is signed out too; when they never stop, setup does.
func TestRemoveWhileUsersSignIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		newcomers int
		fails     bool
	}{"one comes": {1, false}, "they keep coming": {100, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			b.must(t, b.options(t))
			id := text(b.theClient(t)["name"])
			b.signIn(t, id, 1)
			left := c.newcomers
			b.beforeWrites(func(w write) {
				if strings.Contains(w.body, `"doctype":"OAuth Client"`) && left > 0 {
					left--
					b.signIn(t, id, 1)
				}
			})
			o := b.options(t)
			o.Remove = true
			r := b.run(t, o)
			if c.fails != errors.Is(r.err, setup.ErrStillLinked) || c.fails != (r.err != nil) {
				t.Errorf("%v", r.err)
			}
			if !c.fails && !strings.Contains(r.messages, "with 2 of OAuth Bearer Token") {
				t.Errorf("told:\n%s", r.messages)
			}
		})
	}
}

// When the site refuses to delete a token, neither its name nor the site's message is
// told: the name is the token.
func TestRemoveTellsNoToken(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.must(t, b.options(t))
	b.signIn(t, text(b.theClient(t)["name"]), 2)
	token := b.site.Names("OAuth Bearer Token")[0]
	b.site.SetFault(simulator.Fault{
		Path: "frappe.client.delete", Status: http.StatusForbidden,
		Body: `{"exc_type":"PermissionError","exception":"frappe.exceptions.PermissionError: not allowed to delete ` + token +
			`","_server_messages":"[\"{\\\"message\\\": \\\"not allowed to delete ` + token + `\\\"}\"]"}`,
	})
	o := b.options(t)
	o.Remove = true
	r := b.run(t, o)
	if apierror.CodeOf(r.err) != apierror.Forbidden || !strings.Contains(r.messages, "not removed, but 0 of OAuth Bearer Token") {
		t.Errorf("%v\n%s", r.err, r.messages)
	}
	for _, w := range b.written() {
		if strings.Contains(w.path, token) {
			t.Errorf("the token stands in an address: %s", w.path)
		}
	}
	b.site.ClearFaults()
	b.must(t, o)
}
