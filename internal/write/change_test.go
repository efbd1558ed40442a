package write_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"erpgraph/internal/apierror"
	"erpgraph/internal/write"
)

func contract(customer string) write.Input {
	return write.Input{"customer": customer, "item": "Pump", "startDate": "2026-04-01"}
}

func visit(contract any) write.Input {
	return write.Input{"contract": contract, "technician": "tom@example.com", "visitedAt": "2026-04-02T08:00:00+02:00"}
}

func TestCreateLocal(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	r, err := w.ada().writer("").Create(t.Context(), w.typ("Contract"), write.Input{
		"customer": "grant", "item": "BEARING", "manager": "Tom@example.com", "startDate": "2026-04-01", "monthlyFee": "12.50", "status": nil,
	}, write.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := w.value(`select concat_ws(' ', customer, item, manager, status, start_date, monthly_fee) from service_contract where id = $1`, r.Name)
	if want := "Grant Bearing tom@example.com DRAFT 2026-04-01 12.50"; got != want || r.Type != w.typ("Contract") {
		t.Errorf("stored %q, want %q", got, want)
	}
	if got, want := w.erp.called(), "list Customer, list Item, list User"; got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
}

// What is refused is told by code and path, and leaves nothing behind.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	with := func(in write.Input, name string, v any) write.Input {
		in[name] = v
		return in
	}
	const gone = "does not exist, or can't be read with your rights"
	tests := []struct {
		name  string
		who   *person
		do    func(*write.Change)
		wants string
	}{
		{"no roles at all", w.eve(), func(c *write.Change) { c.Create("Visit", visit(rowID(1))) }, "FORBIDDEN  Visit: reading needs the role Sales User"},
		{"not the role to write", w.bob(), func(c *write.Change) { c.Create("Contract", contract("West")) }, "FORBIDDEN  Contract: writing needs the role Sales Manager"},
		{"not the role to delete", w.bob(), func(c *write.Change) { c.Delete("Contract", rowID(2)) }, "FORBIDDEN  Contract: writing needs the role Sales Manager"},
		{"nobody may write", w.ada(), func(c *write.Change) { c.Create("Frozen", write.Input{}) }, "FORBIDDEN  Frozen: nobody may write it"},
		{"a hidden document", w.ada(), func(c *write.Change) { c.Create("Contract", contract("West")) }, `VALIDATION customer customer: Customer "West" ` + gone},
		{"no such document", w.ada(), func(c *write.Change) { c.Create("Contract", contract("Nobody")) }, `VALIDATION customer customer: Customer "Nobody" ` + gone},
		{"no name", w.ada(), func(c *write.Change) { c.Create("Contract", contract("")) }, `VALIDATION customer customer: Customer "" ` + gone},
		{"a path", w.ada(), func(c *write.Change) { c.Create("Contract", contract("West")).At("inputs.3") }, `VALIDATION inputs.3.customer inputs.3.customer: Customer "West" ` + gone},
		{"a hidden row", w.ada(), func(c *write.Change) { c.Create("Visit", visit(rowID(2))) }, `VALIDATION contract contract: Contract "` + rowID(2) + `" ` + gone},
		{"no such row", w.ada(), func(c *write.Change) { c.Create("Visit", visit(rowID(9))) }, `VALIDATION contract contract: Contract "` + rowID(9) + `" ` + gone},
		{"no id", w.ada(), func(c *write.Change) { c.Create("Visit", visit("x' or 1=1")) }, `VALIDATION contract contract: Contract "x' or 1=1" ` + gone},
		{"change a hidden row", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(12), write.Input{"summary": "x"}) }, `NOT_FOUND  Visit "` + rowID(12) + `" does not exist`},
		{"change no row", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(99), write.Input{"summary": "x"}) }, `NOT_FOUND  Visit "` + rowID(99) + `" does not exist`},
		{"change no id", w.ada(), func(c *write.Change) { c.Update("Visit", "x", nil) }, `NOT_FOUND  Visit "x" does not exist`},
		{"delete a hidden row", w.ada(), func(c *write.Change) { c.Delete("Visit", rowID(12)) }, `NOT_FOUND  Visit "` + rowID(12) + `" does not exist`},
		{"move a row to a hidden one", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(11), write.Input{"contract": rowID(2)}) }, `VALIDATION contract contract: Contract "` + rowID(2) + `" ` + gone},
		{"a read-only field", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(11), write.Input{"invoiceState": "DONE"}) }, "BAD_USER_INPUT invoiceState invoiceState: can't be written"},
		{"a read-only field on create", w.ada(), func(c *write.Change) { c.Create("Visit", with(visit(rowID(1)), "invoice", "INV-1")) }, "BAD_USER_INPUT invoice invoice: can't be written"},
		{"an id", w.ada(), func(c *write.Change) { c.Create("Visit", with(visit(rowID(1)), "id", rowID(50))) }, "BAD_USER_INPUT id id: can't be written"},
		{"the time of change", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(11), write.Input{"updatedAt": "2026-01-01T00:00:00Z"}) }, "BAD_USER_INPUT updatedAt updatedAt: can't be written"},
		{"no such field", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(11), write.Input{"nope": 1}) }, "BAD_USER_INPUT nope nope: Visit has no such field"},
		{"a missing field", w.ada(), func(c *write.Change) { c.Create("Visit", write.Input{"contract": rowID(1)}) }, "BAD_USER_INPUT technician technician: is required"},
		{"null where there is none", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(11), write.Input{"technician": nil}) }, "BAD_USER_INPUT technician technician: must not be null"},
		{"a value of another kind", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(11), write.Input{"durationMinutes": "x"}) }, "BAD_USER_INPUT durationMinutes durationMinutes: is not a number"},
		{"no value of the enum", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(11), write.Input{"status": "LOST"}) }, `BAD_USER_INPUT status status: "LOST" is not one of the values`},
		{"a check", w.ada(), func(c *write.Change) {
			c.Update("Visit", rowID(11), write.Input{"durationMinutes": -1}).At("input")
		}, "VALIDATION input.durationMinutes input.durationMinutes: does not meet the rule service_visit_duration_minutes_check"},
		{"a check of two fields", w.ada(), func(c *write.Change) {
			c.Update("Contract", rowID(1), write.Input{"endDate": "2025-01-01"}).At("input")
		}, "VALIDATION input."},
		{"more digits than are kept", w.ada(), func(c *write.Change) {
			c.Update("Contract", rowID(1), write.Input{"monthlyFee": "1.005"}).At("input")
		}, "BAD_USER_INPUT input.monthlyFee input.monthlyFee: must not have more than 2 digits behind the point"},
		{"the later row of two", w.ada(), func(c *write.Change) {
			c.Update("Contract", rowID(1), write.Input{"notes": "left over"})
			c.Update("Visit", rowID(11), write.Input{"durationMinutes": -1}).At("visit")
		}, "VALIDATION visit.durationMinutes"},
		{"modified of what has none", w.ada(), func(c *write.Change) {
			c.Create("Part", write.Input{"visit": rowID(11), "item": "Pump", "qty": 1}).IfModified("2026-01-01T00:00:00Z")
		}, "BAD_USER_INPUT ifModified"},
		{"a credential that ERPNext refuses", &person{w: w, err: apierror.New(apierror.Unauthenticated, "sign in")}, func(c *write.Change) { c.Delete("Visit", rowID(11)) }, "UNAUTHENTICATED"},
		{"no local type", w.ada(), func(c *write.Change) { c.Delete("Customer", "Grant") }, `INTERNAL write: "Customer" is no local type of the graph`},
		{"nothing", w.ada(), func(*write.Change) {}, "INTERNAL write: a Change without a row"},
		{"set an id", w.ada(), func(c *write.Change) { c.Update("Visit", rowID(11), nil).Set(write.Input{"id": "x"}) }, "INTERNAL write: Visit.id can't be set"},
		{"a set link to what is hidden", w.ada(), func(c *write.Change) {
			c.Update("Visit", rowID(11), nil).Set(write.Input{"invoice": "INV-9"})
		}, `VALIDATION invoice invoice: Sales Invoice "INV-9" ` + gone},
		{"a row of another change", w.ada(), func(c *write.Change) {
			c.Create("Visit", visit(w.ada().writer("").Change().Create("Contract", contract("Grant"))))
		}, "INTERNAL write: contract: the row is none of an earlier step"},
		{"a row of another type", w.ada(), func(c *write.Change) {
			part := c.Update("Visit", rowID(11), nil)
			c.Create("Visit", visit(part))
		}, "INTERNAL write: contract is no link to a Visit"},
	}
	snapshot := func() string {
		return w.value(`select json_agg(x order by x.id)::text from (select id, customer as a, status, monthly_fee::text as b, notes, updated_at from service_contract
			union all select id, contract::text, status, duration_minutes::text, concat(summary, invoice, invoice_state), updated_at from service_visit) x`)
	}
	before := snapshot()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := tt.who.writer("").Change()
			tt.do(c)
			r, err := c.Commit(t.Context())
			if got := told(err); !strings.HasPrefix(got, tt.wants) || r != nil {
				t.Errorf("got %s, %v; want %s", got, r, tt.wants)
			}
			if after := snapshot(); after != before {
				t.Errorf("something was written: %s", after)
			}
		})
	}
}

