package engine

import "github.com/vektah/gqlparser/v2/ast"

// variableUses counts where a document uses a variable.
func variableUses(doc *ast.QueryDocument, name string) int {
	u := variableCount{name: name}
	for _, o := range doc.Operations {
		u.directives(o.Directives)
		u.selections(o.SelectionSet)
	}
	for _, f := range doc.Fragments {
		u.directives(f.Directives)
		u.selections(f.SelectionSet)
	}
	return u.count
}

// variableCount counts the uses of a variable.
type variableCount struct {
	name  string
	count int
}

func (u *variableCount) selections(set ast.SelectionSet) {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			u.arguments(s.Arguments)
			u.directives(s.Directives)
			u.selections(s.SelectionSet)
		case *ast.InlineFragment:
			u.directives(s.Directives)
			u.selections(s.SelectionSet)
		case *ast.FragmentSpread:
			u.directives(s.Directives)
		}
	}
}

func (u *variableCount) directives(list ast.DirectiveList) {
	for _, d := range list {
		u.arguments(d.Arguments)
	}
}

func (u *variableCount) arguments(list ast.ArgumentList) {
	for _, a := range list {
		u.value(a.Value)
	}
}

func (u *variableCount) value(v *ast.Value) {
	if v == nil {
		return
	}
	if v.Kind == ast.Variable && v.Raw == u.name {
		u.count++
	}
	for _, c := range v.Children {
		u.value(c.Value)
	}
}
