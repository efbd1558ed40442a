package simulator

import (
	"fmt"
	"strings"
)

// draft is a document on its way into the store.
type draft struct {
	q    *call
	snap *snapshot // the next one, which the draft may read and change
	meta *docType
	doc  object
	old  *document // nil for a new document
	// action is what happens to the document: save, submit, cancel or update_after_submit.
	action string
	fresh  map[string]bool // names of the rows that are new
	mapped bool            // made from another document, whose prices it has
	sent   object          // what came for a new document, members that are no fields too
}

// transact runs a change on the next snapshot and shows it to the rest of the call.
func (q *call) transact(change func(*snapshot) error) error {
	before := len(q.firings)
	err := q.s.update(func(next *snapshot) error {
		q.snap = next
		return change(next)
	})
	if err != nil {
		q.firings = q.firings[:before]
	}
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
	d := &draft{q: q, snap: snap, meta: meta, doc: known(meta, data), sent: data, action: "save"}
	now := q.s.stamp()
	for k, v := range map[string]any{"owner": q.user.name, "creation": now, "modified": now, "modified_by": q.user.name, "idx": int64(0)} {
		d.doc.set(k, v)
	}
	d.doc.set("docstatus", cint(data.get("docstatus")))
	given := d.doc.get("name")
	d.doc.set("name", nil)
	d.nameRows()
	d.defaults()
	if err := d.mayInsert(); err != nil {
		return nil, err
	}
	if err := d.beforeInsert(); err != nil {
		return nil, err
	}
	d.resetLevels()
	if err := d.name(cstr(given)); err != nil {
		return nil, err
	}
	if err := d.control(); err != nil {
		return nil, err
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	return d.store()
}

// mayInsert checks the rights that a new document takes, and its links between them.
func (d *draft) mayInsert() error {
	switch cint(d.doc.get("docstatus")) {
	case 0:
	case 1:
		d.action = "submit"
		if err := d.mayDo("submit"); err != nil {
			return err
		}
	default:
		return badTransition(0, cint(d.doc.get("docstatus")))
	}
	if err := d.checkLinks(); err != nil {
		return err
	}
	return d.mayDo("create")
}

// take puts what was sent over the document as it was, and gives the time of the change.
func (d *draft) take(data object) (now string) {
	for _, m := range known(d.meta, data) {
		switch m.key {
		case "name", "modified", "modified_by":
		default:
			d.doc.set(m.key, m.value)
		}
	}
	now = d.q.s.stamp()
	d.doc.set("modified_by", d.q.user.name)
	d.doc.set("modified", now)
	d.nameRows()
	d.rowDefaults()
	return now
}

// save changes a document, with the checks in Frappe's order.
func (q *call) save(snap *snapshot, old *document, data object) (*document, error) {
	q.log.DocType = old.meta.Name
	d := &draft{q: q, snap: snap, meta: old.meta, doc: old.object(snap, nil, true).plain(), old: old}
	now := d.take(data)
	if err := d.mayDo("write"); err != nil {
		return nil, err
	}
	if err := d.checkLatest(data, now); err != nil {
		return nil, err
	}
	if err := d.transition(); err != nil {
		return nil, err
	}
	d.resetLevels()
	if err := d.control(); err != nil {
		return nil, err
	}
	if d.action == "cancel" {
		if err := d.snap.checkBackLinks(d.q.s.collation, old, true); err != nil {
			return nil, err
		}
		return d.store() // what is cancelled is not validated again
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	return d.store()
}

// control is what the code of a DocType does before the checks on fields. What is
// submitted already is left as it is.
func (d *draft) control() error {
	if d.old != nil && d.action != "cancel" {
		if err := d.checkLinks(); err != nil {
			return err
		}
	}
	if d.action != "update_after_submit" {
		d.compute()
	}
	if d.action == "save" || d.action == "submit" {
		return d.controller()
	}
	return nil
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

// transition checks the change of docstatus and the right that it takes.
func (d *draft) transition() error {
	from, to := d.old.get("docstatus").n, cint(d.doc.get("docstatus"))
	switch {
	case from == 2:
		return raised("ValidationError", "Cannot edit cancelled document")
	case from == 0 && to == 0:
		d.action = "save"
		return nil
	case from == 0 && to == 1:
		d.action = "submit"
		return d.mayDo("submit")
	case from == 1 && to == 1:
		d.action = "update_after_submit"
		return d.mayDo("submit")
	case from == 1 && to == 2:
		d.action = "cancel"
		return d.mayDo("cancel")
	default:
		return badTransition(from, to)
	}
}

func badTransition(from, to int64) error {
	names := map[int64]string{0: "Draft", 1: "Submitted", 2: "Cancelled"}
	if names[to] == "" {
		return raised("ValidationError", "Invalid docstatus")
	}
	return raised("DocstatusTransitionError", fmt.Sprintf("Cannot change docstatus from %d (%s) to %d (%s)", from, names[from], to, names[to]))
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

// store puts the draft into the snapshot and answers it as it was written: the original
// does not read it back.
func (d *draft) store() (*document, error) {
	for _, f := range d.meta.tables() {
		d.eachRow(f, func(_ int, row *object) {
			row.set("docstatus", d.doc.get("docstatus"))
			row.set("parent", d.doc.get("name"))
			row.set("parenttype", d.meta.Name)
			row.set("parentfield", f.Name)
			row.set("modified", d.doc.get("modified"))
			row.set("modified_by", d.doc.get("modified_by"))
			defaultTo(row, "owner", d.doc.get("owner"))
			defaultTo(row, "creation", d.doc.get("creation"))
		})
	}
	answer := d.preview()
	d.dropStrangers()
	d.asStored()
	if err := d.snap.put(d.q.s, d.meta.Name, d.doc); err != nil {
		return nil, err
	}
	d.snap.settle(d.q.s, d.meta.Name)
	d.saved(answer)
	if d.meta.Name == "User" && cint(d.doc.get("enabled")) == 0 {
		d.q.s.sessions.endAll(cstr(d.doc.get("name")))
	}
	return answer, d.follow()
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
