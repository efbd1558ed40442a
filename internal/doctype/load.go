package doctype

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/vektah/gqlparser/v2/ast"
)

// The places of a schema folder, relative to it.
const (
	ConfigFile   = "doctypes.yml"
	FactsDir     = "erpnext"
	AppDir       = "app"
	GeneratedDir = "app/generated"
)

// Load reads a schema folder (schema/, or its embedded copy) and builds its graph.
func Load(schema fs.FS) (*Registry, *Report, error) {
	raw, err := fs.ReadFile(schema, ConfigFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read settings: %w", err)
	}
	cfg, err := ParseConfig(raw)
	if err != nil {
		return nil, nil, err
	}
	facts, err := LoadFacts(schema)
	if err != nil {
		return nil, nil, err
	}
	local, err := LoadApp(schema)
	if err != nil {
		return nil, nil, err
	}
	return Build(cfg, facts, local)
}

// LoadFacts reads the committed facts of a schema folder, in the order of file names.
func LoadFacts(schema fs.FS) ([]*Facts, error) {
	files, err := fs.Glob(schema, FactsDir+"/*.json")
	if err != nil {
		return nil, fmt.Errorf("list facts: %w", err)
	}
	all := make([]*Facts, 0, len(files))
	for _, file := range files {
		raw, err := fs.ReadFile(schema, file)
		if err != nil {
			return nil, fmt.Errorf("read facts: %w", err)
		}
		f, err := ParseFacts(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// LoadApp reads the custom app's hand-written SDL, in the order of file names. A
// schema folder without one is fine.
func LoadApp(schema fs.FS) ([]*ast.Source, error) {
	files, err := fs.Glob(schema, AppDir+"/*.graphqls")
	if err != nil {
		return nil, fmt.Errorf("list the custom app's SDL: %w", err)
	}
	sources := make([]*ast.Source, 0, len(files))
	for _, file := range files {
		raw, err := fs.ReadFile(schema, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the custom app's SDL: %w", err)
		}
		sources = append(sources, &ast.Source{Name: path.Join("schema", file), Input: string(raw)})
	}
	return sources, nil
}
