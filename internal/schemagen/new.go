package schemagen

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
)

// ErrClash means that the name of a new type is taken.
var ErrClash = errors.New("the name is taken")

//go:embed new.graphqls.gotpl
var newSDL string

//go:embed new.sql.gotpl
var newMigration string

// NewType scaffolds a local type: root/schema/app/<stem>.graphqls and the next
// migration. It returns the paths of both. Nothing is written when the name is not
// PascalCase, is taken (ErrClash) or would not build.
func NewType(root, name string) (sdl, migration string, err error) {
	if !regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`).MatchString(name) || len(name) > 50 {
		return "", "", fmt.Errorf("%q is no name of a type: PascalCase, letters and digits, at most 50", name)
	}
	table := doctype.ColumnName(strings.ToLower(name[:1]) + name[1:])
	if reservedSQL[table] {
		return "", "", fmt.Errorf("%w: %s is a word of SQL: choose a longer name", ErrClash, table)
	}
	data := struct{ Name, Noun, Table string }{name, strings.ReplaceAll(table, "_", " "), table}
	dir := filepath.Join(root, "schema")
	sdl = filepath.Join(dir, doctype.AppDir, table+".graphqls")
	text, err := fill(newSDL, data)
	if err != nil {
		return "", "", err
	}
	if err := tryBuild(dir, sdl, text); err != nil {
		return "", "", err
	}
	migration, err = nextMigration(filepath.Join(root, "migrations"), table)
	if err != nil {
		return "", "", err
	}
	sql, err := fill(newMigration, data)
	if err != nil {
		return "", "", err
	}
	if err := createFile(sdl, text); err != nil {
		return "", "", err
	}
	return sdl, migration, createFile(migration, sql)
}

// tryBuild builds the graph with the new type in it, to find every clash before
// anything is written.
func tryBuild(dir, file string, text []byte) error {
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%w: %s exists", ErrClash, file)
	}
	schema := os.DirFS(dir)
	raw, err := os.ReadFile(filepath.Join(dir, doctype.ConfigFile))
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	cfg, err := doctype.ParseConfig(raw)
	if err != nil {
		return err
	}
	facts, err := doctype.LoadFacts(schema)
	if err != nil {
		return err
	}
	local, err := doctype.LoadApp(schema)
	if err != nil {
		return err
	}
	added := &ast.Source{Name: "schema/" + doctype.AppDir + "/" + filepath.Base(file), Input: string(text)}
	reg, _, err := doctype.Build(cfg, facts, append(local, added))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrClash, err)
	}
	files, err := SDL(reg)
	if err != nil {
		return err
	}
	if err := checkWhole(schema, files, added); err != nil {
		return fmt.Errorf("%w: %w", ErrClash, err)
	}
	return nil
}

// numbered is the name of a migration: NNNNN_name.sql.
var numbered = regexp.MustCompile(`^(\d+)_(.+)\.sql$`)

// nextMigration is the path of the next migration; a table that a migration makes
// already is a clash.
func nextMigration(dir, table string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("list migrations: %w", err)
	}
	makes := regexp.MustCompile(`(?i)create\s+table\s+(if\s+not\s+exists\s+)?"?` + table + `"?[\s(]`)
	last := 0
	for _, f := range files {
		m := numbered.FindStringSubmatch(f.Name())
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return "", fmt.Errorf("migration %s: %w", f.Name(), err)
		}
		last = max(last, n)
		sql, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return "", fmt.Errorf("read migration: %w", err)
		}
		if makes.Match(sql) {
			return "", fmt.Errorf("%w: migration %s makes a table %s", ErrClash, f.Name(), table)
		}
	}
	return filepath.Join(dir, fmt.Sprintf("%05d_%s.sql", last+1, table)), nil
}

func fill(text string, data any) ([]byte, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("scaffold: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("scaffold: %w", err)
	}
	return b.Bytes(), nil
}

// createFile writes a file that must not exist.
func createFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return nil
}

// reservedSQL are the words that PostgreSQL does not take as a table's name unquoted.
var reservedSQL = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`all analyse analyze and any array as asc asymmetric both case cast
		check collate column constraint create current_catalog current_date current_role current_time
		current_timestamp current_user default deferrable desc distinct do else end except false fetch
		for foreign from grant group having in initially intersect into lateral leading limit localtime
		localtimestamp not null offset on only or order placing primary references returning select
		session_user some symmetric system_user table then to trailing true union unique user using
		variadic when where window with authorization binary collation concurrently cross current_schema
		freeze full ilike inner is isnull join left like natural notnull outer overlaps right similar
		tablesample verbose`) {
		words[w] = true
	}
	return words
}()
