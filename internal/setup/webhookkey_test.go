package setup_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"erpgraph/internal/setup"
	"erpgraph/internal/simulator"
)

// A new secret reaches all Webhooks; the old one stays in the list until it is dropped.
func TestWebhookSecretRotation(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	b.must(t, o)
	old := settingOf(t, o.EnvFile, hooks)
	before := keyIDs(t, b)
	rotate := o
	rotate.RotateWebhookSecret = true
	r := b.must(t, rotate)
	secrets := strings.Split(settingOf(t, o.EnvFile, hooks), ",")
	if len(secrets) != 2 || secrets[1] != old || secrets[0] == old {
		t.Fatalf("%d secrets", len(secrets))
	}
	after := keyIDs(t, b)
	if len(before) != 1 || len(after) != 1 || maps.Equal(before, after) {
		t.Errorf("signed by %v, then %v", before, after)
	}
	for _, want := range []string{"12 to be changed", "another secret → a secret (12 of them)", "start serve anew", "drop the rest (1)"} {
		if !strings.Contains(r.messages, want) {
			t.Errorf("not told %q:\n%s", want, r.messages)
		}
	}
	b.unchanged(t, o)
}

func keyIDs(t *testing.T, b *bundle) map[string]bool {
	t.Helper()
	ids := make(map[string]bool)
	for _, name := range b.hookNames() {
		ids[headerRows(t, b.hook(t, name))["X-Erpgraph-Secret-Id"]] = true
	}
	return ids
}

// A run that ended early is finished by the next, with the secret that it has kept.
func TestWebhooksInterrupted(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	n := 0
	b.beforeWrites(func(w write) {
		if strings.Contains(w.body, "webhook_docevent") {
			if n++; n == 5 {
				b.site.SetFault(simulator.Fault{Path: "Webhook", Status: http.StatusForbidden, Body: `{"exc_type":"PermissionError"}`})
			}
		}
	})
	if r := b.run(t, o); r.err == nil {
		t.Fatalf("no error:\n%s", r.messages)
	}
	if len(b.hookNames()) != 4 {
		t.Fatalf("%q", b.hookNames())
	}
	secret := settingOf(t, o.EnvFile, hooks)
	if secret == "" {
		t.Fatal("the secret of the Webhooks is lost")
	}
	b.site.ClearFaults()
	b.written()
	b.must(t, o)
	if writes := b.written(); len(writes) != 8 || settingOf(t, o.EnvFile, hooks) != secret {
		t.Errorf("%d writes, and the secret", len(writes))
	}
	if ids := keyIDs(t, b); len(ids) != 1 {
		t.Errorf("signed by %v", ids)
	}
	b.unchanged(t, o)
}

// Secrets that are in use are kept, and those that nobody told are made anew.
func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.watching(t)
	o.EnvFile = ""
	o.WebhookSecrets = "the-one-in-use-0123456789, an-older-one-0123456789"
	r := b.must(t, o)
	if got := setting(r.settings, hooks); got != "the-one-in-use-0123456789,an-older-one-0123456789" {
		t.Errorf("printed %q", got)
	}
	o.WebhookSecrets = ""
	r = b.must(t, o)
	if got := setting(r.settings, hooks); len(got) != 43 || !strings.Contains(r.messages, "nobody told which secret they have") {
		t.Errorf("told:\n%s", r.messages)
	}
	for _, bad := range []string{",", "a,,b", "a, ,b", "with blank inside", "quo'te", "***"} {
		o.WebhookSecrets = bad
		if r := b.run(t, o); !isOption(r.err, hooks) || len(bad) > 1 && strings.Contains(r.err.Error(), bad) {
			t.Errorf("%q: %v", bad, r.err)
		}
	}
}

func isOption(err error, name string) bool {
	e, ok := errors.AsType[*setup.OptionError](err)
	return ok && e.Option == name
}
