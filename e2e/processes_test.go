package e2e_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"erpgraph/internal/app"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/simulator"
)

// serveVariable makes the test's own binary a server: see TestMain.
const serveVariable = "ERPGRAPH_E2E_SERVE"

// serveUntilStopped is `erpgraph serve`, until it is told to stop.
func serveUntilStopped() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var opts app.Options
	if os.Getenv(dieVariable) != "" {
		opts.AfterWrite = func(context.Context) { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	}
	return app.MainWith(ctx, []string{"serve"}, os.Stdout, os.Stderr, opts)
}

// dieVariable makes a process end by SIGKILL as soon as ERPNext has answered to a write.
const dieVariable = "ERPGRAPH_E2E_DIE_AFTER_WRITE"

// process starts `serve` with the bundle's site and database on an address, and waits
// until it is ready; it gives its process id. settings are further environment variables.
func (b *bundle) process(t testing.TB, address string, settings ...string) (pid int) {
	t.Helper()
	cmd, err := b.command(t.Context(), address, settings...)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // it was told to stop by its context, and may say so
	})
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		if ready(t, "http://"+address+"/readyz") {
			return cmd.Process.Pid
		}
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatalf("not ready:\n%s", b.log)
		}
	}
}

// command is `serve` with the bundle's site and database.
func (b *bundle) command(ctx context.Context, address string, settings ...string) (*exec.Cmd, error) {
	database, err := url.Parse(b.db.Pool().Config().ConnString())
	if err != nil {
		return nil, err
	}
	query := database.Query()
	query.Set("search_path", b.db.Pool().Config().ConnConfig.RuntimeParams["search_path"])
	database.RawQuery = query.Encode()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"=1", "LISTEN="+address, "PUBLIC_URL="+b.url, "ERPNEXT_URL="+b.siteURL,
		"DATABASE_URL="+database.String(), "ERPNEXT_OAUTH_CLIENT_ID="+clientID, "ERPNEXT_OAUTH_CLIENT_SECRET="+clientSecret,
		"SESSION_KEYS="+sessionKey, "LOG_FORMAT=json", "LOG_LEVEL=debug")
	cmd.Env = append(cmd.Env, settings...)
	cmd.Stderr = b.log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd, nil
}

func ready(t testing.TB, address string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// Two `serve` processes on one database: 50 requests at once, to both, when ERPNext has
// just stopped accepting the token. One of them refreshes it, once; all are answered.
func TestOneRefreshOfTwoProcesses(t *testing.T) {
	t.Parallel()
	first, second := freeAddress(t), freeAddress(t)
	site, err := newSite()
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{site: site, url: "http://" + first, log: &logBuffer{}, db: postgrestest.New(t)}
	server := httptest.NewServer(site.Handler())
	t.Cleanup(server.Close)
	b.siteURL = server.URL
	if err := site.AddClient(simulator.OAuthClient{ID: clientID, Secret: clientSecret, RedirectURI: b.url + "/auth/callback", Scopes: "all openid"}); err != nil {
		t.Fatal(err)
	}
	b.process(t, first)
	b.process(t, second)
	v := b.signIn(t, "sales@example.com")
	site.ExpireTokens()
	site.ResetCalls()
	var wg sync.WaitGroup
	for i := range 50 {
		address := "http://" + []string{first, second}[i%2]
		wg.Go(func() {
			got := v.post(t, address, map[string]string{"Content-Type": "application/json"}, []byte(`{"query":"{ customers(first: 1) { totalCount nodes { name } } }"}`))
			if got.status != http.StatusOK || len(got.Errors) > 0 {
				t.Errorf("%d %s", got.status, got.raw)
			}
		})
	}
	wg.Wait()
	if n := refreshes(b); n != 1 {
		t.Errorf("%d refresh calls, want 1", n)
	}
	b.searchSecrets(t)
}
