//go:build unix

package embedded

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// repository serves one jar, and the checksum sum (empty: the right one), as the
// repository of the binaries does. downloads counts the jar's.
type repository struct {
	jar       []byte
	sum       string
	downloads atomic.Int32
}

func (r *repository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch {
	case r.jar == nil:
		http.NotFound(w, req)
	case strings.HasSuffix(req.URL.Path, "-"+Version+".jar"):
		r.downloads.Add(1)
		_, _ = w.Write(r.jar)
	case r.sum != "":
		_, _ = w.Write([]byte(r.sum))
	default:
		sum := sha256.Sum256(r.jar)
		_, _ = w.Write([]byte(hex.EncodeToString(sum[:])))
	}
}

// serve starts a repository and gives the library's settings for it.
func serve(t *testing.T, r *repository) embeddedpostgres.Config {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return embeddedpostgres.DefaultConfig().BinaryRepositoryURL(server.URL)
}

// jar packs an archive of testdata, of which the last cut bytes are lost.
func jar(t *testing.T, archive string, cut int) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", archive))
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content[:len(content)-cut]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func quiet() Config { return Config{Logger: slog.New(slog.DiscardHandler)} }

func TestInstall(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "postgres")
	if err := os.MkdirAll(filepath.Join(dir+".new", "left by a killed process"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := ensure(t.Context(), quiet(), serve(t, &repository{jar: jar(t, "whole.txz", 0)}), dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		"":             0o755 | os.ModeDir,
		"bin":          0o755 | os.ModeDir,
		"bin/postgres": 0o755, // 4777 in the archive
		"bin/initdb":   0o755,
		"lib":          0o755 | os.ModeDir, // 700
		"share/data":   0o644,              // 600
	} {
		if info, err := os.Lstat(filepath.Join(dir, path)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(dir, "lib", "libpq.so")); err != nil || target != "libpq.so.5" {
		t.Errorf("link to %q, %v", target, err)
	}
	// Each program of the archive leaves a file when it is run.
	if ran, err := filepath.Glob(filepath.Join(dir, "bin", "*.ran")); err != nil || len(ran) > 0 {
		t.Errorf("the download ran %q, %v", ran, err)
	}
	if _, err := os.Lstat(dir + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is left beside: %v", err)
	}
}

func TestInstallFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		repository *repository
		want       string
	}{
		"no such version": {&repository{}, "no version found"},
		"wrong checksum":  {&repository{jar: jar(t, "whole.txz", 0), sum: strings.Repeat("0", 64)}, "checksums do not match"},
		"no archive":      {&repository{jar: []byte("<html>")}, "zip"},
		// All programs are there by then, but not all of their files.
		"cut archive":      {&repository{jar: jar(t, "whole.txz", 2048)}, "unable to extract"},
		"missing programs": {&repository{jar: jar(t, "lacking.txz", 0)}, "lacks programs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "postgres")
			err := ensure(t.Context(), quiet(), serve(t, tc.repository), dir)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			for _, path := range []string{dir, dir + ".new"} {
				if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s is left: %v", path, err)
				}
			}
		})
	}
}

func TestInstallOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "postgres")
	r := &repository{jar: jar(t, "whole.txz", 0)}
	library := serve(t, r)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := ensure(t.Context(), quiet(), library, dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.downloads.Load(); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []time.Duration
		failed := errors.New("failed")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := await(ctx, func(elapsed time.Duration) { told = append(told, elapsed) }, func() error {
			<-time.After(12 * time.Second)
			return failed
		})
		if !errors.Is(err, failed) {
			t.Errorf("left the task alone: %v", err)
		}
		if len(told) != 2 || told[0] != 5*time.Second || told[1] != 10*time.Second {
			t.Errorf("told of %v", told)
		}
		if err := await(ctx, nil, func() error { t.Error("ran"); return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestPasswordIsNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := &layout{password: filepath.Join(dir, "postgres.password"), place: filepath.Join(dir, "postgres")}
	first, err := l.readPassword()
	if err != nil || len(first) < 20 {
		t.Fatalf("%d characters, %v", len(first), err)
	}
	if again, err := l.readPassword(); err != nil || again != first {
		t.Errorf("the password changed, %v", err)
	}
	if err := os.MkdirAll(l.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(l.password); err != nil {
		t.Fatal(err)
	}
	if _, err := l.readPassword(); err == nil {
		t.Error("a new password was made for a database that has another")
	}
}
