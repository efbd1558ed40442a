package loaders_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"erpgraph/internal/apierror"
	"erpgraph/internal/criteria"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// fill stores n contracts of so many customers, C0 and so on, each with a visit and a
// part. Fees and end dates are equal for many of them, some dates are missing.
func (w *world) fill(n, customers int) *world {
	w.tb.Helper()
	w.sql(`insert into service_contract (id, customer, item, status, start_date, end_date, monthly_fee)
		select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'C' || (n * 7919) % $2, 'A', 'ACTIVE', '2026-01-01',
			case when n % 4 > 0 then date '2026-01-01' + n % 5 end, n % 7 from generate_series(1, $1::int) n`, n, customers)
	w.sql(`insert into service_visit (id, contract, technician, visited_at) select id, id, 'tom', now() from service_contract`)
	w.sql(`insert into service_visit_part (id, visit, item, qty) select id, id, 'A', 1 from service_contract`)
	return w
}

// pages walks through a list, a response for each page, and checks what each page says of
// what is beyond.
func (w *world) pages(q loaders.PageQuery) []*loaders.Row {
	w.tb.Helper()
	var out []*loaders.Row
	for {
		page, err := w.set().Page(w.tb.Context(), q)
		if err != nil {
			w.tb.Fatal(err)
		}
		if len(page.Rows) > q.Limit || page.More && len(page.Rows) < q.Limit {
			w.tb.Fatalf("a page of %d has %d rows, more: %t", q.Limit, len(page.Rows), page.More)
		}
		if q.Backward {
			out = slices.Concat(page.Rows, out)
		} else {
			out = append(out, page.Rows...)
		}
		if !page.More {
			return out
		}
		at := len(page.Rows) - 1
		if q.Backward {
			at = 0
		}
		q.After = page.Position(q.Order, at)
	}
}

// Whatever a caller may read, pages of any size, forwards and backwards, are the pieces
// of the list of what he may see, in its order, and its count is its length: as if the
// other rows did not exist.
func TestPagesOfVisibleRows(t *testing.T) {
	t.Parallel()
	const rows, customers = 300, 60
	w := newWorld(t).fill(rows, customers)
	everyone := make([]string, customers)
	for i := range everyone {
		everyone[i] = fmt.Sprintf("C%d", i)
	}
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 4))
			w := w.with(t)
			typ := w.typ([]string{"Contract", "Visit", "Part"}[r.IntN(3)])
			var order []criteria.Order
			if typ.Name == "Contract" {
				for _, name := range [][]string{{}, {"monthlyFee"}, {"endDate"}, {"endDate", "monthlyFee"}, {"id"}}[r.IntN(5)] {
					order = append(order, criteria.Order{Field: typ.Field(name), Desc: r.IntN(2) == 0})
				}
			}
			all := w.may("Customer", everyone...).pages(loaders.PageQuery{Type: typ, Order: order, Limit: 400})
			if len(all) != rows {
				t.Fatalf("%d rows in all", len(all))
			}
			share, mine := r.Float64()*r.Float64(), everyone[:0:0]
			for _, name := range everyone {
				if r.Float64() < share {
					mine = append(mine, name)
				}
			}
			owner := w.owners()
			var want []*loaders.Row
			for _, row := range all {
				if slices.Contains(mine, owner[row.Key]) {
					want = append(want, row)
				}
			}
			w = w.may("Customer", mine...)
			for _, backward := range []bool{false, true} {
				limit := 1 + r.IntN(30)
				if got := ids(w.pages(loaders.PageQuery{Type: typ, Order: order, Limit: limit, Backward: backward})); got != ids(want) {
					t.Errorf("backward %t, pages of %d\n got %s\nwant %s", backward, limit, got, ids(want))
				}
			}
			if n, err := w.set().Count(t.Context(), typ, nil); err != nil || int(n) != len(want) {
				t.Errorf("counted %d of %d: %v", n, len(want), err)
			}
		})
	}
}

// owners are the customers of the rows, which share their ids through all tables.
func (w *world) owners() map[string]string {
	w.tb.Helper()
	rows, err := w.db.Pool().Query(w.tb.Context(), "select id::text, customer from service_contract")
	if err != nil {
		w.tb.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var id, customer string
		if err := rows.Scan(&id, &customer); err != nil {
			w.tb.Fatal(err)
		}
		out[id] = customer
	}
	if err := rows.Err(); err != nil {
		w.tb.Fatal(err)
	}
	return out
}

// names are n names of customers that fill stores.
func names(from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("C%d", from+i)
	}
	return out
}

