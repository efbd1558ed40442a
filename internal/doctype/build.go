package doctype

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gertd/go-pluralize"
	"github.com/vektah/gqlparser/v2/ast"
)

// ErrNotPulled means that doctypes.yml lists a DocType of which there are no facts.
var ErrNotPulled = errors.New("no facts of this DocType: run `go run ./cmd/schemagen pull`")

// Build makes the graph's types from the settings, the facts of DocTypes and the SDL
// of the custom app. The same input gives the same registry and report: the generator
// prints SDL from it, and the server answers by it. Facts that the settings don't ask
// for are ignored.
//
// Names that are taken resolve like this, and the report tells each case:
//   - A type: the first DocType in the alphabet keeps the name, the next takes a "2";
//     a name of the schema's own (Node, Date, Query) takes "Doc" at its end.
//   - A root field: as a type.
//   - A field: standard fields come first, then the DocType's own in its order; the
//     later one takes "Field" at its end, then "Field2" and so on.
//   - A reverse connection: "<plural>By<Field>", then "<plural>List".
//   - An enum: "Option" at its end.
//
// What is left (two types that claim one derived name, two files of one stem) is an
// error that names the setting to change.
func Build(cfg *Config, facts []*Facts, local []*ast.Source) (*Registry, *Report, error) {
	b := &builder{
		cfg:     cfg,
		facts:   map[string]*Facts{},
		report:  &Report{},
		plurals: pluralize.NewClient(),
		types:   map[string]*Type{},
		taken:   reservedTypes(),
		roots:   reservedRoots(),
	}
	for _, f := range facts {
		if b.facts[string(f.Name)] != nil {
			return nil, nil, fmt.Errorf("facts of %s: given twice", f.Name)
		}
		b.facts[string(f.Name)] = f
	}
	sdl, err := parseLocal(local)
	if err != nil {
		return nil, nil, err
	}
	for _, step := range []func() error{
		b.choose,
		b.nameTypes,
		func() error { return b.claimLocal(sdl) },
		b.fields,
		func() error { return b.localFields(sdl) },
		b.reverse,
		b.inputs,
		b.declare,
		b.check,
		func() error { return b.checkMutations(sdl) },
		func() error { return b.checkSubscriptions(sdl) },
	} {
		if err := step(); err != nil {
			return nil, nil, err
		}
	}
	b.report.count(b.order)
	b.report.sort()
	return NewRegistry(b.order, b.methods...), b.report, nil
}

// builder holds what Build has so far.
type builder struct {
	cfg    *Config
	facts  map[string]*Facts
	report *Report
	// plurals knows English; it compiles its rules anew for each client.
	plurals *pluralize.Client

	order   []*Type          // upstream types by key, then local types by name
	types   map[string]*Type // by key
	taken   map[string]string
	roots   map[string]string
	methods []*Method // by name
}

// choose makes a type for each DocType of the settings and for each child table that
// one of them holds in a field that stays.
func (b *builder) choose() error {
	for _, name := range b.cfg.Names() {
		f := b.facts[name]
		if f == nil {
			return fmt.Errorf("doctypes.yml: %s: %w", name, ErrNotPulled)
		}
		if f.IsVirtual {
			return fmt.Errorf("doctypes.yml: %s is a virtual DocType: it has no rows to list", name)
		}
		if f.Istable {
			continue // comes with its parents; the entry only bends it
		}
		source := Upstream
		if f.Issingle {
			source = Single
		}
		b.types[name] = &Type{Key: name, Source: source, Facts: f}
		for i := range f.Fields {
			child := b.facts[string(f.Fields[i].Options)]
			if !isTable(&f.Fields[i]) || child == nil || !bool(child.Istable) || b.leftOut(f, &f.Fields[i]) != nil {
				continue
			}
			key := string(child.Name)
			b.types[key] = &Type{Key: key, Source: Child, Facts: child}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.types)) {
		t := b.types[key]
		t.Stem, t.Description = Stem(key), key
		t.Tree = bool(t.Facts.IsTree)
		t.Submit = bool(t.Facts.IsSubmittable)
		t.Writes.Workflow = b.workflow(t.Facts)
		t.TitleField = string(t.Facts.TitleField)
		for s := range strings.SplitSeq(string(t.Facts.SearchFields), ",") {
			if s = strings.TrimSpace(s); s != "" {
				t.SearchFields = append(t.SearchFields, s)
			}
		}
		b.order = append(b.order, t)
	}
	return nil
}

// nameTypes gives types and root fields their names; those of the settings first.
func (b *builder) nameTypes() error {
	for _, t := range b.order {
		name := b.cfg.of(t.Key).Name
		if name == "" {
			continue
		}
		if other, ok := b.taken[name]; ok {
			return fmt.Errorf("doctypes.yml: %s: name %s is taken by %s", t.Key, name, other)
		}
		t.Name, b.taken[name] = name, t.Key
	}
	for _, t := range b.order {
		if t.Name == "" {
			t.Name = b.claim(b.taken, TypeName(t.Key), t.Key, "type")
		}
	}
	for _, t := range b.order {
		if t.Source == Child {
			continue
		}
		base := t.Key
		if set := b.cfg.of(t.Key).Name; set != "" {
			base = splitPascal(set)
		}
		if err := b.nameRoots(t, base, b.cfg.of(t.Key).Plural); err != nil {
			return err
		}
	}
	return nil
}

