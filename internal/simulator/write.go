package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// draft is a document on its way into the store.
type draft struct {
	q    *call
	snap *snapshot // the next one, which the draft may read and change
	meta *docType
	doc  object
	old  *document // nil for a new document
}

// transact runs a change on the next snapshot and shows it to the rest of the call.
func (q *call) transact(change func(*snapshot) error) error {
	err := q.s.update(func(next *snapshot) error {
		q.snap = next
		return change(next)
	})
	q.snap = q.s.data.Load()
	return err
}

// insert creates a document as Frappe does: defaults, links, permission, name, checks.
func (q *call) insert(snap *snapshot, doctype string, data object) (*document, error) {
	meta := snap.meta(doctype)
	if meta == nil {
		return nil, notFound("DocType", doctype)
	}
	q.log.DocType = meta.Name
	d := &draft{q: q, snap: snap, meta: meta, doc: known(meta, data)}
	d.defaults()
	now := q.s.stamp()
	for k, v := range map[string]any{"owner": q.user.name, "creation": now, "modified": now, "modified_by": q.user.name, "idx": int64(0)} {
		d.doc.set(k, v)
	}
	d.doc.set("docstatus", cint(data.get("docstatus")))
	given := d.doc.get("name")
	d.doc.set("name", nil)
	d.fetch()
	if err := d.checkLinks(); err != nil {
		return nil, err
	}
	if err := d.mayDo("create"); err != nil {
		return nil, err
	}
	if cint(d.doc.get("docstatus")) == 1 {
		if err := d.mayDo("submit"); err != nil {
			return nil, err
		}
	}
	d.resetLevels()
	if err := d.name(cstr(given)); err != nil {
		return nil, err
	}
	if snap.tables[meta.Name].find(q.s.collation.key(cstr(d.doc.get("name")))) != nil {
		return nil, duplicateName(meta.Name, cstr(d.doc.get("name")))
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	return d.store()
}

// save changes a document, with the checks in Frappe's order.
func (q *call) save(snap *snapshot, old *document, data object) (*document, error) {
	q.log.DocType = old.meta.Name
	d := &draft{q: q, snap: snap, meta: old.meta, doc: old.object(snap, nil, true).plain(), old: old}
	for _, m := range known(old.meta, data) {
		switch m.key {
		case "name", "modified", "modified_by":
		default:
			d.doc.set(m.key, m.value)
		}
	}
	now := q.s.stamp()
	d.doc.set("modified_by", q.user.name)
	d.doc.set("modified", now)
	d.fetch()
	if err := d.mayDo("write"); err != nil {
		return nil, err
	}
	if err := d.checkLatest(data, now); err != nil {
		return nil, err
	}
	right, err := d.transition()
	if err != nil {
		return nil, err
	}
	if err := d.mayDo(right); err != nil {
		return nil, err
	}
	d.resetLevels()
	if err := d.checkLinks(); err != nil {
		return nil, err
	}
	if right == "cancel" {
		return d.store() // what is cancelled is not validated again
	}
	if err := d.checkConstants(); err != nil {
		return nil, err
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	if old.get("docstatus").n == 1 {
		if err := d.checkAfterSubmit(); err != nil {
			return nil, err
		}
	}
	return d.store()
}

// checkLatest is the optimistic lock: the modified that was sent must be the stored one,
// to the letter.
func (d *draft) checkLatest(sent object, now string) error {
	if name, ok := sent.lookup("name"); ok && cstr(name) != d.old.row.name() {
		return notFound(d.meta.Name, cstr(name))
	}
	was := d.old.get("modified").s
	if m, ok := sent.lookup("modified"); ok && cstr(m) != was {
		return thrown("TimestampMismatchError", fmt.Sprintf("Error: Document has been modified after you have opened it (%s, %s). "+
			"Please refresh to get the latest document.", was, now))
	}
	return nil
}

// transition checks the change of docstatus and names the right that it takes.
func (d *draft) transition() (string, error) {
	from, to := d.old.get("docstatus").n, cint(d.doc.get("docstatus"))
	switch {
	case from == 2:
		return "", raised("ValidationError", "Cannot edit cancelled document")
	case from == 0 && to == 0:
		return "write", nil
	case to == 1: // also a change of what is submitted already
		return "submit", nil
	case from == 1 && to == 2:
		return "cancel", nil
	default:
		names := map[int64]string{0: "Draft", 1: "Submitted", 2: "Cancelled"}
		return "", raised("DocstatusTransitionError", fmt.Sprintf("Cannot change docstatus from %d (%s) to %d (%s)", from, names[from], to, names[to]))
	}
}

// mayDo checks a right on the document as it will be.
func (d *draft) mayDo(right string) error {
	a := &access{snap: d.snap, user: d.q.user, col: d.q.s.collation}
	if a.document(d.preview(), right) {
		return nil
	}
	f := a.denied("", fmt.Sprintf("Insufficient Permission for %s (%s)", d.meta.Name, bold(right)))
	if d.old == nil {
		for _, m := range f.messages {
			m.set("message", strings.ReplaceAll(cstr(m.get("message")), ": "+d.meta.Name+" - ", ": "+d.meta.Name+" - None"))
		}
	}
	return f
}

// preview is the draft as a document, for checks.
func (d *draft) preview() *document {
	rows := make(map[string][]*row)
	out := &document{meta: d.meta, children: make(map[string][]*row)}
	if err := d.snap.collect(d.q.s.collation, rows, d.meta.Name, d.doc); err != nil {
		return out
	}
	out.row = rows[d.meta.Name][0]
	for _, f := range d.meta.tables() {
		child := d.snap.tables[f.Options]
		if child == nil {
			continue
		}
		field := child.meta.column("parentfield")
		for _, r := range rows[f.Options] {
			if r.vals[field].s == f.Name {
				out.children[f.Name] = append(out.children[f.Name], r)
			}
		}
	}
	return out
}

// store puts the draft into the snapshot.
func (d *draft) store() (*document, error) {
	for _, f := range d.meta.tables() {
		for i, e := range asList(d.doc.get(f.Name)) {
			if o, ok := e.(object); ok {
				o.set("idx", int64(i+1))
				o.set("docstatus", d.doc.get("docstatus"))
				o.set("parent", d.doc.get("name"))
				o.set("parenttype", d.meta.Name)
				o.set("parentfield", f.Name)
				o.set("modified", d.doc.get("modified"))
				o.set("modified_by", d.doc.get("modified_by"))
				asList(d.doc.get(f.Name))[i] = o
			}
		}
	}
	if err := d.snap.put(d.q.s, d.meta.Name, d.doc); err != nil {
		return nil, err
	}
	d.snap.settle(d.meta.Name)
	if d.meta.Name == "User" && cint(d.doc.get("enabled")) == 0 {
		d.q.s.sessions.endAll(cstr(d.doc.get("name")))
	}
	return d.snap.document(d.q.s.collation, d.meta.Name, cstr(d.doc.get("name"))), nil
}

// stamp is a time of change; no two are alike, as the optimistic lock compares them.
func (s *Server) stamp() string {
	now := s.siteTime()
	s.stampMu.Lock()
	defer s.stampMu.Unlock()
	if now <= s.lastStamp {
		if t, ok := parseTime(s.lastStamp); ok {
			now = t.Add(1000).Format(microLayout)
		}
	}
	s.lastStamp = now
	return now
}

// known leaves the members that are columns or tables of the DocType: Frappe ignores
// others.
func known(meta *docType, data object) object {
	var out object
	for _, m := range data {
		f := meta.field(m.key)
		if m.key != "doctype" && (meta.column(m.key) >= 0 || f != nil && f.isTable()) {
			out.set(m.key, m.value)
		}
	}
	return out
}

// remove deletes a document for the caller.
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
	a := &access{snap: snap, user: q.user, col: q.s.collation}
	if !a.document(d, "delete") {
		text := fmt.Sprintf("User not allowed to delete %s: %s", meta.Name, d.row.name())
		f := a.denied(text, "")
		f.messages = append(f.messages, shown(text, "Message"))
		return f
	}
	if d.get("docstatus").n == 1 {
		return thrown("ValidationError", fmt.Sprintf("%s %s: Submitted Record cannot be deleted. You must <a href='https://docs.erpnext.com//docs/user/manual/en/setting-up/"+
			"articles/delete-submitted-document' target='_blank'> Cancel </a> it first.", meta.Name, d.row.name()))
	}
	if by, link := snap.linkedFrom(meta.Name, d.row.vals[0]); by != "" {
		return thrown("LinkExistsError", fmt.Sprintf("Cannot delete or cancel because %s %s is linked with %s %s ",
			meta.Name, formLink(meta.Name, d.row.name()), by, formLink(by, link)))
	}
	snap.remove(meta, d.row.key())
	snap.settle(meta.Name)
	return nil
}

func formLink(doctype, name string) string {
	return fmt.Sprintf(`<a href="/app/Form/%s/%s">%s</a>`, doctype, name, name)
}

// ignoredLinks hold no document back from deletion.
var ignoredLinks = []string{"Comment", "ToDo", "DocShare", "File", "User Permission", "Deleted Document", "Has Role"}

// linkedFrom finds a document that links to one, by DocType and name.
func (s *snapshot) linkedFrom(doctype string, name value) (string, string) {
	for _, other := range sortedKeys(s.tables) {
		t := s.tables[other]
		if slices.Contains(ignoredLinks, other) || strings.HasPrefix(other, "Doc") {
			continue
		}
		for _, f := range t.meta.links() {
			col := t.meta.column(f.Name)
			if f.Options != doctype || col < 0 {
				continue
			}
			for r := range t.holding(col, name) {
				by, link := other, r.name()
				if t.meta.IsTable {
					by, link = r.vals[t.meta.column("parenttype")].s, r.vals[t.meta.column("parent")].s
				}
				if by == doctype && link == name.s {
					continue // its own rows
				}
				if d := t.meta.column("docstatus"); r.vals[d].n == 2 {
					continue
				}
				return by, link
			}
		}
	}
	return "", ""
}
