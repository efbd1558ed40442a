package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/postgres"
)

// orders are the orders of the paging tests: one and several keys, mixed directions,
// keys with NULLs, the id itself.
func orders(c *doctype.Type) map[string][]criteria.Order {
	up := func(name string) criteria.Order { return criteria.Order{Field: c.Field(name)} }
	down := func(name string) criteria.Order { return criteria.Order{Field: c.Field(name), Desc: true} }
	return map[string][]criteria.Order{
		"none":             nil,
		"one":              {up("status")},
		"one down":         {down("startDate")},
		"nulls":            {up("endDate")},
		"nulls down":       {down("manager")},
		"two nulls":        {up("manager"), down("endDate")},
		"mixed":            {up("status"), down("monthlyFee"), up("notes")},
		"datetime":         {down("createdAt"), up("customer")},
		"id":               {down("id")},
		"id in the middle": {up("status"), down("id"), up("customer")},
	}
}

// fill inserts n contracts with many ties and NULLs.
func (b *testBundle) fill(n int) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2)) // the same rows each time
	pick := func(of ...any) any { return of[random.IntN(len(of))] }
	for range n {
		b.exec(`insert into service_contract (customer, item, manager, status, start_date, end_date, monthly_fee, notes, created_at) values ($1, 'I', $2, $3, $4, $5, $6, $7, $8)`,
			pick("a", "B", "Ä", "ß", ""), pick(nil, "", "x", "y", "O'Neil \\"), pick("DRAFT", "ACTIVE"), pick("2026-01-01", "2026-01-02"),
			pick(nil, nil, "2026-05-01", "2026-06-01"), pick("0", "1.50", "9999999999999999.99"), pick(nil, "n", "☃"),
			pick("2026-01-01 00:00:00.000001Z", "2026-01-01 00:00:00.000002Z", "2026-01-01Z"))
	}
}

func TestPagesAreTheList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(60)
	for name, order := range orders(b.contract) {
		for _, size := range []int{1, 7, 60, 100} {
			for _, backward := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/%t", name, size, backward), func(t *testing.T) {
					b := b.with(t)
					whole := keysOf(b.rows(postgres.Query{Type: b.contract, Order: order}))
					if len(whole) != 60 {
						t.Fatalf("%d rows", len(whole))
					}
					if got := b.walk(order, size, backward, nil); !slices.Equal(got, whole) {
						t.Errorf("pages differ from the list:\n%v\n%v", got, whole)
					}
				})
			}
		}
	}
}

func TestPagesUnderInserts(t *testing.T) {
	t.Parallel()
	contract, _, _ := exampleTypes()
	for name := range orders(contract) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			order := orders(b.contract)[name]
			b.fill(30)
			whole := keysOf(b.rows(postgres.Query{Type: b.contract, Order: order}))
			got := b.walk(order, 4, false, func() { b.fill(3) })
			// Rows that came in the meantime may turn up; those that were there must,
			// once each and in their order.
			old := slices.DeleteFunc(got, func(key string) bool { return !slices.Contains(whole, key) })
			if !slices.Equal(old, whole) {
				t.Errorf("pages lost or repeated rows:\n%v\n%v", old, whole)
			}
		})
	}
}

// walk reads the whole list page by page; between runs between pages.
func (b *testBundle) walk(order []criteria.Order, size int, backward bool, between func()) []string {
	b.Helper()
	q := postgres.Query{Type: b.contract, Order: order, Limit: size + 1, Backward: backward}
	var out []string
	for range 100 {
		table := b.rows(q)
		more := len(table.Rows) > size
		switch {
		case more && backward:
			table.Rows = table.Rows[1:]
		case more:
			table.Rows = table.Rows[:size]
		}
		if backward {
			out = append(keysOf(table), out...)
		} else {
			out = append(out, keysOf(table)...)
		}
		if !more {
			return out
		}
		if backward {
			q.Before = position(table, order, 0)
		} else {
			q.After = position(table, order, len(table.Rows)-1)
		}
		if between != nil {
			between()
		}
	}
	b.Fatal("the walk does not end")
	return nil
}

func keysOf(table *postgres.Table) []string {
	out := make([]string, len(table.Rows))
	for i, row := range table.Rows {
		out[i] = string(row[0])
	}
	return out
}

func TestWindow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(20)
	order := []criteria.Order{{Field: b.contract.Field("manager")}}
	whole := b.rows(postgres.Query{Type: b.contract, Order: order})
	got := b.rows(postgres.Query{Type: b.contract, Order: order, After: position(whole, order, 3), Before: position(whole, order, 9)})
	if !slices.Equal(keysOf(got), keysOf(whole)[4:9]) {
		t.Error("the rows between two positions differ")
	}
}

