package httpapi

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
)

// spool keeps the files of one request on disk while it is served, one after the other
// in a single temporary file. That has a name only until it is opened, where the system
// allows it, so that nothing is left behind even if the process ends.
type spool struct {
	dir    string
	file   *os.File // nil until the first file comes
	named  bool     // the name is still there
	length int64
}

// add stores one file and returns where it is. Errors of the disk are *fs.PathError, all
// others are those of content.
func (s *spool) add(content io.Reader) (*storedFile, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(s.file, sum), content)
	start := s.length
	s.length += n
	if err != nil {
		return nil, err
	}
	return &storedFile{file: s.file, start: start, size: n, sum: sum.Sum(nil)}, nil
}

// open makes the file, readable for this process's user only.
func (s *spool) open() error {
	if s.file != nil {
		return nil
	}
	file, err := os.CreateTemp(s.dir, "upload-*")
	if err != nil {
		return fmt.Errorf("spool an upload: %w", err)
	}
	s.file = file
	s.named = os.Remove(file.Name()) != nil //nolint:gosec // G703: CreateTemp made the name
	return nil
}

// close ends all readers of the files and frees the disk.
func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.named {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	if err != nil {
		return fmt.Errorf("remove a spooled upload: %w", err)
	}
	return nil
}

// storedFile is one file in the spool.
type storedFile struct {
	file        *os.File
	start, size int64
	sum         []byte
}

// reader gives a reader of its own to each place that the file goes to.
func (f *storedFile) reader() *uploadedFile {
	return &uploadedFile{ReadSeeker: io.NewSectionReader(f.file, f.start, f.size), sum: f.sum}
}

// uploadedFile is the File of a graphql.Upload. It can be read until the response is done.
type uploadedFile struct {
	io.ReadSeeker

	sum []byte
}

// SHA256 is the hash of the file's content, known before it is read: what makes two
// requests the same in the eyes of an idempotency key.
func (f *uploadedFile) SHA256() []byte { return bytes.Clone(f.sum) }
