package write_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/write"
)

// TestEveryKind writes each kind of field of Service Ticket, and reads it back equal, time
// zones and decimals included.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ticket := w.typ("Service Ticket")
	input := decode(t, `{
		"subject": "Pump \"7\" läuft nicht 東京 🛠️",
		"customer": "Semi;Colon",
		"item": "ITEM-00010",
		"status": "ON_HOLD",
		"priority": "HIGH",
		"isBillable": false,
		"dueDate": "2027-02-28",
		"openedAt": "2026-03-29T02:30:00.123456+02:00",
		"visitTime": "07:05:09.5",
		"sla": 93784,
		"amount": "123456789012.12",
		"currency": "EUR",
		"hours": 1.375,
		"visits": -2147483647,
		"completion": 33.333333333,
		"rating": 0.8,
		"lines": [{"item": "ITEM-00011", "qty": 2.5, "rate": "10.10"}, {"item": "ITEM-00012", "qty": 1, "rate": "0.000000001"}],
		"notes": "<p>one &amp; two</p>",
		"summary": "two\nlines",
		"longText": "  blanks stay  ",
		"md": "# title",
		"html": "<b>bold</b>",
		"script": "print(1)",
		"payload": {"a": [1, 2.50, "x", null, true], "é": {}},
		"attachment": "https://graph.example.com/erp/private/files/a b.pdf",
		"photo": "/files/p.png",
		"signature": "data:image/png;base64,iVBORw0KGgo=",
		"location": {"type": "FeatureCollection", "features": []},
		"color": "#29CD42",
		"phone": "+49-3012345678",
		"barcode": "<svg></svg>",
		"autoc": "Alpha",
		"icon": "settings",
		"referenceDoctype": "Customer",
		"referenceName": "Semi;Colon",
		"uniqueRef": "Round trip 1",
		"setOnce": "once"
	}`)
	delete(input, "attachment")
	input["attachment"] = "https://graph.example.com/erp/private/files/a.pdf"
	r := w.must(w.as("sales@example.com", "").Create(t.Context(), ticket, input, write.Options{}))
	if r.Type != ticket || r.Name == "" {
		t.Fatalf("result %+v", r)
	}
	doc := w.read(ticket.Key, r.Name)
	want := map[string]string{
		"subject": `"Pump \"7\" läuft nicht 東京 🛠️"`, "customer": `"Semi;Colon"`, "item": `"ITEM-00010"`,
		"status": `"On Hold"`, "priority": `"High"`, "is_billable": "0", "due_date": `"2027-02-28"`,
		"opened_at": `"2026-03-29 06:00:00.123456"`, "visit_time": `"7:05:9.5"`, "sla": "93784.0",
		"amount": "123456789012.12", "currency": `"EUR"`, "hours": "1.375", "visits": "-2147483647",
		"completion": "33.333333333", "rating": "0.8", "notes": `"<p>one &amp; two</p>"`, "summary": `"two\nlines"`,
		"long_text": `"  blanks stay  "`, "md": `"# title"`, "html": `"<b>bold</b>"`, "script": `"print(1)"`,
		"payload": `"{\"a\":[1,2.5,\"x\",null,true],\"é\":{}}"`, "attachment": `"/private/files/a.pdf"`, "photo": `"/files/p.png"`,
		"signature": `"data:image/png;base64,iVBORw0KGgo="`, "location": `"{\"features\":[],\"type\":\"FeatureCollection\"}"`,
		"color": `"#29CD42"`, "phone": `"+49-3012345678"`, "barcode": `"<svg></svg>"`, "autoc": `"Alpha"`, "icon": `"settings"`,
		"reference_doctype": `"Customer"`, "reference_name": `"Semi;Colon"`, "unique_ref": `"Round trip 1"`, "set_once": `"once"`,
	}
	for _, f := range ticket.Fields {
		if f.Create == doctype.Absent || f.Kind == doctype.Table || f.PermLevel > 0 {
			continue
		}
		if _, ok := want[f.Column]; !ok {
			t.Errorf("field %s is not tried", f.Name)
		}
	}
	for column, v := range want {
		if got := string(canonical(t, doc[column])); got != string(canonical(t, jsontext.Value(v))) {
			t.Errorf("%s is %s, want %s", column, got, v)
		}
	}
	if got, want := w.rfc(doc["opened_at"]), "2026-03-29T06:00:00.123456+05:30"; got != want {
		t.Errorf("opened at %s, want %s", got, want)
	}
	lines := rowsIn(t, doc["lines"])
	if diff := cmp.Diff([]string{"ITEM-00011 2.5 10.1", "ITEM-00012 1.0 1e-9"}, lineTexts(lines)); diff != "" {
		t.Errorf("lines: %s", diff)
	}
}

