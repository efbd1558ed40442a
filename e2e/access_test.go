package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// contracts is a bundle with contracts of many customers, visits to them, parts used.
func contracts(tb testing.TB) *bundle {
	tb.Helper()
	b := reading(tb, options{})
	r := rand.New(rand.NewPCG(4, 1))
	customers := b.restList(tb, admin, "Customer", []string{"name"}, nil)
	for range 150 {
		b.sql(tb, `with c as (
				insert into service_contract (customer, item, status, start_date, monthly_fee)
				values ($1, $2, $3, '2026-01-01', $4::int) returning id),
			v as (
				insert into service_visit (contract, technician, visited_at, summary)
				select id, $5, '2026-02-01', $6 from c, generate_series(1, $7::int) returning id)
			insert into service_visit_part (visit, item, qty) select id, $2, 2 from v`,
			customers[r.IntN(len(customers))].text("name"), pick(r, "NUT#8", "BOLT M6/20"), pick(r, "DRAFT", "ACTIVE", "ENDED"), r.IntN(1000),
			pick(r, "stock@example.com", "sales@example.com"), pick(r, "oiled", "cleaned"), r.IntN(3))
	}
	b.sql(tb, `insert into service_contract (customer, item, status, start_date) values ('Gone for Good', 'NUT#8', 'ACTIVE', '2026-01-01')`)
	return b
}

// visible is what SQL gives of the contracts (c), visits (v) and parts (p) of the
// customers that ERPNext lists for a caller.
func (b *bundle) visible(tb testing.TB, credential, query string) []string {
	tb.Helper()
	var names []string
	for _, r := range b.restList(tb, credential, "Customer", []string{"name"}, nil) {
		names = append(names, r.text("name"))
	}
	rows, err := b.db.Pool().Query(tb.Context(), strings.NewReplacer(
		"{contracts}", `service_contract c`,
		"{visits}", `service_visit v join service_contract c on c.id = v.contract`,
		"{parts}", `service_visit_part p join service_visit v on v.id = p.visit join service_contract c on c.id = v.contract`,
		"{mine}", `c.customer = any($1)`,
	).Replace(query), names)
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			tb.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return out
}

