package engine

import (
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// conditionTypes lists the type conditions of the fragments in a selection set, nested
// ones included, in order of appearance.
func conditionTypes(op *graphql.OperationContext, set ast.SelectionSet) []string {
	var out []string
	seen := map[string]bool{}
	var walk func(ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.InlineFragment:
				if s.TypeCondition != "" && !slices.Contains(out, s.TypeCondition) {
					out = append(out, s.TypeCondition)
				}
				walk(s.SelectionSet)
			case *ast.FragmentSpread:
				def := op.Doc.Fragments.ForName(s.Name)
				if def == nil || seen[s.Name] {
					continue
				}
				seen[s.Name] = true
				if !slices.Contains(out, def.TypeCondition) {
					out = append(out, def.TypeCondition)
				}
				walk(def.SelectionSet)
			}
		}
	}
	walk(set)
	return out
}
