//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// progressInterval is how often a waiting caller hears that the download still runs.
const progressInterval = 5 * time.Second

// fetch lets the library download, check and unpack PostgreSQL into dir; tmp, which
// exists and is above dir, gets what it needs on the way.
//
// The library has no call that only fetches: Start does, and then goes on to run the
// server, which it can't do as another user and so never as root. It is therefore given a
// runtime directory below what will be the file bin/postgres, which can't be made once
// that is unpacked: Start ends there, with an error that names the directory, before it
// runs any program.
func fetch(library embeddedpostgres.Config, tmp, dir string) (err error) {
	defer func() {
		// It panics where it can't remove its own temporary files.
		if p := recover(); p != nil {
			err = fmt.Errorf("unpack: %v", p)
		}
	}()
	// It shares the process's connections; there is no further request to keep one for.
	defer http.DefaultClient.CloseIdleConnections() //nolint:forbidigo // the library's choice of a client
	impossible := filepath.Join(dir, "bin", "postgres", "runtime")
	err = embeddedpostgres.NewDatabase(library.
		Version(embeddedpostgres.PostgresVersion(Version)).
		CachePath(tmp).
		BinariesPath(dir).
		RuntimePath(impossible).
		Port(0). // its first step is to look whether the port is free
		Logger(io.Discard)).
		Start()
	switch {
	case err == nil:
		return errors.New("the library started a server instead of ending after the download")
	case !strings.Contains(err.Error(), impossible):
		return err // the download failed, or the archive is damaged
	case !installed(dir):
		return fmt.Errorf("the archive lacks programs: %w", err)
	default:
		return nil
	}
}

// await runs a task that can't be cut short, and tells progress now and then that it
// still runs. It waits for the task also when ctx ends: two requests of the library, each
// bounded by what http.DefaultTransport bounds (the time to connect, not that to read).
// What they bring is kept for the next start.
func await(ctx context.Context, progress func(elapsed time.Duration), task func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- task() }()
	start := time.Now()
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if progress != nil {
				progress(time.Since(start))
			}
		}
	}
}
