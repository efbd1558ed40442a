package doctype_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/doctype"
)

const liveSDL = `
type Contract implements Node @table @access(public: true) {
  id: ID!
  customer: Customer! @link(onDelete: CASCADE)
  payer: Customer @link(onDelete: NULL) @column(name: "paid_by")
  follows: Contract @link(onDelete: RESTRICT)
}
type Visit implements Node @table @access(public: true) {
  id: ID!
  contract: Contract! @link
  customer: Customer @link
}
`

// live builds a graph with a type of each source.
func live(t *testing.T) *doctype.Registry {
	t.Helper()
	reg, _ := mustBuild(t, "doctypes: {Sales Order: {}, Customer: {}, Stock Settings: {}}", []string{
		`{"name": "Customer"}`, `{"name": "Stock Settings", "issingle": 1}`, `{"name": "Sales Order Item", "istable": 1}`,
		`{"name": "Sales Order", "is_submittable": 1, "fields": [{"fieldname": "items", "fieldtype": "Table", "options": "Sales Order Item"}]}`,
	}, liveSDL)
	return reg
}

func TestLiveNames(t *testing.T) {
	t.Parallel()
	reg := live(t)
	for name, want := range map[string][]string{
		"SalesOrder":     {"salesOrderChanged", "salesOrdersLive"},
		"StockSettings":  {"stockSettingsChanged"},
		"SalesOrderItem": nil,
		"Contract":       {"contractChanged", "contractsLive"},
	} {
		if diff := cmp.Diff(want, reg.ByName(name).SubscriptionRoots()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	order := reg.ByName("SalesOrder")
	if diff := cmp.Diff([]string{"SalesOrderChange", "SalesOrderListChange"}, []string{order.Change(), order.ListChange()}); diff != "" {
		t.Error(diff)
	}
}

// All DocTypes that have documents of their own are watched; child rows and local types
// are not.
func TestWatched(t *testing.T) {
	t.Parallel()
	want := []doctype.WatchedDocType{
		{Name: "Customer"},
		{Name: "Sales Order", Submittable: true},
		{Name: "Stock Settings", Single: true},
	}
	if diff := cmp.Diff(want, live(t).Watched()); diff != "" {
		t.Error(diff)
	}
}

func TestLinksTo(t *testing.T) {
	t.Parallel()
	reg := live(t)
	for key, want := range map[string][]string{
		"Customer":    {"Contract.customer CASCADE", "Contract.paid_by NULL", "Visit.customer KEEP"},
		"Contract":    {"Contract.follows RESTRICT", "Visit.contract KEEP"},
		"Sales Order": nil,
		"Nothing":     nil,
	} {
		var got []string
		for _, l := range reg.LinksTo(key) {
			got = append(got, l.Type.Name+"."+l.Field.Column+" "+l.Field.OnDelete)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}
