package doctype

import (
	"fmt"
	"slices"
	"strings"
)

// fields makes the fields of every upstream type.
func (b *builder) fields() error {
	for _, t := range b.order {
		if t.Source == Local {
			continue
		}
		t.Fields = standardFields(t.Source)
		taken := map[string]bool{"or": true, "and": true, "not": true}
		if t.Writes.Workflow {
			taken[WorkflowActions] = true
		}
		for _, f := range t.Fields {
			taken[f.Name] = true
		}
		if err := b.renames(t, taken); err != nil {
			return err
		}
		for i := range t.Facts.Fields {
			facts := &t.Facts.Fields[i]
			if left := b.leftOut(t.Facts, facts); left != nil {
				b.report.Left = append(b.report.Left, *left)
				continue
			}
			f := b.field(t, facts)
			if f == nil {
				continue
			}
			f.Name = b.fieldName(t, facts, taken)
			if f.Kind == Enum {
				f.GraphQLType = b.enumName(t, f)
			}
			t.Fields = append(t.Fields, f)
		}
	}
	return nil
}

// renames takes the names that the settings give, before any made name can.
func (b *builder) renames(t *Type, taken map[string]bool) error {
	for _, f := range t.Facts.Fields {
		name, ok := b.cfg.of(t.Key).Rename[string(f.Fieldname)]
		if !ok {
			continue
		}
		if taken[name] {
			return fmt.Errorf("doctypes.yml: %s: rename of %s: %s is taken", t.Key, f.Fieldname, name)
		}
		taken[name] = true
	}
	return nil
}

// fieldName is the GraphQL name of a field, by the rule of Build.
func (b *builder) fieldName(t *Type, facts *FieldFacts, taken map[string]bool) string {
	if name, ok := b.cfg.of(t.Key).Rename[string(facts.Fieldname)]; ok {
		return name
	}
	name := FieldName(string(facts.Fieldname))
	free := name
	for n := 1; taken[free]; n++ {
		free = name + "Field"
		if n > 1 {
			free = fmt.Sprintf("%sField%d", name, n)
		}
	}
	if free != name {
		b.report.clash(t.Key, string(facts.Fieldname), fmt.Sprintf("%s is taken: it is %s (setting: rename)", name, free))
	}
	taken[free] = true
	return free
}

// enumName is the enum of a Select field: "SalesOrderStatus".
func (b *builder) enumName(t *Type, f *Field) string {
	name := t.Name + upperFirst(f.Name)
	free := name
	for b.taken[free] != "" || b.taken[FilterName(free)] != "" {
		free += "Option"
	}
	if free != name {
		b.report.clash(t.Key, f.Column, fmt.Sprintf("type %s is taken: its enum is %s", name, free))
	}
	b.taken[free] = t.Key
	return free
}

// field describes one fieldname, its name aside; nil when it has no place in the
// graph, which the report then tells.
func (b *builder) field(t *Type, facts *FieldFacts) *Field {
	f := &Field{
		Column:    string(facts.Fieldname),
		Label:     string(facts.Label),
		PermLevel: int(facts.Permlevel),
		Required:  bool(facts.Reqd),
		Facts:     facts,
	}
	if set := b.cfg.of(t.Key).Descriptions; set != nil && *set || set == nil && b.cfg.Descriptions {
		f.Help = string(facts.Description)
	}
	options := string(facts.Options)
	switch facts.Fieldtype {
	case "Table", "Table MultiSelect":
		child := b.types[options]
		if child == nil || child.Source != Child {
			b.report.left(t.Key, f.Column, ReasonNoFacts, "pull the child table "+options)
			return nil
		}
		f.Kind, f.Target, f.GraphQLType, f.NonNull = Table, options, child.Name, true
		return f
	case "Dynamic Link":
		f.Kind, f.Options, f.GraphQLType, f.Nullable = DynamicLink, options, "Document", true
		if options == "" || !slices.ContainsFunc(t.Facts.Fields, func(o FieldFacts) bool { return string(o.Fieldname) == options }) {
			f.Kind, f.Options, f.GraphQLType = String, "", "String"
		}
		return f
	case "Link":
		if target := b.types[options]; target != nil && target.Source != Child {
			f.Kind, f.Target, f.GraphQLType, f.Nullable = Link, options, target.Name, true
			return f
		}
		b.report.foreign(options, t.Key, f.Column)
	case "Select":
		if f.Enum = b.enumValues(t, facts); len(f.Enum) > 0 {
			f.Kind, f.Nullable = Enum, true
			return f
		}
	}
	s := storedTypes[string(facts.Fieldtype)]
	f.Kind, f.GraphQLType, f.Long = s.kind, s.graphQL, s.long
	f.Nullable = !s.notNull && !bool(facts.NotNullable)
	return f
}

