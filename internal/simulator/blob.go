package simulator

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Frappe tells equal contents by their MD5
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// blob is the contents of a file: in memory, or in a file of the directory that
// Options.FilesDir names. It is never changed, so that snapshots and forks share it.
type blob struct {
	content []byte // unless it has a path
	path    string
	size    int64
	hash    string // MD5 in hexadecimal, Frappe's content_hash
}

// memoryBlob keeps content itself, which must not be changed any more.
func memoryBlob(content []byte) *blob {
	sum := md5.Sum(content) //nolint:gosec // as above
	return &blob{content: content, size: int64(len(content)), hash: hex.EncodeToString(sum[:])}
}

// open starts to read the contents.
func (b *blob) open() (io.ReadCloser, error) {
	if b.path == "" {
		return io.NopCloser(bytes.NewReader(b.content)), nil
	}
	f, err := os.Open(b.path)
	if err != nil {
		return nil, fmt.Errorf("simulator: stored file: %w", err)
	}
	return f, nil
}

// discard gives up a blob that no document has got.
func (b *blob) discard() error {
	if b.path == "" {
		return nil
	}
	if err := os.Remove(b.path); err != nil {
		return fmt.Errorf("simulator: stored file: %w", err)
	}
	return nil
}

// receive takes contents in. With a directory for files it holds a buffer of them in
// memory, and otherwise nothing but the contents; size is how much to expect at most.
func (s *Server) receive(r io.Reader, size int64) (*blob, error) {
	if s.filesDir == "" {
		var buf bytes.Buffer
		if size > 0 {
			buf.Grow(int(min(size, s.maxBody())))
		}
		if _, err := buf.ReadFrom(r); err != nil {
			return nil, fmt.Errorf("simulator: upload: %w", err)
		}
		return memoryBlob(buf.Bytes()), nil
	}
	f, err := os.CreateTemp(s.filesDir, "upload-*")
	if err != nil {
		return nil, fmt.Errorf("simulator: upload: %w", err)
	}
	hash := md5.New() //nolint:gosec // as above
	n, err := io.Copy(io.MultiWriter(f, hash), r)
	b := &blob{path: f.Name(), size: n, hash: hex.EncodeToString(hash.Sum(nil))}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("simulator: upload: %w", errors.Join(err, b.discard()))
	}
	return b, nil
}
