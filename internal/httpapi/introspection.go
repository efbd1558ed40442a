package httpapi

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// maxTypes is how many __type fields one operation may have; of __schema there is one.
const maxTypes = 10

// typeLists are the lists of __Type. The graph is full of cycles, so each such list
// below another multiplies the answer by the length of the inner one.
var typeLists = map[string]bool{
	"fields": true, "inputFields": true, "enumValues": true, "interfaces": true, "possibleTypes": true,
}

// checkIntrospection keeps the answer to introspection from growing beyond what the
// schema itself has, however the question is put: __schema is asked once, no field
// twice under aliases, no list of a type below that of another. The queries with
// which tools read a whole schema do none of this. It looks at fields as execution
// merges them, and runs after the cost was found to be within its limit, which
// bounds their number.
func checkIntrospection(op *graphql.OperationContext) *gqlerror.Error {
	counts := map[string]int{}
	for _, f := range graphql.CollectFields(op, op.Operation.SelectionSet, nil) {
		var maximum int
		switch f.Name {
		case "__schema":
			maximum = 1
		case "__type":
			maximum = maxTypes
		default:
			continue
		}
		if counts[f.Name]++; counts[f.Name] > maximum {
			return introspectionError(f.Field, maximum,
				"the operation has more than %d %s at its root; ask for the others in requests of their own", maximum, f.Name)
		}
		if err := checkSchemaFields(op, f.Selections, false); err != nil {
			return err
		}
	}
	return nil
}

// checkSchemaFields checks what is selected of one object of the schema; inList says
// whether that lies below a list of __Type.
func checkSchemaFields(op *graphql.OperationContext, set ast.SelectionSet, inList bool) *gqlerror.Error {
	fields := graphql.CollectFields(op, set, nil)
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		if seen[f.Name] {
			return introspectionError(f.Field, 1, "%s is selected twice in one place, by an alias; below __schema and __type once is the limit", f.Name)
		}
		seen[f.Name] = true
		list := f.ObjectDefinition != nil && f.ObjectDefinition.Name == "__Type" && typeLists[f.Name]
		if list && inList {
			return introspectionError(f.Field, 1,
				"%s of a type lies below a list of another type; ask for that type by __type(name:) instead", f.Name)
		}
		if err := checkSchemaFields(op, f.Selections, inList || list); err != nil {
			return err
		}
	}
	return nil
}

func introspectionError(f *ast.Field, maximum int, format string, args ...any) *gqlerror.Error {
	return at(asGraphQL(limitError("introspection", maximum, 0, format, args...)), f.Position)
}