// How many calls a read costs hangs on how much of it the caller may see, and on nothing
// else.
func TestCallsOfVisibleRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fill(2000, 2000)
	contract := w.typ("Contract")
	page := func(w *world, s *loaders.Set) (int, error) {
		p, err := s.Page(w.tb.Context(), loaders.PageQuery{Type: contract, Limit: 20})
		if err != nil {
			return 0, err
		}
		return len(p.Rows), nil
	}
	count := func(w *world, s *loaders.Set) (int, error) {
		n, err := s.Count(w.tb.Context(), contract, nil)
		return int(n), err
	}
	first := w.may("Customer", names(0, 2000)...).pages(loaders.PageQuery{Type: contract, Limit: 2000})
	firsts := make([]string, 0, len(first))
	owner := w.owners()
	for _, row := range first {
		firsts = append(firsts, owner[row.Key])
	}
	tests := []struct {
		name  string
		may   []string
		chunk int
		reads []func(*world, *loaders.Set) (int, error)
		want  []int
		calls int
	}{
		{"a page of which all is seen", firsts, 0, []func(*world, *loaders.Set) (int, error){page}, []int{20}, 1},
		{"the same page again", firsts, 0, []func(*world, *loaders.Set) (int, error){page, page}, []int{20, 20}, 2},
		{"a count of many, then its page", firsts[:1500], 0, []func(*world, *loaders.Set) (int, error){count, page}, []int{1500, 20}, 1},
		{"a page of which every other row is seen", everyOther(firsts), 0, []func(*world, *loaders.Set) (int, error){page}, []int{20}, 2},
		{"a page from the end of a long list", firsts[1990:], 0, []func(*world, *loaders.Set) (int, error){page}, []int{10}, 3},
		{"a count of many, by all names", firsts[:1500], 0, []func(*world, *loaders.Set) (int, error){count}, []int{1500}, 1},
		{"a count of few, by their names", firsts[:5], 5000, []func(*world, *loaders.Set) (int, error){count}, []int{5}, 1},
		{"a count, then its page", firsts[1990:], 0, []func(*world, *loaders.Set) (int, error){count, page}, []int{10, 10}, 1},
		{"nothing to see", nil, 0, []func(*world, *loaders.Set) (int, error){page, count}, []int{0, 0}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := w.with(t).may("Customer", tt.may...)
			w.bend = func(cfg *loaders.Config) { cfg.ChunkNames = tt.chunk }
			set := w.set()
			for i, read := range tt.reads {
				n, err := read(w, set)
				if err != nil || n != tt.want[i] {
					t.Errorf("read %d: %d rows, want %d: %v", i, n, tt.want[i], err)
				}
			}
			if set.Calls() != tt.calls {
				t.Errorf("%d calls, want %d", set.Calls(), tt.calls)
			}
		})
	}
}

func everyOther(list []string) []string {
	var out []string
	for i := 0; i < len(list); i += 2 {
		out = append(out, list[i])
	}
	return out
}

// A page costs a call also where its documents were read before. What it reads of
// documents is what the operation selects, so that showing them costs none. Lists of
// documents that were read, through the link itself, cost none.
func TestVisibleRowsShareDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fill(20, 20).may("Customer", names(0, 20)...)
	customer, contract := w.typ("Customer"), w.typ("Contract")
	page := loaders.PageQuery{Type: contract, Limit: 20}

	before := w.set()
	before.Select(customer, "title")
	before.Documents(t.Context(), customer, names(0, 20))
	if _, err := before.Page(t.Context(), page); err != nil || before.Calls() != 2 {
		t.Errorf("after the documents: %d calls, %v", before.Calls(), err)
	}

	hidden := w.may("Customer").set()
	hidden.Documents(t.Context(), customer, names(0, 20))
	if p, err := hidden.Page(t.Context(), page); err != nil || len(p.Rows) > 0 || hidden.Calls() != 2 {
		t.Errorf("after documents that were left out: %v, %d calls, %v", p, hidden.Calls(), err)
	}

	after := w.set()
	after.Select(customer, "title")
	if _, err := after.Page(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	after.Documents(t.Context(), customer, names(0, 20))
	if row, err := after.Document(customer, "C7"); err != nil || row.Text("title") != "Title of C7" || after.Calls() != 1 {
		t.Errorf("before the documents: %v, %d calls, %v", row, after.Calls(), err)
	}

	reverse := w.set()
	reverse.Select(contract)
	if _, err := reverse.Page(t.Context(), loaders.PageQuery{Type: customer, Limit: 20}); err != nil {
		t.Fatal(err)
	}
	q := w.reverse("Customer", "Contract", names(0, 20)...)
	if reverse.ReverseGuarded(q) {
		t.Error("the parents are known, and yet there is something to ask")
	}
	if _, err := reverse.Reverse(t.Context(), q); err != nil || reverse.Calls() != 1 {
		t.Errorf("of parents that are known: %d calls, %v", reverse.Calls(), err)
	}
	if !w.set().ReverseGuarded(q) || !w.set().ReverseGuarded(w.reverse("Item", "Contract", "A")) {
		t.Error("nothing to ask of parents that are unknown, or of another link")
	}
}

