package httpapi

import (
	"iter"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// idempotentDirective gives a field of a mutation an idempotency key of its own.
const idempotentDirective = "idempotent"

// checkIdempotent refuses the directive where it has no effect: on what is no field at the
// root of a mutation, and on one of several fields that execution merges, as it goes by the
// first. A client that believes to be protected must not be mistaken. It wants a document
// that is valid.
func checkIdempotent(doc *ast.QueryDocument) *gqlerror.Error {
	keyed := keyedFields(doc)
	if len(keyed) == 0 {
		return nil
	}
	roots := make(map[*ast.Field]bool)
	for _, op := range doc.Operations {
		if op.Operation != ast.Mutation {
			continue
		}
		first := make(map[string]*ast.Field) // by the key in the response
		for f := range rootFields(op) {
			roots[f] = true
			if first[f.Alias] == nil {
				first[f.Alias] = f
			}
			if !sameKey(first[f.Alias], f) {
				return at(asGraphQL(apierror.New(apierror.BadUserInput,
					"the fields %s become one, but not all have the same @%s: give it to each, with the same key, or merge them into one field",
					shortened(f.Alias), idempotentDirective)), f.Position)
			}
		}
	}
	for _, f := range keyed {
		if !roots[f] {
			return at(asGraphQL(apierror.New(apierror.BadUserInput,
				"@%s has no effect on the field %s: it belongs to the fields at the root of a mutation", idempotentDirective, shortened(f.Alias))), f.Position)
		}
	}
	return nil
}

func keyedFields(doc *ast.QueryDocument) []*ast.Field {
	var keyed []*ast.Field
	for selection := range selections(doc) {
		if f, ok := selection.(*ast.Field); ok && f.Directives.ForName(idempotentDirective) != nil {
			keyed = append(keyed, f)
		}
	}
	return keyed
}

// rootFields are the fields at the root of an operation, in the order of execution and
// whatever @skip and @include say; those of a fragment once, however often it is spread.
func rootFields(op *ast.OperationDefinition) iter.Seq[*ast.Field] {
	return func(yield func(*ast.Field) bool) {
		spread := make(map[*ast.FragmentDefinition]bool)
		var walk func(ast.SelectionSet) bool
		walk = func(set ast.SelectionSet) bool {
			for _, selection := range set {
				more := true
				switch selection := selection.(type) {
				case *ast.Field:
					more = yield(selection)
				case *ast.InlineFragment:
					more = walk(selection.SelectionSet)
				case *ast.FragmentSpread:
					if f := selection.Definition; f != nil && !spread[f] {
						spread[f] = true
						more = walk(f.SelectionSet)
					}
				}
				if !more {
					return false
				}
			}
			return true
		}
		walk(op.SelectionSet)
	}
}

// sameKey reports whether two fields carry the directive with the same key, or neither
// does. Of variables it compares the names: their values are not known yet.
func sameKey(a, b *ast.Field) bool {
	return keyArgument(a) == keyArgument(b)
}

// keyArgument is the key of a field as it is written, "" without the directive.
func keyArgument(f *ast.Field) string {
	d := f.Directives.ForName(idempotentDirective)
	if d == nil {
		return ""
	}
	if key := d.Arguments.ForName("key"); key != nil {
		return key.Value.String() // quoted, or $name
	}
	return "null"
}
