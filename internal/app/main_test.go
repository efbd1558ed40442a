package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"erpgraph/internal/app"
)

// output is a writer that tests can read while the program writes.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func newOutput() *output { return &output{written: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.written <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// waitFor waits until the program has written what matches, and gives the submatches.
func (o *output) waitFor(t *testing.T, pattern string, ended <-chan int) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(5 * time.Minute) // a first start downloads PostgreSQL
	for {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m
		}
		select {
		case <-o.written:
		case code := <-ended:
			t.Fatalf("ended with %d before it wrote %s:\n%s", code, pattern, o)
		case <-limit:
			t.Fatalf("never wrote %s:\n%s", pattern, o)
		}
	}
}

// start runs the program; stop ends it as Ctrl-C does and gives its exit code.
func start(t *testing.T, args ...string) (out *output, ended <-chan int, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out = newOutput()
	done := make(chan int, 1)
	go func() { done <- app.Main(ctx, args, out, out) }()
	var once sync.Once
	code := -1
	stop = func() int {
		once.Do(func() { cancel(); code = <-done })
		return code
	}
	t.Cleanup(func() { stop() })
	return out, done, stop
}

// signIn is a command line of `serve` with sign-in, and more.
func signIn(more ...string) []string {
	return append([]string{
		"serve", "--erpnext-url", "https://e", "--erpnext-oauth-client-id", "x", "--erpnext-oauth-client-secret", "hidden",
	}, more...)
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	return send(t, http.MethodGet, url, "", "")
}

