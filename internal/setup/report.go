package setup

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"erpgraph/internal/origin"
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
	if u, err := url.Parse(site); err == nil && u.Scheme == "http" && !origin.IsLoopback(u.Hostname()) {
		r.linef("warning: over http the administrator's key and all secrets can be read on the way; use https")
	}
}

// change tells of a document's differences, each field old → new.
func (r report) change(c change) {
	switch {
	case c.empty():
		r.linef("%s (%q): nothing to change", c.document, c.name)
	case c.name == "":
		r.linef("%s: to be created", c.document)
	default:
		r.linef("%s (%q): to be changed", c.document, c.name)
	}
	for _, field := range c.fields {
		if c.name == "" {
			r.linef("  %s: %s", field.name, field.new)
		} else {
			r.linef("  %s: %s → %s", field.name, field.old, field.new)
		}
	}
	for _, remark := range c.remarks {
		r.linef("  %s", remark)
	}
}

func (r report) written(d document, name string) { r.linef("%s (%q): written", d, name) }

func (r report) onScreen() {
	r.linef("warning: the settings below hold secrets and go to the screen; --write-env FILE or > FILE keeps them off it")
}

// removal tells of what is to go; users whose tokens go are signed out.
func (r report) removal(m removal) {
	if m.name == "" {
		r.linef("%s: not there", m.document)
		return
	}
	r.linef("%s (%q): to be removed, with %s", m.document, m.name, rows(m))
}

func (r report) removed(m removal, err error) {
	if err != nil {
		r.linef("%s (%q): not removed, but %s", m.document, m.name, rows(m))
		return
	}
	r.linef("%s (%q): removed, with %s", m.document, m.name, rows(m))
}

func rows(m removal) string {
	parts := make([]string, len(m.rows))
	for i, n := range m.rows {
		parts[i] = fmt.Sprintf("%d of %s", n, m.document.dependents[i].docType)
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
