package session

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func testKey(fill byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, keyBytes))
}

func testRing(tb testing.TB, text string) *Keyring {
	tb.Helper()
	ring, err := ParseKeys(text)
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		keys int
	}{
		"one":         {testKey(1), 1},
		"two":         {testKey(1) + ", " + testKey(2) + " ", 2},
		"none":        {"", 0},
		"an end":      {testKey(1) + ",", 0},
		"short":       {base64.StdEncoding.EncodeToString(make([]byte, 31)), 0},
		"long":        {base64.StdEncoding.EncodeToString(make([]byte, 33)), 0},
		"no base64":   {strings.Repeat("hunter2!", 6), 0},
		"twice":       {testKey(1) + "," + testKey(2) + "," + testKey(1), 0},
		"hexadecimal": {strings.Repeat("ab", keyBytes), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring, err := ParseKeys(c.text)
			if err != nil && (c.keys > 0 || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), testKey(1))) {
				t.Errorf("error: %v", err)
			}
			if err == nil && len(ring.keys) != c.keys {
				t.Errorf("%d keys, want %d", len(ring.keys), c.keys)
			}
		})
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	one, two := testRing(t, testKey(1)), testRing(t, testKey(2)+","+testKey(1))
	row, text := []byte("row"), []byte("a token")
	sealed := one.seal(forAccess, row, text)
	if bytes.Contains(sealed, text) || bytes.Equal(sealed, one.seal(forAccess, row, text)) {
		t.Error("it is not sealed")
	}
	if got, err := two.open(forAccess, row, sealed); err != nil || !bytes.Equal(got, text) {
		t.Errorf("with a newer key before: %q, %v", got, err)
	}
	if _, err := one.open(forAccess, row, two.seal(forAccess, row, text)); err == nil {
		t.Error("opened without the key")
	}
	for name, open := range map[string]func() ([]byte, error){
		"another purpose":         func() ([]byte, error) { return one.open(forRefresh, row, sealed) },
		"another row":             func() ([]byte, error) { return one.open(forAccess, []byte("raw"), sealed) },
		"purpose and row shifted": func() ([]byte, error) { return one.open(forAccess+"r", []byte("ow"), sealed) },
		"cut":                     func() ([]byte, error) { return one.open(forAccess, row, sealed[:len(sealed)-1]) },
		"only the prefix":         func() ([]byte, error) { return one.open(forAccess, row, sealed[:sealPrefix]) },
		"nothing":                 func() ([]byte, error) { return one.open(forAccess, row, nil) },
	} {
		if got, err := open(); err == nil || got != nil {
			t.Errorf("%s: opened", name)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := one.open(forAccess, row, changed); err == nil {
			t.Errorf("byte %d may be changed", i)
		}
	}
}

// What is sealed for one purpose is sealed with another key than what is for the next: to
// change the purpose in what is authenticated would not help.
func TestKeyOfEachPurpose(t *testing.T) {
	t.Parallel()
	row := []byte("row")
	ring := testRing(t, testKey(1))
	purposes := []string{forAccess, forRefresh, forSignIn}
	for _, purpose := range purposes {
		sealed := ring.seal(purpose, row, []byte("x"))
		prefix, rest := sealed[:sealPrefix], sealed[sealPrefix:]
		for _, other := range purposes {
			_, err := ring.keys[0].aeads[other].Open(nil, nil, rest, additional(prefix, purpose, row))
			if (err == nil) != (purpose == other) {
				t.Errorf("sealed for %s, with the key for %s: %v", purpose, other, err)
			}
		}
	}
}

func TestLoadOrCreate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var wg sync.WaitGroup
	rings := make([]*Keyring, 8)
	for i := range rings {
		wg.Go(func() {
			var err error
			if rings[i], err = LoadOrCreate(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sealed := rings[0].seal(forAccess, nil, []byte("x"))
	for i, ring := range rings {
		if _, err := ring.open(forAccess, nil, sealed); err != nil {
			t.Errorf("ring %d has another key", i)
		}
	}
	path := filepath.Join(dir, keyFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files, %v", len(left), err)
	}
	if err := os.WriteFile(path, []byte(testKey(2)+"\n"+testKey(1)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ring, err := LoadOrCreate(dir); err != nil || len(ring.keys) != 2 {
		t.Errorf("two lines: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadOrCreate(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%04o", mode)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestKeyFileIsAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(dir); err == nil {
		t.Error("followed a link")
	}
}

func FuzzOpen(f *testing.F) {
	ring := testRing(f, testKey(1)+","+testKey(2))
	f.Add(ring.seal(forAccess, []byte("another row"), []byte("x")))
	f.Add([]byte{sealVersion})
	f.Add([]byte{sealVersion, 0, 0, 0, 0})
	f.Add(append([]byte{sealVersion}, ring.keys[1].id[:]...))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if text, err := ring.open(forAccess, []byte("row"), sealed); err == nil {
			t.Errorf("opened %q", text)
		}
	})
}
