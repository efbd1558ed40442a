package simulator

import (
	"errors"
	"fmt"
	"slices"
)

// remove deletes a document for the caller, with the checks and traces of
// frappe/model/delete_doc.py.
func (q *call) remove(snap *snapshot, doctype, name string) error {
	q.log.DocType = doctype
	meta := snap.meta(doctype)
	if meta == nil {
		return notFound("DocType", doctype)
	}
	d := snap.document(q.s.collation, meta.Name, name)
	if d == nil {
		return raised("DoesNotExistError", "")
	}
	if err := q.mayRemove(snap, d); err != nil {
		return err
	}
	if err := q.beforeRemoval(snap, d); err != nil {
		return err
	}
	q.removed(snap, d)
	if err := snap.checkBackLinks(q.s.collation, d, false); err != nil {
		return insteadOfDeleting(d, err)
	}
	snap.remove(meta, d.row.key())
	snap.settle(q.s, meta.Name)
	return q.afterRemoval(snap, d)
}

// mayRemove checks the right to delete, and that the document is not submitted.
func (q *call) mayRemove(snap *snapshot, d *document) error {
	a := &access{snap: snap, user: q.user, col: q.s.collation}
	if !a.document(d, "delete") {
		text := fmt.Sprintf("User not allowed to delete %s: %s", d.meta.Name, d.row.name())
		f := a.denied(text, "")
		f.messages = append(f.messages, shown(text, "Message"))
		return f
	}
	if bool(d.meta.Submittable) && d.get("docstatus").n == 1 {
		return thrown("ValidationError", fmt.Sprintf("%s %s: Submitted Record cannot be deleted. You must <a href='https://docs.erpnext.com//docs/user/manual/en/setting-up/"+
			"articles/delete-submitted-document' target='_blank'> Cancel </a> it first.", d.meta.Name, d.row.name()))
	}
	return nil
}

// insteadOfDeleting adds a hint to the refusal, for DocTypes that know a switch.
func insteadOfDeleting(d *document, err error) error {
	var why *wireError
	if !errors.As(err, &why) || d.meta.field("enabled") == nil && d.meta.field("disabled") == nil {
		return err
	}
	f := thrown("LinkExistsError", fmt.Sprintf("You can disable this %s instead of deleting it.", d.meta.Name))
	f.messages = append(slices.Clone(why.messages), f.messages...)
	return f
}

// beforeRemoval is what the code of a DocType does first: contacts and addresses go with a
// party, stock figures and prices with an item; a node of a tree must be a leaf.
func (q *call) beforeRemoval(snap *snapshot, d *document) error {
	switch d.meta.Name {
	case "Customer", "Supplier":
		return q.removeContacts(snap, d)
	case "Item":
		for _, doctype := range []string{"Bin", "Item Price"} {
			if t := snap.tables[doctype]; t != nil {
				col := t.meta.column("item_code")
				for _, r := range slices.Collect(t.holding(col, d.row.vals[0])) {
					snap.remove(t.meta, r.key())
				}
			}
		}
	}
	if parent := d.meta.column(d.meta.TreeParent); bool(d.meta.IsTree) && parent >= 0 {
		for range snap.tables[d.meta.Name].holding(parent, d.row.vals[0]) {
			f := thrown("NestedSetChildExistsError", fmt.Sprintf("Cannot delete %s as it has child nodes", d.row.name()))
			f.class = "frappe.utils.nestedset.NestedSetChildExistsError"
			return f
		}
	}
	return nil
}

// removeContacts deletes what belongs to a party alone, as the caller: what holds the
// contact back holds the party back.
func (q *call) removeContacts(snap *snapshot, d *document) error {
	doc := d.object(snap, nil, true).plain()
	for _, f := range []string{"customer_primary_contact", "customer_primary_address", "supplier_primary_contact", "supplier_primary_address"} {
		if d.meta.column(f) >= 0 {
			doc.set(f, nil)
		}
	}
	if err := snap.put(q.s, d.meta.Name, doc); err != nil {
		return err
	}
	links := snap.tables["Dynamic Link"]
	if links == nil {
		return nil
	}
	doctype, name := links.meta.column("link_doctype"), links.meta.column("link_name")
	typ, parent := links.meta.column("parenttype"), links.meta.column("parent")
	for _, of := range []string{"Contact", "Address"} {
		for r := range links.holding(name, d.row.vals[0]) {
			if r.vals[doctype].s != d.meta.Name || r.vals[typ].s != of {
				continue
			}
			party := snap.document(q.s.collation, of, r.vals[parent].s)
			if party == nil {
				continue
			}
			if len(party.children["links"]) == 1 {
				if err := q.remove(snap, of, party.row.name()); err != nil {
					return err
				}
				continue
			}
			if err := q.unlink(snap, party, r); err != nil {
				return err
			}
		}
	}
	q.log.DocType = d.meta.Name
	return nil
}

