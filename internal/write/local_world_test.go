package write_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/write"
	"erpgraph/loaders"
)

// appSDL are the tables of the example app.
const appSDL = `
type Contract implements Node @table(name: "service_contract") @access(read: ["Sales User"], write: ["Sales Manager"], through: "customer") {
  id: ID!
  customer: Customer! @link
  item: Item! @link(snapshot: true)
  manager: User @link
  status: ContractStatus! @default
  startDate: Date!
  endDate: Date
  monthlyFee: Decimal! @default
  notes: String
  updatedAt: DateTime! @modified
}
enum ContractStatus { DRAFT ACTIVE SUSPENDED ENDED }
type Visit implements Node @table(name: "service_visit") @access(read: ["Sales User"], write: ["Sales User"], through: "contract") {
  id: ID!
  contract: Contract! @link(onDelete: CASCADE)
  technician: User! @link
  visitedAt: DateTime!
  status: VisitStatus! @default
  summary: String
  durationMinutes: Int
  invoice: SalesInvoice @link(onDelete: NULL) @readOnly
  invoiceState: InvoiceState @readOnly
  invoiceProblem: String @readOnly
  updatedAt: DateTime! @modified
}
enum VisitStatus { PLANNED DONE CANCELLED }
enum InvoiceState { PENDING DONE FAILED }
type Part implements Node @table(name: "service_visit_part") @access(read: ["Sales User"], write: ["Sales User"], through: "visit") {
  id: ID!
  visit: Visit! @link(onDelete: CASCADE)
  item: Item! @link
  qty: Float!
  rate: Decimal
}
type Frozen implements Node @table(name: "service_visit_part") @access(public: true) {
  id: ID!
  qty: Float!
}
`

var siteFacts = map[string]string{
	"Customer":           `{"name": "Customer", "fields": [{"fieldname": "customer_name", "fieldtype": "Data"}]}`,
	"Item":               `{"name": "Item", "title_field": "item_name", "fields": [{"fieldname": "item_name", "fieldtype": "Data"}]}`,
	"User":               `{"name": "User", "fields": [{"fieldname": "full_name", "fieldtype": "Data"}]}`,
	"Sales Invoice Item": `{"name": "Sales Invoice Item", "istable": 1, "fields": [{"fieldname": "item_code", "fieldtype": "Link", "options": "Item"}, {"fieldname": "qty", "fieldtype": "Float"}, {"fieldname": "rate", "fieldtype": "Currency"}]}`,
	"Sales Invoice": `{"name": "Sales Invoice", "autoname": "naming_series:", "fields": [{"fieldname": "customer", "fieldtype": "Link", "options": "Customer", "reqd": 1},
		{"fieldname": "remarks", "fieldtype": "Small Text"}, {"fieldname": "items", "fieldtype": "Table", "options": "Sales Invoice Item"}]}`,
}

// localWorld is the app's database and an ERPNext beside it.
type localWorld struct {
	tb  testing.TB
	db  *postgres.DB
	reg *doctype.Registry
	erp *fakeERP
}

func newLocalWorld(tb testing.TB) *localWorld {
	tb.Helper()
	cfg, err := doctype.ParseConfig([]byte("doctypes: {Customer: {}, Item: {}, User: {}, Sales Invoice: {}}"))
	if err != nil {
		tb.Fatal(err)
	}
	var facts []*doctype.Facts
	for _, name := range slices.Sorted(maps.Keys(siteFacts)) {
		f, err := doctype.ParseFacts([]byte(siteFacts[name]))
		if err != nil {
			tb.Fatal(err)
		}
		facts = append(facts, f)
	}
	w := &localWorld{tb: tb, db: postgrestest.New(tb), erp: &fakeERP{tb: tb, docs: map[string][]fakeDoc{}}}
	w.reg, _, err = doctype.Build(cfg, facts, []*ast.Source{{Name: "schema/app/app.graphqls", Input: appSDL}})
	if err != nil {
		tb.Fatal(err)
	}
	if err := w.db.CheckColumns(tb.Context(), w.reg.Types()); err != nil {
		tb.Fatal(err)
	}
	for _, name := range []string{"Grant", "West", "Ünal"} {
		w.erp.put("Customer", name, "Administrator", nil)
	}
	for _, name := range []string{"Bearing", "Pump"} {
		w.erp.put("Item", name, "Administrator", nil)
	}
	w.erp.put("User", "tom@example.com", "Administrator", nil)
	return w
}

func (w *localWorld) typ(name string) *doctype.Type { return w.reg.ByName(name) }

func (w *localWorld) sql(text string, args ...any) {
	w.tb.Helper()
	if _, err := w.db.Pool().Exec(w.tb.Context(), text, args...); err != nil {
		w.tb.Fatal(err)
	}
}

