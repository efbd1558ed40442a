package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/simulator"
)

var asPage = map[string]string{"Content-Type": "application/json"}

func TestSignOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	two := b.manager(postgrestest.Again(t, b.db), b.keys)
	v := b.signIn(sales)
	stolen := v.session()
	identity, err := b.m.Identity(b.request(stolen))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.m.Alive(t.Context(), identity); err != nil {
		t.Errorf("a session's socket: %v", err)
	}
	res, body := v.send(http.MethodPost, b.url+"/auth/logout", asPage, "{}")
	if res.StatusCode != http.StatusOK || body != `{"signedIn":false}` || v.session() != "" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	b.wantNoTokens(t, sales)
	if _, err := two.Identity(b.request(stolen)); codeOf(err) != "UNAUTHENTICATED" {
		t.Errorf("whoever kept the cookie: %v", err)
	}
	if err := two.Alive(t.Context(), identity); codeOf(err) != "UNAUTHENTICATED" {
		t.Errorf("the session's socket: %v", err)
	}
	b.clock.forward(2 * time.Second) // a socket believes its row for one
	if _, err := b.client.LoggedUser(t.Context(), identity.Credential()); codeOf(err) != "UNAUTHENTICATED" {
		t.Errorf("who holds the credential: %v", err)
	}
	if n := b.count("auth_session") + b.count("auth_retired_token"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if events := b.events("sign_out"); len(events) != 1 || events[0]["user"] != sales {
		t.Errorf("audit: %v", events)
	}
	if res, _ := v.send(http.MethodPost, b.url+"/auth/logout", asPage, "{}"); res.StatusCode != http.StatusOK {
		t.Errorf("once more: %d", res.StatusCode)
	}
}

// Who notices that a session may not go on ends it, once, and no other.
func TestEndIdentity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ending, staying := b.signIn(sales).session(), b.signIn(sales).session()
	identity, err := b.m.Identity(b.request(ending))
	if err != nil {
		t.Fatal(err)
	}
	forgotten := ""
	b.forget = func(c frappe.Credential) { forgotten = c.Key() }
	for _, id := range []auth.Identity{{}, auth.Of(identity.Credential()), identity, identity} {
		b.m.EndIdentity(t.Context(), id, "for a test")
	}
	if err := b.m.Alive(t.Context(), identity); codeOf(err) != apierror.Unauthenticated {
		t.Errorf("its socket: %v", err)
	}
	if _, err := b.m.Identity(b.request(ending)); codeOf(err) != apierror.Unauthenticated {
		t.Errorf("its cookie: %v", err)
	}
	if _, err := b.m.Identity(b.request(staying)); err != nil {
		t.Errorf("the user's other session: %v", err)
	}
	if forgotten != identity.Key() {
		t.Error("whose it was is not forgotten")
	}
	events := b.events("revoked")
	if len(events) != 1 || events[0]["user"] != sales || events[0]["reason"] != "for a test" || events[0]["requestId"] != "request-1" {
		t.Errorf("audit: %v", events)
	}
	b.exec("update auth_retired_token set not_before = now()")
	if err := b.m.Sweep(t.Context()); err != nil || b.count("auth_retired_token") != 0 {
		t.Errorf("its token was not revoked: %v", err)
	}
	if _, err := b.client.LoggedUser(t.Context(), b.credential(b.m, staying)); err != nil {
		t.Errorf("the other session's token: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	for name, c := range map[string]struct {
		cookies []string
		code    apierror.Code
		nobody  bool
	}{
		"no cookie":    {nil, "", true},
		"a session's":  {[]string{id}, "", false},
		"unknown":      {[]string{strings.Repeat("A", 43)}, apierror.Unauthenticated, true},
		"empty":        {[]string{""}, apierror.Unauthenticated, true},
		"short":        {[]string{id[:42]}, apierror.Unauthenticated, true},
		"long":         {[]string{id + "A"}, apierror.Unauthenticated, true},
		"huge":         {[]string{strings.Repeat("A", 100_000)}, apierror.Unauthenticated, true},
		"no base64":    {[]string{"!" + id[1:]}, apierror.Unauthenticated, true},
		"two of them":  {[]string{id, id}, apierror.Unauthenticated, true},
		"and a forged": {[]string{strings.Repeat("B", 43), id}, apierror.Unauthenticated, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := b.request("")
			for _, value := range c.cookies {
				r.AddCookie(&http.Cookie{Name: cookie, Value: value})
			}
			identity, err := b.m.Identity(r)
			if codeOf(err) != c.code || identity.IsZero() != c.nobody || identity.FromSession() == c.nobody {
				t.Errorf("%v, %v", identity, err)
			}
		})
	}
	t.Run("no database", func(t *testing.T) {
		t.Parallel()
		r := b.request(id)
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		if _, err := b.m.Identity(r.WithContext(ctx)); codeOf(err) != apierror.UpstreamTimeout {
			t.Errorf("got %v", err)
		}
	})
	if err := b.m.Alive(t.Context(), auth.Identity{}); err != nil {
		t.Errorf("a caller without a session: %v", err)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"after their life":    "update auth_session set expires_at = now() - interval '1 s'",
		"when they are idle":  "update auth_session set last_seen_at = now() - interval '24 h 1 s'",
		"when they are gone":  "delete from auth_session",
		"when a clock jumped": "update auth_session set expires_at = '-infinity'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			v := b.signIn(sales)
			id := v.session()
			b.exec(sql)
			if _, err := b.m.Identity(b.request(id)); codeOf(err) != "UNAUTHENTICATED" {
				t.Errorf("identity: %v", err)
			}
			if v.status()["signedIn"] != false || v.session() != "" {
				t.Error("the browser is still signed in")
			}
			if err := b.m.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := b.count("auth_session"); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
			if !strings.HasPrefix(sql, "delete") {
				b.wantNoTokens(t, sales)
			}
		})
	}
}

