package e2e_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"erpgraph/internal/app"
	"erpgraph/internal/simulator"
)

// clock is a time that a test moves.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// identityTime is longer than an identity is cached.
const identityTime = 31 * time.Second

func TestSignIn(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	v := b.visitor(t)
	if got := v.session(t); got["signedIn"] != false {
		t.Fatalf("a stranger's session: %v", got)
	}
	page := v.logIn(t, "sales-north@example.com", "/playground/?tab=2")
	status, _ := v.get(t, v.choice(t, page, "allow"))
	if got := v.last.RequestURI(); got != "/playground/?tab=2" {
		t.Errorf("came back to %s (%d)", got, status)
	}
	session := v.session(t)
	if session["signedIn"] != true || session["user"] != "sales-north@example.com" || session["expiresAt"] == nil {
		t.Errorf("session: %v", session)
	}
	var data struct {
		Me        struct{ User string }
		Customers struct{ TotalCount int }
	}
	v.query(t, `{ me { user } customers { totalCount } }`).into(t, &data)
	if data.Me.User != "sales-north@example.com" || data.Customers.TotalCount != 252 {
		t.Errorf("north sees %+v; ERPNext shows him 252 customers", data)
	}

	// Who signs out is signed out at once, and so is whoever kept the cookie.
	stolen := v.cookie(t)
	status, _ = v.send(t, http.MethodPost, b.url+"/auth/logout", map[string]string{"Content-Type": "application/json"}, "{}")
	if status != http.StatusOK || v.session(t)["signedIn"] != false {
		t.Errorf("signing out: %d, %v", status, v.session(t))
	}
	thief := b.visitor(t)
	got := thief.post(t, b.url, map[string]string{"Content-Type": "application/json", "Cookie": sessionCookie + "=" + stolen}, []byte(`{"query":"{ me { user } }"}`))
	if got.status != http.StatusUnauthorized || len(got.codes()) != 1 || got.codes()[0] != "UNAUTHENTICATED" {
		t.Errorf("a session id after logout: %d %s", got.status, got.raw)
	}
	if live := b.site.ActiveTokens("sales-north@example.com"); live != 0 {
		t.Errorf("%d tokens go on working at ERPNext after signing out", live)
	}
}

func TestSignInDenied(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	v := b.visitor(t)
	page := v.logIn(t, "sales@example.com", "/")
	status, body := v.get(t, v.choice(t, page, "deny"))
	if status != http.StatusForbidden || !strings.Contains(body, "/auth/login") {
		t.Errorf("denied: %d %s", status, body)
	}
	if v.session(t)["signedIn"] != false || v.cookie(t) != "" {
		t.Error("a refusal signed in")
	}
	if !strings.Contains(b.log.String(), `"refused"`) {
		t.Error("the refusal is not in the log")
	}
}

// Two processes with one database, 50 requests at the moment of expiry: one refresh.
func TestOneRefresh(t *testing.T) {
	t.Parallel()
	for name, expire := range map[string]func(*bundle, *clock){
		"before the token expires":            func(_ *bundle, c *clock) { c.forward(59*time.Minute + 30*time.Second) },
		"when ERPNext refuses the good token": func(b *bundle, _ *clock) { b.site.ExpireTokens() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now clock
			one := setup(t, options{signIn: true, app: app.Options{Now: now.now}})
			two := setup(t, options{beside: one, app: app.Options{Now: now.now}})
			v := one.signIn(t, "sales@example.com")
			expire(one, &now)
			one.site.ResetCalls()

			var wg sync.WaitGroup
			for i := range 50 {
				address := []string{one.url, two.url}[i%2]
				wg.Go(func() {
					got := v.post(t, address, map[string]string{"Content-Type": "application/json"}, []byte(`{"query":"{ customers(first: 1) { totalCount nodes { name } } }"}`))
					if got.status != http.StatusOK || len(got.Errors) > 0 {
						t.Errorf("%d %s", got.status, got.raw)
					}
				})
			}
			wg.Wait()
			if n := refreshes(one); n != 1 {
				t.Errorf("%d refresh calls, want 1", n)
			}
		})
	}
}

func refreshes(b *bundle) int {
	n := 0
	for _, c := range b.site.Calls() {
		if c.Grant == "refresh_token" {
			n++
		}
	}
	return n
}

