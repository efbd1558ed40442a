package setup_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/setup"
	"erpgraph/internal/simulator"
)

// A first run makes the client, and gives the settings that serve needs for it.
func TestCreate(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	r := b.must(t, b.options(t))

	client := b.theClient(t)
	for field, want := range map[string]string{
		"app_name": "erpgraph", "redirect_uris": callback, "default_redirect_uri": callback,
		"scopes": "all openid", "grant_type": "Authorization Code", "response_type": "Code",
	} {
		if got := text(client[field]); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if string(client["skip_authorization"]) != "0" || !slices.Equal(roles(t, client), []string{"Desk User"}) {
		t.Errorf("skip_authorization %s, roles %q", client["skip_authorization"], roles(t, client))
	}
	if writes := b.written(); len(writes) != 1 || writes[0].method != http.MethodPost {
		t.Errorf("writes: %+v", writes)
	}
	for name, want := range map[string]string{
		"ERPNEXT_URL": b.url, "PUBLIC_URL": public,
		"ERPNEXT_OAUTH_CLIENT_ID": text(client["name"]), "ERPNEXT_OAUTH_CLIENT_SECRET": text(client["client_secret"]),
	} {
		if got := setting(r.settings, name); got != want || want == "" {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if key, err := base64.StdEncoding.DecodeString(setting(r.settings, "SESSION_KEYS")); err != nil || len(key) != 32 {
		t.Errorf("SESSION_KEYS: %d bytes, %v", len(key), err)
	}
	if lines := strings.Count(r.settings, "\n"); lines != 5 {
		t.Errorf("%d lines of settings:\n%s", lines, r.settings)
	}
	for _, want := range []string{`as "Administrator"`, "to be created", callback, "written"} {
		if !strings.Contains(r.messages, want) {
			t.Errorf("not told %q:\n%s", want, r.messages)
		}
	}
}

// Options reach the client, and the key of a System Manager will do.
func TestCreateByOptions(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.options(t)
	o.Credential = credential(t, "chief:"+adminSecret)
	o.PublicURL = "http://127.0.0.1:8080/"
	o.Trusted, o.AllowedRoles = true, []string{"Stock User", "Sales User", "Sales User"}
	o.SessionKeys, o.Terminal = "a2V5", true
	o.ERPNextURL = "http://erp.internal"
	r := b.must(t, o)
	client := b.theClient(t)
	if got := roles(t, client); !slices.Equal(got, []string{"Sales User", "Stock User"}) {
		t.Errorf("roles %q", got)
	}
	if string(client["skip_authorization"]) != "1" || text(client["redirect_uris"]) != "http://127.0.0.1:8080/auth/callback" {
		t.Errorf("the client: %s", client)
	}
	if setting(r.settings, "PUBLIC_URL") != "http://127.0.0.1:8080" || setting(r.settings, "SESSION_KEYS") != "a2V5" {
		t.Errorf("settings:\n%s", r.settings)
	}
	if !strings.Contains(r.messages, "go to the screen") || !strings.Contains(r.messages, "over http") {
		t.Errorf("no warnings:\n%s", r.messages)
	}
}

// The second run changes nothing and writes nothing, with or without roles.
func TestSecondRun(t *testing.T) {
	t.Parallel()
	for name, roles := range map[string][]string{"the site's roles": nil, "given roles": {"Stock User", "Sales User"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			o := b.options(t)
			o.AllowedRoles = roles
			o.EnvFile = envFile(t, "", 0o600)
			b.must(t, o)
			b.written()
			before, _ := read(t, o.EnvFile)
			client := b.theClient(t)

			r := b.must(t, o)
			if writes := b.written(); len(writes) != 0 {
				t.Errorf("writes: %+v", writes)
			}
			if after, _ := read(t, o.EnvFile); after != before {
				t.Errorf("the file changed:\n%s", after)
			}
			if now := b.theClient(t); !maps.EqualFunc(client, now, func(x, y jsontext.Value) bool { return string(x) == string(y) }) {
				t.Errorf("the client changed: %s", now)
			}
			if strings.Count(r.messages, "nothing to change") != 2 || r.settings != "" {
				t.Errorf("told:\n%s%s", r.messages, r.settings)
			}
		})
	}
}

// What somebody changed on the site is put right, that field and no other.
func TestDrift(t *testing.T) {
	t.Parallel()
	other := "https://other.example.com/auth/callback"
	for _, c := range []struct {
		field     string
		value     any
		want      string // in the write
		message   string
		alongside map[string]any
	}{
		{field: "scopes", value: "all", want: `"scopes":"all openid"`, message: `scopes: "all" → "all openid"`},
		{field: "default_redirect_uri", value: other, want: `"default_redirect_uri":"` + callback + `"`, message: "→"},
		{field: "skip_authorization", value: 1, want: `"skip_authorization":0`, message: "skip_authorization: yes → no"},
		{field: "redirect_uris", value: "", want: `"redirect_uris":"` + callback + `"`, message: "redirect_uris: nothing → "},
		{field: "redirect_uris", value: other, want: `"redirect_uris":"` + other + " " + callback + `"`, message: "kept, though"},
		{field: "redirect_uris", value: other + "\n" + callback, want: `"redirect_uris":"` + other + " " + callback + `"`, message: `\n`},
		{field: "redirect_uris", value: callback + "/", want: callback + "/ " + callback, message: "kept, though"},
		{
			field: "grant_type", value: "Implicit", alongside: map[string]any{"response_type": "Token"},
			want: `"grant_type":"Authorization Code"`, message: `"Token" → "Code"`,
		},
	} {
		t.Run(c.field, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			b.must(t, b.options(t))
			b.written()
			values := map[string]any{"name": text(b.theClient(t)["name"]), c.field: c.value}
			maps.Copy(values, c.alongside)
			if err := b.site.Update("OAuth Client", values); err != nil {
				t.Fatal(err)
			}
			r := b.must(t, b.options(t))
			writes := b.written()
			if len(writes) != 1 || writes[0].method != http.MethodPut || !strings.Contains(writes[0].body, c.want) {
				t.Fatalf("writes: %+v, want %s", writes, c.want)
			}
			var sent map[string]any
			if err := json.Unmarshal([]byte(writes[0].body), &sent); err != nil {
				t.Fatal(err)
			}
			if len(sent) != 2+len(c.alongside) || sent["modified"] == nil { // the field and the lock
				t.Errorf("sent more than differs: %s", writes[0].body)
			}
			if !strings.Contains(r.messages, c.message) {
				t.Errorf("not told %q:\n%s", c.message, r.messages)
			}
			b.must(t, b.options(t))
			if again := b.written(); len(again) != 0 {
				t.Errorf("the next run writes again: %+v", again)
			}
		})
	}
}

// Roles that an administrator chose stay, unless others are asked for.
func TestRoles(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.options(t)
	o.AllowedRoles = []string{"Sales User"}
	b.must(t, o)
	b.must(t, b.options(t))
	if got := roles(t, b.theClient(t)); !slices.Equal(got, []string{"Sales User"}) {
		t.Errorf("roles %q", got)
	}
	o.AllowedRoles = []string{"Stock User"}
	r := b.must(t, o)
	if got := roles(t, b.theClient(t)); !slices.Equal(got, []string{"Stock User"}) || !strings.Contains(r.messages, `"Sales User" → "Stock User"`) {
		t.Errorf("roles %q:\n%s", got, r.messages)
	}
	o.AllowedRoles = []string{"No Such Role"}
	if r := b.run(t, o); apierror.CodeOf(r.err) != apierror.Validation || !strings.Contains(r.err.Error(), "No Such Role") {
		t.Errorf("a role that is not there: %v", r.err)
	}
}

// A dry run tells all of it and does none of it.
func TestDryRun(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.options(t)
	o.DryRun, o.EnvFile = true, envFile(t, "OTHER=1\n", 0o640)
	r := b.must(t, o)
	for _, want := range []string{"to be created", callback, "would set ERPNEXT_URL, PUBLIC_URL", "would become 0600", "dry run: nothing was written"} {
		if !strings.Contains(r.messages, want) {
			t.Errorf("not told %q:\n%s", want, r.messages)
		}
	}
	o.DryRun = false
	if content, mode := read(t, o.EnvFile); content != "OTHER=1\n" || mode != 0o640 {
		t.Errorf("the file is %q, %o", content, mode)
	}
	b.must(t, o)
	before, _ := read(t, o.EnvFile)
	b.written()

	o.DryRun, o.Trusted, o.PublicURL = true, true, "https://moved.example.com"
	r = b.must(t, o)
	if !strings.Contains(r.messages, "no → yes") || !strings.Contains(r.messages, "would set PUBLIC_URL\n") {
		t.Errorf("told:\n%s", r.messages)
	}
	o.Remove = true
	r = b.must(t, o)
	if !strings.Contains(r.messages, "to be removed") || !strings.Contains(r.messages, "would drop ERPNEXT_OAUTH_CLIENT_ID, ERPNEXT_OAUTH_CLIENT_SECRET") {
		t.Errorf("told:\n%s", r.messages)
	}
	if after, _ := read(t, o.EnvFile); after != before {
		t.Errorf("the file changed:\n%s", after)
	}
	if writes := b.written(); len(writes) != 0 || r.settings != "" {
		t.Errorf("writes: %+v", writes)
	}
	b.theClient(t)
}

// With several clients of the name a person says which.
func TestSeveralClients(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for _, id := range []string{"first", "second"} {
		if err := b.site.AddClient(simulator.OAuthClient{ID: id, Name: "erpgraph", RedirectURI: "https://x.example.com", Scopes: "all"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, remove := range []bool{false, true} {
		o := b.options(t)
		o.Remove = remove
		r := b.run(t, o)
		e, ok := errors.AsType[*setup.AmbiguousError](r.err)
		if !ok || !slices.Equal(e.Names, []string{"first", "second"}) || !strings.Contains(e.Error(), `"first" "second"`) {
			t.Errorf("remove %v: %v", remove, r.err)
		}
	}
	o := b.options(t)
	o.ClientID = "second"
	b.must(t, o)
	if text(b.document(t, "OAuth Client", "first")["scopes"]) != "all" || text(b.document(t, "OAuth Client", "second")["scopes"]) != "all openid" {
		t.Error("the wrong client was changed")
	}
	// The name must fit as well: an id mistyped must not turn another app's client into ours.
	for _, id := range []string{"third", "erpgraph-demo", "SECOND"} {
		o.ClientID = id
		if r := b.run(t, o); !isMissing(r.err) || !strings.Contains(r.err.Error(), id) {
			t.Errorf("%s: %v", id, r.err)
		}
	}
	// A name that differs in case is another app's.
	o = b.options(t)
	o.AppName = "ErpGraph"
	b.must(t, o)
	if got := b.clients(t, "ErpGraph"); len(got) != 1 {
		t.Errorf("clients of the other name: %q", got)
	}
}

func isMissing(err error) bool {
	_, ok := errors.AsType[*setup.MissingError](err)
	return ok
}

// A client that somebody changes between the read and the write is not overwritten.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.must(t, b.options(t))
	id := text(b.theClient(t)["name"])
	b.beforeWrites(func(write) {
		if err := b.site.Update("OAuth Client", map[string]any{"name": id, "scopes": "all"}); err != nil {
			t.Error(err)
		}
	})
	o := b.options(t)
	o.Trusted = true
	r := b.run(t, o)
	if apierror.CodeOf(r.err) != apierror.Conflict || !strings.Contains(r.err.Error(), "run setup again") {
		t.Errorf("%v", r.err)
	}
	b.beforeWrites(nil)
	b.must(t, o)
}

// A field that the site does not take is told, not written again and again.
func TestRefusedField(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	if err := b.site.RemoveField("OAuth Client", "skip_authorization"); err != nil {
		t.Fatal(err)
	}
	o := b.options(t)
	o.Trusted = true
	r := b.run(t, o)
	e, ok := errors.AsType[*setup.RefusedError](r.err)
	if !ok || !slices.Equal(e.Fields, []string{"skip_authorization"}) || r.settings != "" {
		t.Errorf("%v", r.err)
	}
}
