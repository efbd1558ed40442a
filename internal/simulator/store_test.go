package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The index by parent that a table inherits is the one that it would build.
func TestInheritedIndex(t *testing.T) {
	t.Parallel()
	meta, err := parseDocType([]byte(`{"name": "Line", "istable": 1, "fields": []}`))
	if err != nil {
		t.Fatal(err)
	}
	col := newCollation()
	random := rand.New(rand.NewPCG(1, 1))
	made := func() *row {
		return col.newRow(meta, object{{"name", fmt.Sprint("r", random.IntN(400))}, {"parent", fmt.Sprint("p", random.IntN(40))}})
	}
	table := newTable(meta, nil)
	for step := range 3000 {
		if random.IntN(3) == 0 && len(table.rows) > 0 {
			gone := table.rows[random.IntN(len(table.rows))]
			table = table.without(func(r *row) bool { return r == gone })
		} else {
			table = table.with(made(), made())
		}
		fresh := newTable(meta, table.rows)
		for i := range 40 {
			key := col.key(fmt.Sprint("p", i))
			if got, want := table.children(key), fresh.children(key); !slices.Equal(got, want) {
				t.Fatalf("step %d: %d rows of %s, want %d", step, len(got), key, len(want))
			}
		}
	}
}

// What deletions leave is bounded: the older half goes, and no other comments with it.
func TestForgetTraces(t *testing.T) {
	t.Parallel()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	meta := []byte(`{"name": "Comment", "fields": [{"fieldname": "comment_type", "fieldtype": "Data"}]}`)
	if err := s.AddDocType(meta); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		kind := "Deleted"
		if i < 2 {
			kind = "Comment"
		}
		if err := s.Insert("Comment", map[string]any{"name": fmt.Sprint("c", i), "comment_type": kind}); err != nil {
			t.Fatal(err)
		}
		if err := s.Insert("Deleted Document", map[string]any{"name": fmt.Sprint("d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	err = s.update(func(snap *snapshot) error {
		snap.forgetTraces("Comment")
		snap.forgetTraces("Deleted Document")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Names("Comment"); !slices.Equal(got, []string{"c0", "c1", "c6", "c7", "c8", "c9"}) {
		t.Error(got)
	}
	if got := s.Names("Deleted Document"); !slices.Equal(got, []string{"d5", "d6", "d7", "d8", "d9"}) {
		t.Error(got)
	}
}
