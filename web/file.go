package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// hashedDir is where the build puts files whose name holds a hash of their content.
const hashedDir = "playground/assets/"

// Values of Cache-Control.
const (
	// cacheForever fits the files of hashedDir.
	cacheForever = "public, max-age=31536000, immutable"
	// cacheCheck lets the browser keep a copy, to be confirmed by its ETag.
	cacheCheck = "no-cache"
	// cacheNever keeps the settings, with a demo's credentials, out of caches.
	cacheNever = "no-store"
)

// file is one thing to serve: immutable but for its packed form, which is made
// on first use and then kept.
type file struct {
	body        []byte
	contentType string
	cache       string
	etag        string // without quotes and without the encoding's suffix
	packed      func() []byte
}

func newFile(name string, body []byte, cache string) *file {
	sum := sha256.Sum256(body)
	f := &file{
		body:        body,
		contentType: contentType(name),
		cache:       cache,
		etag:        hex.EncodeToString(sum[:12]),
	}
	// Packing the whole bundle takes some 200 ms: too long for the start of a
	// server whose page may never be opened.
	f.packed = sync.OnceValue(func() []byte { return pack(body) })
	return f
}

// loadFiles reads the bundle into a map from request path to file. The page
// itself is at "/".
func loadFiles(dist fs.FS) (map[string]*file, error) {
	files := make(map[string]*file)
	err := fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		switch {
		case name == "index.html":
			files[PathPage] = newFile(name, body, cacheCheck)
		case strings.HasPrefix(name, hashedDir):
			files["/"+name] = newFile(name, body, cacheForever)
		default:
			files["/"+name] = newFile(name, body, cacheCheck)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("web: reading the bundle: %w", err)
	}
	if files[PathPage] == nil {
		return nil, fmt.Errorf("web: reading the bundle: %w: index.html (npm run build makes it)", fs.ErrNotExist)
	}
	return files, nil
}

// contentType is fixed here: what mime.TypeByExtension says depends on the
// machine's own tables, and with nosniff a wrong type keeps a script from running.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json":
		return "application/json; charset=utf-8"
	case ".md", ".txt":
		return "text/plain; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".ttf":
		return "font/ttf"
	default:
		return "application/octet-stream"
	}
}

// packable says whether gzip gains anything: WOFF2 is compressed already.
func (f *file) packable() bool {
	return len(f.body) > 1024 && !strings.HasPrefix(f.contentType, "font/woff2")
}

// pack returns body in gzip. Writing to memory with a valid level can't fail.
func pack(body []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, _ = w.Write(body)
	_ = w.Close()
	return buf.Bytes()
}
