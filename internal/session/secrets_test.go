package session_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"erpgraph/internal/frappe"
)

// wantNoTokens tells of tokens of a user that the site still accepts.
func (b *testBundle) wantNoTokens(t *testing.T, user string) {
	t.Helper()
	if n := b.tokens(t, user); n != 0 {
		t.Errorf("the site accepts %d tokens of %s that nobody uses", n, user)
	}
}

// tokens counts the pairs of tokens of a user that the site has not revoked.
func (b *testBundle) tokens(t *testing.T, user string) int {
	t.Helper()
	admin, err := frappe.ParseAuthorization("token admin:demo")
	if err != nil {
		t.Fatal(err)
	}
	table, err := b.client.List(context.WithoutCancel(t.Context()), admin, frappe.ListQuery{
		DocType: "OAuth Bearer Token", Columns: []frappe.Column{{Field: "name"}}, Limit: 100,
		Filters: []frappe.Filter{{Field: "user", Op: frappe.OpEq, Value: user}, {Field: "status", Op: frappe.OpEq, Value: "Active"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(table.Rows)
}

// searchSecrets ends each test: nothing secret that the site has issued or knows is in
// the log or in the tables, plain or encoded.
func (b *testBundle) searchSecrets() {
	text := b.log.String() + b.dump()
	for _, secret := range b.site.Secrets() {
		if len(secret) < 8 {
			continue
		}
		raw := []byte(secret)
		for _, spelling := range []string{secret, hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)} {
			if strings.Contains(text, spelling) {
				b.Errorf("the log or the database holds a secret: %.5s…", secret)
			}
		}
	}
}

// dump is all that the tables of this package hold, as text.
func (b *testBundle) dump() string {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	var out strings.Builder
	for _, table := range []string{"auth_session", "auth_login_used", "auth_retired_token"} {
		rows, err := b.db.Pool().Query(ctx, "select t::text from "+table+" t")
		if err != nil {
			b.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintln(&out, table, lines)
	}
	return out.String()
}

// What no site knows is in no clear either: the session's id, state, nonce, verifier.
func TestNothingOfTheBrowserIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	at := v.begin("/")
	_, _ = v.get(b.url + "/auth/callback?error=access_denied")
	back := v.callback(sales, "/")
	cookies := v.cookies()
	v.get(back.String())
	text := b.log.String() + b.dump()
	if !strings.Contains(text, sales) {
		t.Fatal("the dump lacks the session")
	}
	secrets := []string{
		v.session(), at.Query().Get("state"), at.Query().Get("nonce"), back.Query().Get("state"), back.Query().Get("code"), key(1),
	}
	for _, c := range cookies {
		secrets = append(secrets, c.Value)
	}
	for i, secret := range secrets {
		raw, err := base64.RawURLEncoding.DecodeString(secret)
		if strings.Contains(text, secret) || err == nil && strings.Contains(text, hex.EncodeToString(raw)) {
			t.Errorf("secret %d is in the log or the database", i)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%t"} {
		if text := fmt.Sprintf(verb, []any{b.m, b.keys, struct{ k any }{b.keys}}); strings.Contains(text, "0101") || strings.Contains(text, "1 1 1") {
			t.Errorf("%s prints a key", verb)
		}
	}
}
