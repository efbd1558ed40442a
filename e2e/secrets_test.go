package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Every test of this package ends with this: neither the log nor the database holds
// anything secret that the site has issued or knows, in any usual spelling.
func (b *bundle) searchSecrets(tb testing.TB) {
	tb.Helper()
	places := map[string]string{"the log": b.log.String()}
	if b.db != nil && !b.cut {
		dump, err := dump(context.WithoutCancel(tb.Context()), b)
		if err != nil {
			tb.Errorf("dump the database: %v", err)
		}
		places["the database"] = dump
	}
	for where, text := range places {
		if found := findSecret(text, b.site.Secrets()); found != "" {
			tb.Errorf("%s holds a secret of the site: %.6s…", where, found)
		}
	}
}

// findSecret gives the first of the secrets that the text holds, plain or encoded.
func findSecret(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) < 8 {
			continue // a demo's password would be found in any word
		}
		spellings := []string{
			s, hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
		}
		if slices.ContainsFunc(spellings, func(spelling string) bool { return strings.Contains(text, spelling) }) {
			return s
		}
	}
	return ""
}

// dump is all that the tables of the test's schema hold, as text.
func dump(ctx context.Context, b *bundle) (string, error) {
	tables, err := texts(ctx, b, `select quote_ident(table_name) from information_schema.tables where table_schema = current_schema()`)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, table := range tables {
		rows, err := texts(ctx, b, fmt.Sprintf(`select t::text from %s t limit 10000`, table))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s\n%s\n", table, strings.Join(rows, "\n"))
	}
	return out.String(), nil
}

func texts(ctx context.Context, b *bundle, sql string) ([]string, error) {
	rows, err := b.db.Pool().Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// The search finds what it looks for, in the log and in the database.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	b.signIn(t, "sales@example.com")
	secrets := b.site.Secrets()
	if len(secrets) < 5 {
		t.Fatalf("the site knows %d secrets; a sign-in alone makes more", len(secrets))
	}
	for _, s := range secrets {
		if len(s) >= 8 && findSecret("x"+hex.EncodeToString([]byte(s))+"x", secrets) == "" {
			t.Errorf("%.6s… is not found in hex", s)
		}
	}
	text, err := dump(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "auth_session\n(") || !strings.Contains(text, "sales@example.com") {
		t.Errorf("the dump lacks the session:\n%.500s", text)
	}
	if !strings.Contains(b.log.String(), `"sign_in"`) {
		t.Error("the log lacks the sign-in")
	}
}
