//go:build unix

package embedded

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDownload(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("x", 100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			_, _ = w.Write([]byte(content))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("x"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	var last int64
	got, err := download(t.Context(), server.URL+"/good", func(done, _ int64) { last = done })
	if err != nil || string(got) != content || last != int64(len(content)) {
		t.Errorf("%d bytes, told of %d, %v", len(got), last, err)
	}
	for _, path := range []string{"/cut", "/missing"} {
		if _, err := download(t.Context(), server.URL+path, nil); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := download(ctx, server.URL+"/good", nil); err == nil {
		t.Error("downloaded under a cancelled context")
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	jar := func(name, content string) []byte {
		var buf bytes.Buffer
		w := zip.NewWriter(&buf)
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	for name, archive := range map[string][]byte{
		"no zip":  []byte("<html>"),
		"no txz":  jar("readme", "x"),
		"bad txz": jar("postgres.txz", "x"),
		"empty":   nil,
	} {
		if err := unpack(archive, t.TempDir()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestUnpackFile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header tar.Header
		ok     bool
	}{
		"file":          {tar.Header{Typeflag: tar.TypeReg, Name: "./bin/x", Mode: 0o4755}, true},
		"link":          {tar.Header{Typeflag: tar.TypeSymlink, Name: "lib/a.so", Linkname: "a.so.1"}, true},
		"file outside":  {tar.Header{Typeflag: tar.TypeReg, Name: "../x"}, false},
		"absolute":      {tar.Header{Typeflag: tar.TypeReg, Name: "/x"}, false},
		"link outside":  {tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "../../etc"}, false},
		"link absolute": {tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = root.Close() }()
			if err := unpackFile(root, &tc.header, strings.NewReader("x")); (err == nil) != tc.ok {
				t.Fatalf("got %v", err)
			}
			if tc.header.Mode == 0 || !tc.ok {
				return
			}
			info, err := os.Stat(filepath.Join(dir, tc.header.Name))
			if err != nil || info.Mode() != 0o755 {
				t.Errorf("mode %v, %v: set-uid must not stay", info.Mode(), err)
			}
		})
	}
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
