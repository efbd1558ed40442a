package setup

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

// report tells a person what is done. What comes from the site is quoted, so that it
// can't act on the terminal; secrets are never handed to it.
type report struct {
	w   io.Writer
	dry bool
}

func (r report) linef(format string, args ...any) { fmt.Fprintf(r.w, format+"\n", args...) }

func (r report) begin(site, user string) {
	r.linef("%s, as %q", site, user)
	if u, err := url.Parse(site); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		r.linef("warning: over http the administrator's key and the client's secret can be read on the way; use https")
	}
}

// change tells of a document's differences, each field old → new.
func (r report) change(c Change) {
	switch {
	case c.Empty():
		r.linef("%s (%q): nothing to change", c.Document, c.Name)
	case c.Name == "":
		r.linef("%s: to be created", c.Document)
	default:
		r.linef("%s (%q): to be changed", c.Document, c.Name)
	}
	for _, field := range c.Fields {
		if c.Name == "" {
			r.linef("  %s: %s", field.Name, field.New)
		} else {
			r.linef("  %s: %s → %s", field.Name, field.Old, field.New)
		}
	}
	for _, remark := range c.Remarks {
		r.linef("  %s", remark)
	}
}

func (r report) written(d Document, name string) { r.linef("%s (%q): written", d, name) }

func (r report) onScreen() {
	r.linef("warning: the settings below hold secrets and go to the screen; --write-env FILE or > FILE keeps them off it")
}

// removal tells of what is to go; users whose tokens go are signed out.
func (r report) removal(m Removal) {
	if m.Name == "" {
		r.linef("%s: not there", m.Document)
		return
	}
	r.linef("%s (%q): to be removed, with %s", m.Document, m.Name, rows(m))
}

func (r report) removed(m Removal, err error) {
	if err != nil {
		r.linef("%s (%q): not removed, but %s", m.Document, m.Name, rows(m))
		return
	}
	r.linef("%s (%q): removed, with %s", m.Document, m.Name, rows(m))
}

func rows(m Removal) string {
	parts := make([]string, len(m.Rows))
	for i, n := range m.Rows {
		parts[i] = fmt.Sprintf("%d of %s", n, m.Document.Dependents[i].DocType)
	}
	return strings.Join(parts, ", ")
}

// file tells which settings of the file change, by name only.
func (r report) file(env *storedEnv, did, would string, names []string) {
	switch {
	case len(names) == 0:
		r.linef("%s: nothing to change", env.path)
	case r.dry:
		r.linef("%s: %s %s", env.path, would, strings.Join(names, ", "))
	default:
		r.linef("%s: %s %s", env.path, did, strings.Join(names, ", "))
	}
	if env.loose && r.dry {
		r.linef("%s: others than its owner may read it; its mode would become %04o", env.path, env.mode)
	} else if env.loose {
		r.linef("%s: others than its owner could read it; its mode is %04o now", env.path, env.mode)
	}
}

func (r report) foreign(env *storedEnv, id string) {
	r.linef("%s: left alone, it is about the OAuth Client %q", env.path, id)
}

func (r report) end() {
	if r.dry {
		r.linef("dry run: nothing was written")
	}
}
