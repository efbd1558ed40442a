package simulator

import (
	"fmt"
	"slices"
)

// makeSalesInvoice is ERPNext's mapping of a submitted order to the draft of an invoice,
// which is answered and not stored (transcript 399): the fields that both have, what the
// site gives a new invoice, and what the order's party and company say.
func (q *call) makeSalesInvoice() (any, error) {
	order, err := q.document("Sales Order", q.arg("source_name"))
	if err != nil {
		return nil, err
	}
	invoice := q.snap.meta("Sales Invoice")
	if invoice == nil {
		return nil, notFound("DocType", "Sales Invoice")
	}
	a := q.access()
	if !a.docType(invoice, "create", "") || !a.document(order, "read") {
		return nil, a.denied("", "No permission for "+invoice.Name)
	}
	if order.get("docstatus").n != 1 {
		return nil, thrown("ValidationError", fmt.Sprintf("Cannot map because following condition fails: docstatus=%d", 1))
	}
	m := &mapping{q: q, order: order, draft: &draft{q: q, snap: q.snap, meta: invoice, doc: object{}, action: "save", mapped: true}}
	return m.run()
}

// mapping is one of an order to an invoice.
type mapping struct {
	q     *call
	order *document
	draft *draft
}

func (m *mapping) run() (any, error) {
	d := m.draft
	items := d.meta.field("items")
	rows := m.rows(d.snap.meta(items.Options), items)
	for i := range d.meta.Fields {
		f := &d.meta.Fields[i]
		if v := m.order.get(f.Name); mapped(f) && m.order.meta.column(f.Name) >= 0 && !v.isNull() {
			d.doc.set(f.Name, v.native())
		}
	}
	d.doc.set("naming_series", nil)
	d.fillDefaults(d.meta, &d.doc)
	m.party()
	d.doc.set("items", rows)
	d.doc.set("docstatus", int64(0))
	d.compute()
	d.eachRow(items, func(_ int, row *object) { row.set("stock_uom_rate", nil) })
	return m.answer(), nil
}

// ownOfInvoice are fields that an invoice fills by itself although an order has such too.
var ownOfInvoice = []string{"status", "title", "amended_from", "naming_series", "per_billed", "advance_paid"}

// mapped reports whether a field is taken over where both sides have it.
func mapped(f *docField) bool {
	return f.hasColumn() && !bool(f.NoCopy) && !slices.Contains(ownOfInvoice, f.Name)
}

// rows are the order's rows that are not billed yet.
func (m *mapping) rows(meta *docType, field *docField) []any {
	source := m.draft.snap.meta(m.order.meta.field("items").Options)
	out := []any{}
	for _, r := range m.order.children["items"] {
		from := &document{meta: source, row: r}
		if from.get("amount").number() != 0 && from.get("billed_amt").number() >= from.get("amount").number() {
			continue
		}
		row := object{}
		for i := range meta.Fields {
			f := &meta.Fields[i]
			if v := from.get(f.Name); mapped(f) && source.column(f.Name) >= 0 && !v.isNull() {
				row.set(f.Name, v.native())
			}
		}
		m.draft.fillDefaults(meta, &row)
		for k, v := range map[string]any{
			"sales_order": m.order.row.name(), "so_detail": r.name(), "parentfield": field.Name, "parenttype": m.draft.meta.Name,
			"doctype": meta.Name, "idx": int64(len(out) + 1), "owner": m.q.user.name, "docstatus": int64(0),
			"use_serial_batch_fields": int64(1), // ERPNext's stock setting
			"__islocal":               int64(1), "__unsaved": int64(1),
		} {
			row.set(k, v)
		}
		out = append(out, row)
	}
	return out
}

// party puts in what an invoice has of the present and of its maker.
func (m *mapping) party() {
	d, today := m.draft, m.q.s.today().Format(dateLayout)
	for k, v := range map[string]any{
		"owner": m.q.user.name, "idx": int64(0), "posting_date": today, "due_date": today, "doctype": d.meta.Name,
		"party_account_currency": m.order.get("currency").native(), "__islocal": int64(1), "__unsaved": int64(1),
		"__onload": object{{"load_after_mapping", true}}, "po_no": m.order.get("po_no").native(), "title": nil,
	} {
		d.doc.set(k, v)
	}
}

// answer is the draft with all its columns and tables. Of what has no value the columns of
// numbers alone are answered.
func (m *mapping) answer() object {
	d := m.draft
	out := slices.Clone(d.doc)
	for _, f := range d.meta.tables() {
		rows := []any{}
		for _, e := range asList(out.get(f.Name)) {
			if row, ok := e.(object); ok {
				rows = append(rows, m.typed(d.snap.meta(f.Options), row))
			}
		}
		out.set(f.Name, rows)
	}
	return m.typed(d.meta, out)
}

// typed gives the members the types of their columns.
func (m *mapping) typed(meta *docType, doc object) object {
	out := slices.Clone(doc)
	for i := range meta.columns {
		c := &meta.columns[i]
		if v := m.q.s.collation.coerce(c, out.get(c.name)); c.field != nil && !v.isNull() {
			out.set(c.name, v.native())
		}
	}
	return out
}
