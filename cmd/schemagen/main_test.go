package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// These change the working directory, so they do not run in parallel.

func TestRunTellsWhatIsMissing(t *testing.T) {
	t.Setenv("ERPNEXT_URL", "")
	t.Setenv("ERPNEXT_ADMIN_KEY", "")
	for name, c := range map[string]struct {
		root bool
		args []string
		want string
	}{
		"not the root":    {false, []string{"generate"}, "root of the module"},
		"no site":         {true, []string{"pull"}, "ERPNEXT_URL"},
		"no credential":   {true, []string{"pull", "--url", "https://erp.example.com"}, "ERPNEXT_ADMIN_KEY"},
		"bad credential":  {true, []string{"pull", "--url", "https://erp.example.com", "--key", "s3cr3t"}, "credential"},
		"bad name":        {true, []string{"new", "lower case"}, "PascalCase"},
		"unknown command": {true, []string{"push"}, "push"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.root {
				put(t, filepath.Join(dir, "schema", "doctypes.yml"), "doctypes: {}\n")
			}
			t.Chdir(dir)
			var out strings.Builder
			err := run(t.Context(), c.args, &out)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%v, want something about %q", err, c.want)
			}
		})
	}
}

func TestRunPullFromFolder(t *testing.T) {
	dir, recorded := t.TempDir(), t.TempDir()
	put(t, filepath.Join(dir, "schema", "doctypes.yml"), "doctypes: {Brand: {}}\n")
	put(t, filepath.Join(recorded, "Brand.json"), `{"name": "Brand", "fields": [{"fieldname": "x", "fieldtype": "Table", "options": "Gone"}]}`)
	t.Chdir(dir)
	var out strings.Builder
	if err := run(t.Context(), []string{"pull", "--from", recorded}, &out); err != nil {
		t.Fatal(err)
	}
	want := "1 DocTypes and 0 child tables\nchanged: erpnext/brand.json\nno such child table: Gone (Brand.x)\nnext: go generate ./...\n"
	if out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The committed code is what the committed schema gives, and a lost graph/ comes back.
func TestRunGenerateRestoresCode(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "gqlgen.yml", "schema", "resolvers", "internal", "loaders", "migrations"} {
		cp(t, filepath.Join(root, name), filepath.Join(dir, name))
	}
	put(t, filepath.Join(dir, "graph", "gone.generated.go"), "package graph\n")
	put(t, filepath.Join(dir, "resolvers", "gone.gen.go"), "package resolvers\n")
	t.Chdir(dir)
	var out strings.Builder
	if err := run(t.Context(), []string{"generate"}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "document types: ") {
		t.Errorf("told %q", out.String())
	}
	for _, folder := range []string{"graph", "resolvers", "schema"} {
		if diff := cmp.Diff(texts(t, filepath.Join(root, folder)), texts(t, filepath.Join(dir, folder))); diff != "" {
			t.Errorf("%s: run `go generate ./...` and commit:\n%s", folder, diff)
		}
	}
}

// cp copies a file, or a folder with all in it.
func cp(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
	} else {
		var data []byte
		if data, err = os.ReadFile(from); err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// texts are the files below a folder, by path.
func texts(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		all[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
