package loaders_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

func TestReadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant", "Ünal", "West").may("Item", "A").may("Employee", "eve")
	tests := []struct {
		name  string
		typ   string
		names []string
		want  map[string]string
		calls int
	}{
		{"the very name", "Customer", []string{"Grant"}, map[string]string{"Grant": "Grant"}, 1},
		{"several, one of them twice", "Customer", []string{"Grant", "West", "Grant"}, map[string]string{"Grant": "Grant", "West": "West"}, 1},
		{"another case", "Customer", []string{"gRANT"}, map[string]string{"gRANT": "Grant"}, 1},
		{"two spellings of one", "Customer", []string{"grant", "GRANT"}, map[string]string{"grant": "Grant", "GRANT": "Grant"}, 1},
		{"hidden and missing alike", "Customer", []string{"Far", "Nobody", "Grant"}, map[string]string{"Grant": "Grant"}, 1},
		{"nothing", "Customer", []string{"", ""}, map[string]string{}, 0},
		{"a DocType that is forbidden", "Item", []string{"B"}, map[string]string{}, 1},
		{"a local row", "Contract", []string{uuid(1), uuid(4), uuid(9)}, map[string]string{uuid(1): uuid(1)}, 1},
		{"no id of a row", "Contract", []string{"x", "'", strings.ToUpper("00000000-0000-0000-0000-00000000000a")}, map[string]string{}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set := w.with(t).set()
			got, err := set.Readable(t.Context(), w.typ(tt.typ), tt.names)
			if err != nil || !maps.Equal(got, tt.want) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
			if set.Calls() != tt.calls {
				t.Errorf("%d calls, want %d", set.Calls(), tt.calls)
			}
		})
	}
}

// A name that ERPNext answers in another spelling counts only where no other name that
// was asked for can have brought it.
func TestReadableAccents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	up := &upstream{list: func(frappe.ListQuery) ([]map[string]string, error) {
		return []map[string]string{{"name": `"Ünal"`, "owner": `"x"`}, {"name": `"Кий"`, "owner": `"x"`}, {"name": `"Select only"`}}, nil
	}}
	tests := []struct {
		names []string
		want  map[string]string
	}{
		{[]string{"unal "}, map[string]string{"unal ": "Ünal"}},
		{[]string{"Кии"}, map[string]string{"Кии": "Кий"}},
		{[]string{"Кии", "Кий"}, map[string]string{"Кий": "Кий"}},
		{[]string{"Select only"}, map[string]string{}},
	}
	for _, tt := range tests {
		set := newSet(t, up, func(cfg *loaders.Config) { cfg.Registry = w.reg })
		got, err := set.Readable(t.Context(), w.typ("Customer"), tt.names)
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%q: got %v, %v; want %v", tt.names, got, err, tt.want)
		}
	}
}

func TestReadableChunksAndErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed()
	var names []string
	for i := range 25 {
		names = append(names, fmt.Sprintf("C%02d", i))
	}
	chunked := w.may("Customer", names...)
	chunked.bend = func(cfg *loaders.Config) { cfg.ChunkNames = 10 }
	set := chunked.set()
	got, err := set.Readable(t.Context(), w.typ("Customer"), names)
	if err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), names) || set.Calls() != 3 {
		t.Errorf("chunks: %d of %d, %d calls, %v", len(got), len(names), set.Calls(), err)
	}

	down := w.may("Customer", "Grant")
	down.fail = errors.New("down")
	if got, err := down.set().Readable(t.Context(), w.typ("Customer"), names); err == nil || got != nil {
		t.Errorf("while ERPNext is down: %v, %v", got, err)
	}
	if _, err := w.as("Guest").set().Readable(t.Context(), w.typ("Contract"), []string{uuid(1)}); apierror.CodeOf(err) != apierror.Forbidden {
		t.Errorf("without the roles: %v", err)
	}
}

func TestRowsByID(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant")
	typ := w.typ("Contract")
	set := w.set()
	read := func() string {
		rows, err := set.RowsByID(t.Context(), typ, []string{uuid(1), uuid(2), uuid(3)}, typ.Field("status"))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, id := range slices.Sorted(maps.Keys(rows)) {
			status, err := rows[id].String("status")
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, status)
		}
		return strings.Join(out, " ")
	}
	if got := read(); got != "ACTIVE DRAFT" {
		t.Errorf("got %s", got)
	}
	w.sql(`update service_contract set status = 'ENDED' where id = $1`, uuid(1))
	if got := read(); got != "ENDED DRAFT" {
		t.Errorf("after a change: %s", got)
	}
	w.sql(`update service_contract set customer = 'West' where id = $1`, uuid(1))
	if got := read(); got != "DRAFT" {
		t.Errorf("after it was moved: %s", got)
	}
}

func TestRowsOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t).seed().may("Customer", "Grant").may("Employee", "eve")
	set := w.set()
	contract, err := set.Lookup(t.Context(), "Contract", uuid(1))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := set.RowsOf(t.Context(), contract, "visits", "status")
	if err != nil || ids(rows) != "11 12" {
		t.Fatalf("got %s, %v", ids(rows), err)
	}
	if status, err := rows[0].String("status"); err != nil || status != "DONE" {
		t.Errorf("status %q, %v", status, err)
	}
	// A row that the caller does not see has none.
	hidden := loaders.NewRow(w.typ("Contract"), uuid(3), nil)
	if rows, err := w.set().RowsOf(t.Context(), hidden, "visits", "status"); err != nil || len(rows) > 0 {
		t.Errorf("of a hidden row: %s, %v", ids(rows), err)
	}
	for _, bad := range [][2]string{{"status", "status"}, {"visits", "nope"}} {
		if _, err := set.RowsOf(t.Context(), contract, bad[0], bad[1]); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
	w.sql(`insert into service_visit (contract, technician, visited_at) select $1, 'tom', now() from generate_series(1, 1000)`, uuid(1))
	if _, err := w.set().RowsOf(t.Context(), contract, "visits"); apierror.CodeOf(err) != apierror.CostLimit {
		t.Errorf("too many: %v", err)
	}
}
