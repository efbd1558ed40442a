package simulator

import "strings"

// truthy is Python's notion of a value that counts as true.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case object:
		return len(v) > 0
	default:
		return true
	}
}

func nativeValue(v any) value {
	switch v := v.(type) {
	case int64:
		return intValue(v)
	case float64:
		return floatValue(v)
	case bool:
		return intValue(cint(v))
	default:
		return textValue(cstr(v))
	}
}

// pythonRepr prints a JSON value as Python prints it in messages.
func pythonRepr(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		if strings.Contains(v, "'") && !strings.Contains(v, `"`) {
			return `"` + v + `"`
		}
		return "'" + strings.ReplaceAll(v, "'", `\'`) + "'"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = pythonRepr(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return cstr(v)
	}
}
