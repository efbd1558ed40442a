package loaders_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/loaders"
)

// worldSDL are the tables of the example app, some of them under several types that
// differ in who may read them.
const worldSDL = `
type Contract implements Node @table(name: "service_contract") @access(read: ["Sales User", "Auditor"], through: "customer") {
  id: ID!
  customer: Customer! @link
  item: Item! @link
  status: String!
  monthlyFee: Decimal!
  endDate: Date
  visits: [Visit!]! @reverse(field: "contract")
}
type Visit implements Node @table(name: "service_visit") @access(through: "contract") {
  id: ID!
  contract: Contract! @link
  status: String!
  parts: [Part!]! @reverse(field: "visit")
}
type Part implements Node @table(name: "service_visit_part") @access(read: ["Stock User"], through: "visit") {
  id: ID!
  visit: Visit! @link
  item: Item! @link
}
type OpenContract implements Node @table(name: "service_contract") @access(public: true) {
  id: ID!
  customer: Customer! @link
  visits: [TechVisit!]! @reverse(field: "contract")
}
type TechVisit implements Node @table(name: "service_visit") @access(through: "technician") {
  id: ID!
  contract: OpenContract! @link
  technician: Employee! @link
  status: String!
}
type OpenVisit implements Node @table(name: "service_visit") @access(through: "contract") {
  id: ID!
  contract: OpenContract! @link
}
`

// world is a site whose documents only some callers may read, and the app's rows.
type world struct {
	tb  testing.TB
	db  *postgres.DB
	reg *doctype.Registry
	up  *upstream
	// readable are the names that the caller may read, by DocType. A DocType that is not
	// there at all is forbidden.
	readable map[string][]string
	fail     error
	callers  *callers
	bend     func(*loaders.Config)
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	cfg, err := doctype.ParseConfig([]byte("doctypes: {Customer: {}, Item: {}, Employee: {}}"))
	if err != nil {
		tb.Fatal(err)
	}
	var facts []*doctype.Facts
	for _, name := range []string{"Customer", "Item", "Employee"} {
		f, err := doctype.ParseFacts(fmt.Appendf(nil, `{"name": %q, "fields": [{"fieldname": "title", "fieldtype": "Data", "label": "Title"}]}`, name))
		if err != nil {
			tb.Fatal(err)
		}
		facts = append(facts, f)
	}
	w := &world{tb: tb, db: postgrestest.New(tb), readable: map[string][]string{}}
	w.reg, _, err = doctype.Build(cfg, facts, []*ast.Source{{Name: "schema/app/world.graphqls", Input: worldSDL}})
	if err != nil {
		tb.Fatal(err)
	}
	w.as("Sales User", "Stock User")
	return w
}

// as makes the caller somebody with these roles.
func (w *world) as(roles ...string) *world {
	w.callers = &callers{user: &frappe.User{Name: "ada@example.com", Roles: roles}}
	return w
}

// may makes the caller somebody who may read these documents of a DocType, and returns a
// world of his own over the same rows.
func (w *world) may(doctypeName string, names ...string) *world {
	out := *w
	out.readable = map[string][]string{doctypeName: names}
	for k, v := range w.readable {
		if k != doctypeName {
			out.readable[k] = v
		}
	}
	return &out
}

// with is the world of a subtest.
func (w *world) with(tb testing.TB) *world {
	tb.Helper()
	out := *w
	out.tb = tb
	return &out
}

// set starts a response.
func (w *world) set() *loaders.Set {
	w.tb.Helper()
	w.up = &upstream{list: w.answer}
	return newSet(w.tb, w.up, func(cfg *loaders.Config) {
		cfg.Registry, cfg.Local, cfg.Callers = w.reg, w.db, w.callers
		if w.bend != nil {
			w.bend(cfg)
		}
	})
}

