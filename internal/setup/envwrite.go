package setup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxEnvFile bounds a file of settings in bytes.
const maxEnvFile = 1 << 20

// privateMode lets the owner alone read and write.
const privateMode fs.FileMode = 0o600

// storedEnv is a file of settings and where it lies.
type storedEnv struct {
	*envFile

	path string
	mode fs.FileMode // that it will have
	// loose tells that others than its owner may read the file that is there.
	loose bool
}

// openEnv reads a file of settings; one that is not there is empty. It refuses what a
// file in its place would change by surprise: links, and files of another user. Errors
// are *EnvFileError.
func openEnv(path string) (*storedEnv, error) {
	s := &storedEnv{envFile: &envFile{}, path: path, mode: privateMode}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, checkFolder(path)
	case err != nil:
		return nil, &EnvFileError{Path: path, Message: "can't be looked at", Err: withoutPath(err)}
	case !info.Mode().IsRegular():
		return nil, &EnvFileError{Path: path, Message: "is no plain file; give the file itself, not a link to it"}
	case foreign(info):
		return nil, &EnvFileError{Path: path, Message: "belongs to another user; run setup as that user"}
	case info.Size() > maxEnvFile:
		return nil, &EnvFileError{Path: path, Message: "is too large for a file of settings"}
	}
	data, err := readFile(path)
	if err != nil {
		return nil, &EnvFileError{Path: path, Message: "can't be read", Err: withoutPath(err)}
	}
	if s.envFile, err = parseEnv(path, data); err != nil {
		return nil, err
	}
	s.mode = info.Mode().Perm() & privateMode
	s.loose = info.Mode().Perm()&^privateMode != 0
	return s, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // G304: the path is the operator's
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxEnvFile+1))
	if err == nil && len(data) > maxEnvFile {
		err = errors.New("it grows")
	}
	return data, errors.Join(err, file.Close())
}

// checkFolder finds out before anything is done on the site whether the file has a place.
func checkFolder(path string) error {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return &EnvFileError{Path: path, Message: "has no folder to be in", Err: withoutPath(err)}
	}
	if !info.IsDir() {
		return &EnvFileError{Path: path, Message: "has no folder to be in"}
	}
	return nil
}

// write puts the file in place: whole or not at all, and never readable by others, not
// even for a moment.
func (s *storedEnv) write() error {
	if err := s.replace(); err != nil {
		return &EnvFileError{Path: s.path, Message: "can't be written", Err: withoutPath(err)}
	}
	return nil
}

func (s *storedEnv) replace() error {
	folder := filepath.Dir(s.path)
	file, err := os.CreateTemp(folder, ".erpgraph-settings-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = file.Write(s.bytes())
	err = errors.Join(err, file.Chmod(s.mode))
	err = errors.Join(err, file.Sync())
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return syncFolder(folder)
}

// syncFolder makes the new name last over a loss of power, where the system can.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // G304: the folder of the operator's file
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	_ = folder.Sync() // some file systems have no such call; the file is in place
	return folder.Close()
}

// withoutPath drops the path that the os package puts first: the message has it.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
