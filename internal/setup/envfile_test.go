package setup

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// A setting goes where it stands, whatever way it is written in, and all else stays.
func TestEnvSet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", "A=new\n"},
		{"appended", "# note\nB=1\n", "# note\nB=1\nA=new\n"},
		{"no line end", "B=1", "B=1\nA=new\n"},
		{"in place", "A=old\nB=1\n", "A=new\nB=1\n"},
		{"the same", "A=new\n", "A=new\n"},
		{"the same in quotes", "A='new'  # why\n", "A='new'  # why\n"},
		{"the same in double quotes", "A=\"new\"\n", "A=\"new\"\n"},
		{"exported", "  export A=old\n", "  export A=new\n"},
		{"twice", "A=1\nB=2\nA=3\n", "A=new\nB=2\nA=new\n"},
		{"commented out", "#A=old\n", "#A=old\nA=new\n"},
		{"a longer name", "AA=old\nA_=old\n", "AA=old\nA_=old\nA=new\n"},
		{"blanks before the sign", "A =old\n", "A =old\nA=new\n"},
		{"in a value", "B='A=old'\n", "B='A=old'\nA=new\n"},
		{"ends of lines", "A=new\r\nB=1\r\n", "A=new\nB=1\r\n"},
		{"an apostrophe in a comment", "# it's\nB=1 # it's\n", "# it's\nB=1 # it's\nA=new\n"},
		{"empty value", "A=\n", "A=new\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := parseEnv("file", []byte(c.file))
			if err != nil {
				t.Fatal(err)
			}
			changed := f.set(setting{"A", "new"})
			if got := string(f.bytes()); got != c.want || changed != (c.file != c.want) {
				t.Errorf("%q, changed %v, want %q", got, changed, c.want)
			}
			if f.get("A") != "new" || f.set(setting{"A", "new"}) {
				t.Errorf("set a second time, it changes")
			}
		})
	}
}

// A value that goes on in the next line is refused with its place.
func TestEnvOpenValue(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"B='1", "B=\"1", "B=\"1\\\"", "B=1\\", "B=it's", "'", "echo \\"} {
		_, err := parseEnv("file", []byte("# note\n"+line+"\nA=old'\n"))
		e, ok := errors.AsType[*EnvFileError](err)
		if !ok || e.Line != 2 || !strings.HasPrefix(e.Error(), "file:2: ") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestEnvGet(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"A=1":              "1",
		"A=":               "",
		"A= 1":             "",
		"A=1 # note":       "1",
		"A=1#2":            "1#2",
		"A='1 2' # note":   "1 2",
		`A="1 \"2\" \x"`:   `1 "2" \x`,
		`A='1\'`:           `1\`,
		`A=1\ 2`:           "1 2",
		`A=1'2'"3"`:        "123",
		"A=1\nA=2":         "2",
		"export\tA=1":      "1",
		"exportA=1":        "",
		"A=1\nexport B='2": "",
	} {
		f, err := parseEnv("file", []byte(line+"\n"))
		if err != nil {
			if want != "" {
				t.Errorf("%q: %v", line, err)
			}
			continue
		}
		if got := f.get("A"); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// FuzzEnv checks that whatever is in a file, it stays but for what was set, and that a
// value set is the value read.
func FuzzEnv(f *testing.F) {
	for _, s := range []string{"", "A=1\n", "export A='1'\n# x\nB=2", "A=1\\\nA=2", "A=\"\n", "\xff\x00=1\nA=1\r\n", "A=1\nA=2\nA"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		env, err := parseEnv("file", data)
		if err != nil {
			return
		}
		if !bytes.Equal(env.bytes(), data) {
			t.Fatalf("%q is written as %q", data, env.bytes())
		}
		env.set(setting{"A", "new+/=="})
		again, err := parseEnv("file", env.bytes())
		if err != nil || again.get("A") != "new+/==" {
			t.Fatalf("%q: set, it is %q, %v", data, env.bytes(), err)
		}
		before, err := parseEnv("file", data)
		if err != nil {
			t.Fatal(err)
		}
		before.unset("A")
		again.unset("A")
		if !bytes.Equal(bytes.TrimSuffix(before.bytes(), []byte("\n")), bytes.TrimSuffix(again.bytes(), []byte("\n"))) {
			t.Fatalf("%q: other lines changed to %q", data, again.bytes())
		}
	})
}