func TestNullsAreSmallest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	up := b.rows(postgres.Query{Type: b.contract, Order: []criteria.Order{{Field: b.contract.Field("manager")}}})
	down := b.rows(postgres.Query{Type: b.contract, Order: []criteria.Order{{Field: b.contract.Field("manager"), Desc: true}}})
	if ids(up) != "2 4 1 3" || ids(down) != "3 1 4 2" {
		t.Errorf("up %s, down %s", ids(up), ids(down))
	}
}

func TestForgedPositions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	order := []criteria.Order{{Field: b.contract.Field("startDate")}}
	for name, p := range map[string]*postgres.Position{
		"too few values": {Key: uuid(1)},
		"wrong kind":     {Key: uuid(1), Values: []jsontext.Value{jsontext.Value(`"x"`)}},
		"object":         {Key: uuid(1), Values: []jsontext.Value{jsontext.Value(`{}`)}},
		"empty":          {Key: uuid(1), Values: []jsontext.Value{nil}},
		"garbage":        {Key: uuid(1), Values: []jsontext.Value{jsontext.Value(`"\uZZZZ"`)}},
		"SQL":            {Key: uuid(1), Values: []jsontext.Value{jsontext.Value(`"2026-01-01' or true --"`)}},
		"key":            {Key: "x' or true --", Values: []jsontext.Value{jsontext.Value(`"2026-01-01"`)}},
		"NUL":            {Key: "\x00", Values: []jsontext.Value{jsontext.Value(`"2026-01-01"`)}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.db.Rows(t.Context(), postgres.Query{Type: b.contract, Order: order, After: p})
			if e, ok := apierror.As(err); !ok || e.Code != apierror.BadUserInput || e.Field != "after" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRowsByParent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(60)
	parents := []string{"Ä", "nobody", "a", "B", "a", "ß", ""}
	for name, order := range orders(b.contract) {
		for _, backward := range []bool{false, true} {
			for _, limit := range []int{0, 1, 3} {
				t.Run(fmt.Sprintf("%s/%d/%t", name, limit, backward), func(t *testing.T) {
					q := postgres.Query{Type: b.contract, Order: order, Limit: limit, Backward: backward, Where: cond(b.contract, "status", criteria.Eq, "DRAFT")}
					b := b.with(t)
					ctx, seen := statements(t.Context())
					got, err := b.db.RowsByParent(ctx, postgres.ReverseQuery{Query: q, ParentField: b.contract.Field("customer"), Parents: parents})
					if err != nil {
						t.Fatal(err)
					}
					if n := len(seen()); n != 1 {
						t.Errorf("%d statements", n)
					}
					found := map[string][]string{}
					for i, row := range got.Rows {
						parent := parents[got.Parent[i]]
						found[parent] = append(found[parent], string(row[0]))
					}
					for _, parent := range parents {
						one := q
						one.Where = and(q.Where, cond(b.contract, "customer", criteria.Eq, parent))
						if want := keysOf(b.rows(one)); !slices.Equal(found[parent], want) {
							t.Errorf("%q: got %v, want %v", parent, found[parent], want)
						}
					}
				})
			}
		}
	}
}

func TestRowsByParentAfter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(40)
	customer := b.contract.Field("customer")
	order := []criteria.Order{{Field: b.contract.Field("endDate"), Desc: true}}
	all := b.rows(postgres.Query{Type: b.contract, Order: order, Where: cond(b.contract, "customer", criteria.Eq, "B")})
	got, err := b.db.RowsByParent(t.Context(), postgres.ReverseQuery{
		Query:       postgres.Query{Type: b.contract, Order: order, After: position(all, order, 1), Limit: 3},
		ParentField: customer, Parents: []string{"B"},
	})
	if err != nil || !slices.Equal(keysOf(&got.Table), keysOf(all)[2:5]) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestLocalParents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.seed()
	q := postgres.ReverseQuery{
		Query:       postgres.Query{Type: b.visit, Columns: []*doctype.Field{b.visit.Field("summary")}},
		ParentField: b.visit.Field("contract"), Parents: []string{uuid(3), uuid(2), uuid(1)},
	}
	got, err := b.db.RowsByParent(t.Context(), q)
	if err != nil || ids(&got.Table) != "13 11 12" || !slices.Equal(got.Parent, []int{0, 2, 2}) {
		t.Errorf("got %+v, %v", got, err)
	}
	q.Parents = append(q.Parents, uuid(1), uuid(99))
	counts, err := b.db.CountByParent(t.Context(), q)
	if err != nil || !slices.Equal(counts, []int64{1, 0, 2, 2, 0}) {
		t.Errorf("counts %v, %v", counts, err)
	}
	q.Parents = nil
	if got, err := b.db.RowsByParent(t.Context(), q); err != nil || len(got.Rows) != 0 || strings.Join(got.Columns, " ") != "id summary" {
		t.Errorf("no parents: %+v, %v", got, err)
	}
}