func send(t *testing.T, method, url, authorization, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// The demo needs nothing but itself: it says where everything is, each user's header
// works as it stands, and it starts again over the same data.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var first string
	for run := range 2 {
		out, ended, stop := start(t, "demo", "--listen", "127.0.0.1:0", "--erpnext-listen", "127.0.0.1:0", "--data-dir", dir)
		graph := out.waitFor(t, `Graph +(http://\S+)/graphql`, ended)[1]
		out.waitFor(t, `Stop with Ctrl-C`, ended)

		query := regexp.MustCompile(`-d '(.*)'`).FindStringSubmatch(out.String())
		if query == nil {
			t.Fatalf("no query to try:\n%s", out)
		}
		status, answer := send(t, http.MethodPost, graph+"/graphql", "token sales:demo", query[1])
		if status != http.StatusOK || strings.Contains(answer, `"errors"`) || !strings.Contains(answer, `"customerName":"`) {
			t.Errorf("the query to try: %d %s", status, answer)
		}
		for _, user := range regexp.MustCompile(`(\S+@example\.com) +(token \S+:demo)`).FindAllStringSubmatch(out.String(), -1) {
			if _, answer := send(t, http.MethodPost, graph+"/graphql", user[2], `{"query":"{ me { user } }"}`); !strings.Contains(answer, user[1]) {
				t.Errorf("%s: %s", user[2], answer)
			}
		}
		_, contracts := send(t, http.MethodPost, graph+"/graphql", "token sales:demo",
			`{"query":"{ serviceContracts(first: 3) { totalCount nodes { id customer { name } } } }"}`)
		if !strings.Contains(contracts, `"totalCount":`) || strings.Contains(contracts, `"totalCount":0`) {
			t.Errorf("example rows: %s", contracts)
		}
		if run == 0 {
			first = contracts
		} else if contracts != first {
			t.Errorf("after a restart over the same data:\n%s\nbefore:\n%s", contracts, first)
		}
		for path, want := range map[string]string{"/": "erpgraph", "/healthz": "alive", "/readyz": `"status":"ready"`} {
			if status, body := get(t, graph+path); status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		if code := stop(); code != 0 {
			t.Fatalf("stopped with %d:\n%s", code, out)
		}
	}
}

// A server whose ERPNext and database are down comes up, and says so.
func TestServeWithoutUpstream(t *testing.T) {
	t.Parallel()
	out, ended, stop := start(t, "serve", "--listen", "127.0.0.1:0", "--log-format", "json",
		"--erpnext-url", "http://127.0.0.1:1", "--database-url", "postgres://erpgraph:secret-word@127.0.0.1:1/none")
	address := out.waitFor(t, `"msg":"serving","listen":"([^"]+)"`, ended)[1]
	out.waitFor(t, `ERPNext can't be reached.*ERPNEXT_URL`, ended)

	status, body := get(t, "http://"+address+"/readyz")
	var ready struct {
		Status string
		Checks []struct {
			Name string
			OK   bool
		}
	}
	if err := json.Unmarshal([]byte(body), &ready); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if status != http.StatusServiceUnavailable || len(ready.Checks) != 3 || ready.Checks[0].OK || ready.Checks[1].OK || ready.Checks[2].OK {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _ := get(t, "http://"+address+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	_, answer := send(t, http.MethodPost, "http://"+address+"/graphql", "token k3y:s3cr3t", `{"query":"{ customers { nodes { name } } }"}`)
	if !strings.Contains(answer, "UPSTREAM_UNAVAILABLE") {
		t.Errorf("a query: %s", answer)
	}
	if code := stop(); code != 0 {
		t.Errorf("stopped with %d", code)
	}
	if !strings.Contains(body, "ERPNEXT_URL") {
		t.Errorf("/readyz does not say what to look at: %s", body)
	}
	for _, secret := range []string{"secret-word", "s3cr3t"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the log tells %q:\n%s", secret, out)
		}
	}
}

// Wrong settings are named, with what they are for, and end the program with 2.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "expected one of"},
		{"no site", []string{"serve"}, "ERPNEXT_URL: is not set; it is the address of the ERPNext site"},
		{"no address", []string{"serve", "--erpnext-url", "erp.example.com"}, "ERPNEXT_URL: must be an address that begins with http"},
		{"password in the address", []string{"serve", "--erpnext-url", "https://u:hidden@erp.example.com"}, "must not contain a user or password"},
		{"public address", []string{"serve", "--erpnext-url", "https://e", "--public-url", "x"}, "PUBLIC_URL: must be an address"},
		{"listen", []string{"serve", "--erpnext-url", "https://e", "--listen", "nowhere:x"}, "LISTEN: can't listen on nowhere:x"},
		{"log level", []string{"serve", "--log-level", "loud"}, "--log-level"},
		{"service key", []string{"serve", "--erpnext-url", "https://e", "--erpnext-service-key", "onlykey"}, "ERPNEXT_SERVICE_KEY: must be key:secret"},
		{"a host beyond ASCII", []string{"serve", "--erpnext-url", "https://e", "--public-url", "https://münchen.example"}, "PUBLIC_URL: must have its host as browsers send it"},
		{"half an address", []string{"serve", "--erpnext-url", "https://e", "--public-url", "http://127.1"}, "PUBLIC_URL: must have its host as browsers send it"},
		{"origin", []string{"serve", "--erpnext-url", "https://e", "--cors-origins", "https://app.example.com/"}, "CORS_ORIGINS: "},
		{"any origin", []string{"serve", "--erpnext-url", "https://e", "--cors-origins", "*"}, "CORS_ORIGINS: "},
		{"half of sign-in", []string{"serve", "--erpnext-url", "https://e", "--erpnext-oauth-client-id", "x"}, "ERPNEXT_OAUTH_CLIENT_SECRET: is not set"},
		{"the other half", []string{"serve", "--erpnext-url", "https://e", "--erpnext-oauth-client-secret", "hidden"}, "ERPNEXT_OAUTH_CLIENT_ID: is not set"},
		{"short webhook secret", []string{"serve", "--erpnext-url", "https://e", "--erpnext-webhook-secrets", "a-long-enough-secret,hidden"}, "ERPNEXT_WEBHOOK_SECRETS: has a secret shorter"},
		{"log shorter than sockets", []string{"serve", "--erpnext-url", "https://e", "--event-retention", "1h"}, "EVENT_RETENTION: must be longer than SOCKET_LIFETIME"},
		{"no events", []string{"serve", "--erpnext-url", "https://e", "--event-rows", "0"}, "EVENT_ROWS: must be at least 1"},
		{"no interval", []string{"serve", "--erpnext-url", "https://e", "--catchup-interval", "0s"}, "CATCHUP_INTERVAL: must be longer"},
		{"no key", signIn("--database-url", "postgres://127.0.0.1:1/x"), "SESSION_KEYS: is not set"},
		{"keys that are none", signIn("--session-keys", "hidden"), "SESSION_KEYS: "},
		{"no lifetime", signIn("--session-lifetime", "0s"), "SESSION_LIFETIME"},
		{"plain http", signIn("--public-url", "http://graph.example.com"), "PUBLIC_URL: must begin with https://"},
		{"a path", signIn("--public-url", "https://graph.example.com/x"), "PUBLIC_URL: must be scheme and host"},
		{"a port of its own", signIn("--public-url", "https://graph.example.com:443"), "PUBLIC_URL: must be scheme and host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := newOutput()
			code := app.Main(t.Context(), c.args, out, out)
			if code != 2 || !strings.Contains(out.String(), c.want) {
				t.Errorf("exit %d: %s", code, out)
			}
			for _, secret := range []string{"hidden", "onlykey"} {
				if strings.Contains(out.String(), secret) {
					t.Errorf("told %q: %s", secret, out)
				}
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"demo", "--help"}} {
		out := newOutput()
		if code := app.Main(t.Context(), args, out, out); code != 0 || !strings.Contains(out.String(), "Usage: erpgraph") {
			t.Errorf("%v: exit %d: %s", args, code, out)
		}
	}
}
