package simulator

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// Names of the files of a data set.
const (
	dataSuffix   = ".jsonl.gz"
	docTypesFile = "doctypes" + dataSuffix // one DocType's metadata a line
	singlesFile  = "singles" + dataSuffix  // one single document a line
)

// maxLine bounds a line of a data set; a document with its rows is far smaller.
const maxLine = 16 << 20

// load reads a data set into a fresh snapshot: doctypes.jsonl.gz first, then a file for
// each DocType that has documents, child rows inline.
func load(fsys fs.FS, col *collation) (*snapshot, error) {
	snap := &snapshot{
		tables:  make(map[string]*table),
		singles: make(map[string]object),
		users:   make(map[string]*account),
		keys:    make(map[string]*account),
		bearers: make(map[string]*account),
		files:   make(map[string]*blob),

		passwords: make(map[string]string),
	}
	for _, m := range builtinDocTypes() {
		if err := snap.addDocType(m); err != nil {
			return nil, err
		}
	}
	if fsys == nil {
		return snap, nil
	}
	err := eachLine(fsys, docTypesFile, func(line []byte) error { return snap.addDocType(line) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	names, err := fs.Glob(fsys, "*"+dataSuffix)
	if err != nil {
		return nil, fmt.Errorf("data set: %w", err)
	}
	sort.Strings(names)
	pending := make(map[string][]*row)
	for _, name := range names {
		doctype := strings.TrimSuffix(path.Base(name), dataSuffix)
		if name == docTypesFile {
			continue
		}
		err := eachLine(fsys, name, func(line []byte) error {
			v, err := decodeJSON(string(line))
			doc, ok := v.(object)
			if err != nil || !ok {
				return fmt.Errorf("%s: not a JSON object: %w", name, err)
			}
			if name == singlesFile {
				snap.singles[cstr(doc.get("name"))] = doc
				return nil
			}
			return snap.collect(col, pending, doctype, doc)
		})
		if err != nil {
			return nil, err
		}
	}
	for doctype, rows := range pending {
		sortRows(rows)
		snap.tables[doctype] = newTable(snap.tables[doctype].meta, compactRows(rows))
	}
	snap.fillFiles()
	return snap, nil
}

// fillFiles makes contents for the files of the data set, which brings none: each holds
// its own name.
func (s *snapshot) fillFiles() {
	t := s.tables["File"]
	if t == nil {
		return
	}
	url, name := t.meta.column("file_url"), t.meta.column("file_name")
	if url < 0 || name < 0 {
		return
	}
	for _, r := range t.rows {
		if u := r.vals[url].s; strings.HasPrefix(u, "/") {
			s.files[u] = memoryBlob([]byte(r.vals[name].s + "\n"))
		}
	}
}

func (s *snapshot) addDocType(meta []byte) error {
	d, err := parseDocType(meta)
	if err != nil {
		return err
	}
	var rows []*row
	if old := s.tables[d.Name]; old != nil && len(old.rows) > 0 {
		return fmt.Errorf("doctype %s has documents", d.Name)
	}
	s.tables[d.Name] = newTable(d, rows)
	return nil
}

// collect turns a document into rows of its table and of its child tables.
func (s *snapshot) collect(col *collation, into map[string][]*row, doctype string, doc object) error {
	t := s.tables[doctype]
	if t == nil {
		return fmt.Errorf("documents of %q, which is not among the doctypes", doctype)
	}
	r := col.newRow(t.meta, doc)
	into[doctype] = append(into[doctype], r)
	for _, f := range t.meta.tables() {
		child := s.tables[f.Options]
		if child == nil {
			continue
		}
		list, _ := doc.get(f.Name).([]any)
		for i, e := range list {
			o, ok := e.(object)
			if !ok {
				continue
			}
			defaultTo(&o, "parent", r.name())
			defaultTo(&o, "parenttype", doctype)
			defaultTo(&o, "parentfield", f.Name)
			defaultTo(&o, "idx", int64(i+1))
			into[f.Options] = append(into[f.Options], col.newRow(child.meta, o))
		}
	}
	return nil
}

func defaultTo(o *object, key string, v any) {
	if o.get(key) == nil {
		o.set(key, v)
	}
}

// eachLine calls do with the lines of a gzipped file.
func eachLine(fsys fs.FS, name string, do func([]byte) error) (err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return fmt.Errorf("data set: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return fmt.Errorf("data set %s: %w", name, err)
	}
	lines := bufio.NewReaderSize(io.LimitReader(z, 1<<30), 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > maxLine {
			return fmt.Errorf("data set %s: a line of %d bytes", name, len(line))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := do(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("data set %s: %w", name, err)
		}
	}
}
