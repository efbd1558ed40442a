package simulator_test

import (
	"net/http"
	"slices"
	"testing"

	"erpgraph/internal/simulator"
)

// TestSecrets checks that all that was ever issued is remembered, and that a fork shares
// the past but not the future.
func TestSecrets(t *testing.T) {
	t.Parallel()
	s, base := newSite(t, func(o *simulator.Options) {
		o.Users = append(o.Users, simulator.User{Name: "p@example.com", APIKey: "p", APISecret: "the-api-secret", Password: "the-password"})
	})
	b := newBrowser(t, base)
	b.login(t, "sales@example.com")
	code := b.code(t, authorize())
	status, token := plain(base).redeem(t, code)
	if status != http.StatusOK {
		t.Fatalf("redeem: %d %+v", status, token)
	}
	if n := s.RevokeTokens("sales@example.com", "erpgraph-demo"); n != 1 {
		t.Errorf("%d pairs revoked", n)
	}
	secrets := s.Secrets()
	for _, want := range []string{"the-api-secret", "the-password", "demo-secret", "sales-demo-token", code, token.Access, token.Refresh, token.ID, b.cookie(t, "sid")} {
		if want == "" || !slices.Contains(secrets, want) {
			t.Errorf("%q is not among the secrets", want)
		}
	}
	if slices.Contains(secrets, "") || slices.Contains(secrets, "erpgraph-demo") {
		t.Error("a secret that is none")
	}

	token = grant(t, s, base, "sales@example.com")
	fork := s.Fork()
	if n := s.RevokeTokens("sales@example.com", ""); n != 1 {
		t.Errorf("%d pairs revoked", n)
	}
	if !slices.Contains(fork.Secrets(), token.Access) || fork.RevokeTokens("sales@example.com", "") != 1 {
		t.Error("the fork lacks the token")
	}
	if err := fork.AddClient(simulator.OAuthClient{ID: "fork", Secret: "of-the-fork"}); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(fork.Secrets(), "of-the-fork") || slices.Contains(s.Secrets(), "of-the-fork") || slices.Contains(s.Names("OAuth Client"), "fork") {
		t.Error("the fork's client is the site's too")
	}
}