// What an administrator takes back at ERPNext ends the session within a minute, in
// every process.
func TestRevokedAtERPNext(t *testing.T) {
	t.Parallel()
	var now clock
	one := setup(t, options{signIn: true, app: app.Options{Now: now.now}})
	two := setup(t, options{beside: one, app: app.Options{Now: now.now}})
	v := one.signIn(t, "sales@example.com")
	seedRows(t, one)
	v.query(t, `{ serviceContracts { totalCount } }`).into(t, new(any))
	if n := one.site.RevokeTokens("sales@example.com", clientID); n == 0 {
		t.Fatal("there was nothing to revoke")
	}
	now.forward(identityTime)
	// Asked of the other process first, and with the cookie, which the browser drops once
	// it is told.
	kept := v.credential(t)
	for _, b := range []*bundle{two, one} {
		for _, query := range []string{`{ customers { totalCount } }`, `{ serviceContracts { totalCount } }`, `{ me { user } }`} {
			got := b.query(t, kept, query, nil)
			if codes := got.codes(); len(codes) != 1 || codes[0] != "UNAUTHENTICATED" || !strings.Contains(string(got.raw), "your session has ended") {
				t.Errorf("%s: %d %s", query, got.status, got.raw)
			}
		}
	}
	if got := v.session(t); got["signedIn"] != false || v.cookie(t) != "" {
		t.Errorf("half a minute after: %v", got)
	}
	if !strings.Contains(two.log.String(), `"revoked"`) {
		t.Error("the revocation is not in the log")
	}
}

// A role that ERPNext takes away is gone here within half a minute.
func TestRoleRemovedWhileSignedIn(t *testing.T) {
	t.Parallel()
	var now clock
	b := setup(t, options{signIn: true, app: app.Options{Now: now.now}})
	seedRows(t, b)
	v := b.signIn(t, "sales@example.com")
	const query = `{ serviceContracts { totalCount } }`
	v.query(t, query).into(t, new(any))
	if err := b.site.RemoveRole("sales@example.com", "Sales User"); err != nil {
		t.Fatal(err)
	}
	now.forward(identityTime)
	equal(t, "codes", v.query(t, query).codes(), []string{"FORBIDDEN"})
}

// ERPNext goes on accepting what a disabled user holds. With a service account
// erpgraph does not.
func TestDisabledUser(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"with a service account": "4a1c0f5be2d1100:admin00secret00a", "without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now clock
			b := setup(t, options{signIn: true, app: app.Options{Now: now.now}, config: func(c *app.Config) { c.ServiceKey = key }})
			v := b.signIn(t, "sales@example.com")
			if err := b.site.DisableUser("sales@example.com"); err != nil {
				t.Fatal(err)
			}
			now.forward(identityTime)
			byCookie, byKey := v.query(t, `{ customers { totalCount } }`), b.query(t, sales, `{ customers { totalCount } }`, nil)
			var want []string
			if key != "" {
				want = []string{"UNAUTHENTICATED"}
			}
			equal(t, "codes of the session", byCookie.codes(), want)
			equal(t, "codes of the API key", byKey.codes(), want)
			if over := strings.Contains(b.log.String(), `"revoked"`); over != (key != "") {
				t.Errorf("the session was ended: %t", over)
			}
		})
	}
}

// ERPNext sends the browser back to one address; who comes by another name of this
// machine is sent there first, or the cookies of the sign-in would stay behind.
func TestSignInByAnotherName(t *testing.T) {
	t.Parallel()
	b := setup(t, options{signIn: true})
	v := b.visitor(t)
	v.stopBefore(b.url)
	v.get(t, strings.Replace(b.url, "127.0.0.1", "localhost", 1)+"/auth/login?return_to=/playground/")
	if got, want := v.location, b.url+"/auth/login?return_to=/playground/"; got != want {
		t.Errorf("sent to %s, want %s", got, want)
	}
}

// A credential that ERPNext refuses anywhere is forgotten everywhere.
func TestRefusedFileForgetsTheCaller(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	b.meet(t, sales)
	if err := b.site.AddUser(simulator.User{Name: "sales@example.com", APIKey: "4a1c0f5be2d1101", APISecret: "another00secret"}); err != nil {
		t.Fatal(err)
	}
	b.meet(t, sales) // for half a minute nobody would ask
	status, body := b.visitor(t).send(t, http.MethodGet, b.url+"/private/files/x.txt", map[string]string{"Authorization": sales}, "")
	if status != http.StatusUnauthorized {
		t.Fatalf("the file: %d %s", status, body)
	}
	equal(t, "codes", b.query(t, sales, `{ me { user } }`, nil).codes(), []string{"UNAUTHENTICATED"})
}
