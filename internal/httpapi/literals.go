package httpapi

import (
	"iter"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// checkLiterals refuses numbers that GraphQL's grammar allows and no type can
// hold: gqlgen panics on them while it reads the arguments.
func checkLiterals(doc *ast.QueryDocument) *gqlerror.Error {
	for _, op := range doc.Operations {
		if err := checkDirectives(op.Directives); err != nil {
			return err
		}
	}
	for selection := range selections(doc) {
		var args ast.ArgumentList
		var directives ast.DirectiveList
		switch selection := selection.(type) {
		case *ast.Field:
			args, directives = selection.Arguments, selection.Directives
		case *ast.InlineFragment:
			directives = selection.Directives
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
	return nil
}

// selections are all that a document has, each once however often its fragment is spread.
func selections(doc *ast.QueryDocument) iter.Seq[ast.Selection] {
	return func(yield func(ast.Selection) bool) {
		var open []ast.SelectionSet
		for _, op := range doc.Operations {
			open = append(open, op.SelectionSet)
		}
		for _, f := range doc.Fragments {
			open = append(open, f.SelectionSet)
		}
		for len(open) > 0 {
			set := open[len(open)-1]
			open = open[:len(open)-1]
			for _, selection := range set {
				if !yield(selection) {
					return
				}
				switch selection := selection.(type) {
				case *ast.Field:
					open = append(open, selection.SelectionSet)
				case *ast.InlineFragment:
					open = append(open, selection.SelectionSet)
				}
			}
		}
	}
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
