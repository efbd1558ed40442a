package simulator

import (
	"fmt"
	"strings"
)

// linkCheck gathers what is wrong with the links of a document.
type linkCheck struct {
	d                  *draft
	missing, cancelled []string
	unset              error // a dynamic link whose DocType is not set
}

// checkLinks refuses links to documents that are not there, puts the names as they are
// spelled, and fetches values from the linked documents (BaseDocument.get_invalid_links).
// DocTypes that the data set lacks cannot be checked.
func (d *draft) checkLinks() error {
	c := &linkCheck{d: d}
	d.eachDocument(func(meta *docType, doc *object, index int) {
		prefix := ""
		if index > 0 {
			prefix = fmt.Sprintf("Row #%d: ", index)
		}
		for i := range meta.Fields {
			if f := &meta.Fields[i]; f.Type == "Link" {
				c.look(meta, doc, f, f.Options, prefix)
			}
		}
		for i := range meta.Fields {
			if f := &meta.Fields[i]; f.Type == "Dynamic Link" {
				c.lookDynamic(meta, doc, f, prefix)
			}
		}
	})
	switch {
	case c.unset != nil:
		return c.unset
	case len(c.missing) > 0:
		return thrown("LinkValidationError", "Could not find "+strings.Join(c.missing, ", "))
	case len(c.cancelled) > 0:
		return thrown("CancelledLinkError", "Cannot link cancelled document: "+strings.Join(c.cancelled, ", "))
	}
	return nil
}

// lookDynamic checks a link whose DocType another field names, which must be set.
func (c *linkCheck) lookDynamic(meta *docType, doc *object, f *docField, prefix string) {
	doctype := cstr(doc.get(f.Options))
	if doctype == "" && cstr(doc.get(f.Name)) != "" && c.unset == nil {
		label := "No Label"
		if by := meta.field(f.Options); by != nil {
			label = by.Label
		}
		c.unset = thrown("ValidationError", label+" must be set first")
	}
	c.look(meta, doc, f, doctype, prefix)
}

func (c *linkCheck) look(meta *docType, doc *object, f *docField, doctype, prefix string) {
	d := c.d
	name, t := cstr(doc.get(f.Name)), d.snap.tables[doctype]
	if name == "" || t == nil || len(t.rows) == 0 || bool(t.meta.IsSingle) {
		return
	}
	text := prefix + f.Label + ": " + name
	r := t.find(d.q.s.collation.key(name))
	if r == nil {
		c.missing = append(c.missing, text)
		return
	}
	if !f.Virtual {
		doc.set(f.Name, r.name())
	}
	d.fetch(meta, doc, f.Name, t.meta, r)
	status := r.vals[t.meta.column("docstatus")].n
	if f.Name != "amended_from" && bool(d.meta.Submittable) && bool(t.meta.Submittable) && status == 2 {
		c.cancelled = append(c.cancelled, text)
	}
}

// fetch copies values from a linked document into the fields that say so. On what is
// submitted only fields that may still be changed take part.
func (d *draft) fetch(meta *docType, doc *object, link string, target *docType, from *row) {
	for i := range meta.Fields {
		f := &meta.Fields[i]
		by, source, ok := strings.Cut(f.FetchFrom, ".")
		col := target.column(source)
		switch {
		case !ok || by != link || col < 0 || !f.hasColumn():
		case bool(f.FetchIfEmpty) && truthy(doc.get(f.Name)):
		case d.old != nil && cint(d.doc.get("docstatus")) == 1 && !bool(f.AllowOnSubmit):
		default:
			doc.set(f.Name, from.vals[col].native())
		}
	}
}