func TestUseKeepsASession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	const age = "select extract(epoch from now() - last_seen_at)::int from auth_session"
	seen := func() (seconds int) {
		if err := b.db.Pool().QueryRow(t.Context(), age).Scan(&seconds); err != nil {
			t.Fatal(err)
		}
		return seconds
	}
	b.exec("update auth_session set last_seen_at = now() - interval '50 s'")
	b.credential(b.m, v.session())
	if seen() < 50 {
		t.Error("written more often than once a minute")
	}
	b.exec("update auth_session set last_seen_at = now() - interval '2 h'")
	v.status()
	if seen() < 7200 {
		t.Error("a page that only asks keeps the session")
	}
	b.credential(b.m, v.session())
	if seen() > 5 {
		t.Error("a use does not keep the session")
	}
}

// The janitor revokes the pair that a refresh replaced, but not before the requests
// that use it are over.
func TestJanitor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	b.site.ExpireTokens()
	if err := b.use(b.m, id); err != nil {
		t.Fatal(err)
	}
	sweep := func(want int, when string) {
		t.Helper()
		if err := b.m.Sweep(t.Context()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if n := b.tokens(t, sales); n != want {
			t.Errorf("%s: %d pairs of tokens, want %d", when, n, want)
		}
	}
	sweep(2, "at once")
	b.exec("update auth_retired_token set not_before = not_before - interval '2 min'")
	sweep(1, "after two minutes")
	if b.count("auth_retired_token") != 0 {
		t.Error("the token is kept")
	}
	if err := b.use(b.m, id); err != nil {
		t.Errorf("the session: %v", err)
	}
}

func TestSignOutDuringOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	b.site.SetFault(simulator.Fault{Path: "revoke_token", Drop: true})
	if res, body := v.send(http.MethodPost, b.url+"/auth/logout", asPage, "{}"); res.StatusCode != http.StatusOK {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if v.status()["signedIn"] != false || b.count("auth_session") != 0 || b.count("auth_retired_token") != 1 {
		t.Error("the session did not end")
	}
	b.exec("update auth_retired_token set not_before = now()")
	if err := b.m.Sweep(t.Context()); codeOf(err) != "UPSTREAM_UNAVAILABLE" {
		t.Errorf("the janitor meets the outage: %v", err)
	}
	if b.tokens(t, sales) != 1 || b.count("auth_retired_token") != 1 {
		t.Error("the token was forgotten")
	}
	b.site.ClearFaults()
	b.exec("update auth_retired_token set not_before = now()")
	if err := b.m.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	b.wantNoTokens(t, sales)
	if b.count("auth_retired_token") != 0 {
		t.Error("the token is kept")
	}
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	b.site.SetFault(simulator.Fault{Path: "revoke_token", Drop: true})
	v.send(http.MethodPost, b.url+"/auth/logout", asPage, "{}")
	b.exec("update auth_retired_token set not_before = now(), created_at = now() - interval '25 h'")
	if err := b.m.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if events := b.events("unrevoked"); len(events) != 1 || events[0]["user"] != sales || b.count("auth_retired_token") != 0 {
		t.Errorf("audit: %v", events)
	}
}

func TestJanitorsShareTheWork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	two := b.manager(postgrestest.Again(t, b.db), b.keys)
	b.signIn(sales)
	b.exec(`insert into auth_retired_token (session_hash, user_name, sealed, not_before)
		select id_hash, user_name, sealed_access, now() from auth_session, generate_series(1, 45)`)
	b.site.ResetCalls()
	failed := make(chan error, 1)
	go func() { failed <- two.Sweep(t.Context()) }()
	if err := errors.Join(b.m.Sweep(t.Context()), <-failed); err != nil {
		t.Error(err)
	}
	revocations := 0
	for _, c := range b.site.Calls() {
		if strings.HasSuffix(c.Path, "revoke_token") {
			revocations++
		}
	}
	if revocations != 45 || b.count("auth_retired_token") != 0 {
		t.Errorf("%d revocations, %d tokens left", revocations, b.count("auth_retired_token"))
	}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.m.Run(ctx); err != nil {
		t.Error(err)
	}
	b.m.Close()
	id := b.signIn(sales).session()
	b.clock.forward(2 * time.Hour)
	if err := b.use(b.m, id); codeOf(err) != "UPSTREAM_UNAVAILABLE" {
		t.Errorf("a refresh after Close: %v", err)
	}
}

// A user whom the directory refuses is signed out for good.
func TestRefusedUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	b.whoAmI = disabled
	if v.status()["signedIn"] != false || v.session() != "" || b.count("auth_session") != 0 {
		t.Error("still signed in")
	}
	if len(b.events("revoked")) != 1 {
		t.Errorf("audit: %v", b.events("revoked"))
	}
}
