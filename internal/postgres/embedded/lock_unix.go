//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// lockFile takes the lock of a data directory; the kernel drops it with the process.
func lockFile(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &held{f: f}, nil
}

// awaitLock takes a lock that others hold for a short time.
func awaitLock(ctx context.Context, path string) (io.Closer, error) {
	tick := time.NewTicker(4 * pollInterval)
	defer tick.Stop()
	for {
		lock, err := lockFile(path)
		if !errors.Is(err, ErrInUse) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}

// held is a lock; closing it twice is fine.
type held struct{ f *os.File }

// Close gives the lock up in so many words: a process that is being forked at this moment
// has the file too, until it runs its own program, and would hold the lock for as long.
func (h *held) Close() error {
	var unlocked error
	conn, err := h.f.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { unlocked = syscall.Flock(int(fd), syscall.LOCK_UN) })
	}
	err = errors.Join(err, unlocked, h.f.Close())
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
