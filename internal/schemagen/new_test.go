package schemagen_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"erpgraph/internal/schemagen"
)

func TestNewType(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	sdl, migration, err := schemagen.NewType(root, "ServiceReminder")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "schema", "app", "service_reminder.graphqls"); sdl != want {
		t.Errorf("SDL in %s", sdl)
	}
	if want := filepath.Join(root, "migrations", "00008_service_reminder.sql"); migration != want {
		t.Errorf("migration in %s", migration)
	}
	for file, want := range map[string]string{
		sdl:       "type ServiceReminder implements Node\n  @table(name: \"service_reminder\")\n  @access(read: [\"System Manager\"], write: [\"System Manager\"])",
		migration: "create table service_reminder (",
	} {
		if text := read(t, file); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", file, want, text)
		}
	}
	if text := read(t, migration); !strings.HasPrefix(text, "-- +goose Up") || !strings.Contains(text, "-- +goose Down") {
		t.Errorf("no migration of goose's:\n%s", text)
	}
	// What was scaffolded is part of the graph at once.
	reg, _, err := schemagen.GenerateSDL(filepath.Join(root, "schema"))
	if err != nil || reg.ByName("ServiceReminder") == nil {
		t.Fatalf("the new type does not build: %v", err)
	}
	reminder := reg.ByName("ServiceReminder")
	if fields := reminder.CreateFields(); len(fields) != 1 || fields[0].Name != "title" || reminder.Writes.Modified == nil {
		t.Errorf("its input has %v, its time of change is %v", fields, reminder.Writes.Modified)
	}
}

func TestNewTypeRefuses(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	before := snapshot(t, root)
	for _, name := range []string{"", "lower", "With Space", "../Evil", "Umläut", strings.Repeat("A", 51)} {
		if _, _, err := schemagen.NewType(root, name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
	for name, why := range map[string]string{
		"ServiceContract":           "exists",
		"Customer":                  "type of a DocType",
		"ServiceContractConnection": "derived type",
		"DateFilter":                "type of the schema",
		"ServiceVisitStatus":        "the app's own enum",
		"Order":                     "word of SQL",
		"OldTable":                  "table of a migration",
		"LoadTest":                  "build constraint",
	} {
		if _, _, err := schemagen.NewType(root, name); !errors.Is(err, schemagen.ErrClash) {
			t.Errorf("%s (%s): %v", name, why, err)
		}
	}
	after := snapshot(t, root)
	if len(after) != len(before) {
		t.Errorf("files were left: %d, then %d", len(before), len(after))
	}
}

// newRoot is a module with the committed schema and some migrations.
func newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	copySchema(t, filepath.Join(root, "schema"), true)
	write(t, filepath.Join(root, "migrations", "00001_first.sql"), []byte("-- +goose Up\nselect 1;\n"))
	write(t, filepath.Join(root, "migrations", "00007_old.sql"), []byte("CREATE TABLE IF NOT EXISTS \"old_table\" (id int);\n"))
	write(t, filepath.Join(root, "migrations", "migrations.go"), []byte("package migrations\n"))
	return root
}
