package doctype

// InputUse says whether an input has a field.
type InputUse int

// The uses of a field in an input.
const (
	Absent   InputUse = iota // it can't be written
	Optional                 // it may be left out
	Required                 // it is non-null
)

// Writes says how the rows of a type are written: which mutations there are of it, and
// what they need besides the fields.
type Writes struct {
	Create, Update, Delete bool
	// Submit: submit, cancel and amend.
	Submit bool
	Rename bool
	// Workflow: the site has an active Workflow for the DocType.
	Workflow bool
	// Name is the docname's place in the create input: Required where people choose it
	// (autoname "prompt"), else Absent.
	Name InputUse
	// Modified is the field that ifModified is compared with; nil where a local type has
	// none with @modified.
	Modified *Field
}

// Any tells whether the type has a mutation at all.
func (w Writes) Any() bool {
	return w.Create || w.Update || w.Delete || w.Submit || w.Rename || w.Workflow
}

// MethodKind says what a declared server method answers with.
type MethodKind int

// The results of methods.
const (
	NoResult       MethodKind = iota // only whether it worked
	ScalarResult                     // a value of a scalar type
	DocumentResult                   // a document of the graph, by its docname or as the method sends it
)

// Method is a whitelisted function of the site that doctypes.yml declares as a mutation.
type Method struct {
	Name        string // the mutation: "addComment"
	Path        string // "frappe.desk.form.utils.add_comment"
	Description string
	Args        []*MethodArg
	// Fill are arguments that the client can't give: the caller's "user" or "fullName", by
	// the function's own name of the argument.
	Fill map[string]string
	Kind MethodKind
	// Result is the GraphQL type of the result, without "!" and brackets.
	Result string
	// Target is the Key of the type of a DocumentResult.
	Target string
	List   bool
	// Field is the payload's field with the result: "result", or the type's single root
	// ("comment"), or its plural.
	Field   string
	Payload string // "AddCommentPayload"
	// Repeatable says that calling it twice does no more than calling it once.
	Repeatable bool
}

// ResultKind is how the value of a ScalarResult is written.
func (m *Method) ResultKind() Kind {
	kinds := map[string]Kind{
		"Boolean": Boolean, "Int": Int, "Float": Float, "Decimal": Decimal, "Date": Date, "Time": Time,
		"DateTime": DateTime, "JSON": JSON, "URL": URL,
	}
	return kinds[m.Result] // String and ID are String
}

// MethodArg is one argument of a Method.
type MethodArg struct {
	Name string // in the graph: "referenceName"
	As   string // the function's own: "reference_name"
	// Type is the GraphQL type as declared: "[String!]!".
	Type    string
	Kind    Kind
	List    bool
	NonNull bool
	// Item says of a list that its elements are non-null.
	Item bool
}

// CreateRoot is the mutation that creates a document: "createSalesOrder".
func (t *Type) CreateRoot() string { return "create" + t.Name }

// CreateManyRoot creates several: "createSalesOrders".
func (t *Type) CreateManyRoot() string { return "create" + upperFirst(t.Plural) }

// UpdateRoot is the mutation that changes a document.
func (t *Type) UpdateRoot() string { return "update" + t.Name }

// DeleteRoot is the mutation that deletes a document.
func (t *Type) DeleteRoot() string { return "delete" + t.Name }

// SubmitRoot is the mutation that submits a document.
func (t *Type) SubmitRoot() string { return "submit" + t.Name }

// CancelRoot is the mutation that cancels a document.
func (t *Type) CancelRoot() string { return "cancel" + t.Name }

// AmendRoot is the mutation that makes a new draft of a cancelled document.
func (t *Type) AmendRoot() string { return "amend" + t.Name }

// RenameRoot is the mutation that renames a document, or merges it into another.
func (t *Type) RenameRoot() string { return "rename" + t.Name }

// WorkflowRoot is the mutation that takes an action of the DocType's workflow.
func (t *Type) WorkflowRoot() string { return "apply" + t.Name + "Workflow" }

// CreateInput is the input of a new document, or of a new document's child row.
func (t *Type) CreateInput() string { return t.Name + "Create" }

// UpdateInput is the input of a change, or of a changed document's child row.
func (t *Type) UpdateInput() string { return t.Name + "Update" }

// Payload is what mutations of one document give.
func (t *Type) Payload() string { return t.Name + "Payload" }

// ManyPayload is what CreateManyRoot gives.
func (t *Type) ManyPayload() string { return upperFirst(t.Plural) + "Payload" }

// RowResult is what ManyPayload has for each row.
func (t *Type) RowResult() string { return t.Name + "Result" }

// Methods gives the declared server methods, in a stable order.
func (r *Registry) Methods() []*Method { return r.methods }
