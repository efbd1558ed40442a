package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/session"
	"erpgraph/internal/simulator"
)

// use calls the site as the session and says what came of it.
func (b *testBundle) use(m *session.Manager, id string) error {
	identity, err := m.Identity(b.request(id))
	if err != nil {
		return err
	}
	_, err = b.client.LoggedUser(b.Context(), identity.Credential())
	return err
}

// Fifty requests in two processes, at the moment when the token must be replaced.
func TestOneRefresh(t *testing.T) {
	t.Parallel()
	for name, expire := range map[string]func(*testBundle){
		"before the token ends":    func(b *testBundle) { b.clock.forward(59*time.Minute + 30*time.Second) },
		"when it has just ended":   func(b *testBundle) { b.clock.forward(61 * time.Minute) },
		"when the site refuses it": func(b *testBundle) { b.site.ExpireTokens() },
		"when a process died with lease": func(b *testBundle) {
			b.exec("update auth_session set lease_until = now() + interval '300 ms'")
			b.site.ExpireTokens()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			managers := []*session.Manager{b.m, b.manager(postgrestest.Again(t, b.db), b.keys)}
			id := b.signIn(sales).session()
			expire(b)
			var wg sync.WaitGroup
			for i := range 50 {
				wg.Go(func() {
					if err := b.use(managers[i%2], id); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, m := range managers {
				if err := b.use(m, id); err != nil {
					t.Error(err)
				}
			}
			if n := b.grants("refresh_token"); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
			if events := b.events("refresh"); len(events) != 1 || events[0]["user"] != sales {
				t.Errorf("audit: %v", events)
			}
		})
	}
}

// holdRefresh makes the first refresh arrive at the site, and wait there.
func (b *testBundle) holdRefresh() (arrived, goOn chan struct{}) {
	arrived, goOn = make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	b.atSite = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "get_token") && calls.Add(1) == 2 { // after the code
			close(arrived)
			<-goOn
		}
		return false
	}
	return arrived, goOn
}

func TestGoodTokenIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	b.clock.forward(58 * time.Minute)
	if err := b.use(b.m, id); err != nil || b.grants("refresh_token") != 0 {
		t.Errorf("%d refreshes, %v", b.grants("refresh_token"), err)
	}
}

func TestRefreshesGoOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	credential := b.credential(b.m, id) // of a socket, which outlives many tokens
	for i := range 5 {
		b.clock.forward(time.Hour)
		b.exec("update auth_session set last_seen_at = now(), expires_at = now() + interval '1 day', renewed_at = renewed_at - interval '1 h'")
		if _, err := b.client.LoggedUser(t.Context(), credential); err != nil {
			t.Fatalf("hour %d: %v", i+1, err)
		}
	}
	if n := b.grants("refresh_token"); n != 5 {
		t.Errorf("%d refreshes, want 5", n)
	}
}

// The one who began a refresh goes away; the others get it all the same.
func TestRefreshOutlivesItsRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	arrived, goOn := b.holdRefresh()
	id := b.signIn(sales).session()
	b.clock.forward(61 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	credential := b.credential(b.m, id)
	failed := make(chan error, 1)
	go func() {
		_, err := b.client.LoggedUser(ctx, credential)
		failed <- err
	}()
	<-arrived
	cancel()
	if err := <-failed; codeOf(err) != "UPSTREAM_TIMEOUT" {
		t.Errorf("the one who went away: %v", err)
	}
	close(goOn)
	if err := b.use(b.m, id); err != nil || b.grants("refresh_token") != 1 {
		t.Errorf("%d refreshes, %v", b.grants("refresh_token"), err)
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	fault := simulator.Fault{Path: "get_token", Status: http.StatusBadGateway, ContentType: "text/html", Body: "<html>"}
	b.site.SetFault(fault)

	b.clock.forward(59*time.Minute + 30*time.Second)
	if err := b.use(b.m, v.session()); err != nil {
		t.Errorf("the token is still good: %v", err)
	}
	b.clock.forward(2 * time.Minute)
	if err := b.use(b.m, v.session()); codeOf(err) != "UPSTREAM_UNAVAILABLE" {
		t.Errorf("the token has ended: %v", err)
	}
	if got := v.status(); got["signedIn"] != true || got["stale"] != true || got["user"] != sales {
		t.Errorf("status: %v", got)
	}
	b.site.ClearFaults()
	if err := b.use(b.m, v.session()); err != nil {
		t.Errorf("after the outage: %v", err)
	}

	// A page of a proxy that says 404 is no revocation.
	b.exec("update auth_session set renewed_at = renewed_at - interval '31 s'")
	fault.Status = http.StatusNotFound
	b.site.SetFault(fault)
	b.site.ExpireTokens()
	if err := b.use(b.m, v.session()); codeOf(err) != "UPSTREAM_UNAVAILABLE" {
		t.Errorf("a proxy's 404: %v", err)
	}
	if len(b.events("revoked")) != 0 || b.count("auth_session") != 1 {
		t.Error("an outage ended the session")
	}
}

func TestRevokedGrantEndsTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	two := b.manager(postgrestest.Again(t, b.db), b.keys)
	v := b.signIn(sales)
	if b.site.RevokeTokens(sales, clientID) == 0 {
		t.Fatal("there was nothing to revoke")
	}
	err := b.use(b.m, v.session())
	if codeOf(err) != "UNAUTHENTICATED" || !strings.Contains(err.Error(), "/auth/login") {
		t.Errorf("here: %v", err)
	}
	if _, err := two.Identity(b.request(v.session())); codeOf(err) != "UNAUTHENTICATED" {
		t.Errorf("in the other process: %v", err)
	}
	if v.status()["signedIn"] != false || v.session() != "" {
		t.Error("the browser keeps the cookie")
	}
	if events := b.events("revoked"); len(events) != 1 || events[0]["user"] != sales {
		t.Errorf("audit: %v", events)
	}
}

