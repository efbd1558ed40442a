package auth_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/auth"
	"erpgraph/internal/frappe"
)

// erpnext is an upstream with one user.
type erpnext struct {
	mu       sync.Mutex
	user     frappe.User
	disabled bool
	whoErr   error
	checkErr error
	before   func(ctx context.Context) error // an answer waits for it
	asked    int
	checked  []string // the users whom the service account was asked for
	service  string   // the key of the account
}

func (e *erpnext) WhoAmI(ctx context.Context, _ frappe.Credential) (*frappe.User, error) {
	e.mu.Lock()
	e.asked++
	user, err, before := e.user, e.whoErr, e.before
	e.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	return &user, nil
}

func (e *erpnext) UserEnabled(_ context.Context, service frappe.Credential, user string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.checked = append(e.checked, user)
	e.service = service.Key()
	return !e.disabled, e.checkErr
}

// set changes the site.
func (e *erpnext) set(change func(e *erpnext)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

func (e *erpnext) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bundle is a Directory with all that it depends on.
type bundle struct {
	*auth.Directory
	site  *erpnext
	clock *clock
	log   *bytes.Buffer
	cred  frappe.Credential
}

const serviceHeader = "token service:s3cr3tvalue"

func setup(t *testing.T, service bool) *bundle {
	t.Helper()
	b := &bundle{
		site:  &erpnext{user: frappe.User{Name: "sales@example.com", FullName: "Sally Sales", Roles: []string{"Sales User", "All"}}},
		clock: &clock{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)},
		log:   &bytes.Buffer{},
		cred:  mustParse(t, "token a:b").Credential(),
	}
	cfg := auth.DirectoryConfig{Upstream: b.site, Now: b.clock.Now, Logger: slog.New(slog.NewTextHandler(b.log, nil))}
	if service {
		cfg.Service = mustParse(t, serviceHeader).Credential()
	}
	b.Directory = auth.NewDirectory(cfg)
	t.Cleanup(b.Close)
	return b
}

// who asks, and wants a code; "" for a user. What it returns is never nil.
func (b *bundle) who(t *testing.T, want apierror.Code) *frappe.User {
	t.Helper()
	user, err := b.Who(t.Context(), b.cred)
	if apierror.CodeOf(err) != want || (err == nil) != (user != nil) {
		t.Errorf("got %+v, %v, want code %q", user, err, want)
	}
	if user == nil {
		return &frappe.User{Roles: []string{"none"}}
	}
	return user
}

func TestWhoIsRemembered(t *testing.T) {
	t.Parallel()
	b := setup(t, false)
	if got := b.who(t, ""); !cmp.Equal(*got, b.site.user) {
		t.Errorf("got %+v", got)
	}
	b.site.set(func(e *erpnext) { e.user.Roles = []string{"All"} })
	b.clock.advance(30*time.Second - 1)
	if got := b.who(t, ""); b.site.count() != 1 || len(got.Roles) != 2 {
		t.Errorf("asked %d times, got %+v", b.site.count(), got)
	}
	b.clock.advance(1)
	if got := b.who(t, ""); b.site.count() != 2 || !cmp.Equal(got.Roles, []string{"All"}) {
		t.Errorf("a role that was taken away: asked %d times, got %+v", b.site.count(), got)
	}
	if b.ChecksDisabled() || len(b.site.checked) != 0 {
		t.Errorf("without a service account it checked %v", b.site.checked)
	}
}

// The time counts from the question, so that no answer is believed for longer.
func TestWhoCountsFromTheQuestion(t *testing.T) {
	t.Parallel()
	b := setup(t, false)
	b.site.before = func(context.Context) error {
		b.clock.advance(20 * time.Second)
		return nil
	}
	b.who(t, "")
	b.clock.advance(10 * time.Second)
	if b.who(t, ""); b.site.count() != 2 {
		t.Errorf("asked %d times", b.site.count())
	}
}

func TestWhoKeepsCredentialsApart(t *testing.T) {
	t.Parallel()
	b := setup(t, false)
	b.who(t, "")
	b.site.set(func(e *erpnext) { e.user.Name = "north@example.com" })
	b.cred = mustParse(t, "token a:c").Credential()
	if got := b.who(t, ""); got.Name != "north@example.com" {
		t.Errorf("got %+v", got)
	}
	b.cred = frappe.Credential{}
	if b.who(t, apierror.Unauthenticated); b.site.count() != 2 {
		t.Error("nobody was asked for")
	}
}

