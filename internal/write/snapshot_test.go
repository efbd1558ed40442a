package write_test

import (
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/write"
)

// kept lists the snapshots.
func (w *localWorld) kept() string {
	w.tb.Helper()
	return w.value(`select coalesce(string_agg(doctype || ' ' || name || ': ' || coalesce(title, '-'), ', ' order by doctype, name), '') from link_snapshot`)
}

// The title is kept with the row that links to the document, as the writer has read it in the
// call that checks the link; of links that keep none, nothing is.
func TestWriteKeepsSnapshots(t *testing.T) {
	t.Parallel()
	w := newLocalWorld(t).seed()
	ctx, typ := t.Context(), w.typ("Contract")
	w.erp.put("Item", "Valve", "Administrator", map[string]any{"item_name": "A valve"})
	ada := w.ada()
	ada.reads["Item"] = append(ada.reads["Item"], "Valve")
	input := func(customer, item string) write.Input {
		in := contract(customer)
		in["item"] = item
		return in
	}

	made, err := ada.writer("").Create(ctx, typ, input("Grant", "valve "), write.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := w.erp.called(), "list Customer, list Item"; got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
	if got, want := w.kept(), "Item Valve: A valve"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}

	// Nothing is kept of a write that is refused, by the link's check or by the database.
	for _, in := range []write.Input{input("West", "Pump"), {"customer": "Grant", "item": "Pump", "startDate": "2026-04-01", "monthlyFee": "-1"}} {
		if _, err := ada.writer("").Create(ctx, typ, in, write.Options{}); apierror.CodeOf(err) != apierror.Validation {
			t.Errorf("%v: %v", in, err)
		}
	}
	if got, want := w.kept(), "Item Valve: A valve"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}

	// A document without a title is known too, in a bulk as well; a later title takes the place.
	w.erp.docs["Item"][2]["item_name"] = "A better valve"
	if _, err := ada.writer("").CreateMany(ctx, typ, []write.Input{input("Grant", "Pump"), input("Grant", "PUMP"), input("Ünal", "Valve")}, write.Options{}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.kept(), "Item Pump: -, Item Valve: A better valve"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}

	// What a change does not link anew is not read again.
	w.erp.called()
	if _, err := ada.writer("").Update(ctx, typ, made.Name, write.Input{"notes": "x"}, write.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.writer("").Update(ctx, typ, made.Name, write.Input{"item": "Bearing"}, write.Options{}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.kept(), "Item Bearing: -, Item Pump: -, Item Valve: A better valve"; got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}
