package doctype

import (
	"fmt"
	"slices"
)

// dynamicLink is the child DocType by which Address, Contact and others point at any
// document: link_doctype, link_name (frappe/core/doctype/dynamic_link).
const dynamicLink = "Dynamic Link"

// reverse gives each type a connection for each link that leads to it.
func (b *builder) reverse() error {
	for _, from := range b.order {
		if !from.Listed() {
			continue
		}
		byTarget := map[string][]*Field{}
		for _, f := range from.Fields {
			if f.Kind == Link {
				byTarget[f.Target] = append(byTarget[f.Target], f)
			}
		}
		for _, target := range b.order {
			links := byTarget[target.Key]
			if target.Source == Child || target.Source == Single {
				continue
			}
			for _, link := range links {
				if target.Source == Local && coveredByAuthor(target, from, link) {
					continue
				}
				name := from.Plural
				if len(links) > 1 {
					name += "By" + upperFirst(link.Name)
				}
				b.addReverse(target, &Reverse{
					Name: name, From: from.Key, Field: link.Column,
					Label: fmt.Sprintf("%s rows whose %s is this", from.Noun(), label(link)),
				}, from.Plural+"By"+upperFirst(link.Name))
			}
		}
		b.dynamicReverse(from)
	}
	for _, key := range b.cfg.DynamicLinks {
		if t := b.types[key]; t == nil || t.Source != Upstream {
			return fmt.Errorf("doctypes.yml: dynamic_links: %s is not a document of the graph", key)
		}
	}
	return nil
}

// dynamicReverse gives the types of the dynamic_links setting a connection from each
// type that holds a table of dynamic links: Customer.addresses.
func (b *builder) dynamicReverse(from *Type) {
	if from.Source != Upstream {
		return
	}
	for _, f := range from.Fields {
		if f.Kind != Table || f.Target != dynamicLink {
			continue
		}
		for _, target := range b.order {
			if !slices.Contains(b.cfg.DynamicLinks, target.Key) {
				continue
			}
			b.addReverse(target, &Reverse{
				Name: from.Plural, From: from.Key, Through: dynamicLink, ThroughField: f.Column,
				Label: fmt.Sprintf("%s rows linked to this", from.Noun()),
			}, from.Plural+"By"+upperFirst(f.Name))
		}
		b.report.notef("%s points at any document through its table %s: the types under dynamic_links get %s", from.Key, f.Column, from.Plural)
	}
}

// addReverse adds a connection under its name, or the next free one by Build's rule.
func (b *builder) addReverse(t *Type, r *Reverse, by string) {
	free := r.Name
	for i, next := 0, []string{by, r.Name + "List", by + "List"}; hasName(t, free) && i < len(next); i++ {
		free = next[i]
	}
	for n := 2; hasName(t, free); n++ {
		free = fmt.Sprintf("%sList%d", r.Name, n)
	}
	if free != r.Name {
		b.report.clash(t.Key, "", fmt.Sprintf("connection %s is taken: it is %s", r.Name, free))
		r.Name = free
	}
	t.Reverse = append(t.Reverse, r)
}

func hasName(t *Type, name string) bool {
	return t.Writes.Workflow && name == WorkflowActions ||
		slices.ContainsFunc(t.Fields, func(f *Field) bool { return f.Name == name || f.Snapshot && f.SnapshotName() == name }) ||
		slices.ContainsFunc(t.Reverse, func(r *Reverse) bool { return r.Name == name })
}

// coveredByAuthor tells whether an @reverse field of target already lists these rows.
func coveredByAuthor(target, from *Type, link *Field) bool {
	return slices.ContainsFunc(target.Fields, func(f *Field) bool {
		return f.Kind == ReverseList && f.Target == from.Key && f.Options == link.Name
	})
}

// label is what a person calls a field; an author's description may be a sentence.
func label(f *Field) string {
	if f.Facts != nil && f.Label != "" {
		return f.Label
	}
	return f.Name
}
