//go:build unix

package embedded

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// layout is where a server's files are.
type layout struct {
	dir                  string // erpgraph's data directory
	lock, password, port string
	place                string // the server's own files: data, server.log
}

// prepare makes the data directory. What it holds apart from the server's own files is
// for its owner alone.
func prepare(dir string, acc *account) (*layout, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if acc != nil { // the server's account must pass through, not look in
		info, err := os.Stat(dir)
		if err != nil {
			return nil, err
		}
		if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
			return nil, err
		}
	}
	return &layout{
		dir:      dir,
		lock:     filepath.Join(dir, "postgres.lock"),
		password: filepath.Join(dir, "postgres.password"),
		port:     filepath.Join(dir, "postgres.port"),
	}, nil
}

// systemPlaces holds servers' files for root, whose own directories are closed to other
// accounts.
const (
	systemPlaces = "/var/lib/erpgraph"
	systemCache  = "/var/cache/erpgraph"
)

// findPlace gives the directory of the server's own files: <dir>/postgres. As root,
// where the server's account can't reach that (a checkout below /root), it is a directory
// in /var/lib/erpgraph, and <dir>/postgres a symbolic link to it: opening up directories
// that are not ours is no option.
func findPlace(dir string, acc *account) (string, error) {
	place := filepath.Join(dir, "postgres")
	sum := sha256.Sum256([]byte(place))
	elsewhere := filepath.Join(systemPlaces, hex.EncodeToString(sum[:8]))
	info, err := os.Lstat(place)
	switch {
	case err == nil && info.Mode()&os.ModeSymlink != 0:
		target, err := os.Readlink(place)
		if err != nil {
			return "", err
		}
		// A directory that came from somewhere else may hold any link.
		if acc != nil && target != elsewhere {
			return "", fmt.Errorf("%s is a link to %s, not to %s: remove it, or use another data directory", place, target, elsewhere)
		}
		place = target
	case err == nil:
	case !errors.Is(err, os.ErrNotExist):
		return "", err
	case acc != nil && !reachable(dir):
		if err := os.MkdirAll(systemPlaces, 0o711); err != nil {
			return "", err
		}
		if err := os.Symlink(elsewhere, place); err != nil {
			return "", err
		}
		place = elsewhere
	}
	switch err := os.Mkdir(place, 0o700); {
	case err == nil:
		return place, acc.own(place)
	case errors.Is(err, os.ErrExist):
		if entries, err := os.ReadDir(place); err == nil && len(entries) == 0 {
			return place, acc.own(place) // an earlier start came only this far
		}
		return place, acc.owns(place)
	default:
		return "", err
	}
}

// reachable tells whether every account may pass through a directory.
func reachable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func (l *layout) data() string { return filepath.Join(l.place, "data") }
func (l *layout) log() string  { return filepath.Join(l.place, "server.log") }

// logTail gives the end of the server's log, for an error.
func (l *layout) logTail() string {
	const most = 500
	b, err := os.ReadFile(l.log())
	if err != nil {
		return err.Error()
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(b[max(0, len(b)-most):])), "")
}

// readPassword gives the server's password, made at the first start.
func (l *layout) readPassword() (string, error) {
	b, err := os.ReadFile(l.password)
	if err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if _, err := os.Stat(l.data()); err == nil {
		return "", fmt.Errorf("%s is missing, and with it the way into %s: bring it back, or remove both to start empty", l.password, l.data())
	}
	password := rand.Text()
	return password, writePrivate(l.password, password)
}

// writePrivate writes a file that only its owner can read, all of it or nothing.
func writePrivate(path, content string) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(content+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// choosePort gives the port of the last start when it is free, else another one.
func (l *layout) choosePort(ctx context.Context) (int, error) {
	if b, err := os.ReadFile(l.port); err == nil {
		if port, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && port > 0 && port < 1<<16 {
			if _, err := freePort(ctx, port); err == nil {
				return port, nil
			}
		}
	}
	port, err := freePort(ctx, 0)
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return port, writePrivate(l.port, strconv.Itoa(port))
}

func freePort(ctx context.Context, port int) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, err
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		return 0, err
	}
	if !ok {
		return 0, errors.New("not a TCP address")
	}
	return addr.Port, nil
}
