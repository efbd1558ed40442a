package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/doctype"
	"erpgraph/schema"
)

// The engine answers by descriptors what clients ask for by SDL: both must tell the
// same of every type, field and argument.
func TestDescriptorsAgreeWithSDL(t *testing.T) {
	t.Parallel()
	sdl, err := schema.Parse()
	if err != nil {
		t.Fatal(err)
	}
	reg, _, err := doctype.Load(schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range reg.Types() {
		def := sdl.Types[typ.Name]
		if def == nil {
			t.Errorf("%s has no SDL", typ.Name)
			continue
		}
		want := len(typ.Fields) + len(typ.Reverse) + len(typ.SnapshotLinks())
		if typ.Writes.Workflow {
			want++ // workflowActions
		}
		if len(def.Fields) != want {
			t.Errorf("%s: %d fields in SDL, %d in descriptors", typ.Name, len(def.Fields), want)
		}
		for _, f := range typ.Fields {
			checkField(t, sdl, typ, f, def.Fields.ForName(f.Name))
		}
		for _, f := range typ.SnapshotLinks() {
			field := def.Fields.ForName(f.SnapshotName())
			if field == nil || field.Type.String() != doctype.SnapshotType || typ.SnapshotByName(f.SnapshotName()) != f {
				t.Errorf("%s.%s is no snapshot", typ.Name, f.SnapshotName())
			}
		}
		for _, r := range typ.Reverse {
			field := def.Fields.ForName(r.Name)
			if field == nil || field.Type.Name() != reg.ByKey(r.From).Connection() {
				t.Errorf("%s.%s is not a connection of %s", typ.Name, r.Name, r.From)
			}
		}
		if typ.Source == doctype.Child {
			continue
		}
		for _, root := range []string{typ.Single, typ.Plural} {
			if root != "" && sdl.Query.Fields.ForName(root) == nil {
				t.Errorf("Query has no %s", root)
			}
		}
	}
}

// The same of writing: each mutation of the descriptors is in the SDL, and each input has
// exactly the fields that the descriptors let in.
func TestDescriptorsAgreeWithMutations(t *testing.T) {
	t.Parallel()
	sdl, err := schema.Parse()
	if err != nil {
		t.Fatal(err)
	}
	reg, _, err := doctype.Load(schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"uploadFile": "UploadPayload", "completeServiceVisit": "ServiceVisitPayload", "retryServiceVisitInvoice": "ServiceVisitPayload"}
	for _, typ := range reg.Types() {
		for _, root := range typ.MutationRoots() {
			want[root] = typ.Payload()
		}
		if typ.Writes.Create {
			want[typ.CreateManyRoot()] = typ.ManyPayload()
		}
		if typ.Writes.Delete {
			want[typ.DeleteRoot()] = "DeletePayload"
		}
		checkInput(t, sdl.Types[typ.CreateInput()], typ.CreateFields(), func(f *doctype.Field) bool { return f.Create == doctype.Required })
		checkInput(t, sdl.Types[typ.UpdateInput()], typ.UpdateFields(), func(*doctype.Field) bool { return false })
		if typ.Writes.Create != (sdl.Types[typ.RowResult()] != nil) || typ.Writes.Answered() != (sdl.Types[typ.Payload()] != nil) {
			t.Errorf("%s: the payloads are not those of its mutations", typ.Name)
		}
	}
	for _, m := range reg.Methods() {
		want[m.Name] = m.Payload
	}
	got := map[string]string{}
	for _, f := range sdl.Mutation.Fields {
		got[f.Name] = f.Type.Name()
		if f.Type.NonNull {
			t.Errorf("%s is non-null: its failure would hide the mutations beside it", f.Name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-descriptors +SDL:\n%s", diff)
	}
}

// The same of subscriptions: each has the arguments and the event of its kind of type.
func TestDescriptorsAgreeWithSubscriptions(t *testing.T) {
	t.Parallel()
	sdl, err := schema.Parse()
	if err != nil {
		t.Fatal(err)
	}
	reg, _, err := doctype.Load(schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"documentChanged": "(doctypes: [String!], after: String): DocumentChange!"}
	for _, typ := range reg.Types() {
		if typ.Source == doctype.Child {
			continue
		}
		args := map[doctype.Source]string{
			doctype.Upstream: "names: [String!], where: " + typ.Where() + ", ",
			doctype.Local:    "ids: [ID!], where: " + typ.Where() + ", ",
		}
		want[typ.ChangedRoot()] = "(" + args[typ.Source] + "kinds: [ChangeKind!], after: String): " + typ.Change() + "!"
		if typ.Listed() {
			want[typ.LiveRoot()] = "(where: " + typ.Where() + ", orderBy: [" + typ.Order() + "!], first: Int): " + typ.ListChange() + "!"
		}
		document := sdl.Types[typ.Change()].Fields.ForName("document")
		if document.Type.String() != typ.Name {
			t.Errorf("%s.document is %s", typ.Change(), document.Type)
		}
	}
	got := map[string]string{}
	for _, f := range sdl.Subscription.Fields {
		var args []string
		for _, a := range f.Arguments {
			args = append(args, a.Name+": "+a.Type.String())
		}
		got[f.Name] = "(" + strings.Join(args, ", ") + "): " + f.Type.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-descriptors +SDL:\n%s", diff)
	}
}

// checkInput compares an input with its fields; there is none where nothing uses it.
func checkInput(t *testing.T, def *ast.Definition, fields []*doctype.Field, required func(*doctype.Field) bool) {
	t.Helper()
	if def == nil {
		return
	}
	if len(def.Fields) != len(fields) {
		t.Errorf("%s: %d fields in SDL, %d in descriptors", def.Name, len(def.Fields), len(fields))
	}
	for _, f := range fields {
		in := def.Fields.ForName(f.Name)
		if in == nil || in.Type.NonNull != required(f) {
			t.Errorf("%s.%s is %v in SDL", def.Name, f.Name, in)
		}
	}
}

// checkField compares one field, its place in the filter and in the enums of order.
func checkField(t *testing.T, sdl *ast.Schema, typ *doctype.Type, f *doctype.Field, def *ast.FieldDefinition) {
	t.Helper()
	if def == nil {
		t.Errorf("%s.%s has no SDL", typ.Name, f.Name)
		return
	}
	if f.Kind != doctype.Custom && (def.Type.Name() != f.GraphQLType || def.Type.NonNull != f.NonNull) {
		t.Errorf("%s.%s is %s in SDL, %s (non-null: %t) in descriptors", typ.Name, f.Name, def.Type, f.GraphQLType, f.NonNull)
	}
	if f.Kind == doctype.Enum {
		if got := len(sdl.Types[f.GraphQLType].EnumValues); got != len(f.Enum) {
			t.Errorf("%s has %d values in SDL, %d in descriptors", f.GraphQLType, got, len(f.Enum))
		}
	}
	if typ.Source != doctype.Single {
		where := sdl.Types[typ.Where()].Fields.ForName(f.Name) != nil
		if where != (f.Filterable() || f.Kind == doctype.Table || f.Kind == doctype.ReverseList) {
			t.Errorf("%s.%s: in %s: %t", typ.Name, f.Name, typ.Where(), where)
		}
	}
	if typ.Listed() {
		order := sdl.Types[typ.OrderField()].EnumValues.ForName(doctype.EnumName(f.Name)) != nil
		if order != f.Sortable() {
			t.Errorf("%s.%s: in %s: %t", typ.Name, f.Name, typ.OrderField(), order)
		}
	}
}

// The stock set is what the committed graph promises to its users.
func TestStockSet(t *testing.T) {
	t.Parallel()
	reg, report, err := doctype.Load(schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"Customer", "Customer Group", "Territory", "Supplier", "Supplier Group", "Item", "Item Group", "Item Price",
		"Price List", "UOM", "Brand", "Warehouse", "Bin", "Quotation", "Sales Order", "Delivery Note", "Sales Invoice",
		"Purchase Order", "Payment Entry", "Lead", "Opportunity", "Address", "Contact", "Company", "Currency", "User",
		"Project", "Task", "Issue", "File", "Comment", "ToDo", "Selling Settings",
	} {
		if reg.ByKey(name) == nil {
			t.Errorf("%s is not in the graph", name)
		}
	}
	customer := reg.ByKey("Customer")
	for _, site := range []string{"deposit_balance", "custom_loyalty_ref"} {
		if customer.ByColumn(site) != nil {
			t.Errorf("Customer has %s, which only the recorded site has", site)
		}
	}
	for _, name := range []string{"addresses", "contacts", "salesOrders", "serviceContracts"} {
		if customer.ReverseByName(name) == nil {
			t.Errorf("Customer has no %s", name)
		}
	}
	if len(report.Clashes) > 0 {
		t.Errorf("names of the stock set clash: %v", report.Clashes)
	}
}

// A person can write the documents of daily work by what a person knows: all else that
// ERPNext asks for, it fills.
func TestStockSetAsksForWhatPeopleKnow(t *testing.T) {
	t.Parallel()
	reg, _, err := doctype.Load(schema.FS)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"Quotation": {"items"}, "Quotation Item": {"qty"},
		"Sales Order": {"customer", "items"}, "Sales Order Item": {"itemCode", "qty"},
		"Sales Invoice": {"items"}, "Sales Invoice Item": nil,
		"Delivery Note": {"customer", "items"}, "Delivery Note Item": {"itemCode", "qty"},
		"Purchase Order": {"supplier", "items"}, "Purchase Order Item": {"itemCode", "qty"},
		"Payment Entry": {"paidAmount", "receivedAmount"}, "Payment Entry Reference": {"referenceDoctype", "referenceName"},
		"Lead": nil, "Opportunity": {"opportunityFrom", "partyName"},
		"Item": {"itemCode", "itemGroup"}, "Customer": {"customerName"}, "Supplier": {"supplierName"},
		"Address": {"addressLine1", "city", "country"}, "Contact": nil, "Dynamic Link": {"linkDoctype", "linkName"},
		"ToDo": {"description"}, "Task": {"subject"}, "Project": {"projectName"}, "Issue": {"subject"},
		"ServiceContract": {"customer", "item", "startDate"}, "ServiceVisit": {"contract", "technician", "visitedAt"},
	} {
		var got []string
		for _, f := range reg.ByKey(name).CreateFields() {
			if f.Create == doctype.Required {
				got = append(got, f.Name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
