// Package doctype describes the types of the graph: which GraphQL name stands for
// which DocType or table, which field for which fieldname or column, and how types
// link. The generator prints SDL from these descriptors and the engine plans and
// answers queries by them, so both always agree. No I/O happens here.
package doctype

import "slices"

// Source says where the rows of a type come from.
type Source int

// The sources.
const (
	Upstream Source = iota // a DocType, over ERPNext's REST API
	Child                  // a child table DocType: reachable only through its parent
	Single                 // a DocType with one document, named as the DocType
	Local                  // a table of the custom app
)

// Kind is what a value is, apart from links: it decides the GraphQL type, the
// operators of its filter and how a value is written to JSON.
type Kind int

// The kinds. The comment gives the GraphQL type and ERPNext's wire form.
const (
	String      Kind = iota // String; text
	Boolean                 // Boolean; 0 or 1 (local: true/false)
	Int                     // Int; number, an error beyond 32 bits
	Float                   // Float; number
	Decimal                 // Decimal; number, exact text in JSON
	Date                    // Date; "2006-01-02"
	Time                    // Time; "9:05:00", hour not padded, maybe microseconds
	DateTime                // DateTime; "2006-01-02 15:04:05.000000" in the site's zone (local: RFC 3339)
	Duration                // Int; seconds, sent as a float
	Rating                  // Float 0..1
	JSON                    // JSON; text that holds JSON
	URL                     // URL; "/files/x", "/private/files/x" or absolute
	Enum                    // an enum of the field's own; the Select's label
	ID                      // ID; local primary key
	Link                    // an object of Target; the docname (local: docname or key)
	DynamicLink             // Document; docname, its DocType in the field Options
	Table                   // [Child!]!; rows of the child DocType Target
	ReverseList             // [T!]!; local @reverse: rows of Target whose field Options points here
	Custom                  // resolved by hand-written Go
)

// Field is one field of a type.
type Field struct {
	Name   string // GraphQL name, camelCase: "grandTotal"
	Column string // fieldname or SQL column: "grand_total"
	Label  string // the DocType's label
	Help   string // the site's help text, where descriptions are switched on
	Kind   Kind
	// Target is the DocType (or local type's Key) that a Link, Table or ReverseList
	// leads to, when it is in the graph.
	Target string
	// Options is the Dynamic Link's fieldname that holds the DocType, or the field
	// of Target that a ReverseList follows back.
	Options string
	// GraphQLType is the printed type without !: "Decimal", "Customer", "SalesOrderStatus".
	GraphQLType string
	NonNull     bool
	PermLevel   int
	Nullable    bool   // the stored value may be NULL or '': decides how pages are cut
	Enum        []Pair // Enum kinds: value by label, in order
	// Standard marks name, owner, creation, modified, modified_by, docstatus, idx,
	// parent…: they exist on every document.
	Standard bool
	// Needs are the columns that a Custom field's resolver reads from its object.
	Needs []string
	// Long texts can be filtered, but not ordered or grouped by.
	Long bool
	// Required marks an upstream field that its DocType asks for (reqd).
	Required bool
	// OnDelete is what a local @link does when what it leads to is deleted: one of the
	// constants OnDelete…; "" for any other field.
	OnDelete string
	// Snapshot tells that a local @link to a document keeps its title for whoever sees the row;
	// see SnapshotName.
	Snapshot bool
	// Create and Update say whether the inputs of a new row and of a change have the field.
	Create, Update InputUse
	// Facts is what the site tells about the field; nil for standard and local fields.
	Facts *FieldFacts
}

// What a local @link does when the document or row that it leads to is deleted. Between
// local types the foreign key carries it out; of documents of ERPNext, package links does.
const (
	OnDeleteKeep     = "KEEP"     // the row keeps the link, which leads nowhere from then on
	OnDeleteNull     = "NULL"     // the link becomes null
	OnDeleteCascade  = "CASCADE"  // the row is deleted too
	OnDeleteRestrict = "RESTRICT" // local: the deletion is refused; upstream: as KEEP
)

