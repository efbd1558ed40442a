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
	items := d.meta.field("items")
	if !slices.Contains(selling, d.meta.Name) || items == nil {
		if d.meta.Submittable {
			d.status()
		}
		return
	}
	d.defaultPriceList()
	d.companyDetails(d.meta, &d.doc, companyOfInvoices)
	if d.meta.column("due_date") >= 0 {
		defaultTo(&d.doc, "due_date", d.doc.get("posting_date"))
	}
	rate := flt(d.doc.get("conversion_rate"))
	if rate == 0 {
		rate = 1
		d.doc.set("conversion_rate", rate)
	}
	qty, sum := 0.0, 0.0
	child := d.snap.meta(items.Options)
	d.eachRow(items, func(_ int, row *object) {
		sum += d.computeRow(child, row, rate)
		qty += flt(row.get("qty"))
	})
	sum = round(sum)
	taxes := flt(d.doc.get("total_taxes_and_charges"))
	for k, v := range map[string]float64{
		"total_qty": qty, "total": sum, "net_total": sum, "grand_total": sum + taxes, "rounded_total": sum + taxes,
		"base_total": sum * rate, "base_net_total": sum * rate, "base_grand_total": (sum + taxes) * rate, "base_rounded_total": (sum + taxes) * rate,
		"amount_eligible_for_commission": sum,
	} {
		if d.meta.column(k) >= 0 {
			d.doc.set(k, round(v))
		}
	}
	d.status()
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
	for _, date := range []string{"delivery_date", "transaction_date", "schedule_date"} {
		if child.column(date) >= 0 {
			defaultTo(row, date, d.doc.get(date))
		}
	}
}

// computeRow fills in a row and answers its amount.
func (d *draft) computeRow(child *docType, row *object, conversion float64) float64 {
	d.itemDetails(child, row)
	d.price(child, row)
	qty, rate, factor := flt(row.get("qty")), flt(row.get("rate")), flt(row.get("conversion_factor"))
	amount := round(qty * rate)
	for k, v := range map[string]float64{
		"amount": amount, "net_amount": amount, "net_rate": rate, "stock_qty": qty * factor, "stock_uom_rate": rate / max(1, factor),
		"base_rate": rate * conversion, "base_amount": amount * conversion, "base_net_amount": amount * conversion, "base_net_rate": rate * conversion,
	} {
		if child.column(k) >= 0 {
			row.set(k, v)
		}
	}
	if child.column("item_tax_rate") >= 0 {
		defaultTo(row, "item_tax_rate", "{}")
	}
	d.companyDetails(child, row, companyOfRows)
	return amount
}

// Fields that a company fills in, by the company's own that say with what.
var (
	companyOfInvoices = map[string]string{"debit_to": "default_receivable_account", "credit_to": "default_payable_account"}
	companyOfRows     = map[string]string{"cost_center": "cost_center", "income_account": "default_income_account", "expense_account": "default_expense_account"}
)

// companyDetails takes accounts from the company.
func (d *draft) companyDetails(meta *docType, doc *object, fields map[string]string) {
	c := d.snap.document(d.q.s.collation, "Company", cstr(d.doc.get("company")))
	if c == nil {
		return
	}
	for to, from := range fields {
		if meta.column(to) >= 0 {
			defaultTo(doc, to, c.get(from).native())
		}
	}
}

// defaultPriceList is the customer's, or the one of the settings: where the data set lacks
// them, the first that is for selling.
func (d *draft) defaultPriceList() {
	if d.meta.column("selling_price_list") < 0 || cstr(d.doc.get("selling_price_list")) != "" {
		return
	}
	name := cstr(d.doc.get("customer"))
	if d.meta.Name == "Quotation" {
		name = cstr(d.doc.get("party_name"))
	}
	list := cstr(d.snap.singles["Selling Settings"].get("selling_price_list"))
	if p := d.snap.document(d.q.s.collation, "Customer", name); p != nil && p.get("default_price_list").s != "" {
		list = p.get("default_price_list").s
	}
	if t := d.snap.tables["Price List"]; list == "" && t != nil && t.meta.column("selling") >= 0 {
		for r := range t.holding(t.meta.column("selling"), intValue(1)) {
			list = r.name()
			break
		}
	}
	d.doc.set("selling_price_list", list)
}

// partyDetails takes names and groups from the customer or supplier.
func (d *draft) partyDetails() {
	if d.meta.Name == "Quotation" && cstr(d.doc.get("quotation_to")) == "Customer" {
		if p := d.snap.document(d.q.s.collation, "Customer", cstr(d.doc.get("party_name"))); p != nil {
			for _, k := range []string{"customer_name", "customer_group", "territory", "language"} {
				if d.meta.column(k) >= 0 && cstr(d.doc.get(k)) == "" {
					d.doc.set(k, p.get(k).native())
				}
			}
		}
	}
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
