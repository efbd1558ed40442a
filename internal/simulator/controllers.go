package simulator

import (
	"net/mail"
	"strings"
)

// controller is the part of a DocType's own validate that may refuse a document, or fills
// in what later reads show. It is not run for what is cancelled, nor after submission.
func (d *draft) controller() error {
	switch d.meta.Name {
	case "Payment Entry":
		return d.payment()
	case "Lead":
		return d.lead()
	case "Contact":
		return d.contact()
	case "Issue":
		d.issue()
	case "Item":
		if d.text("item_name") == "" {
			d.put("item_name", d.doc.get("item_code"))
		}
	case "File":
		return d.checkFile()
	case webhookType:
		return d.checkWebhook()
	}
	return nil
}

// put sets a field that the DocType has.
func (d *draft) put(field string, v any) {
	if d.meta.field(field) != nil {
		d.doc.set(field, v)
	}
}

func (d *draft) text(field string) string { return cstr(d.doc.get(field)) }

// children are the rows of a table field.
func (d *draft) children(field string) []object {
	var out []object
	for _, e := range asList(d.doc.get(field)) {
		if row, ok := e.(object); ok {
			out = append(out, row)
		}
	}
	return out
}

// joined is the texts that are not empty with blanks between.
func joined(texts ...string) string {
	var out []string
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return strings.Join(out, " ")
}

// lead names a lead after the person, the organization or the mailbox
// (erpnext/crm/doctype/lead/lead.py, set_full_name to set_title).
func (d *draft) lead() error {
	if d.text("first_name") != "" {
		d.put("lead_name", joined(d.text("salutation"), d.text("first_name"), d.text("middle_name"), d.text("last_name")))
	}
	company := d.text("company_name")
	if d.text("lead_name") == "" {
		mailbox, _, _ := strings.Cut(d.text("email_id"), "@")
		switch {
		case company != "":
			d.put("lead_name", company)
		case mailbox != "":
			d.put("lead_name", mailbox)
		default:
			return thrown("ValidationError", "A Lead requires either a person's name or an organization's name")
		}
	}
	if company == "" {
		company = d.text("lead_name")
	}
	d.put("title", company)
	return nil
}

// contact fills in the full name, and the primary address and numbers from the rows
// (frappe/contacts/doctype/contact/contact.py, validate).
func (d *draft) contact() error {
	name := joined(d.text("first_name"), d.text("middle_name"), d.text("last_name"))
	if name == "" {
		name = d.text("company_name")
	}
	d.put("full_name", name)
	if emails := d.meta.field("email_ids"); emails != nil && len(d.children("email_ids")) == 1 {
		d.eachRow(emails, func(_ int, row *object) { row.set("is_primary", int64(1)) })
	}
	for _, p := range []struct{ field, label, table, value, flag string }{
		{"email_id", "Email ID", "email_ids", "email_id", "is_primary"},
		{"phone", "Phone", "phone_nos", "phone", "is_primary_phone"},
		{"mobile_no", "Mobile No", "phone_nos", "phone", "is_primary_mobile_no"},
	} {
		primary := ""
		for _, row := range d.children(p.table) {
			if cint(row.get(p.flag)) == 0 {
				continue
			}
			if primary != "" {
				return thrown("ValidationError", "Only one "+bold(p.label)+" can be set as primary.")
			}
			primary = strings.TrimSpace(cstr(row.get(p.value)))
		}
		d.put(p.field, primary)
	}
	if email := d.text("email_id"); email != "" && d.text("user") == "" {
		d.put("user", d.nameOf(d.latest("User", "email", email)))
	}
	return nil
}

// issue says who raised it: the caller, unless it is said; their lead, contact, customer
// and company follow (erpnext/support/doctype/issue/issue.py, validate).
func (d *draft) issue() {
	if d.text("raised_by") == "" {
		d.put("raised_by", d.q.user.name)
	}
	email := d.text("raised_by")
	if a, err := mail.ParseAddress(email); err == nil {
		email = a.Address
	}
	if d.text("lead") == "" {
		d.put("lead", d.nameOf(d.latest("Lead", "email_id", email)))
	}
	if d.text("contact") == "" && d.text("customer") == "" {
		if c := d.latest("Contact", "email_id", email); c != nil {
			d.put("contact", c.row.name())
			d.put("customer", d.linkOf(c, "Customer"))
		}
	}
	if d.text("company") != "" {
		return
	}
	d.put("company", d.siteDefault("company"))
	if lead := d.snap.document(d.q.s.collation, "Lead", d.text("lead")); lead != nil && lead.get("company").s != "" {
		d.put("company", lead.get("company").s)
	}
}

// latest is the document that was changed last among those that hold a value, which is the
// one that frappe.db.get_value finds; nil for none.
func (d *draft) latest(doctype, field, v string) *document {
	t := d.snap.tables[doctype]
	if t == nil || t.meta.column(field) < 0 || v == "" {
		return nil
	}
	col, modified := t.meta.column(field), t.meta.column("modified")
	var last *row
	for r := range t.holding(col, d.q.s.collation.text(&t.meta.columns[col], v)) {
		if last == nil || compareValues(r.vals[modified], last.vals[modified]) > 0 {
			last = r
		}
	}
	if last == nil {
		return nil
	}
	return d.snap.assemble(t, last)
}

// nameOf is a document's name, nil without one.
func (d *draft) nameOf(found *document) any {
	if found == nil {
		return nil
	}
	return found.row.name()
}

// linkOf is the first document of a DocType that a contact is linked to, nil for none.
func (d *draft) linkOf(contact *document, doctype string) any {
	f := contact.meta.field("links")
	if f == nil || d.snap.meta(f.Options) == nil {
		return nil
	}
	child := d.snap.meta(f.Options)
	for _, r := range contact.children["links"] {
		if link := (&document{meta: child, row: r}); link.get("link_doctype").s == doctype {
			return link.get("link_name").native()
		}
	}
	return nil
}
