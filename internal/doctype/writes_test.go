package doctype_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"erpgraph/internal/doctype"
)

// Every rule by which a field of a DocType is in an input, or is not.
func TestUsesOfFields(t *testing.T) {
	t.Parallel()
	const out, may, must = doctype.Absent, doctype.Optional, doctype.Required
	for rule, c := range map[string]struct {
		facts          string
		create, update doctype.InputUse
	}{
		"plain":             {`"fieldtype": "Data"`, may, may},
		"asked for":         {`"fieldtype": "Data", "reqd": 1`, must, may},
		"default":           {`"fieldtype": "Data", "reqd": 1, "default": "x"`, may, may},
		"fetched":           {`"fieldtype": "Data", "reqd": 1, "fetch_from": "a.b"`, may, may},
		"first option":      {`"fieldtype": "Select", "reqd": 1, "options": "A\nB"`, may, may},
		"no first option":   {`"fieldtype": "Select", "reqd": 1, "options": "\nA"`, must, may},
		"settings":          {`"fieldtype": "Data", "reqd": 1, "fieldname": "filled"`, may, may},
		"settings, pattern": {`"fieldtype": "Data", "reqd": 1, "fieldname": "fx_rate"`, may, may},
		"set once":          {`"fieldtype": "Data", "reqd": 1, "set_only_once": 1`, must, out},
		"read-only":         {`"fieldtype": "Data", "reqd": 1, "read_only": 1`, out, out},
		"Read Only":         {`"fieldtype": "Read Only"`, out, out},
		"tree column":       {`"fieldtype": "Int", "fieldname": "lft"`, out, out},
		"table":             {`"fieldtype": "Table", "options": "Row", "reqd": 1`, must, may},
		"nothing to write":  {`"fieldtype": "Table", "options": "Sum"`, out, out},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			facts := c.facts
			if !strings.Contains(facts, "fieldname") {
				facts += `, "fieldname": "it"`
			}
			reg, _ := mustBuild(t, "optional: [fx_*]\ndoctypes: {Thing: {optional: [filled]}}", []string{
				`{"name": "Thing", "is_tree": 1, "fields": [{` + facts + `}]}`,
				`{"name": "Row", "istable": 1, "fields": [{"fieldname": "n", "fieldtype": "Int"}]}`,
				`{"name": "Sum", "istable": 1, "fields": [{"fieldname": "n", "fieldtype": "Int", "read_only": 1}]}`,
			})
			fields := reg.ByKey("Thing").Fields
			f := fields[len(fields)-1]
			if f.Create != c.create || f.Update != c.update {
				t.Errorf("create %d, update %d; want %d, %d", f.Create, f.Update, c.create, c.update)
			}
			for _, f := range fields[:len(fields)-1] {
				if f.Create != out || f.Update != out {
					t.Errorf("%s is in an input", f.Name)
				}
			}
		})
	}
}

// What kinds of DocTypes and settings give which mutations.
func TestWritesOfTypes(t *testing.T) {
	t.Parallel()
	const title = `"fields": [{"fieldname": "title", "fieldtype": "Data"}]`
	for name, c := range map[string]struct {
		settings, facts string
		want            []string
	}{
		"plain":            {"{}", title, []string{"createThing", "createThings", "updateThing", "deleteThing"}},
		"single":           {"{}", `"issingle": 1, "is_submittable": 1, "allow_rename": 1, "workflow": "x", ` + title, []string{"updateThing"}},
		"nothing to give":  {"{}", `"fields": []`, []string{"deleteThing"}},
		"only a name":      {"{}", `"autoname": "prompt", "fields": []`, []string{"createThing", "createThings", "deleteThing"}},
		"restricted":       {"{writes: [rename, delete]}", `"is_submittable": 1, "allow_rename": 1, "workflow": "x", ` + title, []string{"deleteThing", "renameThing"}},
		"none":             {"{writes: []}", `"is_submittable": 1, "workflow": "x", ` + title, nil},
		"workflow":         {"{writes: [workflow]}", `"workflow": "state", ` + title, []string{"applyThingWorkflow"}},
		"workflow off":     {"{workflow: false, writes: [workflow]}", `"workflow": "state", ` + title, nil},
		"workflow by hand": {"{workflow: true, writes: []}", title, []string{"applyThingWorkflow"}},
		"submittable": {
			"{writes: [submit, rename]}", `"is_submittable": 1, "allow_rename": 1, ` + title,
			[]string{"submitThing", "cancelThing", "amendThing", "renameThing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg, _ := mustBuild(t, "doctypes: {Thing: "+c.settings+"}", []string{`{"name": "Thing", ` + c.facts + `}`})
			thing := reg.ByKey("Thing")
			if diff := cmp.Diff(c.want, thing.MutationRoots()); diff != "" {
				t.Error(diff)
			}
			if thing.Writes.Any() != (len(c.want) > 0) {
				t.Errorf("Any is %t", thing.Writes.Any())
			}
		})
	}
}