// A local row is seen by those who have a role and may read what it links to, in every
// way that leads to it, and counts for nobody else.
func TestLocalRowsFollowERPNext(t *testing.T) {
	t.Parallel()
	b := contracts(t)
	seen := map[string]int{}
	for _, who := range callers {
		if who.name == "stock" || who.name == "nobody" {
			continue // have no role for it: TestLocalRowsNeedARole
		}
		t.Run(who.name, func(t *testing.T) {
			for _, l := range []struct{ field, typ, ids string }{
				{"serviceContracts", "ServiceContract", `select c.id::text from {contracts} where {mine} order by c.id`},
				{"serviceVisits", "ServiceVisit", `select v.id::text from {visits} where {mine} order by v.id`},
				{"serviceVisitParts", "ServiceVisitPart", `select p.id::text from {parts} where {mine} order by p.id`},
			} {
				var want []string
				for _, id := range b.visible(t, who.credential, l.ids) {
					want = append(want, globalID(l.typ, id))
				}
				seen[who.name+" "+l.field] = len(want)
				for _, size := range []int{3, 50} {
					list := pagedList{b: b, credential: who.credential, field: l.field, key: "id"}
					for _, backward := range []bool{false, true} {
						got := list.walk(t, nil, func() int { return size }, backward, nil, [2]int{60, 60})
						equal(t, fmt.Sprintf("%s by %d, backward %t", l.field, size, backward), got, want)
					}
				}
				var total map[string]struct{ TotalCount int }
				b.query(t, who.credential, `{ `+l.field+` { totalCount } }`, nil).into(t, &total)
				equal(t, l.field+" totalCount", total[l.field].TotalCount, len(want))
			}
			t.Run("aggregates", func(t *testing.T) {
				var data struct {
					ServiceContractsAggregate []struct {
						Keys  struct{ Status string }
						Count int
						Sum   struct{ MonthlyFee string }
					}
				}
				b.query(t, who.credential, `{ serviceContractsAggregate(groupBy: [STATUS]) { keys { status } count sum { monthlyFee } } }`, nil).into(t, &data)
				var got []string
				for _, g := range data.ServiceContractsAggregate {
					got = append(got, fmt.Sprintf("%s %d %s", g.Keys.Status, g.Count, g.Sum.MonthlyFee))
				}
				slices.Sort(got)
				equal(t, "groups", got, b.visible(t, who.credential,
					`select c.status || ' ' || count(*) || ' ' || sum(c.monthly_fee) from {contracts} where {mine} group by c.status order by 1`))
			})
			t.Run("reverse links", func(t *testing.T) {
				var data struct {
					Item struct {
						ServiceContracts struct {
							TotalCount int
							Nodes      []struct{ ID string }
						}
					}
				}
				b.query(t, who.credential, `{ item(name: "NUT#8") { serviceContracts(first: 200) { totalCount nodes { id } } } }`, nil).into(t, &data)
				var want, got []string
				for _, id := range b.visible(t, who.credential, `select c.id::text from {contracts} where {mine} and c.item = 'NUT#8' order by c.id`) {
					want = append(want, globalID("ServiceContract", id))
				}
				for _, n := range data.Item.ServiceContracts.Nodes {
					got = append(got, n.ID)
				}
				equal(t, "contracts of the item", got, want)
				equal(t, "their total", data.Item.ServiceContracts.TotalCount, len(want))
			})
			t.Run("rows of rows in a filter", func(t *testing.T) {
				var data struct{ ServiceContracts struct{ TotalCount int } }
				b.query(t, who.credential, `{ serviceContracts(where: {visits: {summary: {eq: "oiled"}}}) { totalCount } }`, nil).into(t, &data)
				want := b.visible(t, who.credential, `select distinct c.id::text from {visits} where {mine} and v.summary = 'oiled'`)
				equal(t, "contracts with an oiled visit", data.ServiceContracts.TotalCount, len(want))
			})
			t.Run("one hidden row", func(t *testing.T) {
				hidden := b.visible(t, who.credential, `select c.id::text from {contracts} where not ({mine}) order by c.id limit 1`)
				missing := b.query(t, who.credential, `{ serviceContract(id: "00000000-0000-0000-0000-0000000000ff") { status } }`, nil)
				got := b.query(t, who.credential, `{ serviceContract(id: "`+hidden[0]+`") { status } }`, nil)
				equal(t, "codes", got.codes(), []string{"NOT_FOUND"})
				equal(t, "text", strings.ReplaceAll(got.Errors[0].Message, hidden[0], "ID"),
					strings.ReplaceAll(missing.Errors[0].Message, "00000000-0000-0000-0000-0000000000ff", "ID"))
				got = b.query(t, who.credential, `{ node(id: "`+globalID("ServiceContract", hidden[0])+`") { id } nodes(ids: ["`+globalID("ServiceContract", hidden[0])+`"]) { id } }`, nil)
				equal(t, "codes", got.codes(), []string{"NOT_FOUND", "NOT_FOUND"})
			})
		})
	}
	if seen["two serviceContracts"] >= seen["north serviceContracts"] || seen["north serviceContracts"] >= seen["sales serviceContracts"] || seen["north serviceContracts"] == 0 {
		t.Errorf("the rows that callers see do not differ: %v", seen)
	}
}

// Without one of the roles there is no way to a row, nor to a number of rows.
func TestLocalRowsNeedARole(t *testing.T) {
	t.Parallel()
	b := contracts(t)
	id := b.visible(t, admin, `select c.id::text from {contracts} where {mine} order by c.id limit 1`)[0]
	for _, credential := range []string{stock, nobody} {
		for _, query := range []string{
			`{ serviceContracts { nodes { id } } }`,
			`{ serviceContracts { totalCount } }`,
			`{ serviceContracts { edges { cursor } } }`,
			`{ serviceVisits { nodes { id } } }`,
			`{ serviceVisitParts { totalCount } }`,
			`{ serviceContract(id: "` + id + `") { id } }`,
			`{ node(id: "` + globalID("ServiceContract", id) + `") { id } }`,
			`{ serviceContractsAggregate { count } }`,
		} {
			got := b.query(t, credential, query, nil)
			if codes := got.codes(); len(codes) == 0 || slices.ContainsFunc(codes, func(c string) bool { return c != "FORBIDDEN" }) {
				t.Errorf("%s: %s", query, got.raw)
			}
			if strings.Contains(string(got.raw), `"totalCount":1`) || strings.Contains(string(got.Data), `"id":"`) {
				t.Errorf("%s: %s", query, got.raw)
			}
		}
	}
	// Below a document that the caller may read.
	got := b.query(t, stock, `{ item(name: "NUT#8") { itemName serviceContracts { totalCount nodes { id } } } }`, nil)
	if !slices.Contains(got.codes(), "FORBIDDEN") || !strings.Contains(string(got.Data), `"itemName":"`) || strings.Contains(string(got.Data), `"id":"`) {
		t.Errorf("stock below an item: %s", got.raw)
	}
}