// A sign-out during a refresh: the new tokens belong to nobody.
func TestSignOutDuringRefresh(t *testing.T) {
	t.Parallel()
	b := setup(t)
	arrived, goOn := b.holdRefresh()
	v := b.signIn(sales)
	id := v.session()
	credential := b.credential(b.m, id)
	b.clock.forward(61 * time.Minute)
	refused := make(chan error, 1)
	go func() {
		_, err := b.client.LoggedUser(t.Context(), credential)
		refused <- err
	}()
	<-arrived
	b.exec("delete from auth_session") // as if a sign-out had already revoked the old pair
	close(goOn)
	if err := <-refused; codeOf(err) != "UNAUTHENTICATED" {
		t.Errorf("got %v", err)
	}
	if n := b.tokens(t, sales); n != 1 {
		t.Errorf("%d pairs of tokens are left, want the old one alone", n)
	}
}

func TestKeysChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	both := b.manager(b.db, mustKeys(t, key(2)+","+key(1)))
	if err := b.use(both, id); err != nil {
		t.Fatalf("with the new key first: %v", err)
	}
	b.site.ExpireTokens()
	if err := b.use(both, id); err != nil {
		t.Fatalf("renewing: %v", err)
	}
	// What the new key has sealed needs the old one no more.
	if err := b.use(b.manager(b.db, mustKeys(t, key(2))), id); err != nil {
		t.Errorf("without the old key: %v", err)
	}
	// A process with another key can do nothing with the session, nor to it.
	stranger := b.manager(b.db, mustKeys(t, key(3)))
	b.clock.forward(2 * time.Hour)
	if err := b.use(stranger, id); codeOf(err) != "UNAUTHENTICATED" {
		t.Errorf("with a stranger's key: %v", err)
	}
	w, r := httptest.NewRecorder(), b.request(id)
	r.Method, r.URL.Path = http.MethodGet, "/auth/session"
	stranger.Handler().ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), `"signedIn":false`) {
		t.Errorf("with a stranger's key: %s", w.Body)
	}
	if err := b.use(both, id); err != nil {
		t.Errorf("after the stranger: %v", err)
	}
}

func TestSealedTokensStayInTheirRow(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]string{
		"another session's": `update auth_session a set sealed_access = b.sealed_access, sealed_refresh = b.sealed_refresh
			from auth_session b where a.id_hash <> b.id_hash`,
		"the refresh token as access token": `update auth_session set sealed_access = sealed_refresh`,
		"one bit":                           `update auth_session set sealed_access = set_bit(sealed_access, 200, 1 - get_bit(sealed_access, 200))`,
		"the key's id":                      `update auth_session set sealed_access = set_byte(sealed_access, 2, 255 - get_byte(sealed_access, 2))`,
		"nothing":                           `update auth_session set sealed_access = ''`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			one, two := b.signIn(sales).session(), b.signIn(manager).session()
			b.exec(move)
			for _, id := range []string{one, two} {
				if err := b.use(b.m, id); codeOf(err) != "UNAUTHENTICATED" {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}
