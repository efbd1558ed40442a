package simulator

import (
	"fmt"
	"slices"
)

// writeMethods are the functions that change the site.
func writeMethods() map[string]method {
	return map[string]method{
		"frappe.client.insert":      {run: (*call).clientInsert, posts: true},
		"frappe.client.insert_many": {run: (*call).clientInsertMany, posts: true},
		"frappe.client.save":        {run: (*call).clientSave, posts: true},
		"frappe.client.submit":      {run: (*call).clientSubmit, posts: true},
		"frappe.client.cancel":      {run: (*call).clientCancel, posts: true, need: []string{"doctype", "name"}},
		"frappe.client.delete":      {run: (*call).clientDelete, posts: true, need: []string{"doctype", "name"}},
		"frappe.client.set_value":   {run: (*call).clientSetValue, posts: true, need: []string{"doctype", "name", "fieldname"}},
		"frappe.client.rename_doc":  {run: (*call).clientRename, posts: true, need: []string{"doctype", "old_name", "new_name"}},
		"frappe.client.bulk_update": {run: (*call).clientBulkUpdate, posts: true, need: []string{"docs"}},
		"frappe.client.attach_file": {run: (*call).attachFile, posts: true},
		"erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice": {run: (*call).makeSalesInvoice, need: []string{"source_name"}},
		"frappe.model.workflow.get_transitions":                              {run: (*call).getTransitions, need: []string{"doc"}},
		"frappe.model.workflow.apply_workflow":                               {run: (*call).applyWorkflow, need: []string{"doc", "action"}},
		"frappe.share.add":                                                   {run: (*call).shareAdd, need: []string{"doctype", "name"}},
		"frappe.share.set_permission":                                        {run: (*call).shareSet, need: []string{"doctype", "name", "user", "permission_to"}},
		"frappe.desk.form.utils.add_comment":                                 {run: (*call).addComment, posts: true},
		"upload_file":                                                        {run: (*call).uploadFile, guest: true},
		"frappe.utils.file_manager.download_file":                            {run: (*call).downloadFile, guest: true, need: []string{"file_url"}},
		"frappe.core.doctype.file.file.download_file":                        {run: (*call).downloadFile, guest: true, need: []string{"file_url"}},
	}
}

// sentDocument is the document that a request brings: a JSON body, the form field "data", or the
// form itself.
func (q *call) sentDocument(form object) (object, error) {
	if v, ok := form.lookup("data"); ok {
		switch v := v.(type) {
		case []any:
			return nil, python("TypeError", "pop expected at most 1 argument, got 2")
		case object:
			return v, nil
		case string:
			decoded, err := decodeJSON(v)
			if o, isObject := decoded.(object); err == nil && isObject {
				return o, nil
			}
		}
	}
	if decoded, err := decodeJSON(string(q.body)); err == nil {
		if o, ok := decoded.(object); ok {
			return o, nil
		}
	}
	return form, nil
}

func (q *call) insertForm(doctype string) (any, error) {
	data, err := q.sentDocument(q.form)
	if err != nil {
		return nil, err
	}
	d, err := q.insertOne(doctype, data)
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, false), nil
}

func (q *call) insertOne(doctype string, data object) (*document, error) {
	var d *document
	err := q.transact(func(snap *snapshot) (err error) {
		d, err = q.insert(snap, doctype, data)
		return err
	})
	return d, err
}

// updateForm is PUT: the members that are sent replace those of the document, tables
// whole.
func (q *call) updateForm(doctype, name string) (any, error) {
	data, err := q.sentDocument(q.form)
	if err != nil {
		return nil, err
	}
	d, err := q.saveOne(doctype, name, func(*document) object { return data })
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, false), nil
}

// saveOne loads, changes and saves a document in one step.
func (q *call) saveOne(doctype, name string, change func(*document) object) (*document, error) {
	var d *document
	err := q.transact(func(snap *snapshot) (err error) {
		old, err := q.document(doctype, name)
		if err != nil {
			return err
		}
		if old.meta.IsSingle {
			d, err = q.saveSingle(snap, old, change(old))
			return err
		}
		d, err = q.save(snap, old, change(old))
		return err
	})
	return d, err
}

func (q *call) deleteDocument(doctype, name string) error {
	return q.transact(func(snap *snapshot) error { return q.remove(snap, doctype, name) })
}

// docArg is the argument doc, which holds a document, as JSON or as JSON in a text.
func (q *call) docArg() (object, error) {
	v, err := maybeJSON(q.form.get("doc"))
	if err != nil {
		return nil, jsonFailure(err)
	}
	o, ok := v.(object)
	if !ok {
		return nil, python("TypeError", "'"+pythonType(v)+"' object is not a document")
	}
	return o, nil
}

func (q *call) clientInsert() (any, error) {
	data, err := q.docArg()
	if err != nil {
		return nil, err
	}
	d, err := q.insertAny(data)
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, true), nil
}

// insertAny inserts a document, or a row into the document that it names as parent.
func (q *call) insertAny(data object) (*document, error) {
	doctype, parent := cstr(data.get("doctype")), cstr(data.get("parent"))
	meta := q.snap.meta(doctype)
	if meta == nil || !bool(meta.IsTable) || parent == "" {
		return q.insertOne(doctype, data)
	}
	field := cstr(data.get("parentfield"))
	return q.saveOne(cstr(data.get("parenttype")), parent, func(old *document) object {
		rows := asList(old.object(q.snap, nil, true).plain().get(field))
		return object{{field, append(slices.Clone(rows), known(meta, data))}}
	})
}

