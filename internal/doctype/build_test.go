package doctype_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
)

// build makes a graph of settings, facts (JSON) and an app's SDL.
func build(t *testing.T, settings string, facts []string, app ...string) (*doctype.Registry, *doctype.Report, error) {
	t.Helper()
	cfg, err := doctype.ParseConfig([]byte(settings))
	if err != nil {
		t.Fatal(err)
	}
	var all []*doctype.Facts
	for _, raw := range facts {
		f, err := doctype.ParseFacts([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	var sources []*ast.Source
	for _, sdl := range app {
		sources = append(sources, &ast.Source{Name: "schema/app/app.graphqls", Input: sdl})
	}
	return doctype.Build(cfg, all, sources)
}

func mustBuild(t *testing.T, settings string, facts []string, app ...string) (*doctype.Registry, *doctype.Report) {
	t.Helper()
	reg, report, err := build(t, settings, facts, app...)
	if err != nil {
		t.Fatal(err)
	}
	return reg, report
}

// serviceFacts are DocTypes of a recorded site: one of them has every fieldtype.
func serviceFacts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no facts: %v", err)
	}
	var all []string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(raw))
	}
	return all
}

func TestBuildEveryFieldtype(t *testing.T) {
	t.Parallel()
	reg, report := mustBuild(t, "doctypes: {Service Ticket: {}, Service Tag: {}}", serviceFacts(t))
	ticket := reg.ByKey("Service Ticket")
	type got struct {
		Kind              doctype.Kind
		Type              string
		NonNull, Nullable bool
		PermLevel         int
		Long              bool
	}
	for name, want := range map[string]got{
		"id":               {Kind: doctype.ID, Type: "ID", NonNull: true},
		"name":             {Type: "String", NonNull: true},
		"creation":         {Kind: doctype.DateTime, Type: "DateTime"},
		"modifiedBy":       {Type: "String", Nullable: true},
		"docstatus":        {Kind: doctype.Int, Type: "Int"},
		"subject":          {Type: "String", Nullable: true},
		"customer":         {Type: "String", Nullable: true}, // its target is not in this graph
		"status":           {Kind: doctype.Enum, Type: "ServiceTicketStatus", Nullable: true},
		"isBillable":       {Kind: doctype.Boolean, Type: "Boolean"},
		"dueDate":          {Kind: doctype.Date, Type: "Date", Nullable: true},
		"openedAt":         {Kind: doctype.DateTime, Type: "DateTime", Nullable: true},
		"visitTime":        {Kind: doctype.Time, Type: "Time", Nullable: true},
		"sla":              {Kind: doctype.Duration, Type: "Int", Nullable: true},
		"amount":           {Kind: doctype.Decimal, Type: "Decimal"},
		"hours":            {Kind: doctype.Float, Type: "Float"},
		"visits":           {Kind: doctype.Int, Type: "Int"},
		"completion":       {Kind: doctype.Float, Type: "Float"},
		"rating":           {Kind: doctype.Rating, Type: "Float", Nullable: true},
		"lines":            {Kind: doctype.Table, Type: "ServiceTicketLine", NonNull: true},
		"tags":             {Kind: doctype.Table, Type: "ServiceTicketTag", NonNull: true},
		"notes":            {Type: "String", Nullable: true, Long: true},
		"summary":          {Type: "String", Nullable: true, Long: true},
		"longText":         {Type: "String", Nullable: true, Long: true},
		"md":               {Type: "String", Nullable: true, Long: true},
		"html":             {Type: "String", Nullable: true, Long: true},
		"script":           {Type: "String", Nullable: true, Long: true},
		"payload":          {Kind: doctype.JSON, Type: "JSON", Nullable: true, Long: true},
		"attachment":       {Kind: doctype.URL, Type: "URL", Nullable: true, Long: true},
		"photo":            {Kind: doctype.URL, Type: "URL", Nullable: true, Long: true},
		"signature":        {Type: "String", Nullable: true, Long: true},
		"location":         {Kind: doctype.JSON, Type: "JSON", Nullable: true, Long: true},
		"color":            {Type: "String", Nullable: true},
		"phone":            {Type: "String", Nullable: true},
		"barcode":          {Type: "String", Nullable: true, Long: true},
		"autoc":            {Type: "String", Nullable: true},
		"icon":             {Type: "String", Nullable: true},
		"referenceDoctype": {Type: "String", Nullable: true},
		"referenceName":    {Kind: doctype.DynamicLink, Type: "Document", Nullable: true},
		"internalCost":     {Kind: doctype.Decimal, Type: "Decimal", PermLevel: 1},
	} {
		f := ticket.Field(name)
		if f == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if diff := cmp.Diff(want, got{f.Kind, f.GraphQLType, f.NonNull, f.Nullable, f.PermLevel, f.Long}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, absent := range []string{"secret", "heading", "helpHtml", "doIt", "detailsTab", "internalToken"} {
		if ticket.Field(absent) != nil {
			t.Errorf("%s is in the graph", absent)
		}
	}
	wantStatus := []doctype.Pair{{"OPEN", "Open"}, {"IN_PROGRESS", "In Progress"}, {"ON_HOLD", "On Hold"}, {"CLOSED", "Closed"}}
	if diff := cmp.Diff(wantStatus, ticket.Field("status").Enum); diff != "" {
		t.Error(diff)
	}
	if got := ticket.Field("referenceName").Options; got != "reference_doctype" {
		t.Errorf("referenceName's DocType is in %q", got)
	}
	if got := reg.ByKey("Service Ticket Tag").Field("tag").Target; got != "Service Tag" {
		t.Errorf("the tag row links to %q", got)
	}
	if ticket.ByColumn("is_billable") != ticket.Field("isBillable") {
		t.Error("fields are not found by column")
	}
	for reason, want := range map[doctype.Reason]int{
		doctype.ReasonPassword: 1, doctype.ReasonHidden: 1,
	} {
		if got := report.LeftFor(reason); got != want {
			t.Errorf("%d fields left out as %q, want %d", got, reason, want)
		}
	}
}

// thing is a DocType of the given fields.
func thing(name string, fields ...string) string {
	return `{"name": "` + name + `", "fields": [` + strings.Join(fields, ",") + `]}`
}

func field(name, fieldtype, more string) string {
	return `{"fieldname": "` + name + `", "fieldtype": "` + fieldtype + `"` + more + `}`
}

func TestBuildResolvesClashes(t *testing.T) {
	t.Parallel()
	facts := []string{
		thing("Sales Order", field("foo_bar", "Data", ""), field("fooBar", "Data", ""), field("id", "Data", ""), field("or", "Int", "")),
		thing("SalesOrder"),
		thing("Series", field("kind", "Select", `, "options": "a b\na-b\n\na b"`)),
		thing("Date"),
		thing("Node"),
	}
	reg, report := mustBuild(t, "doctypes: {Sales Order: {}, SalesOrder: {}, Series: {}, Date: {}, Node: {}}", facts)
	for key, want := range map[string][3]string{
		"Sales Order": {"SalesOrder", "salesOrder", "salesOrders"},
		"SalesOrder":  {"SalesOrder2", "salesOrder2", "salesOrders2"},
		"Series":      {"Series", "series", "seriesList"},
		"Date":        {"DateDoc", "date", "dates"},
		"Node":        {"NodeDoc", "nodeDoc", "nodesDoc"},
	} {
		typ := reg.ByKey(key)
		if diff := cmp.Diff(want, [3]string{typ.Name, typ.Single, typ.Plural}); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	for column, want := range map[string]string{"foo_bar": "fooBar", "fooBar": "fooBarField", "id": "idField", "or": "orField"} {
		if got := reg.ByKey("Sales Order").ByColumn(column).Name; got != want {
			t.Errorf("%s became %s, want %s", column, got, want)
		}
	}
	if diff := cmp.Diff([]doctype.Pair{{"A_B", "a b"}, {"A_B_2", "a-b"}}, reg.ByKey("Series").Field("kind").Enum); diff != "" {
		t.Error(diff)
	}
	// Each of them is told: 3 of the second order, 3 of Node, 1 of Date and Series, 3 fields, 1 option.
	if len(report.Clashes) != 12 {
		t.Errorf("%d clashes told: %v", len(report.Clashes), report.Clashes)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings string
		facts    []string
		want     string
	}{
		"a DocType without facts": {"doctypes: {A: {}}", nil, "no facts"},
		"facts given twice":       {"doctypes: {A: {}}", []string{thing("A"), thing("A")}, "twice"},
		"a virtual DocType":       {"doctypes: {A: {}}", []string{`{"name": "A", "is_virtual": 1}`}, "virtual"},
		"two given names alike":   {"doctypes: {A: {name: X}, B: {name: X}}", []string{thing("A"), thing("B")}, "taken by A"},
		"a given name of the schema": {
			"doctypes: {A: {name: Query}}", []string{thing("A")}, "taken by the schema",
		},
		"a derived name": {
			"doctypes: {A: {}, A Where: {}}", []string{thing("A"), thing("A Where")}, "AWhere is taken",
		},
		"one stem": {"doctypes: {A B: {}, A-B: {}}", []string{thing("A B"), thing("A-B")}, "files"},
		"a rename to a standard field": {
			"doctypes: {A: {rename: {x: owner}}}", []string{thing("A", field("x", "Data", ""))}, "owner is taken",
		},
		"a dynamic link to nothing": {"dynamic_links: [B]\ndoctypes: {A: {}}", []string{thing("A")}, "dynamic_links"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := build(t, c.settings, c.facts)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want something about %q", err, c.want)
			}
		})
	}
	if _, _, err := build(t, "doctypes: {A: {}}", nil); !errors.Is(err, doctype.ErrNotPulled) {
		t.Errorf("%v is not ErrNotPulled", err)
	}
}

func TestBuildSettings(t *testing.T) {
	t.Parallel()
	facts := []string{thing("A",
		field("keep", "Data", ""), field("gone", "Data", ""), field("secret_no", "Data", `, "hidden": 1`),
		field("custom_x", "Data", ""), field("custom_y", "Data", ""), field("old", "Data", `, "label": "Old", "description": "Help"`),
	)}
	for name, c := range map[string]struct{ settings, want string }{
		"plain":          {"doctypes: {A: {}}", "keep gone customX customY old"},
		"exclude":        {"exclude_fields: [custom_*]\ndoctypes: {A: {}}", "keep gone old"},
		"one back":       {"exclude_fields: [custom_*]\ndoctypes: {A: {include_excluded: [custom_y]}}", "keep gone customY old"},
		"hide":           {"doctypes: {A: {hide: [gone]}}", "keep customX customY old"},
		"keep list":      {"doctypes: {A: {fields: [keep, secret_no]}}", "keep secretNo"},
		"hidden one":     {"doctypes: {A: {include_hidden: [secret_no]}}", "keep gone secretNo customX customY old"},
		"hidden all":     {"include: {hidden: true}\ndoctypes: {A: {}}", "keep gone secretNo customX customY old"},
		"rename":         {"doctypes: {A: {rename: {old: new}}}", "keep gone customX customY new"},
		"rename to made": {"doctypes: {A: {rename: {old: gone}}}", "keep goneField customX customY gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg, _ := mustBuild(t, c.settings, facts)
			var names []string
			for _, f := range reg.ByKey("A").Fields {
				if !f.Standard {
					names = append(names, f.Name)
				}
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	reg, _ := mustBuild(t, "doctypes: {A: {descriptions: true, name: Other}}", facts)
	if f := reg.ByName("Other").Field("old"); f.Label != "Old" || f.Help != "Help" {
		t.Errorf("label %q, help %q", f.Label, f.Help)
	}
}

func TestBuildReverse(t *testing.T) {
	t.Parallel()
	link := func(name, to string) string { return field(name, "Link", `, "options": "`+to+`"`) }
	facts := []string{
		thing("Customer", field("addresses", "Data", ""), link("parent_customer", "Customer")),
		thing("Note", link("customer", "Customer")),
		thing("Order", link("customer", "Customer"), link("billed_to", "Customer"), link("config", "Config")),
		thing("Address", field("links", "Table", `, "options": "Dynamic Link"`)),
		`{"name": "Config", "issingle": 1, "fields": [` + link("customer", "Customer") + `]}`,
		`{"name": "Dynamic Link", "istable": 1, "fields": [` + link("link_doctype", "DocType") + `,` +
			field("link_name", "Dynamic Link", `, "options": "link_doctype"`) + `]}`,
	}
	reg, report := mustBuild(t, "dynamic_links: [Customer]\n"+
		"doctypes: {Customer: {}, Note: {}, Order: {}, Address: {}, Config: {}}", facts)
	var got []string
	for _, r := range reg.ByKey("Customer").Reverse {
		got = append(got, strings.Join([]string{r.Name, r.From, r.Field, r.Through, r.ThroughField}, "|"))
	}
	want := []string{
		"addressesByLinks|Address||Dynamic Link|links",
		"customers|Customer|parent_customer||",
		"notes|Note|customer||",
		"ordersByCustomer|Order|customer||",
		"ordersByBilledTo|Order|billed_to||",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if reg.ByKey("Customer").ReverseByName("notes") == nil {
		t.Error("connections are not found by name")
	}
	if len(reg.ByKey("Config").Reverse) != 0 {
		t.Error("a single DocType lists who links to it")
	}
	if len(report.Clashes) != 1 {
		t.Errorf("clashes told: %v", report.Clashes)
	}
}
