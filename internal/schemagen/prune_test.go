package schemagen

import (
	"errors"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/codegen/config"
	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"

	"erpgraph/internal/doctype"
)

const appSDL = `
type Contract implements Node @table @access(write: "X", public: true) { id: ID! customer: Customer! @link }
extend type Contract {
  type: String @needs(fields: ["customer"])
  rival(where: CustomerWhere, mode: Mode, deep: Deep): Customer
  all: [Node!]!
  summary: Summary!
}
extend type Customer { contract: Contract }
enum Mode { A B }
input Deep { mode: Mode, deeper: [Deep!], where: [CustomerWhere!] }
type Summary implements Node { id: ID! parts: [Part!] either: Either }
type Part { n: Int when: Date }
union Either = Part | Other
type Other { x: Decimal }
type Unused { x: Int }
extend type Query { summary(first: Int): Summary best: Customer! }
extend type Mutation {
  sign(id: ID!, terms: Deep, next: ContractCreate, rows: [ContractUpdate!]!): ContractPayload!
  drop(id: ID!): DeletePayload
  tidy: Int
}
extend type Subscription {
  ticks(every: Int!, of: [CustomerWhere!]): Part!
}
`

// What gqlgen sees: engine roots without types and arguments, types of the graph with
// their hand-written fields alone, references in place of them, and all that
// hand-written fields reach.
const pruned = `type Contract {
  type: String
  rival(where: _Input, mode: Mode, deep: Deep): _Ref
  all: [_Ref!]!
  summary: Summary!
}
type Customer {
  contract: _Ref
}
scalar Date
scalar Decimal
input Deep {
  mode: Mode
  deeper: [Deep!]
  where: [_Input!]
}
type DeletePayload {
  id: ID!
}
union Either = Part | Other
enum Mode {
  A
  B
}
type Mutation {
  uploadFile: _Result
  sign(id: ID!, terms: Deep, next: _Input, rows: [_Input!]!): _Result!
  drop(id: ID!): DeletePayload
  tidy: Int
  createContract: _Result
  createContracts: _Result
  updateContract: _Result
  deleteContract: _Result
  deleteCustomer: _Result
}
type Other {
  x: Decimal
}
type Part {
  n: Int
  when: Date
}
type Query {
  node: _Result
  summary(first: Int): Summary
  best: _Result!
  contract: _Result
  contracts: _Result!
  contractsAggregate: _Result
  customer: _Result
  customers: _Result!
  customersAggregate: _Result
}
type Subscription {
  documentChanged: _Result!
  ticks(every: Int!, of: [_Input!]): Part!
  contractChanged: _Result!
  contractsLive: _Result!
  customerChanged: _Result!
  customersLive: _Result!
}
type Summary {
  id: ID!
  parts: [Part!]
  either: Either
}
scalar _Input
scalar _Ref
scalar _Result
`

const coreSDL = `
interface Node { id: ID! }
interface Document implements Node {
  id: ID! name: String! doctype: String! owner: String creation: DateTime modified: DateTime modifiedBy: String docstatus: Int
}
type PageInfo { hasNextPage: Boolean! }
enum OrderDirection { ASC DESC }
enum AggregateOrderBy { COUNT KEY }
scalar Date
scalar DateTime
scalar Decimal
input StringFilter { eq: String }
input LinkFilter { eq: String }
input IDFilter { eq: ID }
input IntFilter { eq: Int }
input DateTimeFilter { eq: DateTime }
type Query { node(id: ID!): Node }
scalar Upload
type DeletePayload { id: ID! }
type WriteError { code: String! }
type Mutation { uploadFile(file: Upload!): Node }
enum ChangeKind { CREATED }
type DocumentChange { document: Node }
type Subscription { documentChanged(after: String): DocumentChange! }
`

const directivesSDL = `
directive @table(name: String) on OBJECT
directive @access(write: [String!], public: Boolean) on OBJECT
directive @link(onDelete: OnDelete) on FIELD_DEFINITION
directive @needs(fields: [String!]!) on FIELD_DEFINITION
enum OnDelete { KEEP }
`

func TestPrune(t *testing.T) {
	t.Parallel()
	p, schema, err := prune(t, appSDL)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	formatter.NewFormatter(&out, formatter.WithIndent("  "), formatter.WithoutDescription()).FormatSchema(schema)
	if diff := cmp.Diff(pruned, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, name := range []string{"Contract", "Customer"} {
		if got := p.cfg.Models[name].Model; len(got) != 1 || got[0] != rowModel {
			t.Errorf("%s is bound to %v, want %s", name, got, rowModel)
		}
	}
	// engine.Row has a field Type: the hand-written one must not bind to it.
	if !p.cfg.Models["Contract"].Fields["type"].Resolver {
		t.Error("Contract.type has no resolver")
	}
}

// References that the engine could not follow are refused, not answered with null.
func TestPruneRefusesReferences(t *testing.T) {
	t.Parallel()
	for _, sdl := range []string{
		"extend type Query { favourites: [Customer!] }",
		"extend type Query { page: CustomerConnection }",
		"extend type Query { any: [Node] }",
		"extend type Mutation { any: Node }",
		"extend type Mutation { all: ContractsPayload }\ntype Contract implements Node @table @access(write: \"X\", public: true) { id: ID! n: Int }",
		"extend type Mutation { sum: Summary }\ntype Summary { best: Customer }",
		"extend type Customer { matrix: [[Customer]] }",
		"extend type Customer { summary: Summary }\ntype Summary { best: Customer }",
		"extend type Customer { either: Either }\nunion Either = Customer | Part\ntype Part { n: Int }",
		"extend type Customer { page: CustomerConnection }",
		"extend type Subscription { best: Customer }",
		"extend type Subscription { mine: CustomerChange! }",
	} {
		if _, _, err := prune(t, sdl); !errors.Is(err, ErrReference) || !strings.Contains(err.Error(), "schema/app/app.graphqls:") {
			t.Errorf("%s: %v", sdl, err)
		}
	}
}

// prune builds a graph of Customer and an app, and prunes its schema.
func prune(t *testing.T, sdl string) (*pruner, *ast.Schema, error) {
	t.Helper()
	app := &ast.Source{Name: "schema/app/app.graphqls", Input: sdl}
	reg, _, err := doctype.Build(
		&doctype.Config{DocTypes: map[string]*doctype.TypeConfig{"Customer": nil}},
		[]*doctype.Facts{{Name: "Customer"}}, []*ast.Source{app})
	if err != nil {
		t.Fatal(err)
	}
	sources := []*ast.Source{
		{Name: "schema/core.graphqls", Input: coreSDL}, {Name: "schema/directives.graphqls", Input: directivesSDL}, app,
	}
	files, err := SDL(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sortedKeys(files) {
		sources = append(sources, &ast.Source{Name: "schema/" + name, Input: string(files[name])})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		t.Fatal(err)
	}
	p := &pruner{cfg: config.DefaultConfig(), reg: reg}
	return p, schema, p.MutateSchema(schema)
}
