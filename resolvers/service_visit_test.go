package resolvers_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/apierror"
	"erpgraph/internal/doctype"
	"erpgraph/internal/engine"
	"erpgraph/internal/frappe"
	"erpgraph/internal/postgres"
	"erpgraph/internal/postgres/postgrestest"
	"erpgraph/internal/write"
	"erpgraph/loaders"
	"erpgraph/resolvers"
	"erpgraph/schema"
)

const (
	contractID = "00000000-0000-0000-0000-000000000001"
	visitID    = "00000000-0000-0000-0000-000000000002"
)

// visits is the app's database with a planned visit, and an ERPNext that takes invoices.
type visits struct {
	write.Upstream // what is not needed

	db   *postgres.DB
	reg  *doctype.Registry
	user *frappe.User

	mu       sync.Mutex
	key      string // the idempotency key of the next field
	hidden   bool   // the customer is not the caller's
	down     error  // what ERPNext says to all reads
	refuse   error  // what ERPNext has against an invoice
	after    func(context.Context)
	invoices []map[string]any
	shown    *write.Result
}

func newVisits(t *testing.T) *visits {
	t.Helper()
	reg, _, err := doctype.Load(schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	v := &visits{db: postgrestest.New(t), reg: reg, user: &frappe.User{Name: "ada@example.com", Roles: []string{"Sales User", "Accounts User"}}}
	v.sql(t, `insert into service_contract (id, customer, item, start_date, monthly_fee) values ($1, 'Grant', 'Pump', '2026-01-01', 49.90)`, contractID)
	v.sql(t, `insert into service_visit (id, contract, technician, visited_at) values ($1, $2, 'tom@example.com', '2026-02-01Z')`, visitID, contractID)
	return v
}

func (v *visits) sql(t *testing.T, text string, args ...any) {
	t.Helper()
	if _, err := v.db.Pool().Exec(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

// tells is what the visit tells of itself.
func (v *visits) tells(t *testing.T) string {
	t.Helper()
	var out string
	err := v.db.Pool().QueryRow(t.Context(), `select concat_ws('|', status, report, invoice_state, invoice, invoice_problem) from service_visit where id = $1`, visitID).Scan(&out)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (v *visits) Resolve(context.Context) (*engine.Result, error) { return nil, nil }

func (v *visits) Subscribe(context.Context) (<-chan *engine.Result, error) { return nil, nil }

func (v *visits) Writer(context.Context) (*write.Writer, error) {
	site := loaders.NewSite(func(context.Context) (*time.Location, error) { return time.UTC, nil })
	set := loaders.NewSet(loaders.Config{Registry: v.reg, Upstream: v, Local: v.db, Callers: v, Site: site}, frappe.Credential{})
	return write.New(write.Config{Registry: v.reg, Upstream: v, Local: v.db, Site: site, AfterCall: v.after}).For(set, v.key, nil), nil
}

func (v *visits) Written(_ context.Context, r *write.Result) (*engine.Result, error) {
	v.shown = r
	return nil, nil
}

func (v *visits) Who(context.Context, frappe.Credential) (*frappe.User, error) { return v.user, nil }
func (v *visits) Forget(frappe.Credential)                                     {}

func (v *visits) Levels(context.Context, frappe.Credential, string) (*frappe.Levels, error) {
	return &frappe.Levels{}, nil
}

// List gives the customer, and the invoices that were made.
func (v *visits) List(_ context.Context, _ frappe.Credential, q frappe.ListQuery) (*frappe.Table, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.down != nil {
		return nil, v.down
	}
	docs := map[string][]map[string]any{"Customer": {{"name": "Grant", "owner": "x"}}, "Sales Invoice": v.invoices}[q.DocType]
	if v.hidden {
		docs = nil
	}
	t := &frappe.Table{}
	for _, c := range q.Columns {
		t.Columns = append(t.Columns, c.Key())
	}
	for _, d := range docs {
		if slices.ContainsFunc(q.Filters, func(f frappe.Filter) bool {
			return f.Field == "creation" && fmt.Sprint(d["creation"]) <= fmt.Sprint(f.Value)
		}) {
			continue
		}
		var err error
		cells := make([]jsontext.Value, len(t.Columns))
		for i, c := range t.Columns {
			if cells[i], err = json.Marshal(d[c]); err != nil {
				return nil, err
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	return t, nil
}

func (v *visits) Insert(_ context.Context, _ frappe.Credential, _ string, values map[string]any) (*frappe.Written, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.refuse != nil {
		return nil, v.refuse
	}
	n := len(v.invoices) + 1
	name := fmt.Sprintf("INV-%d", n)
	doc := map[string]any{"name": name, "owner": v.user.Name, "creation": fmt.Sprintf("2026-03-01 08:00:%02d", n)}
	maps.Copy(doc, values)
	v.invoices = append(v.invoices, doc)
	return &frappe.Written{Name: name, Messages: []string{"drafted"}}, nil
}

// billed are the items of the invoices that were made.
func (v *visits) billed(t *testing.T) string {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []string
	for _, doc := range v.invoices {
		text, err := json.Marshal([]any{doc["customer"], doc["items"]})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return strings.Join(out, " ")
}

// run runs a mutation as gqlgen would; its error is that of the field, or the one added.
func (v *visits) run(t *testing.T, field func(context.Context, resolvers.Resolver) (*engine.Result, error)) error {
	t.Helper()
	v.shown = nil
	ctx := graphql.WithResponseContext(t.Context(), graphql.DefaultErrorPresenter, graphql.DefaultRecover)
	_, err := field(ctx, resolvers.Resolver{Engine: v, Now: time.Now})
	if added := graphql.GetErrors(ctx); err == nil && len(added) > 0 {
		return added[0].Unwrap()
	}
	return err
}

func (v *visits) complete(t *testing.T, id, report string, invoice bool) error {
	t.Helper()
	return v.run(t, func(ctx context.Context, r resolvers.Resolver) (*engine.Result, error) {
		return r.Mutation().CompleteServiceVisit(ctx, id, report, invoice)
	})
}

func (v *visits) retry(t *testing.T) error {
	t.Helper()
	return v.run(t, func(ctx context.Context, r resolvers.Resolver) (*engine.Result, error) {
		return r.Mutation().RetryServiceVisitInvoice(ctx, visitID)
	})
}

func TestCompleteServiceVisit(t *testing.T) {
	t.Parallel()
	const part = `insert into service_visit_part (visit, item, qty, rate) values ('` + visitID + `', `
	for name, tt := range map[string]struct {
		sql     string
		id      string
		invoice bool
		code    apierror.Code
		tells   string
		billed  string
	}{
		"without an invoice":  {tells: "DONE|all well"},
		"by the graph's id":   {id: "U2VydmljZVZpc2l0ADAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMg", tells: "DONE|all well"},
		"by the monthly fee":  {invoice: true, tells: "DONE|all well|DONE|INV-1", billed: `["Grant",[{"item_code":"Pump","qty":1,"rate":49.9}]]`},
		"by the parts":        {sql: part + `'Seal', 2, 9.90), ('` + visitID + `', 'Oil', 0.5, null)`, invoice: true, tells: "DONE|all well|DONE|INV-1", billed: `["Grant",[{"item_code":"Seal","qty":2,"rate":9.9}]]`},
		"nothing to bill":     {sql: `update service_contract set monthly_fee = 0`, invoice: true, code: apierror.Validation, tells: "PLANNED"},
		"cancelled":           {sql: `update service_visit set status = 'CANCELLED'`, code: apierror.Validation, tells: "CANCELLED"},
		"done":                {sql: `update service_visit set status = 'DONE'`, code: apierror.Validation, tells: "DONE"},
		"no such visit":       {id: contractID, code: apierror.NotFound, tells: "PLANNED"},
		"no id":               {id: "x", code: apierror.NotFound, tells: "PLANNED"},
		"an id of a contract": {id: "U2VydmljZUNvbnRyYWN0ADAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMg", code: apierror.NotFound, tells: "PLANNED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisits(t)
			if tt.sql != "" {
				v.sql(t, tt.sql)
			}
			err := v.complete(t, cmp.Or(tt.id, visitID), "all well", tt.invoice)
			if apierror.CodeOf(err) != tt.code || (v.shown == nil) != (err != nil) {
				t.Errorf("got %v, shown %+v", err, v.shown)
			}
			if got := v.tells(t); got != tt.tells {
				t.Errorf("tells %s, want %s", got, tt.tells)
			}
			if got := v.billed(t); got != tt.billed {
				t.Errorf("billed %s, want %s", got, tt.billed)
			}
		})
	}
}

// Who may not write visits, or not see this one, changes nothing.
func TestCompleteServiceVisitOfOthers(t *testing.T) {
	t.Parallel()
	v := newVisits(t)
	v.hidden = true
	if err := v.complete(t, visitID, "x", true); apierror.CodeOf(err) != apierror.NotFound {
		t.Errorf("out of sight: %v", err)
	}
	v.hidden, v.user = false, &frappe.User{Name: "eve@example.com", Roles: []string{"Guest"}}
	if err := v.complete(t, visitID, "x", true); apierror.CodeOf(err) != apierror.Forbidden {
		t.Errorf("without the role: %v", err)
	}
	if got := v.tells(t) + v.billed(t); got != "PLANNED" {
		t.Errorf("tells %s", got)
	}
}

// The visit is closed whether or not ERPNext takes the invoice, which can be tried again.
func TestInvoiceIsRetried(t *testing.T) {
	t.Parallel()
	v := newVisits(t)
	v.refuse = &frappe.Error{Code: apierror.Validation, Message: "Pump is disabled"}
	if err := v.complete(t, visitID, "done", true); err != nil || v.shown == nil {
		t.Errorf("got %v", err)
	}
	if got, want := v.tells(t), "DONE|done|FAILED|Pump is disabled"; got != want {
		t.Errorf("tells %s, want %s", got, want)
	}
	v.refuse = &frappe.Error{Code: apierror.Unauthenticated}
	if err := v.retry(t); apierror.CodeOf(err) != apierror.Unauthenticated || v.shown != nil {
		t.Errorf("got %v", err)
	}
	if got, want := v.tells(t), "DONE|done|FAILED|Pump is disabled"; got != want {
		t.Errorf("tells %s, want %s", got, want)
	}
	v.refuse, v.user.Name = nil, "bob@example.com"
	if err := v.retry(t); err != nil || v.shown == nil || !slices.Equal(v.shown.Messages, []string{"drafted"}) {
		t.Errorf("got %v, %+v", err, v.shown)
	}
	if got, want := v.tells(t), "DONE|done|DONE|INV-1"; got != want {
		t.Errorf("tells %s, want %s", got, want)
	}
}

func TestRetryWithoutAnInvoice(t *testing.T) {
	t.Parallel()
	v := newVisits(t)
	if err := v.retry(t); apierror.CodeOf(err) != apierror.NotFound {
		t.Errorf("got %v", err)
	}
}

// The same request again answers the same, and one that was cut off before its invoice was
// drafted ends then.
func TestCompleteServiceVisitAgain(t *testing.T) {
	t.Parallel()
	v := newVisits(t)
	v.key = "k"
	v.refuse = &frappe.Error{Code: apierror.Unauthenticated}
	if err := v.complete(t, visitID, "done", true); apierror.CodeOf(err) != apierror.Unauthenticated || v.shown == nil || v.shown.Name != visitID {
		t.Errorf("got %v, shown %+v", err, v.shown) // closed it is
	}
	v.refuse = nil
	for range 2 {
		if err := v.complete(t, visitID, "done", true); err != nil || v.shown == nil || v.shown.Name != visitID {
			t.Errorf("again: %v, %+v", err, v.shown)
		}
	}
	if got, want := v.tells(t), "DONE|done|DONE|INV-1"; got != want {
		t.Errorf("tells %s, want %s", got, want)
	}
	if err := v.complete(t, visitID, "something else", true); apierror.CodeOf(err) != apierror.BadUserInput {
		t.Errorf("another report: %v", err)
	}
	v.hidden = true
	if err := v.complete(t, visitID, "done", true); err != nil || v.shown == nil {
		t.Errorf("out of sight: %v", err)
	}
	v.hidden, v.down = false, &frappe.Error{Code: apierror.UpstreamUnavailable}
	if err := v.complete(t, visitID, "done", true); apierror.CodeOf(err) != apierror.UpstreamUnavailable || v.shown == nil {
		t.Errorf("out of reach: %v, shown %+v", err, v.shown)
	}
	v.down, v.key = nil, ""
	if err := v.complete(t, visitID, "done", true); apierror.CodeOf(err) != apierror.Validation {
		t.Errorf("without the key: %v", err)
	}
	if v.billed(t) != `["Grant",[{"item_code":"Pump","qty":1,"rate":49.9}]]` {
		t.Errorf("billed %s", v.billed(t))
	}
}

// Of two who close a visit at once, one does.
func TestCompleteServiceVisitAtOnce(t *testing.T) {
	t.Parallel()
	v := newVisits(t)
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			w, err := v.Writer(t.Context())
			if err == nil {
				_, err = resolvers.CompleteVisit(t.Context(), w, visitID, fmt.Sprint(i), true)
			}
			errs[i] = err
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		switch apierror.CodeOf(err) {
		case "":
			won++
		case apierror.Conflict, apierror.Validation:
		default:
			t.Errorf("got %v", err)
		}
	}
	if won != 1 || len(v.invoices) != 1 {
		t.Errorf("%d won, billed %s: %v", won, v.billed(t), errors.Join(errs...))
	}
}
