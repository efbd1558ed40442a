//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const orphanTimeout = 30 * time.Second

// endOrphan deals with the postmaster.pid that a killed erpgraph leaves behind. The lock
// is ours, so a server that still runs over these files has lost its parent: it is asked
// to end. A file that names another program's process, because the number has been given
// out again, is removed: PostgreSQL would refuse to start for it.
func endOrphan(ctx context.Context, files *layout, password string) error {
	ctx, cancel := context.WithTimeout(ctx, orphanTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	asked := false
	for {
		pid, port, ok := readPID(filepath.Join(files.data(), "postmaster.pid"))
		if !ok || !alive(pid) {
			return nil // PostgreSQL itself replaces a file of a process that is gone
		}
		switch state := probe(ctx, files, port, password); {
		case state == ours && !asked:
			if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end the orphaned PostgreSQL: %w", err)
			}
			asked = true
		case state == silent && foreign(pid):
			return os.Remove(filepath.Join(files.data(), "postmaster.pid"))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s names process %d, which runs but does not answer: end it, or remove the file if it is not PostgreSQL",
				filepath.Join(files.data(), "postmaster.pid"), pid)
		case <-tick.C:
		}
	}
}

// readPID reads process and port of a postmaster.pid: its first and fourth line.
func readPID(path string) (pid, port int, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, false
	}
	lines := strings.Split(string(b), "\n")
	if pid, err = strconv.Atoi(strings.TrimSpace(lines[0])); err != nil || pid <= 1 {
		return 0, 0, false
	}
	if len(lines) > 3 {
		port, _ = strconv.Atoi(strings.TrimSpace(lines[3])) // 0 is answered by nobody
	}
	return pid, port, true
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// state is what sits behind the port of a postmaster.pid.
type state int

const (
	silent state = iota // nobody, or not a server that knows our password
	busy                // a server that starts or ends
	ours                // a server over our files
)

func probe(ctx context.Context, files *layout, port int, password string) state {
	if port <= 0 {
		return silent
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, connectionURL(port, password))
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "57P03" { // cannot_connect_now
		return busy
	}
	if err != nil {
		return silent
	}
	var dir string
	err = conn.QueryRow(ctx, "select current_setting('data_directory')").Scan(&dir)
	if err = errors.Join(err, conn.Close(ctx)); err != nil || dir != files.data() {
		return silent
	}
	return ours
}
