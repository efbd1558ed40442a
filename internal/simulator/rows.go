package simulator

import "math/big"

// nameRows names the rows that are new: all of them in a new document, and those without
// a name otherwise. A row that comes with a name counts as one that is stored, whosever it
// is (frappe/model/base_document.py, _init_child).
func (d *draft) nameRows() {
	d.fresh = make(map[string]bool)
	for _, f := range d.meta.tables() {
		child := d.snap.meta(f.Options)
		d.eachRow(f, func(i int, row *object) {
			if child != nil {
				*row = known(child, *row)
			}
			if cint(row.get("idx")) == 0 {
				row.set("idx", int64(i+1))
			}
			if d.old != nil && cstr(row.get("name")) != "" {
				return
			}
			name := d.q.s.newName()
			d.fresh[name] = true
			row.set("name", name)
			row.set("parent", d.doc.get("name"))
			row.set("parenttype", d.meta.Name)
			row.set("parentfield", f.Name)
		})
	}
}

// isFresh reports whether a row is new.
func (d *draft) isFresh(row object) bool { return d.fresh[cstr(row.get("name"))] }

// rowDefaults fills in what the new rows of a stored document begin with.
func (d *draft) rowDefaults() {
	for _, f := range d.meta.tables() {
		d.eachRow(f, func(_ int, row *object) {
			if d.isFresh(*row) {
				d.fillDefaults(d.snap.meta(f.Options), row)
			}
		})
	}
}

// dropStrangers leaves out the rows whose names no row of the table has: the original
// updates rows by name (Document.update_child_table), and of a name that is not there it
// updates nothing, silently. For the same reason a row of another document changes hands.
func (d *draft) dropStrangers() {
	if d.old == nil {
		return
	}
	for _, f := range d.meta.tables() {
		t := d.snap.tables[f.Options]
		if t == nil {
			continue
		}
		kept := []any{}
		for _, e := range asList(d.doc.get(f.Name)) {
			row, ok := e.(object)
			if ok && (d.isFresh(row) || t.find(d.q.s.collation.key(cstr(row.get("name")))) != nil) {
				kept = append(kept, row)
			}
		}
		d.doc.set(f.Name, kept)
	}
}

// asStored puts in values as the columns have them: numbers as decimal(21,9), a rating as
// decimal(3,2), and times of day in one form. The answer to a write has them as they were
// sent (transcript 316).
func (d *draft) asStored() {
	d.eachDocument(func(meta *docType, doc *object, _ int) {
		for i := range meta.Fields {
			f := &meta.Fields[i]
			v := doc.get(f.Name)
			if s, ok := v.(string); ok && f.Type == "Time" && s != "" {
				doc.set(f.Name, storedTime(s))
			}
			if v == nil || f.kind() != float || !f.hasColumn() {
				continue
			}
			places := 9
			if f.Type == "Rating" {
				places = 2
			}
			doc.set(f.Name, roundTo(flt(v), places))
		}
	})
}

// eachDocument visits the document itself, index 0, and then its rows by table, counted
// from 1 in each.
func (d *draft) eachDocument(do func(meta *docType, doc *object, index int)) {
	do(d.meta, &d.doc, 0)
	for _, f := range d.meta.tables() {
		if child := d.snap.meta(f.Options); child != nil {
			d.eachRow(f, func(i int, row *object) { do(child, row, i+1) })
		}
	}
}

// roundTo rounds the number that a float prints as, halves away from zero.
func roundTo(f float64, places int) float64 {
	r, ok := new(big.Rat).SetString(formatFloat(f))
	if !ok {
		return 0
	}
	out, _ := new(big.Rat).SetString(r.FloatString(places)) // it has just printed it
	n, _ := out.Float64()
	return n
}
