package write

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	link := func(name, label, column string) *doctype.Field {
		return &doctype.Field{Name: name, Label: label, Column: column, Kind: doctype.Link, Create: doctype.Optional}
	}
	line := &doctype.Type{Name: "Line", Key: "Line", Source: doctype.Child, Fields: []*doctype.Field{
		{Name: "name", Column: "name", Standard: true},
		link("item", "Item", "item"),
		{Name: "qty", Label: "Quantity", Column: "qty", Kind: doctype.Float, Create: doctype.Optional},
	}}
	ticket := &doctype.Type{Name: "Ticket", Key: "Service Ticket", Source: doctype.Upstream, Fields: []*doctype.Field{
		{Name: "name", Column: "name", Label: "Name", Standard: true},
		{Name: "subject", Column: "subject", Label: "Subject", Create: doctype.Optional},
		link("customer", "Customer", "customer"),
		{Name: "setOnce", Column: "set_once", Label: "Set Once", Create: doctype.Optional},
		{Name: "lines", Column: "lines", Kind: doctype.Table, Target: "Line", Create: doctype.Optional},
	}}
	w := inputWriter(t, ticket, line)
	sent, err := w.read(ticket, Input{"subject": "s", "customer": "Acme", "lines": []any{
		map[string]any{"item": "A"}, map[string]any{"item": "B"},
	}}, "input", true, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  frappe.Error
		want string // the paths
	}{
		"fieldnames (TX 302)":        {frappe.Error{ExcType: "MandatoryError", Fields: []string{"subject", "customer"}}, "input.subject input.customer"},
		"a row's fieldname (TX 339)": {frappe.Error{ExcType: "MandatoryError", Fields: []string{"item"}, Message: "Error: Line Row #2: Value missing for: Item"}, "input.lines.1.item"},
		"of both":                    {frappe.Error{ExcType: "MandatoryError", Fields: []string{"subject", "item"}, Message: "Zeile #1: …"}, "input.subject input.lines.0.item"},
		"two rows":                   {frappe.Error{ExcType: "MandatoryError", Fields: []string{"item"}, Message: "Row #1, Row #2"}, "input.lines.item"},
		"a label (TX 342)":           {frappe.Error{Marked: []string{"Set Once"}, Message: "Value cannot be changed for Set Once"}, "input.setOnce"},
		"a row's label":              {frappe.Error{Marked: []string{"Quantity"}, Message: "Row #1: Quantity"}, "input.lines.0.qty"},
		"a value in bold (TX 385)":   {frappe.Error{Marked: []string{"Customer", "東京商事 株式会社", "Semi;Colon"}}, "input.customer"},
		"a link":                     {frappe.Error{ExcType: "LinkValidationError", Message: "Could not find Customer: Acme"}, "input.customer"},
		"a link of a row":            {frappe.Error{ExcType: "LinkValidationError", Message: "Could not find Row #2: Item: B"}, "input.lines.1.item"},
		"nothing":                    {frappe.Error{Message: "Expected Delivery Date should be after Sales Order Date"}, ""},
		"a name":                     {frappe.Error{Marked: []string{"Name"}}, ""},
	} {
		c.err.Code = apierror.Validation
		op := &operation{t: ticket, name: "T-1", path: "input", sent: sent}
		got := w.explain(t.Context(), op, fmt.Errorf("create: %w", &c.err))
		e, ok := apierror.As(got)
		if !ok || e.Code != apierror.Validation || e.DocType != "Service Ticket" || e.DocName != "T-1" {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		paths := e.Field
		if list, ok := e.Extensions["fields"].([]string); ok {
			paths = strings.Join(list, " ")
		}
		if paths != c.want {
			t.Errorf("%s: %q, want %q", name, paths, c.want)
		}
	}
}

func TestUncertain(t *testing.T) {
	t.Parallel()
	w := inputWriter(t)
	lost := &frappe.Error{Code: apierror.UpstreamTimeout, Uncertain: true}
	err := w.explain(t.Context(), &operation{t: &doctype.Type{Key: "Item"}}, fmt.Errorf("create: %w", lost))
	if !Uncertain(err) || refusal(err) {
		t.Errorf("%v: uncertain %t, a refusal %t", err, Uncertain(err), refusal(err))
	}
	if Uncertain(nil) || Uncertain(apierror.New(apierror.Validation, "no")) || refusal(&frappe.Error{Code: apierror.RateLimited}) {
		t.Error("what is certain is uncertain")
	}
}