// A hidden document, and one that does not exist, are refused in the same words and at the
// same price.
func TestLinksTellNothing(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	answer := func(in write.Input, name string) string {
		_, err := w.ada().writer("").Create(t.Context(), w.typ("Visit"), in, write.Options{})
		e, _ := apierror.As(err)
		return strings.ReplaceAll(told(err)+e.DocType+e.DocName, name, "X") + w.erp.called()
	}
	if a, b := answer(visit(rowID(2)), rowID(2)), answer(visit(rowID(3)), rowID(3)); a != b {
		t.Errorf("hidden: %s\nmissing: %s", a, b)
	}
}

// All rows of a change are stored, in their order, and may link to each other.
func TestChangeOfManyRows(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	c := w.ada().writer("").Change()
	deal := c.Create("Contract", contract("Grant"))
	planned := c.Create("Visit", visit(deal)).Set(write.Input{"invoiceState": "FAILED", "invoiceProblem": "none yet"})
	c.Create("Part", write.Input{"visit": planned, "item": "Bearing", "qty": 2, "rate": "9.90"})
	c.Update("Visit", rowID(11), write.Input{"contract": deal, "summary": "moved"})
	c.Update("Visit", rowID(11), write.Input{"summary": "and changed"})
	c.Delete("Contract", rowID(1))
	r, err := c.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != deal.ID() || len(r.Names) != 6 || r.Names[1] != planned.ID() {
		t.Errorf("result %+v", r)
	}
	got := w.value(`select string_agg(concat_ws('/', v.id = $1, v.summary, v.invoice_state, p.item, p.qty::float), ' ' order by v.summary)
		from service_visit v left join service_visit_part p on p.visit = v.id where v.contract::text = $2`, planned.ID(), deal.ID())
	if want := "f/and changed t/FAILED/Bearing/2"; got != want {
		t.Errorf("stored %q, want %q", got, want)
	}
	if w.rows("service_contract") != "2" {
		t.Error("the old contract is still there")
	}
	// Customer: once for the links, once for each type of rows that are changed.
	if got, want := w.erp.called(), "list Customer, list Customer, list Customer, list Item, list User"; got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
	if _, err := c.Commit(t.Context()); err == nil {
		t.Error("a change was committed twice")
	}
}

