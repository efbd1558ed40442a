package simulator

// single is the one document of a single DocType as it is stored.
func (s *snapshot) single(col *collation, meta *docType) *document {
	return newSingle(col, meta, s.singles[meta.Name])
}

func newSingle(col *collation, meta *docType, doc object) *document {
	if doc.get("name") == nil {
		doc = append(object{{"name", meta.Name}}, doc...)
	}
	defaultTo(&doc, "doctype", meta.Name)
	return &document{meta: meta, row: col.newRow(meta, doc), children: make(map[string][]*row), stored: doc}
}

// single is the document as it is loaded: one that was never saved is like a new one
// (Document.load_from_db), while its values alone are asked of the store.
func (q *call) single(meta *docType) *document {
	if _, saved := q.snap.singles[meta.Name]; saved {
		return q.snap.single(q.s.collation, meta)
	}
	d := &draft{q: q, snap: q.snap, meta: meta, doc: object{{"name", meta.Name}, {"owner", q.user.name}, {"docstatus", int64(0)}}}
	d.defaults()
	d.typeValues(false)
	return newSingle(q.s.collation, meta, d.doc)
}

// saveSingle changes a single document as save does any other, in the same order
// (Document._save): the optimistic lock, permission levels, links and checks on values hold
// for it too. It has no states to go through.
func (q *call) saveSingle(snap *snapshot, old *document, data object) (*document, error) {
	q.log.DocType = old.meta.Name
	d := &draft{q: q, snap: snap, meta: old.meta, doc: old.object(snap, nil, true).plain().without("doctype"), old: old, action: "save"}
	now := d.take(data)
	if err := d.mayDo("write"); err != nil {
		return nil, err
	}
	if err := d.checkLatest(data.without("name"), now); err != nil { // it is there under any name
		return nil, err
	}
	d.resetLevels()
	if err := d.control(); err != nil {
		return nil, err
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	d.typeValues(true)
	snap.singles[d.meta.Name] = d.doc
	written := snap.single(q.s.collation, d.meta)
	d.saved(written)
	return written, nil
}

// typeValues gives the fields of a single document the types of its DocType, as a column
// does for other documents (BaseDocument.get_valid_dict); with all those too that have no
// value, whose numbers are 0.
func (d *draft) typeValues(all bool) {
	for i := range d.meta.columns {
		c := &d.meta.columns[i]
		if v := d.doc.get(c.name); c.field != nil && (all || v != nil) {
			d.doc.set(c.name, d.q.s.collation.coerce(c, v).native())
		}
	}
}