func TestRunning(t *testing.T) {
	t.Parallel()
	coded := func(code apierror.Code, extension string) error {
		e := apierror.New(code, "wait")
		e.Extensions = map[string]any{extension: 5}
		return fmt.Errorf("write: %w", e)
	}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":           {nil, false},
		"a running write":   {coded(apierror.Conflict, "retryAfter"), true},
		"a changed one":     {coded(apierror.Conflict, "modified"), false},
		"too many requests": {coded(apierror.RateLimited, "retryAfter"), false},
	} {
		if got := Running(c.err); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestLikeness grades stored documents by what was sent.
func TestLikeness(t *testing.T) {
	t.Parallel()
	doc := &doctype.Type{Name: "Doc", Key: "Doc", Fields: []*doctype.Field{
		{Name: "title", Column: "title", Kind: doctype.String},
		{Name: "fetched", Column: "fetched", Kind: doctype.String, Facts: &doctype.FieldFacts{FetchFrom: "customer.name"}},
		{Name: "customer", Column: "customer", Kind: doctype.Link},
		{Name: "amount", Column: "amount", Kind: doctype.Decimal},
		{Name: "done", Column: "done", Kind: doctype.Boolean},
		{Name: "at", Column: "at", Kind: doctype.DateTime},
		{Name: "time", Column: "time", Kind: doctype.Time},
		{Name: "data", Column: "data", Kind: doctype.JSON},
	}}
	doctype.NewRegistry([]*doctype.Type{doc})
	for name, c := range map[string]struct {
		column string
		sent   any
		stored string
		want   likeness
	}{
		"equal text":              {"title", "a", `"a"`, same},
		"other text":              {"title", "a", `"b"`, different},
		"markup that was cleaned": {"title", "<b>a", `"<b>a</b>"`, unclear},
		"a fetched value":         {"fetched", "a", `"b"`, unclear},
		"a name in another case":  {"customer", "ACME ", `"Acmé"`, same},
		"another link":            {"customer", "Acme", `"West"`, different},
		"equal numbers":           {"amount", number(5), "5.0", same},
		"a computed number":       {"amount", number(5), "6.0", unclear},
		"a check":                 {"done", number(1), "0", different},
		"an instant":              {"at", "2026-01-01 00:00:00.000000", `"2026-01-01 00:00:00"`, same},
		"a time of day":           {"time", "07:05:09.500000", `"7:05:9.5"`, same},
		"JSON":                    {"data", `{"a":1,"b":2}`, `"{\"b\": 2, \"a\": 1.0}"`, same},
		"a null":                  {"title", nil, `"x"`, same}, // on create ERPNext has its defaults
		"a field that is hidden":  {"title", "a", "", unclear},
	} {
		stored := document{}
		if c.stored != "" {
			stored[c.column] = []byte(c.stored)
		}
		if got := likenessOf(doc, map[string]any{c.column: c.sent}, stored, false); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestQuietChanges tells what ERPNext changed without a word, and nothing else.
func TestQuietChanges(t *testing.T) {
	t.Parallel()
	doc := &doctype.Type{Name: "Doc", Key: "Doc", Source: doctype.Upstream, Fields: []*doctype.Field{
		{Name: "notes", Column: "notes", Update: doctype.Optional},
		{Name: "plain", Column: "plain", Update: doctype.Optional},
		{Name: "city", Column: "city", Update: doctype.Optional, Facts: &doctype.FieldFacts{Fieldtype: "Data", FetchFrom: "customer.city"}},
	}}
	sent, err := inputWriter(t, doc).read(doc, Input{"notes": "<script>x</script>", "plain": "a", "city": "Pune"}, "input", false, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	op := &operation{t: doc, name: "D", path: "input", sent: sent}
	answer := &frappe.Written{Name: "D", Messages: []string{"told"}, Document: document{
		"notes": []byte(`"&lt;script&gt;x"`), "plain": []byte(`"A"`), "city": []byte(`"Delhi"`),
	}}
	r, err := op.sentAs(answer, nil, "update")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(r.Messages, "|")
	if !strings.HasPrefix(got, "told|input.city: ") || !strings.Contains(got, "|input.notes: ") || strings.Contains(got, "plain") || strings.Contains(got, "Delhi") {
		t.Errorf("messages %q", got)
	}
	answer.Document = document{"notes": []byte(`"<script>x</script>"`), "plain": []byte(`"a"`), "city": []byte(`"Pune"`)}
	if r, err = op.sentAs(answer, nil, "update"); err != nil || len(r.Messages) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
