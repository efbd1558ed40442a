package loaders_test

import (
	"errors"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// However many reads need it, a credential is proved once.
func TestProveOnce(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, answer := range map[string]error{"accepted": nil, "refused": refused} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := &upstream{user: func() (string, error) { return "ada@example.com", answer }}
			s := newSet(t, u, func(c *loaders.Config) { c.Proofs = loaders.NewProofs(time.Minute, time.Now) })
			for _, err := range loaders.Parallel(20, func(int) error { return s.Prove(t.Context()) }) {
				if !errors.Is(err, answer) {
					t.Errorf("got %v, want %v", err, answer)
				}
			}
			if u.users != 1 || s.Calls() != 1 {
				t.Errorf("%d calls", u.users)
			}
		})
	}
}

// A proof lasts for its time, for other responses too; a read that ERPNext answers is one.
func TestProofs(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	proofs := loaders.NewProofs(time.Minute, func() time.Time { return now })
	u := &upstream{user: func() (string, error) { return "ada@example.com", nil }}
	prove := func() {
		t.Helper()
		if err := newSet(t, u, func(c *loaders.Config) { c.Proofs = proofs }).Prove(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	prove()
	now = now.Add(59 * time.Second)
	if prove(); u.users != 1 {
		t.Errorf("%d calls within the minute", u.users)
	}
	now = now.Add(time.Second)
	if prove(); u.users != 2 {
		t.Errorf("%d calls after it", u.users)
	}
	now = now.Add(time.Hour)
	s := newSet(t, u, func(c *loaders.Config) { c.Proofs = proofs })
	if _, err := s.Page(t.Context(), loaders.PageQuery{Type: customer, Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if prove(); u.users != 2 {
		t.Error("a list did not prove the credential")
	}
}

// A list that refuses the credential itself takes the proof back at once.
func TestRefusedCredentialLosesItsProof(t *testing.T) {
	t.Parallel()
	known := true
	u := &upstream{list: func(frappe.ListQuery) ([]map[string]string, error) {
		if known {
			return nil, nil
		}
		return nil, apierror.New(apierror.Unauthenticated, "revoked")
	}, user: func() (string, error) { return "", apierror.New(apierror.Unauthenticated, "revoked") }}
	proofs := loaders.NewProofs(time.Minute, time.Now)
	set := newSet(t, u, func(cfg *loaders.Config) { cfg.Proofs = proofs })
	page := loaders.PageQuery{Type: customer, Limit: 1}
	if _, err := set.Page(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	if err := set.Prove(t.Context()); err != nil {
		t.Fatalf("after an answer: %v", err)
	}
	known = false
	if _, err := set.Page(t.Context(), page); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Fatalf("a revoked credential: %v", err)
	}
	later := newSet(t, u, func(cfg *loaders.Config) { cfg.Proofs = proofs })
	if err := later.Prove(t.Context()); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("the next response: %v", err)
	}
}

// Once ERPNext has refused the credential, no proof of before counts in this response.
func TestRefusalCountsAtOnce(t *testing.T) {
	t.Parallel()
	known := true
	u := &upstream{list: func(frappe.ListQuery) ([]map[string]string, error) {
		if known {
			return nil, nil
		}
		return nil, apierror.New(apierror.Unauthenticated, "revoked")
	}, user: func() (string, error) { return "ada@example.com", nil }}
	set := newSet(t, u, nil)
	if err := set.Prove(t.Context()); err != nil {
		t.Fatal(err)
	}
	known = false
	_, _ = set.Page(t.Context(), loaders.PageQuery{Type: customer, Limit: 1})
	if err := set.Prove(t.Context()); apierror.CodeOf(err) != apierror.Unauthenticated {
		t.Errorf("after the refusal: %v", err)
	}
}

// An outage says nothing of the credential.
func TestOutageKeepsTheProof(t *testing.T) {
	t.Parallel()
	proofs := loaders.NewProofs(time.Minute, time.Now)
	answers := []error{nil, apierror.New(apierror.UpstreamUnavailable, "down")}
	u := &upstream{user: func() (string, error) {
		err := answers[0]
		answers = answers[1:]
		return "", err
	}}
	keep := func(cfg *loaders.Config) { cfg.Proofs = proofs }
	for range 2 {
		_, _ = newSet(t, u, keep).LoggedUser(t.Context())
	}
	if err := newSet(t, u, keep).Prove(t.Context()); err != nil {
		t.Errorf("after an outage: %v", err)
	}
}
