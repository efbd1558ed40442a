package session_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Browsers that come back with nonsense for a code, all at once: ERPNext is asked for a
// few at a time, and the others are told to come again.
func TestCallbackFlood(t *testing.T) {
	t.Parallel()
	const all, places = 40, 4
	b := setup(t)
	b.m.WaitForPlace(10 * time.Millisecond)
	var calls atomic.Int32
	goOn := make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	b.atSite = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "get_token") {
			if calls.Add(1) > places {
				release()
			}
			<-goOn
		}
		return false
	}
	busy := make(chan int, all)
	var wg sync.WaitGroup
	for range all {
		v := b.browser()
		wg.Go(func() {
			at := v.begin("/")
			res, _ := v.get(b.url + "/auth/callback?code=nonsense&state=" + url.QueryEscape(at.Query().Get("state")))
			busy <- res.StatusCode
		})
	}
	for range all - places {
		if status := <-busy; status != http.StatusServiceUnavailable {
			t.Errorf("status %d", status)
		}
	}
	release()
	wg.Wait()
	if n := calls.Load(); n != places {
		t.Errorf("%d codes at once", n)
	}
}

// Who finds no place may try again with the same address: nothing was taken.
func TestBusy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.m.WaitForPlace(10 * time.Millisecond)
	var held atomic.Int32
	arrived, goOn := make(chan struct{}), make(chan struct{})
	b.atSite = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "get_token") && held.Add(1) <= 4 {
			arrived <- struct{}{}
			<-goOn
		}
		return false
	}
	v := b.browser()
	back := v.callback(sales, "/there").String()
	var wg sync.WaitGroup
	for range 4 {
		other := b.browser()
		at := other.begin("/")
		wg.Go(func() { other.get(b.url + "/auth/callback?code=x&state=" + at.Query().Get("state")) })
		<-arrived
	}
	res, body := v.get(back)
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "try again") || !strings.Contains(body, "return_to=%2Fthere") {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	close(goOn)
	wg.Wait()
	if res, body := v.get(back); res.StatusCode != http.StatusSeeOther {
		t.Errorf("again: %d %s", res.StatusCode, body)
	}
}

// Whoever calls the address of a refusal without having begun anything fills no log that
// somebody is woken by.
func TestStrangersRefusalIsNoWarning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.browser()
	v.get(b.url + "/auth/callback?error=access_denied")
	v.begin("/")
	v.get(b.url + "/auth/callback?error=access_denied")
	events := b.events("refused")
	if len(events) != 2 || events[0]["level"] != "INFO" || events[1]["level"] != "WARN" {
		t.Errorf("audit: %v", events)
	}
}

// A database that hangs keeps no request.
func TestDatabaseHangs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.signIn(sales)
	back := b.browser()
	callback := back.callback(sales, "/").String()
	b.m.DatabaseTime(50 * time.Millisecond)
	tx, err := b.db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"set local idle_in_transaction_session_timeout = '20 s'", // a test that fails ends too
		"lock table auth_session, auth_login_used in access exclusive mode",
	} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.m.Identity(b.request(v.session())); codeOf(err) != "UPSTREAM_TIMEOUT" {
		t.Errorf("identity: %v", err)
	}
	if res, body := v.get(b.url + "/auth/session"); res.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("status: %d %s", res.StatusCode, body)
	}
	if res, body := v.send(http.MethodPost, b.url+"/auth/logout", asPage, "{}"); res.StatusCode != http.StatusGatewayTimeout || v.session() == "" {
		t.Errorf("logout: %d %s", res.StatusCode, body)
	}
	if res, body := back.get(callback); res.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("callback: %d %s", res.StatusCode, body)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.m.DatabaseTime(5 * time.Second)
	if got := v.status(); got["signedIn"] != true {
		t.Errorf("afterwards: %v", got)
	}
}
