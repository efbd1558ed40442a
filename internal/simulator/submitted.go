package simulator

import "fmt"

// checkAfterSubmit refuses changes of a submitted document but in the fields that allow
// it: first those of the document, with the number of its rows, then those of each row
// (BaseDocument._validate_update_after_submit).
func (d *draft) checkAfterSubmit() error {
	if d.action != "update_after_submit" {
		return nil
	}
	next := d.preview()
	if err := unchanged(d.old, next, ""); err != nil {
		return err
	}
	for _, f := range d.meta.tables() {
		if was, is := len(d.old.children[f.Name]), len(next.children[f.Name]); was != is && !bool(f.AllowOnSubmit) {
			return changedAfterSubmit("", f.Label, fmt.Sprint(was), fmt.Sprint(is))
		}
	}
	for _, f := range d.meta.tables() {
		child := d.snap.tables[f.Options]
		for i, r := range next.children[f.Name] {
			fresh := d.fresh[r.name()]
			if fresh && bool(f.AllowOnSubmit) {
				continue
			}
			was := child.find(r.key())
			if fresh || was == nil {
				return notFound(f.Options, r.name())
			}
			if err := unchanged(&document{meta: child.meta, row: was}, &document{meta: child.meta, row: r}, fmt.Sprintf("Row #%d:", i+1)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unchanged compares what may not change after submission.
func unchanged(was, is *document, prefix string) error {
	for i, c := range was.meta.columns {
		if c.field == nil || bool(c.field.AllowOnSubmit) {
			continue
		}
		a, b := was.row.vals[i], is.row.vals[i]
		if compareValues(a, b) != 0 && (a.truthy() || b.truthy()) {
			return changedAfterSubmit(prefix, c.field.Label, a.String(), b.String())
		}
	}
	return nil
}

func changedAfterSubmit(prefix, label, from, to string) error {
	text := fmt.Sprintf("%s Not allowed to change %s after submission from %s to %s", prefix, bold(label), bold(from), bold(to))
	return thrownTitle("UpdateAfterSubmitError", text, "Cannot Update After Submit")
}
