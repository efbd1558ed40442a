package session_test

import (
	"net/http"
	"testing"
)

// ERPNext gives new tokens and accepts none of them, as when the client's scopes were
// narrowed: one refresh tells.
func TestRefusedFreshTokenEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(b *testBundle, v *browser, id string){
		"by requests": func(b *testBundle, _ *browser, id string) {
			if err := b.use(b.m, id); codeOf(err) != "UNAUTHENTICATED" {
				b.Errorf("got %v", err)
			}
		},
		"by the page": func(_ *testBundle, v *browser, _ string) { v.status() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p := &proxy{status: http.StatusUnauthorized, kind: "application/json", body: `{"exc_type":"AuthenticationError"}`, only: "get_logged_user"}
			b.atSite = p.answer
			v := b.signIn(sales)
			id := v.session()
			p.on.Store(true)
			for range 10 {
				ask(b, v, id)
			}
			if n := b.grants("refresh_token"); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
			if events := b.events("revoked"); len(events) != 1 || events[0]["reason"] == nil || b.count("auth_session") != 0 {
				t.Errorf("audit: %v", events)
			}
			p.on.Store(false)
			b.exec("update auth_retired_token set not_before = now()")
			if err := b.m.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.wantNoTokens(t, sales)
		})
	}
}

// A process whose clock runs ahead takes every token for one that has ended.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	b.clock.forward(2 * 3600e9)
	for range 5 {
		if err := b.use(b.m, id); err != nil {
			t.Fatal(err)
		}
		b.exec("update auth_session set access_expires_at = now()")
	}
	if n := b.grants("refresh_token"); n != 1 {
		t.Errorf("%d refreshes within half a minute, want 1", n)
	}
	b.exec("update auth_session set renewed_at = now() - interval '31 s'")
	if err := b.use(b.m, id); err != nil || b.grants("refresh_token") != 2 {
		t.Errorf("%d refreshes, %v", b.grants("refresh_token"), err)
	}
}
