package simulator_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// TestClientOverREST makes an OAuth client as a setup program does, uses it at once, changes
// it and deletes it.
func TestClientOverREST(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, nil)
	c := &client{base: base, http: http.DefaultClient}
	if status, _ := c.do(t, http.MethodPost, "sales", "/api/resource/OAuth Client", map[string]any{"app_name": "x", "redirect_uris": callback, "default_redirect_uri": callback}); status != http.StatusForbidden {
		t.Errorf("made by a salesman: %d", status)
	}
	if status, _ := c.do(t, http.MethodGet, "sales", "/api/resource/OAuth Client", nil); status != http.StatusForbidden {
		t.Errorf("listed by a salesman: %d", status)
	}

	status, out := c.do(t, http.MethodPost, "service", "/api/resource/OAuth Client", map[string]any{
		"app_name": "made", "redirect_uris": callback, "default_redirect_uri": callback, "client_id": "mine", "skip_authorization": 1,
	})
	made, _ := out["data"].(map[string]any)
	id, _ := made["name"].(string)
	if status != http.StatusOK || id == "" || id == "mine" {
		t.Fatalf("insert: %d %v", status, out)
	}
	secret, _ := made["client_secret"].(string)
	for field, want := range map[string]any{
		"client_id": id, "scopes": "all openid", "grant_type": "Authorization Code", "response_type": "Code",
		"skip_authorization": 1.0, "owner": "svc-full@example.com", "doctype": "OAuth Client",
	} {
		if made[field] != want {
			t.Errorf("%s is %v, want %v", field, made[field], want)
		}
	}
	roles, _ := made["allowed_roles"].([]any)
	if len(roles) != 1 || !strings.Contains(fmt.Sprint(roles), "role:Desk User") {
		t.Errorf("allowed roles %v", roles)
	}
	if len(secret) != 10 || !slices.Contains(s.Secrets(), secret) {
		t.Errorf("secret %q", secret)
	}
	_, out = c.do(t, http.MethodGet, "admin", "/api/resource/OAuth Client?filters="+url.QueryEscape(`[["app_name","=","made"]]`)+"&fields="+url.QueryEscape(`["name","client_id","client_secret"]`), nil)
	if rows, _ := out["data"].([]any); len(rows) != 1 || fmt.Sprint(rows[0]) != fmt.Sprint(map[string]any{"name": id, "client_id": id, "client_secret": secret}) {
		t.Errorf("list %v", out)
	}

	b := newBrowser(t, base)
	b.login(t, "sales@example.com")
	status, token := plain(base).redeem(t, b.code(t, authorize("client_id", id)), "client_id", id)
	if status != http.StatusOK || plain(base).whoami(t, token.Access) != http.StatusOK {
		t.Fatalf("the new client's token: %d %+v", status, token)
	}

	update := func(fields map[string]any) (int, map[string]any) {
		return c.do(t, http.MethodPut, "admin", "/api/resource/OAuth Client/"+id, fields)
	}
	if status, out := update(map[string]any{"response_type": "Token"}); status != http.StatusExpectationFailed || !strings.Contains(fmt.Sprint(out["exception"]), "not allowed") {
		t.Errorf("a wrong combination: %d %v", status, out)
	}
	if status, out := update(map[string]any{"app_name": ""}); status != http.StatusExpectationFailed || out["exc_type"] != "MandatoryError" {
		t.Errorf("no name: %d %v", status, out)
	}
	if status, out := update(map[string]any{"allowed_roles": []any{map[string]any{"role": "No Such Role"}}}); status != http.StatusExpectationFailed {
		t.Errorf("an unknown role: %d %v", status, out)
	}
	if status, out := update(map[string]any{"allowed_roles": []any{map[string]any{"role": "Stock User"}}, "client_id": "other"}); status != http.StatusOK || !strings.Contains(fmt.Sprint(out), "client_id:"+id) {
		t.Errorf("update: %d %v", status, out)
	}
	if r := b.get(t, endpoints+"authorize?"+authorize("client_id", id).Encode()); r.status != http.StatusBadRequest {
		t.Errorf("a user without the role: %d", r.status)
	}
	if status, _ := update(map[string]any{"scopes": "openid"}); status != http.StatusOK || plain(base).whoami(t, token.Access) != http.StatusUnauthorized {
		t.Errorf("a token with more scopes than its client works: %d", status)
	}
	deleteClient(t, c, id)
}

// deleteClient deletes what links to the client first: the site refuses otherwise.
func deleteClient(t *testing.T, c *client, id string) {
	t.Helper()
	if status, out := c.do(t, http.MethodDelete, "admin", "/api/resource/OAuth Client/"+id, nil); status != http.StatusExpectationFailed || out["exc_type"] != "LinkExistsError" {
		t.Errorf("delete with tokens: %d %v", status, out)
	}
	for _, doctype := range []string{"OAuth Bearer Token", "OAuth Authorization Code"} {
		names := c.list(t, "admin", map[string]any{"doctype": doctype, "filters": map[string]any{"client": id}})
		if len(names) != 1 {
			t.Errorf("%d of %s", len(names), doctype)
		}
		for _, name := range names {
			if status, out := c.do(t, http.MethodDelete, "admin", "/api/resource/"+doctype+"/"+name, nil); status != http.StatusAccepted {
				t.Errorf("delete %s: %d %v", doctype, status, out)
			}
		}
	}
	if status, out := c.do(t, http.MethodDelete, "admin", "/api/resource/OAuth Client/"+id, nil); status != http.StatusAccepted {
		t.Errorf("delete: %d %v", status, out)
	}
	if status, _ := c.do(t, http.MethodGet, "admin", "/api/resource/OAuth Client/"+id, nil); status != http.StatusNotFound {
		t.Errorf("after the deletion: %d", status)
	}
}