func TestUsesOfLocalFields(t *testing.T) {
	t.Parallel()
	reg, _ := mustBuild(t, "doctypes: {Customer: {}}", []string{thing("Customer")}, `
type Visit implements Node @table @access(read: ["A"], write: ["B"]) {
  id: ID!
  customer: Customer! @link
  note: String
  state: String! @default
  bill: Customer @link @readOnly
  madeAt: DateTime! @readOnly
  changedAt: DateTime! @modified
  follows: Visit @link
  visits: [Visit!]! @reverse(field: "follows")
}
type Shown implements Node @table @access(public: true) { id: ID! note: String }
extend type Visit { late: Boolean }
extend type Customer { risk: Int }
`)
	visit := reg.ByName("Visit")
	got := map[string][2]doctype.InputUse{}
	for _, f := range visit.Fields {
		if f.Create != doctype.Absent || f.Update != doctype.Absent {
			got[f.Name] = [2]doctype.InputUse{f.Create, f.Update}
		}
	}
	want := map[string][2]doctype.InputUse{
		"customer": {doctype.Required, doctype.Optional},
		"note":     {doctype.Optional, doctype.Optional},
		"state":    {doctype.Optional, doctype.Optional},
		"follows":  {doctype.Optional, doctype.Optional},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if visit.Writes.Modified != visit.Field("changedAt") || visit.Writes.Modified == nil {
		t.Errorf("modified is %v", visit.Writes.Modified)
	}
	if reg.ByName("Shown").Writes.Any() {
		t.Error("a type that no role may write has mutations")
	}
	if f := reg.ByKey("Customer").Field("risk"); f.Create != doctype.Absent || f.Update != doctype.Absent {
		t.Error("a hand-written field is in an input")
	}
}

func TestLocalUsesRefused(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"at: DateTime @modified":                                              "DateTime!",
		"at: String! @modified":                                               "DateTime!",
		"at: DateTime! @modified @readOnly":                                   "leave one of them out",
		"at: DateTime! @modified @default":                                    "leave @default out",
		"at: DateTime! @modified\n  also: DateTime! @modified":                "at has it already",
		"n: Int! @default @readOnly":                                          "leave one of them out",
		"up: Visit @link\n  all: [Visit!]! @reverse(field: \"up\") @readOnly": "never in an input",
		"n: Int }\nextend type Visit { late: Int @readOnly":                   "hand-written field",
	} {
		_, _, err := build(t, "doctypes: {}", nil,
			"type Visit implements Node @table @access(public: true, write: [\"A\"]) {\n  id: ID!\n  "+field+"\n}")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "app.graphqls:") {
			t.Errorf("%s: %v, want something about %q", field, err, want)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	reg, _ := mustBuild(t, `
doctypes: {Comment: {}}
methods:
  addComment:
    method: frappe.desk.form.utils.add_comment
    description: Adds a comment.
    arguments:
      referenceName: { type: String! }
      doctype: { type: String!, as: reference_doctype }
      ranks: { type: "[Int!]" }
    fill: { comment_email: user }
    result: Comment
    repeatable: true
  ping: { method: a.ping }
  tags: { method: a.tags, result: "[String]" }
  all: { method: a.all, result: "[Comment!]!" }
`, []string{thing("Comment")})
	want := []*doctype.Method{
		{
			Name: "addComment", Path: "frappe.desk.form.utils.add_comment", Description: "Adds a comment.",
			Args: []*doctype.MethodArg{
				{Name: "referenceName", As: "reference_name", Type: "String!", NonNull: true},
				{Name: "doctype", As: "reference_doctype", Type: "String!", NonNull: true},
				{Name: "ranks", As: "ranks", Type: "[Int!]", Kind: doctype.Int, List: true, Item: true},
			},
			Fill: map[string]string{"comment_email": "user"}, Kind: doctype.DocumentResult, Result: "Comment", Target: "Comment",
			Field: "comment", Payload: "AddCommentPayload", Repeatable: true,
		},
		{
			Name: "all", Path: "a.all", Description: "Calls a.all of ERPNext.", Kind: doctype.DocumentResult, Result: "Comment",
			Target: "Comment", List: true, Field: "comments", Payload: "AllPayload",
		},
		{Name: "ping", Path: "a.ping", Description: "Calls a.ping of ERPNext.", Payload: "PingPayload"},
		{
			Name: "tags", Path: "a.tags", Description: "Calls a.tags of ERPNext.", Kind: doctype.ScalarResult, Result: "String",
			List: true, Field: "result", Payload: "TagsPayload",
		},
	}
	if diff := cmp.Diff(want, reg.Methods(), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestMethodsRefused(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"AddNote: {method: a.b}":                                                  "AddNote: the name is not camelCase",
		"note: {}":                                                                "note: method:",
		"note:":                                                                   "note: method:",
		"note: {method: a/b}":                                                     "no path",
		"note: {method: a.b, result: Nope}":                                       "no document of the graph",
		"note: {method: a.b, result: Row}":                                        "no document of the graph",
		"note: {method: a.b, result: Visit}":                                      "no document of the graph",
		"note: {method: a.b, result: '[[Int]]'}":                                  "no type",
		"note: {method: a.b, result: 'Int!!'}":                                    "no type",
		"note: {method: a.b, arguments: {A: {type: Int}}}":                        "arguments: A: the name is not camelCase",
		"note: {method: a.b, arguments: {a: {}}}":                                 "arguments: a: type",
		"note: {method: a.b, arguments: {a: }}":                                   "arguments: a: type",
		"note: {method: a.b, arguments: {a: {type: '[Int'}}}":                     "no type",
		"note: {method: a.b, arguments: {a: {type: Customer}}}":                   "docname",
		"note: {method: a.b, arguments: {a: {type: Int, as: 'x y'}}}":             "as:",
		"note: {method: a.b, arguments: {cmd: {type: String}}}":                   "Frappe takes cmd",
		"note: {method: a.b, arguments: {a: {type: String, as: sid}}}":            "Frappe takes sid",
		"note: {method: a.b, arguments: {a: {type: Int}, b: {type: Int, as: a}}}": "another argument",
		"note: {method: a.b, fill: {by: password}}":                               "user or fullName",
		"note: {method: a.b, fill: {sid: user}}":                                  "fill",
		"note: {method: a.b, fill: {a: user}, arguments: {a: {type: Int}}}":       "only one",
		"uploadFile: {method: a.b}":                                               "uploadFile is taken",
		"createCustomer: {method: a.b}":                                           "createCustomer is taken",
		"customer: {method: a.b}":                                                 "CustomerPayload is taken",
		"delete: {method: a.b}":                                                   "DeletePayload is taken",
	} {
		_, _, err := build(t, "doctypes: {Customer: {}}\nmethods:\n  "+in, []string{
			`{"name": "Customer", "fields": [{"fieldname": "rows", "fieldtype": "Table", "options": "Row"}]}`,
			`{"name": "Row", "istable": 1, "fields": [{"fieldname": "n", "fieldtype": "Int"}]}`,
		}, `type Visit implements Node @table @access(public: true) { id: ID! }`)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "methods") {
			t.Errorf("%s: %v, want something about %q", in, err, want)
		}
	}
}

// A site tells of its active workflow beside the DocType.
func TestParseFactsFindsWorkflow(t *testing.T) {
	t.Parallel()
	f, err := doctype.ParseFacts([]byte(`{"name": "Request", "fields": [], "__workflow_docs": [
		{"doctype": "Workflow", "document_type": "Request", "is_active": 1, "workflow_state_field": "state"},
		{"doctype": "Workflow State", "name": "Open", "workflow_state_field": "other"}]}`))
	if err != nil || f.Workflow != "state" {
		t.Fatalf("%+v, %v", f, err)
	}
	text, err := f.Marshal()
	if err != nil || !strings.Contains(string(text), `"workflow": "state"`) {
		t.Errorf("%s, %v", text, err)
	}
	back, err := doctype.ParseFacts(text)
	if diff := cmp.Diff(f, back); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, none := range []string{`null`, `[]`} {
		if f, err := doctype.ParseFacts([]byte(`{"name": "X", "__workflow_docs": ` + none + `}`)); err != nil || f.Workflow != "" {
			t.Errorf("%s: %+v, %v", none, f, err)
		}
	}
}

// A row of a child table is kept by its name.
func TestChildRowsAreKeptByName(t *testing.T) {
	t.Parallel()
	reg, report := mustBuild(t, "doctypes: {Service Ticket: {}, Service Tag: {}}", serviceFacts(t))
	line := reg.ByKey("Service Ticket Line")
	if f := line.Field("name"); f.Create != doctype.Absent || f.Update != doctype.Optional {
		t.Errorf("name: create %d, update %d", f.Create, f.Update)
	}
	if line.Writes.Any() {
		t.Error("rows have mutations of their own")
	}
	if !slices.ContainsFunc(report.Required, func(r doctype.RequiredFields) bool {
		return r.DocType == "Service Ticket" && slices.Equal(r.Fields, []string{"subject", "customer"})
	}) {
		t.Errorf("required: %v", report.Required)
	}
}
