package simulator_test

import (
	"maps"
	"net/http"
	"testing"
)

// TestDynamicLinks has a dynamic link without the DocType that it is of
// (BaseDocument.get_invalid_links): in the document and in a row.
func TestDynamicLinks(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	w.refused(t, asManager, http.MethodPost, "/api/resource/Service Ticket",
		doc{"subject": "x", "customer": "NOPE", "reference_name": "Semi;Colon"}, "ValidationError", "must be set first")
	w.refused(t, asAdmin, http.MethodPost, "/api/resource/Contact",
		doc{"first_name": "A", "links": []doc{{"link_name": "Semi;Colon"}}}, "ValidationError", "Link Document Type must be set first")
	made := w.must(t, asManager, http.MethodPost, "/api/resource/Service Ticket",
		doc{"subject": "x", "customer": "Semi;Colon", "reference_doctype": "Customer", "reference_name": "Semi;Colon"})
	w.refused(t, asManager, http.MethodPut, at("Service Ticket", made["name"]), doc{"reference_doctype": ""}, "ValidationError", "must be set first")
}

// expect compares some fields of a document.
func expect(t *testing.T, got, want doc) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %v, want %v", k, got[k], v)
		}
	}
}

// TestPaymentEntry follows ERPNext's payment_entry.py, validate, with as little as a client
// has to send.
func TestPaymentEntry(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	const path = "/api/resource/Payment Entry"
	entry := func(more doc) doc {
		d := doc{
			"payment_type": "Receive", "party_type": "Customer", "party": "Semi;Colon", "company": "Graft Test Ltd",
			"paid_to": "Cash - GTL", "paid_amount": 120.5, "received_amount": 120.5,
		}
		maps.Copy(d, more)
		return d
	}
	made := w.must(t, asAdmin, http.MethodPost, path, entry(nil))
	expect(t, made, doc{
		"party_name": "Semi;Colon", "paid_from": "Debtors - GTL", "paid_from_account_currency": "USD", "paid_to_account_currency": "USD", "status": "Draft",
		"source_exchange_rate": 1.0, "target_exchange_rate": 1.0, "base_paid_amount": 120.5, "base_received_amount": 120.5, "unallocated_amount": 120.5,
		"difference_amount": 0.0, "title": "Semi;Colon", "remarks": "Amount USD 120.5 received from Semi;Colon",
	})
	expect(t, w.must(t, asAdmin, http.MethodPut, at("Payment Entry", made["name"]), doc{"docstatus": 1}), doc{"status": "Submitted"})
	expect(t, w.must(t, asAdmin, http.MethodPut, at("Payment Entry", made["name"]), doc{"docstatus": 2}), doc{"status": "Cancelled"})
	supplier := w.s.Names("Supplier")[0]
	pay := w.must(t, asAdmin, http.MethodPost, path, doc{
		"payment_type": "Pay", "party_type": "Supplier", "party": supplier, "paid_from": "Cash - GTL", "paid_amount": 10, "received_amount": 10,
		"reference_no": "7", "reference_date": "2026-11-24", "paid_from_account_currency": "EUR", "source_exchange_rate": 2,
	})
	expect(t, pay, doc{
		"paid_to": "Creditors - GTL", "paid_to_account_currency": "USD", "base_paid_amount": 20.0, "base_received_amount": 10.0,
		"remarks": "Amount USD 10.0 to " + supplier + "\nTransaction reference no 7 dated 2026-11-24",
	})
	for name, c := range map[string]struct {
		values doc
		text   string
	}{
		"no party":       {entry(doc{"party": ""}), "Party is mandatory"},
		"no party type":  {entry(doc{"party_type": "", "party": ""}), "Party Type is mandatory"},
		"no amount":      {entry(doc{"paid_amount": 0}), "Paid Amount is mandatory"},
		"no account":     {entry(doc{"paid_to": ""}), "Target Exchange Rate is mandatory"},
		"no rate":        {entry(doc{"paid_to_account_currency": "EUR"}), "Target Exchange Rate is mandatory"},
		"an uneven move": {doc{"payment_type": "Internal Transfer", "paid_from": "Cash - GTL", "paid_to": "Bank - GTL", "paid_amount": 1, "received_amount": 2}, "Received Amount cannot be greater than Paid Amount"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.refused(t, asAdmin, http.MethodPost, path, c.values, "ValidationError", c.text)
		})
	}
}

