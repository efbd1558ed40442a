package httpapi

import (
	"slices"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"erpgraph/internal/apierror"
)

// uploadScalar is the type of a file in the schema.
const uploadScalar = "Upload"

// checkUploads sees to it that variables of the type Upload are files of a multipart
// request, and no others are: JSON can look like anything, and a file in a place of
// another type would be a reader where a resolver expects a value. It leaves all else
// about variables to their own validation.
func checkUploads(schema *ast.Schema, op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	for _, v := range op.VariableDefinitions {
		value, given := variables[v.Variable]
		if !given {
			continue
		}
		if err := checkUpload(schema, v.Type, value, v.Variable); err != nil {
			return at(asGraphQL(err), v.Position)
		}
	}
	return nil
}

func checkUpload(schema *ast.Schema, t *ast.Type, value any, path string) *apierror.Error {
	if value == nil {
		return nil
	}
	if t.Elem != nil {
		if _, isFile := value.(graphql.Upload); isFile {
			return notUpload(path, "is a list: send a list of nulls, and the path of each") // gqlgen can't make it one
		}
		list, ok := value.([]any)
		if !ok {
			return checkUpload(schema, t.Elem, value, path) // one value is a list of one
		}
		for i, element := range list {
			if err := checkUpload(schema, t.Elem, element, path+"."+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		return nil
	}
	_, isFile := value.(graphql.Upload)
	if t.NamedType == uploadScalar {
		if isFile {
			return nil
		}
		return notUpload(path, "takes a file, which only a "+multipartForm+" request can carry: https://github.com/jaydenseric/graphql-multipart-request-spec")
	}
	object, ok := value.(map[string]any)
	if def := schema.Types[t.NamedType]; ok && def != nil && def.Kind == ast.InputObject {
		for _, field := range def.Fields {
			if err := checkUpload(schema, field.Type, object[field.Name], path+"."+field.Name); err != nil {
				return err
			}
		}
		return nil
	}
	if holdsUpload(value) {
		return notUpload(path, "takes no file: its type is "+t.NamedType)
	}
	return nil
}

// holdsUpload looks for a file anywhere in a value, as a scalar may be any JSON.
func holdsUpload(value any) bool {
	switch value := value.(type) {
	case graphql.Upload:
		return true
	case []any:
		return slices.ContainsFunc(value, holdsUpload)
	case map[string]any:
		for _, member := range value {
			if holdsUpload(member) {
				return true
			}
		}
	}
	return false
}

func notUpload(path, why string) *apierror.Error {
	return apierror.New(apierror.BadUserInput, "variable $%s %s", path, why).About("", "", path)
}
