package session_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
	"erpgraph/internal/session"
	"erpgraph/internal/simulator"
)

// ask sends a request with a Cookie header of the test's making.
func (b *testBundle) ask(m *session.Manager, method, path, cookies string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(b.Context(), method, b.url+path, strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Cookie", cookies)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	return w
}

// Somebody has planted a cookie of the same name: the user who signs out is signed out.
func TestSignOutWithSeveralCookies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.signIn(sales).session(), b.signIn(manager).session()
	cookies := "erpgraph=x; erpgraph=" + one + "; erpgraph=" + two + strings.Repeat("; erpgraph="+strings.Repeat("A", 43), 50)
	if w := b.ask(b.m, http.MethodPost, "/auth/logout", cookies); w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := b.count("auth_session"); n != 0 || len(b.events("sign_out")) != 2 {
		t.Errorf("%d sessions are left, audit: %v", n, b.events("sign_out"))
	}
	b.wantNoTokens(t, sales)
	b.wantNoTokens(t, manager)
}

// A process that lacks the key, as while keys are changed, takes no cookie away.
func TestStrangersKeyLeavesTheCookie(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	stranger := b.manager(b.db, mustKeys(t, key(3)))
	w := b.ask(stranger, http.MethodGet, "/auth/session", "erpgraph="+id)
	if !strings.Contains(w.Body.String(), `"signedIn":false`) || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("%s, Set-Cookie %q", w.Body, w.Header().Get("Set-Cookie"))
	}
	if w := b.ask(b.m, http.MethodGet, "/auth/session", "erpgraph="+id); !strings.Contains(w.Body.String(), sales) {
		t.Errorf("with the key: %s", w.Body)
	}
}

// A session is found by the hash of the whole id, so that neither comparing nor guessing
// bit by bit leads to one.
func TestLookupIsByHash(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.signIn(sales).session()
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	var found bool
	sum := sha256.Sum256(raw)
	if err := b.db.Pool().QueryRow(t.Context(), "select id_hash = $1 from auth_session", sum[:]).Scan(&found); err != nil || !found {
		t.Errorf("the row is not under the id's hash: %v", err)
	}
	near := map[string][]byte{"the hash itself": sum[:]}
	for _, i := range []int{0, 15, 31} {
		changed := []byte(string(raw))
		changed[i] ^= 1
		near["all but one bit of byte "+string(rune('0'+i))] = changed
	}
	for name, raw := range near {
		if _, err := b.m.Identity(b.request(base64.RawURLEncoding.EncodeToString(raw))); codeOf(err) != apierror.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A socket lives longer than the request that opened it: what runs on it is use.
func TestUseOfASocketKeepsASession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	credential := b.credential(b.m, b.signIn(sales).session())
	for range 5 {
		b.exec("update auth_session set last_seen_at = last_seen_at - interval '10 h'")
		b.clock.forward(2 * time.Second)
		if _, err := b.client.LoggedUser(t.Context(), credential); err != nil {
			t.Fatal(err)
		}
	}
}

// Who asks whose session it is does not use it, however long ERPNext takes.
func TestToAskIsNoUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	b.whoAmI = func(ctx context.Context, c frappe.Credential) (*frappe.User, error) {
		b.clock.forward(2 * time.Second)
		return b.client.WhoAmI(ctx, c)
	}
	b.exec("update auth_session set last_seen_at = now() - interval '2 h'")
	if v.status()["signedIn"] != true {
		t.Error("not signed in")
	}
	var kept bool
	if err := b.db.Pool().QueryRow(t.Context(), "select last_seen_at > now() - interval '1 h' from auth_session").Scan(&kept); err != nil || kept {
		t.Errorf("kept: %t, %v", kept, err)
	}
}

