//go:build unix

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// process is the running postgres. One goroutine owns it, from start to end.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

const (
	pollInterval = 25 * time.Millisecond
	fastStop     = 20 * time.Second
	hardStop     = 5 * time.Second
)

// environment keeps the environment's secrets out of the server.
func environment() []string { return []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")} }

// run starts a command as the server's account, its output in the log file.
func run(args []string, files *layout, acc *account, log *slog.Logger) (*process, error) {
	out, err := os.OpenFile(files.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // our own binaries and settings; stop ends it, no context does
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = out, out, environment(), files.place
	cmd.SysProcAttr = attributes(acc)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		// Linux signals the child when the thread that started it ends, so that
		// thread waits here for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			err = cmd.Wait()
			log.Debug("embedded PostgreSQL has ended", "status", cmd.ProcessState.String(), "error", err)
		}
		if err := out.Close(); err != nil {
			log.Warn("close the server's log", "error", err)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", filepath.Base(args[0]), err)
	}
	return p, nil
}

// awaitReady waits until the server answers at url.
func (p *process) awaitReady(ctx context.Context, url string) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended at once (%s)", p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// stop asks the server to end: cutting connections first, then at once, then by force.
func (p *process) stop() error {
	for _, step := range []struct {
		signal os.Signal
		wait   time.Duration
	}{
		{syscall.SIGINT, fastStop}, {syscall.SIGQUIT, hardStop}, {os.Kill, hardStop},
	} {
		select {
		case <-p.done:
			return nil
		default:
		}
		if err := p.cmd.Process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop PostgreSQL: %w", err)
		}
		timer := time.NewTimer(step.wait)
		select {
		case <-p.done:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
	return fmt.Errorf("stop PostgreSQL: process %d does not end", p.cmd.Process.Pid)
}

// initialise makes the cluster at the first start. It is made beside its place and then
// moved there, so that an interrupted start leaves nothing half done.
func initialise(ctx context.Context, cfg Config, files *layout, acc *account, bin, password string) error {
	if _, err := os.Stat(filepath.Join(files.data(), "PG_VERSION")); err == nil {
		return acc.owns(files.data())
	}
	cfg.Logger.InfoContext(ctx, "creating a database", "data", files.data())
	tmp, secret := files.data()+".new", filepath.Join(files.place, "initdb.password")
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := errors.Join(writePrivate(secret, password), acc.own(secret)); err != nil {
		return errors.Join(err, os.Remove(secret))
	}
	// ICU's root collation orders "apple" before "Zebra" and folds case in every
	// script, which is the nearest to MariaDB's utf8mb4_unicode_ci.
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "bin", "initdb"), //nolint:gosec // our own binary
		"-D", tmp, "-U", user, "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8",
		"--locale", "C", "--locale-provider", "icu", "--icu-locale", "und", "--no-instructions")
	cmd.Env, cmd.Dir, cmd.SysProcAttr = environment(), files.place, attributes(acc)
	out, err := cmd.CombinedOutput()
	err = errors.Join(err, os.Remove(secret))
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return os.Rename(tmp, files.data())
}
