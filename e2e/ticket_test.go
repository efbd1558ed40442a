package e2e_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ticketFields are all writable fields of the DocType that has one of each kind, the Go
// value beside each as the graph must give it back.
const ticketFields = `subject customer { name } item { name } status priority isBillable dueDate openedAt visitTime sla amount
	currency { name } hours visits completion rating notes summary longText md html script payload attachment photo signature
	location color phone barcode autoc icon referenceDoctype referenceName { name doctype } internalCost uniqueRef setOnce
	lines { item { name } description qty rate done costNote } tags { tag { name } }`

// Each kind of field is written, read back, and equal.
func TestFieldRoundTrip(t *testing.T) {
	t.Parallel()
	s := story{t, setup(t, options{doctypes: ticketDocTypes})}
	input := map[string]any{
		"subject": `Quotes " and \ and ünï 東京 🙂`, "customer": "Semi;Colon", "item": "ITEM-00010", "status": "IN_PROGRESS", "priority": "HIGH",
		"isBillable": false, "dueDate": "2028-02-29", "openedAt": "2026-12-31T23:59:59.123456+05:30", "visitTime": "09:05:07.5", "sla": 3661,
		"amount": "123456789012.123", "currency": "USD", "hours": 1.125, "visits": -2147483647, "completion": 33.3, "rating": 0.65,
		"notes": "<p>Rich <b>text</b></p>", "summary": "two\nlines", "longText": "long", "md": "# md", "html": "<i>html</i>", "script": "print('x')\n",
		"payload": map[string]any{"a": []any{1, 2.5, "ü", nil, true}}, "attachment": "/private/files/a.txt", "photo": "https://example.com/p.png",
		"signature": "data:image/png;base64,AAAA", "location": map[string]any{"type": "FeatureCollection", "features": []any{}},
		"color": "#ff0000", "phone": "+91-9999999999", "barcode": "123", "autoc": "Beta", "icon": "star",
		"referenceDoctype": "Item", "referenceName": "ITEM-00011", "internalCost": 9.99, "uniqueRef": "REF-1", "setOnce": "once",
		"lines": []any{
			map[string]any{"item": "ITEM-00010", "description": "first", "qty": 2.5, "rate": "3.30", "done": true, "costNote": "inner"},
			map[string]any{"item": "ITEM-00011"},
		},
		"tags": []any{map[string]any{"tag": s.tag()}},
	}
	want := map[string]any{
		"subject": input["subject"], "customer": named("Semi;Colon"), "item": named("ITEM-00010"), "status": "IN_PROGRESS", "priority": "HIGH",
		"isBillable": false, "dueDate": "2028-02-29", "openedAt": "2026-12-31T23:59:59.123456+05:30", "visitTime": "09:05:07.5", "sla": 3661.0,
		"amount": "123456789012.123", "currency": named("USD"), "hours": 1.125, "visits": -2147483647.0, "completion": 33.3, "rating": 0.65,
		"notes": input["notes"], "summary": input["summary"], "longText": "long", "md": "# md", "html": "<i>html</i>", "script": input["script"],
		"payload": map[string]any{"a": []any{1.0, 2.5, "ü", nil, true}}, "attachment": s.b.url + "/private/files/a.txt", "photo": "https://example.com/p.png",
		"signature": "data:image/png;base64,AAAA", "location": map[string]any{"type": "FeatureCollection", "features": []any{}},
		"color": "#ff0000", "phone": "+91-9999999999", "barcode": "123", "autoc": "Beta", "icon": "star",
		"referenceDoctype": "Item", "referenceName": map[string]any{"name": "ITEM-00011", "doctype": "Item"},
		"internalCost": "9.99", "uniqueRef": "REF-1", "setOnce": "once",
		"lines": []any{
			map[string]any{"item": named("ITEM-00010"), "description": "first", "qty": 2.5, "rate": "3.3", "done": true, "costNote": "inner"},
			map[string]any{"item": named("ITEM-00011"), "description": nil, "qty": 1.0, "rate": "0.0", "done": false, "costNote": nil},
		},
		"tags": []any{map[string]any{"tag": named(s.tag())}},
	}
	created := s.do(manager, `mutation($input: ServiceTicketCreate!) { createServiceTicket(input: $input) { name serviceTicket { `+ticketFields+` } } }`, map[string]any{"input": input})
	if diff := cmp.Diff(want, part(created, "serviceTicket")); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}

	// What was read goes back as it is, and nothing moves.
	back := map[string]any{}
	for _, name := range []string{
		"subject", "status", "isBillable", "dueDate", "openedAt", "visitTime", "sla", "amount", "hours", "visits", "completion", "rating",
		"payload", "attachment", "photo", "location", "internalCost",
	} {
		back[name] = part(created, "serviceTicket")[name]
	}
	update := `mutation($name: String!, $input: ServiceTicketUpdate!) { updateServiceTicket(name: $name, input: $input) { serviceTicket { ` + ticketFields + ` } } }`
	again := s.do(manager, update, map[string]any{"name": created["name"], "input": back})
	if diff := cmp.Diff(want, part(again, "serviceTicket")); diff != "" {
		t.Errorf("written back (-want +got):\n%s", diff)
	}

	// Null clears, absent leaves.
	cleared := s.do(manager, update, map[string]any{"name": created["name"], "input": map[string]any{
		"item": nil, "priority": nil, "dueDate": nil, "openedAt": nil, "payload": nil, "summary": nil, "attachment": nil, "lines": []any{}, "amount": nil,
	}})
	want["item"], want["priority"], want["dueDate"], want["openedAt"], want["payload"], want["summary"], want["attachment"] = nil, nil, nil, nil, nil, nil, nil
	want["lines"], want["amount"] = []any{}, "0.0"
	if diff := cmp.Diff(want, part(cleared, "serviceTicket")); diff != "" {
		t.Errorf("cleared (-want +got):\n%s", diff)
	}
}

