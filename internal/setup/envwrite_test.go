package setup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"erpgraph/internal/setup"
)

// The file is the owner's alone, whatever it was before; what else is in it stays.
func TestEnvFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		mode, want os.FileMode
		told       bool
	}{
		{"private", 0o600, 0o600, false},
		{"read-only stays read-only", 0o400, 0o400, false},
		{"for the group", 0o640, 0o600, true},
		{"for all", 0o666, 0o600, true},
		{"executable", 0o700, 0o600, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			o := b.options(t)
			const before = "# mine\n\nexport LISTEN=':8080' # here\nSESSION_KEYS=\"a2V5\"\nPUBLIC_URL=https://old.example.com\n"
			o.EnvFile = envFile(t, before, c.mode)
			r := b.must(t, o)
			content, mode := read(t, o.EnvFile)
			client := b.theClient(t)
			want := "# mine\n\nexport LISTEN=':8080' # here\nSESSION_KEYS=\"a2V5\"\nPUBLIC_URL=" + public + "\nERPNEXT_URL=" + b.url +
				"\nERPNEXT_OAUTH_CLIENT_ID=" + text(client["name"]) + "\nERPNEXT_OAUTH_CLIENT_SECRET=" + text(client["client_secret"]) + "\n"
			if content != want || mode != c.want {
				t.Errorf("mode %o, want %o:\n%s", mode, c.want, content)
			}
			if r.settings != "" || strings.Contains(r.messages, "others than its owner") != c.told {
				t.Errorf("told:\n%s%s", r.messages, r.settings)
			}
			if left, err := os.ReadDir(filepath.Dir(o.EnvFile)); err != nil || len(left) != 1 {
				t.Errorf("left in the folder: %v, %v", left, err)
			}
		})
	}
}

// A file that is laxer than it should be is mended even when no setting changes.
func TestEnvFileTightened(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.options(t)
	o.EnvFile = filepath.Join(t.TempDir(), "new.env")
	b.must(t, o)
	if _, mode := read(t, o.EnvFile); mode != 0o600 {
		t.Errorf("a new file has mode %o", mode)
	}
	if err := os.Chmod(o.EnvFile, 0o644); err != nil {
		t.Fatal(err)
	}
	r := b.must(t, o)
	if _, mode := read(t, o.EnvFile); mode != 0o600 || !strings.Contains(r.messages, "its mode is 0600 now") {
		t.Errorf("mode %o:\n%s", mode, r.messages)
	}
}

// What can't be kept is refused before the site is changed.
func TestEnvFileRefused(t *testing.T) {
	t.Parallel()
	link := func(t *testing.T) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(envFile(t, "A=1\n", 0o600), path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]func(t *testing.T) string{
		"a link":            link,
		"a folder":          func(t *testing.T) string { t.Helper(); return t.TempDir() },
		"no folder":         func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "none", "env") },
		"a file as folder":  func(t *testing.T) string { t.Helper(); return filepath.Join(envFile(t, "", 0o600), "env") },
		"an open quote":     func(t *testing.T) string { t.Helper(); return envFile(t, "A='1\nSESSION_KEYS=x'\n", 0o600) },
		"a huge file":       func(t *testing.T) string { t.Helper(); return envFile(t, strings.Repeat("A=1\n", 1<<19), 0o600) },
		"another's file":    othersFile,
		"not a plain place": func(*testing.T) string { return os.DevNull },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			o := b.options(t)
			o.EnvFile = path(t)
			for _, remove := range []bool{false, true} {
				o.Remove = remove
				r := b.run(t, o)
				e, ok := errors.AsType[*setup.EnvFileError](r.err)
				if !ok || e.Path != o.EnvFile {
					t.Errorf("remove %v: %v", remove, r.err)
				}
			}
			if writes := b.written(); len(writes) != 0 {
				t.Errorf("writes: %+v", writes)
			}
		})
	}
}

// othersFile is a file of another user: for root one that was given away, for all
// others one of root's.
func othersFile(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		return "/etc/hosts"
	}
	path := envFile(t, "A=1\n", 0o600)
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	return path
}

// A failure to write leaves the file as it was, and a run after it goes on.
func TestEnvFileNotWritten(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	o := b.options(t)
	folder := filepath.Join(t.TempDir(), "place")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	o.EnvFile = filepath.Join(folder, "env")
	b.beforeWrites(func(write) { // between the check and the write
		if err := os.Remove(folder); err != nil {
			t.Error(err)
		}
	})
	r := b.run(t, o)
	if e, ok := errors.AsType[*setup.EnvFileError](r.err); !ok || !errors.Is(e, os.ErrNotExist) {
		t.Errorf("%v", r.err)
	}
	b.beforeWrites(nil)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	b.must(t, o)
	if settingOf(t, o.EnvFile, "ERPNEXT_OAUTH_CLIENT_ID") != text(b.theClient(t)["name"]) {
		t.Error("the file does not name the client")
	}
}
