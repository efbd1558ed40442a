package schemagen_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"erpgraph/internal/schemagen"
)

// TestGolden holds the SDL and the report to what they were: each archive in testdata
// is a schema folder (the settings, facts, the app's SDL) and, under want/, all that
// follows from it, or the error. `go test -update` rewrites want/.
func TestGolden(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			t.Parallel()
			golden(t, archive)
		})
	}
}

var update = flag.Bool("update", false, "rewrite what the golden tests want")

func golden(t *testing.T, file string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copySchema(t, dir, false)
	want := map[string]string{}
	given := archive.Files[:0:0]
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "want/"); ok {
			want[name] = string(f.Data)
			continue
		}
		given = append(given, f)
		write(t, filepath.Join(dir, filepath.FromSlash(f.Name)), f.Data)
	}
	got := map[string]string{}
	if _, _, err := schemagen.GenerateSDL(dir); err != nil {
		got["error"] = strings.ReplaceAll(err.Error(), dir, "") + "\n"
	}
	for _, pattern := range []string{"erpnext/*.graphqls", "erpnext/*.md", "app/generated/*.graphqls"} {
		files, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			got[name] = read(t, filepath.Join(dir, name))
		}
	}
	if *update {
		rewrite(t, file, archive, given, got)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func rewrite(t *testing.T, file string, archive *txtar.Archive, given []txtar.File, got map[string]string) {
	t.Helper()
	archive.Files = given
	for _, name := range sorted(got) {
		archive.Files = append(archive.Files, txtar.File{Name: "want/" + name, Data: []byte(got[name])})
	}
	write(t, file, txtar.Format(archive))
}

// The committed SDL is what the committed facts give, twice in a row, and a second run
// over its own output changes nothing.
func TestCommittedSDL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	copySchema(t, dir, true)
	before := snapshot(t, dir)
	write(t, filepath.Join(dir, "erpnext", "gone.graphqls"), []byte("type Gone { x: Int }\n"))
	for range 2 {
		if _, _, err := schemagen.GenerateSDL(dir); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
			t.Fatalf("run `go generate ./...` and commit:\n%s", diff)
		}
	}
}

// An error leaves all files as they were.
func TestGenerateWritesAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	copySchema(t, dir, true)
	write(t, filepath.Join(dir, "app", "broken.graphqls"), []byte("extend type Customer { x: Nowhere }\n"))
	settings := read(t, filepath.Join(dir, "doctypes.yml"))
	write(t, filepath.Join(dir, "doctypes.yml"), []byte(strings.Replace(settings, "  Brand: {}\n", "  Brand: {hide: [image]}\n", 1)))
	before := snapshot(t, dir)
	if _, _, err := schemagen.GenerateSDL(dir); err == nil || !strings.Contains(err.Error(), "Nowhere") {
		t.Fatalf("%v, want an error about Nowhere", err)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// copySchema copies the repository's hand-written SDL to dir, or the whole folder.
func copySchema(t *testing.T, dir string, all bool) {
	t.Helper()
	root := os.DirFS("../../schema")
	patterns := []string{"core.graphqls", "directives.graphqls", "events.graphqls", "filters.graphqls"}
	if all {
		patterns = []string{"*.graphqls", "doctypes.yml", "erpnext/*", "app/*.graphqls", "app/generated/*"}
	}
	for _, pattern := range patterns {
		files, err := fs.Glob(root, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			write(t, filepath.Join(dir, filepath.FromSlash(name)), []byte(read(t, filepath.Join("../../schema", name))))
		}
	}
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[name] = read(t, filepath.Join(dir, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
