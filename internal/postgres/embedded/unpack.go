//go:build unix

package embedded

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/xi2/xz"
)

// unpack writes what an archive holds below dir: a jar (zip) with one .txz in it. Names
// and links that lead out of dir are refused by os.Root.
func unpack(jar []byte, dir string) (err error) {
	outer, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	for _, f := range outer.File {
		if !strings.HasSuffix(f.Name, ".txz") {
			continue
		}
		inner, err := f.Open()
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Name, err)
		}
		return errors.Join(unpackTar(inner, dir), inner.Close())
	}
	return errors.New("the archive holds no .txz")
}

func unpackTar(r io.Reader, dir string) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	plain, err := xz.NewReader(r, 0)
	if err != nil {
		return fmt.Errorf("decompress: %w", err)
	}
	for files := tar.NewReader(plain); ; {
		h, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the archive: %w", err)
		}
		if err := unpackFile(root, h, files); err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
}

func unpackFile(root *os.Root, h *tar.Header, content io.Reader) error {
	name := filepath.Clean(filepath.FromSlash(h.Name))
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		if filepath.IsAbs(h.Linkname) || strings.Contains(h.Linkname, "..") {
			return fmt.Errorf("links to %s", h.Linkname)
		}
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		mode := os.FileMode(0o644) | os.FileMode(h.Mode)&0o111 //nolint:gosec // only the three x bits stay
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	default:
		return nil
	}
}