// What is known of a credential is forgotten with its session.
func TestForget(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *testBundle, v *browser){
		"signed out": func(b *testBundle, v *browser) { v.send(http.MethodPost, b.url+"/auth/logout", asPage, "{}") },
		"signed in anew": func(_ *testBundle, v *browser) {
			v.get(v.callback(manager, "/").String())
		},
		"revoked": func(b *testBundle, v *browser) {
			b.site.RevokeTokens(sales, clientID)
			_ = b.use(b.m, v.session())
		},
		"disabled": func(b *testBundle, v *browser) {
			b.whoAmI = disabled
			v.status()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var mu sync.Mutex
			forgotten := map[string]bool{}
			b.forget = func(c frappe.Credential) {
				mu.Lock()
				defer mu.Unlock()
				forgotten[c.Key()] = true
			}
			v := b.signIn(sales)
			want := b.credential(b.m, v.session()).Key()
			if forgotten[want] {
				t.Error("forgotten at once")
			}
			end(b, v)
			mu.Lock()
			defer mu.Unlock()
			if !forgotten[want] {
				t.Error("it is still known")
			}
		})
	}
}

func disabled(context.Context, frappe.Credential) (*frappe.User, error) {
	return nil, apierror.Wrap(apierror.Unauthenticated, auth.ErrDisabled, "the user is disabled in ERPNext")
}

func TestDisabledUserIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.whoAmI = disabled
	v := b.browser()
	res, body := v.get(v.callback(sales, "/").String())
	if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "Your user is disabled in ERPNext") || v.session() != "" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	if events := b.events("refused"); len(events) != 1 || events[0]["user"] != sales || events[0]["reason"] != "the user is disabled" {
		t.Errorf("audit: %v", events)
	}
	b.wantNoTokens(t, sales)
}

// One token that ERPNext fails to revoke holds up no other; an outage is not asked again
// for each token.
func TestJanitorGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.signIn(sales)
	const retire = `insert into auth_retired_token (session_hash, user_name, sealed, not_before)
		select id_hash, user_name, sealed_access, now() - make_interval(secs => n) from auth_session, generate_series(1, $1) n`
	b.exec(retire, 30)
	b.site.SetFault(simulator.Fault{Path: "revoke_token", Status: http.StatusInternalServerError, Body: `{"exc_type":"X"}`, Count: 2})
	if err := b.m.Sweep(t.Context()); codeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("got %v", err)
	}
	if n := b.count("auth_retired_token"); n != 2 {
		t.Errorf("%d tokens are left, want the 2 that failed", n)
	}
	b.exec(retire, 30)
	b.site.ClearFaults()
	b.site.SetFault(simulator.Fault{Path: "revoke_token", Drop: true})
	b.site.ResetCalls()
	if err := b.m.Sweep(t.Context()); codeOf(err) != apierror.UpstreamUnavailable {
		t.Errorf("got %v", err)
	}
	if n := len(b.site.Calls()); n != 3 {
		t.Errorf("%d calls during an outage, want 3", n)
	}
	// Those that failed come last: they hold up nobody.
	b.site.ClearFaults()
	b.exec("update auth_retired_token set not_before = now()")
	b.site.SetFault(simulator.Fault{Path: "revoke_token", Drop: true, Count: 3})
	_ = b.m.Sweep(t.Context())
	b.exec("update auth_retired_token set not_before = now()")
	if err := b.m.Sweep(t.Context()); err != nil || b.count("auth_retired_token") != 0 {
		t.Errorf("%d are left, %v", b.count("auth_retired_token"), err)
	}
}

// Whose a new token is, is kept nowhere: later it must be asked again.
func TestForgetsWhoseATokenIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	asked, forgotten := map[string]int{}, map[string]int{}
	b.whoAmI = func(ctx context.Context, c frappe.Credential) (*frappe.User, error) {
		asked[c.Key()]++
		return b.client.WhoAmI(ctx, c)
	}
	b.forget = func(c frappe.Credential) { forgotten[c.Key()]++ }
	b.signIn(sales)
	for key := range asked {
		if forgotten[key] != 2 { // before and after
			t.Errorf("forgotten %d times", forgotten[key])
		}
	}
	if len(asked) != 1 {
		t.Errorf("%d credentials were asked for", len(asked))
	}
}
