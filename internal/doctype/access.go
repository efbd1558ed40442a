package doctype

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Access is @access: who may see and change rows of a local type. The caller's ERPNext
// roles decide, and Through ties a row to the document (or local row) that its field of
// this GraphQL name links to. NewRegistry computes the rest from these.
type Access struct {
	Read, Write []string
	Through     string
	Public      bool

	// Roles are what a reader needs: one role of each set. The first is the type's own,
	// further ones are those of the local types that Chain passes.
	Roles [][]string
	// Chain leads from a row to what decides whether it is visible, one link a hop:
	// part → visit → contract → customer. It ends at an upstream type, whose document
	// ERPNext must show to the caller, or at a local type without a Through.
	Chain []Hop
}

// Hop is one link of a chain: Field of Type holds the name, or id, of a Target.
type Hop struct {
	Type   *Type
	Field  *Field
	Target *Type
}

// Closed tells that nobody may read the type: it has no Access, one that restricts
// nothing without being Public, or a Through that leads nowhere. Build refuses all of
// these, so only a registry made by hand has them.
func (a *Access) Closed() bool {
	switch {
	case a == nil:
		return true
	case a.Through != "":
		return len(a.Chain) == 0
	default:
		return !a.Public && len(a.Roles) == 0
	}
}

// End is the type at which the chain ends; nil without one.
func (a *Access) End() *Type {
	if a == nil || len(a.Chain) == 0 {
		return nil
	}
	return a.Chain[len(a.Chain)-1].Target
}

// resolve computes Roles and Chain of t.
func (a *Access) resolve(t *Type, r *Registry) {
	if a == nil {
		return
	}
	a.Roles, a.Chain = nil, nil
	var chain []Hop
	for seen := []*Type{}; t != nil && t.Access != nil; {
		if len(t.Access.Read) > 0 {
			a.Roles = append(a.Roles, t.Access.Read)
		}
		if t.Access.Through == "" {
			break
		}
		f := t.Field(t.Access.Through)
		if f == nil || f.Kind != Link || r.ByKey(f.Target) == nil || slices.Contains(seen, t) {
			return // Closed
		}
		target := r.ByKey(f.Target)
		if !target.readable() {
			return
		}
		seen, chain = append(seen, t), append(chain, Hop{Type: t, Field: f, Target: target})
		t = target
	}
	a.Chain = chain
}

// readable tells whether rows can be read through the type, as far as it says itself.
func (t *Type) readable() bool {
	if t.Source != Local {
		return t.Source == Upstream
	}
	a := t.Access
	return a != nil && (a.Public || a.Through != "" || len(a.Read) > 0)
}

// parseAccess reads the @access of a local type and holds it to its rules.
func parseAccess(def *ast.Definition) (*Access, error) {
	all := def.Directives.ForNames("access")
	if len(all) == 0 {
		return nil, at(def.Position, "%s has no @access: say who may read its rows, as in "+
			`@access(read: ["Sales User"], through: "customer"), or @access(public: true) for everybody whom ERPNext knows`, def.Name)
	}
	d := all[0]
	fail := func(format string, args ...any) (*Access, error) {
		return nil, at(d.Position, "%s: %s", def.Name, fmt.Sprintf(format, args...))
	}
	if len(all) > 1 {
		return fail("@access stands there twice: one place tells who may read it")
	}
	a := &Access{}
	for _, arg := range d.Arguments {
		switch arg.Name {
		case "read", "write":
			roles, err := roleNames(arg)
			if err != nil {
				return fail("@access(%s): %v", arg.Name, err)
			}
			if i := slices.IndexFunc(roles, everybody); i >= 0 && arg.Name == "read" {
				return fail("@access(read): %q is everybody: say public: true", roles[i])
			}
			if arg.Name == "read" {
				a.Read = roles
			} else {
				a.Write = roles
			}
		case "through":
			if arg.Value.Kind != ast.StringValue || arg.Value.Raw == "" {
				return fail(`@access(through): must be the name of a @link of the type, as in through: "customer"`)
			}
			a.Through = arg.Value.Raw
		case "public":
			if arg.Value.Kind != ast.BooleanValue {
				return fail("@access(public): must be true or false")
			}
			a.Public = arg.Value.Raw == "true"
		default:
			return fail("@access has no argument %s: it takes read, write, through and public", arg.Name)
		}
	}
	restricted := len(a.Read) > 0 || a.Through != ""
	switch {
	case a.Public && restricted:
		return fail("@access(public: true) lets everybody read whom ERPNext knows: leave out read and through, or public")
	case !a.Public && !restricted:
		return fail("@access restricts reading by nothing: give it read: [roles] or through: \"link\", or say public: true if everybody whom ERPNext knows may read")
	}
	return a, nil
}