func TestIfModified(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	modified := func() string {
		return w.value(`select to_char(updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') from service_visit where id = $1`, rowID(11))
	}
	update := func(ifModified, summary string) error {
		_, err := w.ada().writer("").Update(t.Context(), w.typ("Visit"), rowID(11), write.Input{"summary": summary}, write.Options{IfModified: ifModified})
		return err
	}
	first := modified()
	if err := update(first, "one"); err != nil {
		t.Fatal(err)
	}
	second := modified()
	if second <= first {
		t.Errorf("modified stayed %s", second)
	}
	err := update(first, "two")
	e, ok := apierror.As(err)
	if !ok || e.Code != apierror.Conflict || e.Extensions["modified"] != second {
		t.Errorf("an old modified: %v %+v, want %s", err, e, second)
	}
	if got := w.value(`select summary from service_visit where id = $1`, rowID(11)); got != "one" {
		t.Errorf("summary is %q", got)
	}
	at, _ := time.Parse(time.RFC3339Nano, second)
	if err := update(at.In(time.FixedZone("", 3*3600)).Format(time.RFC3339Nano), "three"); err != nil {
		t.Errorf("the same instant in another zone: %v", err)
	}
	if got := told(update("yesterday", "four")); !strings.HasPrefix(got, "BAD_USER_INPUT ifModified") {
		t.Errorf("no time: %s", got)
	}
}

