package schema_test

import (
	"testing"

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
		if want := len(typ.Fields) + len(typ.Reverse); len(def.Fields) != want {
			t.Errorf("%s: %d fields in SDL, %d in descriptors", typ.Name, len(def.Fields), want)
		}
		for _, f := range typ.Fields {
			checkField(t, sdl, typ, f, def.Fields.ForName(f.Name))
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