// What one caller does with its user is not seen by others.
func TestWhoGivesCopies(t *testing.T) {
	t.Parallel()
	b := setup(t, false)
	for range 2 {
		got := b.who(t, "")
		got.Name, got.Roles[0] = "Administrator", "System Manager"
	}
	if got := b.who(t, ""); got.Name != "sales@example.com" || got.Roles[0] != "Sales User" {
		t.Errorf("got %+v", got)
	}
}

func TestFailuresAreNotRemembered(t *testing.T) {
	t.Parallel()
	b := setup(t, false)
	for i, code := range []apierror.Code{apierror.UpstreamUnavailable, apierror.Unauthenticated, apierror.RateLimited} {
		b.site.set(func(e *erpnext) { e.whoErr = apierror.New(code, "no") })
		if b.who(t, code); b.site.count() != i+1 {
			t.Errorf("asked %d times", b.site.count())
		}
	}
	b.site.set(func(e *erpnext) { e.whoErr = nil })
	b.who(t, "")
}

func TestDisabledUsers(t *testing.T) {
	t.Parallel()
	b := setup(t, true)
	b.who(t, "")
	service := mustParse(t, serviceHeader).Credential()
	if !b.ChecksDisabled() || !cmp.Equal(b.site.checked, []string{"sales@example.com"}) || b.site.service != service.Key() {
		t.Errorf("checked %v", b.site.checked)
	}
	b.site.set(func(e *erpnext) { e.disabled = true })
	b.who(t, "") // for half a minute
	b.clock.advance(30 * time.Second)
	for range 2 { // the verdict is kept too
		if _, err := b.Who(t.Context(), b.cred); apierror.CodeOf(err) != apierror.Unauthenticated || !strings.Contains(err.Error(), "the user is disabled") {
			t.Errorf("got %v", err)
		}
	}
	if b.site.count() != 2 {
		t.Errorf("asked %d times", b.site.count())
	}
	b.site.set(func(e *erpnext) { e.disabled = false })
	b.clock.advance(30 * time.Second)
	b.who(t, "")
}

// Who can't be checked does not get in; the operator reads why, now and then.
func TestServiceAccountFails(t *testing.T) {
	t.Parallel()
	for code, its := range map[apierror.Code]bool{ // whether it is the account's fault
		apierror.Forbidden: true, apierror.Unauthenticated: true,
		apierror.UpstreamUnavailable: false, apierror.UpstreamTimeout: false, apierror.RateLimited: false,
	} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			b := setup(t, true)
			b.site.checkErr = &frappe.Error{Code: code, Method: "frappe.client.get_list"}
			want := code
			if its {
				want = apierror.UpstreamUnavailable
			}
			for range 3 {
				_, err := b.Who(t.Context(), b.cred)
				public, _ := apierror.As(err)
				if apierror.CodeOf(err) != want || strings.Contains(public.Message, "ERPNEXT_SERVICE_KEY") != its {
					t.Errorf("got %v", err)
				}
				if _, isUpstreams := errors.AsType[*frappe.Error](err); isUpstreams == its {
					t.Errorf("taken for the caller's error: %v", err)
				}
			}
			if lines := strings.Count(b.log.String(), "level=WARN"); lines != map[bool]int{true: 1}[its] {
				t.Errorf("logged %s", b.log)
			}
			b.clock.advance(30 * time.Second)
			b.who(t, want)
			if lines := strings.Count(b.log.String(), "level=WARN"); lines != map[bool]int{true: 2}[its] {
				t.Errorf("logged %s", b.log)
			}
			if strings.Contains(b.log.String(), "s3cr3t") {
				t.Errorf("the log tells the key: %s", b.log)
			}
			b.site.set(func(e *erpnext) { e.checkErr = nil })
			b.who(t, "")
		})
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	b := setup(t, false)
	b.who(t, "")
	b.Forget(b.cred)
	b.Forget(mustParse(t, "token never:seen").Credential())
	b.site.set(func(e *erpnext) { e.whoErr = apierror.New(apierror.Unauthenticated, "revoked") })
	b.who(t, apierror.Unauthenticated)
}
