//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Server is a running server.
type Server struct {
	url  string
	proc *process
	lock io.Closer
	log  *slog.Logger
}

const (
	user         = "erpgraph"
	database     = "postgres"
	startTimeout = 60 * time.Second

	startTries    = 30
	retryInterval = 200 * time.Millisecond
)

// Start starts a server over cfg.Dir, creating what is missing, and returns once it
// answers. ctx bounds the start, not the server's life.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	acc, err := serverAccount()
	if err != nil {
		return nil, err
	}
	files, err := prepare(cfg.Dir, acc)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", cfg.Dir, err)
	}
	lock, err := lockFile(files.lock)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Dir, err)
	}
	s := &Server{lock: lock, log: cfg.Logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if files.place, err = findPlace(files.dir, acc); err != nil {
		return nil, fmt.Errorf("find a place for the server's files: %w", err)
	}
	bin, err := binaries(ctx, cfg, acc)
	if err != nil {
		return nil, err
	}
	password, err := files.readPassword()
	if err != nil {
		return nil, err
	}
	if err := initialise(ctx, cfg, files, acc, bin, password); err != nil {
		return nil, err
	}
	if err := endOrphan(ctx, files, password); err != nil {
		return nil, err
	}
	return s, s.start(ctx, cfg, files, acc, bin, password)
}

// start runs the server on a free port and waits until it answers. What passes is tried
// again: a port taken between the look and the start, and the last children of a killed
// server, which hold its memory until they notice.
func (s *Server) start(ctx context.Context, cfg Config, files *layout, acc *account, bin, password string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for try := 1; ; try++ {
		port, err := files.choosePort(ctx)
		if err != nil {
			return err
		}
		s.url = connectionURL(port, password)
		if s.proc, err = run(serverCommand(cfg, files, bin, port), files, acc, s.log); err != nil {
			return err
		}
		if err = s.proc.awaitReady(ctx, s.url); err == nil {
			s.log.InfoContext(ctx, "embedded PostgreSQL is up", "version", Version, "port", port, "data", files.data())
			return nil
		}
		tail := files.logTail()
		err = errors.Join(fmt.Errorf("start PostgreSQL: %w; the end of %s: %s", err, files.log(), tail), s.proc.stop())
		if try == startTries || !passing(tail) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryInterval):
		}
	}
}

// passing tells from the log of a failed start whether the next one may do better.
func passing(log string) bool {
	return strings.Contains(log, "could not create any TCP/IP sockets") || strings.Contains(log, "pre-existing shared memory block")
}

// URL is the connection URL. It holds the password: never log it.
func (s *Server) URL() string { return s.url }

// Stop ends the server and waits for it. Connections still open are cut; what they
// committed is kept. It may be called again.
func (s *Server) Stop() error {
	err := s.proc.stop()
	s.log.Info("embedded PostgreSQL has stopped")
	return errors.Join(err, s.lock.Close())
}

func serverCommand(cfg Config, files *layout, bin string, port int) []string {
	settings := map[string]string{
		"port":                    strconv.Itoa(port),
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"max_connections":         "100",
		"log_timezone":            "UTC",
		// Statements may hold what users wrote.
		"log_min_error_statement": "panic",
	}
	maps.Copy(settings, cfg.Settings)
	args := []string{filepath.Join(bin, "bin", "postgres"), "-D", files.data()}
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

func connectionURL(port int, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: "/" + database,
		// No other program that sits on the port may be told the password in clear.
		RawQuery: "sslmode=disable&require_auth=scram-sha-256",
	}
	return u.String()
}