// value reads one value as text.
func (w *localWorld) value(text string, args ...any) string {
	w.tb.Helper()
	var out *string
	if err := w.db.Pool().QueryRow(w.tb.Context(), text, args...).Scan(&out); err != nil {
		w.tb.Fatal(err)
	}
	if out == nil {
		return "null"
	}
	return *out
}

// rows counts the rows of a table.
func (w *localWorld) rows(table string) string {
	w.tb.Helper()
	return w.value("select count(*)::text from " + table)
}

// rowID is a readable id: rowID(3) ends in 3.
func rowID(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }

// seed stores a contract of Grant (1) and one of West (2), with a visit each (11, 12).
func (w *localWorld) seed() *localWorld {
	w.tb.Helper()
	for i, customer := range []string{"Grant", "West"} {
		w.sql(`insert into service_contract (id, customer, item, status, start_date, monthly_fee) values ($1, $2, 'Pump', 'ACTIVE', '2026-01-01', 100)`, rowID(i+1), customer)
		w.sql(`insert into service_visit (id, contract, technician, visited_at) values ($1, $2, 'tom@example.com', '2026-02-01Z')`, rowID(11+i), rowID(i+1))
	}
	return w
}

// person is a caller: who he is, and which documents he may read.
type person struct {
	w     *localWorld
	user  *frappe.User
	reads map[string][]string // by DocType; one that is missing is forbidden
	err   error               // what ERPNext says of the credential
	after func(context.Context)
	lease time.Duration
	busy  time.Duration
	hides bool // ERPNext lists none of the person's own documents
	// levels is what ERPNext says instead of who may write which fields.
	levels error
	// uncounted is what ERPNext says instead of an unchecked count.
	uncounted error
}

// ada sells to Grant and Ünal, and manages.
func (w *localWorld) ada() *person {
	return &person{w: w, user: &frappe.User{Name: "ada@example.com", FullName: "Ada", Roles: []string{"Sales User", "Sales Manager"}}, reads: map[string][]string{
		"Customer": {"Grant", "Ünal"}, "Item": {"Bearing", "Pump"}, "User": {"tom@example.com"}, "Sales Invoice": nil,
	}}
}

// bob sells to West alone.
func (w *localWorld) bob() *person {
	p := w.ada()
	p.user = &frappe.User{Name: "bob@example.com", FullName: "Bob", Roles: []string{"Sales User"}}
	p.reads["Customer"] = []string{"West"}
	return p
}

// eve sees what ada sees, and may change nothing.
func (w *localWorld) eve() *person {
	p := w.ada()
	p.user = &frappe.User{Name: "eve@example.com", FullName: "Eve", Roles: []string{"Guest"}}
	return p
}

// writer starts a mutation field of the person.
func (p *person) writer(key string) *write.Writer {
	up := &personalERP{person: p}
	cfg := write.Config{
		Registry: p.w.reg, Upstream: up, Local: p.w.db, AfterCall: p.after, Lease: p.lease, Busy: cmp.Or(p.busy, time.Nanosecond),
		Site: loaders.NewSite(func(context.Context) (*time.Location, error) { return time.UTC, nil }),
	}
	set := loaders.NewSet(loaders.Config{Registry: p.w.reg, Upstream: up, Local: p.w.db, Callers: p, Site: cfg.Site}, frappe.Credential{})
	return write.New(cfg).For(set, key, nil)
}

func (p *person) Who(context.Context, frappe.Credential) (*frappe.User, error) { return p.user, p.err }
func (p *person) Forget(frappe.Credential)                                     {}

// fakeERP holds documents by DocType, and notes the calls.
type fakeERP struct {
	tb    testing.TB
	mu    sync.Mutex
	docs  map[string][]fakeDoc
	calls []string
	// insert runs before a document is stored; its error refuses it. lost is the error of an
	// insert that was made all the same.
	insert, lost func(doctype string) error
	// onList runs before a list.
	onList func(doctype string)
}

type fakeDoc map[string]any

func (e *fakeERP) put(doctypeName, name, owner string, values map[string]any) fakeDoc {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := time.Date(2026, 3, 1, 8, 0, len(e.docs[doctypeName]), 0, time.UTC).Format("2006-01-02 15:04:05.000000")
	doc := fakeDoc{"name": name, "owner": owner, "creation": at, "modified": at, "docstatus": 0}
	maps.Copy(doc, values)
	e.docs[doctypeName] = append(e.docs[doctypeName], doc)
	return doc
}

func (e *fakeERP) notef(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, fmt.Sprintf(format, args...))
}

// called are the calls since it was last asked.
func (e *fakeERP) called() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := slices.Sorted(slices.Values(e.calls))
	e.calls = nil
	return strings.Join(out, ", ")
}

func (e *fakeERP) names(doctypeName string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, d := range e.docs[doctypeName] {
		out = append(out, fmt.Sprint(d["name"]))
	}
	return strings.Join(out, " ")
}

