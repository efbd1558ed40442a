//go:build unix

package embedded

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dataDir is a directory that also an unprivileged account can reach; t.TempDir is closed.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "erpgraph-embedded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, ".erpgraph")
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func execute(t *testing.T, s *Server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestRestartKeepsData(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := start(t, dir)
	first := s.URL()
	execute(t, s, "create table kept (x int)")
	if _, err := Start(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("second start: %v, want ErrInUse", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("second stop: %v", err)
	}
	s = start(t, dir)
	execute(t, s, "insert into kept values (1)")
	if s.URL() != first {
		t.Error("port or password changed over a restart")
	}
	info, err := os.Stat(filepath.Join(dir, "postgres.password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v, %v", info.Mode(), err)
	}
}

func TestServerRefusesOthers(t *testing.T) {
	t.Parallel()
	s := start(t, dataDir(t))
	cfg, err := pgx.ParseConfig(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Password = "postgres"
	if _, err := pgx.ConnectConfig(t.Context(), cfg); err == nil {
		t.Error("a wrong password got in")
	}
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var addresses, sockets string
	err = conn.QueryRow(t.Context(), "select current_setting('listen_addresses'), current_setting('unix_socket_directories')").Scan(&addresses, &sockets)
	if err != nil || addresses != "127.0.0.1" || sockets != "" {
		t.Errorf("listens on %q and %q, %v", addresses, sockets, err)
	}
}

func TestStartAfterCrash(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := start(t, dir)
	execute(t, s, "create table kept (x int)")
	if err := s.proc.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.proc.done
	if err := s.lock.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, start(t, dir), "insert into kept values (1)")
}

func TestStartEndsOrphan(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	orphan := start(t, dir)
	execute(t, orphan, "create table kept (x int)")
	if err := orphan.lock.Close(); err != nil { // as the kernel does when its owner is killed
		t.Fatal(err)
	}
	s := start(t, dir)
	select {
	case <-orphan.proc.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the orphan still runs")
	}
	execute(t, s, "insert into kept values (1)")
}

func TestStartDespiteReusedPID(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := start(t, dir)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if !foreign(os.Getpid()) {
		return // this platform can't tell one program from another
	}
	file := filepath.Join(dir, "postgres", "data", "postmaster.pid")
	content := strconv.Itoa(os.Getpid()) + "\n" + filepath.Dir(file) + "\n1700000000\n1\n\n127.0.0.1\n0 0\nready\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	execute(t, start(t, dir), "select 1")
}

func TestCancelledStart(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Config{Dir: dir}); err == nil {
		t.Fatal("started under a cancelled context")
	}
	execute(t, start(t, dir), "select 1")
}

func TestStartBesidePortThief(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := start(t, dir)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	cfg, err := pgx.ParseConfig(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	thief, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(cfg.Port))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = thief.Close() }()
	execute(t, start(t, dir), "select 1")
}

func TestBrokenServerTellsWhy(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Config{Dir: dataDir(t), Settings: map[string]string{"shared_buffers": "nonsense"}})
	if err == nil || !strings.Contains(err.Error(), "shared_buffers") {
		t.Errorf("got %v", err)
	}
}

func TestForeignFilesStay(t *testing.T) {
	t.Parallel()
	acc := &account{uid: uint32(os.Geteuid()) + 1} // an id that is not ours
	dir := dataDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "postgres", "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := findPlace(dir, acc); err == nil {
		t.Error("took a directory of another user")
	}
	linked := dataDir(t)
	if err := os.MkdirAll(linked, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(linked, "postgres")); err != nil {
		t.Fatal(err)
	}
	if _, err := findPlace(linked, acc); err == nil {
		t.Error("followed a foreign link")
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	open := filepath.Dir(dataDir(t))
	closed := filepath.Join(open, "closed", "inner")
	if err := os.MkdirAll(closed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(closed), 0o700); err != nil {
		t.Fatal(err)
	}
	if !reachable(open) || reachable(closed) {
		t.Errorf("reachable: open %t, closed %t", reachable(open), reachable(closed))
	}
}

func TestReadPID(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		content   string
		pid, port int
		ok        bool
	}{
		"whole":    {"123\n/data\n1\n5432\n\n127.0.0.1\n", 123, 5432, true},
		"short":    {"123\n", 123, 0, true},
		"empty":    {"", 0, 0, false},
		"garbage":  {"x\n", 0, 0, false},
		"init":     {"1\n", 0, 0, false},
		"negative": {"-1\n", 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "postmaster.pid")
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			pid, port, ok := readPID(path)
			if pid != tc.pid || port != tc.port || ok != tc.ok {
				t.Errorf("%d %d %t", pid, port, ok)
			}
		})
	}
	if !alive(os.Getpid()) || alive(1<<22+1) {
		t.Error("alive")
	}
}
