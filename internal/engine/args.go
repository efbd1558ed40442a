package engine

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"erpgraph/internal/apierror"
)

// arguments are the coerced arguments of one field. Numbers are json.Number, so that a
// Decimal written in the query keeps its digits.
type arguments map[string]any

// checkNulls refuses null for an argument that has none. A nullable variable may stand there
// for the sake of the argument's default (section 5.8.5 of the specification), so that
// validation lets it pass.
func checkNulls(f graphql.CollectedField, vars map[string]any) error {
	if f.Definition == nil {
		return nil
	}
	for _, def := range f.Definition.Arguments {
		a := f.Arguments.ForName(def.Name)
		if a == nil || !def.Type.NonNull {
			continue
		}
		if value, ok := goValue(a.Value, vars); ok && value == nil {
			return badInput(def.Name, "must not be null")
		}
	}
	return nil
}

// argumentsOf reads the arguments of a field; absent is not null. A variable that was not
// given leaves the argument to its default.
func argumentsOf(f graphql.CollectedField, vars map[string]any) arguments {
	out := arguments{}
	for _, def := range f.Definition.Arguments {
		if a := f.Arguments.ForName(def.Name); a != nil {
			if value, ok := goValue(a.Value, vars); ok {
				out[def.Name] = value
				continue
			}
		}
		if value, ok := goValue(def.DefaultValue, nil); ok {
			out[def.Name] = value
		}
	}
	return out
}

// goValue turns a query value into nil, bool, string, json.Number, []any or map; ok is
// false for a variable that was not given.
func goValue(v *ast.Value, vars map[string]any) (value any, ok bool) {
	if v == nil {
		return nil, false
	}
	switch v.Kind {
	case ast.Variable:
		given, ok := vars[v.Raw]
		if !ok {
			if v.VariableDefinition == nil || v.VariableDefinition.DefaultValue == nil {
				return nil, false
			}
			return goValue(v.VariableDefinition.DefaultValue, vars)
		}
		return plainValue(given), true
	case ast.IntValue, ast.FloatValue:
		return json.Number(v.Raw), true
	case ast.BooleanValue:
		return v.Raw == "true", true
	case ast.NullValue:
		return nil, true
	case ast.ListValue:
		list := make([]any, 0, len(v.Children))
		for _, c := range v.Children {
			if item, ok := goValue(c.Value, vars); ok {
				list = append(list, item)
			} else {
				list = append(list, nil)
			}
		}
		return list, true
	case ast.ObjectValue:
		object := make(map[string]any, len(v.Children))
		for _, c := range v.Children {
			if item, ok := goValue(c.Value, vars); ok {
				object[c.Name] = item
			}
		}
		return object, true
	default:
		return v.Raw, true
	}
}

// plainValue brings a variable's value to the same forms.
func plainValue(v any) any {
	switch v := v.(type) {
	case int:
		return json.Number(strconv.Itoa(v))
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return json.Number(strconv.FormatFloat(v, 'f', -1, 64))
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainValue(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = plainValue(value)
		}
		return out
	default:
		// gqlparser makes a list of its own type where one value stands for a list.
		if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
			out := make([]any, list.Len())
			for i := range out {
				out[i] = plainValue(list.Index(i).Interface())
			}
			return out
		}
		return v
	}
}

// text gives a String or ID argument, "" when absent or null.
func (a arguments) text(name string) string {
	switch v := a[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return ""
	}
}

// int gives an Int argument; ok is false when absent or null.
func (a arguments) int(name string) (n int, ok bool, err error) {
	if a[name] == nil {
		return 0, false, nil
	}
	v, number := a[name].(json.Number) // text passes gqlparser as an Int variable
	i, err := v.Int64()
	if !number || err != nil || i > math.MaxInt32 || i < math.MinInt32 {
		return 0, false, badInput(name, "%v is not an Int", a[name])
	}
	return int(i), true, nil
}

// list gives a list argument; one value stands for a list of one, as GraphQL has it.
func (a arguments) list(name string) []any {
	switch v := a[name].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func (a arguments) texts(name string) ([]string, error) {
	var out []string
	for i, v := range a.list(name) {
		s, ok := v.(string)
		if !ok {
			return nil, badInput(fmt.Sprintf("%s.%d", name, i), "must be text")
		}
		out = append(out, s)
	}
	return out, nil
}

// descending reads the direction of an order term. gqlparser takes an enum variable in
// any case; only the enum's own spelling is one.
func descending(path string, term map[string]any) (bool, error) {
	switch term["direction"] {
	case nil, "ASC":
		return false, nil
	case "DESC":
		return true, nil
	default:
		return false, badInput(path+".direction", "must be ASC or DESC")
	}
}

func badInput(field, format string, args ...any) error {
	return apierror.New(apierror.BadUserInput, "%s: %s", field, fmt.Sprintf(format, args...)).About("", "", field)
}