// personalERP is ERPNext as it shows itself to one person.
type personalERP struct {
	write.Upstream // what is not needed
	person         *person
}

func (p *personalERP) List(_ context.Context, _ frappe.Credential, q frappe.ListQuery) (*frappe.Table, error) {
	e := p.person.w.erp
	e.notef("list %s", q.DocType)
	if e.onList != nil {
		e.onList(q.DocType)
	}
	names, ok := p.person.reads[q.DocType]
	if !ok {
		return nil, apierror.New(apierror.Forbidden, "no permission")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	docs := slices.DeleteFunc(slices.Clone(e.docs[q.DocType]), func(d fakeDoc) bool {
		mine := d["owner"] == p.person.user.Name && !p.person.hides || slices.Contains(names, fmt.Sprint(d["name"]))
		return !mine || !d.fits(q.Filters)
	})
	for _, o := range slices.Backward(q.OrderBy) {
		slices.SortStableFunc(docs, func(a, b fakeDoc) int {
			n := cmp.Compare(fmt.Sprint(a[o.Field]), fmt.Sprint(b[o.Field]))
			if o.Desc {
				return -n
			}
			return n
		})
	}
	if q.Limit > 0 && len(docs) > q.Limit {
		docs = docs[:q.Limit]
	}
	t := &frappe.Table{}
	for _, c := range q.Columns {
		t.Columns = append(t.Columns, c.Key())
	}
	for _, d := range docs {
		cells := make([]jsontext.Value, len(t.Columns))
		for i, c := range t.Columns {
			cells[i] = asJSON(d[c])
		}
		t.Rows = append(t.Rows, cells)
	}
	return t, nil
}

func (p *personalERP) CountUnchecked(_ context.Context, _ frappe.Credential, doctypeName string, filters []frappe.Filter) (int64, error) {
	e := p.person.w.erp
	e.notef("count %s", doctypeName)
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.person.uncounted != nil {
		return 0, p.person.uncounted
	}
	return int64(len(slices.DeleteFunc(slices.Clone(e.docs[doctypeName]), func(d fakeDoc) bool { return !d.fits(filters) }))), nil
}

// fits compares as MariaDB does, as far as case and trailing blanks go.
func (d fakeDoc) fits(filters []frappe.Filter) bool {
	for _, f := range filters {
		have := fmt.Sprint(d[f.Field])
		var ok bool
		switch f.Op {
		case frappe.OpEq:
			ok = strings.EqualFold(have, strings.TrimRight(fmt.Sprint(f.Value), " "))
		case frappe.OpGt:
			ok = have > fmt.Sprint(f.Value)
		case frappe.OpGte:
			ok = have >= fmt.Sprint(f.Value)
		case frappe.OpIn:
			list, _ := f.Value.([]any)
			ok = slices.ContainsFunc(list, func(v any) bool { return loaders.Fold(fmt.Sprint(v)) == loaders.Fold(have) })
		default:
			panic("the fake has no operator " + string(f.Op))
		}
		if !ok {
			return false
		}
	}
	return true
}

func (p *personalERP) Document(_ context.Context, _ frappe.Credential, doctypeName, name string) (map[string]jsontext.Value, error) {
	e := p.person.w.erp
	e.notef("read %s", doctypeName)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.docs[doctypeName] {
		if d["name"] == name {
			return d.raw(), nil
		}
	}
	return nil, &frappe.Error{Code: apierror.NotFound, Status: 404}
}

// asJSON is nil for what JSON does not have.
func asJSON(v any) jsontext.Value {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

func (d fakeDoc) raw() map[string]jsontext.Value {
	out := map[string]jsontext.Value{}
	for k, v := range d {
		out[k] = asJSON(v)
	}
	return out
}

func (p *personalERP) Insert(_ context.Context, _ frappe.Credential, doctypeName string, values map[string]any) (*frappe.Written, error) {
	e := p.person.w.erp
	e.notef("insert %s", doctypeName)
	if e.insert != nil {
		if err := e.insert(doctypeName); err != nil {
			return nil, err
		}
	}
	name := fmt.Sprintf("INV-%d", len(e.docs[doctypeName])+1)
	doc := e.put(doctypeName, name, p.person.user.Name, values)
	if e.lost != nil {
		if err := e.lost(doctypeName); err != nil {
			return nil, err
		}
	}
	return &frappe.Written{Name: name, Document: doc.raw()}, nil
}

func (p *personalERP) Levels(context.Context, frappe.Credential, string) (*frappe.Levels, error) {
	return &frappe.Levels{}, p.person.levels
}

// told is an error as a client sees it: code, field and message.
func told(err error) string {
	if err == nil {
		return ""
	}
	e, ok := apierror.As(err)
	if !ok {
		return "INTERNAL " + err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Code, e.Field, e.Message))
}
