package simulator

import (
	"fmt"
	"html"
	"regexp"
	"strings"
)

// clientRename renames a document and every link to it, or merges it into another
// (frappe/model/rename_doc.py).
func (q *call) clientRename() (any, error) {
	r := renaming{q: q, from: q.arg("old_name"), to: q.arg("new_name"), merge: sbool(q.form.get("merge"))}
	err := q.transact(func(snap *snapshot) (err error) {
		r.snap = snap
		if r.d, err = q.document(q.arg("doctype"), r.from); err != nil {
			return err
		}
		if err := r.check(); err != nil {
			return err
		}
		return r.run()
	})
	if err != nil {
		return nil, err
	}
	q.notes = append(q.notes, object{
		{"message", fmt.Sprintf("Document renamed from %s to %s", bold(r.from), bold(r.to))},
		{"title", "Message"},
		{"indicator", "green"},
		{"alert", int64(1)},
	})
	return r.to, nil
}

// renaming is one on its way.
type renaming struct {
	q        *call
	snap     *snapshot
	d        *document
	from, to string
	merge    bool
}

// check makes the checks of validate_rename in their order.
func (r *renaming) check() error {
	doctype := r.d.meta.Name
	there := r.snap.document(r.q.s.collation, doctype, r.to)
	exists := there != nil && there.row.name() == r.to // another case or accent is a correction
	a := &access{snap: r.snap, user: r.q.user, col: r.q.s.collation}
	refuse := func(format string, args ...any) error {
		return thrown("ValidationError", fmt.Sprintf(format, args...))
	}
	switch {
	case r.from == r.to:
		return refuse("No changes made because old and new name are the same.")
	case r.merge && !exists:
		return refuse("%s %s does not exist, select a new target to merge", doctype, r.to)
	case !r.merge && exists:
		return refuse("Another %s with name %s exists, select another name", doctype, r.to)
	case !r.merge && there != nil && there.row.key() != r.d.row.key():
		return duplicateName(doctype, r.to)
	case !a.document(r.d, "write"):
		return refuse("You need write permission to rename")
	case !bool(r.d.meta.AllowRename):
		return refuse("%s not allowed to be renamed", doctype)
	}
	name, err := checkedName(r.d.meta, r.to)
	r.to = name
	return err
}

func (r *renaming) run() error {
	old, meta := r.d.row.vals[0], r.d.meta
	if !r.merge {
		if err := r.move(); err != nil {
			return err
		}
	}
	r.snap.relink(r.q.s, meta.Name, old, r.to)
	r.snap.settle(r.q.s, meta.Name)
	if err := r.nameParty(); err != nil {
		return err
	}
	target := r.snap.document(r.q.s.collation, meta.Name, r.to)
	if target == nil {
		return notFound(meta.Name, r.to)
	}
	did := "renamed from %s to %s"
	if r.merge {
		did = "merged %s into %s"
	}
	if err := r.q.comment(r.snap, target, "Edit", fmt.Sprintf(did, bold(sanitized(r.from)), bold(sanitized(r.to)))); err != nil {
		return err
	}
	if r.merge {
		return r.q.remove(r.snap, meta.Name, r.from)
	}
	return nil
}

// nameParty gives a customer or supplier its new name as its own too, by ERPNext's stock
// setting: with db_set, so that the time of change follows, while that of other documents
// stays as it was (transcripts 534 and 535).
func (r *renaming) nameParty() error {
	meta := r.d.meta
	own := strings.ToLower(meta.Name) + "_name"
	d := r.snap.document(r.q.s.collation, meta.Name, r.to)
	if meta.Name != "Customer" && meta.Name != "Supplier" || meta.column(own) < 0 || d == nil {
		return nil
	}
	doc := d.object(r.snap, nil, true).plain()
	doc.set(own, r.to)
	doc.set("modified", r.q.s.stamp())
	doc.set("modified_by", r.q.user.name)
	if err := r.snap.put(r.q.s, meta.Name, doc); err != nil {
		return err
	}
	r.q.changed(r.snap, meta.Name, r.to)
	return nil
}

var entity = regexp.MustCompile(`&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);|&`)

// sanitized is a name as the text of a comment keeps it (sanitize_html): an ampersand is
// escaped unless it begins an entity. Names hold no angle brackets.
func sanitized(name string) string {
	return entity.ReplaceAllStringFunc(name, func(s string) string {
		if html.UnescapeString(s) != s {
			return s
		}
		return "&amp;" + s[1:]
	})
}

// move gives the document its new name, and with it the field that it is named by.
func (r *renaming) move() error {
	meta := r.d.meta
	doc := r.d.object(r.snap, nil, true).plain()
	doc.set("name", r.to)
	if field, ok := strings.CutPrefix(meta.AutoName, "field:"); ok && meta.column(field) >= 0 {
		doc.set(field, r.to)
	}
	for _, f := range meta.tables() {
		for i, e := range asList(doc.get(f.Name)) {
			if row, ok := e.(object); ok {
				row.set("parent", r.to)
				asList(doc.get(f.Name))[i] = row
			}
		}
	}
	r.snap.remove(meta, r.d.row.key())
	return r.snap.put(r.q.s, meta.Name, doc)
}
