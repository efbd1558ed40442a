package setup_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/internal/setup"
	"erpgraph/internal/simulator"
)

// Options that can't work are refused before the site is called, by their name.
func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*setup.Options)
		option string
	}{
		{"no key", func(o *setup.Options) { o.Credential = frappe.Credential{} }, "ERPNEXT_ADMIN_KEY"},
		{"no public address", func(o *setup.Options) { o.PublicURL = "" }, "PUBLIC_URL"},
		{"no scheme", func(o *setup.Options) { o.PublicURL = "graph.example.com" }, "PUBLIC_URL"},
		{"another scheme", func(o *setup.Options) { o.PublicURL = "ftp://graph.example.com" }, "PUBLIC_URL"},
		{"no host", func(o *setup.Options) { o.PublicURL = "https://:8080" }, "PUBLIC_URL"},
		{"http", func(o *setup.Options) { o.PublicURL = "http://graph.example.com" }, "PUBLIC_URL"},
		{"http, a name that begins like loopback", func(o *setup.Options) { o.PublicURL = "http://localhost.example.com" }, "PUBLIC_URL"},
		{"http, all addresses", func(o *setup.Options) { o.PublicURL = "http://0.0.0.0:8080" }, "PUBLIC_URL"},
		{"a path", func(o *setup.Options) { o.PublicURL = "https://example.com/graph" }, "PUBLIC_URL"},
		{"a query", func(o *setup.Options) { o.PublicURL = "https://example.com?x=1" }, "PUBLIC_URL"},
		{"an empty query", func(o *setup.Options) { o.PublicURL = "https://example.com?" }, "PUBLIC_URL"},
		{"a fragment", func(o *setup.Options) { o.PublicURL = "https://example.com#" }, "PUBLIC_URL"},
		{"a password", func(o *setup.Options) { o.PublicURL = "https://u:p@example.com" }, "PUBLIC_URL"},
		{"upper case", func(o *setup.Options) { o.PublicURL = "https://Graph.example.com" }, "PUBLIC_URL"},
		{"the scheme's own port", func(o *setup.Options) { o.PublicURL = "https://graph.example.com:443" }, "PUBLIC_URL"},
		{"a number for an address", func(o *setup.Options) { o.PublicURL = "http://127.1:8080" }, "PUBLIC_URL"},
		{"not ASCII", func(o *setup.Options) { o.PublicURL = "https://grüße.example.com" }, "PUBLIC_URL"},
		{"a blank", func(o *setup.Options) { o.PublicURL = "https://example.com https://evil.example.com" }, "PUBLIC_URL"},
		{"quotes", func(o *setup.Options) { o.ERPNextURL = "https://example.com/$(id)" }, "ERPNEXT_URL"},
		{"a line end", func(o *setup.Options) { o.SessionKeys = "a\nB=c" }, "SESSION_KEYS"},
		{"no name", func(o *setup.Options) { o.AppName = "" }, "--app-name"},
		{"a name with a line end", func(o *setup.Options) { o.AppName = "a\nb" }, "--app-name"},
		{"a name with blanks around", func(o *setup.Options) { o.AppName = " a" }, "--app-name"},
		{"markup", func(o *setup.Options) { o.AppName = "<b>a" }, "--app-name"},
		{"an empty role", func(o *setup.Options) { o.AllowedRoles = []string{"Sales User", ""} }, "--allowed-role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := setup.Options{
				Credential: credential(t, "boss:x"), ERPNextURL: "https://erp.example.com", PublicURL: public, AppName: "erpgraph",
				EnvFile: filepath.Join(t.TempDir(), "env"), Settings: t.Output(), Messages: t.Output(),
			}
			c.change(&o)
			e, ok := errors.AsType[*setup.OptionError](setup.Run(t.Context(), o)) // a call would need an Upstream
			if !ok || e.Option != c.option {
				t.Errorf("%v, want one about %s", e, c.option)
			}
			if _, err := os.Stat(o.EnvFile); err == nil {
				t.Error("a file was made")
			}
		})
	}
}

// Addresses of the machine itself may be plain http.
func TestLoopback(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://localhost:8080", "http://127.0.0.1:8080", "http://127.1.2.3", "http://[::1]:8080", "https://graph.example.com:8443/"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			o := b.options(t)
			o.PublicURL = address
			b.must(t, o)
			if got := text(b.theClient(t)["redirect_uris"]); got != strings.TrimSuffix(address, "/")+"/auth/callback" {
				t.Errorf("redirect_uris is %q", got)
			}
		})
	}
}

// Only a System Manager's key is of use, and any other is told apart before anything is
// written.
func TestCredential(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for pair, want := range map[string]string{
		"boss:wrong-secret":   "does not accept it",
		"sell:" + salesSecret: `the key of "sales@example.com", who is not a System Manager`,
	} {
		o := b.options(t)
		o.Credential = credential(t, pair)
		for _, remove := range []bool{false, true} {
			o.Remove = remove
			r := b.run(t, o)
			e, ok := errors.AsType[*setup.OptionError](r.err)
			if !ok || e.Option != "ERPNEXT_ADMIN_KEY" || !strings.Contains(e.Message, want) {
				t.Errorf("%s: %v", pair, r.err)
			}
		}
	}
	if writes := b.written(); len(writes) != 0 {
		t.Errorf("writes: %+v", writes)
	}
}

// A site that does not answer, or answers with another address, is told as such.
func TestSiteFails(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.site.SetFault(simulator.Fault{Status: http.StatusInternalServerError})
	if r := b.run0(t); apierror.CodeOf(r.err) != apierror.UpstreamUnavailable || !strings.Contains(r.err.Error(), "who the key belongs to") {
		t.Errorf("%v", r.err)
	}

	redirecting := httptest.NewServer(http.RedirectHandler("https://erp.example.com/", http.StatusMovedPermanently))
	defer redirecting.Close()
	client, err := frappe.New(frappe.Config{BaseURL: redirecting.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	o := b.options(t)
	o.Upstream, o.Settings, o.Messages = client, t.Output(), t.Output()
	e, ok := errors.AsType[*setup.OptionError](setup.Run(t.Context(), o))
	if !ok || e.Option != "ERPNEXT_URL" || !strings.Contains(e.Message, "redirect") {
		t.Errorf("%v", e)
	}
}

// run0 runs setup without asking the site about its secrets, as it does not answer.
func (b *bundle) run0(t *testing.T) result {
	t.Helper()
	o := b.options(t)
	o.Settings, o.Messages = t.Output(), t.Output()
	return result{err: setup.Run(t.Context(), o)}
}