// clientInsertMany inserts all or none.
func (q *call) clientInsertMany() (any, error) {
	v, err := maybeJSON(q.form.get("docs"))
	if err != nil {
		return nil, jsonFailure(err)
	}
	names := []string{}
	err = q.transact(func(snap *snapshot) error {
		for _, e := range asList(v) {
			data, _ := e.(object)
			d, err := q.insert(snap, cstr(data.get("doctype")), data)
			if err != nil {
				return err
			}
			names = append(names, d.row.name())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// clientSave saves a whole document; without the right modified it mismatches.
func (q *call) clientSave() (any, error) {
	data, err := q.docArg()
	if err != nil {
		return nil, err
	}
	return q.saveWhole(data)
}

func (q *call) saveWhole(data object) (any, error) {
	defaultTo(&data, "modified", "")
	d, err := q.saveOne(cstr(data.get("doctype")), cstr(data.get("name")), func(*document) object { return data })
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, true), nil
}

func (q *call) clientSubmit() (any, error) {
	data, err := q.docArg()
	if err != nil {
		return nil, err
	}
	data.set("docstatus", int64(1))
	return q.saveWhole(data)
}

func (q *call) clientCancel() (any, error) {
	d, err := q.saveOne(q.arg("doctype"), q.arg("name"), func(*document) object { return object{{"docstatus", int64(2)}} })
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, true), nil
}

func (q *call) clientDelete() (any, error) {
	return nil, q.deleteDocument(q.arg("doctype"), q.arg("name"))
}

// clientSetValue sets one field, or several from an object in fieldname.
func (q *call) clientSetValue() (any, error) {
	field := q.form.get("fieldname")
	if s, ok := field.(string); ok && (slices.Contains(standardColumns, s) || slices.Contains(childColumns, s) || s == "doctype") {
		return nil, thrown("ValidationError", "Cannot edit standard fields")
	}
	values, ok := field.(object)
	if v := q.form.get("value"); truthy(v) {
		values = object{{cstr(field), v}}
	} else if !ok {
		decoded, err := decodeJSON(cstr(field))
		if o, isObject := decoded.(object); err == nil && isObject {
			values = o
		} else {
			values = object{{cstr(field), ""}}
		}
	}
	d, err := q.saveOne(q.arg("doctype"), q.arg("name"), func(*document) object { return values })
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, true), nil
}

// shareAdd shares a document; the caller must be able to share it.
func (q *call) shareAdd() (any, error) {
	var d *document
	err := q.transact(func(snap *snapshot) error {
		if err := q.mayShare(snap); err != nil {
			return err
		}
		doc := object{
			{"user", q.arg("user")},
			{"share_doctype", q.arg("doctype")},
			{"share_name", q.arg("name")},
			{"read", int64(1)},
			{"write", cint(q.form.get("write"))},
			{"submit", cint(q.form.get("submit"))},
			{"share", cint(q.form.get("share"))},
			{"everyone", cint(q.form.get("everyone"))},
			{"notify_by_email", int64(1)},
		}
		now := q.s.stamp()
		for k, v := range map[string]any{"name": q.s.newName(), "owner": q.user.name, "modified_by": q.user.name, "creation": now, "modified": now} {
			doc.set(k, v)
		}
		if err := snap.put(q.s, "DocShare", doc); err != nil {
			return err
		}
		d = snap.document(q.s.collation, "DocShare", cstr(doc.get("name")))
		q.inserted(snap, "DocShare", d.row.name())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d.object(q.snap, nil, false), nil
}

func (q *call) mayShare(snap *snapshot) error {
	d, err := q.document(q.arg("doctype"), q.arg("name"))
	if err != nil {
		return err
	}
	a := &access{snap: snap, user: q.user, col: q.s.collation}
	if !a.document(d, "share") {
		return a.denied("", "No permission to share "+d.meta.Name)
	}
	return nil
}

// shareSet sets one right of a share; one that grants nothing any more is deleted.
func (q *call) shareSet() (any, error) {
	return nil, q.transact(func(snap *snapshot) error {
		if err := q.mayShare(snap); err != nil {
			return err
		}
		t := snap.tables["DocShare"]
		for _, r := range t.rows {
			d := snap.assemble(t, r)
			if d.get("share_doctype").s != q.arg("doctype") || d.get("share_name").s != q.arg("name") || d.get("user").s != q.arg("user") {
				continue
			}
			doc := d.object(snap, nil, true).plain()
			on := cint(q.form.get("value"))
			doc.set(q.arg("permission_to"), on)
			if q.arg("permission_to") == "read" && on == 0 {
				snap.remove(t.meta, r.key())
				return nil
			}
			return snap.put(q.s, "DocShare", doc)
		}
		return nil
	})
}

// addComment adds a comment to a document that the caller may read.
func (q *call) addComment() (any, error) {
	d, err := q.document(q.arg("reference_doctype"), q.arg("reference_name"))
	if err != nil {
		return nil, err
	}
	if a := q.access(); !a.document(d, "read") {
		return nil, a.denied("", fmt.Sprintf("Insufficient Permission for %s (%s)", d.meta.Name, bold("read")))
	}
	now := q.s.stamp()
	doc := object{
		{"name", q.s.newName()},
		{"owner", q.user.name},
		{"modified_by", q.user.name},
		{"creation", now},
		{"modified", now},
		{"comment_type", "Comment"},
		{"comment_email", q.arg("comment_email")},
		{"comment_by", q.arg("comment_by")},
		{"reference_doctype", d.meta.Name},
		{"reference_name", d.row.name()},
		{"content", q.arg("content")},
	}
	err = q.transact(func(snap *snapshot) error {
		if err := snap.put(q.s, "Comment", doc); err != nil {
			return err
		}
		q.inserted(snap, "Comment", cstr(doc.get("name")))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return q.snap.document(q.s.collation, "Comment", cstr(doc.get("name"))).object(q.snap, nil, false), nil
}
