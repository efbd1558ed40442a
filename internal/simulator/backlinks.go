package simulator

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// linkIgnorers hold no document back from deletion: ignore_links_on_delete in
// frappe/hooks.py.
var linkIgnorers = []string{
	"Communication", "ToDo", "DocShare", "Email Unsubscribe", "Activity Log", "File", "Version", "Document Follow", "Comment",
	"View Log", "Tag Link", "Notification Log", "Email Queue", "Document Share Key", "Integration Request", "Unhandled Email",
	"Webhook Request Log", "Workspace", "Route History", "Access Log", "Permission Log",
}

// installed are the modules in the order in which a site installs them, and so that in
// which the original comes upon the DocTypes with links; custom DocTypes come last.
var installed = []string{
	"Core", "Website", "Workflow", "Email", "Custom", "Geo", "Desk", "Integrations", "Printing", "Contacts", "Social", "Automation",
	"Accounts", "CRM", "Buying", "Projects", "Selling", "Setup", "Manufacturing", "Stock", "Support", "Utilities", "Assets",
}

// byInstallation are the names of all DocTypes in that order.
func (s *snapshot) byInstallation() []string {
	rank := func(name string) int {
		meta := s.tables[name].meta
		if i := slices.Index(installed, meta.Module); i >= 0 && !truthy(meta.raw.get("custom")) {
			return i
		}
		return len(installed)
	}
	names := sortedKeys(s.tables)
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	return names
}

// linking is a field through which documents are linked.
type linking struct {
	table *table
	field *docField
	col   int
	kind  int // the column of a dynamic link's DocType, -1 of a link
}

// linkings are the fields that may link to a DocType, dynamic ones after all others.
func (s *snapshot) linkings(doctype string) []linking {
	var static, dynamic []linking
	for _, name := range s.byInstallation() {
		t := s.tables[name]
		if strings.HasPrefix(name, "DocType") || name == "DocField" || name == "DocPerm" {
			continue
		}
		for i := range t.meta.Fields {
			f := &t.meta.Fields[i]
			col := t.meta.column(f.Name)
			switch {
			case col < 0:
			case f.Type == "Link" && f.Options == doctype:
				static = append(static, linking{t, f, col, -1})
			case f.Type == "Dynamic Link" && t.meta.column(f.Options) >= 0:
				dynamic = append(dynamic, linking{t, f, col, t.meta.column(f.Options)})
			}
		}
	}
	return append(static, dynamic...)
}

// rows are those that link to a document.
func (l *linking) rows(doctype string, name value) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		for r := range l.table.holding(l.col, name) {
			if (l.kind < 0 || r.vals[l.kind].s == doctype) && !yield(r) {
				return
			}
		}
	}
}

// owner names the document that a linking row belongs to.
func (l *linking) owner(r *row) (doctype, name string) {
	if m := l.table.meta; bool(m.IsTable) {
		return r.vals[m.column("parenttype")].s, r.vals[m.column("parent")].s
	}
	return l.table.meta.Name, r.name()
}

// checkBackLinks refuses to delete a document that others link to, or to cancel one that
// submitted ones do (frappe/model/delete_doc.py).
func (s *snapshot) checkBackLinks(col *collation, d *document, cancel bool) error {
	for _, l := range s.linkings(d.meta.Name) {
		if !cancel && slices.Contains(linkIgnorers, l.table.meta.Name) || cancel && l.field.Name == "amended_from" {
			continue
		}
		if l.table.meta.IsSingle {
			single := s.single(col, l.table.meta)
			if l.kind < 0 && !cancel && single.get(l.field.Name).s == d.row.name() {
				return linkExists(d, l.table.meta.Name, l.table.meta.Name, "")
			}
			continue
		}
		if err := l.check(d, cancel); err != nil {
			return err
		}
	}
	return nil
}

func (l *linking) check(d *document, cancel bool) error {
	m := l.table.meta
	rows := slices.Collect(l.rows(d.meta.Name, d.row.vals[0]))
	if l.kind < 0 { // the database is asked in the order of change, the latest first
		modified := m.column("modified")
		slices.SortStableFunc(rows, func(a, b *row) int { return compareValues(b.vals[modified], a.vals[modified]) })
	}
	for _, r := range rows {
		by, name := l.owner(r)
		status := r.vals[m.column("docstatus")].n
		switch {
		case !cancel && slices.Contains(linkIgnorers, by):
		case cancel && status != 1 || l.kind >= 0 && status == 2:
		case l.kind < 0 && m.Name == d.meta.Name && name == d.row.name():
		default:
			at := ""
			if l.kind >= 0 && bool(m.IsTable) {
				at = fmt.Sprintf("at Row: %d", r.vals[m.column("idx")].n)
			}
			return linkExists(d, by, name, at)
		}
	}
	return nil
}

func linkExists(d *document, by, name, at string) error {
	link := formLink(by, name)
	if by == name {
		by = ""
	}
	return thrown("LinkExistsError", fmt.Sprintf("Cannot delete or cancel because %s %s is linked with %s %s %s",
		d.meta.Name, formLink(d.meta.Name, d.row.name()), by, link, at))
}

func formLink(doctype, name string) string {
	return fmt.Sprintf(`<a href="/app/Form/%s/%s">%s</a>`, doctype, name, name)
}

// relink changes the links to a document to another name, without a change of the linking
// documents' times (frappe/model/rename_doc.py).
func (s *snapshot) relink(srv *Server, doctype string, from value, to string) {
	for _, l := range s.linkings(doctype) {
		meta := l.table.meta
		if meta.IsSingle {
			doc := slices.Clone(s.singles[meta.Name])
			dynamic := l.kind >= 0 && cstr(doc.get(l.field.Options)) != doctype
			if cstr(doc.get(l.field.Name)) == from.s && !dynamic {
				doc.set(l.field.Name, to)
				s.singles[meta.Name] = doc
			}
			continue
		}
		l.table = s.tables[meta.Name] // an earlier field may have changed it
		var changed []*row
		for r := range l.rows(doctype, from) {
			next := &row{vals: slices.Clone(r.vals)}
			next.vals[l.col] = srv.collation.text(&meta.columns[l.col], to)
			changed = append(changed, next)
		}
		if len(changed) > 0 {
			s.tables[meta.Name] = l.table.with(changed...)
		}
	}
}
