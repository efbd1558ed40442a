package doctype_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/doctype"
)

const contractSDL = `
"A contract."
type Contract implements Node @table @access(read: ["Sales User"], write: "Sales Manager", through: "customer") {
  id: ID!
  customer: Customer! @link(onDelete: RESTRICT)
  owner: User @link @column(name: "owned_by")
  state: ContractState!
  startDate: Date!
  fee: Decimal
  payload: JSON
  visits: [Visit!]! @reverse(field: "contract")
}
enum ContractState { OPEN CLOSED }
type Visit implements Node @table(name: "visits") @access(public: true) {
  id: ID!
  contract: Contract! @link
  follows: Visit @link
  seconds: Int!
}
extend type Contract {
  daysLeft: Int! @needs(fields: ["startDate", "owner"])
  label(short: Boolean): String
}
extend type Customer { contractValue: Decimal  rivals: [Customer!] @needs(fields: ["name"]) }
type Summary { count: Int! }
extend type Query { summary: Summary }
`

func TestBuildLocal(t *testing.T) {
	t.Parallel()
	reg, report := mustBuild(t, "doctypes: {Customer: {}, User: {}}", []string{thing("Customer"), thing("User")}, contractSDL)
	contract, visit := reg.ByName("Contract"), reg.ByKey("Visit")
	if contract.Source != doctype.Local || contract.Table != "contract" || visit.Table != "visits" {
		t.Errorf("tables %q, %q", contract.Table, visit.Table)
	}
	if diff := cmp.Diff([3]string{"contract", "contracts", "contractsAggregate"},
		[3]string{contract.Single, contract.Plural, contract.AggregateRoot()}); diff != "" {
		t.Error(diff)
	}
	type got struct {
		Kind                    doctype.Kind
		Column, Target, Options string
		NonNull, Nullable       bool
		OnDelete                string
		Needs                   []string
	}
	for name, want := range map[string]got{
		"Contract.id":        {Kind: doctype.ID, Column: "id", NonNull: true},
		"Contract.customer":  {Kind: doctype.Link, Column: "customer", Target: "Customer", NonNull: true, OnDelete: "RESTRICT"},
		"Contract.owner":     {Kind: doctype.Link, Column: "owned_by", Target: "User", Nullable: true, OnDelete: "KEEP"},
		"Contract.state":     {Kind: doctype.Enum, Column: "state", NonNull: true},
		"Contract.startDate": {Kind: doctype.Date, Column: "start_date", NonNull: true},
		"Contract.fee":       {Kind: doctype.Decimal, Column: "fee", Nullable: true},
		"Contract.payload":   {Kind: doctype.JSON, Column: "payload", Nullable: true},
		"Contract.visits":    {Kind: doctype.ReverseList, Target: "Visit", Options: "contract", NonNull: true},
		"Contract.daysLeft":  {Kind: doctype.Custom, NonNull: true, Needs: []string{"start_date", "owned_by"}},
		"Contract.label": {
			Kind: doctype.Custom, Nullable: true,
			Needs: []string{"id", "customer", "owned_by", "state", "start_date", "fee", "payload"},
		},
		"Visit.contract":         {Kind: doctype.Link, Column: "contract", Target: "Contract", NonNull: true, OnDelete: "KEEP"},
		"Customer.contractValue": {Kind: doctype.Custom, Nullable: true, Needs: []string{"name"}},
		"Customer.rivals":        {Kind: doctype.Custom, Nullable: true, Needs: []string{"name"}},
	} {
		typ, field, _ := strings.Cut(name, ".")
		f := reg.ByName(typ).Field(field)
		if f == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if diff := cmp.Diff(want, got{f.Kind, f.Column, f.Target, f.Options, f.NonNull, f.Nullable, f.OnDelete, f.Needs}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff([]doctype.Pair{{Value: "OPEN", Label: "OPEN"}, {Value: "CLOSED", Label: "CLOSED"}}, contract.Field("state").Enum); diff != "" {
		t.Error(diff)
	}
	for name, from := range map[string]string{"Customer.contracts": "Contract", "User.contracts": "Contract", "Visit.visits": "Visit"} {
		typ, reverse, _ := strings.Cut(name, ".")
		if r := reg.ByName(typ).ReverseByName(reverse); r == nil || r.From != from {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if n := len(contract.Reverse); n != 0 {
		t.Errorf("the author's @reverse is repeated: %d connections", n)
	}
	if report.Locals != 2 {
		t.Errorf("%d local types told", report.Locals)
	}
}

func TestBuildRefusesLocal(t *testing.T) {
	t.Parallel()
	typ := func(fields string) string {
		return "type A implements Node @table @access(public: true) {\n id: ID!\n " + fields + "\n}"
	}
	for sdl, want := range map[string]string{
		"type A {": "custom app's SDL",

		"type Customer implements Node @table @access(public: true) { id: ID! }":           "taken by Customer",
		"type Date implements Node @table @access(public: true) { id: ID! }":               "taken by the schema",
		"type a implements Node @table @access(public: true) { id: ID! }":                  "PascalCase",
		"enum A @table @access(public: true) { B }":                                        "object type",
		"type A @table @access(public: true) { id: ID! }":                                  "implements Node",
		"type A implements Node @table @access(public: true) { x: Int }":                   "needs `id: ID!`",
		"type A implements Node @table @access(public: true) { id: ID }":                   "needs `id: ID!`",
		`type A implements Node @table(name: "a; drop") @access(public: true) { id: ID! }`: "snake_case",

		typ("Bad: Int"):       "camelCase",
		typ("x: [Int!]"):      "a list is",
		typ("x(a: Int): Int"): "has arguments",
		typ("x: Customer"):    "takes @link",
		typ("x: Nope @link"):  "no document or local type",
		typ("x: Int @link"):   "no document or local type",
		typ("x: ID"):          "only id",

		typ("x: Customer! @link(onDelete: NULL)"):    "x: @link(onDelete: NULL) on a field that is never null: make it Customer",
		typ("x: A! @link(onDelete: NULL)"):           "on a field that is never null",
		typ("x: Customer @link(onDelete: CLEAR)"):    "it is one of KEEP, NULL, CASCADE, RESTRICT",
		typ("x: Customer @link(onDelete: null)"):     "it is one of",
		typ("x: Customer @link(onDelete: \"NULL\")"): "it is one of",

		typ("x: Int  y: Int @column(name: \"x\")"):                     "share the column",
		typ("x: Int @column(name: \"x y\")"):                           "snake_case",
		typ("x: [Customer!]! @reverse(field: \"y\")"):                  "@reverse belongs",
		typ("x: [A!]! @reverse(field: \"y\")"):                         "no such @link",
		typ("x: [A] @reverse(field: \"y\")"):                           "@reverse belongs",
		typ("") + "\nextend type A { id: Int }":                        "already has",
		typ("") + "\nextend type Customer { owner: Int }":              "already has",
		typ("") + "\nextend type Subscription { asLive: Int! }":        "asLive is taken by A",
		"extend type Subscription {\n documentChanged: Int!\n}":        ":2: Subscription.documentChanged is taken by the schema itself",
		typ("") + "\nextend type A { x: Int @needs(fields: [\"y\"]) }": "no stored field",
	} {
		_, _, err := build(t, "doctypes: {Customer: {}}", []string{thing("Customer")}, sdl)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n%v, want something about %q", sdl, err, want)
		}
	}
}
