package doctype_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"erpgraph/internal/doctype"
)

const accessSDL = `
type Contract implements Node @table @access(read: ["Sales User", "Auditor"], write: "Sales Manager", through: "customer") {
  id: ID!
  customer: Customer! @link @column(name: "customer_name")
}
type Visit implements Node @table @access(through: "contract") { id: ID!  contract: Contract! @link }
type Part implements Node @table @access(read: ["Stock User"], through: "visit") { id: ID!  visit: Visit! @link }
type Team implements Node @table @access(read: "Manager") { id: ID! }
type Member implements Node @table @access(through: "team") { id: ID!  team: Team! @link }
type Notice implements Node @table @access(public: true, write: ["Manager"]) { id: ID! }
`

// What @access says of a type, and what follows for it from the types it is read through.
func TestAccess(t *testing.T) {
	t.Parallel()
	reg, _ := mustBuild(t, "doctypes: {Customer: {}}", []string{thing("Customer")}, accessSDL)
	sales := []string{"Sales User", "Auditor"}
	tests := []struct {
		name        string
		read, write []string
		through     string
		public      bool
		roles       [][]string
		chain       string
		end         string
	}{
		{"Contract", sales, []string{"Sales Manager"}, "customer", false, [][]string{sales}, "Contract.customer_name Customer", "Customer"},
		{"Visit", nil, nil, "contract", false, [][]string{sales}, "Visit.contract Contract.customer_name Customer", "Customer"},
		{"Part", []string{"Stock User"}, nil, "visit", false, [][]string{{"Stock User"}, sales}, "Part.visit Visit.contract Contract.customer_name Customer", "Customer"},
		{"Team", []string{"Manager"}, nil, "", false, [][]string{{"Manager"}}, "", ""},
		{"Member", nil, nil, "team", false, [][]string{{"Manager"}}, "Member.team Team", "Team"},
		{"Notice", nil, []string{"Manager"}, "", true, nil, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := reg.ByName(tt.name).Access
			if diff := cmp.Diff([]any{tt.read, tt.write, tt.through, tt.public, tt.roles}, []any{a.Read, a.Write, a.Through, a.Public, a.Roles}); diff != "" {
				t.Error(diff)
			}
			if got := chainText(a); got != tt.chain {
				t.Errorf("chain %q, want %q", got, tt.chain)
			}
			end := ""
			if a.End() != nil {
				end = a.End().Key
			}
			if end != tt.end || a.Closed() {
				t.Errorf("end %q, want %q; closed %t", end, tt.end, a.Closed())
			}
		})
	}
	if reg.ByName("Customer").Access.End() != nil {
		t.Error("an upstream type has a chain")
	}
}

func chainText(a *doctype.Access) string {
	var out []string
	for i, hop := range a.Chain {
		out = append(out, hop.Type.Name+"."+hop.Field.Column)
		if i == len(a.Chain)-1 {
			out = append(out, hop.Target.Name)
		}
	}
	return strings.Join(out, " ")
}

