package app_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"erpgraph/internal/app"
	"erpgraph/internal/session"
	"erpgraph/internal/simulator"
)

// `setup` makes the site ready, keeps the settings where nobody else reads them, changes
// nothing when it runs again, and takes all of it back.
func TestSetupCommand(t *testing.T) {
	t.Parallel()
	options, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	site, err := simulator.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(site.Handler())
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "erpgraph.env")
	run := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, messages bytes.Buffer
		args = append([]string{"setup", "--erpnext-url", server.URL, "--public-url", "https://graph.example.com", "--write-env", file}, args...)
		if code := app.Main(t.Context(), args, &out, &messages); code != want {
			t.Fatalf("%v: exit code %d:\n%s", args, code, messages.String())
		}
		return out.String(), messages.String()
	}
	clients := len(site.Names("OAuth Client"))

	for name, c := range map[string]struct{ flag, value, setting string }{
		"a malformed admin key":     {"--admin-key", "nonsense", "ERPNEXT_ADMIN_KEY"},
		"upper case":                {"--public-url", "https://Graph.example.com", "PUBLIC_URL"},
		"the scheme's own port":     {"--public-url", "https://graph.example.com:443", "PUBLIC_URL"},
		"a path":                    {"--public-url", "https://graph.example.com/graph", "PUBLIC_URL"},
		"an address without path":   {"--webhook-url", "http://erpgraph:8080", "--webhook-url"},
		"an empty webhook secret":   {"--erpnext-webhook-secrets", "a,", "ERPNEXT_WEBHOOK_SECRETS"},
		"bad session key":           {"--session-keys", "c2hvcnQ=", "SESSION_KEYS"},
		"a session key, not base64": {"--session-keys", "$(id)", "SESSION_KEYS"},
	} {
		if _, told := run(2, "--admin-key", "admin:demo", c.flag, c.value); !strings.Contains(told, c.setting) || c.setting == "SESSION_KEYS" && strings.Contains(told, c.value) {
			t.Errorf("%s: %s", name, told)
		}
	}
	if _, told := run(0, "--admin-key", "admin:demo", "--dry-run"); !strings.Contains(told, `redirect_uris: "https://graph.example.com`+session.CallbackPath+`"`) {
		t.Errorf("--dry-run told:\n%s", told)
	}
	if _, err := os.Stat(file); err == nil || len(site.Names("OAuth Client")) != clients || len(site.Names("Webhook")) != 0 {
		t.Error("--dry-run changed something")
	}
	_, told := run(0, "--admin-key", "admin:demo")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file of settings: %v, %v\n%s", info, err, told)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ERPNEXT_URL=", "PUBLIC_URL=", "ERPNEXT_OAUTH_CLIENT_ID=", "ERPNEXT_OAUTH_CLIENT_SECRET=", "SESSION_KEYS=", "ERPNEXT_WEBHOOK_SECRETS="} {
		if !strings.Contains(string(first), name) {
			t.Errorf("the file lacks %s", name)
		}
	}
	if names := site.Names("Webhook"); !slices.Contains(names, "erpgraph Sales Order on_change") || len(names) < 60 {
		t.Errorf("%d Webhooks: %q", len(names), names)
	}
	site.ResetCalls()
	_, told = run(0, "--admin-key", "admin:demo")
	second, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the second run changed the file: %v", err)
	}
	for _, c := range site.Calls() {
		if c.Method != "GET" && !strings.HasSuffix(c.Path, ".get_list") {
			t.Errorf("the second run wrote: %s %s", c.Method, c.Path)
		}
	}
	for _, secret := range site.Secrets() {
		if len(secret) >= 8 && strings.Contains(told, secret) {
			t.Error("a secret was told")
		}
	}
	run(0, "--admin-key", "admin:demo", "--remove")
	if n := len(site.Names("OAuth Client")); n != clients {
		t.Errorf("%d clients are left, want %d", n, clients)
	}
	if names := site.Names("Webhook"); len(names) != 0 {
		t.Errorf("the Webhooks %q are left", names)
	}
}