// answer lists what the caller may read of the names that are asked for, taking names as
// MariaDB does, as far as case goes.
func (w *world) answer(q frappe.ListQuery) ([]map[string]string, error) {
	names, ok := w.readable[q.DocType]
	if w.fail != nil || !ok {
		return nil, cmp.Or[error](w.fail, errForbidden)
	}
	var out []map[string]string
	for _, name := range names {
		if wanted(q, name) && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, map[string]string{"name": strconv.Quote(name), "owner": `"ada@example.com"`, "title": strconv.Quote("Title of " + name)})
		}
	}
	return out, nil
}

func wanted(q frappe.ListQuery, name string) bool {
	for _, f := range q.Filters {
		list, _ := f.Value.([]any)
		if f.Field == "name" && !slices.ContainsFunc(list, func(v any) bool { return strings.EqualFold(fmt.Sprint(v), name) }) {
			return false
		}
	}
	return true
}

func (w *world) typ(name string) *doctype.Type { return w.reg.ByName(name) }

func (w *world) sql(text string, args ...any) {
	w.tb.Helper()
	if _, err := w.db.Pool().Exec(w.tb.Context(), text, args...); err != nil {
		w.tb.Fatal(err)
	}
}

// seed stores four contracts of three customers, three visits and two parts.
func (w *world) seed() *world {
	w.tb.Helper()
	for i, c := range []struct{ customer, item, status string }{{"Grant", "A", "ACTIVE"}, {"Grant", "B", "DRAFT"}, {"West", "A", "ACTIVE"}, {"Far", "B", "ENDED"}} {
		w.sql(`insert into service_contract (id, customer, item, status, start_date, monthly_fee) values ($1, $2, $3, $4, '2026-01-01', $5)`,
			uuid(i+1), c.customer, c.item, c.status, 10*(i+1))
	}
	for i, v := range []struct {
		contract         int
		technician, stat string
	}{{1, "tom", "DONE"}, {1, "eve", "PLANNED"}, {3, "eve", "DONE"}} {
		w.sql(`insert into service_visit (id, contract, technician, visited_at, status) values ($1, $2, $3, '2026-02-01Z', $4)`, uuid(11+i), uuid(v.contract), v.technician, v.stat)
	}
	for i, visit := range []int{11, 13} {
		w.sql(`insert into service_visit_part (id, visit, item, qty) values ($1, $2, 'A', 1)`, uuid(21+i), uuid(visit))
	}
	return w
}

// uuid is a readable id: uuid(3) ends in 3.
func uuid(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// ids gives the numbers of rows made by uuid: "1 2 3".
func ids(rows []*loaders.Row) string {
	var out []string
	for _, r := range rows {
		out = append(out, strings.TrimLeft(r.Key[strings.LastIndex(r.Key, "-")+1:], "0"))
	}
	return strings.Join(out, " ")
}

func eq(t *doctype.Type, field string, v any) *criteria.Expr {
	return &criteria.Expr{Cond: &criteria.Cond{Field: t.Field(field), Op: criteria.Eq, Value: v, Path: "where." + field}}
}

// some is the condition that some row of a @reverse list matches.
func (w *world) some(t *doctype.Type, list string, where *criteria.Expr) *criteria.Expr {
	f := t.Field(list)
	return &criteria.Expr{Rows: &criteria.RowsExpr{Field: f, Of: w.reg.ByKey(f.Target), Where: where}}
}

// reverse is the connection from a type back to rows of another.
func (w *world) reverse(to, from string, parents ...string) loaders.ReverseQuery {
	w.tb.Helper()
	t, f := w.typ(to), w.typ(from)
	q := loaders.ReverseQuery{To: t, From: f, Parents: parents, Limit: 10}
	for _, r := range t.Reverse {
		if r.From == f.Key {
			q.Link = r
		}
	}
	for _, field := range t.Fields {
		if field.Kind == doctype.ReverseList && field.Target == f.Key {
			q.Link = &doctype.Reverse{Name: field.Name, From: f.Key, Field: f.Field(field.Options).Column}
		}
	}
	if q.Link == nil {
		w.tb.Fatalf("%s has no list of %s", to, from)
	}
	return q
}