// nameRoots claims the root fields of a type: one document, the list, the aggregates.
func (b *builder) nameRoots(t *Type, base, plural string) error {
	single, made, same := rootNames(b.plurals, base)
	t.Single = b.claim(b.roots, single, t.Key, "root field")
	if t.Source == Single {
		return nil
	}
	switch {
	case plural != "":
		if other, ok := b.roots[plural]; ok {
			return fmt.Errorf("doctypes.yml: %s: plural %s is taken by %s", t.Key, plural, other)
		}
		b.roots[plural] = t.Key
		t.Plural = plural
	default:
		if same {
			b.report.clash(t.Key, "", fmt.Sprintf("has no plural of its own: the list is %s (setting: plural)", made))
		}
		t.Plural = b.claim(b.roots, made, t.Key, "root field")
	}
	if other, ok := b.roots[t.AggregateRoot()]; ok {
		return fmt.Errorf("%s: root field %s is taken by %s: set another name or plural in doctypes.yml",
			t.Key, t.AggregateRoot(), other)
	}
	b.roots[t.AggregateRoot()] = t.Key
	return nil
}

// claim takes a name, or the next free one by the rule of Build.
func (b *builder) claim(taken map[string]string, name, key, what string) string {
	free := name
	if by, ok := taken[name]; ok {
		if by == schemaOwn {
			free = name + "Doc"
		}
		for n := 2; ; n++ {
			if _, ok := taken[free]; !ok {
				break
			}
			free = fmt.Sprintf("%s%d", name, n)
		}
		b.report.clash(key, "", fmt.Sprintf("%s %s is taken by %s: it is %s (setting: name)", what, name, by, free))
	}
	taken[free] = key
	return free
}

// check finds what no rule resolves: derived names and stems that clash.
func (b *builder) check() error {
	names, stems := reservedTypes(), map[string]string{}
	for _, t := range b.order {
		if other, ok := stems[t.Stem]; ok {
			return fmt.Errorf("%s and %s: their files would both be named %s: leave one out, or rename the app's file",
				other, t.Key, t.Stem)
		}
		stems[t.Stem] = t.Key
		claims := t.names()
		for _, f := range t.Fields {
			if f.Kind == Enum && t.Source != Local {
				claims = append(claims, f.GraphQLType, FilterName(f.GraphQLType))
			}
		}
		for _, name := range claims {
			if other, ok := names[name]; ok {
				return fmt.Errorf("%s: type %s is taken by %s: set another `name:` for one of them in doctypes.yml",
					t.Key, name, other)
			}
			names[name] = t.Key
		}
	}
	for _, m := range b.methods {
		key := "methods." + m.Name
		if other, ok := names[m.Payload]; ok {
			return fmt.Errorf("doctypes.yml: %s: type %s is taken by %s: give the mutation another name", key, m.Payload, other)
		}
		if other, ok := stems[MethodsStem]; ok && other != MethodsStem {
			return fmt.Errorf("%s: its file would be named %s, as that of the declared methods: leave one of them out", other, MethodsStem)
		}
		names[m.Payload], stems[MethodsStem] = key, MethodsStem
	}
	return nil
}

// MethodsStem is the base name of the file with the declared methods.
const MethodsStem = "methods"

// schemaOwn owns the names that the schema's hand-written files hold.
const schemaOwn = "the schema itself"

func reservedTypes() map[string]string {
	names := map[string]string{}
	for _, n := range []string{
		"Query", "Mutation", "Subscription", "String", "Int", "Float", "Boolean", "ID",
		"Decimal", "Date", "Time", "DateTime", "JSON", "URL", "Upload", "Node", "Document", "ForeignDocument",
		"PageInfo", "OrderDirection", "AggregateOrderBy", "Timespan", "OnDelete", "ChangeKind", "DocumentChange", "DanglingLink", "LinkSnapshot", "LinkOption", "SearchHit", "Me",
		"DocumentRows", "DocumentsOrder", "DeletePayload", "UploadPayload", "AttachTo", "WriteError", "WorkflowAction", "StringFilter", "LinkFilter", "TreeLinkFilter", "IntFilter",
		"FloatFilter", "DecimalFilter", "DateFilter", "DateTimeFilter", "TimeFilter", "BooleanFilter", "IDFilter",
	} {
		names[n] = schemaOwn
	}
	return names
}

func reservedRoots() map[string]string {
	names := map[string]string{}
	for _, n := range []string{"node", "nodes", "document", "documents", "linkOptions", "search", "me", "danglingLinks"} {
		names[n] = schemaOwn
	}
	return names
}

// splitPascal parts a type name into words: "ServiceContract" → "Service Contract".
func splitPascal(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && (name[i-1] < 'A' || name[i-1] > 'Z') {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
