package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var contractOrder = []sortKey{
	{enum: "CUSTOMER", column: "customer"},
	{enum: "MANAGER", column: "manager"},
	{enum: "STATUS", column: "status"},
	{enum: "START_DATE", column: "start_date"},
	{enum: "END_DATE", column: "end_date"},
	{enum: "MONTHLY_FEE", column: "monthly_fee"},
	{enum: "NOTES", column: "notes"},
	{enum: "CREATED_AT", column: "created_at"},
	{enum: "ID", column: "id"},
}

func (b *bundle) insertContract(tb testing.TB, r *rand.Rand, customer string) {
	tb.Helper()
	b.sql(tb, `insert into service_contract (customer, item, manager, status, start_date, end_date, monthly_fee, notes, created_at)
		values ($1, 'Item', $2, $3, $4::text::date, $5::text::date, $6::text::numeric, $7, $8::text::timestamptz)`,
		customer, pick(r, nil, "", "sales@example.com", "Sales@example.com"), pick(r, "DRAFT", "ACTIVE", "ENDED"),
		pick(r, "2026-01-01", "2026-01-02"), pick(r, nil, nil, "2027-01-01"), pick(r, "0", "0.50", "12345678901234.56", "0.51"),
		pick(r, nil, "", "a", "A", "ä", "日本", "%"), pick(r, "2026-01-01 00:00:00+00", "2026-01-01 00:00:00.000001+00", "2026-06-01 00:00:00+00"))
}

// contractIDs are ids in an order, as SQL itself gives them. NULL is the smallest value.
func (b *bundle) contractIDs(tb testing.TB, where string, order []sortKey) []string {
	tb.Helper()
	sql := "select id::text from service_contract where " + where + " order by "
	unique := false
	for _, k := range order {
		nulls := " nulls first"
		sql += k.column
		if k.desc {
			sql, nulls = sql+" desc", " nulls last"
		}
		sql += nulls + ", "
		unique = unique || k.column == "id"
	}
	last := "id"
	if n := len(order); n > 0 && order[n-1].desc && !unique {
		last += " desc"
	}
	rows, err := b.db.Pool().Query(tb.Context(), sql+last)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			tb.Fatal(err)
		}
		out = append(out, globalID("ServiceContract", id))
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestPagingLocal(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := rand.New(rand.NewPCG(23, 1))
	for i := range 60 {
		b.insertContract(t, r, []string{"Paging", "paging", "Other"}[i%3])
	}
	for _, name := range []string{"Paging", "Other"} {
		insert(t, b, "Customer", map[string]any{"name": name, "customer_name": name})
	}
	lists := map[string]pagedList{
		"true": {b: b, field: "serviceContracts", key: "id"},
		"customer = 'Paging' and status <> 'ENDED'": {b: b, field: "serviceContracts", where: `where: {and: [{customer: {eq: "Paging"}}, {not: {status: {eq: ENDED}}}]}`, key: "id"},
		"customer = 'Paging'":                       {b: b, field: "serviceContracts", key: "id", parent: `customer(name: "Paging")`},
	}
	for where, list := range lists {
		t.Run(where, func(t *testing.T) {
			for range 25 {
				order := randomOrder(r, contractOrder)
				want := b.contractIDs(t, where, order)
				// Who may see the page's rows, and the total's; below a customer it follows
				// from the customer. The whole list has proved the credential.
				calls := 2
				if list.parent != "" {
					calls = 1
				}
				if whole := list.page(t, order, 500, "", false); !slices.Equal(whole.keys, want) || whole.total != int64(len(want)) {
					t.Fatalf("%v: whole list\n got %v (%d)\nwant %v", order, whole.keys, whole.total, want)
				}
				for _, backward := range []bool{false, true} {
					got := list.walk(t, order, func() int { return 1 + r.IntN(12) }, backward, nil, [2]int{calls, calls})
					if !slices.Equal(got, want) {
						t.Fatalf("%v, backward %t:\n got %v\nwant %v", order, backward, got, want)
					}
				}
			}
		})
	}
}

func TestPagingLocalWhileRowsChange(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	for i := range 4 {
		name := strings.TrimSuffix(fmt.Sprint("Paging", i-1), "-1")
		insert(t, b, "Customer", map[string]any{"name": name, "customer_name": name})
	}
	r := rand.New(rand.NewPCG(23, 2))
	list := pagedList{b: b, field: "serviceContracts", key: "id"}
	list.page(t, nil, 1, "", false) // proves the credential
	for round := range 20 {
		b.sql(t, "delete from service_contract")
		for range 40 {
			b.insertContract(t, r, "Paging")
		}
		order := randomOrder(r, contractOrder)
		start := b.contractIDs(t, "true", order)
		// Rows that change are told from those that stay by their item.
		between := func(int) {
			b.insertContract(t, r, fmt.Sprint("Paging", r.IntN(3)))
			b.sql(t, `delete from service_contract where id in (select id from service_contract order by random() limit 1)`)
			b.sql(t, `update service_contract set notes = 'x', item = 'moved', status = 'SUSPENDED', end_date = null, created_at = now()
				where id in (select id from service_contract order by random() limit 1)`)
		}
		got := list.walk(t, order, func() int { return 1 + r.IntN(9) }, round%2 == 1, between, [2]int{2, 2})
		stayed := b.contractIDs(t, "item = 'Item'", order)
		want := slices.DeleteFunc(slices.Clone(start), func(id string) bool { return !slices.Contains(stayed, id) })
		have := slices.DeleteFunc(got, func(id string) bool { return !slices.Contains(want, id) })
		if !slices.Equal(have, want) {
			t.Fatalf("%v, backward %t:\n got %v\nwant %v", order, round%2 == 1, have, want)
		}
	}
}

// Parents of a level have their own pages and counts in two statements.
func TestNestedPagesLocal(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	r := rand.New(rand.NewPCG(23, 3))
	for i := range 300 {
		b.insertContract(t, r, fmt.Sprint("C", (i*i)%7))
	}
	for i := range 7 {
		insert(t, b, "Customer", map[string]any{"name": fmt.Sprint("C", i), "tax_id": "nested"})
	}
	for range 15 {
		order := randomOrder(r, contractOrder)
		limit := r.IntN(80)
		for _, side := range []string{"first", "last"} {
			got := b.query(t, admin, fmt.Sprintf(`{ customers(where: {taxId: {eq: "nested"}}) { nodes { name serviceContracts(%s, %s: %d) { totalCount nodes { id } } } } }`,
				orderArgument(order), side, limit), nil)
			var data struct {
				Customers struct {
					Nodes []struct {
						Name             string
						ServiceContracts struct {
							TotalCount int
							Nodes      []struct{ ID string }
						}
					}
				}
			}
			got.into(t, &data)
			if n := len(got.Extensions.Upstream.Statements); n > 2 {
				t.Fatalf("%d statements", n)
			}
			for _, c := range data.Customers.Nodes {
				all := b.contractIDs(t, "customer = '"+c.Name+"'", order)
				want := all[:min(limit, len(all))]
				if side == "last" {
					want = all[max(0, len(all)-limit):]
				}
				var have []string
				for _, n := range c.ServiceContracts.Nodes {
					have = append(have, n.ID)
				}
				if !slices.Equal(have, want) || c.ServiceContracts.TotalCount != len(all) {
					t.Fatalf("%s %v %s %d: total %d, want %d\n got %v\nwant %v", c.Name, order, side, limit, c.ServiceContracts.TotalCount, len(all), have, want)
				}
			}
		}
	}
}
