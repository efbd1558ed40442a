package setup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/frappe"
	"erpgraph/internal/setup"
	"erpgraph/internal/simulator"
)

const (
	public   = "https://graph.example.com"
	callback = public + callbackPath
	// callbackPath is that of the app.
	callbackPath = "/auth/callback"
	// The administrator's key, and that of somebody who may do little.
	adminSecret = "boss-secret-0123"
	salesSecret = "sell-secret-4567"
)

// write is a call that may change something on the site.
type write struct{ method, path, body string }

// bundle is a site, and what erpgraph setup did to it.
type bundle struct {
	site   *simulator.Server
	client *frappe.Client
	url    string

	mu     sync.Mutex
	writes []write
	// before runs before a write is served.
	before func(write)
}

// newBundle starts a site with an administrator and a seller.
func newBundle(t *testing.T) *bundle {
	t.Helper()
	options, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	options.Users = append(options.Users,
		simulator.User{Name: "Administrator", APIKey: "boss", APISecret: adminSecret},
		simulator.User{Name: "sales@example.com", APIKey: "sell", APISecret: salesSecret},
		simulator.User{Name: "chief@example.com", APIKey: "chief", APISecret: adminSecret, Roles: []string{"System Manager"}},
	)
	b := &bundle{}
	if b.site, err = simulator.New(options); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.record(t, r)
		b.site.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	b.client, err = frappe.New(frappe.Config{BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	return b
}

// record notes everything but reads: those of this package go by GET, or by get_list.
func (b *bundle) record(t *testing.T, r *http.Request) {
	t.Helper()
	if r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, ".get_list") {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w := write{r.Method, r.URL.Path, string(body)}
	b.mu.Lock()
	b.writes = append(b.writes, w)
	before := b.before
	b.mu.Unlock()
	if before != nil {
		before(w)
	}
}

// written gives the writes since the last call.
func (b *bundle) written() []write {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.writes
	b.writes = nil
	return all
}

func (b *bundle) beforeWrites(f func(write)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = f
}

func credential(t *testing.T, pair string) frappe.Credential {
	t.Helper()
	c, err := frappe.ParseAuthorization("token " + pair)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// options are those of a plain run.
func (b *bundle) options(t *testing.T) setup.Options {
	t.Helper()
	return setup.Options{
		Upstream: b.client, Credential: credential(t, "boss:"+adminSecret),
		ERPNextURL: b.url, PublicURL: public, CallbackPath: callbackPath, AppName: "erpgraph",
	}
}

// result is what a run has told.
type result struct {
	settings, messages string
	err                error
}

// run runs setup. Whatever it does, it tells no secret but in the settings.
func (b *bundle) run(t *testing.T, o setup.Options) result {
	t.Helper()
	var settings, messages bytes.Buffer
	o.Settings, o.Messages = &settings, &messages
	secrets := b.secrets(t, o)
	r := result{}
	r.err = setup.Run(t.Context(), o)
	r.settings, r.messages = settings.String(), messages.String()
	told := r.messages
	for err := r.err; err != nil; err = errors.Unwrap(err) {
		told += err.Error()
	}
	for _, secret := range append(secrets, b.secrets(t, o)...) {
		if strings.Contains(told, secret) {
			t.Errorf("told the secret %q:\n%s", secret, told)
		}
	}
	return r
}

// must runs setup, which is to succeed.
func (b *bundle) must(t *testing.T, o setup.Options) result {
	t.Helper()
	r := b.run(t, o)
	if r.err != nil {
		t.Fatalf("%v\n%s", r.err, r.messages)
	}
	return r
}

// secrets are all that must not be told.
func (b *bundle) secrets(t *testing.T, o setup.Options) []string {
	t.Helper()
	secrets := []string{adminSecret, salesSecret}
	for _, id := range b.site.Names("OAuth Client") {
		secrets = append(secrets, text(b.document(t, "OAuth Client", id)["client_secret"]))
	}
	secrets = append(secrets, b.site.Names("OAuth Bearer Token")...)
	secrets = append(secrets, b.site.Names("OAuth Authorization Code")...)
	if data, err := os.ReadFile(o.EnvFile); err == nil {
		for _, name := range []string{"SESSION_KEYS", "ERPNEXT_OAUTH_CLIENT_SECRET", "ERPNEXT_WEBHOOK_SECRETS"} {
			for value := range strings.SplitSeq(setting(string(data), name), ",") {
				if value != "" {
					secrets = append(secrets, value)
				}
			}
		}
	}
	return secrets
}

func (b *bundle) document(t *testing.T, doctype, name string) map[string]jsontext.Value {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	d, err := b.client.Document(ctx, credential(t, "boss:"+adminSecret), doctype, name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// clients are the ids of the OAuth Clients of an app.
func (b *bundle) clients(t *testing.T, app string) []string {
	t.Helper()
	var ids []string
	for _, id := range b.site.Names("OAuth Client") {
		if text(b.document(t, "OAuth Client", id)["app_name"]) == app {
			ids = append(ids, id)
		}
	}
	return ids
}

// theClient is the only client of erpgraph.
func (b *bundle) theClient(t *testing.T) map[string]jsontext.Value {
	t.Helper()
	ids := b.clients(t, "erpgraph")
	if len(ids) != 1 {
		t.Fatalf("the clients of erpgraph are %q", ids)
	}
	return b.document(t, "OAuth Client", ids[0])
}

func text(value jsontext.Value) string {
	var s string
	_ = json.Unmarshal(value, &s)
	return s
}

// roles are those of a client.
func roles(t *testing.T, client map[string]jsontext.Value) (list []string) {
	t.Helper()
	var rows []struct{ Role string }
	if err := json.Unmarshal(client["allowed_roles"], &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		list = append(list, row.Role)
	}
	return list
}

// setting is the value of a line NAME=value.
func setting(lines, name string) string {
	for line := range strings.Lines(lines) {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}

// envFile writes a file of settings and gives its path.
func envFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "erpgraph.env")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) (content string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), info.Mode().Perm()
}
