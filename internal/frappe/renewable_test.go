package frappe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
)

// tokens is a source whose token is "t0", then "t1" once that was refused, and so on.
type tokens struct {
	tokenErr, renewErr error
	renew              func(ctx context.Context) error // what a renewal does besides

	mu      sync.Mutex
	version int
	asked   int
	refused []string
}

func (s *tokens) current() string { return fmt.Sprintf("t%d", s.version) }

func (s *tokens) Token(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.current(), s.tokenErr
}

func (s *tokens) Renew(ctx context.Context, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, refused)
	if s.renewErr != nil {
		return "", s.renewErr
	}
	if s.renew != nil {
		if err := s.renew(ctx); err != nil {
			return "", err
		}
	}
	if refused == s.current() {
		s.version++
	}
	return s.current(), nil
}

// accepts answers 401 to all tokens but one.
func accepts(token string, good http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			answer401.ServeHTTP(w, r)
			return
		}
		good.ServeHTTP(w, r)
	})
}

var answer401 = answer{
	Status: http.StatusUnauthorized, Headers: map[string]string{"Content-Type": "application/json"},
	Body: `{"exc_type": "AuthenticationError"}`,
}

// readers are the ways to make a call; all of them renew.
var readers = map[string]func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error{
	"read": func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error {
		_, err := c.Document(ctx, cred, "Customer", "X")
		return err
	},
	"write": func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error {
		_, err := c.Insert(ctx, cred, "Customer", map[string]any{"customer_name": "X"})
		return err
	},
	"method": func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error {
		_, err := c.CallMethod(ctx, cred, "app.api.work", nil)
		return err
	},
	"upload": func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error {
		_, err := c.Upload(ctx, cred, textFile("x"))
		return err
	},
	"file": func(ctx context.Context, c *frappe.Client, cred frappe.Credential) error {
		stream, err := c.File(ctx, cred, "/files/x")
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, stream.Body)
		return errors.Join(err, stream.Body.Close())
	},
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	ended := apierror.New(apierror.Unauthenticated, "the session has ended")
	for name, c := range map[string]struct {
		site    http.Handler
		token   error // of the source
		renewal error
		code    apierror.Code
		calls   int
		refused string
	}{
		"a good token":                   {site: accepts("t0", document), calls: 1},
		"refused, renewed, repeated":     {site: accepts("t1", document), calls: 2, refused: "t0"},
		"the second 401 is final":        {site: accepts("t9", document), calls: 2, refused: "t0", code: apierror.Unauthenticated},
		"the session has ended":          {site: accepts("t1", document), renewal: ended, calls: 1, refused: "t0", code: apierror.Unauthenticated},
		"a renewal fails without a code": {site: accepts("t1", document), renewal: errors.New("no database"), calls: 1, refused: "t0", code: apierror.UpstreamUnavailable},
		"403 says nothing of the token":  {site: status(403), calls: 1, code: apierror.Forbidden},
		"nor does 500":                   {site: status(500), calls: 1, code: apierror.UpstreamUnavailable},
		"no token, by a code":            {token: ended, code: apierror.Unauthenticated},
		"no token, by an outage":         {token: errors.New("no database"), code: apierror.UpstreamUnavailable},
	} {
		for kind, read := range readers {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				b := setup(t, frappe.Config{}, c.site)
				source := &tokens{tokenErr: c.token, renewErr: c.renewal}
				err := read(t.Context(), b.Client, frappe.Renewable("session", source))
				if apierror.CodeOf(err) != c.code || b.count() != c.calls || source.asked != 1 {
					t.Errorf("got %v after %d calls and %d tokens, want %q after %d", err, b.count(), source.asked, c.code, c.calls)
				}
				if got := strings.Join(source.refused, " "); got != c.refused {
					t.Errorf("renewed %q, want %q", got, c.refused)
				}
				if cause := errors.Join(c.token, c.renewal); errors.Is(cause, ended) && !errors.Is(err, ended) {
					t.Errorf("the source's error is lost: %v", err)
				}
			})
		}
	}
}