func named(name string) map[string]any { return map[string]any{"name": name} }

// tag is one of the site's tags.
func (s story) tag() string {
	s.Helper()
	var data struct {
		ServiceTags struct{ Nodes []struct{ Name string } }
	}
	s.b.query(s, manager, `{ serviceTags(first: 1) { nodes { name } } }`, nil).into(s, &data)
	if len(data.ServiceTags.Nodes) == 0 {
		s.Fatal("the site has no tags")
	}
	return data.ServiceTags.Nodes[0].Name
}

// What ERPNext would drop, round or read as something else is refused before it is sent:
// the site gets no write at all.
func TestNothingIsCoerced(t *testing.T) {
	t.Parallel()
	b := setup(t, options{doctypes: ticketDocTypes})
	create := `mutation($input: ServiceTicketCreate!) { createServiceTicket(input: $input) { name } }`
	for name, tt := range map[string]struct {
		credential  string
		input       map[string]any
		code, field string
	}{
		"permlevel":            {sales, map[string]any{"internalCost": 5}, "FORBIDDEN", "input.internalCost"},
		"permlevel of a row":   {sales, map[string]any{"lines": []any{map[string]any{"item": "ITEM-00010", "costNote": "x"}}}, "FORBIDDEN", "input.lines.0.costNote"},
		"text for a number":    {manager, map[string]any{"amount": "12,50"}, "BAD_USER_INPUT", "input.amount"},
		"too many digits":      {manager, map[string]any{"amount": "0.1234567891"}, "BAD_USER_INPUT", "input.amount"},
		"beyond a double":      {manager, map[string]any{"amount": "123456789012.123456789"}, "BAD_USER_INPUT", "input.amount"},
		"beyond the column":    {manager, map[string]any{"amount": "1234567890123"}, "BAD_USER_INPUT", "input.amount"},
		"a rating above 1":     {manager, map[string]any{"rating": 1.5}, "BAD_USER_INPUT", "input.rating"},
		"no such day":          {manager, map[string]any{"dueDate": "2027-02-29"}, "BAD_USER_INPUT", "input.dueDate"},
		"a day as others do":   {manager, map[string]any{"dueDate": "31/12/2026"}, "BAD_USER_INPUT", "input.dueDate"},
		"a moment, no offset":  {manager, map[string]any{"openedAt": "2026-12-31T10:20:30"}, "BAD_USER_INPUT", "input.openedAt"},
		"nanoseconds":          {manager, map[string]any{"openedAt": "2026-12-31T10:20:30.123456789Z"}, "BAD_USER_INPUT", "input.openedAt"},
		"no time of day":       {manager, map[string]any{"visitTime": "25:00"}, "BAD_USER_INPUT", "input.visitTime"},
		"too long":             {manager, map[string]any{"subject": strings.Repeat("x", 141)}, "BAD_USER_INPUT", "input.subject"},
		"NUL":                  {manager, map[string]any{"summary": "a\x00b"}, "BAD_USER_INPUT", "input.summary"},
		"a path out of files":  {manager, map[string]any{"attachment": "/private/files/../../etc/passwd"}, "BAD_USER_INPUT", "input.attachment"},
		"a script for a URL":   {manager, map[string]any{"photo": "javascript:alert(1)"}, "BAD_USER_INPUT", "input.photo"},
		"a row without must":   {manager, map[string]any{"lines": []any{map[string]any{"qty": 1}}}, "", ""},
		"an unknown option":    {manager, map[string]any{"status": "BOGUS"}, "", ""},
		"a field of nobody":    {manager, map[string]any{"noSuchField": 1}, "", ""},
		"read-only":            {manager, map[string]any{"roScore": 7}, "", ""},
		"a system field":       {manager, map[string]any{"docstatus": 1}, "", ""},
		"an Int out of range":  {manager, map[string]any{"visits": 2147483648}, "", ""},
		"a fraction for Int":   {manager, map[string]any{"visits": 1.5}, "", ""},
		"text for a Check":     {manager, map[string]any{"isBillable": "yes"}, "", ""},
		"null for what's must": {manager, map[string]any{"subject": nil}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.site.ResetCalls()
			input := map[string]any{"subject": "s", "customer": "Semi;Colon"}
			maps.Copy(input, tt.input)
			got := b.query(t, tt.credential, create, map[string]any{"input": input})
			if len(got.Errors) == 0 {
				t.Fatalf("was taken: %s", got.raw)
			}
			if code := got.codes()[0]; tt.code != "" && code != tt.code || tt.code == "" && code != "BAD_USER_INPUT" {
				t.Errorf("code %s: %s", code, got.raw)
			}
			if field, _ := got.Errors[0].Extensions["field"].(string); tt.field != "" && field != tt.field {
				t.Errorf("the error is about %q, want %q", field, tt.field)
			}
			for _, call := range b.site.Calls() {
				if slices.Contains([]string{"POST", "PUT", "DELETE"}, call.Method) && call.Path == "/api/resource/Service Ticket" {
					t.Errorf("the site was asked to write: %s %s", call.Method, call.Path)
				}
			}
		})
	}
}
