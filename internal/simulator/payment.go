package simulator

import (
	"fmt"
	"strings"
)

// payment fills in a Payment Entry and refuses one that lacks what money needs to move
// (erpnext/accounts/doctype/payment_entry/payment_entry.py, validate). It knows neither
// taxes nor balances, and leaves the invoices that are paid alone.
func (d *draft) payment() error {
	if err := d.paymentParty(); err != nil {
		return err
	}
	currency := d.companyCurrency()
	from, to := d.accountCurrency("paid_from", currency), d.accountCurrency("paid_to", currency)
	d.exchangeRates(from, to, currency)
	for _, field := range []string{"paid_amount", "received_amount", "source_exchange_rate", "target_exchange_rate"} {
		if f := d.meta.field(field); f != nil && flt(d.doc.get(field)) == 0 {
			return thrown("ValidationError", f.Label+" is mandatory")
		}
	}
	if from == to {
		if d.text("payment_type") != internalTransfer {
			d.doc.set("received_amount", d.doc.get("paid_amount"))
		}
		if flt(d.doc.get("paid_amount")) < flt(d.doc.get("received_amount")) {
			return thrown("ValidationError", "Received Amount cannot be greater than Paid Amount")
		}
	}
	d.paymentAmounts()
	if d.action == "submit" && flt(d.doc.get("difference_amount")) != 0 {
		return thrown("ValidationError", "Difference Amount must be zero")
	}
	title := d.text("party")
	if d.text("payment_type") == internalTransfer {
		title = d.text("paid_from") + " - " + d.text("paid_to")
	}
	d.put("title", title)
	if cint(d.doc.get("custom_remarks")) == 0 {
		d.put("remarks", d.paymentRemarks(currency))
	}
	return nil
}

const internalTransfer = "Internal Transfer"

// paymentParty takes the party's name, and the company's account for it.
func (d *draft) paymentParty() error {
	kind := d.text("payment_type")
	if kind == internalTransfer {
		for _, field := range []string{"party", "party_balance", "total_allocated_amount", "base_total_allocated_amount", "unallocated_amount"} {
			d.put(field, nil)
		}
		d.put("references", []any{})
		return nil
	}
	doctype, party := d.text("party_type"), d.text("party")
	switch {
	case doctype == "":
		return thrown("ValidationError", "Party Type is mandatory")
	case party == "":
		return thrown("ValidationError", "Party is mandatory")
	}
	if p := d.snap.document(d.q.s.collation, doctype, party); p != nil {
		d.put("party_name", p.get(strings.ToLower(doctype)+"_name").native())
	}
	account := map[string]string{"Receive": "paid_from", "Pay": "paid_to"}[kind]
	of := "default_payable_account"
	if doctype == "Customer" {
		of = "default_receivable_account"
	}
	d.companyDetails(d.meta, &d.doc, map[string]string{account: of})
	return nil
}

// companyCurrency is the currency that the company keeps its books in.
func (d *draft) companyCurrency() string {
	if c := d.snap.document(d.q.s.collation, "Company", d.text("company")); c != nil {
		return c.get("default_currency").s
	}
	return cstr(d.siteDefault("currency"))
}

// accountCurrency fills in the currency of the account that a field names: a data set
// without accounts has those in the company's currency only. It is empty without account.
func (d *draft) accountCurrency(field, company string) string {
	account, own := d.text(field), d.text(field+"_account_currency")
	if account == "" || own != "" {
		return own
	}
	currency := company
	if a := d.snap.document(d.q.s.collation, "Account", account); a != nil && a.get("account_currency").s != "" {
		currency = a.get("account_currency").s
	}
	d.put(field+"_account_currency", currency)
	return currency
}

