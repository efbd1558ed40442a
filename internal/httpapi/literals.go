package httpapi

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// checkLiterals refuses numbers that GraphQL's grammar allows and no type can
// hold: gqlgen panics on them while it reads the arguments.
func checkLiterals(doc *ast.QueryDocument) *gqlerror.Error {
	var sets []ast.SelectionSet
	for _, op := range doc.Operations {
		if err := checkDirectives(op.Directives); err != nil {
			return err
		}
		sets = append(sets, op.SelectionSet)
	}
	for _, f := range doc.Fragments {
		sets = append(sets, f.SelectionSet)
	}
	for len(sets) > 0 {
		set := sets[len(sets)-1]
		sets = sets[:len(sets)-1]
		for _, selection := range set {
			var args ast.ArgumentList
			var directives ast.DirectiveList
			switch selection := selection.(type) {
			case *ast.Field:
				args, directives = selection.Arguments, selection.Directives
				sets = append(sets, selection.SelectionSet)
			case *ast.InlineFragment:
				directives = selection.Directives
				sets = append(sets, selection.SelectionSet)
			case *ast.FragmentSpread:
				directives = selection.Directives
			}
			if err := checkArguments(args); err != nil {
				return err
			}
			if err := checkDirectives(directives); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkDirectives(directives ast.DirectiveList) *gqlerror.Error {
	for _, d := range directives {
		if err := checkArguments(d.Arguments); err != nil {
			return err
		}
	}
	return nil
}

func checkArguments(args ast.ArgumentList) *gqlerror.Error {
	for _, arg := range args {
		if _, err := arg.Value.Value(nil); err != nil {
			return at(asGraphQL(&apierror.Error{
				Code: apierror.BadUserInput, Field: arg.Name, Cause: err,
				Message: "a number in the argument " + arg.Name + " is out of range",
			}), arg.Position)
		}
	}
	return nil
}
