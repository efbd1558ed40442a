package httpapi

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// TestSpool: several files in one, each with readers of their own; nothing is left.
func TestSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &spool{dir: dir}
	contents := []string{"first", "", strings.Repeat("second ", 10_000)}
	var files []*storedFile
	for _, content := range contents {
		stored, err := s.add(strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, stored)
	}
	if info, err := s.file.Stat(); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for i, stored := range files {
		one, other := stored.reader(), stored.reader()
		for _, reader := range []*uploadedFile{one, other} {
			got, err := io.ReadAll(reader)
			if sum := sha256.Sum256([]byte(contents[i])); err != nil || string(got) != contents[i] || string(reader.SHA256()) != string(sum[:]) {
				t.Errorf("file %d: %q, %v", i, got, err)
			}
		}
		one.SHA256()[0]++
		if string(one.SHA256()) != string(other.SHA256()) {
			t.Error("the hash can be changed")
		}
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(files[0].reader()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestSpoolWithAName: where an open file can't lose its name, it does when it is closed.
func TestSpoolWithAName(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "upload")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &spool{file: file, named: true}
	if _, err := s.add(strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// TestSpoolErrors: those of the disk can be told from those of the sender.
func TestSpoolErrors(t *testing.T) {
	t.Parallel()
	if err := (&spool{}).close(); err != nil {
		t.Errorf("an unused one: %v", err)
	}
	s := &spool{dir: t.TempDir()}
	broken := errors.New("broken")
	if _, err := s.add(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("sender: %v", err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	_, err := s.add(strings.NewReader("x"))
	if _, disk := errors.AsType[*fs.PathError](err); !disk {
		t.Errorf("a closed file: %v", err)
	}
	if err := s.close(); err == nil {
		t.Error("closed twice without an error")
	}
}
