// Package schemagen makes the graph: it pulls facts of DocTypes from a site, prints
// the SDL that follows from them, and lets gqlgen write the code around hand-written
// fields. It never imports package graph, so it works while that is broken or gone.
package schemagen

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
)

// reportFile is the report, beside the SDL it tells of.
const reportFile = doctype.FactsDir + "/REPORT.md"

// Generate writes all that follows from the facts, the settings and the custom app's
// SDL: the generated SDL and its report below root/schema, then graph/ and
// resolvers/*.gen.go. It reads no network and gives the same bytes for the same input;
// files that no longer follow are removed, files that did not change are left alone.
//
// root is the module's folder and must be the working directory: gqlgen resolves the
// paths of gqlgen.yml against it.
func Generate(root string) (*doctype.Report, error) {
	reg, report, err := GenerateSDL(filepath.Join(root, "schema"))
	if err != nil {
		return nil, err
	}
	if err := generateCode(root, reg); err != nil {
		return nil, err
	}
	return report, nil
}

// GenerateSDL is the first half of Generate: facts and settings in, SDL and report
// out. Nothing is written unless the whole schema is valid.
func GenerateSDL(dir string) (*doctype.Registry, *doctype.Report, error) {
	schema := os.DirFS(dir)
	reg, report, err := doctype.Load(schema)
	if err != nil {
		return nil, nil, err
	}
	files, err := SDL(reg)
	if err != nil {
		return nil, nil, err
	}
	if err := checkWhole(schema, files); err != nil {
		return nil, nil, err
	}
	files[reportFile] = []byte(report.Markdown())
	if err := writeAll(dir, files); err != nil {
		return nil, nil, err
	}
	return reg, report, nil
}

// checkWhole validates hand-written and generated SDL together, and that no two files
// share a base name: gqlgen names its output by that alone, and would merge them.
func checkWhole(schema fs.FS, generated map[string][]byte, added ...*ast.Source) error {
	sources, err := handWritten(schema)
	if err != nil {
		return err
	}
	sources = append(sources, added...)
	for _, name := range sortedKeys(generated) {
		sources = append(sources, &ast.Source{Name: name, Input: string(generated[name])})
	}
	stems := map[string]string{}
	for _, s := range sources {
		stem := strings.TrimSuffix(path.Base(s.Name), path.Ext(s.Name))
		if other, ok := stems[stem]; ok {
			return fmt.Errorf("%s and %s have one base name: rename the hand-written one", other, s.Name)
		}
		stems[stem] = s.Name
	}
	if _, err := gqlparser.LoadSchema(sources...); err != nil {
		return fmt.Errorf("the schema as a whole: %w", err)
	}
	return nil
}

// handWritten are the SDL files that people own.
func handWritten(schema fs.FS) ([]*ast.Source, error) {
	var sources []*ast.Source
	for _, pattern := range []string{"*.graphqls", doctype.AppDir + "/*.graphqls"} {
		files, err := fs.Glob(schema, pattern)
		if err != nil {
			return nil, fmt.Errorf("list SDL: %w", err)
		}
		for _, file := range files {
			raw, err := fs.ReadFile(schema, file)
			if err != nil {
				return nil, fmt.Errorf("read SDL: %w", err)
			}
			sources = append(sources, &ast.Source{Name: file, Input: string(raw)})
		}
	}
	return sources, nil
}

// writeAll writes generated files and removes generated SDL that is not among them.
func writeAll(dir string, files map[string][]byte) error {
	for _, generated := range []string{doctype.FactsDir, doctype.GeneratedDir} {
		old, err := fs.Glob(os.DirFS(dir), generated+"/*.graphqls")
		if err != nil {
			return fmt.Errorf("list generated SDL: %w", err)
		}
		for _, name := range old {
			if _, keep := files[name]; keep {
				continue
			}
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return fmt.Errorf("remove stale SDL: %w", err)
			}
		}
	}
	for _, name := range sortedKeys(files) {
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), files[name]); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a file whole or not at all, and not when it already holds data:
// an unchanged file keeps its time, and Go's build cache its use.
func writeFile(name string, data []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".schemagen-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(tmp.Name()))
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
