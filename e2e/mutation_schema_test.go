package e2e_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// created are inputs with what a person must know and no more, by type.
var created = map[string]string{
	"Address":       `addressTitle: "T", addressLine1: "1 Way", city: "Pune", country: "India"`,
	"Brand":         `brand: "New"`,
	"Company":       `companyName: "New", abbr: "N", defaultCurrency: "USD", country: "India"`,
	"Contact":       `firstName: "New"`,
	"Currency":      `currencyName: "NEW"`,
	"Customer":      `customerName: "New"`,
	"CustomerGroup": `customerGroupName: "New"`,
	"DeliveryNote":  `customer: "Semi;Colon", items: [{ itemCode: "ITEM-00010", qty: 1 }]`,
	"Issue":         `subject: "New"`,
	"Item":          `itemCode: "NEW", itemGroup: "Sensors", stockUom: "Nos"`,
	"ItemGroup":     `itemGroupName: "New"`,
	"ItemPrice":     `itemCode: "ITEM-00010", priceList: "Standard Selling", priceListRate: "3.5"`,
	"Lead":          `firstName: "New"`,
	"Opportunity":   `opportunityFrom: "Customer", partyName: "Semi;Colon"`,
	"PriceList":     `priceListName: "New", currency: "USD", selling: true`,
	"Project":       `projectName: "New"`,
	"PurchaseOrder": `supplier: "Acme Supply 00", items: [{ itemCode: "ITEM-00010", qty: 1, scheduleDate: "2026-12-30" }]`,
	"Quotation":     `partyName: "Semi;Colon", items: [{ itemCode: "ITEM-00010", qty: 1 }]`,
	"SalesInvoice":  `customer: "Semi;Colon", items: [{ itemCode: "ITEM-00010", qty: 1 }]`,
	"SalesOrder":    `customer: "Semi;Colon", deliveryDate: "2026-12-30", items: [{ itemCode: "ITEM-00010", qty: 1, warehouse: "Stores - GTL" }]`,
	"Supplier":      `supplierName: "New"`,
	"SupplierGroup": `supplierGroupName: "New"`,
	"Task":          `subject: "New"`,
	"Territory":     `territoryName: "New"`,
	"ToDo":          `description: "New"`,
	"UOM":           `uomName: "New"`,
	"User":          `email: "new@example.com", firstName: "New"`,
	"Warehouse":     `warehouseName: "New", company: "Graft Test Ltd"`,
}

const introspection = `{ __schema {
	queryType { fields { name args { name } type { ...T } } }
	mutationType { fields { name description args { name type { ...T } } type { ...T } } }
	types { name inputFields { name type { ...T } } enumValues { name } fields { name type { ...T } } }
} } fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`

type typeRef struct {
	Kind, Name string
	OfType     *typeRef
}

// named is the type without its wrappers.
func (t *typeRef) named() string {
	for t.OfType != nil {
		t = t.OfType
	}
	return t.Name
}

type member struct {
	Name, Description string
	Args              []member
	Type              *typeRef
}

// introspected is the graph as GraphiQL sees it.
type introspected struct {
	Schema struct {
		QueryType, MutationType struct{ Fields []member }
		Types                   []struct {
			Name                string
			Fields, InputFields []member
			EnumValues          []member
		}
	} `json:"__schema"`
}

func (b *bundle) introspect(t *testing.T) *introspected {
	t.Helper()
	out := new(introspected)
	b.query(t, manager, introspection, nil).into(t, out)
	return out
}

// single is the field that gives a type by its name.
func (s *introspected) single(name string) string {
	for _, f := range s.Schema.QueryType.Fields {
		if f.Type.named() == name && len(f.Args) == 1 {
			return f.Name
		}
	}
	return ""
}

// Each option of each Select of each DocType is written and read back, in a document that
// was made of nothing but what must be given.
func TestEveryOption(t *testing.T) {
	t.Parallel()
	b := setup(t, options{})
	graph := b.introspect(t)
	enums, inputs := map[string][]member{}, map[string][]member{}
	for _, typ := range graph.Schema.Types {
		enums[typ.Name], inputs[typ.Name] = typ.EnumValues, typ.InputFields
	}
	values := 0
	for _, typ := range slices.Sorted(maps.Keys(created)) {
		single := graph.single(typ)
		made := story{t, b}.do(admin, `mutation { create`+typ+`(input: { `+created[typ]+` }) { name messages `+single+` { name docstatus } } }`, nil)
		if part(made, single)["name"] != made["name"] || made["name"] == "" || part(made, single)["docstatus"] != 0.0 {
			t.Errorf("%s: %v", typ, made)
		}
		for _, f := range inputs[typ+"Update"] {
			for _, v := range enums[f.Type.named()] {
				values++
				got := story{t, b}.do(admin, `mutation($name: String!) { update`+typ+`(name: $name, input: { `+f.Name+`: `+v.Name+` }) { doc: `+single+` { value: `+f.Name+` } } }`, doc{"name": made["name"]})
				if part(got, "doc")["value"] != v.Name {
					t.Errorf("%s.%s: wrote %s, read %v", typ, f.Name, v.Name, got)
				}
			}
		}
	}
	if values < 150 {
		t.Errorf("only %d options were tried", values)
	}
}

// The mutations are told to clients as they are: each described, each with a payload that
// may be null, so that one that fails hides no other.
func TestMutationsInTheSchema(t *testing.T) {
	t.Parallel()
	graph := reading(t, options{}).introspect(t)
	types := map[string][]member{}
	for _, typ := range graph.Schema.Types {
		types[typ.Name] = typ.Fields
	}
	for _, f := range graph.Schema.MutationType.Fields {
		payload := f.Type.named()
		if f.Description == "" || f.Type.Kind != "OBJECT" || !strings.HasSuffix(payload, "Payload") {
			t.Errorf("%s: %s of kind %s, described by %q", f.Name, payload, f.Type.Kind, f.Description)
		}
		for _, part := range types[payload] {
			must := slices.Contains([]string{"messages", "results", "id", "name"}, part.Name) && payload != "AddCommentPayload" // a method may give no document
			if is := part.Type.Kind == "NON_NULL"; must && !is || part.Type.Kind == "NON_NULL" && part.Type.OfType.Kind == "OBJECT" {
				t.Errorf("%s.%s is of kind %s", payload, part.Name, part.Type.Kind)
			}
		}
		optional := []string{"ifModified", "attachTo"}
		if strings.HasPrefix(f.Name, "amend") {
			optional = append(optional, "input")
		}
		for _, arg := range f.Args {
			if is := arg.Type.Kind == "NON_NULL"; is == slices.Contains(optional, arg.Name) {
				t.Errorf("%s(%s:) is of kind %s", f.Name, arg.Name, arg.Type.Kind)
			}
		}
	}
}
