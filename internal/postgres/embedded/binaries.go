//go:build unix

package embedded

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
)

const (
	repository  = "https://repo1.maven.org/maven2/io/zonky/test/postgres"
	maxDownload = 200 << 20
)

// checksums are the SHA-256 of Version's archives by platform.
func checksums() map[string]string {
	return map[string]string{
		"linux-amd64":        "646f3269075d1a23904127374e3cdbcef96beb32979fedee25d835877400fcbe",
		"linux-arm64v8":      "e02f27ff50ff2d90b6541d54f3f108505aacd84ea53c2890e976a684bfea2752",
		"linux-amd64-alpine": "7122386c7f7a089568f05720ada63448093d4065abbc0a89e6dc660851a53e3c",
		"darwin-amd64":       "fb70f783928e77c3d6ef5ca8ed644f1ac502f740fcfc032a375c8347820f2bdd",
		"darwin-arm64v8":     "e9d3398e10c2ec926395498b03e75ad1a24eeaed82895e756a7e173b202cf6de",
	}
}

// platform names this machine as the archives do.
func platform() string {
	name := runtime.GOOS + "-" + runtime.GOARCH
	if runtime.GOARCH == "arm64" {
		name += "v8"
	}
	if _, err := os.Stat("/etc/alpine-release"); err == nil {
		name += "-alpine"
	}
	return name
}

// binaries gives the directory of PostgreSQL's programs, fetching them the first time.
func binaries(ctx context.Context, cfg Config, acc *account) (string, error) {
	cache, err := cacheDir(cfg.Dir, acc)
	if err != nil {
		return "", fmt.Errorf("find a cache directory: %w", err)
	}
	dir := filepath.Join(cache, "postgres-"+Version+"-"+platform())
	if installed(dir) {
		return dir, nil
	}
	lock, err := awaitLock(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	if !installed(dir) { // another process may have been faster
		err = install(ctx, cfg, dir)
	}
	if err := errors.Join(err, lock.Close()); err != nil {
		return "", fmt.Errorf("get PostgreSQL %s for %s (or set DATABASE_URL to use a server of your own): %w", Version, platform(), err)
	}
	return dir, nil
}

func installed(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "bin", "postgres"))
	return err == nil
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

func install(ctx context.Context, cfg Config, dir string) error {
	sum, ok := checksums()[platform()]
	if !ok {
		return fmt.Errorf("there are no binaries for this platform")
	}
	name := "embedded-postgres-binaries-" + platform()
	url := fmt.Sprintf("%s/%s/%s/%s-%s.jar", repository, name, Version, name, Version)
	cfg.Logger.InfoContext(ctx, "downloading PostgreSQL, once", "version", Version, "from", url)
	archive, err := download(ctx, url, cfg.Progress)
	if err != nil {
		return fmt.Errorf("download %s: %w", url, err)
	}
	if got := sha256.Sum256(archive); hex.EncodeToString(got[:]) != sum {
		return fmt.Errorf("download %s: its SHA-256 is %x, not the expected %s", url, got, sum)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "unpack-")
	if err != nil {
		return err
	}
	err = unpack(archive, tmp)
	if err == nil {
		err = os.Chmod(tmp, 0o755) //nolint:gosec // programs that the server's account runs
	}
	if err == nil {
		err = os.Rename(tmp, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return nil
}

// download reads a file by the ordinary route: the environment's proxies and
// certificates hold.
func download(ctx context.Context, url string, progress func(done, total int64)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true // there is no second request
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // nothing is left to read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	}
	var buf bytes.Buffer
	body := io.TeeReader(io.LimitReader(resp.Body, maxDownload), &meter{total: resp.ContentLength, tell: progress})
	if _, err := buf.ReadFrom(body); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// meter counts what passes.
type meter struct {
	done, total int64
	tell        func(done, total int64)
}

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	if m.tell != nil {
		m.tell(m.done, m.total)
	}
	return len(p), nil
}
