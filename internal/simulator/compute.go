package simulator

import (
	"math"
	"slices"
)

// selling are the DocTypes whose rows have a price and add up.
var selling = []string{"Quotation", "Sales Order", "Sales Invoice", "Delivery Note", "Purchase Order", "Purchase Invoice"}

// compute does a little of what ERPNext's controllers do, enough to make an order that
// was written look like one: item details, amounts, totals and status. It knows neither
// taxes nor price lists.
func (d *draft) compute() {
	if d.meta.Name == "Customer" || d.meta.Name == "Supplier" {
		defaultTo(&d.doc, "language", d.snap.language())
	}
	if !slices.Contains(selling, d.meta.Name) {
		return
	}
	items := d.meta.field("items")
	if items == nil {
		return
	}
	rate := flt(d.doc.get("conversion_rate"))
	if rate == 0 {
		rate = 1
		d.doc.set("conversion_rate", rate)
	}
	qty, sum := 0.0, 0.0
	child := d.snap.meta(items.Options)
	d.eachRow(items, func(_ int, row *object) {
		d.itemDetails(child, row)
		amount := round(flt(row.get("qty")) * flt(row.get("rate")))
		qty, sum = qty+flt(row.get("qty")), sum+amount
		for k, v := range map[string]float64{
			"amount": amount, "net_amount": amount, "net_rate": flt(row.get("rate")),
			"base_rate": flt(row.get("rate")) * rate, "base_amount": amount * rate, "base_net_amount": amount * rate, "base_net_rate": flt(row.get("rate")) * rate,
			"stock_qty": flt(row.get("qty")) * flt(row.get("conversion_factor")),
		} {
			if child.column(k) >= 0 {
				row.set(k, v)
			}
		}
	})
	sum = round(sum)
	taxes := flt(d.doc.get("total_taxes_and_charges"))
	for k, v := range map[string]float64{
		"total_qty": qty, "total": sum, "net_total": sum, "grand_total": sum + taxes, "rounded_total": sum + taxes,
		"base_total": sum * rate, "base_net_total": sum * rate, "base_grand_total": (sum + taxes) * rate, "base_rounded_total": (sum + taxes) * rate,
	} {
		if d.meta.column(k) >= 0 {
			d.doc.set(k, round(v))
		}
	}
	if d.meta.Name == "Sales Order" || d.meta.Name == "Purchase Order" {
		status := map[int64]string{0: "Draft", 1: "To Deliver and Bill", 2: "Cancelled"}
		if d.meta.Name == "Purchase Order" {
			status[1] = "To Receive and Bill"
		}
		d.doc.set("status", status[cint(d.doc.get("docstatus"))])
		if d.old == nil {
			d.doc.set("status", "Draft") // even if it is submitted in the same step
		}
	}
	if d.meta.column("price_list_currency") >= 0 {
		defaultTo(&d.doc, "price_list_currency", d.doc.get("currency"))
		defaultTo(&d.doc, "plc_conversion_rate", 1.0)
	}
	d.partyDetails()
}

// language is the site's.
func (s *snapshot) language() string {
	if l := cstr(s.singles["System Settings"].get("language")); l != "" {
		return l
	}
	return "en"
}

// checkSelling are the checks that an order's controller makes before those on fields.
func (d *draft) checkSelling() error {
	if d.meta.Name != "Sales Order" || d.old != nil {
		return nil
	}
	if len(asList(d.doc.get("items"))) == 0 {
		return python("TypeError", "unsupported operand type(s) for *: 'NoneType' and 'float'")
	}
	if date := cstr(d.doc.get("delivery_date")); date != "" && date < cstr(d.doc.get("transaction_date")) {
		text := "Expected Delivery Date should be after Sales Order Date"
		f := thrownTitle("ValidationError", text, "Invalid Delivery Date")
		f.messages[0].set("indicator", "orange")
		return f
	}
	return nil
}

// itemDetails takes a row's name, group and unit from its item.
func (d *draft) itemDetails(child *docType, row *object) {
	item := d.snap.document(d.q.s.collation, "Item", cstr(row.get("item_code")))
	if item == nil || child == nil {
		return
	}
	for to, from := range map[string]string{"item_name": "item_name", "description": "description", "item_group": "item_group", "stock_uom": "stock_uom", "uom": "stock_uom"} {
		if child.column(to) >= 0 && cstr(row.get(to)) == "" {
			row.set(to, item.get(from).native())
		}
	}
	if flt(row.get("conversion_factor")) == 0 && child.column("conversion_factor") >= 0 {
		row.set("conversion_factor", 1.0)
	}
	for _, date := range []string{"delivery_date", "transaction_date"} {
		if child.column(date) >= 0 {
			defaultTo(row, date, d.doc.get(date))
		}
	}
}

// partyDetails takes names and groups from the customer or supplier.
func (d *draft) partyDetails() {
	for field, doctype := range map[string]string{"customer": "Customer", "supplier": "Supplier"} {
		if d.meta.field(field) == nil {
			continue
		}
		p := d.snap.document(d.q.s.collation, doctype, cstr(d.doc.get(field)))
		if p == nil {
			continue
		}
		for _, k := range []string{field + "_name", field + "_group", "territory", "tax_id", "language"} {
			if d.meta.column(k) >= 0 && cstr(d.doc.get(k)) == "" {
				d.doc.set(k, p.get(k).native())
			}
		}
	}
}

// round rounds money to cents.
func round(f float64) float64 { return math.Round(f*100) / 100 }
