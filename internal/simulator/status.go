package simulator

import "slices"

// status is what ERPNext makes of docstatus and amounts. A new document is a draft to it,
// even if it is submitted in the same step (transcript 381).
func (d *draft) status() {
	if d.meta.column("outstanding_amount") >= 0 && cint(d.doc.get("docstatus")) < 2 {
		d.doc.set("outstanding_amount", d.total())
	}
	if d.meta.column("status") < 0 {
		return
	}
	docstatus := cint(d.doc.get("docstatus"))
	switch {
	case d.old == nil || docstatus == 0:
		if slices.Contains(d.statuses(), "Draft") {
			d.doc.set("status", "Draft")
		}
	case docstatus == 2:
		d.doc.set("status", "Cancelled")
	default:
		d.doc.set("status", d.submittedStatus())
	}
}

// statuses are the options of the field.
func (d *draft) statuses() []string { return splitLines(d.meta.field("status").Options) }

// total is what is to be paid.
func (d *draft) total() float64 {
	if v := flt(d.doc.get("rounded_total")); v != 0 {
		return v
	}
	return flt(d.doc.get("grand_total"))
}

func (d *draft) submittedStatus() string {
	switch d.meta.Name {
	case "Quotation":
		return "Open"
	case "Sales Order":
		return "To Deliver and Bill"
	case "Purchase Order":
		return "To Receive and Bill"
	case "Delivery Note":
		return "To Bill"
	case "Sales Invoice", "Purchase Invoice":
		switch due := cstr(d.doc.get("due_date")); {
		case truthy(d.doc.get("is_return")):
			return "Return"
		case d.total() <= 0:
			return "Paid"
		case due != "" && due < d.q.s.today().Format(dateLayout):
			return "Overdue"
		default:
			return "Unpaid"
		}
	default:
		return "Submitted"
	}
}

// follow is what the writing of a document does to others: a workflow takes effect, and
// the quotations that an order was made from are ordered, or open again.
func (d *draft) follow() error {
	if d.meta.Name == "Workflow" {
		return d.snap.settleWorkflow(d.q.s, cstr(d.doc.get("name")))
	}
	if d.meta.Name == "File" && d.old == nil && cint(d.doc.get("is_folder")) == 0 {
		return d.q.noteAttachment(d.snap, d.preview())
	}
	if d.meta.Name != "Sales Order" || d.action != "submit" && d.action != "cancel" {
		return nil
	}
	seen := map[string]bool{}
	for _, e := range asList(d.doc.get("items")) {
		row, _ := e.(object)
		name := cstr(row.get("prevdoc_docname"))
		q := d.snap.document(d.q.s.collation, "Quotation", name)
		if q == nil || seen[name] {
			continue
		}
		seen[name] = true
		doc := q.object(d.snap, nil, true).plain()
		doc.set("status", "Ordered")
		if d.action == "cancel" {
			doc.set("status", "Open")
		}
		doc.set("modified", d.q.s.stamp())
		doc.set("modified_by", d.q.user.name)
		if err := d.snap.put(d.q.s, "Quotation", doc); err != nil {
			return err
		}
		d.q.changed(d.snap, "Quotation", name)
	}
	return nil
}