// The tries of a call that met a renewal are counted as without it.
func TestRenewalIsNoRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := []answer{status(502), answer401, status(503), document}
		var retries []bool
		client := offline(t, frappe.Config{Retries: 2}, func(*http.Request) (*http.Response, error) {
			next := answers[0]
			answers = answers[1:]
			return reply(next), nil
		})
		ctx := frappe.WithObserver(t.Context(), func(c frappe.Call) { retries = append(retries, c.Retry) })
		source := &tokens{}
		if _, err := client.Document(ctx, frappe.Renewable("s", source), "Customer", "X"); err != nil {
			t.Error(err)
		}
		if fmt.Sprint(retries) != "[false true true true]" || len(source.refused) != 1 {
			t.Errorf("told %v, renewed %v", retries, source.refused)
		}
	})
}

// To renew may need a call through the same client, while all other calls wait for it.
func TestRenewalNeedsNoPlace(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{MaxConcurrent: 1, Timeout: 5 * time.Second}, accepts("t1", document))
	source := &tokens{renew: func(ctx context.Context) error {
		inner, err := frappe.ParseAuthorization("Bearer t1")
		if err != nil {
			return err
		}
		_, err = b.Document(ctx, inner, "Customer", "token endpoint")
		return err
	}}
	session := frappe.Renewable("s", source)
	var wg sync.WaitGroup
	for range 20 {
		for kind, read := range readers {
			wg.Go(func() {
				if err := read(t.Context(), b.Client, session); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			})
		}
	}
	wg.Wait()
	for _, refused := range source.refused {
		if refused != "t0" {
			t.Errorf("a good token was refused: %s", refused)
		}
	}
}

func TestRenewalHonoursContext(t *testing.T) {
	t.Parallel()
	for kind, read := range readers {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := offline(t, frappe.Config{Timeout: 10 * time.Second}, func(*http.Request) (*http.Response, error) {
					return reply(answer401), nil
				})
				source := &tokens{renew: func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				}}
				start := time.Now()
				err := read(t.Context(), client, frappe.Renewable("s", source))
				if apierror.CodeOf(err) != apierror.UpstreamTimeout || time.Since(start) != 10*time.Second {
					t.Errorf("got %v after %s", err, time.Since(start))
				}
			})
		})
	}
}

// fixed is a source that fmt would print, were it reachable.
type fixed string

func (f fixed) Token(context.Context) (string, error)         { return string(f), nil }
func (f fixed) Renew(context.Context, string) (string, error) { return string(f), nil }

// What is no one word never leaves: ERPNext would run it as Guest.
func TestRenewableTokens(t *testing.T) {
	t.Parallel()
	b := setup(t, frappe.Config{}, document)
	for _, token := range []fixed{"", "a b", "a\r\nX-Evil: 1", "é", fixed(strings.Repeat("x", 9000))} {
		_, err := b.Document(t.Context(), frappe.Renewable("s", token), "Customer", "X")
		if apierror.CodeOf(err) != apierror.Unauthenticated || b.count() != 0 {
			t.Errorf("%.20q: %v after %d calls", string(token), err, b.count())
		}
	}
}

func TestRenewableKeys(t *testing.T) {
	t.Parallel()
	first, again, other := frappe.Renewable("a", fixed("x")), frappe.Renewable("a", fixed("y")), frappe.Renewable("b", fixed("x"))
	if len(first.Key()) != 32 || first.Key() != again.Key() || first.Key() == other.Key() {
		t.Errorf("keys %s %s %s", first.Key(), again.Key(), other.Key())
	}
	header, err := frappe.ParseAuthorization("Bearer a")
	if err != nil || header.Key() == first.Key() {
		t.Errorf("a session's key is a token's: %v", err)
	}
	if !frappe.Renewable("", fixed("x")).IsZero() || !frappe.Renewable("a", nil).IsZero() {
		t.Error("half a credential is one")
	}
}