func TestAccessRefused(t *testing.T) {
	t.Parallel()
	one := func(access string) string {
		return "type A implements Node @table " + access + " {\n id: ID!\n x: Int\n c: Customer! @link\n maybe: Customer @link\n u: User! @link\n}"
	}
	for sdl, want := range map[string]string{
		one(""):                                         ":1: A has no @access: say who may read its rows",
		one("@access"):                                  "restricts reading by nothing",
		one(`@access(write: ["Sales User"])`):           "restricts reading by nothing",
		one("@access(public: false)"):                   "restricts reading by nothing",
		one(`@access(public: true, read: ["A"])`):       "leave out read and through",
		one(`@access(public: true, through: "c")`):      "leave out read and through",
		one(`@access(public: "true")`):                  "must be true or false",
		one(`@access(public: null)`):                    "must be true or false",
		one(`@access(read: [])`):                        "names no role",
		one(`@access(read: "A", write: [])`):            "names no role",
		one(`@access(read: ["A", ""])`):                 `"" is no role`,
		one(`@access(read: [" A"])`):                    `" A" is no role`,
		one(`@access(read: ["A", "A"])`):                "twice",
		one(`@access(read: [1])`):                       "1 is no role",
		one(`@access(read: [Auditor])`):                 "Auditor is no role",
		one(`@access(read: null)`):                      "null is no role",
		one(`@access(read: ["All"])`):                   `"All" is everybody: say public: true`,
		one(`@access(read: ["A", "Guest"])`):            `"Guest" is everybody: say public: true`,
		one(`@access(through: "u")`):                    "ends at User, of which ERPNext lists all fields",
		one(`@access(reed: ["A"])`):                     "no argument reed",
		one(`@access(through: "")`):                     "must be the name of a @link",
		one(`@access(through: c)`):                      "must be the name of a @link",
		one(`@access(through: "no")`):                   `:1: A: @access(through: "no") is no @link`,
		one(`@access(through: "x")`):                    "is no @link",
		one(`@access(through: "maybe")`):                "make it Customer!",
		one(`@access(read: "A") @access(public: true)`): "twice",

		`type A implements Node @table @access(through: "b") { id: ID! b: B! @link }
		 type B implements Node @table @access(through: "u") { id: ID! u: User! @link }`: `A: @access(through: "b") ends at User`,

		"type A implements Node @table\n @access(through: \"a\") { id: ID! a: A! @link }": ":2: A: @access(through) goes round in a circle (A → A)",
		`type A implements Node @table @access(through: "b") { id: ID! b: B! @link }
		 type B implements Node @table @access(through: "c") { id: ID! c: C! @link }
		 type C implements Node @table @access(through: "b") { id: ID! b: B! @link }`: "circle (A → B → C → B)",

		"type A @access(public: true) { x: Int }":                                     "no @table",
		one("@access(public: true)") + "\nextend type A @access(read: \"B\")":         "belongs on the type itself",
		one("@access(public: true)") + "\nextend type Customer @access(public: true)": "belongs on the type itself",
	} {
		_, _, err := build(t, "doctypes: {Customer: {}, User: {}}", []string{thing("Customer"), thing("User")}, sdl)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "schema/app/app.graphqls:") {
			t.Errorf("%s:\n%v, want something about %q", sdl, err, want)
		}
	}
}

// A registry that was made by hand is closed where Build would have refused it.
func TestClosed(t *testing.T) {
	t.Parallel()
	local := func(name string, a *doctype.Access, links ...*doctype.Field) *doctype.Type {
		return &doctype.Type{Name: name, Key: name, Source: doctype.Local, Access: a, Fields: links}
	}
	link := func(name, target string) *doctype.Field {
		return &doctype.Field{Name: name, Column: name, Kind: doctype.Link, Target: target}
	}
	for name, tt := range map[string]struct {
		access *doctype.Access
		closed bool
	}{
		"no access":          {nil, true},
		"nothing restricted": {&doctype.Access{Write: []string{"A"}}, true},
		"public":             {&doctype.Access{Public: true}, false},
		"roles":              {&doctype.Access{Read: []string{"A"}}, false},
		"no such field":      {&doctype.Access{Read: []string{"A"}, Through: "no"}, true},
		"no such target":     {&doctype.Access{Through: "nowhere"}, true},
		"a child":            {&doctype.Access{Through: "child"}, true},
		"in a circle":        {&doctype.Access{Through: "self"}, true},
		"through no access":  {&doctype.Access{Through: "bare"}, true},
		"through nothing":    {&doctype.Access{Through: "empty"}, true},
		"two links away":     {&doctype.Access{Through: "far"}, true},
		"through roles":      {&doctype.Access{Through: "roles"}, false},
	} {
		a := local("A", tt.access, link("nowhere", "Nowhere"), link("child", "Child"), link("self", "A"), link("bare", "Bare"), link("roles", "Roles"), link("empty", "Empty"), link("far", "Far"))
		doctype.NewRegistry([]*doctype.Type{
			a, local("Bare", nil), local("Empty", &doctype.Access{}), local("Far", &doctype.Access{Through: "bare"}, link("bare", "Bare")), local("Roles", &doctype.Access{Read: []string{"B"}}),
			{Name: "Child", Key: "Child", Source: doctype.Child},
		})
		if got := a.Access.Closed(); got != tt.closed {
			t.Errorf("%s: closed %t", name, got)
		}
	}
}
