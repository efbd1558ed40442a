package doctype

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// inputs decides which fields the inputs of a type have, and which mutations there are of
// it. It runs when all fields are known, and before names are checked.
func (b *builder) inputs() error {
	for _, t := range b.order {
		for _, f := range t.Fields {
			if t.Source != Local {
				f.Create, f.Update = b.uses(t, f)
			}
		}
		b.report.unknown(t, b.cfg.of(t.Key).Optional)
	}
	// A table can be written where its rows have anything to write; rows never hold tables.
	for _, t := range b.order {
		for _, f := range t.Fields {
			if f.Kind == Table && len(b.types[f.Target].CreateFields()) == 0 {
				f.Create, f.Update = Absent, Absent
			}
		}
	}
	for _, t := range b.order {
		if err := b.writes(t); err != nil {
			return err
		}
		b.report.required(t)
	}
	return nil
}

// uses says of an upstream field whether the inputs have it.
func (b *builder) uses(t *Type, f *Field) (create, update InputUse) {
	switch {
	case f.Standard:
		if t.Source == Child && f.Column == "name" {
			return Absent, Optional // which row of the table is kept
		}
		return Absent, Absent
	case f.Facts == nil, f.Kind == Custom:
		return Absent, Absent
	case bool(f.Facts.ReadOnly), f.Facts.Fieldtype == "Read Only":
		return Absent, Absent
	case t.Tree && slices.Contains(treeColumns, f.Column):
		return Absent, Absent
	case f.Kind == Table && t.Source == Child:
		return Absent, Absent // Frappe stores the rows of a document, not the rows of rows
	}
	create, update = Optional, Optional
	if b.mustBeGiven(t, f) {
		create = Required
	}
	if f.Facts.SetOnlyOnce {
		update = Absent
	}
	return create, update
}

// treeColumns are kept by ERPNext as the tree changes (frappe/utils/nestedset.py).
var treeColumns = []string{"lft", "rgt", "old_parent"}

// mustBeGiven tells whether a new document is refused without the field: its DocType asks
// for it, and neither Frappe (a default, the first option of a Select, the field of a
// linked document: frappe/model/create_new.py) nor ERPNext's own code (the settings say
// so) fills it.
func (b *builder) mustBeGiven(t *Type, f *Field) bool {
	facts := f.Facts
	first, _, _ := strings.Cut(string(facts.Options), "\n")
	switch {
	case !bool(facts.Reqd), facts.Default != "", facts.FetchFrom != "":
		return false
	case facts.Fieldtype == "Select" && strings.TrimSpace(first) != "":
		return false
	}
	return !b.cfg.optional(t.Key, f.Column)
}

// writes says which mutations there are of a type.
func (b *builder) writes(t *Type) error {
	if t.Source == Local {
		b.localWrites(t)
		return nil
	}
	set := b.cfg.of(t.Key)
	if t.Source == Child {
		if set.Writes != nil || set.Workflow != nil {
			return fmt.Errorf("doctypes.yml: %s is a child table: its rows are written with their parents, so writes and workflow say nothing of it", t.Key)
		}
		return nil
	}
	may := func(what string) bool { return set.Writes == nil || slices.Contains(set.Writes, what) }
	w := &t.Writes
	w.Update = may("update") && len(t.UpdateFields()) > 0
	if t.Source == Single {
		w.Workflow = false
		return nil
	}
	if strings.HasPrefix(strings.ToLower(string(t.Facts.Autoname)), "prompt") {
		w.Name = Required
	}
	w.Create = may("create") && (len(t.CreateFields()) > 0 || w.Name == Required)
	w.Delete = may("delete")
	w.Submit = may("submit") && t.Submit
	w.Rename = may("rename") && bool(t.Facts.AllowRename)
	if may("create") && !w.Create {
		b.report.notef("%s: no field can be given to a new one, so there is no %s", t.Key, t.CreateRoot())
	}
	return nil
}

// workflow tells whether documents of a DocType go through a workflow: the site has one
// for it, or the settings say so.
func (b *builder) workflow(f *Facts) bool {
	set := b.cfg.of(string(f.Name))
	switch {
	case bool(f.Issingle), bool(f.Istable):
		return false
	case set.Workflow != nil:
		return *set.Workflow
	default:
		return f.Workflow != "" && (set.Writes == nil || slices.Contains(set.Writes, "workflow"))
	}
}

// optional tells whether the settings say that ERPNext fills a field.
func (c *Config) optional(doctype, fieldname string) bool {
	return slices.Contains(c.of(doctype).Optional, fieldname) ||
		slices.ContainsFunc(c.Optional, func(pattern string) bool {
			ok, err := path.Match(pattern, fieldname)
			return err == nil && ok
		})
}

// CreateFields are the fields of the create input, in order.
func (t *Type) CreateFields() []*Field {
	return t.used(func(f *Field) InputUse { return f.Create })
}

// UpdateFields are the fields of the update input, in order.
func (t *Type) UpdateFields() []*Field {
	return t.used(func(f *Field) InputUse { return f.Update })
}

func (t *Type) used(use func(*Field) InputUse) []*Field {
	var fields []*Field
	for _, f := range t.Fields {
		if use(f) != Absent {
			fields = append(fields, f)
		}
	}
	return fields
}

// unknown notes fieldnames of the settings that a DocType does not have: a misspelling, or
// a field that the site's version of ERPNext lacks.
func (r *Report) unknown(t *Type, fieldnames []string) {
	for _, name := range fieldnames {
		if !slices.ContainsFunc(t.Fields, func(f *Field) bool { return f.Column == name }) {
			r.notef("%s: optional names %s, which is no field of it in the graph", t.Key, name)
		}
	}
}

// required notes what a new row can't do without.
func (r *Report) required(t *Type) {
	if !t.Writes.Create && t.Source != Child {
		return
	}
	var names []string
	if t.Writes.Name == Required {
		names = append(names, "name")
	}
	for _, f := range t.Fields {
		if f.Create == Required {
			names = append(names, f.Name)
		}
	}
	if len(names) > 0 {
		r.Required = append(r.Required, RequiredFields{DocType: t.Key, Fields: names})
	}
}
