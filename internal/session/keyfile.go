package session

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// keyFile is the name of the file in the data directory.
const keyFile = "session-keys"

// maxKeyFile bounds the file in bytes: some hundred keys.
const maxKeyFile = 16 << 10

// LoadOrCreate reads the keys of the file session-keys in a directory, as [ParseKeys]
// does but with line ends as separators too. Where there is no such file it is made,
// with one random key and mode 0600. A file that others than its owner may read or
// write is refused: its keys are no secret.
func LoadOrCreate(dir string) (*Keyring, error) {
	path := filepath.Join(dir, keyFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createKeys(dir, path); err != nil {
			return nil, fmt.Errorf("make %s: %w", path, err)
		}
	}
	text, err := readKeys(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	ring, err := ParseKeys(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }), ","))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ring, nil
}

// createKeys makes the file whole or not at all. If another process was faster, its
// file is the one.
func createKeys(dir, path string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key)                      // never fails
	temp, err := os.CreateTemp(dir, ".keys-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	_, err = temp.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link never replaces what is there.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func readKeys(path string) (text string, err error) {
	if info, err := os.Lstat(path); err != nil {
		return "", err
	} else if !info.Mode().IsRegular() {
		return "", errors.New("it is not a file")
	}
	f, err := os.Open(path) //nolint:gosec // the operator's data directory
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	// On Windows the mode does not tell who may read.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("its mode %04o lets others than its owner at the keys; make new keys, or, if nobody can have read it, set 0600", mode)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return "", err
	}
	return string(raw), nil
}
