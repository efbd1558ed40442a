package e2e_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"erpgraph/internal/app"
)

// `setup --check` sends one webhook through the whole path and leaves nothing behind.
func TestSetupCheck(t *testing.T) {
	t.Parallel()
	b := setup(t, options{live: true})
	database, err := url.Parse(b.db.Pool().Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	query := database.Query()
	query.Set("search_path", b.db.Pool().Config().ConnConfig.RuntimeParams["search_path"])
	database.RawQuery = query.Encode()
	before := len(b.site.Names("ToDo"))
	var out bytes.Buffer
	code := app.MainWith(t.Context(), []string{
		"setup", "--check", "--erpnext-url", b.siteURL, "--admin-key", strings.TrimPrefix(admin, "token "), "--database-url", database.String(),
	}, &out, &out, app.Options{})
	if code != 0 || !strings.Contains(out.String(), "in the log after") {
		t.Errorf("exit code %d:\n%s", code, &out)
	}
	if after := len(b.site.Names("ToDo")); after != before {
		t.Errorf("%d documents are left behind", after-before)
	}
}