// A reach too wide to ask about is refused before it is asked.
func TestReachIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t).fill(400, 400).may("Customer", names(0, 12_000)...)
	contract := w.typ("Contract")
	for _, tt := range []struct{ chunk, calls, want, code int }{
		{100, 60, 5, 0}, // all names are more than are asked for, so by their names
		{400, 60, 1, 0}, // one chunk
		{10, 50, 41, 0}, // 40 chunks, after the try
		{10, 40, 1, 1},  // the try would leave too few
		{10, 39, 0, 1},  // more rows than could ever be asked about
	} {
		w := w.with(t)
		w.bend = func(cfg *loaders.Config) { cfg.ChunkNames, cfg.MaxCalls = tt.chunk, tt.calls }
		w.readable = map[string][]string{"Customer": append(names(20_000, 11_000), names(0, 400)...)}
		set := w.set()
		n, err := set.Count(t.Context(), contract, nil)
		if tt.code == 0 && (err != nil || n != 400) || tt.code == 1 && apierror.CodeOf(err) != apierror.CostLimit || set.Calls() != tt.want {
			t.Errorf("%+v: %d rows, %d calls, %v", tt, n, set.Calls(), err)
		}
	}
}

// ERPNext's spelling of a name and that of the row may differ, as far as MariaDB takes
// them as equal; another document that is only alike shows nothing.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		stored   []string
		answered []string
		want     int
	}{
		{"the same", []string{"Café"}, []string{"Café"}, 1},
		{"another case", []string{"ACME"}, []string{"Acme"}, 1},
		{"blanks at the end", []string{"Acme  "}, []string{"Acme"}, 1},
		{"an accent less", []string{"Cafe"}, []string{"Café"}, 1},
		{"an accent less, next to another", []string{"Cafe", "Bistro"}, []string{"Café", "Bistro"}, 2},
		{"several spellings of one", []string{"ACME", "acme"}, []string{"Acme"}, 2},
		{"one alike is readable, one is not", []string{"क", "कु"}, []string{"क"}, 1},
		{"one alike is readable, none of these is", []string{"कु", "कि"}, []string{"क"}, 0},
		{"another name", []string{"Acme"}, []string{"Acme Ltd"}, 0},
		{"no name", []string{""}, []string{""}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for i, name := range tt.stored {
				w.sql(`insert into service_contract (id, customer, item, start_date) values ($1, $2, 'A', '2026-01-01')`, uuid(i+1), name)
			}
			for _, chunk := range []int{100, 1} {
				for _, read := range []func(*loaders.Set) (int, error){
					func(s *loaders.Set) (int, error) {
						p, err := s.Page(t.Context(), loaders.PageQuery{Type: w.typ("Contract"), Limit: 10})
						if err != nil {
							return 0, err
						}
						return len(p.Rows), nil
					},
					func(s *loaders.Set) (int, error) {
						n, err := s.Count(t.Context(), w.typ("Contract"), nil)
						return int(n), err
					},
				} {
					set := w.set()
					w.up.list = func(q frappe.ListQuery) ([]map[string]string, error) {
						var out []map[string]string
						for _, name := range tt.answered {
							if len(q.Filters) == 0 || mariaDBTakes(q, name) {
								out = append(out, map[string]string{"name": fmt.Sprintf("%q", name), "owner": `"x"`})
							}
						}
						return out, nil
					}
					if chunk == 1 {
						set = newSet(t, w.up, func(cfg *loaders.Config) {
							cfg.Registry, cfg.Local, cfg.Callers, cfg.ChunkNames = w.reg, w.db, w.callers, 1
						})
					}
					if n, err := read(set); err != nil || n != tt.want {
						t.Errorf("in chunks of %d: %d rows, want %d: %v", chunk, n, tt.want, err)
					}
				}
			}
		})
	}
}

// mariaDBTakes tells whether a filter by name brings a document, for the names of
// TestSpellings: vowel signs count, accents don't.
func mariaDBTakes(q frappe.ListQuery, name string) bool {
	list, _ := q.Filters[0].Value.([]any)
	for _, v := range list {
		asked := fmt.Sprint(v)
		if asked == name || loaders.Fold(asked) == loaders.Fold(name) && loaders.Fold(name) != "क" {
			return true
		}
	}
	return false
}