func lineTexts(rows []map[string]jsontext.Value) []string {
	var out []string
	for _, row := range rows {
		rate := text(row["rate"])
		if rate == "1e-09" {
			rate = "1e-9"
		}
		out = append(out, text(row["item"])+" "+text(row["qty"])+" "+rate)
	}
	return out
}

// canonical brings JSON to one form.
func canonical(tb testing.TB, v jsontext.Value) jsontext.Value {
	tb.Helper()
	out := v.Clone()
	if err := out.Canonicalize(); err != nil {
		tb.Fatalf("%q: %v", v, err)
	}
	return out
}

// newTicket creates a ticket with two lines.
func newTicket(tb testing.TB, w *siteWorld, user string) string {
	tb.Helper()
	input := decode(tb, `{"subject": "s", "customer": "Semi;Colon", "uniqueRef": null, "lines": [
		{"item": "ITEM-00010", "qty": 1, "rate": 5}, {"item": "ITEM-00011", "qty": 2, "rate": 6}]}`)
	return w.must(w.as(user, "").Create(tb.Context(), w.typ("Service Ticket"), input, write.Options{})).Name
}

func TestDocumentUpdate(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ticket := w.typ("Service Ticket")
	name := newTicket(t, w, "sales@example.com")
	old := rowsIn(t, w.read(ticket.Key, name)["lines"])
	first, second := text(old[0]["name"]), text(old[1]["name"])

	t.Run("null clears and absent leaves", func(t *testing.T) {
		input := decode(t, `{"visitTime": null, "isBillable": null, "priority": "LOW", "amount": null, "summary": null, "sla": null, "rating": null}`)
		w.must(w.as("sales@example.com", "").Update(t.Context(), ticket, name, input, write.Options{}))
		doc := w.read(ticket.Key, name)
		for column, want := range map[string]string{"subject": `"s"`, "priority": `"Low"`, "is_billable": "0", "amount": "0.0", "visit_time": "", "summary": "", "sla": ""} {
			if got := string(doc[column]); got != want {
				t.Errorf("%s is %s, want %q", column, got, want)
			}
		}
	})
	t.Run("rows are kept by name, added and removed", func(t *testing.T) {
		input := write.Input{"lines": []any{
			map[string]any{"item": "ITEM-00012", "qty": 7},
			map[string]any{"name": second, "qty": 3.5},
		}}
		w.must(w.as("sales@example.com", "").Update(t.Context(), ticket, name, input, write.Options{}))
		rows := rowsIn(t, w.read(ticket.Key, name)["lines"])
		if diff := cmp.Diff([]string{"ITEM-00012 7.0 0.0", "ITEM-00011 3.5 6.0"}, lineTexts(rows)); diff != "" {
			t.Error(diff)
		}
		if text(rows[1]["name"]) != second || text(rows[1]["creation"]) != text(old[1]["creation"]) {
			t.Errorf("the kept row is another one now: %s", rows[1])
		}
		if text(rows[0]["name"]) == first {
			t.Error("a new row has an old name")
		}
	})
	t.Run("a row of another document is refused", func(t *testing.T) {
		other := newTicket(t, w, "sales@example.com")
		theirs := text(rowsIn(t, w.read(ticket.Key, other)["lines"])[0]["name"])
		for _, row := range []string{theirs, first, "' or 1=1 --"} {
			input := write.Input{"lines": []any{map[string]any{"name": row, "qty": 1}}}
			_, err := w.as("sales@example.com", "").Update(t.Context(), ticket, name, input, write.Options{Path: "input"})
			if e := wantError(t, err, apierror.BadUserInput); e.Field != "input.lines.0.name" {
				t.Errorf("field %s", e.Field)
			}
		}
		if got := len(rowsIn(t, w.read(ticket.Key, other)["lines"])); got != 2 {
			t.Errorf("the other document has %d rows now", got)
		}
	})
	t.Run("the same row twice is refused", func(t *testing.T) {
		row := map[string]any{"name": second}
		_, err := w.as("sales@example.com", "").Update(t.Context(), ticket, name, write.Input{"lines": []any{row, row}}, write.Options{})
		wantCode(t, err, apierror.BadUserInput)
	})
	t.Run("an empty table has no rows", func(t *testing.T) {
		w.must(w.as("sales@example.com", "").Update(t.Context(), ticket, name, write.Input{"lines": nil}, write.Options{}))
		if rows := rowsIn(t, w.read(ticket.Key, name)["lines"]); len(rows) > 0 {
			t.Errorf("%d rows", len(rows))
		}
	})
}

