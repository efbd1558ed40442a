package simulator

// price puts the list's price of an item into a row that has none yet, and makes it the
// row's rate if no other was given; what the row is cheaper by counts as a discount.
func (d *draft) price(child *docType, row *object) {
	if d.mapped || child.column("price_list_rate") < 0 || flt(row.get("price_list_rate")) != 0 || d.old != nil && !d.isFresh(*row) {
		return
	}
	list := cstr(d.doc.get("selling_price_list"))
	if d.meta.column("selling_price_list") < 0 {
		list = cstr(d.doc.get("buying_price_list"))
	}
	listed := d.listPrice(list, cstr(row.get("item_code")))
	row.set("price_list_rate", listed)
	row.set("base_price_list_rate", listed*flt(d.doc.get("conversion_rate")))
	if row.get("rate") == nil {
		row.set("rate", listed)
	}
	if rate := flt(row.get("rate")); child.column("discount_amount") >= 0 && listed > rate && rate > 0 {
		row.set("discount_amount", listed-rate)
	}
}

// listPrice is the price of an item in a price list, 0 for none.
func (d *draft) listPrice(list, item string) float64 {
	t := d.snap.tables["Item Price"]
	if t == nil || list == "" || item == "" {
		return 0
	}
	of, in, rate := t.meta.column("item_code"), t.meta.column("price_list"), t.meta.column("price_list_rate")
	for r := range t.holding(of, d.q.s.collation.text(&t.meta.columns[of], item)) {
		if r.vals[in].s == list {
			return r.vals[rate].number()
		}
	}
	return 0
}
