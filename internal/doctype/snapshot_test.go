package doctype_test

import (
	"testing"

	"erpgraph/internal/doctype"
)

// What is kept as a title is what the graph shows to whoever may read the document.
func TestSnapshotTitle(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		field, settings, want string
	}{
		"a plain text":                {field: `"fieldtype": "Data"`, want: "label"},
		"a text with a permlevel":     {field: `"fieldtype": "Data", "permlevel": 1`},
		"a text of any length":        {field: `"fieldtype": "Text Editor"`},
		"no text":                     {field: `"fieldtype": "Int"`},
		"a password":                  {field: `"fieldtype": "Password"`},
		"hidden in ERPNext's forms":   {field: `"fieldtype": "Data", "hidden": 1`},
		"brought back by settings":    {field: `"fieldtype": "Data", "hidden": 1`, settings: "include_hidden: [label]", want: "label"},
		"left out by settings":        {field: `"fieldtype": "Data"`, settings: "hide: [label]"},
		"under another name":          {field: `"fieldtype": "Data"`, settings: "rename: {label: words}", want: "label"},
		"a field that does not exist": {field: `"fieldtype": "Data", "fieldname": "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := `{"name": "Customer", "title_field": "label", "fields": [{"fieldname": "label", ` + tt.field + `}]}`
			reg, _ := mustBuild(t, "doctypes: {Customer: {"+tt.settings+"}}", []string{facts},
				`type Deal implements Node @table @access(public: true) { id: ID! customer: Customer @link(snapshot: true) agent: Customer @link }`)
			if got := reg.ByKey("Customer").SnapshotTitle(); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestSnapshotLinks(t *testing.T) {
	t.Parallel()
	reg, _ := mustBuild(t, "doctypes: {Customer: {}, User: {}}", []string{thing("Customer"), thing("User")},
		`type Deal implements Node @table @access(public: true) {
			id: ID!
			customer: Customer @link(snapshot: true)
			agent: Customer @link(snapshot: false)
			owner: User @link(snapshot: null)
		}`)
	deal := reg.ByKey("Deal")
	if f := deal.SnapshotByName("customerSnapshot"); f == nil || f != deal.Field("customer") || f.Create != doctype.Optional {
		t.Errorf("%+v", f)
	}
	for _, name := range []string{"agentSnapshot", "ownerSnapshot", "customer"} {
		if f := deal.SnapshotByName(name); f != nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
	links := reg.SnapshotLinks()
	if len(links) != 1 || len(links["Customer"]) != 1 || len(deal.SnapshotLinks()) != 1 || !reg.KeepsSnapshots("Customer") || reg.KeepsSnapshots("User") {
		t.Errorf("%+v", links)
	}
}