// exchangeRates are 1 in the company's currency. Others must be given.
func (d *draft) exchangeRates(from, to, company string) {
	if flt(d.doc.get("source_exchange_rate")) == 0 && d.text("paid_from") != "" && from == company {
		d.put("source_exchange_rate", 1.0)
	}
	switch {
	case from == to:
		d.put("target_exchange_rate", d.doc.get("source_exchange_rate"))
	case flt(d.doc.get("target_exchange_rate")) == 0 && d.text("paid_to") != "" && to == company:
		d.put("target_exchange_rate", 1.0)
	}
}

// paymentAmounts are the amounts in the company's currency, and what is left over after
// the references.
func (d *draft) paymentAmounts() {
	paid, received := flt(d.doc.get("paid_amount")), flt(d.doc.get("received_amount"))
	source, target := flt(d.doc.get("source_exchange_rate")), flt(d.doc.get("target_exchange_rate"))
	basePaid, baseReceived := round(paid*source), round(received*target)
	for k, v := range map[string]float64{
		"base_paid_amount": basePaid, "base_received_amount": baseReceived,
		"paid_amount_after_tax": paid, "base_paid_amount_after_tax": basePaid,
		"received_amount_after_tax": received, "base_received_amount_after_tax": baseReceived,
	} {
		d.put(k, v)
	}
	deducted := 0.0
	for _, row := range d.children("deductions") {
		deducted += flt(row.get("amount"))
	}
	if d.text("payment_type") == internalTransfer {
		d.put("difference_amount", round(basePaid-baseReceived-deducted))
		return
	}
	allocated, baseAllocated := 0.0, 0.0
	for _, row := range d.children("references") {
		rate := flt(row.get("exchange_rate"))
		if rate == 0 {
			rate = 1
		}
		allocated += flt(row.get("allocated_amount"))
		baseAllocated += round(flt(row.get("allocated_amount")) * rate)
	}
	// What the company has got, or given, is what its party is to be credited, or debited.
	party, rate := baseReceived+deducted, source
	if d.text("payment_type") == "Pay" {
		party, rate = basePaid-deducted, target
	}
	left := max(0, party-baseAllocated)
	difference := baseAllocated + left - party
	if d.text("payment_type") == "Pay" {
		difference = -difference
	}
	d.put("total_allocated_amount", allocated)
	d.put("base_total_allocated_amount", baseAllocated)
	d.put("unallocated_amount", round(left/rate))
	d.put("difference_amount", round(difference))
}

// paymentRemarks says in words what was paid to whom for what.
func (d *draft) paymentRemarks(company string) string {
	amount := func(field string) string { return formatFloat(flt(d.doc.get(field))) }
	kind, currency := d.text("payment_type"), d.text("paid_to_account_currency")
	var out []string
	switch kind {
	case internalTransfer:
		out = append(out, fmt.Sprintf("Amount %s %s transferred from %s to %s", d.text("paid_from_account_currency"), amount("paid_amount"), d.text("paid_from"), d.text("paid_to")))
	case "Receive":
		currency = d.text("paid_from_account_currency")
		out = append(out, fmt.Sprintf("Amount %s %s received from %s", currency, amount("paid_amount"), d.text("party")))
	default:
		out = append(out, fmt.Sprintf("Amount %s %s to %s", currency, amount("received_amount"), d.text("party")))
	}
	if no := d.text("reference_no"); no != "" {
		date := d.text("reference_date")
		if date == "" {
			date = "None"
		}
		out = append(out, fmt.Sprintf("Transaction reference no %s dated %s", no, date))
	}
	for _, row := range d.children("references") {
		if v := flt(row.get("allocated_amount")); v != 0 {
			out = append(out, fmt.Sprintf("Amount %s %s against %s %s", currency, formatFloat(v), cstr(row.get("reference_doctype")), cstr(row.get("reference_name"))))
		}
	}
	for _, row := range d.children("deductions") {
		if v := flt(row.get("amount")); v != 0 {
			out = append(out, fmt.Sprintf("Amount %s %s deducted against %s", company, formatFloat(v), cstr(row.get("account"))))
		}
	}
	return strings.Join(out, "\n")
}
