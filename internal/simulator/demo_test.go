package simulator_test

import (
	"net/http"
	"net/url"
	"testing"

	"erpgraph/internal/simulator"
)

// TestOwnUser checks that everyone may read his own User document and no other one.
func TestOwnUser(t *testing.T) {
	t.Parallel()
	_, c := demoServer(t)
	o, err := simulator.Demo()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range o.Users {
		status, out := c.do(t, http.MethodGet, u.APIKey, "/api/resource/User/"+url.PathEscape(u.Name), nil)
		doc, _ := out["data"].(map[string]any)
		if name, _ := doc["full_name"].(string); status != http.StatusOK || name == "" {
			t.Errorf("%s: %d: %v", u.Name, status, out)
		}
	}
	if status, out := c.do(t, http.MethodGet, "sales", "/api/resource/User/manager@example.com", nil); status != http.StatusForbidden {
		t.Errorf("another user's document: %d: %v", status, out)
	}
}
