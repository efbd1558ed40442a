package loaders_test

import (
	"context"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"erpgraph/internal/criteria"
	"erpgraph/internal/doctype"
	"erpgraph/internal/frappe"
	"erpgraph/loaders"
)

// upstream answers lists by a function and notes what it was asked.
type upstream struct {
	loaders.Upstream
	list func(q frappe.ListQuery) ([]map[string]string, error)

	mu    sync.Mutex
	lists []frappe.ListQuery
}

func (u *upstream) List(_ context.Context, _ frappe.Credential, q frappe.ListQuery) (*frappe.Table, error) {
	u.mu.Lock()
	u.lists = append(u.lists, q)
	u.mu.Unlock()
	t := &frappe.Table{}
	for _, c := range q.Columns {
		t.Columns = append(t.Columns, c.Key())
	}
	if u.list == nil {
		return t, nil
	}
	rows, err := u.list(q)
	for _, r := range rows {
		cells := make([]jsontext.Value, len(t.Columns))
		for i, c := range t.Columns {
			if v, ok := r[c]; ok {
				cells[i] = jsontext.Value(v)
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	return t, err
}

// callers answers one user or error, and notes how often it was asked and told to forget.
type callers struct {
	user *frappe.User
	err  error

	mu            sync.Mutex
	asked, forgot int
}

func (c *callers) Who(context.Context, frappe.Credential) (*frappe.User, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.user, c.err
}

func (c *callers) Forget(frappe.Credential) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgot++
}

var (
	customer = &doctype.Type{Name: "Customer", Key: "Customer", Source: doctype.Upstream, Fields: []*doctype.Field{
		{Name: "name", Column: "name", Standard: true},
		{Name: "customerName", Column: "customer_name", Nullable: true},
	}}
	order = &doctype.Type{Name: "SalesOrder", Key: "Sales Order", Source: doctype.Upstream, Fields: []*doctype.Field{
		{Name: "name", Column: "name", Standard: true},
		{Name: "customer", Column: "customer", Kind: doctype.Link, Target: "Customer", Nullable: true},
		{Name: "poNo", Column: "po_no", Nullable: true},
		{Name: "title", Column: "title"},
		{Name: "total", Column: "total", Kind: doctype.Decimal},
		{Name: "due", Column: "due", Kind: doctype.Date, Nullable: true},
		{Name: "at", Column: "at", Kind: doctype.DateTime},
	}}
	registry = doctype.NewRegistry([]*doctype.Type{customer, order})
)

func newSet(tb testing.TB, u *upstream, bend func(*loaders.Config)) *loaders.Set {
	tb.Helper()
	cfg := loaders.Config{Registry: registry, Upstream: u}
	if bend != nil {
		bend(&cfg)
	}
	return loaders.NewSet(cfg, frappe.Credential{})
}

func orderedBy(keys ...string) []criteria.Order {
	var out []criteria.Order
	for _, k := range keys {
		desc := k[0] == '-'
		if desc {
			k = k[1:]
		}
		out = append(out, criteria.Order{Field: order.ByColumn(k), Desc: desc})
	}
	return out
}

func values(texts ...string) []jsontext.Value {
	out := make([]jsontext.Value, len(texts))
	for i, s := range texts {
		out[i] = jsontext.Value(s)
	}
	return out
}
