//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// binaries gives the directory of PostgreSQL's programs, fetching them the first time.
func binaries(ctx context.Context, cfg Config, acc *account) (string, error) {
	cache, err := cacheDir(cfg.Dir, acc)
	if err != nil {
		return "", fmt.Errorf("find a cache directory: %w", err)
	}
	dir := filepath.Join(cache, "postgres-"+Version+"-"+platform())
	if err := ensure(ctx, cfg, embeddedpostgres.DefaultConfig(), dir); err != nil {
		return "", fmt.Errorf("get PostgreSQL %s for %s (or set DATABASE_URL to use a server of your own): %w", Version, platform(), err)
	}
	return dir, nil
}

// platform tells apart the machines that need binaries of their own: those who share a
// home directory share the cache.
func platform() string {
	name := runtime.GOOS + "-" + runtime.GOARCH
	if _, err := os.Stat("/etc/alpine-release"); err == nil {
		name += "-alpine" // its libc is another
	}
	return name
}

// cacheDir is the first directory that we can write and the server's account can reach.
func cacheDir(dataDir string, acc *account) (string, error) {
	var candidates []string
	if user, err := os.UserCacheDir(); err == nil {
		candidates = append(candidates, filepath.Join(user, "erpgraph"))
	}
	if acc != nil {
		candidates = append(candidates, systemCache)
	}
	candidates = append(candidates, filepath.Join(dataDir, "cache"))
	var errs []error
	for _, dir := range candidates {
		dir, err := filepath.Abs(dir)
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		switch {
		case err != nil:
			errs = append(errs, err)
		case acc == nil || reachable(dir):
			return dir, nil
		default:
			errs = append(errs, fmt.Errorf("%s is closed to the account that runs the server", dir))
		}
	}
	return "", errors.Join(errs...)
}

// ensure makes dir hold the programs. Of several processes that want them one fetches
// and the others wait.
func ensure(ctx context.Context, cfg Config, library embeddedpostgres.Config, dir string) error {
	if installed(dir) {
		return nil
	}
	lock, err := awaitLock(ctx, dir+".lock")
	if err != nil {
		return err
	}
	if !installed(dir) { // another process may have been faster
		err = install(ctx, cfg, library, dir)
	}
	return errors.Join(err, lock.Close())
}

// installed tells whether a directory holds the programs that the server needs.
func installed(dir string) bool {
	for _, program := range []string{"postgres", "initdb", "pg_ctl"} {
		info, err := os.Stat(filepath.Join(dir, "bin", program))
		if err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// install fetches into a directory beside dir that nobody else can enter, and moves the
// outcome to dir: that is whole, or not there. The caller holds the lock, so what stands
// beside it is of a process that was killed.
func install(ctx context.Context, cfg Config, library embeddedpostgres.Config, dir string) (err error) {
	tmp := dir + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	cfg.Logger.InfoContext(ctx, "downloading PostgreSQL, once", "version", Version, "about", "15 to 30 MB", "to", dir)
	fetched := filepath.Join(tmp, "postgres")
	err = await(ctx, cfg.Progress, func() error { return fetch(library, tmp, fetched) })
	if err != nil {
		return err
	}
	if err := settle(fetched); err != nil {
		return err
	}
	return os.Rename(fetched, dir)
}

// settle lets every account read and run what is below dir, and none but the owner
// change it, whatever the archive and the umask say.
func settle(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case mode.IsDir():
			// A walk reads a directory after this, so one without permissions is fine.
			return os.Chmod(path, 0o755) //nolint:gosec // programs that the server's account runs
		case mode.IsRegular():
			if mode&0o100 != 0 {
				return os.Chmod(path, 0o755) //nolint:gosec // as above
			}
			return os.Chmod(path, 0o644) //nolint:gosec // as above
		default:
			return nil // a symbolic link has no mode of its own
		}
	})
}