func rowsIn(tb testing.TB, v jsontext.Value) []map[string]jsontext.Value {
	tb.Helper()
	var out []map[string]jsontext.Value
	if err := unmarshal(v, &out); err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestDocumentIfModified(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ticket := w.typ("Service Ticket")
	name := newTicket(t, w, "sales@example.com")
	read := w.rfc(w.read(ticket.Key, name)["modified"])
	update := func(subject, ifModified string) error {
		_, err := w.as("sales@example.com", "").Update(t.Context(), ticket, name,
			write.Input{"subject": subject, "lines": []any{map[string]any{"item": "ITEM-00010"}}}, write.Options{IfModified: ifModified})
		return err
	}
	if err := update("one", read); err != nil {
		t.Fatal(err)
	}
	now := w.rfc(w.read(ticket.Key, name)["modified"])
	if e := wantError(t, update("two", read), apierror.Conflict); e.Extensions["modified"] != now {
		t.Errorf("modified %v, want %v", e.Extensions["modified"], now)
	}
	if got := text(w.read(ticket.Key, name)["subject"]); got != "one" {
		t.Errorf("subject %s: the conflict has written", got)
	}
	if err := update("three", now); err != nil {
		t.Errorf("with the modified of the conflict: %v", err)
	}
	for _, junk := range []string{"yesterday", "2026-01-01 00:00:00", "2026-01-01T00:00:00.1234567Z"} {
		if e := wantError(t, update("four", junk), apierror.BadUserInput); e.Field != "ifModified" {
			t.Errorf("field %s", e.Field)
		}
	}
}

// TestContended has somebody else write between the read and the write, again and again.
func TestContended(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ticket := w.typ("Service Ticket")
	name := newTicket(t, w, "sales@example.com")
	times := 2
	w.before = func(r *http.Request) {
		if r.Method == http.MethodPut && times > 0 {
			times--
			if err := w.site.Update(ticket.Key, map[string]any{"name": name, "summary": strings.Repeat("x", times+1)}); err != nil {
				t.Error(err)
			}
		}
	}
	input := write.Input{"lines": []any{map[string]any{"item": "ITEM-00010"}}}
	w.must(w.as("sales@example.com", "").Update(t.Context(), ticket, name, input, write.Options{}))
	if got := text(w.read(ticket.Key, name)["summary"]); got != "x" {
		t.Errorf("summary %q: the other's change is lost", got)
	}
	times = 3
	_, err := w.as("sales@example.com", "").Update(t.Context(), ticket, name, input, write.Options{})
	if e := wantError(t, err, apierror.Conflict); e.Extensions["modified"] == nil {
		t.Errorf("no modified: %v", e.Extensions)
	}
}

func TestSubmitCancelAmend(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	orders, ctx := w.typ("Sales Order"), t.Context()
	boss := func() *write.Writer { return w.as(manager, "") }
	name := order(t, w)

	_, err := boss().Cancel(ctx, orders, name, write.Options{})
	if e := wantError(t, err, apierror.Validation); e.Field != "" || e.DocName != name {
		t.Errorf("a draft can't be cancelled: %+v", e)
	}
	_, err = w.as("stock@example.com", "").Submit(ctx, orders, name, write.Options{})
	wantCode(t, err, apierror.Forbidden)
	old := w.rfc(w.read(orders.Key, name)["modified"])
	w.must(boss().Submit(ctx, orders, name, write.Options{IfModified: old}))
	_, err = boss().Submit(ctx, orders, name, write.Options{})
	wantCode(t, err, apierror.Validation)

	_, err = boss().Update(ctx, orders, name, write.Input{"customer": "West View"}, write.Options{Path: "input"})
	if e := wantError(t, err, apierror.Validation); e.Field != "input.customer" || e.DocType != "Sales Order" || e.DocName != name {
		t.Errorf("after submission: %+v", e)
	}
	_, err = boss().Amend(ctx, orders, name, nil, write.Options{})
	wantCode(t, err, apierror.Validation)
	_, err = boss().Cancel(ctx, orders, name, write.Options{IfModified: old})
	wantCode(t, err, apierror.Conflict)
	w.must(boss().Cancel(ctx, orders, name, write.Options{}))

	row := text(rowsIn(t, w.read(orders.Key, name)["items"])[0]["name"])
	amended := w.must(boss().Amend(ctx, orders, name, write.Input{"poNo": "P-1", "items": []any{map[string]any{"name": row, "qty": 3}}}, write.Options{}))
	if amended.Name != name+"-1" {
		t.Errorf("amended as %s", amended.Name)
	}
	doc := w.read(orders.Key, amended.Name)
	rows := rowsIn(t, doc["items"])
	if text(doc["amended_from"]) != name || text(doc["docstatus"]) != "0" || text(doc["po_no"]) != "P-1" ||
		len(rows) != 1 || text(rows[0]["qty"]) != "3.0" || text(rows[0]["rate"]) != "10.5" || text(rows[0]["name"]) == row {
		t.Errorf("amended: %s, rows %s", doc, rows)
	}
	if got := text(rowsIn(t, w.read(orders.Key, name)["items"])[0]["name"]); got != row {
		t.Error("the cancelled document lost its row")
	}
	_, err = boss().Amend(ctx, orders, name, nil, write.Options{})
	wantCode(t, err, apierror.Validation)
	w.must(boss().Delete(ctx, orders, amended.Name))
	_, err = boss().Delete(ctx, orders, amended.Name)
	wantCode(t, err, apierror.NotFound)
}

func warehouse(tb testing.TB, w *siteWorld) string {
	tb.Helper()
	for _, name := range w.site.Names("Warehouse") {
		if strings.HasPrefix(name, "Stores") {
			return name
		}
	}
	tb.Fatal("no warehouse")
	return ""
}

func TestLevels(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ticket, ctx := w.typ("Service Ticket"), t.Context()
	name := newTicket(t, w, "sales@example.com")
	_, err := w.as("sales@example.com", "").Update(ctx, ticket, name, write.Input{"internalCost": "5", "subject": "no"}, write.Options{Path: "input"})
	if e := wantError(t, err, apierror.Forbidden); e.Field != "input.internalCost" {
		t.Errorf("field %s", e.Field)
	}
	if got := text(w.read(ticket.Key, name)["subject"]); got != "s" {
		t.Errorf("subject %q: half of it was written", got)
	}
	for i, user := range []string{"manager@example.com", "Administrator"} {
		cost := []any{"6", 7.5}[i]
		w.must(w.as(user, "").Update(ctx, ticket, name, write.Input{"internalCost": cost}, write.Options{}))
		if got, want := text(w.read(ticket.Key, name)["internal_cost"]), []string{"6.0", "7.5"}[i]; got != want {
			t.Errorf("%s: cost %s, want %s", user, got, want)
		}
	}
}

func TestDocumentCreateMany(t *testing.T) {
	t.Parallel()
	w := newSiteWorld(t, false)
	ticket := w.typ("Service Ticket")
	inputs := []write.Input{
		{"subject": "a", "customer": "Semi;Colon"},
		{"subject": "b", "customer": "No Such Customer"},
		{"subject": "c", "customer": "Semi;Colon", "visits": 1.5},
		{"subject": "d", "customer": "Semi;Colon"},
	}
	rows, err := w.as("sales@example.com", "").CreateMany(t.Context(), ticket, inputs, write.Options{Path: "inputs"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "inputs.1.customer", "inputs.2.visits", ""} {
		got := ""
		if e, ok := apierror.As(rows[i].Err); ok {
			got = e.Field
		}
		if got != want || (want == "") != (rows[i].Result != nil) {
			t.Errorf("row %d: %+v, want %q", i, rows[i], want)
		}
	}
	if _, err := w.as("sales@example.com", "").CreateMany(t.Context(), ticket, make([]write.Input, 101), write.Options{}); apierror.CodeOf(err) != apierror.CostLimit {
		t.Errorf("101 rows: %v", err)
	}
}