// everybody tells that Frappe gives every caller the role.
func everybody(role string) bool { return role == "All" || role == "Guest" }

// roleNames reads a list of roles; a single text stands for a list of one.
func roleNames(arg *ast.Argument) ([]string, error) {
	values := []*ast.Value{arg.Value}
	if arg.Value.Kind == ast.ListValue {
		values = nil
		for _, child := range arg.Value.Children {
			values = append(values, child.Value)
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("names no role: name some, or leave %s out", arg.Name)
	}
	var roles []string
	for _, v := range values {
		switch {
		case v.Kind != ast.StringValue && v.Kind != ast.BlockValue:
			return nil, fmt.Errorf(`%s is no role: a role is a text, as in "Sales User"`, v)
		case v.Raw == "" || strings.TrimSpace(v.Raw) != v.Raw:
			return nil, fmt.Errorf("%q is no role: it is empty or has blanks at an end", v.Raw)
		case slices.Contains(roles, v.Raw):
			return nil, fmt.Errorf("%q stands there twice", v.Raw)
		}
		roles = append(roles, v.Raw)
	}
	return roles, nil
}

// checkThrough holds each through to its rules; it runs when all local fields are known.
func (b *builder) checkThrough(doc *ast.SchemaDocument) error {
	for _, t := range b.order {
		if t.Source != Local || t.Access.Through == "" {
			continue
		}
		pos := doc.Definitions.ForName(t.Name).Directives.ForName("access").Position
		through := t.Access.Through
		i := slices.IndexFunc(t.Fields, func(f *Field) bool { return f.Name == through })
		switch {
		case i < 0 || t.Fields[i].Kind != Link:
			return at(pos, "%s: @access(through: %q) is no @link of the type: name one of its fields that has @link", t.Name, through)
		case !t.Fields[i].NonNull:
			return at(pos, "%s: @access(through: %q) may be null, and nobody could read a row without it: make it %s!", t.Name, through, t.Fields[i].GraphQLType)
		}
		end, err := b.throughEnd(t, pos)
		if err != nil {
			return err
		}
		if end.Source != Local && slices.Contains(coreDocTypes, end.Key) {
			return at(pos, "%s: @access(through: %q) ends at %s, of which ERPNext lists all fields also to those who may only link to it, "+
				"so nothing tells whether they may read it: use roles, as in @access(read: [\"Sales User\"])", t.Name, through, end.Key)
		}
	}
	return nil
}

// coreDocTypes are those that Frappe exempts from the rules which fields a list shows to
// whom (facts of frappe.model: core_doctypes_list).
var coreDocTypes = []string{
	"DefaultValue", "DocType", "DocField", "DocPerm", "DocType Action", "DocType Link",
	"User", "Role", "Has Role", "Page", "Module Def", "Print Format", "Report",
	"Customize Form", "Customize Form Field", "Property Setter", "Custom Field", "Client Script",
}

// throughEnd follows the links of through until they end. Where a link is wrong they end
// before it: its own type's check will tell.
func (b *builder) throughEnd(t *Type, pos *ast.Position) (*Type, error) {
	path, on := []string{t.Name}, t
	for on.Source == Local && on.Access.Through != "" {
		i := slices.IndexFunc(on.Fields, func(f *Field) bool { return f.Name == on.Access.Through })
		if i < 0 || b.types[on.Fields[i].Target] == nil {
			return on, nil
		}
		on = b.types[on.Fields[i].Target]
		again := slices.Contains(path, on.Name)
		if path = append(path, on.Name); again {
			return nil, at(pos, "%s: @access(through) goes round in a circle (%s): one of them must be read by roles, or through a document of ERPNext",
				t.Name, strings.Join(path, " → "))
		}
	}
	return on, nil
}
