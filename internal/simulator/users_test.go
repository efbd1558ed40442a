package simulator_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestDisabledUser checks what a disabled user loses, and what works on.
func TestDisabledUser(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, nil)
	admin := &client{base: base, http: http.DefaultClient}
	disable := map[string]func(user string){
		"sales@example.com": func(user string) {
			if err := s.DisableUser(user); err != nil {
				t.Error(err)
			}
		},
		"stock@example.com": func(user string) {
			if status, out := admin.do(t, http.MethodPut, "admin", "/api/resource/User/"+user, map[string]any{"enabled": 0}); status != http.StatusOK {
				t.Errorf("%d %v", status, out)
			}
		},
	}
	for user, disable := range disable {
		token := grant(t, s, base, user)
		b := newBrowser(t, base)
		b.login(t, user)
		disable(user)
		if r := b.get(t, "/api/method/frappe.auth.get_logged_user"); r.status != http.StatusForbidden || !strings.Contains(r.body, "session_expired") {
			t.Errorf("%s: the session goes on: %d %s", user, r.status, r.body)
		}
		if status := plain(base).whoami(t, token.Access); status != http.StatusOK {
			t.Errorf("%s: the token does not: %d", user, status)
		}
		if status, _ := plain(base).refresh(t, token.Refresh); status != http.StatusOK {
			t.Errorf("%s: no refresh: %d", user, status)
		}
	}
	if err := s.DisableUser("unknown@example.com"); err == nil {
		t.Error("an unknown user was disabled")
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	s, c := demoServer(t)
	may := func() bool {
		status, _ := c.do(t, http.MethodGet, "sales", "/api/resource/Sales Order?limit_page_length=1", nil)
		return status == http.StatusOK
	}
	if !may() {
		t.Fatal("sales may not read orders")
	}
	if err := s.RemoveRole("sales@example.com", "Sales User"); err != nil {
		t.Fatal(err)
	}
	if may() {
		t.Error("without the role, orders may be read")
	}
	if err := s.RemoveRole("sales@example.com", "Sales User"); err == nil {
		t.Error("a role was taken twice")
	}
	if err := s.RemoveRole("unknown@example.com", "Sales User"); err == nil {
		t.Error("a role was taken from nobody")
	}
	if err := s.SetRoles("sales@example.com", "Stock User", "Sales User"); err != nil {
		t.Fatal(err)
	}
	if !may() {
		t.Error("with the role, orders may not be read")
	}
	_, out := c.do(t, http.MethodGet, "sales", "/api/method/frappe.core.doctype.user.user.get_roles", nil)
	roles, _ := out["message"].([]any)
	if len(roles) != 5 { // the two, All, Guest, Desk User
		t.Errorf("roles %v", roles)
	}
}

func TestEndSessions(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, nil)
	b := newBrowser(t, base)
	b.login(t, "sales@example.com")
	if n := s.EndSessions("sales@example.com"); n != 1 {
		t.Errorf("%d sessions ended", n)
	}
	if r := b.get(t, "/"); strings.Contains(r.body, "sales@example.com") {
		t.Error("still logged in")
	}
}
