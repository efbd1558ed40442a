package schemagen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"erpgraph/internal/doctype"
)

// A MetaSource tells the facts of DocTypes: a live site, or a folder of recorded ones.
type MetaSource interface {
	// Facts gives the DocType and, as far as the source knows them in one go, its
	// child tables. The error wraps fs.ErrNotExist when there is no such DocType.
	Facts(ctx context.Context, name string) ([]*doctype.Facts, error)
}

// Pulled is what a pull did.
type Pulled struct {
	DocTypes, Children int
	// Changed are the files written anew; Removed those of DocTypes no longer asked for.
	Changed, Removed []string
	// Missing are child tables that the source does not have.
	Missing []string
}

// Pull writes the facts of each DocType in dir/doctypes.yml, and of its child tables,
// to dir/erpnext. Files of DocTypes that are no longer listed go. Nothing is written
// unless all DocTypes were read.
func Pull(ctx context.Context, dir string, src MetaSource) (*Pulled, error) {
	raw, err := os.ReadFile(filepath.Join(dir, doctype.ConfigFile))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	cfg, err := doctype.ParseConfig(raw)
	if err != nil {
		return nil, err
	}
	p := &puller{src: src, cfg: cfg, facts: map[string]*doctype.Facts{}, out: &Pulled{}}
	for _, name := range cfg.Names() {
		if err := p.pull(ctx, name); err != nil {
			return nil, err
		}
	}
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	if err := p.write(dir, files); err != nil {
		return nil, err
	}
	return p.out, nil
}

// puller holds what a pull has read so far.
type puller struct {
	src   MetaSource
	cfg   *doctype.Config
	facts map[string]*doctype.Facts
	out   *Pulled
}

// pull reads one listed DocType and the child tables that its source left out.
func (p *puller) pull(ctx context.Context, name string) error {
	if err := p.read(ctx, name); err != nil {
		return fmt.Errorf("pull %s: %w", name, err)
	}
	for i := range p.facts[name].Fields {
		f := &p.facts[name].Fields[i]
		if f.Fieldtype != "Table" && f.Fieldtype != "Table MultiSelect" {
			continue
		}
		child := string(f.Options)
		err := p.read(ctx, child)
		if errors.Is(err, fs.ErrNotExist) {
			p.out.Missing = append(p.out.Missing, fmt.Sprintf("%s (%s.%s)", child, name, f.Fieldname))
			continue
		}
		if err != nil {
			return fmt.Errorf("pull %s, child table of %s: %w", child, name, err)
		}
	}
	return nil
}

// read asks the source for a DocType, once.
func (p *puller) read(ctx context.Context, name string) error {
	if p.facts[name] != nil {
		return nil
	}
	all, err := p.src.Facts(ctx, name)
	if err != nil {
		return err
	}
	for _, f := range all {
		if key := string(f.Name); p.facts[key] == nil {
			p.facts[key] = p.trim(f)
		}
	}
	if p.facts[name] == nil {
		return fmt.Errorf("the answer tells of other DocTypes only: %w", fs.ErrNotExist)
	}
	return nil
}

// trim drops what is no fact of the graph: help texts that the settings don't ask for,
// and all but the names of what only arranges a form (texts and HTML of the site).
func (p *puller) trim(f *doctype.Facts) *doctype.Facts {
	want := p.cfg.Descriptions
	if t := p.cfg.DocTypes[string(f.Name)]; t != nil && t.Descriptions != nil {
		want = *t.Descriptions
	}
	if !want {
		f.Description = ""
	}
	for i := range f.Fields {
		field := &f.Fields[i]
		if field.Layout() {
			*field = doctype.FieldFacts{Fieldname: field.Fieldname, Fieldtype: field.Fieldtype}
		}
		if !want {
			field.Description = ""
		}
	}
	return f
}

// files are the facts by the path of their file below schema/.
func (p *puller) files() (map[string][]byte, error) {
	files, owner := map[string][]byte{}, map[string]string{}
	for _, name := range sortedKeys(p.facts) {
		data, err := p.facts[name].Marshal()
		if err != nil {
			return nil, err
		}
		file := doctype.FactsDir + "/" + doctype.Stem(name) + ".json"
		if other, ok := owner[file]; ok {
			return nil, fmt.Errorf("%s and %s would share the file %s: leave one of them out", other, name, file)
		}
		files[file], owner[file] = data, name
		if p.facts[name].Istable {
			p.out.Children++
		} else {
			p.out.DocTypes++
		}
	}
	return files, nil
}

// write writes what changed and removes what is no longer asked for.
func (p *puller) write(dir string, files map[string][]byte) error {
	old, err := fs.Glob(os.DirFS(dir), doctype.FactsDir+"/*.json")
	if err != nil {
		return fmt.Errorf("list facts: %w", err)
	}
	for _, name := range old {
		if _, keep := files[name]; keep {
			continue
		}
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return fmt.Errorf("remove facts: %w", err)
		}
		p.out.Removed = append(p.out.Removed, name)
	}
	for _, name := range sortedKeys(files) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		before, _ := os.ReadFile(path) // a file that isn't there differs
		if string(before) == string(files[name]) {
			continue
		}
		if err := writeFile(path, files[name]); err != nil {
			return err
		}
		p.out.Changed = append(p.out.Changed, name)
	}
	return nil
}

// Folder is a MetaSource of recorded metadata: a file "<DocType>.json" for each.
type Folder struct{ FS fs.FS }

// Facts reads the file of one DocType.
func (f Folder) Facts(_ context.Context, name string) ([]*doctype.Facts, error) {
	if strings.ContainsAny(name, `/\`) || !fs.ValidPath(name+".json") {
		return nil, fmt.Errorf("%q is no file name: %w", name, fs.ErrNotExist)
	}
	raw, err := fs.ReadFile(f.FS, name+".json")
	if err != nil {
		return nil, fmt.Errorf("recorded facts of %s: %w", name, err)
	}
	facts, err := doctype.ParseFacts(raw)
	if err != nil {
		return nil, fmt.Errorf("%s.json: %w", name, err)
	}
	return []*doctype.Facts{facts}, nil
}
