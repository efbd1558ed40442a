package simulator

import (
	"fmt"
	"slices"
)

// docTypeObject is the metadata as the endpoints answer it: the facts of the data set
// with the flags filled in that a real answer always has.
func (d *docType) docTypeObject() object {
	out := object{{"doctype", "DocType"}, {"name", d.Name}}
	for _, m := range d.raw {
		if m.key != "fields" && m.key != "permissions" && m.key != "name" {
			out = append(out, m)
		}
	}
	for _, k := range []string{"issingle", "is_virtual", "is_tree", "istable", "track_changes", "is_submittable", "custom", "allow_rename", "show_title_field_in_link"} {
		if _, ok := out.lookup(k); !ok {
			out = append(out, member{k, int64(0)})
		}
	}
	fields := []object{}
	for _, f := range asList(d.raw.get("fields")) {
		if o, ok := f.(object); ok {
			fields = append(fields, append(object{{"doctype", "DocField"}, {"parent", d.Name}}, o...))
		}
	}
	perms := []object{}
	for i, p := range asList(d.raw.get("permissions")) {
		given, _ := p.(object)
		o := object{{"doctype", "DocPerm"}, {"parent", d.Name}, {"parentfield", "permissions"}, {"parenttype", "DocType"}, {"idx", int64(i + 1)}, {"role", given.get("role")}}
		for _, k := range append([]string{"permlevel", "if_owner"}, rights...) {
			o = append(o, member{k, cint(given.get(k))})
		}
		perms = append(perms, o)
	}
	return append(out, member{"fields", fields}, member{"permissions", perms})
}

// getDocType is the desk's metadata bundle: the DocType and its child tables. Anyone who
// is logged in gets it.
func (q *call) getDocType() (any, error) {
	meta := q.snap.meta(q.arg("doctype"))
	if meta == nil {
		return nil, notFound("DocType", q.arg("doctype"))
	}
	answer := topLevel{}
	if bool(meta.IsTable) && cint(q.form.get("with_parent")) != 0 {
		if parent := q.snap.parentOf(meta.Name); parent != nil {
			meta = parent
			answer = append(answer, member{"parent_dt", parent.Name})
		}
	}
	docs := []object{append(meta.docTypeObject(), member{"__workflow_docs", q.snap.workflowDocs(q.s.collation, meta.Name)})}
	seen := []string{meta.Name}
	for _, f := range meta.tables() {
		if child := q.snap.meta(f.Options); child != nil && !slices.Contains(seen, child.Name) {
			seen = append(seen, child.Name)
			docs = append(docs, child.docTypeObject())
		}
	}
	return append(answer, member{"docs", docs}, member{"user_settings", "{}"}), nil
}

// parentOf is a DocType that has the child table, nil for none.
func (s *snapshot) parentOf(child string) *docType {
	for _, name := range sortedKeys(s.tables) {
		meta := s.tables[name].meta
		if slices.ContainsFunc(meta.tables(), func(f *docField) bool { return f.Options == child }) {
			return meta
		}
	}
	return nil
}

// getDoc is the desk's form: the document under "docs", an empty message without it.
func (q *call) getDoc() (any, error) {
	doctype, name := q.arg("doctype"), q.arg("name")
	meta := q.snap.meta(doctype)
	if meta == nil {
		return nil, notFound("DocType", doctype)
	}
	d := q.snap.document(q.s.collation, meta.Name, name)
	if meta.IsSingle {
		d = q.single(meta)
	}
	if d == nil {
		return []any{}, nil
	}
	a := q.access()
	if !a.document(d, "read") {
		return nil, a.denied(fmt.Sprintf("('read', '%s', '%s')", doctype, d.row.name()),
			"Insufficient Permission for "+bold(doctype+" "+d.row.name()))
	}
	q.log.Rows = 1
	return topLevel{{"docs", []object{d.object(q.snap, q.readLevels(d), false)}}}, nil
}

// describeDocTypes fills the tables of metadata from the metadata itself, so that
// DocType, DocField, DocPerm and Custom Field can be listed like anything else.
func (s *snapshot) describeDocTypes(col *collation) {
	t := s.tables["DocType"]
	if t == nil {
		return
	}
	rows := make(map[string][]*row)
	for _, name := range sortedKeys(s.tables) {
		d := s.tables[name].meta
		doc := d.raw.without("fields", "permissions")
		rows["DocType"] = append(rows["DocType"], col.newRow(t.meta, doc))
		for _, f := range asList(d.raw.get("fields")) {
			o, _ := f.(object)
			table, row := "DocField", slices.Clone(o)
			row.set("name", d.Name+"-"+cstr(o.get("fieldname")))
			if truthy(o.get("is_custom_field")) {
				table = "Custom Field"
				row.set("dt", d.Name)
			} else {
				row.set("parent", d.Name)
				row.set("parenttype", "DocType")
				row.set("parentfield", "fields")
			}
			if m := s.tables[table]; m != nil {
				rows[table] = append(rows[table], col.newRow(m.meta, row))
			}
		}
		for i, p := range asList(d.raw.get("permissions")) {
			o, _ := p.(object)
			row := slices.Clone(o)
			row.set("name", fmt.Sprintf("%s-perm-%d", d.Name, i+1))
			row.set("idx", int64(i+1))
			row.set("parent", d.Name)
			row.set("parenttype", "DocType")
			row.set("parentfield", "permissions")
			if m := s.tables["DocPerm"]; m != nil {
				rows["DocPerm"] = append(rows["DocPerm"], col.newRow(m.meta, row))
			}
		}
	}
	for name, list := range rows {
		sortRows(list)
		s.tables[name] = newTable(s.tables[name].meta, compactRows(list))
	}
}
