package doctype

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	// A dotted path of Python, or the name of a Server Script that looks like one: single
	// words are commands of Frappe's own.
	methodPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$`)
	pythonPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	typePattern   = regexp.MustCompile(`^(?:([A-Za-z][A-Za-z0-9]*)(!)?|\[([A-Za-z][A-Za-z0-9]*)(!)?\](!)?)$`)
)

var errCamelCase = errors.New("the name is not camelCase")

// requestWords are what Frappe takes from any request's arguments for itself: which
// function to call and whose session to use (frappe/handler.py, frappe/auth.py). A client
// must not have a hold on them.
var requestWords = []string{"cmd", "sid", "csrf_token", "usr", "pwd"}

// declare makes the server methods that the settings declare.
func (b *builder) declare() error {
	for _, name := range slices.Sorted(maps.Keys(b.cfg.Methods)) {
		set := b.cfg.Methods[name]
		if set == nil {
			set = &MethodConfig{}
		}
		m, err := b.method(name, set)
		if err != nil {
			return fmt.Errorf("doctypes.yml: methods: %s: %w", name, err)
		}
		b.methods = append(b.methods, m)
	}
	return nil
}

func (b *builder) method(name string, set *MethodConfig) (*Method, error) {
	if !fieldNamePattern.MatchString(name) {
		return nil, errCamelCase
	}
	if !methodPattern.MatchString(set.Method) {
		return nil, fmt.Errorf("method: %q is no path of a function, as in frappe.desk.form.utils.add_comment", set.Method)
	}
	m := &Method{
		Name: name, Path: set.Method, Description: set.Description, Fill: map[string]string{},
		Payload: upperFirst(name) + "Payload", Repeatable: set.Repeatable,
	}
	if m.Description == "" {
		m.Description = "Calls " + set.Method + " of ERPNext."
	}
	for _, declared := range set.Arguments {
		arg, err := methodArg(declared)
		if err != nil {
			return nil, fmt.Errorf("arguments: %s: %w", declared.Name, err)
		}
		if m.takes(arg.As) {
			return nil, fmt.Errorf("arguments: %s: another argument is given to the method as %s too", declared.Name, arg.As)
		}
		m.Args = append(m.Args, arg)
	}
	for _, as := range slices.Sorted(maps.Keys(set.Fill)) {
		switch {
		case !pythonPattern.MatchString(as) || slices.Contains(requestWords, as):
			return nil, fmt.Errorf("fill: %q is no name of an argument", as)
		case set.Fill[as] != "user" && set.Fill[as] != "fullName":
			return nil, fmt.Errorf("fill: %s: %q: it can be filled with user or fullName", as, set.Fill[as])
		case m.takes(as):
			return nil, fmt.Errorf("fill: %s: the client gives this argument: only one of the two can", as)
		}
		m.Fill[as] = set.Fill[as]
	}
	return m, b.result(m, set.Result)
}

// takes tells whether the client gives the function's argument of a name.
func (m *Method) takes(as string) bool {
	return slices.ContainsFunc(m.Args, func(a *MethodArg) bool { return a.As == as })
}

// methodArg reads one declared argument.
func methodArg(set *ArgumentConfig) (*MethodArg, error) {
	if !fieldNamePattern.MatchString(set.Name) {
		return nil, errCamelCase
	}
	arg := &MethodArg{Name: set.Name, As: set.As, Type: strings.ReplaceAll(set.Type, " ", "")}
	if arg.As == "" {
		arg.As = ColumnName(set.Name)
	}
	if !pythonPattern.MatchString(arg.As) {
		return nil, fmt.Errorf("as: %q is no name of an argument", arg.As)
	}
	if slices.Contains(requestWords, arg.As) {
		return nil, fmt.Errorf("as: Frappe takes %s for itself from every request: a method can't be given it", arg.As)
	}
	typ, err := parseType(arg.Type)
	if err != nil {
		return nil, err
	}
	kind, ok := localScalars[typ.named]
	if !ok {
		return nil, fmt.Errorf("type: %s: an argument is a scalar or a list of one; a document is given by its docname, a String", arg.Type)
	}
	arg.Kind, arg.List, arg.Item, arg.NonNull = kind, typ.list, typ.item, typ.nonNull
	return arg, nil
}

// result reads the declared type of the answer.
func (b *builder) result(m *Method, declared string) error {
	declared = strings.ReplaceAll(declared, " ", "")
	if declared == "" {
		return nil
	}
	typ, err := parseType(declared)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	m.Result, m.List, m.Field = typ.named, typ.list, "result"
	if _, ok := localScalars[typ.named]; ok {
		m.Kind = ScalarResult
		return nil
	}
	t := b.byGraphQL(typ.named)
	if t == nil || t.Source != Upstream {
		return fmt.Errorf("result: %s is no scalar and no document of the graph", typ.named)
	}
	if m.Kind, m.Target, m.Field = DocumentResult, t.Key, t.Single; typ.list {
		m.Field = t.Plural
	}
	if m.Field == "messages" {
		m.Field = "result"
	}
	return nil
}

// typeExpr is a type as SDL writes it: "[Int!]!" is Int, a list of non-null elements,
// itself non-null.
type typeExpr struct {
	named               string
	list, item, nonNull bool
}

// parseType reads a type, or a list of one.
func parseType(text string) (typeExpr, error) {
	p := typePattern.FindStringSubmatch(text)
	if p == nil {
		return typeExpr{}, fmt.Errorf("type: %q is no type, as in String! or [Int!]", text)
	}
	if p[1] != "" {
		return typeExpr{named: p[1], nonNull: p[2] != ""}, nil
	}
	return typeExpr{named: p[3], list: true, item: p[4] != "", nonNull: p[5] != ""}, nil
}