// enumValues are the options of a Select; the empty one is null. Options that differ
// only in signs get a number.
func (b *builder) enumValues(t *Type, facts *FieldFacts) []Pair {
	var pairs []Pair
	taken, seen := map[string]bool{}, map[string]bool{"": true}
	for label := range strings.SplitSeq(string(facts.Options), "\n") {
		label = strings.TrimSpace(label)
		if seen[label] {
			continue
		}
		seen[label] = true
		name := EnumValue(label)
		free := name
		for n := 2; taken[free]; n++ {
			free = fmt.Sprintf("%s_%d", name, n)
		}
		if free != name {
			b.report.clash(t.Key, string(facts.Fieldname), fmt.Sprintf("option %q: value %s is taken: it is %s", label, name, free))
		}
		taken[free] = true
		pairs = append(pairs, Pair{Value: free, Label: label})
	}
	return pairs
}

// amendedFrom names the cancelled document that a document was made of.
const amendedFrom = "amended_from"

// leftOut tells why a field is not in the graph; nil when it is.
func (b *builder) leftOut(of *Facts, f *FieldFacts) *LeftOut {
	set := b.cfg.of(string(of.Name))
	fieldname := string(f.Fieldname)
	left := &LeftOut{DocType: string(of.Name), Field: fieldname}
	_, known := storedTypes[string(f.Fieldtype)]
	pattern, excluded := b.cfg.excluded(string(of.Name), fieldname)
	switch {
	case f.Layout():
		left.Reason = ReasonLayout
	case f.Fieldtype == "Password":
		left.Reason = ReasonPassword
	case bool(f.IsVirtual):
		left.Reason = ReasonVirtual
	case fieldname == "" || slices.Contains(standardColumns, fieldname):
		left.Reason = ReasonStandard
	case !known && !isTable(f) && f.Fieldtype != "Dynamic Link":
		left.Reason, left.Setting = ReasonUnknown, "fieldtype "+string(f.Fieldtype)
	case excluded:
		left.Reason, left.Setting = ReasonExcluded, fmt.Sprintf("exclude_fields: %q", pattern)
	case slices.Contains(set.Hide, fieldname):
		left.Reason, left.Setting = ReasonHide, "hide"
	case len(set.Fields) > 0 && !slices.Contains(set.Fields, fieldname):
		left.Reason, left.Setting = ReasonNotKept, "fields"
	case bool(of.IsSubmittable) && fieldname == amendedFrom:
		return nil // ERPNext's forms hide it, but an amended document is nothing without it
	case bool(f.Hidden) && !b.cfg.Include.Hidden && !slices.Contains(set.IncludeHidden, fieldname) &&
		!slices.Contains(set.Fields, fieldname):
		left.Reason, left.Setting = ReasonHidden, "include_hidden"
	default:
		return nil
	}
	return left
}

func isTable(f *FieldFacts) bool { return f.Fieldtype == "Table" || f.Fieldtype == "Table MultiSelect" }

// standardColumns exist on every document or row (frappe/model/__init__.py), so a
// DocField of such a name adds nothing.
var standardColumns = []string{
	"name", "owner", "creation", "modified", "modified_by", "docstatus", "idx", "doctype",
	"parent", "parentfield", "parenttype",
}

// standardFields come before a DocType's own.
func standardFields(source Source) []*Field {
	name := &Field{Name: "name", Column: "name", Label: "Name", GraphQLType: "String", NonNull: true, Standard: true}
	if source == Child {
		return []*Field{name, {
			Name: "idx", Column: "idx", Label: "Position in the table, from 1", Kind: Int, GraphQLType: "Int", NonNull: true, Standard: true,
		}}
	}
	return []*Field{
		{Name: "id", Label: "Global id, for node and as a cache key", Kind: ID, GraphQLType: "ID", NonNull: true, Standard: true},
		name,
		{Name: "doctype", Label: "DocType", GraphQLType: "String", NonNull: true, Standard: true},
		{Name: "owner", Column: "owner", Label: "Created by", GraphQLType: "String", Nullable: true, Standard: true},
		{Name: "creation", Column: "creation", Label: "Created at", Kind: DateTime, GraphQLType: "DateTime", Standard: true},
		{Name: "modified", Column: "modified", Label: "Last changed at", Kind: DateTime, GraphQLType: "DateTime", Standard: true},
		{Name: "modifiedBy", Column: "modified_by", Label: "Last changed by", GraphQLType: "String", Nullable: true, Standard: true},
		{Name: "docstatus", Column: "docstatus", Label: "0 draft, 1 submitted, 2 cancelled", Kind: Int, GraphQLType: "Int", Standard: true},
	}
}