// unlink saves a contact or address without one of its links, as the caller.
func (q *call) unlink(snap *snapshot, party *document, link *row) error {
	doc := party.object(snap, nil, true).plain()
	rest := slices.DeleteFunc(asList(doc.get("links")), func(e any) bool {
		o, _ := e.(object)
		return cstr(o.get("name")) == link.name()
	})
	_, err := q.save(snap, party, object{{"links", rest}})
	return err
}

// afterRemoval takes away what hangs on a document and leaves the traces of a deletion.
func (q *call) afterRemoval(snap *snapshot, d *document) error {
	if d.meta.Name == "File" {
		snap.forgetFile(q.s.collation, d)
	}
	for _, hanging := range []struct{ doctype, kind, name string }{
		{"File", "attached_to_doctype", "attached_to_name"},
		{"ToDo", "reference_type", "reference_name"},
		{"DocShare", "share_doctype", "share_name"},
		{"Comment", "reference_doctype", "reference_name"},
	} {
		t := snap.tables[hanging.doctype]
		if t == nil || t.meta.column(hanging.kind) < 0 || t.meta.column(hanging.name) < 0 {
			continue
		}
		kind := t.meta.column(hanging.kind)
		for _, r := range slices.Collect(t.holding(t.meta.column(hanging.name), d.row.vals[0])) {
			if r.vals[kind].s != d.meta.Name {
				continue
			}
			gone := snap.assemble(snap.tables[hanging.doctype], r)
			if hanging.doctype != "File" {
				snap.remove(t.meta, r.key()) // by a statement of SQL there, of which nothing tells
				continue
			}
			q.removed(snap, gone)
			snap.remove(t.meta, r.key())
			snap.forgetFile(q.s.collation, gone)
			if err := q.noteDeletion(snap, gone); err != nil {
				return err
			}
		}
	}
	return q.noteDeletion(snap, d)
}

// unsung are the DocTypes whose deletion leaves no comment.
var unsung = []string{"File", "Comment", "ToDo"}

func (q *call) noteDeletion(snap *snapshot, d *document) error {
	if d.meta.Name == "Deleted Document" {
		return nil
	}
	now := q.s.stamp()
	trace := func(doctype string, rest object) error {
		if snap.tables[doctype] == nil {
			return nil
		}
		err := snap.put(q.s, doctype, append(object{
			{"name", q.s.newName()},
			{"owner", q.user.name},
			{"modified_by", q.user.name},
			{"creation", now},
			{"modified", now},
		}, rest...))
		if len(snap.tables[doctype].rows) > maxTraces {
			snap.forgetTraces(doctype)
		}
		return err
	}
	data := string(encodeJSON(d.object(snap, nil, true)))
	err := trace("Deleted Document", object{{"deleted_doctype", d.meta.Name}, {"deleted_name", d.row.name()}, {"data", data}})
	if err != nil || slices.Contains(unsung, d.meta.Name) {
		return err
	}
	return trace("Comment", object{{"comment_type", "Deleted"}, {"reference_doctype", d.meta.Name}, {"comment_email", q.user.name}})
}

// maxTraces bounds what deletions leave behind, for a site that lives long. The original
// clears its log of them after half a year.
const maxTraces = 20_000

// forgetTraces drops the older half of what deletions left in a DocType.
func (s *snapshot) forgetTraces(doctype string) {
	t := s.tables[doctype]
	kind := t.meta.column("comment_type")
	var traces []*row
	for _, r := range t.index(t.meta.column("creation")) {
		if kind < 0 || r.vals[kind].s == "Deleted" {
			traces = append(traces, r)
		}
	}
	old := make(map[*row]bool, len(traces)/2)
	for _, r := range traces[:len(traces)/2] {
		old[r] = true
	}
	s.tables[doctype] = t.without(func(r *row) bool { return old[r] })
}