// TestPeople follows lead.py and issue.py of ERPNext and contact.py of Frappe.
func TestPeople(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	for _, c := range []struct{ values, want doc }{
		{doc{"first_name": "Ada", "last_name": "Lovelace", "company_name": "Engines"}, doc{"lead_name": "Ada Lovelace", "title": "Engines"}},
		{doc{"company_name": "Engines"}, doc{"lead_name": "Engines"}},
		{doc{"email_id": "raiser@example.com", "company": "Graft Test Ltd"}, doc{"lead_name": "raiser", "title": "raiser"}},
	} {
		expect(t, w.must(t, asAdmin, http.MethodPost, "/api/resource/Lead", c.values), c.want)
	}
	w.refused(t, asAdmin, http.MethodPost, "/api/resource/Lead", doc{"phone": "1"}, "ValidationError", "A Lead requires either a person's name or an organization's name")

	contact := w.must(t, asAdmin, http.MethodPost, "/api/resource/Contact", doc{
		"first_name": " Ada ", "last_name": "L", "email_ids": []doc{{"email_id": "raiser@example.com"}},
		"phone_nos": []doc{{"phone": "1", "is_primary_mobile_no": 1}, {"phone": "2", "is_primary_phone": 1}},
		"links":     []doc{{"link_doctype": "Customer", "link_name": "Semi;Colon"}},
	})
	expect(t, contact, doc{"full_name": "Ada L", "email_id": "raiser@example.com", "phone": "2", "mobile_no": "1"})
	changed := w.must(t, asAdmin, http.MethodPut, at("Contact", contact["name"]), doc{"last_name": "", "company_name": "Engines", "phone_nos": []doc{}})
	expect(t, changed, doc{"full_name": "Ada", "phone": "", "mobile_no": ""})
	twice := []doc{{"email_id": "a@example.com", "is_primary": 1}, {"email_id": "b@example.com", "is_primary": 1}}
	w.refused(t, asAdmin, http.MethodPut, at("Contact", contact["name"]), doc{"email_ids": twice}, "ValidationError", "Only one <strong>Email ID</strong> can be set as primary.")

	expect(t, w.must(t, asAdmin, http.MethodPost, "/api/resource/Issue", doc{"subject": "x"}), doc{"raised_by": "Administrator", "company": "Graft Test Ltd", "contact": nil})
	issue := w.must(t, asAdmin, http.MethodPost, "/api/resource/Issue", doc{"subject": "x", "raised_by": "Ada <raiser@example.com>"})
	expect(t, issue, doc{"contact": contact["name"], "customer": "Semi;Colon"})
	if lead, _ := issue["lead"].(string); lead == "" {
		t.Error("an issue without the lead of its raiser")
	}
}

// TestFileDocuments inserts File documents without an upload, as frappe/core/doctype/file/
// file.py has them: contents, a URL that leads to some, or one elsewhere.
func TestFileDocuments(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	const path = "/api/resource/File"
	for name, c := range map[string]struct {
		values      doc
		class, text string
	}{
		"nothing":                {doc{}, "MandatoryError", "Fields `file_name` or `file_url` must be set for File"},
		"a name alone":           {doc{"file_name": "a.txt"}, "OSError", "File  does not exist"},
		"a URL that leads on":    {doc{"file_url": "ftp://a/b.txt"}, "ValidationError", "URL must start with http:// or https://"},
		"a URL of nothing":       {doc{"file_url": "/files/not%20there.txt"}, "FileNotFoundError", "/files/not there.txt"},
		"a URL up the tree":      {doc{"file_url": "/files/../site_config.json"}, "FileNotFoundError", ""},
		"broken base64":          {doc{"file_name": "a.txt", "content": "a", "decode": 1}, "Error", "Invalid base64-encoded string"},
		"an attachment of what?": {doc{"file_name": "a.txt", "content": "a", "attached_to_doctype": "Customer"}, "ValidationError", "Attached To Name must be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.refused(t, asSales, http.MethodPost, path, c.values, c.class, c.text)
		})
	}
	made := w.must(t, asSales, http.MethodPost, path, doc{
		"file_name": "hi/there.txt", "content": "data:text/plain;base64,aGk=", "decode": 1, "is_private": 1, "attached_to_doctype": "Customer", "attached_to_name": "Semi;Colon",
	})
	expect(t, made, doc{"file_name": "hithere.txt", "file_url": "/private/files/hithere.txt", "file_size": 2.0, "file_type": "TXT", "folder": "Home/Attachments"})
	expect(t, w.must(t, asSales, http.MethodPost, path, doc{"file_url": "/private/files/hithere.txt"}), doc{"file_name": "hithere.txt", "is_private": 1.0, "content_hash": made["content_hash"]})
	expect(t, w.must(t, asSales, http.MethodPost, path, doc{"file_url": "https://example.com/a.png"}), doc{"file_name": "a.png", "folder": "Home"})
	w.refused(t, asSales, http.MethodPut, at("File", made["name"]), doc{"file_url": "/private/files/other.txt"}, "OSError", "File /private/files/other.txt does not exist")
}