// Pair is one enum value: UPPER_SNAKE for GraphQL, the label as ERPNext stores it.
type Pair struct{ Value, Label string }

// Type is one object type of the graph.
type Type struct {
	Name    string // GraphQL name: "SalesOrder"
	Key     string // DocType name "Sales Order", or the GraphQL name for a local type
	Source  Source
	Table   string // SQL table of a local type
	Single  string // root field of one document: "salesOrder"
	Plural  string // root field of the list: "salesOrders"
	Tree    bool   // has lft/rgt: descendantsOf and friends
	Submit  bool   // submittable
	Fields  []*Field
	Reverse []*Reverse
	// TitleField is the fieldname whose value stands for a document where people
	// choose one: "customer_name"; "" when that is the docname.
	TitleField string
	// SearchFields are the further fieldnames that a link search looks into and shows.
	SearchFields []string
	// Stem is the base name of the type's generated files: "sales_order".
	Stem string
	// Description is the SDL's: the DocType's name, or the author's words.
	Description string
	// Access is who may see and change rows of a local type; nil for upstream types,
	// where ERPNext decides.
	Access *Access
	// Writes is how rows of the type are written.
	Writes Writes
	// Facts is what the site tells about the DocType; nil for a local type.
	Facts *Facts

	byName   map[string]*Field
	byColumn map[string]*Field
	reverse  map[string]*Reverse
	// snapshots are the links that keep one, by the name of the snapshot's field.
	snapshots map[string]*Field
}

// Reverse is a connection from a type back to the documents that link to it:
// Customer.salesOrders.
type Reverse struct {
	Name  string // GraphQL field: "salesOrders"
	From  string // Key of the type whose rows are listed: "Sales Order"
	Field string // Column of From that holds the link: "customer"
	// Through is the child DocType (Dynamic Link) when the link sits in a child
	// table: Address → links. Field is then empty and the row matches when
	// link_doctype is this type and link_name the document.
	Through string
	// ThroughField is the table field of From that holds Through: "links".
	ThroughField string
	Label        string
}

// Field finds a field by its GraphQL name.
func (t *Type) Field(name string) *Field { return t.byName[name] }

// ByColumn finds a field by fieldname or SQL column.
func (t *Type) ByColumn(column string) *Field { return t.byColumn[column] }

// ReverseByName finds a reverse connection by its GraphQL name.
func (t *Type) ReverseByName(name string) *Reverse { return t.reverse[name] }

// IsDocument tells whether the type implements Document.
func (t *Type) IsDocument() bool { return t.Source == Upstream || t.Source == Single }

// Registry is every type of a graph. It is read-only once built.
type Registry struct {
	types   []*Type
	methods []*Method
	byKey   map[string]*Type
	byName  map[string]*Type
	links   map[string][]LocalLink // by Key of the target
}

// NewRegistry indexes types, in their order, and keeps the declared methods.
func NewRegistry(types []*Type, methods ...*Method) *Registry {
	r := &Registry{types: types, methods: methods, byKey: map[string]*Type{}, byName: map[string]*Type{}, links: localLinks(types)}
	for _, t := range types {
		r.byKey[t.Key], r.byName[t.Name] = t, t
		t.byName, t.byColumn, t.reverse = map[string]*Field{}, map[string]*Field{}, map[string]*Reverse{}
		t.snapshots = map[string]*Field{}
		for _, f := range t.Fields {
			t.byName[f.Name] = f
			if f.Snapshot {
				t.snapshots[f.SnapshotName()] = f
			}
			if f.Column != "" {
				t.byColumn[f.Column] = f
			}
		}
		for _, v := range t.Reverse {
			t.reverse[v.Name] = v
		}
	}
	for _, t := range types {
		t.Access.resolve(t, r)
	}
	return r
}

// Types gives all types in a stable order.
func (r *Registry) Types() []*Type { return slices.Clone(r.types) }

// ByKey finds a type by DocType name, or a local type by its GraphQL name.
func (r *Registry) ByKey(key string) *Type { return r.byKey[key] }

// ByName finds a type by its GraphQL name.
func (r *Registry) ByName(name string) *Type { return r.byName[name] }