// What a query over local rows costs, as far as a caller can tell, does not hang on rows
// that are hidden from him.
func TestHiddenRowsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	b := contracts(t)
	b.meet(t, north)
	hidden := b.visible(t, north, `select c.id::text from {contracts} where not ({mine}) order by c.id limit 1`)[0]
	b.sql(t, `update service_contract set notes = 'hunter2', item = 'NUT#8' where id = $1`, hidden)
	missing := "00000000-0000-0000-0000-0000000000ff"
	for query, pair := range map[string][2]string{
		`{ serviceContract(id: "$") { status customer { customerName } } }`:                                                 {hidden, missing},
		`{ serviceContracts(where: {id: {eq: "$"}}) { totalCount nodes { id } } }`:                                          {hidden, missing},
		`{ serviceVisits(where: {contract: {eq: "$"}}) { nodes { id } } }`:                                                  {hidden, missing},
		`{ serviceContracts(where: {notes: {like: "$%"}}) { totalCount } }`:                                                 {"hunter2", "hunter3"},
		`{ serviceContracts(where: {notes: {like: "$%"}}, first: 1) { nodes { id customer { name } } } }`:                   {"hunter2", "hunter3"},
		`{ serviceContractsAggregate(where: {notes: {like: "$%"}}) { count max { monthlyFee } } }`:                          {"hunter2", "hunter3"},
		`{ customers(first: 50) { nodes { name } } serviceContracts(where: {notes: {like: "$%"}}) { nodes { status } } }`:   {"hunter2", "hunter3"},
		`{ item(name: "NUT#8") { itemName serviceContracts(where: {notes: {like: "$%"}}) { totalCount nodes { id } } } }`:   {"hunter2", "hunter3"},
		`{ customers(first: 50) { nodes { customerName serviceContracts(where: {notes: {like: "$%"}}) { totalCount } } } }`: {"hunter2", "hunter3"},
	} {
		var seen [2]string
		for i, value := range pair {
			got := b.query(t, north, strings.ReplaceAll(query, "$", value), nil)
			trace := got.Extensions.Upstream
			var sent []string
			for _, r := range trace.Requests {
				sent = append(sent, fmt.Sprint(r.DocType, r.Fields, r.Rows))
			}
			seen[i] = fmt.Sprintf("%d calls %v, %d statements, %v %s", trace.Calls, sent, len(trace.Statements), got.codes(), strings.ReplaceAll(string(got.Data), value, "$"))
			if trace.Calls == 0 {
				t.Errorf("%s: no call", query)
			}
		}
		equal(t, query, seen[0], seen[1])
	}
}

// What it costs to ask ERPNext who may see a page: one call for each list, and none for
// lists of documents that the response reads anyway.
func TestLocalAccessCalls(t *testing.T) {
	t.Parallel()
	b := contracts(t)
	b.query(t, sales, `{ me { user } }`, nil) // who he is, is known for half a minute
	for query, want := range map[string]int{
		`{ serviceContracts(first: 20) { nodes { id } } }`:                                                    1,
		`{ serviceContracts(first: 100) { nodes { id customer { name } } } }`:                                 1,
		`{ serviceContracts(first: 50) { nodes { id customer { customerName } } } }`:                          1,
		`{ serviceVisitParts(first: 50) { nodes { visit { contract { customer { customerName } } } } } }`:     1,
		`{ customers(first: 20) { nodes { customerName serviceContracts { nodes { id visits { id } } } } } }`: 1,
		`{ serviceContracts(first: 20) { totalCount } }`:                                                      1,
		`{ serviceContractsAggregate { count } }`:                                                             1,
		`{ items(first: 20) { nodes { name serviceContracts(first: 5) { totalCount nodes { id } } } } }`:      2,
	} {
		got := b.query(t, sales, query, nil)
		got.into(t, new(any))
		if n := got.Extensions.Upstream.Calls; n != want {
			t.Errorf("%s: %d calls, want %d: %v", query, n, want, got.Extensions.Upstream.Requests)
		}
	}
}
