package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// hookTemplate is the Jinja template of a webhook's body, as far as it is known here: text
// with {{ doc }}, {{ doc.field }} or {{ doc.get("field") }}, each with filters. In the
// original doc is a plain dictionary with dates as text, so nothing of it can be called but
// what dictionaries have.
type hookTemplate struct {
	texts []string // one more than there are prints
	print []hookPrint
}

// hookPrint is what stands between two pairs of braces.
type hookPrint struct {
	field   string // empty for the whole document
	filters []string
}

var (
	hookExpression = regexp.MustCompile(`^doc(?:\.([a-z_A-Z]\w*)|\.get\((?:"(\w+)"|'(\w+)')\)|\[(?:"(\w+)"|'(\w+)')\])?$`)
	// hookFilters are those of Frappe (frappe/utils/jinja.py, set_filters) and of Jinja itself.
	hookFilters = []string{"json", "tojson", "int", "flt", "str"}
	// dictMembers are methods of a dictionary, which doc.items and the like lead to.
	dictMembers = []string{"clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"}
)

// parseHookTemplate reads a template. The error names the line, as the original's does.
func parseHookTemplate(text string) (*hookTemplate, error) {
	t := &hookTemplate{}
	rest, line := text, 1
	fail := func(format string, args ...any) error {
		return fmt.Errorf("Syntax error in template as line %d: %s", line, fmt.Sprintf(format, args...)) //nolint:staticcheck // ST1005: it is the original's message
	}
	for {
		before, after, found := strings.Cut(rest, "{{")
		if strings.Contains(before, "{%") || strings.Contains(before, "{#") {
			return nil, fail("the simulator knows no statements and comments")
		}
		t.texts = append(t.texts, before)
		line += strings.Count(before, "\n")
		if !found {
			return t, nil
		}
		inner, end, closed := strings.Cut(after, "}}")
		if !closed {
			return nil, fail("unexpected end of template")
		}
		p, err := parseHookPrint(inner)
		if err != nil {
			return nil, fail("%s", err)
		}
		t.print = append(t.print, p)
		line += strings.Count(inner, "\n")
		rest = end
	}
}

func parseHookPrint(inner string) (hookPrint, error) {
	parts := strings.Split(inner, "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	m := hookExpression.FindStringSubmatch(parts[0])
	if m == nil || slices.Contains(dictMembers, m[1]) {
		return hookPrint{}, fmt.Errorf("the simulator does not know the expression %q", parts[0])
	}
	for _, f := range parts[1:] {
		if !slices.Contains(hookFilters, f) {
			return hookPrint{}, fmt.Errorf("no filter named %q", f)
		}
	}
	return hookPrint{field: m[1] + m[2] + m[3] + m[4] + m[5], filters: parts[1:]}, nil
}

func (t *hookTemplate) render(d *hookDocument) string {
	var b strings.Builder
	for i, text := range t.texts {
		b.WriteString(text)
		if i < len(t.print) {
			b.WriteString(t.print[i].render(d))
		}
	}
	return b.String()
}

func (p hookPrint) render(d *hookDocument) string {
	v := d.value(p.field)
	for _, f := range p.filters {
		switch f {
		case "json":
			v = string(appendPython(nil, sorted(v)))
		case "tojson": // for use in HTML
			v = htmlSafe.Replace(string(appendPython(nil, sorted(v))))
		case "int":
			v = cint(v)
		case "flt":
			v = flt(v)
		case "str":
			v = cstr(v)
		}
	}
	if v == nil {
		return "None"
	}
	return cstr(v)
}

var htmlSafe = strings.NewReplacer("<", `\u003c`, ">", `\u003e`, "&", `\u0026`, "'", `\u0027`)

// sorted is a value with the members of objects by name, as both filters write them.
func sorted(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for i, m := range v {
			out[i] = member{m.key, sorted(m.value)}
		}
		slices.SortStableFunc(out, func(a, b member) int { return strings.Compare(a.key, b.key) })
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = sorted(e)
		}
		return out
	default:
		return v
	}
}

// appendPython writes JSON as Python's json.dumps does by default: blanks after colons and
// commas, everything beyond ASCII escaped.
func appendPython(b []byte, v any) []byte {
	switch v := v.(type) {
	case object:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(appendJSONString(b, m.key), ": "...)
			b = appendPython(b, m.value)
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendPython(b, e)
		}
		return append(b, ']')
	case json.RawMessage:
		return append(b, v...)
	default:
		return appendJSON(b, v)
	}
}