// A row that is moved out of sight after it was checked is not written.
func TestMovedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*write.Change){
		"update": func(c *write.Change) { c.Update("Visit", rowID(11), write.Input{"technician": "tom@example.com"}) },
		"with a modified": func(c *write.Change) {
			c.Update("Visit", rowID(11), write.Input{"technician": "tom@example.com"}).IfModified("2026-01-01T00:00:00Z")
		},
		"delete": func(c *write.Change) {
			c.Update("Visit", rowID(11), write.Input{"technician": "tom@example.com"})
			c.Delete("Visit", rowID(11))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLocalWorld(t).seed()
			w.erp.onList = func(doctype string) {
				if doctype == "User" { // the links are checked after the row was
					w.sql(`update service_visit set contract = $1 where id = $2`, rowID(2), rowID(11))
				}
			}
			c := w.ada().writer("").Change()
			do(c)
			_, err := c.Commit(t.Context())
			e, _ := apierror.As(err)
			if apierror.CodeOf(err) != apierror.Conflict || e.Extensions["modified"] != nil {
				t.Errorf("got %v", err)
			}
			if w.rows("service_visit") != "2" {
				t.Error("the row is gone")
			}
		})
	}
}

// A document that goes away from the caller between two writes is asked for again.
func TestRightsAreAskedAnew(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	ada := w.ada()
	writer := ada.writer("")
	if _, err := writer.Create(t.Context(), w.typ("Contract"), contract("Grant"), write.Options{}); err != nil {
		t.Fatal(err)
	}
	ada.reads["Customer"] = nil
	if _, err := writer.Create(t.Context(), w.typ("Contract"), contract("Grant"), write.Options{}); apierror.CodeOf(err) != apierror.Validation {
		t.Errorf("a link to what was readable once: %v", err)
	}
	if _, err := ada.writer("").Delete(t.Context(), w.typ("Contract"), rowID(1)); apierror.CodeOf(err) != apierror.NotFound {
		t.Errorf("a row through what was readable once: %v", err)
	}
}

func TestDeleteLocal(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	r, err := w.ada().writer("").Delete(t.Context(), w.typ("Contract"), rowID(1))
	if err != nil || r.Name != rowID(1) {
		t.Fatal(r, err)
	}
	if got := w.rows("service_contract") + w.rows("service_visit"); got != "11" {
		t.Errorf("%s rows are left", got)
	}
}

// A row that a link leads to may go after it was checked: the database has the last word.
func TestLinkGoesMeanwhile(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	w.erp.onList = func(doctype string) {
		if doctype == "User" {
			w.sql(`delete from service_contract where id = $1`, rowID(1))
		}
	}
	c := w.ada().writer("").Change()
	c.Create("Visit", visit(rowID(1))).At("input")
	_, err := c.Commit(t.Context())
	if got := told(err); apierror.CodeOf(err) != apierror.Validation || !strings.Contains(got, "input.contract") {
		t.Errorf("got %s", got)
	}
}

// What is stored is what was given, or it is refused.
func TestLocalValuesAreKept(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	for _, tt := range []struct {
		field string
		value any
		want  string // as Postgres shows it; "" for a refusal
	}{
		{"qty", json.Number("0.125"), "0.125000"},
		{"qty", 2, "2.000000"},
		{"qty", 0.5, "0.500000"},
		{"qty", "2", ""},
		{"qty", true, ""},
		{"qty", json.Number("0"), ""},
		{"rate", "1234567890123456.99", "1234567890123456.99"},
		{"rate", json.Number("1e3"), "1000.00"},
		{"rate", "12345678901234567.00", ""},
		{"rate", "0.001", ""},
		{"rate", "NaN", ""},
		{"rate", "Infinity", ""},
		{"rate", "0x10", ""},
		{"rate", nil, "null"},
		{"item", "pump", "Pump"},
		{"item", 7, ""},
		{"item", "Pump\x00", ""},
		{"item", "Pump\xff", ""},
		{"item", []any{"Pump"}, ""},
	} {
		in := write.Input{"visit": rowID(11), "item": "Pump", "qty": 1}
		in[tt.field] = tt.value
		r, err := w.ada().writer("").Create(t.Context(), w.typ("Part"), in, write.Options{})
		if err != nil {
			e, ok := apierror.As(err)
			if tt.want != "" || !ok || e.Field != "input."+tt.field {
				t.Errorf("%s %v: %v", tt.field, tt.value, err)
			}
			continue
		}
		if got := w.value(`select `+tt.field+`::text from service_visit_part where id = $1`, r.Name); got != tt.want {
			t.Errorf("%s %v: stored %q, want %q", tt.field, tt.value, got, tt.want)
		}
	}
}
